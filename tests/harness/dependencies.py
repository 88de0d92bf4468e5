"""Programs that scripts/dependencies.sh finds or fetches, and the operator's tool."""

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, unavailable

Dependency = Callable[..., Path]

EXIT_SKIPPED = 77  # of scripts/dependencies.sh: not to be had on this machine
BUILD_S_MAX = 600
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))


@functools.cache
def _found(arguments: tuple[str, ...]) -> str | None:
    command: list[str | Path] = [REPOSITORY / "scripts" / "dependencies.sh", *arguments]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if found.returncode == EXIT_SKIPPED:
        return None
    if found.returncode != 0:
        pytest.fail(f"scripts/dependencies.sh {' '.join(arguments)} failed with status {found.returncode}")
    return found.stdout.strip()


def dependency(*arguments: str) -> Path:
    """Returns the path that scripts/dependencies.sh prints. Skips the test where the program cannot be had."""
    path = _found(arguments)
    if path is None:
        unavailable(f"{' '.join(arguments)} cannot be had here")
    return Path(path)


@functools.cache
def tool() -> Path:
    """Returns the operator's tool. LLM_CANARY_BIN names one that is built already; otherwise cargo builds it."""
    if named := os.environ.get("LLM_CANARY_BIN"):
        assert os.access(named, os.X_OK), f"LLM_CANARY_BIN={named} is not a program"
        return Path(named)
    subprocess.run(["cargo", "build", "-q", "-p", "llm-canary-cli"], cwd=REPOSITORY, check=True, timeout=BUILD_S_MAX)
    return TARGET / "debug" / "llm-canary"
