"""However a response ends, it is counted once, by the outcome that names its end, and with the length seen so far."""

import asyncio
import gzip
import json
import time
from typing import Any

import pytest

from pylib.client import Connection
from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.e2e.conftest import Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, Framing, Replies, Reply, stream, whole

pytestmark = EACH_VERSION

SAID = "Grüße, 世界 🚀"  # two, three and four bytes long in UTF-8
UNUSED_PORT = 1  # nothing listens there: connecting is refused


def event(text: str | None = None, **choice: Any) -> bytes:
    delta = {"content": text} if text is not None else choice.pop("delta", {})
    document = {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}],
    }
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


ROLE = event(delta={"role": "assistant", "content": ""})
HALF = (ROLE, event(SAID[:5]), event(SAID[5:]))
REST = (event(" and more"), event(finish_reason="stop"), b"data: [DONE]\n\n")
TOOL_CALL = {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "look_up", "arguments": '{"city":'}}]}
TOOL_CALL_REST = {"tool_calls": [{"index": 0, "function": {"arguments": ' "Bern"}'}}]}
ERROR = b'data: {"error":{"message":"out of memory","type":"server_error","code":500}}\n\n'
HALF_BYTES = sum(map(len, HALF))


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    """Cohorts choose the version: v1 is alive, dead refuses connections, unknown has no cluster in Envoy."""
    versions = {"v1": "llm-v1", "dead": "llm-dead", "unknown": "llm-unknown"}
    configuration = config(
        rollout(
            versions=[{"name": name, "cluster": cluster} for name, cluster in versions.items()],
            overrides=[{"header": "x-cohort", "values": [name], "version": name} for name in versions],
        )
    )
    return start_envoy(configuration, ports={"llm-dead": UNUSED_PORT})


def ask(reply: str = "it", cohort: str = "v1") -> bytes:
    return request(
        headers=[(b"x-conversation-id", b"c1"), (b"x-test-reply", reply.encode()), (b"x-cohort", cohort.encode())]
    )


async def assert_counted_once(
    envoy: Envoy, before: Snapshot, outcome: str, chars: int, version: str = "v1"
) -> Snapshot:
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_requests_total", "llm_version") == {version: 1}
    assert seen.sum("llm_decisions_total") == 1
    assert seen.sum("llm_response_chars_total") == chars
    return seen


