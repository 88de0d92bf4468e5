"""Every command of every document is run here, or says where it is run, or why it cannot be."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.envoy.model_server import ModelServer
from tests.harness import NEWEST, REPOSITORY, unavailable
from tests.harness.dependencies import dependency
from tests.shipped.commands import Command, commands_in, commands_of, documents
from tests.shipped.entries import ENTRIES, IN_SHAPE, Cannot, Elsewhere, Runs
from tests.shipped.stage import Stage

RUN = [name for name, entries in ENTRIES.items() if any(isinstance(how, Runs) for how in entries.values())]
# What the commands call beside the tool; every machine for development has them.
PROGRAMS = ("bash", "curl", "git", "jq", "xargs")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ModelServer]]:
    started = {version: ModelServer(version).start() for version in ("v1", "v2")}
    yield started
    for server in started.values():
        server.stop()


@pytest.mark.parametrize("document", sorted({*documents(), *ENTRIES}))
def test_each_command_has_an_entry_and_each_entry_a_command(document: str) -> None:
    assert (REPOSITORY / document).exists(), f"{document} is gone: remove it from entries.py"
    found = {command.text: command.line for command in commands_of(document)}
    missing = [f"{document}:{line}: {text}" for text, line in found.items() if text not in ENTRIES.get(document, {})]
    assert missing == [], "add an entry to tests/shipped/entries.py: run it, say where it is run, or why it cannot be"
    gone = [text for text in ENTRIES.get(document, {}) if text not in found]
    assert gone == [], f"{document} has these commands no more"


@pytest.mark.parametrize("document", ENTRIES)
def test_what_runs_elsewhere_is_there_and_what_cannot_run_has_a_reason(document: str) -> None:
    for how in ENTRIES[document].values():
        if isinstance(how, Elsewhere):
            file, _, test = how.test.partition("::")
            assert re.search(rf"\b(def|fn) {test}\(", (REPOSITORY / file).read_text()), how.test
        elif isinstance(how, Cannot):
            assert len(how.why) > 10


@pytest.mark.parametrize("document", RUN)
def test_the_commands_work(
    document: str, tool: Path, modules: dict[str, Path], servers: dict[str, ModelServer], tmp_path: Path
) -> None:
    for program in PROGRAMS:
        if not shutil.which(program):
            unavailable(f"the commands of the documents need {program}")
    programs = {"envoy": dependency("envoy", NEWEST), "prometheus": dependency("prometheus")}
    stage = Stage(tmp_path / "checkout", document, tool, modules, servers, programs)
    wrong = []
    try:
        for command in commands_of(document):
            how = ENTRIES[document][command.text]
            if isinstance(how, Runs):
                status, said = stage.run(command.text, how)
                if errors := errors_of(command, how, status, said):
                    wrong.append(f"{document}:{command.line}: {command.text}: {'; '.join(errors)}\n{said[-3000:]}")
    finally:
        stage.stop()
    assert not wrong, "\n\n".join(wrong)


def errors_of(command: Command, how: Runs, status: int, said: str) -> list[str]:
    """What is otherwise than the entry and the document say."""
    found = [] if status in how.status else [f"status {status}"]
    wanted = (*how.says, *([how.until] if how.until else []))
    found += [f"it does not say {pattern!r}" for pattern in wanted if not re.search(pattern, said, re.MULTILINE)]
    if how.shows:
        same = shape if how.shows == IN_SHAPE else str
        lines = {same(line) for line in said.splitlines()}
        shown = [line for line in command.shown if line.strip() and line.strip() != "..."]
        found += [] if shown else ["the document shows nothing"]
        found += [f"the document shows {line!r}" for line in shown if same(line) not in lines]
    return found


def shape(line: str) -> str:
    """A line without what differs from time to time: times, numbers and bars."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line.replace(">", " "))
    line = re.sub(r"[█▏▎▍▌▋▊▉]+", "", line)
    return " ".join(re.sub(r"\d[\d,.]*\d|\d", "N", line).split())


def test_the_collector_misses_nothing() -> None:
    text = """
```sh
# a comment
one --a 'b # c' \\
  --d   # a comment
two |
  three && four
```
  ```console
  $ not at the start of a line
$ five \\
  --six
shown
$ seven
  ```
```yaml
jobs: {a: {steps: [{uses: x}, {run: "eight\\nnine"}], script: [ten]}}
```
```json
{"run": "no"}
```
"""
    found = [(command.line, command.text, command.shown) for command in commands_in("x.md", text)]
    assert found == [
        (4, "one --a 'b # c' --d", ()),
        (6, "two | three && four", ()),
        (11, "five --six", ("shown",)),
        (14, "seven", ()),
        (17, "eight", ()),
        (17, "nine", ()),
        (17, "ten", ()),
    ]
    for wrong in (
        "```zsh\nls\n```\n",
        "```text\n$ ls\n```\n",
        "```\nkubectl get pods\n```\n",
        "```\n./x.sh\n```\n",
        "```sh\nls |\n```\n",
    ):
        with pytest.raises(ValueError, match=r"x\.md|no end"):
            list(commands_in("x.md", wrong))


def test_commands_in_comments_are_found() -> None:
    text = "# words\n#     llm-canary stop a.yaml v2      at once\n#     no command\nkey: 1 # llm-canary check\n"
    assert [one.text for one in commands_in("a.yaml", text)] == ["llm-canary stop a.yaml v2"]


def test_shapes() -> None:
    shown = "> 2026-11-23T18:12:26Z       95.024 % ███████▎    4.976 % ▊      3990 (3.990 %)"
    assert shape(shown) == shape("  2027-01-01T00:00:00Z  1 % █ 2 %  7 (0.1 %)") == "TIME N % N % N (N %)"
    assert shape("v2 has 100 % for 2 s only") != shape("v2 has 100 % for 2 min only")
