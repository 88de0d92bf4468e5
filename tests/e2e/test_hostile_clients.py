"""A client may send anything: it is routed by the rules, and nothing that it sends becomes part of a metric's name or
label.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from pylib.http1 import HOST, Header, request
from tests.e2e.conftest import Explain, Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Received

pytestmark = EACH_VERSION

MARK = b"zzmarkzz"
BYTES = [bytes([byte]) for byte in range(0x01, 0x100)]
# Envoy's HTTP/1 codec lets these through in a header's value, so the filter has to live with them.
BYTES_LET_THROUGH = {bytes([byte]) for byte in [0x09, *range(0x20, 0x7F), *range(0x80, 0x100)]}
CONTROLS = [b"x-llm-cluster", b"x-llm-version", b"X-LLM-Cluster", b"X-Llm-Version"]


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(
        config(
            rollout(
                match={"path_prefix": "/v1/"},
                key=[{"header": "x-conversation-id"}, {"cookie": "conversation"}, {"query": "conversation"}],
                split={"v2": 50},
                overrides=[{"header": "x-cohort", "values": ["staff"], "version": "v2"}],
            )
        ),
    )


@pytest.fixture(autouse=True)
def metrics_name_nothing_a_client_sent(envoy: Envoy) -> Iterator[None]:
    before = envoy.stats().series()
    assert before
    yield
    assert envoy.stats().series() == before
    everything = envoy.admin("/stats/prometheus") + envoy.admin("/stats")
    assert MARK.decode() not in everything.lower()


def assert_controls_are_ours(received: Received, version: bytes | None) -> None:
    """What a model server sees of the two control headers, whatever the client sent."""
    assert received.header(b"x-llm-cluster") == []
    assert received.header(b"x-llm-version") == ([version] if version else [])


@pytest.mark.parametrize("name", CONTROLS, ids=lambda name: name.decode())
@pytest.mark.parametrize("value", [b"llm-v2", b"v2", MARK, b"", b"\xff\xfe" + MARK], ids=repr)
async def test_control_headers_of_a_client_do_not_count(
    envoy: Envoy, client_of: ClientOf, servers: Servers, name: bytes, value: bytes
) -> None:
    client = client_of(envoy)
    keyless = await client.send(request(headers=[(name, value), (name, value), (b"x-other", b"1")]))
    assert (keyless.status, keyless.header(b"x-llm-version")) == (200, b"v1")
    unmatched = await client.send(request(target=b"/healthz", headers=[(name, value)]))
    assert (unmatched.status, unmatched.header(b"x-llm-version")) == (200, None)
    chosen = await client.send(request(headers=[(name, b"llm-v1"), (b"x-cohort", b"staff")]))
    assert (chosen.status, chosen.header(b"x-llm-version")) == (200, b"v2")

    keyless_received, unmatched_received = servers["v1"].received
    assert_controls_are_ours(keyless_received, b"v1")
    assert_controls_are_ours(unmatched_received, None)
    [chosen_received] = servers["v2"].received
    assert_controls_are_ours(chosen_received, b"v2")


def every_byte_in(place: str) -> Iterator[tuple[bytes, bytes]]:
    """One request for each byte, which has it inside a marked value at that place."""
    for byte in BYTES:
        value = MARK + byte + b"end"
        match place:
            case "key":
                yield byte, request(headers=[(b"x-conversation-id", value)])
            case "cookie":
                yield byte, request(headers=[(b"cookie", b"a=" + value + b"; conversation=" + value)])
            case "override":
                yield byte, request(headers=[(b"x-cohort", value), (b"x-conversation-id", b"c1")])
            case "cluster":
                yield byte, request(headers=[(b"x-llm-cluster", value)])
            case "version":
                yield byte, request(headers=[(b"x-llm-version", value)])
            case "another header":
                yield byte, request(headers=[(b"x-any", value), (b"user-agent", value), (b"accept-encoding", value)])
            case "a name":
                yield byte, request(headers=[(b"x-" + value, b"1"), (b"x-conversation-id", b"c1")])
            case "host":
                yield byte, request(host=value)
            case "path":
                yield byte, request(target=b"/v1/" + value)
            case "query":
                yield byte, request(target=b"/v1/?conversation=" + value)


PLACES = ["key", "cookie", "override", "cluster", "version", "another header", "a name", "host", "path", "query"]
HEADER_VALUES = PLACES[:6]


@pytest.mark.parametrize("place", PLACES)
async def test_any_byte_anywhere(envoy: Envoy, client_of: ClientOf, servers: Servers, place: str) -> None:
    sent = list(every_byte_in(place))
    exchanges = await client_of(envoy).send_all([raw for _, raw in sent], at_once=8)

    passed = {byte for (byte, _), exchange in zip(sent, exchanges, strict=True) if exchange.status == 200}
    refused = {exchange.status for exchange in exchanges if exchange.status != 200}
    assert all(400 <= status < 500 for status in refused), f"Envoy's codec refuses, the filter never fails: {refused}"
    if place in HEADER_VALUES:
        assert passed >= BYTES_LET_THROUGH, "Envoy let these bytes through before; a test without them shows nothing"
    assert len(passed) > 25
    received = list(itertools.chain(*(server.received for server in servers.values())))
    assert len(received) == len(passed)
    for arrived in received:
        expected = arrived.version.encode() if arrived.target.startswith(b"/v1/") else None
        assert_controls_are_ours(arrived, expected)


async def test_the_key_may_be_any_bytes_and_still_agrees_with_the_tool(
    envoy: Envoy, client_of: ClientOf, explain: Explain
) -> None:
    configuration = config(rollout(split={"v2": 50}))
    keys = [
        MARK + a + b
        for a, b in zip(sorted(BYTES_LET_THROUGH), sorted(BYTES_LET_THROUGH, reverse=True), strict=True)
        if b.strip()
    ]
    exchanges = await client_of(envoy).send_all([request(headers=[(b"x-conversation-id", key)]) for key in keys])
    assert [exchange.header(b"x-llm-version") for exchange in exchanges] == list(explain(configuration, keys).values())


async def test_awkward_but_legal_requests(envoy: Envoy, client_of: ClientOf, servers: Servers) -> None:
    """No key, empty keys, repeated keys, huge keys, many cookies: answered by the rules."""
    client = client_of(envoy)
    header = b"x-conversation-id"
    long = 40_000

    async def version_of(*headers: Header, **fields: Any) -> bytes | None:
        exchange = await client.send(request(headers=headers, **fields))
        assert exchange.status == 200
        return exchange.header(b"x-llm-version")

    assert await version_of() == b"v1"
    assert await version_of((header, b"")) == b"v1"
    assert await version_of((b"cookie", b"conversation=")) == b"v1"
    assert await version_of((b"cookie", b";;=;conversation; =x;")) == b"v1"
    assert await version_of(target=b"/v1/?&&=&conversation") == b"v1"
    assert await version_of(target=b"/v1/?conversation=") == b"v1"
    sticky = [await version_of((header, MARK * (long // len(MARK)))) for _ in range(3)]
    assert sticky[0] in (b"v1", b"v2") and len(set(sticky)) == 1
    assert await version_of((b"cookie", b"; ".join(b"c%d=%b" % (n, MARK) for n in range(2000)))) == b"v1"
    assert await version_of((header, b"one"), (header, b"two")) in (b"v1", b"v2")
    assert await version_of(host=HOST + b":8080") == b"v1"
    assert await version_of(method=b"GET", body=b"") == b"v1"
    assert await version_of(method=b"OPTIONS", target=b"/v1/" + MARK * 500, body=b"") == b"v1"
