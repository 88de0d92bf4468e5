"""The commands that documents tell people to type: of blocks of shell, of sessions with a prompt, of pipelines, and
those in the comments of the files that are shipped.

In: the text of a document. Out: commands in their order, each without its comment, with the output that the document
shows.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.harness import REPOSITORY
from tests.shipped.table import shipped

SHELL = {"sh", "bash", "shell"}
SESSION = {"console"}
# What else may stand in a block. A language that is not known fails, so that no command is missed.
OTHER = {"json", "yaml", "text", "promql", "dockerfile", "", "rust", "python", "toml"}
# Keys of pipelines below which commands stand.
PIPELINE_KEYS = ("run", "script")
# How a line begins that is typed, in a block that should have none.
TYPED = re.compile(r"\$ |(llm-canary|kubectl|envoy|cargo|curl|docker|helm|git|pip) |\./|[a-z]+/\S+\.sh\b")
# A command in a comment of YAML. What is said of it follows after blanks.
COMMENTED = re.compile(r"#     ((?:llm-canary|kubectl|envoy|cargo|helm|prometheus|cp|mv) .*?)(?: {3,}.*)?$")
FENCE = re.compile(r"^\s*```(\S*)\s*$")


class Command(NamedTuple):
    document: str
    line: int
    text: str
    # What a session shows below it.
    shown: tuple[str, ...] = ()


def documents() -> list[str]:
    """The documents of the repository, as git knows them or would, and the shipped files with commands in comments."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\n")
    pages = {name for name in names if name and (REPOSITORY / name).exists()}
    files = [path.relative_to(REPOSITORY).as_posix() for path in shipped() if path.suffix in (".yaml", ".yml")]
    return sorted(pages | {name for name in files if commands_of(name)})


def commands_of(document: str, root: Path = REPOSITORY) -> list[Command]:
    return list(commands_in(document, (root / document).read_text()))


def commands_in(document: str, text: str) -> Iterator[Command]:
    if not document.endswith(".md"):
        for number, line in enumerate(text.splitlines(), 1):
            if found := COMMENTED.match(line):
                yield Command(document, number, found[1])
        return
    for language, first, lines in blocks(text):
        if language in SHELL:
            yield from (Command(document, first + at, text) for at, text in joined(lines))
        elif language in SESSION:
            yield from session(document, first, lines)
        elif language == "yaml":
            yield from (Command(document, first, text) for text in pipeline("\n".join(lines)))
        elif language not in OTHER:
            raise ValueError(f"{document}:{first}: what is a block of {language!r}? Add it to {__name__}")
        elif any(TYPED.match(line) for line in lines):
            raise ValueError(f"{document}:{first}: a session needs the language console, and commands the language sh")


def blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """(language, number of the first line, lines) of each block."""
    language, first, lines = None, 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if fence := FENCE.match(line):
            if language is None:
                language, first, lines = fence[1], number + 1, []
            else:
                yield language, first, lines
                language = None
        elif language is not None:
            lines.append(line)


def joined(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(number, command) of lines that may go on in the next one, without comments."""
    pending, began = "", 0
    for at, line in enumerate(lines):
        line = without_comment(line).rstrip()
        if not line.strip():
            continue
        began = began if pending else at
        pending = f"{pending} {line.strip()}".strip()
        if pending.endswith("\\"):
            pending = pending[:-1].rstrip()
        elif not pending.endswith(("|", "&&")):
            yield began, pending
            pending = ""
    if pending:
        raise ValueError(f"the command {pending!r} has no end")


def without_comment(line: str) -> str:
    """The line up to a # that begins a word outside of quotes."""
    quote = ""
    for at, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def session(document: str, first: int, lines: list[str]) -> Iterator[Command]:
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            at += 1
            continue
        end = at + 1
        while lines[end - 1].endswith("\\"):
            end += 1
        [(_, text)] = joined([lines[at][2:], *lines[at + 1 : end]])
        shown = end
        while shown < len(lines) and not lines[shown].startswith("$ "):
            shown += 1
        yield Command(document, first + at, text, tuple(lines[end:shown]))
        at = shown


def pipeline(text: str) -> Iterator[str]:
    """Commands of a pipeline of GitHub or GitLab."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in PIPELINE_KEYS:
                    found = inner if isinstance(inner, list) else [inner]
                    yield from (line for one in found for _, line in joined(str(one).splitlines()))
                else:
                    yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    for document in yaml.safe_load_all(text):
        yield from walk(document)
