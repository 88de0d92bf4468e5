"""What the filter costs in memory: nothing for a stream that has ended, and little for one that never ends."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.e2e.conftest import Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.load import aborted_streams, streams
from tests.harness.memory import VM_PAGE_BYTES, forget_peak, resident_bytes, resident_bytes_peak, vm_bytes
from tests.harness.upstream import Replies, Reply, stream

Passes = Callable[[Reply], Awaitable[Snapshot]]

MIB = 1 << 20

STREAMS_FIRST, STREAMS_REST, STREAMS_AT_ONCE = 10_000, 90_000, 16
STREAMS_ABORTED_IN = 100  # one in so many
# A leak of 2 bytes per stream would be more than a VM's page.
STREAMS_VM_GROWTH_BYTES_MAX = VM_PAGE_BYTES
STREAMS_RESIDENT_GROWTH_BYTES_MAX = 4 * MIB


def event(text: str | None = None, finish: str | None = None, **delta: Any) -> bytes:
    if text is not None:
        delta["content"] = text
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


USAGE = b'data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"
TOOL_CALL = event(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "look_up", "arguments": "{}"}}])
WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    """With `usage`, the one setting that edits bodies of the streams here."""
    return start_envoy(config(rollout(usage="request")))


STREAM_WITHOUT_USAGE = b'{"stream":true,"messages":[]}'


def ask(reply: str, body: bytes = b"{}") -> bytes:
    return request(headers=[(b"x-conversation-id", b"c1"), (b"x-test-reply", reply.encode())], body=body)


async def test_100_000_streams_leave_nothing_behind(envoy: Envoy, servers: Servers, replies: Replies) -> None:
    """Complete, failed, unread, whole, edited and aborted ones, many at once."""
    kinds = {
        "text": stream(event("Hello"), event(", world"), event(finish="stop"), USAGE, DONE),
        "tools": stream(TOOL_CALL, event(finish="tool_calls"), DONE),
        "whole": Reply(steps=(WHOLE[:50], WHOLE[50:])),
        "error": stream(event("Hello"), b'data: {"error":{"message":"no"}}\n\n'),
        "unread": stream(gzip.compress(event("Hello")), headers=((b"content-encoding", b"gzip"),)),
        "unknown": stream(b"data: " + b"x" * 1000 + b"\n\n", b"data: {}\n\n"),
    }
    replies.update(kinds)
    replies["endless"] = stream(event("Hello"), asyncio.Event())
    requests = [ask(kind, body) for kind in kinds for body in (b"{}", STREAM_WITHOUT_USAGE)]
    before = envoy.stats()

    async def load(count: int) -> None:
        aborted = count // STREAMS_ABORTED_IN
        await asyncio.gather(
            streams(envoy.port, requests, count - aborted, STREAMS_AT_ONCE - 1),
            aborted_streams(envoy.port, ask("endless", STREAM_WITHOUT_USAGE), aborted, len(event("Hello"))),
        )
        servers["v1"].received.clear()

    await load(STREAMS_FIRST)
    vms, resident = vm_bytes(envoy.pid), resident_bytes(envoy.pid)
    await load(STREAMS_REST)

    count = STREAMS_FIRST + STREAMS_REST
    seen = await envoy.counted(count, since=before)
    outcomes = seen.by("llm_requests_total", "llm_outcome")
    assert outcomes.keys() == {"complete", "stream_error", "client_abort"}, outcomes
    assert outcomes["client_abort"] == count // STREAMS_ABORTED_IN
    assert len(vms) == envoy.vm_count(), "the memory of every VM was found"
    vm_growth = [after - before for after, before in zip(vm_bytes(envoy.pid), vms, strict=True)]
    assert max(vm_growth, default=0) <= STREAMS_VM_GROWTH_BYTES_MAX, vm_growth
    assert resident_bytes(envoy.pid) - resident <= STREAMS_RESIDENT_GROWTH_BYTES_MAX


# A hostile server. Each piece is one object that is written many times, so that it costs the test no memory.

# Envoy hands over up to 1 MiB at once, and the VM keeps the memory that the largest piece needed.
HOSTILE_VM_GROWTH_BYTES_MAX = 2 * MIB
HOSTILE_RESIDENT_GROWTH_BYTES_MAX = 8 * MIB
WRITE_BYTES = 1 << 18


def repeated(piece: bytes, times: int) -> list[bytes]:
    """`piece` that many times, in writes of about WRITE_BYTES."""
    at_once = WRITE_BYTES // len(piece)
    whole, rest = divmod(times, at_once)
    return [piece * at_once] * whole + [piece * rest] * bool(rest)


DOCUMENT = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"'
DOCUMENT_END = b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}'

# Pieces of an event stream, and the characters of text in them.
STREAMS = {
    "a line without end": ([b"data: ", *repeated(b"x", 32 * MIB)], 0),
    "a field name without end": (repeated(b"x", 32 * MIB), 0),
    "an event without end": (repeated(b"data: x\n", 4 * MIB), 0),
    "a million empty events": (repeated(b"data: {}\n\n", 1_000_000), 0),
    "a million deltas": (repeated(event("a"), 1_000_000), 1_000_000),
    "line ends only": (repeated(b"\n", 8 * MIB), 0),
    "lone carriage returns": (repeated(b"data: {}\r\r", MIB), 0),
    "arrays in arrays": ([b"data: ", *repeated(b"[", 16 * MIB)], 0),
    "objects in objects": ([b"data: ", *repeated(b'{"choices":', 2 * MIB)], 0),
    "escapes without end": ([b'data: {"choices":[{"delta":{"content":"', *repeated(b"\\", 16 * MIB)], 8 * MIB),
}
# Whole bodies: the pieces, and what is to be seen in them: characters, finish and outcome.
BODIES: dict[str, tuple[list[bytes], int, str | None, str]] = {
    "text": ([DOCUMENT, *repeated(b"a", 100_000_000), DOCUMENT_END], 100_000_000, "stop", "complete"),
    "spaces first": ([*repeated(b" ", 100_000_000), DOCUMENT + b"Hello" + DOCUMENT_END], 5, "stop", "complete"),
    "an unknown value": (
        [DOCUMENT + b'Hello","x":"', *repeated(b"a", 100_000_000), DOCUMENT_END],
        5,
        "stop",
        "complete",
    ),
    "arrays in arrays": (repeated(b"[", 16 * MIB), 0, "none", "truncated"),
    "objects in objects": (repeated(b'{"choices":', 2 * MIB), 0, "none", "truncated"),
    "digits": (
        [DOCUMENT + b"Hello" + DOCUMENT_END[:-4], *repeated(b"9", 16 * MIB), b"}}"],
        5,
        "stop",
        "complete",
    ),
}


@pytest.fixture
def pass_through(envoy: Envoy, client_of: ClientOf, replies: Replies) -> Passes:
    """Asserts that a reply arrives byte for byte and costs little memory. Returns the difference of the statistics."""

    async def send(reply: Reply) -> Snapshot:
        replies["it"] = reply
        before, vms, resident = envoy.stats(), vm_bytes(envoy.pid), resident_bytes(envoy.pid)
        forget_peak(envoy.pid)
        exchange = await client_of(envoy).send(ask("it"))
        assert exchange.complete
        sent, came = hashlib.sha256(), hashlib.sha256(exchange.body)
        pieces = [step for step in reply.steps if isinstance(step, bytes)]
        for piece in pieces:
            sent.update(piece)
        lengths = [sum(map(len, pieces)), len(exchange.body)]
        assert lengths[0] == lengths[1] and sent.digest() == came.digest(), lengths
        vm_growth = [after - before for after, before in zip(vm_bytes(envoy.pid), vms, strict=True)]
        assert max(vm_growth, default=0) <= HOSTILE_VM_GROWTH_BYTES_MAX, vm_growth
        assert resident_bytes_peak(envoy.pid) - resident <= HOSTILE_RESIDENT_GROWTH_BYTES_MAX
        return await envoy.counted(1, since=before)

    return send


def assert_seen(seen: Snapshot, chars: int, finish: str | None, outcome: str) -> None:
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_finish_total", "llm_finish") == {finish: 1}
    assert seen.sum("llm_response_chars_total") == chars


@pytest.mark.parametrize("place", ["first", "between"])
@pytest.mark.parametrize("name", STREAMS)
async def test_a_hostile_stream(pass_through: Passes, name: str, place: str) -> None:
    """The hostile part is passed over, and what follows is read as if it had not been there."""
    pieces, chars = STREAMS[name]
    head = [event("Hello")] if place == "between" else []
    seen = await pass_through(stream(*head, *pieces, b"\n\n", event(", world"), event(finish="stop"), USAGE, DONE))
    assert_seen(seen, chars + len("Hello") * len(head) + len(", world"), "stop", "complete")
    assert seen.sum("llm_tokens_total", llm_token="output") == 2


@pytest.mark.parametrize("name", BODIES)
async def test_a_hostile_body(pass_through: Passes, name: str) -> None:
    pieces, chars, finish, outcome = BODIES[name]
    assert_seen(await pass_through(Reply(steps=tuple(pieces))), chars, finish, outcome)
