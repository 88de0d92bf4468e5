"""Fixtures of the end-to-end tests: two scripted model servers, and the operator's tool."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import REPOSITORY
from tests.harness.fixtures import Run
from tests.harness.upstream import ModelServer, Replies

pytest_plugins = ["tests.harness.fixtures"]

RunTool = Callable[..., subprocess.CompletedProcess[str]]
Explain = Callable[[object, list[bytes]], dict[bytes, bytes]]
Servers = dict[str, ModelServer]

# What waits longest begins first. Else a worker would be left alone with it at the end.
LONGEST = (
    "run_scraped",
    "grpc",
    "scenarios",
    "endings",
    "faults",
    "hold",
    "memory",
    "compression",
    "discovery",
    "report",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {f"test_{name}": at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def llm_canary(tool: Path) -> RunTool:
    """Runs the operator's tool with these arguments."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tool, *arguments], cwd=REPOSITORY, capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def explain(llm_canary: RunTool, tmp_path_factory: pytest.TempPathFactory) -> Explain:
    """{key: version} as the operator's tool says it, for keys without line ends."""

    def versions(configuration: object, keys: list[bytes]) -> dict[bytes, bytes]:
        folder = tmp_path_factory.mktemp("explain")
        (folder / "config.json").write_text(json.dumps(configuration))
        (folder / "keys").write_bytes(b"".join(key + b"\n" for key in keys))
        said = llm_canary("explain", folder / "config.json", "--keys", folder / "keys")
        assert said.returncode == 0, said.stderr
        lines: list[dict[str, Any]] = [json.loads(line) for line in said.stdout.splitlines()]
        assert len(lines) == len(keys), f"{len(lines)} answers to {len(keys)} keys"
        return {key: line["version"].encode() for key, line in zip(keys, lines, strict=True)}

    return versions


@pytest.fixture(scope="session")
def replies() -> Replies:
    """Replies that a request can ask for by name, the same on every model server."""
    return {}


@pytest.fixture(scope="session")
def servers(run: Run, replies: Replies) -> Iterator[Servers]:
    started = {version: run(ModelServer(version, replies).start()) for version in ("v1", "v2")}
    yield started
    for server in started.values():
        run(server.stop())


@pytest.fixture(autouse=True)
def forget_requests(servers: Servers) -> None:
    for server in servers.values():
        server.received.clear()
