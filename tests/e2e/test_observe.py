"""A rollout that observes: Envoy's own routes choose, the filter counts for the version whose cluster they chose, and
nothing that a client or a server sees is different.
"""

import asyncio
from collections import Counter

from pylib.http1 import Header, request
from tests.e2e.conftest import Servers
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import http_manager, without_filter
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, ModelServer, Replies, events, stream

CHAT = (STREAMS / "openai-chat" / "chat-stream.sse").read_bytes()
CHARS = len('Grüße, "Wörld')
REQUESTS = 60
CLUSTERS = [{"name": name, "weight": 50} for name in ("llm-v1", "llm-v2")]
# What would change requests and responses, if the rollout did not observe.
ACTIVE = {
    "split": {"v2": 50},
    "pin": {"cookie": "llm_pin", "header": "x-llm-pin", "response_id": True},
    "usage": "request",
    "key": [{"header": "x-conversation-id"}, {"body": "/user"}],
}


def weights(bootstrap: Json, by_hash: bool = False) -> None:
    """The user's own split: at random, or by the hash of a header."""
    [host] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    action: Json = {"timeout": "0s", "weighted_clusters": {"clusters": CLUSTERS}}
    if by_hash:
        action["hash_policy"] = [{"header": {"header_name": "x-conversation-id"}}]
        action["weighted_clusters"]["use_hash_policy"] = True
    host["routes"] = [{"match": {"prefix": "/"}, "route": action}]


def weights_by_hash(bootstrap: Json) -> None:
    weights(bootstrap, by_hash=True)


def alone(bootstrap: Json) -> None:
    weights_by_hash(bootstrap)
    without_filter(bootstrap)


def headers_of(number: int) -> tuple[Header, ...]:
    """What the filter would change or remove."""
    return (
        (b"x-conversation-id", b"c%d" % number),
        (b"x-test-reply", b"it"),
        (b"accept-encoding", b"gzip"),
        (b"x-llm-version", b"of the client"),
        (b"x-llm-pin", b"of the client"),
        (b"cookie", b"llm_pin=of the client"),
    )


def keys(server: ModelServer) -> set[bytes]:
    """The conversations that came to a server."""
    return {key for received in server.received for key in received.header(b"x-conversation-id")}


@EACH_VERSION
async def test_weighted_clusters(
    start_envoy: StartEnvoy, client_of: ClientOf, replies: Replies, servers: Servers
) -> None:
    envoy = start_envoy(config(rollout(observe=True, **ACTIVE)), edit=weights)
    before = await asyncio.to_thread(envoy.stats)
    replies["it"] = stream(*events(CHAT))
    body = b'{"stream":true,"user":"u","messages":[{"role":"user","content":"Hi"}]}'
    for number in range(REQUESTS):
        exchange = await client_of(envoy).send(request(headers=headers_of(number), body=body))
        assert exchange.body == CHAT
        for header in (b"x-llm-version", b"x-llm-pin", b"set-cookie"):
            assert exchange.header(header) is None
    served = {name: len(server.received) for name, server in servers.items()}
    assert min(served.values()) > 0, served
    for server in servers.values():
        for received in server.received:
            assert received.body == body
            assert received.header(b"accept-encoding") == [b"gzip"]
            assert received.header(b"x-llm-version") == [b"of the client"]
    seen = await envoy.counted(REQUESTS, since=before)
    for counter in ("llm_requests_total", "llm_decisions_total", "llm_first_turn_requests_total"):
        assert seen.by(counter, "llm_version") == served, counter
        assert seen.by(counter, "llm_compare") == {"no": REQUESTS}, counter
    assert seen.sum("llm_response_chars_total") == REQUESTS * CHARS
    assert Counter(line.count('"llm_version":"v2"') for line in envoy.access_log())[1] == served["v2"]


@EACH_VERSION
async def test_a_random_split_by_hash_is_compared(
    start_envoy: StartEnvoy, client_of: ClientOf, replies: Replies, servers: Servers
) -> None:
    """A model server that resets, or a client that goes, counts for the version that Envoy chose, too."""
    observing = config(rollout(observe=True, random=True, **ACTIVE))
    envoy = start_envoy(observing, edit=weights_by_hash)
    bare = start_envoy(observing, edit=alone)
    before = await asyncio.to_thread(envoy.stats)
    replies["it"] = stream(*events(CHAT)[:2], 0.01, Ending.RESET)
    requests = [request(headers=headers_of(number)) for number in range(REQUESTS)]
    await client_of(envoy).send_all(requests)  # at once: Envoy keeps each broken connection open for a second
    served = {name: keys(server) for name, server in servers.items()}
    for server in servers.values():
        server.received.clear()
    await client_of(bare).send_all(requests)
    # The filter has not moved a conversation.
    assert served == {name: keys(server) for name, server in servers.items()}
    seen = await envoy.counted(REQUESTS, since=before)
    assert seen.by("llm_requests_total", "llm_compare") == {"yes": REQUESTS}
    assert seen.by("llm_requests_total", "llm_outcome") == {"upstream_reset": REQUESTS}
    counts = {name: len(conversations) for name, conversations in served.items()}
    assert min(counts.values()) > 0 and seen.by("llm_requests_total", "llm_version") == counts
    assert seen.sum("llm_shard_requests_total") == REQUESTS
