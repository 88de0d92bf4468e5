"""Fixtures of the tests with real model servers: the servers, and the official clients."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pylib.prometheus import Snapshot
from tests.harness import Json
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy
from tests.harness.ports import free_port
from tests.servers import sdk_python
from tests.servers.server import Server
from tests.servers.views import Ask, View

StartServer = Callable[..., Server]
StartLlama = Callable[..., Server]
AskAll = Callable[..., list[View]]
AskTriton = Callable[[Envoy, list[Ask]], Awaitable[tuple[list[View], Snapshot]]]

HERE = Path(__file__).resolve().parent
pytest_plugins = ["tests.harness.fixtures"]

CLIENT_S_MAX = 60
TOKENS_MAX = 24
TOOL_TOKENS_MAX = 500  # the tiny model has called a tool by then


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts a server by its command, port, health path and environment. All are stopped after the module's tests."""
    started = []

    def start(
        name: str, command: Sequence[object], port: int, health: str, environment: Mapping[str, str] | None = None
    ) -> Server:
        log = tmp_path_factory.mktemp(name) / "log"
        started.append(Server(command, port, health, log, environment))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def start_llama(
    dependency: Dependency, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> StartLlama:
    """Starts llama.cpp's server with a tiny random model, under the name of its version."""
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([sys.executable, HERE / "tiny_model.py", model], check=True)
    program = HERE / "llama_server.py"

    def start(version: str, *options: str) -> Server:
        port = free_port()
        command = [dependency("llama"), program, "--port", port, "--version", version, "--model", model, *options]
        return start_server(f"llama-{version}", command, port, "/health")

    return start


def asks(api: str, stream: bool, count: int, tools: bool = False, usage: bool = True) -> list[Ask]:
    """Questions for the clients, each in a conversation of its own."""
    return [
        {
            "api": api,
            "stream": stream,
            "tools": tools,
            "usage": usage,
            "conversation": f"{api}-{stream}-{at}",
            "prompt": f"Tell me, please: what are {at} and 世界?",
            "seed": at,
            "max_tokens": TOOL_TOKENS_MAX if tools else TOKENS_MAX,
        }
        for at in range(count)
    ]


def python(dependency: Dependency, base_url: str, asks: list[Ask]) -> list[View]:
    return sdk_python.run(base_url, asks)


def javascript(dependency: Dependency, base_url: str, asks: list[Ask]) -> list[View]:
    folder = Path(dependency("javascript"))
    said = subprocess.run(
        [folder / "node", folder / "sdk.mjs"],
        input=json.dumps({"base_url": base_url, "asks": asks}),
        capture_output=True,
        text=True,
        timeout=CLIENT_S_MAX,
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.fixture(params=[python, javascript], ids=lambda client: client.__name__)
def ask_all(request: pytest.FixtureRequest, dependency: Dependency) -> AskAll:
    """The official clients of one language. They ask one question after the other, and return views of the answers."""
    return lambda envoy, asks, path="": request.param(dependency, f"http://127.0.0.1:{envoy.port}{path}", asks)


@pytest.fixture
def ask_triton(dependency: Dependency) -> AskTriton:
    """Asks with Triton's client of gRPC (triton_client.py); returns its views, and the statistics' difference."""
    command: list[str | Path] = [dependency("triton_client"), HERE / "triton_client.py"]

    def views(port: int, asks: list[Ask]) -> list[View]:
        options: Any = {"stdout": subprocess.PIPE, "text": True, "timeout": CLIENT_S_MAX, "check": True}
        said = subprocess.run([*command, f"127.0.0.1:{port}"], input=json.dumps(asks), **options)
        return json.loads(said.stdout)

    async def ask(envoy: Envoy, asks: list[Ask]) -> tuple[list[View], Snapshot]:
        before = await asyncio.to_thread(envoy.stats)
        seen = await asyncio.to_thread(views, envoy.port, asks)
        return seen, await envoy.counted(len(asks), since=before)

    return ask


def one_request_per_connection(bootstrap: Json) -> None:
    """As envoy/envoy.yaml says for llama.cpp, which closes its connection after each stream without saying so."""
    for cluster in bootstrap["static_resources"]["clusters"]:
        [options] = cluster["typed_extension_protocol_options"].values()
        options["common_http_protocol_options"]["max_requests_per_connection"] = 1


@pytest.fixture(scope="module")
def start_triton(
    dependency: Dependency, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], Server]:
    """Starts Triton's server with the models of a folder."""

    def start(models: Path) -> Server:
        python = dependency("triton")
        paths = "import sysconfig as s; print(s.get_path('purelib'), s.get_config_var('LIBDIR'), sep='\\n')"
        said = subprocess.run([python, "-c", paths], stdout=subprocess.PIPE, text=True, check=True)
        site, libraries = map(Path, said.stdout.splitlines())
        tritonserver = site / "pytriton" / "tritonserver"
        http, grpc, metrics = free_port(), free_port(), free_port()
        command = [
            tritonserver / "bin" / "tritonserver",
            f"--model-repository={models}",
            f"--backend-directory={_python_backend(tritonserver, tmp_path_factory.mktemp('backends'))}",
            *("--http-address=127.0.0.1", f"--http-port={http}"),
            *("--grpc-address=127.0.0.1", f"--grpc-port={grpc}"),
            *("--metrics-address=127.0.0.1", f"--metrics-port={metrics}", "--allow-gpu-metrics=false"),
            *("--http-thread-count=2", "--exit-timeout-secs=3"),
        ]
        environment = {
            "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": f"{site / 'nvidia_pytriton.libs'}:{libraries}",
        }
        server = start_server("triton", command, http, "/v2/health/ready", environment=environment)
        server.grpc_port = grpc
        return server

    return start


def _python_backend(tritonserver: Path, folder: Path) -> Path:
    """Puts the backend and its stub into one folder, as Triton wants it. The package has them in two."""
    backend = folder / "python"
    backend.mkdir()
    stubs = tritonserver / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}"
    for source in (*(tritonserver / "backends" / "python").iterdir(), *stubs.iterdir()):
        (backend / source.name).symlink_to(source)
    return folder
