"""The native module waits for bodies of up to 8 MiB, and holds 64 MiB a worker. A long prompt whose key stands at its
end is routed by it, however it comes. Past a limit a request goes on with what was found, and is counted; no byte is
lost.
"""

import asyncio
import json
from collections.abc import Iterable

import pytest

from pylib.client import Connection
from pylib.http1 import Header, request
from pylib.prometheus import Snapshot
from tests.e2e.conftest import Explain, Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import MIB, NATIVE, on
from tests.harness.http2 import post as post_http2
from tests.harness.upstream import Received

pytestmark = on(*NATIVE.platforms)

MB, CHUNK_BYTES = 1_000_000, 100_000
CONFIGURATION = config(rollout(split={"v2": 50}, key=[{"body": "/conversation"}, {"header": "x-conversation-id"}]))
LIMIT_BYTES, WORKER_BYTES_MAX = NATIVE.waiting_bytes_max, 64 * MIB
CUT_OFF_BYTES = 8  # with so many more, the key ends behind the limit
CROWD, CROWD_BODY_BYTES = 20, 5 * MB
ARRIVES_S_MAX, EXCHANGE_S_MAX = 20, 60
BODY, HEADER = "v2", "v1"  # the version that each key is on
WAYS = ["length", "chunked", "http2", "expect", "slow"]

# A key for each version.
Keys = dict[bytes, bytes]


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    """With one worker, whose limit all requests share."""
    return start_envoy(CONFIGURATION, concurrency=1)


@pytest.fixture(scope="module")
def keys(explain: Explain) -> Keys:
    candidates = [b"conversation-%d" % at for at in range(20)]
    version_of = explain(CONFIGURATION, candidates)
    return {version: next(key for key in candidates if version_of[key] == version) for version in (b"v1", b"v2")}


