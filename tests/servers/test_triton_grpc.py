"""Triton over gRPC behind Envoy. Each answer has HTTP status 200; grpc-status tells how it ended."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pylib.prometheus import Snapshot
from tests.e2e.test_http2 import http2_upstream
from tests.harness import SUPPORTED
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.http2 import Connection, Exchange
from tests.servers.server import Server
from tests.servers.test_triton import MODELS, TEXT

SERVICE = b"/inference.GRPCInferenceService/"
HEADERS = [(b"x-conversation-id", b"c1"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
INPUT_NAME, DATATYPE, SHAPE, CONTENTS, BYTES_CONTENTS = 1, 2, 3, 5, 8  # of an input tensor
MODEL_NAME, INPUTS = 1, 5  # of a ModelInferRequest


def field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message; shorter than 128 bytes."""
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def message(body: bytes) -> bytes:
    return b"\0" + len(body).to_bytes(4, "big") + body


def infer(model: str, text: str) -> bytes:
    contents = field(BYTES_CONTENTS, text.encode())
    tensor = [(INPUT_NAME, b"text_input"), (DATATYPE, b"BYTES"), (SHAPE, b"\1"), (CONTENTS, contents)]
    inputs = b"".join(field(number, value) for number, value in tensor)
    return message(field(MODEL_NAME, model.encode()) + field(INPUTS, inputs))


@pytest.fixture(scope="module")
def servers(start_triton: Callable[[Path], Server]) -> dict[str, Server]:
    server = start_triton(MODELS)
    server.wait()
    return {"v1": server, "v2": server}


@pytest.fixture(scope="module", params=SUPPORTED)
def envoy(request: pytest.FixtureRequest, start_envoy: StartEnvoy, servers: dict[str, Server]) -> Envoy:
    port = servers["v1"].grpc_port
    ports = {"llm-v1": port, "llm-v2": port}
    return start_envoy(config(rollout()), version=request.param, ports=ports, edit=http2_upstream)


async def call(envoy: Envoy, method: bytes, body: bytes) -> tuple[Exchange, Snapshot]:
    before = await asyncio.to_thread(envoy.stats)
    connection = await Connection.open(envoy.port)
    _, exchange = connection.start(HEADERS, body=body, target=SERVICE + method)
    await exchange.ended()
    connection.close()
    assert (exchange.status, exchange.is_complete) == (200, True)
    return exchange, await envoy.counted(1, since=before)


async def test_an_answer(envoy: Envoy) -> None:
    exchange, seen = await call(envoy, b"ModelInfer", infer("whole", TEXT))
    assert TEXT.encode() in exchange.body
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    assert seen.by("llm_requests_total", "llm_compare") == {"yes": 1}


async def test_a_stream(envoy: Envoy) -> None:
    exchange, seen = await call(envoy, b"ModelStreamInfer", infer("llm", TEXT))
    assert all(word.encode() in exchange.body for word in TEXT.split())
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}


@pytest.mark.parametrize(
    ("model", "text"), [("none", TEXT), ("whole", "fail"), ("llm", TEXT)], ids=["no model", "it fails", "no stream"]
)
async def test_a_call_that_fails(envoy: Envoy, model: str, text: str) -> None:
    _, seen = await call(envoy, b"ModelInfer", infer(model, text))
    assert seen.by("llm_requests_total", "llm_outcome") == {"http_error": 1}
    assert seen.by("llm_http_errors_total", "llm_status") == {"grpc": 1}


async def test_health_is_not_compared(envoy: Envoy) -> None:
    _, seen = await call(envoy, b"ServerReady", message(b""))
    assert seen.by("llm_requests_total", "llm_compare") == {"no": 1}
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
