"""Fixtures of every suite."""

from pathlib import Path

import pytest

from tests.harness import dependencies
from tests.harness.module import MODULE, complaint


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
    """The built filter. Fails where it is stale, because tests of a stale one would show nothing."""
    if reason := complaint():
        pytest.fail(reason)
    return MODULE
