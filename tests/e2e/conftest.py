"""Fixtures of the end-to-end tests: two scripted model servers, and the operator's tool."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from harness import REPOSITORY
from harness.upstream import ModelServer

pytest_plugins = ["harness.fixtures"]


@pytest.fixture(scope="session")
def llm_canary():
    """Runs the operator's tool; returns what it printed on stdout, and whatever its exit status."""
    subprocess.run(["cargo", "build", "-q", "-p", "llm-canary-cli"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))

    def run(*arguments):
        return subprocess.run(
            [target / "debug" / "llm-canary", *arguments], cwd=REPOSITORY, capture_output=True, text=True
        )

    return run


@pytest.fixture(scope="session")
def explain(llm_canary, tmp_path_factory):
    """{key: version} as the operator's tool says it, for keys without line ends."""

    def versions(configuration, keys):
        folder = tmp_path_factory.mktemp("explain")
        (folder / "config.json").write_text(json.dumps(configuration))
        (folder / "keys").write_bytes(b"".join(key + b"\n" for key in keys))
        said = llm_canary("explain", folder / "config.json", "--keys", folder / "keys")
        assert said.returncode == 0, said.stderr
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        assert len(lines) == len(keys), f"{len(lines)} answers to {len(keys)} keys"
        return {key: line["version"].encode() for key, line in zip(keys, lines)}

    return versions


@pytest.fixture(scope="session")
def replies():
    """Replies that a request can ask for by name, the same on every model server."""
    return {}


@pytest.fixture(scope="session")
def servers(run, replies):
    started = {version: run(ModelServer(version, replies).start()) for version in ("v1", "v2")}
    yield started
    for server in started.values():
        run(server.stop())


@pytest.fixture(autouse=True)
def forget_requests(servers):
    for server in servers.values():
        server.received.clear()