async def test_complete(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = envoy.stats()
    replies["it"] = stream(*HALF, *REST)
    exchange = await client_of(envoy).send(ask())
    assert exchange.complete and exchange.body == replies["it"].body
    seen = await assert_counted_once(envoy, before, "complete", len(SAID + " and more"))
    assert seen.by("llm_finish_total", "llm_finish") == {"stop": 1}


@pytest.mark.parametrize("step", [Ending.RESET, Ending.FIN], ids=lambda step: step.value)
async def test_upstream_breaks_off(envoy: Envoy, replies: Replies, step: Ending) -> None:
    before, gate = envoy.stats(), asyncio.Event()
    replies["it"] = stream(*HALF, gate, step)
    connection = await Connection.open(envoy.port)
    exchange = connection.start(ask())
    await exchange.body_reaches(HALF_BYTES)
    gate.set()
    await exchange.ended()
    assert not exchange.complete, "the client must see that the stream was cut"
    assert exchange.body == b"".join(HALF)
    await assert_counted_once(envoy, before, "upstream_reset", len(SAID))


async def test_upstream_breaks_off_a_whole_body(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = envoy.stats()
    body = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Half'
    replies["it"] = Reply(
        steps=(body, 0.1, Ending.FIN), headers=((b"content-length", b"1000"),), framing=Framing.OWN_HEADERS
    )
    exchange = await client_of(envoy).send(ask())
    assert not exchange.complete and exchange.body == body
    await assert_counted_once(envoy, before, "upstream_reset", len("Half"))


async def test_client_hangs_up(envoy: Envoy, replies: Replies) -> None:
    before = envoy.stats()
    replies["it"] = stream(*HALF, asyncio.Event())
    connection = await Connection.open(envoy.port)
    exchange = connection.start(ask())
    await exchange.body_reaches(HALF_BYTES)
    connection.abort()
    await assert_counted_once(envoy, before, "client_abort", len(SAID))


@pytest.mark.parametrize(
    ("deltas", "outcome"),
    [([TOOL_CALL], "client_abort"), ([TOOL_CALL, TOOL_CALL_REST], "client_abort_after_tool_call")],
    ids=["half", "whole"],
)
async def test_client_hangs_up_after_a_tool_call(
    envoy: Envoy, replies: Replies, deltas: list[Json], outcome: str
) -> None:
    """An agent that has its whole tool call may stop reading. That is no dissatisfied user."""
    before = envoy.stats()
    call = b"".join(event(delta=delta) for delta in deltas)
    replies["it"] = stream(*HALF, call, asyncio.Event())
    connection = await Connection.open(envoy.port)
    exchange = connection.start(ask())
    await exchange.body_reaches(HALF_BYTES + len(call))
    connection.abort()
    seen = await assert_counted_once(envoy, before, outcome, len(SAID))
    assert seen.sum("llm_tool_calls_total") == 1


async def test_client_hangs_up_before_the_response(envoy: Envoy, servers: Servers, replies: Replies) -> None:
    before = envoy.stats()
    silent = asyncio.Event()
    replies["it"] = stream(silent)
    server = servers["v1"]
    connection = await Connection.open(envoy.port)
    connection.start(ask())
    await envoy.until(lambda: server.received, "the request at the model server")
    connection.abort()
    await assert_counted_once(envoy, before, "client_abort", 0)


@pytest.mark.parametrize(
    "rest",
    [
        (ERROR,),
        (ERROR, b"data: [DONE]\n\n"),
        (b"event: error\n" + ERROR,),
        (b"error: " + ERROR.removeprefix(b"data: "),),
    ],
    ids=["data", "data then DONE", "event error", "error field"],
)
async def test_an_error_halfway_through_a_200(envoy: Envoy, client_of: ClientOf, replies: Replies, rest: bytes) -> None:
    before = envoy.stats()
    replies["it"] = stream(*HALF, *rest)
    exchange = await client_of(envoy).send(ask())
    assert exchange.status == 200 and exchange.complete
    assert exchange.body == replies["it"].body
    await assert_counted_once(envoy, before, "stream_error", len(SAID))


async def test_an_orderly_end_too_early(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    """The server closes the stream as HTTP says, but neither a finish reason nor [DONE] has come."""
    before = envoy.stats()
    replies["it"] = stream(*HALF)
    exchange = await client_of(envoy).send(ask())
    assert exchange.complete
    await assert_counted_once(envoy, before, "truncated", len(SAID))


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_the_server_says_no(envoy: Envoy, client_of: ClientOf, replies: Replies, status: int) -> None:
    before = envoy.stats()
    replies["it"] = whole(b'{"error":{"message":"no","type":"t"}}', status=status)
    exchange = await client_of(envoy).send(ask())
    assert exchange.status == status
    await assert_counted_once(envoy, before, "http_error", 0)


@pytest.mark.parametrize("cohort", ["dead", "unknown"])
async def test_envoy_answers_itself(envoy: Envoy, client_of: ClientOf, cohort: str) -> None:
    before = envoy.stats()
    exchange = await client_of(envoy).send(ask(cohort=cohort))
    assert exchange.status == 503
    await assert_counted_once(envoy, before, "local_reply", 0, version=cohort)


async def test_a_compressed_body_passes_unread(
    envoy: Envoy, client_of: ClientOf, servers: Servers, replies: Replies
) -> None:
    """The filter asks for plain bodies. Where a server compresses all the same, its response is passed on and counted
    as unread.
    """
    before = envoy.stats()
    body = gzip.compress(b"".join((*HALF, *REST)))
    replies["it"] = stream(body[:20], body[20:], headers=((b"content-encoding", b"gzip"),))
    raw = request(headers=[(b"x-test-reply", b"it"), (b"accept-encoding", b"gzip, br"), (b"x-conversation-id", b"c1")])
    exchange = await client_of(envoy).send(raw)
    assert exchange.complete and exchange.body == body
    assert exchange.header(b"content-encoding") == b"gzip"
    [received] = servers["v1"].received
    assert received.header(b"accept-encoding") == [b"identity"]
    seen = await assert_counted_once(envoy, before, "complete", 0)
    assert seen.by("llm_unread_total", "llm_unread") == {"encoding": 1}


async def test_large_answers_are_read_to_their_end(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    """Megabytes in one event and in one document are counted in full, and passed on byte for byte."""
    text = SAID * 100_000
    replies["an event"] = stream(ROLE, event(text), *REST)
    document = {
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"completion_tokens": 9},
    }
    replies["a body"] = whole(json.dumps(document, ensure_ascii=False).encode())
    for name, chars in [("an event", len(text) + len(" and more")), ("a body", len(text))]:
        before = envoy.stats()
        exchange = await client_of(envoy).send(ask(name))
        assert exchange.complete and exchange.body == replies[name].body
        await assert_counted_once(envoy, before, "complete", chars)


async def test_an_answer_without_a_body(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = envoy.stats()
    replies["it"] = Reply(steps=(), status=204, content_type=None, framing=Framing.OWN_HEADERS)
    exchange = await client_of(envoy).send(ask())
    assert exchange.complete and exchange.status == 204
    await assert_counted_once(envoy, before, "complete", 0)


async def test_every_piece_is_passed_on_at_once(envoy: Envoy, replies: Replies) -> None:
    """Nothing is held back: each event arrives while the server still waits with the next one."""
    gates = [asyncio.Event() for _ in HALF]
    steps = [step for piece, gate in zip(HALF, gates, strict=True) for step in (piece, gate)]
    replies["it"] = stream(*steps, *REST)
    connection = await Connection.open(envoy.port)
    exchange = connection.start(ask())
    for count, gate in enumerate(gates, start=1):
        expected = b"".join(HALF[:count])
        await exchange.body_reaches(len(expected))
        assert exchange.body == expected
        gate.set()
    await exchange.ended()
    connection.close()
    assert exchange.complete and exchange.body == replies["it"].body


async def test_the_clock_starts_and_stops_where_it_should(envoy: Envoy, replies: Replies) -> None:
    """A role is no token. The first token is the first text, and its time differs from those of the first byte and of
    the end. The server sends the text and the rest when this test says so, so what it sees bounds each time, however
    long anything takes.
    """
    before = await envoy.flushed()
    text, rest = asyncio.Event(), asyncio.Event()
    replies["it"] = stream(ROLE, text, event("Hello"), rest, *REST)
    connection = await Connection.open(envoy.port)
    exchange = connection.start(ask())
    await exchange.body_reaches(len(ROLE))
    role_seen_at = time.monotonic()
    await asyncio.sleep(0.3)
    text_sent_at = time.monotonic()
    text.set()
    await exchange.body_reaches(len(ROLE + event("Hello")))
    text_seen_at = time.monotonic()
    await asyncio.sleep(0.4)
    rest_sent_at = time.monotonic()
    rest.set()
    await exchange.ended()
    connection.close()
    assert exchange.complete and exchange.ended_at is not None
    seen = await assert_counted_once(envoy, before, "complete", len("Hello and more"))

    first_token_ms = seen.sum("llm_time_to_first_token_ms_total")
    assert seen.sum("llm_time_to_first_token_ms_squared_total") == first_token_ms**2
    began_at = exchange.started_at
    for name, at_least_s, at_most_s in [
        ("llm_time_to_first_byte_ms", 0, role_seen_at - began_at),
        ("llm_time_to_first_token_ms", text_sent_at - role_seen_at, text_seen_at - began_at),
        ("llm_longest_gap_ms", rest_sent_at - text_seen_at, exchange.ended_at - text_sent_at),
        ("llm_request_duration_ms", rest_sent_at - role_seen_at, exchange.ended_at - began_at),
    ]:
        assert seen.sum(f"{name}_count") == 1, name
        quantised = 0.06  # Envoy keeps a histogram's value to about two digits
        at_least_ms, at_most_ms = 1000 * at_least_s * (1 - quantised) - 1, 1000 * at_most_s * (1 + quantised) + 1
        assert at_least_ms <= seen.sum(f"{name}_sum") <= at_most_ms, name
    assert 1000 * (text_sent_at - role_seen_at) - 1 <= first_token_ms <= 1000 * (text_seen_at - began_at) + 1
