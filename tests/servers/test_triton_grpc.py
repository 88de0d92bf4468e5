"""Triton over gRPC behind Envoy, asked by its own client. Each answer has HTTP status 200: what it says is in its
messages, and how it ended in grpc-status, or in a message.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pylib.prometheus import Snapshot
from tests.e2e.test_http2 import http2_upstream
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.grpc import frame
from tests.harness.hosts import WASM, on
from tests.harness.http2 import Connection
from tests.servers.conftest import AskTriton
from tests.servers.server import Server
from tests.servers.test_triton import MODELS, STREAMED, TEXT
from tests.servers.views import View

pytestmark = on(*WASM.platforms)  # what servers say does not depend on the host

SERVER_READY = b"/inference.GRPCInferenceService/ServerReady"
HEADERS = [(b"x-conversation-id", b"c1"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
NEWEST = "2"  # the version of a model that answers where none is named
ASKS_EACH = 20


@pytest.fixture(scope="module")
def servers(start_triton: Callable[[Path], Server]) -> dict[str, Server]:
    server = start_triton(MODELS)
    server.wait()
    return {"v1": server, "v2": server}


@pytest.fixture(scope="module")
def start(start_envoy: StartEnvoy, servers: dict[str, Server]) -> Callable[..., Envoy]:
    port = servers["v1"].grpc_port
    ports = {"llm-v1": port, "llm-v2": port}
    return lambda *rollouts: start_envoy(config(*rollouts), ports=ports, edit=http2_upstream)


@pytest.fixture(scope="module")
def envoy(start: Callable[..., Envoy]) -> Envoy:
    return start(rollout())


def asked(model: str, *texts: str, stream: bool = False, conversation: str = "c1", **more: object) -> Json:
    return {"model": model, "texts": texts, "stream": stream, "conversation": conversation, **more}


def assert_counted(seen: Snapshot, outcome: str, view: View, streams: bool) -> None:
    """The sums are what the client saw."""
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_requests_total", "llm_compare") == {"yes": 1}
    assert seen.sum("llm_response_chars_total") == len(view["text"])
    assert seen.sum("llm_unread_total") == 0
    assert seen.sum("llm_time_to_first_token_ms_count") == (streams and bool(view["text"]))
    assert set(view["versions"]) <= {NEWEST}


async def test_an_answer(envoy: Envoy, ask_triton: AskTriton) -> None:
    [view], seen = await ask_triton(envoy, [asked("whole", TEXT)])
    assert (view["text"], view["errors"]) == (TEXT, [])
    assert_counted(seen, "complete", view, streams=False)


@pytest.mark.parametrize("final", [False, True], ids=["", "an empty last response"])
async def test_a_stream(envoy: Envoy, ask_triton: AskTriton, final: bool) -> None:
    [view], seen = await ask_triton(envoy, [asked("llm", TEXT, stream=True, final=final)])
    assert (view["text"], view["errors"]) == (STREAMED, [])
    assert (view["responses"], view["empty"]) == (len(TEXT.split()), final)
    assert_counted(seen, "complete", view, streams=True)


async def test_several_requests_in_a_stream(envoy: Envoy, ask_triton: AskTriton) -> None:
    [view], seen = await ask_triton(envoy, [asked("llm", TEXT, "and more", stream=True)])
    assert sorted(view["text"].split()) == sorted([*TEXT.split(), "and", "more"])
    assert_counted(seen, "complete", view, streams=True)


async def test_a_stream_of_whole_answers(envoy: Envoy, ask_triton: AskTriton) -> None:
    [view], seen = await ask_triton(envoy, [asked("whole", TEXT, TEXT, stream=True)])
    assert (view["text"], view["errors"]) == (TEXT * 2, [])
    assert_counted(seen, "complete", view, streams=True)


@pytest.mark.parametrize("text", ["one zwei fail never", "fail"], ids=["halfway", "before any output"])
async def test_an_error_in_a_stream(envoy: Envoy, ask_triton: AskTriton, text: str) -> None:
    """Its grpc-status is 0."""
    [view], seen = await ask_triton(envoy, [asked("llm", text, stream=True)])
    [error] = view["errors"]
    assert "told to fail" in error and view["text"] == "one zwei " * (text != "fail")
    assert_counted(seen, "stream_error", view, streams=True)


async def test_no_such_model_in_a_stream(envoy: Envoy, ask_triton: AskTriton) -> None:
    [view], seen = await ask_triton(envoy, [asked("none", TEXT, stream=True)])
    assert len(view["errors"]) == 1
    assert_counted(seen, "stream_error", view, streams=True)


@pytest.mark.parametrize(
    ("model", "text"), [("none", TEXT), ("whole", "fail"), ("llm", TEXT)], ids=["no model", "it fails", "no stream"]
)
async def test_a_call_that_fails(envoy: Envoy, ask_triton: AskTriton, model: str, text: str) -> None:
    [view], seen = await ask_triton(envoy, [asked(model, text)])
    assert len(view["errors"]) == 1
    assert_counted(seen, "http_error", view, streams=False)
    assert seen.by("llm_http_errors_total", "llm_status") == {"grpc": 1}


async def test_an_answer_of_numbers_is_none(envoy: Envoy, ask_triton: AskTriton) -> None:
    [view], seen = await ask_triton(envoy, [asked("whole", TEXT, outputs=["said_by"])])
    assert (view["text"], view["said_by"]) == ("", [NEWEST])
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    for name in ("llm_response_chars_count", "llm_finish_total", "llm_unread_total"):
        assert seen.sum(name) == 0, name


async def test_the_model_says_its_version(start: Callable[..., Envoy], ask_triton: AskTriton) -> None:
    """Triton answers from the newest version, whatever the filter chose."""
    versions = [{"name": name, "cluster": f"llm-v{name}"} for name in ("1", "2")]
    envoy = start(rollout(baseline="1", versions=versions, split={"2": 50}))
    asks = [
        asked(model, TEXT, stream=stream, conversation=f"c{number}")
        for number in range(ASKS_EACH)
        for model, stream in (("whole", False), ("llm", True))
    ]
    views, seen = await ask_triton(envoy, asks)
    assert {version for view in views for version in view["versions"] + view["said_by"]} == {NEWEST}
    routed = seen.by("llm_requests_total", "llm_version")
    assert set(routed) == {"1", "2"}
    assert seen.by("llm_version_mismatch_total", "llm_version") == {"1": routed["1"]}
    assert seen.sum("llm_response_chars_total") == sum(len(view["text"]) for view in views)


async def test_health_is_not_compared(envoy: Envoy) -> None:
    before = await asyncio.to_thread(envoy.stats)
    connection = await Connection.open(envoy.port)
    _, exchange = connection.start(HEADERS, body=frame(b""), target=SERVER_READY)
    await exchange.ended()
    connection.close()
    assert (exchange.status, exchange.is_complete) == (200, True)
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_compare") == {"no": 1}
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
