"""What is no answer of a model is not compared, has no length and gets no pin."""

import asyncio
import json

import pytest

from pylib.client import Exchange
from pylib.http1 import Header, request
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Framing, Replies, Reply, stream, whole

pytestmark = EACH_VERSION

MODELS = json.dumps({"object": "list", "data": [{"id": f"model-{n}", "object": "model"} for n in range(300)]}).encode()
EMBEDDING = {"object": "embedding", "index": 0, "embedding": [0.123456789] * 1536}
EMBEDDINGS = json.dumps(
    {"object": "list", "data": [EMBEDDING], "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
).encode()
UNKNOWN = json.dumps({"pages": ["x" * 5000]}).encode()
KEY = (b"x-conversation-id", b"c1")
PIN_HEADER, PIN_COOKIE = b"x-llm-pin", b"set-cookie"


def answers_itself(bootstrap: Json) -> None:
    [host] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    answer = {"status": 200, "body": {"inline_string": "of Envoy"}}
    host["routes"].insert(0, {"match": {"path": "/v1/local"}, "direct_response": answer})


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    staff = {"header": "x-cohort", "values": ["staff"], "version": "v2"}
    pinned = rollout(split={"v2": 50}, pin={"header": "x-llm-pin", "cookie": "llm_pin"}, overrides=[staff])
    return start_envoy(config(pinned), edit=answers_itself)


async def ask(
    client_of: ClientOf, envoy: Envoy, method: bytes, target: bytes, headers: tuple[Header, ...] = (KEY,)
) -> Exchange:
    named = (*headers, (b"x-test-reply", b"it"))
    body = b"{}" if method == b"POST" else b""
    return await client_of(envoy).send(request(method, target, headers=named, body=body))


OTHERS = {
    "models": (b"GET", b"/v1/models", whole(MODELS)),
    "metrics": (b"GET", b"/metrics", whole(b"vllm:num_requests_running 1\n" * 400, content_type="text/plain")),
    "embeddings": (b"POST", b"/v1/embeddings", whole(EMBEDDINGS)),
    "tokenize": (b"POST", b"/tokenize", whole(b'{"count":3,"max_model_len":4096,"tokens":[1,2,3]}')),
    "count_tokens": (b"POST", b"/v1/messages/count_tokens?beta=true", whole(b'{"input_tokens":14}')),
    "speech": (b"POST", b"/v1/audio/speech", whole(b"\xff\xfb" * 2000, content_type="audio/mpeg")),
    "preflight": (b"OPTIONS", b"/v1/chat/completions", Reply(status=204, steps=(), framing=Framing.OWN_HEADERS)),
    "delete": (b"DELETE", b"/v1/responses/resp_1", whole(b'{"id":"resp_1","deleted":true}')),
    "missing": (b"GET", b"/v1/models/none", whole(b'{"error":{"message":"no"}}', status=404)),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_operations(envoy: Envoy, client_of: ClientOf, replies: Replies, name: str) -> None:
    method, target, replies["it"] = OTHERS[name]
    before = await asyncio.to_thread(envoy.stats)
    exchange = await ask(client_of, envoy, method, target)
    assert exchange.body == replies["it"].body
    assert exchange.header(PIN_HEADER) is None and exchange.header(PIN_COOKIE) is None
    seen = await envoy.counted(1, since=before)
    for counter in ("llm_decisions_total", "llm_requests_total", "llm_request_duration_ms_count"):
        assert seen.by(counter, "llm_compare") == {"no": 1}, counter
    for counter in ("llm_response_chars_total", "llm_response_chars_count", "llm_unread_total", "llm_finish_total"):
        assert seen.sum(counter) == 0, counter


async def test_a_head_and_an_unchanged_answer_have_no_length(
    envoy: Envoy, client_of: ClientOf, replies: Replies
) -> None:
    before = await asyncio.to_thread(envoy.stats)
    replies["it"] = Reply(steps=(), headers=((b"content-length", b"5000"),), framing=Framing.OWN_HEADERS)
    client_request = request(b"HEAD", b"/v1/chat/completions", headers=(KEY, (b"x-test-reply", b"it")), body=b"")
    connection, exchange = await client_of(envoy).start(client_request)
    await exchange.head_comes()
    connection.close()
    replies["it"] = Reply(status=304, steps=(), framing=Framing.OWN_HEADERS)
    await ask(client_of, envoy, b"GET", b"/v1/chat/completions")
    replies["it"] = Reply(status=204, steps=(), framing=Framing.OWN_HEADERS)
    await ask(client_of, envoy, b"POST", b"/v1/chat/completions")
    seen = await envoy.counted(3, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 3}
    assert seen.sum("llm_response_chars_count") == seen.sum("llm_unread_total") == 0


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/rewritten/by/a/gateway"])
async def test_bodies_show_what_they_are(envoy: Envoy, client_of: ClientOf, replies: Replies, path: bytes) -> None:
    """Embeddings on any path are no answer, and JSON that nobody knows has no length."""
    before = await asyncio.to_thread(envoy.stats)
    for reply in (whole(EMBEDDINGS), whole(UNKNOWN), stream(b'data: {"pages":1}\n\n' * 3)):
        replies["it"] = reply
        assert (await ask(client_of, envoy, b"POST", path)).body == reply.body
    seen = await envoy.counted(3, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 3}
    assert seen.by("llm_unread_total", "llm_unread") == {"dialect": 2}
    assert seen.sum("llm_response_chars_count") == 0


async def test_errors_are_told_by_status(envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = await asyncio.to_thread(envoy.stats)
    statuses = [400, 401, 403, 404, 408, 413, 418, 422, 429, 500, 502, 503, 504, 529]
    for status in statuses:
        replies["it"] = whole(b'{"detail":"no"}', status=status)
        await ask(client_of, envoy, b"POST", b"/v1/chat/completions")
    seen = await envoy.counted(len(statuses), since=before)
    listed = {"418": "4xx", "529": "5xx"}
    expected = {listed.get(str(status), str(status)): 1 for status in statuses}
    assert seen.by("llm_http_errors_total", "llm_status") == expected
    assert seen.sum("llm_unread_total") == 0


PINS: dict[str, tuple[bytes, bytes, tuple[Header, ...], int, bool]] = {
    "an answer": (b"POST", b"/v1/chat/completions", (KEY,), 200, True),
    "a list": (b"GET", b"/v1/models", (KEY,), 200, False),
    "a preflight": (b"OPTIONS", b"/v1/chat/completions", (KEY,), 200, False),
    "an error": (b"POST", b"/v1/chat/completions", (KEY,), 429, False),
    "an override": (b"POST", b"/v1/chat/completions", (KEY, (b"x-cohort", b"staff")), 200, False),
    "no conversation": (b"POST", b"/v1/chat/completions", (), 200, False),
    "Envoy's own answer": (b"POST", b"/v1/local", (KEY,), 200, False),
}


@pytest.mark.parametrize("name", PINS)
async def test_a_pin_needs_a_conversation(envoy: Envoy, client_of: ClientOf, replies: Replies, name: str) -> None:
    method, target, headers, status, is_given = PINS[name]
    body = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    # A server that sends the header itself must not choose a version by it.
    replies["it"] = whole(body, status=status, headers=((b"x-llm-pin", b"0badc0de"),))
    exchange = await ask(client_of, envoy, method, target, headers)
    assert exchange.status == status
    pins = exchange.header(PIN_HEADER), exchange.header(PIN_COOKIE)
    assert [pin is not None for pin in pins] == [is_given, is_given], pins
    assert pins[0] != b"0badc0de"
