"""Fixtures of every suite."""

from pathlib import Path

import pytest

from tests.harness import dependencies
from tests.harness.hosts import WASM
from tests.harness.module import built


@pytest.fixture(scope="session")
def dependency() -> dependencies.Dependency:
    """Finds or fetches a program by its name, and skips the test where it cannot be had."""
    return dependencies.dependency


@pytest.fixture(scope="session")
def tool() -> Path:
    """The operator's tool."""
    return dependencies.tool()


@pytest.fixture(scope="session")
def module() -> Path:
    """The built WebAssembly module."""
    return built(WASM)
