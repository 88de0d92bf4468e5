"""HTTP/2 from the client and to the model server, with trailers on either side, ended at every point and in every way
that it has. The client sees what it sees through Envoy alone, and each stream is counted once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from pylib.http1 import Header
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, without_filter
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.http2 import Connection, Exchange
from tests.harness.http2_server import Answer, Break, Http2Server
from tests.harness.upstream import cut_at_random, events

pytestmark = EACH_VERSION

KEY = [(b"x-conversation-id", b"c1")]
CHAT = events((STREAMS / "openai-chat" / "chat-stream.sse").read_bytes())
BODY = b"".join(CHAT)
CHARS = len('Grüße, "Wörld')
FINISHED = 5  # events after which nothing more is needed
GRPC = ((b"grpc-status", b"0"), (b"grpc-message", b"fine"))
ARRIVES_S_MAX = 10


def http2_upstream(bootstrap: Json) -> None:
    for cluster in bootstrap["static_resources"]["clusters"]:
        [options] = cluster["typed_extension_protocol_options"].values()
        options["explicit_http_config"] = {"http2_protocol_options": {}}


def alone(bootstrap: Json) -> None:
    http2_upstream(bootstrap)
    without_filter(bootstrap)


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Http2Server]:
    started = run(Http2Server().start())
    yield started
    run(started.stop())


@pytest.fixture(scope="module")
def envoys(start_envoy: StartEnvoy, server: Http2Server) -> list[Envoy]:
    """(with the filter, without)"""
    ports = {"llm-v1": server.port, "llm-v2": server.port}
    return [start_envoy(config(rollout()), edit=edit, ports=ports) for edit in (http2_upstream, alone)]


def what_came(exchange: Exchange) -> tuple[object, ...]:
    return exchange.status, bytes(exchange.body), exchange.trailers, exchange.is_complete, exchange.is_reset


WHOLE = {
    "the last data ends it": Answer(CHAT),
    "an empty frame ends it": Answer(CHAT, ends_empty=True),
    "trailers end it": Answer(CHAT, trailers=GRPC),
    "cut anywhere": Answer(cut_at_random(BODY, seed=3)),
    "cut anywhere, with trailers": Answer(cut_at_random(BODY, seed=4), trailers=GRPC),
    "slow, with trailers": Answer(tuple(step for piece in CHAT for step in (piece, 0.02)), trailers=GRPC),
}


@pytest.mark.parametrize("trailers", [(), ((b"x-checksum", b"1"),)], ids=["no trailers", "request trailers"])
async def test_whole_streams(envoys: list[Envoy], server: Http2Server, trailers: tuple[Header, ...]) -> None:
    before = await asyncio.to_thread(envoys[0].stats)
    for name, answer in WHOLE.items():
        server.answer = answer
        came = []
        for envoy in envoys:
            server.requests.clear()
            connection = await Connection.open(envoy.port)
            _, exchange = connection.start(KEY, body=b'{"a":1}', trailers=trailers)
            await exchange.ended()
            connection.close()
            came.append(what_came(exchange))
            [request] = server.requests
            assert (bytes(request.body), request.has_trailers) == (b'{"a":1}', bool(trailers)), name
        assert came[0] == came[1], name
        assert came[0][:2] == (200, BODY) and came[0][3] and bool(came[0][2]) == bool(answer.trailers), name
    seen = await envoys[0].counted(len(WHOLE), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": len(WHOLE)}
    assert seen.sum("llm_response_chars_total") == len(WHOLE) * CHARS


POINTS: list[tuple[int | None, int]] = [(None, 0), *((at, inside) for at in range(len(CHAT) + 1) for inside in (0, 10))]


def reached(length: int) -> Callable[[Exchange], bool]:
    """The head is there, and so much of the body."""
    return lambda exchange: bool(exchange.status) and len(exchange.body) >= length


def steps_of(at: int | None, inside: int) -> tuple[bytes, ...]:
    if at is None:
        return ()
    more = CHAT[at][:inside] if inside and at < len(CHAT) else b""
    return (*CHAT[:at], *([more] if more else []))


@pytest.mark.parametrize("how", list(Break), ids=lambda how: how.name)
async def test_the_server_breaks_off(envoys: list[Envoy], server: Http2Server, how: Break) -> None:
    before = await asyncio.to_thread(envoys[0].stats)
    outcomes: Counter[str] = Counter()
    for at, inside in POINTS:
        came = []
        for envoy in envoys:
            gate = asyncio.Event()
            steps = steps_of(at, inside)
            server.answer = Answer((*steps, gate, how))
            if at is None:
                server.answer.head = None
            connection = await Connection.open(envoy.port)
            _, exchange = connection.start(KEY)
            if at is not None:
                length = sum(map(len, steps))
                await exchange.until(reached(length))
                assert exchange.body == b"".join(steps)
            gate.set()
            await exchange.ended()
            connection.close()
            came.append(what_came(exchange))
        assert came[0] == came[1] or (at is None and came[0][0] == came[1][0] == 503), (at, inside)
        outcomes["local_reply" if at is None else "complete" if at >= FINISHED else "upstream_reset"] += 1
    seen = await envoys[0].counted(len(POINTS), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == outcomes
    assert seen.sum("llm_decisions_total") == len(POINTS)


async def test_one_of_many_streams_on_a_connection_is_given_up(envoys: list[Envoy], server: Http2Server) -> None:
    """The client cancels some streams at every point. The others on the same connections end whole."""
    envoy, _ = envoys
    before = await asyncio.to_thread(envoy.stats)
    outcomes: Counter[str] = Counter()
    for at, inside in POINTS[1:]:
        assert at is not None
        gate = asyncio.Event()
        steps = steps_of(at, inside)
        length = sum(map(len, steps))
        server.requests.clear()
        server.answer = Answer((*steps, gate, BODY[length:]) if length < len(BODY) else (*steps, gate), trailers=GRPC)
        connection = await Connection.open(envoy.port)
        started = [connection.start(KEY) for _ in range(4)]
        for _, exchange in started:
            await exchange.until(reached(length))
        connection.cancel(started[1][0])
        async with asyncio.timeout(ARRIVES_S_MAX):
            while not any(request.is_reset for request in server.requests):
                await asyncio.sleep(0.002)
        gate.set()
        for number, (_, exchange) in enumerate(started):
            if number != 1:
                await exchange.ended()
                assert exchange.body == BODY and exchange.is_complete and exchange.trailers
        connection.close()
        outcomes["complete"] += 3 + (at >= FINISHED)
        outcomes["client_abort"] += at < FINISHED
    seen = await envoy.counted(4 * len(POINTS[1:]), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == outcomes


async def test_a_client_gives_up_its_upload(envoys: list[Envoy], server: Http2Server) -> None:
    """The request's head had a version, so the request is counted once."""
    envoy, _ = envoys
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((asyncio.Event(),), head=None)
    server.requests.clear()
    connection = await Connection.open(envoy.port)
    streams = [connection.start(KEY, is_whole=False)[0] for _ in range(10)]
    async with asyncio.timeout(ARRIVES_S_MAX):
        while len(server.requests) < len(streams):
            await asyncio.sleep(0.002)
    for stream in streams:
        connection.cancel(stream)
    seen = await envoy.counted(len(streams), since=before)
    connection.close()
    assert seen.by("llm_requests_total", "llm_outcome") == {"client_abort": len(streams)}
    assert not any(request.is_complete for request in server.requests)


async def test_of_an_event_that_trailers_cut_only_itself_may_be_missing(
    start_envoy: StartEnvoy, server: Http2Server
) -> None:
    """Usage is asked for and hidden again. Before trailers, nothing tells the filter that the body has ended."""
    asking = config(rollout(usage="request"))
    envoy = start_envoy(asking, edit=http2_upstream, ports={"llm-v1": server.port, "llm-v2": server.port})
    server.answer = Answer((*CHAT[:3], CHAT[3][:20]), trailers=GRPC)
    connection = await Connection.open(envoy.port)
    _, exchange = connection.start([*KEY, (b"content-type", b"application/json")], body=b'{"stream":true}')
    await exchange.ended()
    connection.close()
    assert exchange.is_complete and exchange.trailers
    assert bytes(exchange.body) == b"".join(CHAT[:3])
