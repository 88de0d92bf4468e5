"""Envoy follows a redirect itself: the request, as the filter edited it, passes the filter again, at a place that the
upstream chose. It is one request, it keeps its version, and it is not edited twice.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pylib.client import Exchange
from pylib.http1 import Header, request
from tests.e2e.conftest import Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Framing, Received, Replies, Reply, stream, whole

pytestmark = EACH_VERSION

CHAT = b"/v1/chat/completions"
ANSWER = whole(b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}')
EVENTS = (
    b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
)
# Enough that chance alone chooses each version at least once.
REQUESTS = 24
# A place of another rollout, which would give the request another model.
ELSEWHERE = b"http://other.example.com/moved/here"


def moved(location: bytes = ELSEWHERE, status: int = 307) -> Reply:
    headers = ((b"location", location), (b"content-length", b"0"))
    return Reply(status=status, steps=(), headers=headers, framing=Framing.OWN_HEADERS)


def follows_redirects(bootstrap: Json) -> None:
    [host] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    for route in host["routes"]:
        policy = {"redirect_response_codes": [302, 303, 307, 308], "max_internal_redirects": 3}
        route["route"]["internal_redirect_policy"] = policy


def weights(bootstrap: Json) -> None:
    [host] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    clusters = [{"name": name, "weight": weight} for name, weight in (("llm-v1", 0), ("llm-v2", 100))]
    first = {"timeout": "0s", "weighted_clusters": {"clusters": clusters}}
    host["routes"] = [
        {"match": {"prefix": "/moved"}, "route": {"timeout": "0s", "cluster": "llm-v1"}},
        {"match": {"prefix": "/"}, "route": first},
    ]
    follows_redirects(bootstrap)


def other() -> Json:
    mine = rollout(name="other", match={"hosts": ["other.example.com"]})
    mine["versions"] = [{"name": "o", "cluster": "llm-v1", "rewrite": {"model": "of-the-other"}}]
    return mine | {"baseline": "o"}


def requests_of(servers: Servers) -> list[Received]:
    received = [one for server in servers.values() for one in server.received]
    return sorted(received, key=lambda one: one.at)


def path_of(received: Received) -> bytes:
    return received.head.split(b" ", 2)[1]


async def ask(
    client_of: ClientOf,
    envoy: Envoy,
    body: bytes,
    target: bytes = CHAT,
    headers: tuple[Header, ...] = (),
) -> Exchange:
    named = (*headers, (b"x-test-reply", b"it"), (b"content-type", b"application/json"))
    return await client_of(envoy).send(request(b"POST", target, headers=named, body=body))


@pytest.fixture(scope="module")
def rewriting(start_envoy: StartEnvoy) -> Envoy:
    mine = rollout(split={"v2": 50}, match={"models": ["public"]}, keyless="random", usage="request")
    for one in mine["versions"]:
        one["rewrite"] = {"model": f"model-{one['name']}", "path_prefix": {"from": "/v1", "to": f"/{one['name']}/v1"}}
    return start_envoy(config(other(), mine), edit=follows_redirects)


@pytest.mark.parametrize("status", [307, 302, 303])
async def test_a_redirected_request_keeps_its_version_and_its_edits(
    rewriting: Envoy, client_of: ClientOf, replies: Replies, servers: Servers, status: int
) -> None:
    before = await asyncio.to_thread(rewriting.stats)
    body = json.dumps({"model": "public", "messages": [{"role": "user", "content": "Hi"}]}).encode()
    versions: Counter[str] = Counter()
    for _ in range(REQUESTS):
        for server in servers.values():
            server.received.clear()
        replies["it"] = iter([moved(status=status), moved(b"http://llm.example.com/v1/again"), ANSWER])
        exchange = await ask(client_of, rewriting, body, headers=((b"x-stainless-retry-count", b"1"),))
        assert (exchange.status, bytes(exchange.body)) == (200, ANSWER.body)
        passes = requests_of(servers)
        [chosen] = {one.version for one in passes}
        versions[chosen] += 1
        assert [path_of(one) for one in passes] == [b"/%s%s" % (chosen.encode(), CHAT), b"/moved/here", b"/v1/again"]
        assert json.loads(passes[0].body)["model"] == f"model-{chosen}"
        # Envoy turns 303 into a GET without a body.
        expected = [passes[0].body] * 3 if status != 303 else [passes[0].body, b"", b""]
        assert [one.body for one in passes] == expected
    seen = await rewriting.counted(REQUESTS, since=before)
    assert len(versions) == 2
    assert seen.by("llm_requests_total", "llm_version") == versions
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": REQUESTS}
    assert seen.sum("llm_response_chars_total") == 2 * REQUESTS
    assert (seen.sum("llm_decisions_total"), seen.sum("llm_retries_total")) == (3 * REQUESTS, REQUESTS)
    assert seen.sum("llm_first_turn_requests_total") == REQUESTS


@pytest.mark.parametrize("asks_for_usage", [False, True])
async def test_the_usage_that_the_filter_asked_for_does_not_reach_the_client(
    rewriting: Envoy, client_of: ClientOf, replies: Replies, asks_for_usage: bool
) -> None:
    before = await asyncio.to_thread(rewriting.stats)
    replies["it"] = iter([moved(), stream(*EVENTS)])
    body: dict[str, Any] = {"model": "public", "stream": True}
    if asks_for_usage:
        body["stream_options"] = {"include_usage": True}
    exchange = await ask(client_of, rewriting, json.dumps(body).encode())
    assert exchange.body == b"".join(EVENTS if asks_for_usage else (EVENTS[0], EVENTS[2]))
    seen = await rewriting.counted(1, since=before)
    assert seen.sum("llm_tokens_total") == 3


@pytest.fixture(scope="module")
def pinning(start_envoy: StartEnvoy) -> Envoy:
    feedback = {"path": "/v1/feedback", "up": ["up"], "respond": False}
    pinned = rollout(split={"v2": 50}, pin={"response_id": True}, feedback=feedback)
    return start_envoy(config(other(), pinned), edit=follows_redirects)


async def test_a_conversation_that_is_pinned_by_its_response_stays_after_redirects(
    pinning: Envoy, client_of: ClientOf, replies: Replies, servers: Servers
) -> None:
    def scripted() -> Iterator[Reply]:
        yield moved()
        yield whole(b'{"id":"resp_1"}')

    for number in range(8):
        for server in servers.values():
            server.received.clear()
        replies["it"] = scripted()
        first = await ask(client_of, pinning, b"{}", b"/v1/responses", ((b"x-conversation-id", b"a%d" % number),))
        tagged = json.loads(first.body)["id"]
        assert tagged != "resp_1"
        replies["it"] = scripted()
        body = json.dumps({"previous_response_id": tagged}).encode()
        second = await ask(client_of, pinning, body, b"/v1/responses", ((b"x-conversation-id", b"b%d" % number),))
        assert json.loads(second.body)["id"] == tagged
        passes = requests_of(servers)
        assert len(passes) == 4 and len({one.version for one in passes}) == 1
        assert [json.loads(one.body) for one in passes[2:]] == [{"previous_response_id": "resp_1"}] * 2


async def test_feedback_that_is_redirected_counts_once(pinning: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = await asyncio.to_thread(pinning.stats)
    replies["it"] = iter([moved(b"http://llm.example.com/v1/feedback"), moved(), ANSWER])
    exchange = await ask(client_of, pinning, b'{"rating":"up"}', b"/v1/feedback", ((b"x-conversation-id", b"c1"),))
    assert exchange.status == 200
    await pinning.settled(lambda seen: seen.sum("llm_feedback_total") >= 1, before)
    seen = await pinning.flushed() - before
    assert (seen.sum("llm_feedback_total"), seen.sum("llm_requests_total")) == (1, 0)


async def test_an_observed_request_counts_for_the_cluster_that_answers(
    start_envoy: StartEnvoy, client_of: ClientOf, replies: Replies, servers: Servers
) -> None:
    envoy = start_envoy(config(rollout(observe=True)), edit=weights)
    for server in servers.values():
        server.received.clear()
    before = await asyncio.to_thread(envoy.stats)
    replies["it"] = iter([moved(), ANSWER])
    exchange = await ask(client_of, envoy, b"{}", headers=((b"x-stainless-retry-count", b"1"),))
    assert exchange.status == 200
    assert [one.version for one in requests_of(servers)] == ["v2", "v1"]
    seen = await envoy.counted(1, since=before)
    for name in ("requests", "decisions", "retries"):
        assert seen.by(f"llm_{name}_total", "llm_version") == {"v1": 1}, name
