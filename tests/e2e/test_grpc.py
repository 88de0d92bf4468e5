"""gRPC through real Envoy: its HTTP status is 200 whatever happens, so the outcome is told by grpc-status, wherever
that stands, and by who broke off.
"""

import asyncio
from collections.abc import Iterator

import pytest

from pylib.prometheus import Snapshot
from tests.e2e.test_http2 import http2_upstream
from tests.harness import SUPPORTED
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.http2 import Connection, Exchange
from tests.harness.http2_server import Answer, Break, Http2Server

INFER = b"/inference.GRPCInferenceService/ModelStreamInfer"
HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
REQUEST = [(b"x-conversation-id", b"c1"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
MESSAGE = b"\0\0\0\0\x05hello"
UNUSED_PORT = 1  # nothing listens there: connecting is refused


def status(code: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"grpc-status", b"%d" % code),)


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Http2Server]:
    started = run(Http2Server().start())
    yield started
    run(started.stop())


@pytest.fixture(scope="module", params=SUPPORTED)
def envoy(request: pytest.FixtureRequest, start_envoy: StartEnvoy, server: Http2Server) -> Envoy:
    versions = {"v1": "llm-v1", "dead": "llm-dead"}
    configuration = config(
        rollout(
            versions=[{"name": name, "cluster": cluster} for name, cluster in versions.items()],
            overrides=[{"header": "x-cohort", "values": ["dead"], "version": "dead"}],
        )
    )
    ports = {"llm-v1": server.port, "llm-v2": server.port, "llm-dead": UNUSED_PORT}
    return start_envoy(configuration, version=request.param, ports=ports, edit=http2_upstream)


async def call(envoy: Envoy, target: bytes = INFER, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Exchange:
    connection = await Connection.open(envoy.port)
    _, exchange = connection.start([*REQUEST, *headers], body=MESSAGE, target=target)
    await exchange.ended()
    connection.close()
    return exchange


async def counted(envoy: Envoy, before: Snapshot, outcome: str, http_errors: dict[str, int]) -> Snapshot:
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_http_errors_total", "llm_status") == http_errors
    return seen


GOOD = {
    "a message": Answer((MESSAGE,), HEAD, status(0)),
    "many messages": Answer((MESSAGE, 0.01, MESSAGE * 3), HEAD, status(0)),
    "trailers-only": Answer((), (*HEAD, *status(0)), head_only=True),
    "in the head, then an empty body": Answer((), (*HEAD, *status(0)), ends_empty=True),
}
BEFORE_A_MESSAGE = {
    "trailers-only": Answer((), (*HEAD, *status(5)), head_only=True),
    "in the head, then an empty body": Answer((), (*HEAD, *status(16)), ends_empty=True),
    "in trailers": Answer((), HEAD, status(3)),
}
AFTER_A_MESSAGE = {
    "in trailers": Answer((MESSAGE,), HEAD, status(13)),
    "later": Answer((MESSAGE, 0.05, MESSAGE), HEAD, status(14)),
}


@pytest.mark.parametrize("name", GOOD)
async def test_good_calls_are_complete(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = GOOD[name]
    assert (await call(envoy)).status == 200
    await counted(envoy, before, "complete", {})


@pytest.mark.parametrize("name", BEFORE_A_MESSAGE)
async def test_an_error_before_any_message(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = BEFORE_A_MESSAGE[name]
    assert (await call(envoy)).status == 200
    seen = await counted(envoy, before, "http_error", {"grpc": 1})
    assert seen.sum("llm_unread_total") == 0


@pytest.mark.parametrize("name", AFTER_A_MESSAGE)
async def test_an_error_after_a_message(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = AFTER_A_MESSAGE[name]
    assert (await call(envoy)).status == 200
    await counted(envoy, before, "stream_error", {})


async def test_a_refused_upstream_is_a_local_reply(envoy: Envoy) -> None:
    before = await asyncio.to_thread(envoy.stats)
    assert (await call(envoy, headers=((b"x-cohort", b"dead"),))).status == 200
    await counted(envoy, before, "local_reply", {})


@pytest.mark.parametrize("how", [Break.CONNECTION, Break.STREAM], ids=lambda how: how.name)
async def test_a_killed_upstream(envoy: Envoy, server: Http2Server, how: Break) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((MESSAGE, 0.05, how), HEAD)
    await call(envoy)
    await counted(envoy, before, "upstream_reset", {})


async def test_a_call_without_a_status_was_cut(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((MESSAGE,), HEAD, ends_empty=True)
    await call(envoy)
    await counted(envoy, before, "upstream_reset", {})


@pytest.mark.parametrize("steps", [(), (MESSAGE,)], ids=["before a message", "after a message"])
async def test_a_cancelled_call(envoy: Envoy, server: Http2Server, steps: tuple[bytes, ...]) -> None:
    """A deadline does the same: the client resets the stream."""
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((*steps, asyncio.Event()), HEAD)
    connection = await Connection.open(envoy.port)
    stream, exchange = connection.start(REQUEST, body=MESSAGE, target=INFER)
    await exchange.until(lambda came: came.status and len(came.body) >= len(b"".join(steps)))
    connection.cancel(stream)
    seen = await counted(envoy, before, "client_abort", {})
    connection.close()
    assert seen.sum("llm_decisions_total") == 1


async def test_an_http_error_is_told_by_its_status(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((), ((b":status", b"503"), (b"content-type", b"application/grpc")), head_only=True)
    await call(envoy)
    await counted(envoy, before, "http_error", {"503": 1})


async def test_a_health_check_is_not_compared(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = GOOD["a message"]
    await call(envoy, target=b"/inference.GRPCInferenceService/ServerLive")
    await call(envoy)
    seen = await envoy.counted(2, since=before)
    assert seen.by("llm_requests_total", "llm_compare") == {"no": 1, "yes": 1}
