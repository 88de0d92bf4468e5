"""What is installed beside the tool: completions in a real bash, manual pages, and the commit in --version."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.harness.dependencies import Dependency
from tests.harness.hosts import VERSION

# What bash does at the tab key: it fills COMP_WORDS, and calls the function of the command.
COMPLETE = """
eval "$("$1" completions bash)"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
function=$(complete -p llm-canary | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" llm-canary "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ra"], {"ramp"}),
        (["com"], {"completions"}),
        (["ramp", "--res"], {"--resume"}),
        (["completions", "f"], {"fish"}),
        (["serve", "--li"], {"--listen"}),
    ],
)
def test_bash_completes(tool: Path, words: list[str], completed: set[str]) -> None:
    command: list[str | Path] = ["bash", "-c", COMPLETE, "bash", tool, "llm-canary", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == completed, ran


def test_each_script_is_one_for_its_shell(tool: Path) -> None:
    begins = {
        "bash": "_llm__canary() {",
        "zsh": "#compdef llm-canary",
        "fish": "# Print an optspec",
        "elvish": "\nuse builtin;",
        "powershell": "\nusing namespace System.Management.Automation",
    }
    for shell, beginning in begins.items():
        ran = subprocess.run([tool, "completions", shell], capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(beginning), ran.stdout[:100]


def test_manual_pages_are_read_without_complaints(tool: Path, dependency: Dependency, tmp_path: Path) -> None:
    mandoc = dependency("mandoc")
    subprocess.run([tool, "man", "-o", tmp_path], check=True)
    pages = sorted(tmp_path.glob("*.1"))
    listed = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"(?m)^  ([a-z]+) {2,}", listed.partition("Commands:")[2].partition("Options:")[0])
    named = {"llm-canary.1", *(f"llm-canary-{command}.1" for command in commands if command != "help")}
    assert {page.name for page in pages} == named and len(named) > 20
    linted = subprocess.run([mandoc, "-T", "lint", "-W", "error", *pages], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")
    shown = subprocess.run([mandoc, "-T", "utf8", tmp_path / "llm-canary-ramp.1"], capture_output=True, text=True)
    text = re.sub(r".\x08", "", shown.stdout)
    assert "llm-canary-ramp" in text and "--resume" in text and "Examples:" in text


@pytest.fixture(scope="module")
def build_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("build") / "build"
    subprocess.run(["rustc", "--edition", "2024", REPOSITORY / "cli" / "build.rs", "-o", program], check=True)
    return program


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    def run(folder: Path, *arguments: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        ran = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    return run


def version(build_script: Path, folder: Path, **environment: str) -> str:
    """What the build script makes of a folder."""
    environment = {**os.environ, "CARGO_PKG_VERSION": VERSION, "LLM_CANARY_COMMIT": "", **environment}
    ran = subprocess.run(
        [build_script], cwd=folder / "cli", env=environment, capture_output=True, text=True, check=True
    )
    [said] = re.findall(r"(?m)^cargo::rustc-env=LLM_CANARY_VERSION=(.*)$", ran.stdout)
    return str(said)


def test_version_says_the_commit(build_script: Path, git: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "a repository"
    (folder / "cli" / "src").mkdir(parents=True)
    main = folder / "cli" / "src" / "main.rs"
    main.write_text("fn main() {}\n")
    assert version(build_script, folder) == VERSION, "an archive has no commit"
    assert version(build_script, folder, PATH=str(tmp_path)) == VERSION, "nor is there one without git"
    assert version(build_script, folder, LLM_CANARY_COMMIT="abc") == f"{VERSION} (abc)"
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    commit = git(folder, "rev-parse", "--short=12", "HEAD")
    assert version(build_script, folder) == f"{VERSION} ({commit})"
    (folder / "notes").write_text("beside the source")
    assert version(build_script, folder) == f"{VERSION} ({commit})"
    main.write_text("fn main() { todo!() }\n")
    assert version(build_script, folder) == f"{VERSION} ({commit}-dirty)"
    inner = folder / "vendor" / "llm-canary"
    (inner / "cli").mkdir(parents=True)
    assert version(build_script, inner) == VERSION, "the commit of another repository is none of ours"


def test_a_change_of_any_source_is_seen() -> None:
    """The build script looks at every package that the tool consists of."""
    command = ["cargo", "tree", "--locked", "-p", "llm-canary-cli", "-e", "normal", "--prefix", "none", "-f", "{p}"]
    tree = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    packages = {Path(path).relative_to(REPOSITORY) for path in re.findall(r"\((/[^)]*)\)", tree)}
    script = (REPOSITORY / "cli" / "build.rs").read_text()
    assert len(packages) >= 6
    for package in packages:
        assert f'"{package / "src"}"' in script, package
