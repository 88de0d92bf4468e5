"""KServe's model server over gRPC behind Envoy, asked by Triton's client, which speaks the same protocol."""

from pathlib import Path

import pytest

from tests.e2e.test_http2 import http2_upstream
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import WASM, on
from tests.harness.ports import free_port
from tests.servers.conftest import AskTriton, StartServer
from tests.servers.server import Server
from tests.servers.test_kserve import TEXT

pytestmark = on(WASM.current)  # what servers say does not depend on it

NO_SERVER = "http://127.0.0.1:9"  # for the models that are not asked here


@pytest.fixture(scope="module")
def servers(dependency: Dependency, start_server: StartServer) -> dict[str, Server]:
    port, grpc_port = free_port(), free_port()
    command = [dependency("kserve"), Path(__file__).parent / "kserve_models.py", "--http_port", port]
    command += ["--grpc_port", grpc_port, "--upstream", NO_SERVER, "--chat", "chat", "--echo", "echo"]
    server = start_server("kserve", command, port, "/v2/health/ready")
    server.grpc_port = grpc_port
    server.wait()
    return {"v1": server, "v2": server}


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, servers: dict[str, Server]) -> Envoy:
    port = servers["v1"].grpc_port
    return start_envoy(config(rollout()), ports={"llm-v1": port, "llm-v2": port}, edit=http2_upstream)


async def test_an_answer(envoy: Envoy, ask_triton: AskTriton) -> None:
    ask = {"model": "echo", "texts": [TEXT], "stream": False, "conversation": "c1"}
    [view], seen = await ask_triton(envoy, [ask])
    assert (view["text"], view["errors"]) == (TEXT, [])
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    assert seen.sum("llm_response_chars_total") == len(TEXT)
    assert seen.sum("llm_unread_total") == seen.sum("llm_time_to_first_token_ms_count") == 0


async def test_an_error(envoy: Envoy, ask_triton: AskTriton) -> None:
    ask = {"model": "echo", "texts": ["fail"], "stream": False, "conversation": "c1"}
    [view], seen = await ask_triton(envoy, [ask])
    assert len(view["errors"]) == 1
    assert seen.by("llm_requests_total", "llm_outcome") == {"http_error": 1}
    assert seen.by("llm_http_errors_total", "llm_status") == {"grpc": 1}
