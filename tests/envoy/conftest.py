"""Fixtures: real programs by version, a copy of what a user starts, and model servers that say what they are told."""

import os
import subprocess
from pathlib import Path

import pytest
from checkout import REPOSITORY, Checkout
from model_server import ModelServer

MODULE = REPOSITORY / "target" / "llm_canary.wasm"

EXIT_SKIPPED = 77  # of scripts/dependencies.sh: not to be had on this machine


def dependency(*arguments):
    """The path that scripts/dependencies.sh prints. What cannot be had is skipped loudly, and fatal with CI=true."""
    found = subprocess.run([REPOSITORY / "scripts" / "dependencies.sh", *arguments], stdout=subprocess.PIPE, text=True)
    if found.returncode == EXIT_SKIPPED and os.environ.get("CI") != "true":
        pytest.skip(f"SKIPPED, NOT TESTED: {' '.join(arguments)} cannot be had here")
    if found.returncode != 0:
        pytest.fail(f"scripts/dependencies.sh {' '.join(arguments)} failed with status {found.returncode}")
    return found.stdout.strip()


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session", params=["1.36.2", "1.40.0"])
def envoy(request):
    """Path of the oldest and of the newest supported Envoy."""
    return dependency("envoy", request.param)


@pytest.fixture(scope="session")
def newest_envoy():
    return dependency("envoy", "1.40.0")


@pytest.fixture(scope="session")
def prometheus_folder():
    return Path(dependency("prometheus"))


@pytest.fixture(scope="session")
def promtool(prometheus_folder):
    def run(*arguments):
        return subprocess.run([prometheus_folder / "promtool", *arguments], cwd=REPOSITORY, capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def module():
    if not MODULE.exists():
        pytest.fail(f"{MODULE} is missing: run ./build.sh")
    built = MODULE.stat().st_mtime
    newer = [path for path in REPOSITORY.glob("src/**/*.rs") if path.stat().st_mtime > built]
    if newer:
        pytest.fail(f"{MODULE} is older than {newer[0].relative_to(REPOSITORY)}: run ./build.sh")
    return MODULE


@pytest.fixture(scope="session")
def servers():
    started = {version: ModelServer(version).start() for version in ("v1", "v2")}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(scope="session")
def new_checkout(tmp_path_factory, module, servers):
    """Makes checkouts; what runs in them is stopped when all tests are over."""
    made = []

    def make():
        made.append(Checkout(tmp_path_factory.mktemp("checkout"), module, servers))
        return made[-1]

    yield make
    for checkout in made:
        checkout.stop()


@pytest.fixture
def checkout(new_checkout):
    made = new_checkout()
    yield made
    made.stop()
