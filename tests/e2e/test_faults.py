"""Streams break at every point, from either side, through Envoy with the filter and through Envoy alone. The client
sees the same of both, and each stream is counted once, by the outcome that names its end.
"""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pylib.client import Connection, Exchange
from pylib.http1 import Header, request
from pylib.prometheus import Snapshot
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, http_manager, without_filter
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, Framing, ModelServer, Replies, Reply, events, stream, whole

pytestmark = EACH_VERSION

Envoys = tuple[Envoy, Envoy]
# What a client saw: status, headers, whether the response is whole, body.
Came = tuple[int, list[Header], bool, bytes]

ARRIVES_S_MAX = 10
SSE, LINES = "text/event-stream", "application/x-ndjson"


def chat_text(document: Json) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in document.get("choices", []))


def anthropic_text(document: Json) -> str:
    return document["delta"].get("text", "") if document["type"] == "content_block_delta" else ""


def gemini_text(document: Json) -> str:
    parts = [part for candidate in document.get("candidates", []) for part in candidate["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def ollama_text(document: Json) -> str:
    return document["message"]["content"]


@dataclass(frozen=True)
class Recording:
    """A recorded stream. `finished` and `called` are texts: with the event that holds it, the answer, or its tool call,
    is whole.
    """

    file: str
    text: Callable[[Json], str]
    finished: bytes
    called: bytes | None = None
    content_type: str = SSE

    @property
    def name(self) -> str:
        return Path(self.file).stem

    @property
    def pieces(self) -> tuple[bytes, ...]:
        body = (STREAMS / self.file).read_bytes()
        return events(body) if self.content_type == SSE else tuple(body.splitlines(keepends=True))

    def chars(self, pieces: tuple[bytes, ...]) -> int:
        lines = [line.removeprefix(b"data:").strip() for piece in pieces for line in piece.splitlines()]
        return sum(len(self.text(json.loads(line))) for line in lines if line.startswith(b"{"))


RECORDINGS = [
    Recording("openai-chat/chat-stream.sse", chat_text, b'"finish_reason":"stop"'),
    Recording(
        "anthropic-messages/anthropic-stream.sse", anthropic_text, b'"stop_reason":"tool_use"', b'"input_json_delta"'
    ),
    Recording("gemini/gemini-stream.sse", gemini_text, b'"finishReason"', b'"functionCall"'),
    Recording("ollama/ollama-chat.ndjson", ollama_text, b'"done":true', b'"tool_calls"', LINES),
]


@dataclass(frozen=True)
class Point:
    """Where a response ends: before its head, or after so many events and a part of the next."""

    recording: Recording
    whole: int
    inside: bytes = b""
    has_head: bool = True

    @property
    def name(self) -> str:
        place = f"{self.whole} events and {len(self.inside)} bytes" if self.has_head else "before the head"
        return f"{self.recording.name}, {place}"

    @property
    def said(self) -> tuple[bytes, ...]:
        return self.recording.pieces[: self.whole]

    @property
    def body(self) -> bytes:
        return b"".join(self.said) + self.inside

    def outcome(self, broken: str) -> str:
        if any(self.recording.finished in piece for piece in self.said):
            return "complete"
        called = self.recording.called
        if broken == "client_abort" and called and any(called in piece for piece in self.said):
            return "client_abort_after_tool_call"
        return broken

    @property
    def chars(self) -> tuple[int, int]:
        """The least and the most characters that may be counted: an event that is cut may have shown its text."""
        so_far = self.recording.chars(self.said)
        return so_far, self.recording.chars(self.recording.pieces[: self.whole + bool(self.inside)])


def points() -> Iterator[Point]:
    for recording in RECORDINGS:
        yield Point(recording, 0, has_head=False)
        for at, piece in enumerate((*recording.pieces, b"")):
            yield Point(recording, at)
            # Before the piece that decides, so that there is one outcome that must be counted.
            marks = [piece.find(mark) for mark in (recording.finished, recording.called) if mark and mark in piece]
            if middle := min([len(piece) // 2, *marks]):
                yield Point(recording, at, piece[:middle])


POINTS = list(points())


@pytest.fixture(scope="module")
def envoys(start_envoy: StartEnvoy) -> Envoys:
    """(with the filter, without)"""
    rollouts = [rollout(name=r.name, match={"headers": {"x-recording": r.name}}) for r in RECORDINGS]
    configuration = config(*rollouts, rollout())
    started = start_envoy(configuration, edit=retrying)
    return started, start_envoy(configuration, edit=alone)


def retrying(bootstrap: Json) -> None:
    """For hosts of this name, Envoy tries a request again whatever went wrong before the response's head."""
    [shipped] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    policy = {"retry_on": "5xx,reset,connect-failure", "num_retries": 2}
    policy["retry_back_off"] = {"base_interval": "0.001s", "max_interval": "0.01s"}
    again = {**shipped, "name": "again", "domains": ["again.example.com"], "retry_policy": policy}
    http_manager(bootstrap)["route_config"]["virtual_hosts"].append(again)


def alone(bootstrap: Json) -> None:
    retrying(bootstrap)
    without_filter(bootstrap)


class Servers:
    """Waits for named requests to arrive."""

    def __init__(self, servers: dict[str, ModelServer]) -> None:
        self._servers = servers

    async def got(self, name: bytes) -> None:
        async with asyncio.timeout(ARRIVES_S_MAX):
            while not self.count(name):
                await asyncio.sleep(0.005)

    def count(self, name: bytes) -> int:
        return sum(
            received.header(b"x-name") == [name] for server in self._servers.values() for received in server.received
        )


def headers_of(exchange: Exchange) -> list[Header]:
    """The headers that must be the same with the filter and without. The filter adds one."""
    changing = {b"date", b"x-envoy-upstream-service-time", b"x-llm-version"}
    return sorted((name, value) for name, value in exchange.headers if name not in changing)


def what_came(exchange: Exchange) -> Came:
    return exchange.status, headers_of(exchange), exchange.complete, bytes(exchange.body)


async def at_every_point(run: Callable[[Point], Awaitable[Any]]) -> dict[Point, Any]:
    """{point: what `run` returns}. All run at once, because Envoy takes a second to close what was cut."""

    async def at(point: Point) -> Any:
        try:
            return await run(point)
        except Exception as error:
            raise AssertionError(f"{point.name}: {error!r}") from error

    return dict(zip(POINTS, await asyncio.gather(*map(at, POINTS)), strict=True))


def assert_counted(seen: Snapshot, broken: str) -> None:
    for recording in RECORDINGS:
        mine = [point for point in POINTS if point.recording is recording]
        outcomes = Counter(point.outcome(broken if point.has_head else before_head(broken)) for point in mine)
        name = recording.name
        assert seen.by("llm_requests_total", "llm_outcome", llm_rollout=name) == outcomes, name
        least, most = (sum(bound) for bound in zip(*(point.chars for point in mine), strict=True))
        assert least <= seen.sum("llm_response_chars_total", llm_rollout=name) <= most, name
        assert seen.sum("llm_decisions_total", llm_rollout=name) == len(mine)
    assert seen.sum("llm_decisions_total") == len(POINTS)


def before_head(broken: str) -> str:
    """The outcome where nothing came of the response: Envoy answers itself, if the client is still there."""
    return broken if broken == "client_abort" else "local_reply"


def ask(point: Point, name: bytes) -> bytes:
    named = [(b"x-recording", point.recording.name.encode()), (b"x-test-reply", name), (b"x-name", name)]
    return request(headers=[(b"x-conversation-id", b"c1"), *named])


UPSTREAM = {
    "reset": (Ending.RESET, Framing.CHUNKED, "upstream_reset"),
    "end in the middle of a chunked body": (Ending.FIN, Framing.CHUNKED, "upstream_reset"),
    "end of a body as long as the connection": (Ending.FIN, Framing.OWN_HEADERS, "truncated"),
}


@pytest.mark.parametrize("kind", UPSTREAM)
async def test_the_server_breaks_off(envoys: Envoys, replies: Replies, kind: str) -> None:
    ending, framing, broken = UPSTREAM[kind]
    numbers = itertools.count()

    async def exchange_at(point: Point, envoy: Envoy) -> Came:
        name, gate = b"broken %d" % next(numbers), asyncio.Event()
        if point.has_head:
            steps = [step for step in (*point.said, point.inside) if step]
            content_type = point.recording.content_type
            replies[name.decode()] = Reply((*steps, gate, ending), content_type=content_type, framing=framing)
        else:
            replies[name.decode()] = Reply(steps=(ending,), framing=Framing.RAW)
        connection = await Connection.open(envoy.port)
        exchange = connection.start(ask(point, name))
        if point.has_head:
            await exchange.head_comes()
            await exchange.body_reaches(len(point.body))
        gate.set()
        await exchange.ended()
        connection.close()
        return what_came(exchange)

    filtered, plain = envoys
    before = await asyncio.to_thread(filtered.stats)
    with_filter, without = await asyncio.gather(
        at_every_point(lambda point: exchange_at(point, filtered)),
        at_every_point(lambda point: exchange_at(point, plain)),
    )
    assert with_filter == without
    for point, (status, _, is_whole, body) in with_filter.items():
        if point.has_head:
            assert (status, is_whole, body) == (200, broken == "truncated", point.body), point.name
        else:
            assert status == 503
    assert_counted(await filtered.counted(len(POINTS), since=before), broken)


@pytest.mark.parametrize("how", ["abort", "half_close", "close"])
async def test_the_client_goes_away(
    envoys: Envoys, servers: dict[str, ModelServer], replies: Replies, how: str
) -> None:
    """By a reset, as a process that is killed; by closing its own side; and by closing both."""
    numbers = itertools.count()
    arrived = Servers(servers)

    async def exchange_at(point: Point, envoy: Envoy) -> Came:
        name = b"abandoned %d" % next(numbers)
        steps = tuple(step for step in (*point.said, point.inside) if step)
        if point.has_head:
            replies[name.decode()] = Reply((*steps, asyncio.Event()), content_type=point.recording.content_type)
        else:
            replies[name.decode()] = Reply(steps=(asyncio.Event(),), framing=Framing.RAW)
        connection = await Connection.open(envoy.port)
        exchange = connection.start(ask(point, name))
        await arrived.got(name)
        if point.has_head:
            await exchange.head_comes()
            await exchange.body_reaches(len(point.body))
        getattr(connection, how)()
        came = exchange.status, headers_of(exchange), False, bytes(exchange.body)
        if how == "half_close":
            await exchange.ended()
        connection.close()
        return came

    filtered, plain = envoys
    before = await asyncio.to_thread(filtered.stats)
    with_filter, without = await asyncio.gather(
        at_every_point(lambda point: exchange_at(point, filtered)),
        at_every_point(lambda point: exchange_at(point, plain)),
    )
    assert with_filter == without
    assert_counted(await filtered.counted(len(POINTS), since=before), "client_abort")


@pytest.mark.parametrize("how", ["abort", "half_close"])
async def test_the_client_goes_away_before_it_has_asked(
    envoys: Envoys, servers: dict[str, ModelServer], how: str
) -> None:
    """Within its request's head it has no version yet, and is not counted. Within its body it has one, and is counted
    once.
    """
    filtered, _ = envoys
    before = await asyncio.to_thread(filtered.stats)
    raw = request(headers=[(b"x-conversation-id", b"c1")], body=b"x" * 100)
    head_bytes = raw.index(b"\r\n\r\n") + 4
    cuts = {"head": range(1, head_bytes, 7), "body": range(head_bytes, len(raw), 7)}
    for cut in itertools.chain(*cuts.values()):
        connection = await Connection.open(filtered.port)
        exchange = connection.start(raw[:cut])
        await asyncio.sleep(0.005)
        getattr(connection, how)()
        if how == "half_close":
            await exchange.ended()
        connection.close()
    seen = await filtered.counted(len(cuts["body"]), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"client_abort": len(cuts["body"])}
    assert seen.sum("llm_decisions_total") == len(cuts["body"])
    assert not [received for server in servers.values() for received in server.received if received.body]


BYTE_EVERY_S = 0.02


async def test_a_byte_at_a_time(envoys: Envoys, replies: Replies) -> None:
    """Slow servers: every byte is passed on when it comes, and each stream is counted once."""
    body = b'data: {"choices":[{"delta":{"content":"\xc3\xa9"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    replies["slow"] = stream(*(step for at in range(len(body)) for step in (body[at : at + 1], BYTE_EVERY_S)))
    streams = 8

    async def exchange_with(envoy: Envoy) -> Came:
        connection = await Connection.open(envoy.port)
        exchange = connection.start(request(headers=[(b"x-conversation-id", b"c1"), (b"x-test-reply", b"slow")]))
        came = []
        for length in range(1, len(body) + 1):
            await exchange.body_reaches(length)
            came.append(len(exchange.body))
        await exchange.ended()
        connection.close()
        assert came[:-1] != [len(body)] * (len(body) - 1), "the bytes were held back"
        # Each byte alone, but where this machine was too busy to read in time.
        assert sum(b - a > 4 for a, b in itertools.pairwise(came)) < len(body) / 10, came
        return what_came(exchange)

    filtered, plain = envoys
    before = await asyncio.to_thread(filtered.stats)
    slow = [exchange_with(envoy) for envoy in (filtered, plain) for _ in range(streams)]
    came = await asyncio.gather(*slow)
    assert came == [came[0]] * len(slow) and came[0][2:] == (True, body)
    seen = await filtered.counted(streams, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": streams}
    assert seen.sum("llm_response_chars_total") == streams
    assert seen.sum("llm_time_to_first_token_ms_total") > streams * 1000 * BYTE_EVERY_S * body.index(b"\xa9")


async def test_a_client_that_does_not_read(envoys: Envoys, replies: Replies) -> None:
    """Megabytes wait in Envoy, the server and the sockets until the client reads on."""
    text = b"x" * 1000
    piece = b'data: {"choices":[{"delta":{"content":"' + text + b'"}}]}\n\n'
    pieces = 12_000
    replies["long"] = stream(*[piece * 100] * (pieces // 100), b"data: [DONE]\n\n")

    async def exchange_with(envoy: Envoy) -> Came:
        connection = await Connection.open(envoy.port)
        exchange = connection.start(request(headers=[(b"x-conversation-id", b"c1"), (b"x-test-reply", b"long")]))
        await exchange.body_reaches(1)
        connection.stop_reading()
        await asyncio.sleep(0.5)
        connection.stop_reading(False)
        await exchange.ended()
        connection.close()
        return what_came(exchange)

    filtered, plain = envoys
    before = await asyncio.to_thread(filtered.stats)
    came = [await exchange_with(envoy) for envoy in (filtered, plain)]
    assert came[0] == came[1] and came[0][2:] == (True, replies["long"].body)
    seen = await filtered.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    assert seen.sum("llm_response_chars_total") == pieces * len(text)


OVERLOADED = whole(b'{"error":{"message":"overloaded"}}', status=503)
GONE = Reply(steps=(Ending.RESET,), framing=Framing.RAW)
FINE = stream(*RECORDINGS[0].pieces)
CUT = stream(*RECORDINGS[0].pieces[:3], 0.05, Ending.RESET)

# What the server says to each attempt, the last of which is the client's answer: status and outcome.
RETRIED = {
    "overloaded once": ((OVERLOADED, FINE), 200, "complete"),
    "overloaded twice": ((OVERLOADED, OVERLOADED, FINE), 200, "complete"),
    "overloaded": ((OVERLOADED, OVERLOADED, OVERLOADED), 503, "http_error"),
    "reset once": ((GONE, FINE), 200, "complete"),
    "reset": ((GONE, GONE, GONE), 503, "local_reply"),
    "reset, then overloaded, then cut": ((GONE, OVERLOADED, CUT), 200, "upstream_reset"),
    "cut, which is not tried again": ((CUT,), 200, "upstream_reset"),
}


async def test_envoy_tries_again(envoys: Envoys, servers: dict[str, ModelServer], replies: Replies) -> None:
    """However often Envoy tries, one request came and one was answered."""
    filtered, _ = envoys
    arrived = Servers(servers)
    before = await asyncio.to_thread(filtered.stats)

    async def exchange_with(envoy: Envoy, kind: str) -> Came:
        attempts, status, _ = RETRIED[kind]
        name = f"{kind} {envoy.port}"
        replies[name] = iter(attempts)
        headers = [(b"x-conversation-id", b"c1"), (b"x-test-reply", name.encode()), (b"x-name", name.encode())]
        connection = await Connection.open(envoy.port)
        exchange = await connection.start(request(host=b"again.example.com", headers=headers)).ended()
        connection.close()
        assert arrived.count(name.encode()) == len(attempts) and exchange.status == status, kind
        return what_came(exchange)

    came = await asyncio.gather(*(exchange_with(envoy, kind) for envoy in envoys for kind in RETRIED))
    assert came[: len(RETRIED)] == came[len(RETRIED) :]
    seen = await filtered.counted(len(RETRIED), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == Counter(outcome for _, _, outcome in RETRIED.values())
    assert (seen.sum("llm_decisions_total"), seen.sum("llm_retries_total")) == (len(RETRIED), 0)
