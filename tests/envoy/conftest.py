"""Fixtures: programs by version, a copy of what a user starts, and scripted model servers."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ModelServer
from tests.harness import NEWEST, REPOSITORY, SUPPORTED
from tests.harness.dependencies import dependency

Promtool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session", params=SUPPORTED)
def envoy(request: pytest.FixtureRequest) -> Path:
    """Path of the oldest and of the newest supported Envoy."""
    return dependency("envoy", request.param)


@pytest.fixture(scope="session")
def newest_envoy() -> Path:
    return dependency("envoy", NEWEST)


@pytest.fixture(scope="session")
def prometheus_folder() -> Path:
    return dependency("prometheus")


@pytest.fixture(scope="session")
def promtool(prometheus_folder: Path) -> Promtool:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [prometheus_folder / "promtool", *arguments], cwd=REPOSITORY, capture_output=True, text=True
        )

    return run


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, ModelServer]]:
    started = {version: ModelServer(version).start() for version in ("v1", "v2")}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(scope="session")
def new_checkout(
    tmp_path_factory: pytest.TempPathFactory, module: Path, servers: dict[str, ModelServer]
) -> Iterator[Callable[[], Checkout]]:
    """Makes checkouts. What runs in them is stopped when all tests are over."""
    made = []

    def make() -> Checkout:
        made.append(Checkout(tmp_path_factory.mktemp("checkout"), module, servers))
        return made[-1]

    yield make
    for checkout in made:
        checkout.stop()


@pytest.fixture
def checkout(new_checkout: Callable[[], Checkout]) -> Iterator[Checkout]:
    made = new_checkout()
    yield made
    made.stop()
