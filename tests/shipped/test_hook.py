"""The hook for pre-commit, run by the real pre-commit in a repository as a user has it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import REPOSITORY

SECONDS_MAX = 60

GOOD = (REPOSITORY / "istio" / "gateway-wasmplugin.yaml").read_text()
# Each has nothing of ours in it, and is left alone, whatever else is wrong with it.
OTHERS = {
    "service.yaml": "kind: Service\nmetadata: {name: x}\n",
    "charts/x/templates/deployment.yaml": "spec:\n  replicas: {{ .Values.replicas }}\n",
    "twice.yaml": "a: 1\na: 2\n",
    "package.json": '{"name": "x"}\n',
    "notes.md": "rollouts: [{\n",
}


class Repository:
    """A repository with the hook, which comes from a repository with what this one has as .pre-commit-hooks.yaml."""

    def __init__(self, folder: Path, tool: Path) -> None:
        self.folder, hooks, programs = folder / "gitops", folder / "llm-canary", folder / "bin"
        for path in (self.folder, hooks, programs):
            path.mkdir()
        (programs / "llm-canary").symlink_to(tool)
        self.environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{
                f"GIT_{who}_{what}": "test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
            },
        }
        (hooks / ".pre-commit-hooks.yaml").write_text((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
        self.git(hooks, "init", "--quiet")
        self.git(hooks, "add", ".")
        self.git(hooks, "commit", "--quiet", "-m", "hooks")
        self.git(hooks, "tag", "v0.1.0")
        self.git(self.folder, "init", "--quiet")
        self.write(
            ".pre-commit-config.yaml",
            f"repos:\n  - repo: {hooks}\n    rev: v0.1.0\n    hooks:\n      - id: llm-canary-check\n",
        )

    def git(self, folder: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=self.environment, check=True, timeout=SECONDS_MAX)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git(self.folder, "add", name)

    def hook(self) -> tuple[int, str]:
        """Status and words of the hook over all files."""
        command = [sys.executable, "-m", "pre_commit", "run", "llm-canary-check", "--all-files", "--color", "never"]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS_MAX
        )
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def repository(tool: Path, tmp_path: Path) -> Repository:
    return Repository(tmp_path, tool)


def test_a_good_file_passes_and_others_are_left_alone(repository: Repository) -> None:
    for name, text in OTHERS.items():
        repository.write(name, text)
    status, said = repository.hook()
    assert (status, "Passed" in said) == (0, True), said
    repository.write("canary.yaml", GOOD)
    status, said = repository.hook()
    assert (status, "Passed" in said) == (0, True), said


def test_a_bad_file_is_refused_with_all_of_its_errors(repository: Repository) -> None:
    bad = GOOD.replace("baseline: v1", "baseline: v9").replace("split:", "spilt:")
    assert bad.count("v9") == 1 and bad.count("spilt:") == 1
    repository.write("canary.yaml", bad)
    repository.write("good.yaml", GOOD)
    for name, text in OTHERS.items():
        repository.write(name, text)
    status, said = repository.hook()
    assert status == 1 and "Failed" in said and "exit code: 2" in said
    shown = [line for line in said.splitlines() if line.startswith("error: ")]
    document = (REPOSITORY / "docs" / "gitops.md").read_text()
    assert len(shown) == 2 and all(line in document for line in shown), f"docs/gitops.md shows others: {shown}"
    assert not [name for name in OTHERS if name in said]


def test_the_hook_is_asked_about_yaml_and_json_only(repository: Repository) -> None:
    broken = "# llm-canary\nrollouts: [{\n"
    repository.write("notes.md", broken)
    assert repository.hook()[0] == 0
    repository.write("notes.yaml", broken)
    assert repository.hook()[0] == 1


def test_pre_commit_accepts_the_list_of_hooks() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert said.returncode == 0, said.stdout + said.stderr
    # A field that pre-commit does not know is a warning there.
    assert "Unexpected" not in said.stdout + said.stderr
