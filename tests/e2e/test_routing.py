"""Which version a conversation gets: the share, the stickiness, and agreement with the operator's tool."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from pylib.client import Client
from pylib.http1 import Header, request
from tests.e2e.conftest import Explain, Servers
from tests.harness import Json
from tests.harness.config import CLUSTERS, config, rollout
from tests.harness.envoy import http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION

KEYS = 20_000
SPLIT_PERCENT = 10
TOLERANCE_POINTS = 0.3
TEN_PERCENT = config(rollout(split={"v2": SPLIT_PERCENT}))


def distinct_keys(count: int, seed: int = 2) -> list[bytes]:
    """Ids of the kinds that clients send, and some that are no text in any encoding."""
    dice = random.Random(seed)
    kinds = [
        lambda at: str(uuid.UUID(int=dice.getrandbits(128), version=4)).encode(),
        lambda at: b"conv-%d" % at,
        lambda at: b"user%d@example.com" % at,
        lambda at: f"会话-{at}-ø".encode(),
        lambda at: b"%d\xff\x80" % at + bytes(dice.choice(range(0x80, 0x100)) for _ in range(8)),
    ]
    keys = [kinds[at % len(kinds)](at) for at in range(count)]
    assert len(set(keys)) == count
    return keys


def by_header(keys: list[bytes], **fields: Any) -> list[bytes]:
    return [request(headers=[(b"x-conversation-id", key)], **fields) for key in keys]


async def versions_of(client: Client, requests: list[bytes]) -> list[bytes | None]:
    """The versions that the responses name. They must be where the requests went."""
    exchanges = await client.send_all(requests)
    assert {exchange.status for exchange in exchanges} == {200}
    return [exchange.header(b"x-llm-version") for exchange in exchanges]


async def test_twenty_thousand_keys(
    start_envoy: StartEnvoy, client_of: ClientOf, servers: Servers, explain: Explain
) -> None:
    keys = distinct_keys(KEYS)
    requests = by_header(keys)
    first, second = start_envoy(TEN_PERCENT), start_envoy(TEN_PERCENT)
    before = first.stats()

    seen = dict(zip(keys, await versions_of(client_of(first), requests), strict=True))

    share_percent = 100 * sum(version == b"v2" for version in seen.values()) / KEYS
    print(f"{KEYS} keys at {SPLIT_PERCENT} %: {share_percent:.3f} % on v2")
    assert abs(share_percent - SPLIT_PERCENT) <= TOLERANCE_POINTS
    for version, server in servers.items():
        arrived = {received.header(b"x-conversation-id")[0] for received in server.received}
        assert arrived == {key for key, on in seen.items() if on == version.encode()}, (
            f"said and routed differ on {version}"
        )
    counted = await first.counted(KEYS, since=before)
    assert counted.sum("llm_decisions_total", llm_reason="split", llm_compare="yes") == KEYS
    for version in CLUSTERS:
        on_version = sum(on == version.encode() for on in seen.values())
        assert counted.sum("llm_requests_total", llm_version=version, llm_rollout="chat") == on_version

    assert seen == explain(TEN_PERCENT, keys)
    assert list(seen.values()) == await versions_of(client_of(second), requests), "two Envoys differ"
    second.restart()
    assert list(seen.values()) == await versions_of(client_of(second), requests), "a restart moved a key"


@EACH_VERSION
async def test_every_source_of_a_key(start_envoy: StartEnvoy, client_of: ClientOf, explain: Explain) -> None:
    """Header, cookie, query and dynamic metadata name the same conversation, so they give the same version."""
    configuration = config(
        rollout(
            key=[
                {"header": "x-conversation-id"},
                {"cookie": "conversation"},
                {"query": "conversation"},
                {"metadata": "e2e/conversation"},
            ],
            split={"v2": 50},
        )
    )
    envoy = start_envoy(configuration, edit=metadata_from_header(b"x-metadata-id"))
    client = client_of(envoy)
    keys = [key for key in distinct_keys(400) if key.isascii() and b"@" not in key]
    expected = list(explain(configuration, keys).values())
    assert len(set(expected)) == 2

    assert await versions_of(client, by_header(keys)) == expected
    cookies = [request(headers=[(b"cookie", b"a=b; conversation=" + key + b"; c=d")]) for key in keys]
    assert await versions_of(client, cookies) == expected
    queries = [request(target=b"/v1/chat/completions?a=b&conversation=" + key + b"&c=d") for key in keys]
    assert await versions_of(client, queries) == expected
    metadata = [request(headers=[(b"x-metadata-id", key)]) for key in keys]
    assert await versions_of(client, metadata) == expected

    others = list(reversed(keys))
    both = [
        request(headers=[(b"cookie", b"conversation=" + other), (b"x-conversation-id", key)])
        for key, other in zip(keys, others, strict=True)
    ]
    assert await versions_of(client, both) == expected, "the first source in the list wins"


def metadata_from_header(header: bytes) -> Callable[[Json], None]:
    """Puts a filter in front that writes dynamic metadata, as an authentication filter would."""

    def edit(bootstrap: Json) -> None:
        http_manager(bootstrap)["http_filters"].insert(
            0,
            {
                "name": "envoy.filters.http.header_to_metadata",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
                    "request_rules": [
                        {
                            "header": header.decode(),
                            "on_header_present": {"metadata_namespace": "e2e", "key": "conversation", "type": "STRING"},
                        }
                    ],
                },
            },
        )

    return edit


@EACH_VERSION
async def test_what_comes_before_the_split(start_envoy: StartEnvoy, client_of: ClientOf, servers: Servers) -> None:
    """Overrides, stopped versions, keyless requests and requests that no rollout matches."""
    configuration = config(
        rollout(
            match={"hosts": ["llm.example.com"], "path_prefix": "/v1/", "headers": {"x-tenant": "acme"}},
            split={"v2": 100},
            overrides=[
                {"header": "x-cohort", "values": ["old"], "version": "v1"},
                {"header": "x-cohort", "values": ["gone"], "version": "v3"},
            ],
            versions=[
                {"name": "v1", "cluster": "llm-v1"},
                {"name": "v2", "cluster": "llm-v2"},
                {"name": "v3", "cluster": "llm-v2", "stopped": True},
            ],
        )
    )
    envoy = start_envoy(configuration)
    client, before = client_of(envoy), envoy.stats()
    tenant, key = (b"x-tenant", b"acme"), (b"x-conversation-id", b"c1")

    async def version_of(*headers: Header, **fields: Any) -> bytes | None:
        exchange = await client.send(request(headers=headers, **fields))
        assert exchange.status == 200
        return exchange.header(b"x-llm-version")

    assert await version_of(tenant, key) == b"v2"
    assert await version_of(tenant, key, (b"x-cohort", b"old")) == b"v1"
    assert await version_of(tenant, key, (b"x-cohort", b"gone")) == b"v1"
    assert await version_of(tenant, key, (b"x-cohort", b"other")) == b"v2"
    assert await version_of(tenant) == b"v1"
    unmatched = [
        await version_of(key),
        await version_of((b"x-tenant", b"other"), key),
        await version_of(tenant, key, host=b"other.example.com"),
        await version_of(tenant, key, target=b"/other/v1/"),
    ]
    assert unmatched == [None] * 4

    counted = await envoy.counted(5, since=before)
    assert counted.by("llm_decisions_total", "llm_reason") == {"split": 2, "override": 1, "stopped": 1, "keyless": 1}
    assert counted.by("llm_decisions_total", "llm_reason", llm_compare="yes") == {"split": 2}
    assert len(servers["v1"].received) == 3 + len(unmatched), "what no rollout matches goes to the fallback route"
    assert len(servers["v2"].received) == 2


async def test_the_version_stays_off_the_response_when_told_to(
    start_envoy: StartEnvoy, client_of: ClientOf, servers: Servers
) -> None:
    envoy = start_envoy(config(rollout(split={"v2": 100}), version_on_response=False, version_header="x-model-version"))
    exchange = await client_of(envoy).send(*by_header([b"c1"]))
    assert [name for name, _ in exchange.headers if b"version" in name] == []
    [received] = servers["v2"].received
    assert received.header(b"x-model-version") == [b"v2"]


async def test_the_access_log_names_version_and_reason(start_envoy: StartEnvoy, client_of: ClientOf) -> None:
    envoy = start_envoy(config(rollout(split={"v2": 100}, match={"path_prefix": "/v1/"})))
    key = (b"x-conversation-id", b"c1")
    for target, headers in [(b"/v1/first", [key]), (b"/v1/second", []), (b"/third", [key])]:
        await client_of(envoy).send(request(target=target, headers=headers))
    await envoy.until(lambda: len(envoy.access_log()) == 3, "three lines in the access log")
    logged = {
        entry["path"]: (entry["llm_version"], entry["llm_reason"]) for entry in map(json.loads, envoy.access_log())
    }
    assert logged == {"/v1/first": ("v2", "split"), "/v1/second": ("v1", "keyless"), "/third": (None, None)}