def prompt(keys: Keys, size: int) -> bytes:
    """So long, with the key at its end."""
    end = b'"}],"conversation":"' + keys[b"v2"] + b'"}'
    begin = b'{"messages":[{"role":"user","content":"'
    text = 'Grüße 世界 \\"{[ '.encode()
    padding = size - len(begin) - len(end)
    return begin + text * (padding // len(text)) + b"x" * (padding % len(text)) + end


def chunked(raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    pieces = (body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"\r\n".join([*lines, b"transfer-encoding: chunked"]) + b"\r\n\r\n" + framed + b"0\r\n\r\n"


async def sent(envoy: Envoy, way: str, header: Header, body: bytes) -> int | None:
    """The status of the answer to a request that is sent in this way."""
    if way == "http2":
        status, _ = await post_http2(envoy.port, [header], [body])
        return status
    headers = [header, *([(b"expect", b"100-continue")] if way == "expect" else [])]
    raw = request(headers=headers, body=body)
    raw = chunked(raw) if way == "chunked" else raw
    head, _, rest = raw.partition(b"\r\n\r\n")
    connection = await Connection.open(envoy.port)
    exchange = connection.start(head + b"\r\n\r\n")
    exchange.patience_s = EXCHANGE_S_MAX
    if way == "expect":
        await exchange.server_continues()
    pieces = 12 if way == "slow" else 1
    size = -(-len(rest) // pieces)
    for at in range(0, len(rest), size):
        connection.send_more(rest[at : at + size])
        await asyncio.sleep(0.25 if way == "slow" else 0)
    await exchange.ended()
    connection.close()
    return exchange.status


def arrived(servers: Servers) -> Received:
    [only] = [received for server in servers.values() for received in server.received]
    servers[only.version].received.clear()
    return only


async def routed(envoy: Envoy, servers: Servers, keys: Keys, way: str, size: int) -> tuple[str, Snapshot]:
    """Sends a prompt of this size, which passes whole: the version that got it, and what was counted."""
    before = await asyncio.to_thread(envoy.stats)
    body = prompt(keys, size)
    assert await sent(envoy, way, (b"x-conversation-id", keys[b"v1"]), body) == 200
    received = arrived(servers)
    assert received.body == body, f"{len(received.body)} bytes came of {len(body)}"
    return received.version, await envoy.counted(1, since=before)


@pytest.mark.parametrize(
    ("way", "size"), [*((way, 5 * MB) for way in WAYS), *((way, LIMIT_BYTES) for way in ("length", "http2"))]
)
async def test_a_long_prompt_is_routed_by_the_key_at_its_end(
    envoy: Envoy, servers: Servers, keys: Keys, way: str, size: int
) -> None:
    version, seen = await routed(envoy, servers, keys, way, size)
    assert version == BODY
    assert seen.sum("llm_body_limit_total") == 0


@pytest.mark.parametrize(
    ("way", "size"),
    [*((way, LIMIT_BYTES + CUT_OFF_BYTES) for way in WAYS), *((way, 20 * MB) for way in ("chunked", "http2"))],
)
async def test_past_the_limit_of_a_request_it_goes_on_with_what_was_found(
    envoy: Envoy, servers: Servers, keys: Keys, way: str, size: int
) -> None:
    version, seen = await routed(envoy, servers, keys, way, size)
    assert version == HEADER
    assert seen.by("llm_body_limit_total", "llm_version") == {HEADER: 1}


async def test_twenty_long_prompts_at_once(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    """Together more than a worker may hold. Some go on at its limit, and are counted; the others are routed by their
    bodies; afterwards there is room again.
    """
    before = await asyncio.to_thread(envoy.stats)
    body = prompt(keys, CROWD_BODY_BYTES)
    assert CROWD * len(body) > WORKER_BYTES_MAX
    all_but_the_end = asyncio.Barrier(CROWD)

    async def one(at: int) -> int:
        raw = request(headers=[(b"x-conversation-id", keys[b"v1"]), (b"x-name", b"%d" % at)], body=body)
        connection = await Connection.open(envoy.port)
        exchange = connection.start(raw[:-100])
        exchange.patience_s = EXCHANGE_S_MAX
        await all_but_the_end.wait()
        await asyncio.sleep(2)  # Envoy has read all that
        connection.send_more(raw[-100:])
        await exchange.ended()
        connection.close()
        return exchange.status

    assert set(await asyncio.gather(*map(one, range(CROWD)))) == {200}
    received = {r.header(b"x-name")[0]: r for server in servers.values() for r in server.received}
    assert len(received) == CROWD and {r.body for r in received.values()} == {body}
    by_body = sum(r.version == BODY for r in received.values())
    seen = await envoy.counted(CROWD, since=before)
    limited = int(seen.sum("llm_body_limit_total"))
    print(
        f"{CROWD} bodies of {len(body)} bytes at once: {by_body} routed by their bodies, {limited} went on at the limit"
    )
    assert by_body == CROWD - limited
    assert 0 < limited < CROWD and by_body <= WORKER_BYTES_MAX // len(body) + 1
    await assert_has_room(envoy, servers, keys)


async def test_clients_that_leave_leave_room(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    """More than a worker may hold, again and again, of requests that never end."""
    body = prompt(keys, CROWD_BODY_BYTES)
    raw = request(headers=[(b"x-conversation-id", keys[b"v1"])], body=body)
    for _ in range(2):
        connections = [await Connection.open(envoy.port) for _ in range(CROWD)]
        for connection in connections:
            connection.start(raw[:-100])
        await asyncio.sleep(1)
        for connection in connections:
            connection.abort()
        await envoy.until(lambda: envoy.counter("http.llm.downstream_rq_active") == 0, "no active request")
    for server in servers.values():
        server.received.clear()
    await assert_has_room(envoy, servers, keys)


async def assert_has_room(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    for server in servers.values():
        server.received.clear()
    before = await asyncio.to_thread(envoy.stats)
    bodies: Iterable[bytes] = [prompt(keys, CROWD_BODY_BYTES)] * 3
    for body in bodies:
        assert await sent(envoy, "length", (b"x-conversation-id", keys[b"v1"]), body) == 200
        assert arrived(servers).version == BODY
    assert (await envoy.flushed() - before).sum("llm_body_limit_total") == 0


def test_the_prompt_is_json(keys: Keys) -> None:
    body = prompt(keys, 5 * MB)
    assert len(body) == 5 * MB
    assert json.loads(body)["conversation"].encode() == keys[b"v2"]
