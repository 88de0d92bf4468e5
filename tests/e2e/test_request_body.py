"""What the filter reads from request bodies, in real Envoy: no request hangs, and no body changes unless usage is asked
for.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import openai
import pytest

from pylib.client import Connection
from pylib.http1 import Header, request
from tests.e2e.conftest import Servers
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, Run, StartEnvoy
from tests.harness.hosts import EACH_VERSION, WASM, on
from tests.harness.upstream import Received, Replies, cut_at_random, cut_into_bytes, events, stream

pytestmark = EACH_VERSION

FEEDBACK = {"path": "/v1/feedback", "up": ["up"], "down": ["down"], "escalation": ["human"]}
ASKS = {"x-usage": "request"}
FIRST = {"model": "chat-large", "messages": [{"role": "user", "content": "hello"}]}
LATER = {**FIRST, "messages": [*FIRST["messages"], {"role": "assistant", "content": "hi"}, *FIRST["messages"]]}
CHAT = (STREAMS / "openai-chat" / "e2e-chat-usage.sse").read_bytes()
COMPLETIONS = (STREAMS / "openai-completions" / "e2e-completions-usage.sse").read_bytes()
SEEN_S_MAX = 10


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    asks = rollout(name="asks", match={"headers": ASKS}, usage="request", split={"v2": 100})
    passes_on = {**FEEDBACK, "path": "/v1/passed-on", "respond": False}
    other = rollout(name="other", match={"path_prefix": "/other"}, feedback=passes_on, split={"v2": 50})
    chat = rollout(match={"path_prefix": "/v1/chat"}, split={"v2": 50}, feedback=FEEDBACK)
    return start_envoy(config(asks, other, chat))


def post(body: Any, *headers: Header, target: bytes = b"/v1/chat/completions") -> bytes:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(target=target, headers=headers, body=body)


def chunked(body: Any, *headers: Header, size: int = 1000) -> bytes:
    head, _, _ = post(body, *headers).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"\r\n".join([*lines, b"transfer-encoding: chunked"]) + b"\r\n\r\n" + framed + b"0\r\n\r\n"


def received(servers: Servers) -> Received:
    """The only request that reached a model server."""
    [only] = [received for server in servers.values() for received in server.received]
    return only


async def test_first_turns_and_retries_are_counted(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    replies["down"] = stream(b"", status=503)
    before = envoy.stats()
    client = client_of(envoy)
    retry = (b"x-stainless-retry-count", b"1")
    for raw in [
        post(FIRST),
        chunked(FIRST, size=3),
        post(FIRST, (b"x-test-reply", b"down")),
        post(LATER, retry),
        post(b"not JSON"),
        post({"prompt": "hello"}, (b"amz-sdk-request", b"attempt=2; max=3")),
    ]:
        await client.send(raw)
    seen = await envoy.counted(6, since=before)
    assert seen.sum("llm_first_turn_requests_total", llm_rollout="chat") == 3
    assert seen.sum("llm_first_turn_errors_total") == 1
    assert seen.sum("llm_first_turn_refusals_total") == 0
    assert seen.sum("llm_retries_total") == 2


@pytest.mark.parametrize("headers", [[], [(b"x-usage", b"request")]], ids=["as it is", "usage asked for"])
@pytest.mark.parametrize("size", [100, 200_000, 900_000, 3_000_000])
async def test_no_body_hangs_or_changes(
    envoy: Envoy, client_of: ClientOf, servers: Servers, headers: list[Header], size: int
) -> None:
    body = json.dumps({**LATER, "x": "é{:}" * (size // 8)}, ensure_ascii=False).encode()
    for raw in [post(body, *headers), chunked(body, *headers, size=70_000)]:
        for server in servers.values():
            server.received.clear()
        exchange = await client_of(envoy).send(raw)
        assert exchange.status == 200
        assert received(servers).body == body


@pytest.mark.parametrize("headers", [[], [(b"x-usage", b"request")]], ids=["as it is", "usage asked for"])
async def test_a_client_that_expects_100_continue_gets_it(
    envoy: Envoy, servers: Servers, headers: list[Header]
) -> None:
    raw = post({**FIRST, "stream": True}, (b"expect", b"100-continue"), *headers)
    head, _, body = raw.partition(b"\r\n\r\n")
    connection = await Connection.open(envoy.port)
    exchange = connection.start(head + b"\r\n\r\n")
    await exchange.server_continues()
    connection.send_more(body)
    await exchange.ended()
    connection.close()
    assert exchange.status == 200
    assert json.loads(received(servers).body).get("stream_options") == ({"include_usage": True} if headers else None)


async def test_usage_is_asked_for_in_a_body_of_the_right_length(
    envoy: Envoy, client_of: ClientOf, servers: Servers
) -> None:
    asked = b'{"stream":true,"stream_options":{"include_usage":true}}'
    for body, expected in [
        (b'{"stream": true }', b'{"stream": true ,"stream_options":{"include_usage":true}}'),
        (asked.replace(b"true}}", b"false}}"), asked),
        (asked, asked),
        (b'{"stream":false}', b'{"stream":false}'),
    ]:
        for raw in [post(body, (b"x-usage", b"request")), chunked(body, (b"x-usage", b"request"), size=1)]:
            for server in servers.values():
                server.received.clear()
            assert (await client_of(envoy).send(raw)).status == 200
            got = received(servers)
            # The server has read a body of this length off the wire, by chunks or by the header.
            assert got.body == expected
            assert got.header(b"content-length") == [] and got.header(b"transfer-encoding") == [b"chunked"]


@pytest.mark.parametrize("cut", [events, cut_into_bytes, partial(cut_at_random, seed=1)], ids=["event", "byte", "any"])
async def test_every_byte_but_the_usage_chunk_reaches_the_client(
    envoy: Envoy, client_of: ClientOf, replies: Replies, cut: Callable[[bytes], tuple[bytes, ...]]
) -> None:
    for text in [CHAT, CHAT.replace(b"\n", b"\r\n")]:
        usage = [event for event in events(text) if b'"choices":[]' in event]
        assert len(usage) == 1
        replies["it"] = stream(*cut(text))
        before = envoy.stats()
        headers = [(b"x-usage", b"request"), (b"x-test-reply", b"it")]
        asked = await client_of(envoy).send(post({**FIRST, "stream": True}, *headers))
        assert bytes(asked.body) == text.replace(usage[0], b"") and asked.complete
        its_own = {**FIRST, "stream": True, "stream_options": {"include_usage": True}}
        own = await client_of(envoy).send(post(its_own, *headers))
        assert bytes(own.body) == text
        seen = await envoy.counted(2, since=before)
        assert seen.sum("llm_usage_missing_total") == 0
        assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 2}


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_sdk_sees_the_response_it_would_have_seen(envoy: Envoy, run: Run, replies: Replies, api: str) -> None:
    full = CHAT if api == "chat" else COMPLETIONS
    plain = b"".join(event for event in events(full) if b'"choices":[]' not in event)
    assert len(plain) < len(full)
    replies["plain"], replies["full"] = stream(*cut_at_random(plain, 5)), stream(*cut_at_random(full, 6))

    def chunks(reply: str, **fields: Any) -> list[Json]:
        with openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="none", max_retries=0) as sdk:
            extra: Any = {"extra_headers": {"x-test-reply": reply, **fields.pop("headers", {})}, **fields}
            if api == "chat":
                answer = sdk.chat.completions.create(stream=True, **FIRST | extra)
            else:
                answer = sdk.completions.create(model="chat-large", prompt="hello", stream=True, **extra)
            return [chunk.to_dict() for chunk in answer]

    before = envoy.stats()
    expected = chunks("plain", headers={"x-usage": "not asked for"})
    assert expected and chunks("full", headers=ASKS) == expected
    with_usage = chunks("full", headers=ASKS, stream_options={"include_usage": True})
    assert with_usage[:-1] == expected and with_usage[-1]["usage"]
    seen = run(envoy.counted(3 if api == "chat" else 2, since=before))
    tokens = with_usage[-1]["usage"]["completion_tokens"]
    assert seen.sum("llm_tokens_total", llm_rollout="asks", llm_token="output") == 2 * tokens


async def test_feedback_is_answered_and_counted_for_its_conversation(
    envoy: Envoy, client_of: ClientOf, servers: Servers
) -> None:
    client = client_of(envoy)
    before = envoy.stats()
    versions = {"v1": 0, "v2": 0}
    for number in range(20):
        conversation = (b"x-conversation-id", b"f%d" % number)
        version = (await client.send(post(FIRST, conversation))).header(b"x-llm-version")
        assert version is not None
        versions[version.decode()] += 1
        answer = await client.send(post({"rating": "up"}, conversation, target=b"/v1/feedback?a=1"))
        assert (answer.status, bytes(answer.body), answer.header(b"x-llm-version")) == (204, b"", version)
    assert all(versions.values())
    for rating in ["down", "human"]:
        assert (await client.send(post({"rating": rating}, target=b"/v1/feedback"))).status == 204
    head, _, framed = chunked({"rating": "down"}, size=2).partition(b"\r\n")
    assert (await client.send(head.replace(b"chat/completions", b"feedback") + b"\r\n" + framed)).status == 204
    for body, status in [(b"", 400), (b"{", 400), (b'{"rating":"sideways"}', 400), (b" " * 100_000, 413)]:
        answer = await client.send(post(body, target=b"/v1/feedback"))
        assert (answer.status, answer.body.startswith(b"the feedback")) == (status, True), (body[:30], answer.body)
    seen = await envoy.counted(20, since=before)
    assert seen.by("llm_feedback_total", "llm_version", llm_feedback="up", llm_compare="yes") == versions
    assert seen.by("llm_feedback_total", "llm_feedback") == {"up": 20, "down": 2, "escalation": 1}
    assert seen.sum("llm_decisions_total") == 20
    assert sum(len(server.received) for server in servers.values()) == 20


async def test_feedback_whose_body_comes_late_is_answered(envoy: Envoy) -> None:
    head, _, body = post({"rating": "up"}, target=b"/v1/feedback").partition(b"\r\n\r\n")
    connection = await Connection.open(envoy.port)
    exchange = connection.start(head + b"\r\n\r\n")
    await asyncio.sleep(0.3)
    connection.send_more(body[:5])
    await asyncio.sleep(3)
    connection.send_more(body[5:])
    await exchange.ended()
    connection.close()
    assert exchange.status == 204


async def test_feedback_is_passed_on_where_the_configuration_says_so(
    envoy: Envoy, client_of: ClientOf, servers: Servers
) -> None:
    before = envoy.stats()
    answer = await client_of(envoy).send(post({"rating": "human"}, target=b"/v1/passed-on"))
    assert answer.status == 200
    assert received(servers).body == b'{"rating": "human"}'
    seen = await envoy.settled(lambda seen: seen.sum("llm_feedback_total"), since=before)
    assert seen.by("llm_feedback_total", "llm_feedback", llm_rollout="other") == {"escalation": 1}
    assert seen.sum("llm_requests_total") == 0


@on(*WASM.platforms)
async def test_feedback_does_not_hang_where_bodies_do_not_come(
    start_envoy: StartEnvoy, client_of: ClientOf, servers: Servers
) -> None:
    """As in Istio, whose WasmPlugin cannot set allow_on_headers_stop_iteration. Natively they come."""
    cannot_wait = {"allow_on_headers_stop_iteration": False}
    envoy = start_envoy(config(rollout(feedback=FEEDBACK)), plugin=cannot_wait)
    before = envoy.stats()
    answer = await asyncio.wait_for(client_of(envoy).send(post({"rating": "up"}, target=b"/v1/feedback")), SEEN_S_MAX)
    assert answer.status == 200
    assert received(servers).body == b'{"rating": "up"}'
    seen = await envoy.settled(lambda seen: seen.sum("llm_feedback_total"), since=before)
    assert seen.by("llm_feedback_total", "llm_feedback") == {"up": 1}
    assert "allow_on_headers_stop_iteration" in envoy.log()
