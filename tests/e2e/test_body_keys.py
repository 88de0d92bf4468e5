"""Keys in request bodies, in real Envoy: no body hangs, none is lost or altered, and each request is routed by the best
key there is. The body and a header name conversations on different versions, so the version tells which key was used.
"""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pylib.buckets import bucket, uuid7
from pylib.client import Connection, Exchange
from pylib.http1 import Header, request
from tests.e2e.conftest import Explain, Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION, Host
from tests.harness.http2 import post as post_http2
from tests.harness.memory import VM_PAGE_BYTES, vm_bytes
from tests.harness.ramp import Ramp, now_ms
from tests.harness.upstream import Framing, Received, Replies, Reply

pytestmark = EACH_VERSION

# A key for each version.
Keys = dict[bytes, bytes]

KEYS = [{"body": "/metadata/conversation_id"}, {"body": "/user"}, {"header": "x-conversation-id"}]
CONFIGURATION = config(rollout(split={"v2": 50}, key=KEYS))
KB, MB = 1_000, 1_000_000
HOUR_MS = 3_600_000
EXCHANGE_S_MAX = 10
# A VM keeps what its busiest moment needed: a page or two. A leak of 300 bytes a request would be more.
CUT_ROUNDS, CUT_AT_ONCE, CUT_VM_GROWTH_BYTES_MAX = 12, 100, 2 * VM_PAGE_BYTES
# How long the very first request may wait where its body does not come, and how often Envoy checks.
WAIT_S, TICK_S = 2.0, 0.5


def websockets(bootstrap: Json) -> None:
    http_manager(bootstrap)["upgrade_configs"] = [{"upgrade_type": "websocket"}]


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(CONFIGURATION, edit=websockets)


@pytest.fixture(scope="module")
def keys(explain: Explain) -> Keys:
    """A key of each version: the body's conversation is on v2, that of the header on v1."""
    candidates = [b"conversation-%d" % at for at in range(20)]
    version_of = explain(CONFIGURATION, candidates)
    return {version: next(key for key in candidates if version_of[key] == version) for version in (b"v1", b"v2")}


def said(keys: Keys, before: int = 0, after: int = 0) -> bytes:
    """A body that names its conversation, with that many bytes before and after."""
    return json.dumps(
        {
            "messages": [{"role": "user", "content": 'a "{}é' * (before // 8)}],
            "metadata": {"other": [1, {"conversation_id": "no"}], "conversation_id": keys[b"v2"].decode()},
            "padding": "x" * after,
        },
        ensure_ascii=False,
    ).encode()


def chunked(raw: bytes, size: int) -> bytes:
    """The same request with its body in chunks."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"\r\n".join([*lines, b"transfer-encoding: chunked"]) + b"\r\n\r\n" + framed + b"0\r\n\r\n"


def post(keys: Keys, body: bytes, *headers: Header) -> bytes:
    return request(headers=[(b"x-conversation-id", keys[b"v1"]), *headers], body=body)


def only_request(servers: Servers) -> Received:
    [received] = [received for server in servers.values() for received in server.received]
    return received


async def assert_arrives(envoy: Envoy, servers: Servers, raw: bytes, body: bytes, version: str) -> Received:
    connection = await Connection.open(envoy.port)
    exchange = connection.start(raw)
    await asyncio.wait_for(exchange.ended(), EXCHANGE_S_MAX)
    connection.close()
    assert exchange.status == 200, (exchange.status, bytes(exchange.body))
    received = only_request(servers)
    assert received.version == version
    assert received.body == body, f"{len(received.body)} bytes came of {len(body)}"
    for server in servers.values():
        server.received.clear()
    return received


BODY, HEADER = "v2", "v1"  # the version that each key is on


def version_behind(host: Host, before: int) -> str:
    """Of a body in which that many bytes are before its key."""
    return BODY if before < host.waiting_bytes_max else HEADER


@pytest.mark.parametrize("chunk_bytes", [None, 3, 10_000])
@pytest.mark.parametrize(
    ("before", "after"), [(0, 0), (100 * KB, 0), (900 * KB, 0), (0, 900 * KB), (0, 5 * MB), (5 * MB, 0)]
)
async def test_any_length_in_any_framing(
    envoy: Envoy, host: Host, servers: Servers, keys: Keys, before: int, after: int, chunk_bytes: int | None
) -> None:
    if chunk_bytes == 3 and before + after > 0:
        chunk_bytes = 1_000
    body = said(keys, before, after)
    raw = post(keys, body)
    raw = raw if chunk_bytes is None else chunked(raw, chunk_bytes)
    await assert_arrives(envoy, servers, raw, body, version_behind(host, before))


@pytest.mark.parametrize("first_bytes", [1, 100 * KB, 900 * KB])
async def test_a_long_body_that_comes_in_a_jump_is_not_refused(
    envoy: Envoy, host: Host, servers: Servers, keys: Keys, first_bytes: int
) -> None:
    """The first piece is far smaller than Envoy's buffer; with the next one, of up to 1 MiB, the body is far larger.
    Envoy answers 413 there, before it calls the filter, if the filter holds the whole body back.
    """
    body, version = said(keys, before=5 * MB), version_behind(host, 5 * MB)
    for raw in [post(keys, body), chunked(post(keys, body), 100 * KB)]:
        head_bytes = raw.index(b"\r\n\r\n") + 4
        connection = await Connection.open(envoy.port)
        exchange = connection.start(raw[: head_bytes + first_bytes])
        await asyncio.sleep(0.1)
        connection.send_more(raw[head_bytes + first_bytes :])
        await exchange.ended()
        connection.close()
        assert exchange.status == 200, (exchange.status, bytes(exchange.body))
        received = only_request(servers)
        assert (received.version, received.body) == (version, body)
        servers[version].received.clear()


async def test_what_is_no_json_object_goes_by_the_next_key(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    name = b'"metadata":{"conversation_id":"' + keys[b"v2"] + b'"}'
    multipart = (b"content-type", b"multipart/form-data; boundary=b")
    for body, headers, version in [
        (b"", [], HEADER),
        (b"   ", [], HEADER),
        (b"not JSON " + name, [], HEADER),
        (b'{"a":]' + name + b"}", [], HEADER),
        (b'[{"metadata":{}}]', [], HEADER),
        (b'{"metadata":{"conversation_id":""}}', [], HEADER),
        (b'{"metadata":{"conversation_id":{"id":"x"}},"user":null}', [], HEADER),
        (b'{"user":"' + keys[b"v2"] + b'"}', [], BODY),
        (b"{" + name + b" and then no JSON", [], BODY),
        (b"\n\t {" + name + b"}", [], BODY),
        (gzip.compress(b"{" + name + b"}"), [(b"content-encoding", b"gzip")], HEADER),
        (b"{" + name + b"}", [(b"content-encoding", b"identity")], BODY),
        (b"{" + name + b"}", [(b"content-type", b"text/plain")], BODY),
        (b'--b\r\ncontent-disposition: form-data; name="f"\r\n\r\n{' + name + b"}\r\n--b--\r\n", [multipart], HEADER),
    ]:
        raw = post(keys, body, *headers)
        if any(header == b"content-type" for header, _ in headers):
            raw = raw.replace(b"content-type: application/json\r\n", b"")
        await assert_arrives(envoy, servers, raw, body, version)
        if body:
            await assert_arrives(envoy, servers, chunked(raw, 7), body, version)


async def test_methods_without_a_body_do_not_wait(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    for method in [b"GET", b"DELETE", b"OPTIONS"]:
        raw = request(method=method, headers=[(b"x-conversation-id", keys[b"v1"])], body=b"")
        await assert_arrives(envoy, servers, raw, b"", HEADER)


async def test_a_websocket_is_upgraded(envoy: Envoy, servers: Servers, keys: Keys, replies: Replies) -> None:
    switch = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))
    replies["upgrade"] = Reply((b"hello",), 101, None, switch, Framing.OWN_HEADERS)
    headers = [(b"x-conversation-id", keys[b"v1"]), *switch, (b"x-test-reply", b"upgrade")]
    connection = await Connection.open(envoy.port)
    exchange = connection.start(request(method=b"GET", headers=headers, body=b""))
    await exchange.body_reaches(len(b"hello"))
    connection.close()
    assert (exchange.status, bytes(exchange.body)) == (101, b"hello")
    assert only_request(servers).version == HEADER


@pytest.mark.parametrize("size", [0, 900 * KB])
async def test_a_client_that_expects_100_continue_gets_it(
    envoy: Envoy, servers: Servers, keys: Keys, size: int
) -> None:
    body = said(keys, before=size)
    head, _, _ = post(keys, body, (b"expect", b"100-continue")).partition(b"\r\n\r\n")
    connection = await Connection.open(envoy.port)
    exchange = connection.start(head + b"\r\n\r\n")
    await exchange.server_continues()
    connection.send_more(body)
    await exchange.ended()
    connection.close()
    received = only_request(servers)
    assert (exchange.status, received.version, received.body) == (200, BODY, body)


@pytest.mark.parametrize("trailers", [(), ((b"x-checksum", b"1"),)], ids=["no trailers", "trailers"])
async def test_http2(envoy: Envoy, host: Host, servers: Servers, keys: Keys, trailers: tuple[Header, ...]) -> None:
    header = (b"x-conversation-id", keys[b"v1"])
    small, large = said(keys), said(keys, before=900 * KB)
    cases: list[tuple[bytes, list[bytes | float], str]] = [
        (small, [small], BODY),
        (small, [*(small[at : at + 1] for at in range(len(small)))], BODY),
        (small, [small[:20], 0.2, small[20:], 0.2], BODY),
        (small[:-30], [small[:-30]], HEADER),
        (small[:-30], [small[:20], 0.1, small[20:-30], 0.1], HEADER),
        (large, [large], BODY),
        (large, [large[:-40], 0.2, large[-40:]], BODY),
        (said(keys, before=5 * MB), [said(keys, before=5 * MB)], version_behind(host, 5 * MB)),
        (b"", [], HEADER),
    ]
    for body, pieces, version in cases:
        status, answer = await post_http2(envoy.port, [header], pieces, trailers)
        received = only_request(servers)
        assert (status, received.version, len(received.body)) == (200, version, len(body))
        assert received.body == body and answer
        servers[version].received.clear()


async def test_the_default_keys(start_envoy: StartEnvoy, client_of: ClientOf, explain: Explain) -> None:
    """A rollout that names no key finds the ids that clients are known to send. A user's id tells no time."""
    untold = rollout(steps=Ramp([(now_ms() - HOUR_MS, 50)]).json())
    del untold["key"]
    envoy = await asyncio.to_thread(start_envoy, config(untold))
    dice, years_ms = random.Random(7), 3 * 365 * 24 * HOUR_MS
    client = client_of(envoy)

    async def versions_of(keys: list[bytes], *placements: Any) -> AsyncIterator[tuple[bytes, bytes | None]]:
        for place in placements:
            for key in keys:
                headers = [(place, key)] if isinstance(place, bytes) else []
                body = {"messages": []} | ({} if headers else place(key.decode()))
                exchange = await client.send(request(headers=headers, body=json.dumps(body).encode()))
                yield key, exchange.header(b"x-llm-version")

    of_conversations = [
        b"x-conversation-id",
        b"x-claude-code-session-id",
        lambda key: {"conversation": key},
        lambda key: {"conversation": {"id": key}},
        lambda key: {"prompt_cache_key": key, "user": "somebody"},
        lambda key: {"metadata": {"conversation_id": key, "user_id": "somebody"}},
        lambda key: {"metadata": {"session_id": key}},
    ]
    of_users = [b"x-user-id", lambda key: {"user": key}, lambda key: {"metadata": {"user_id": key}}]
    plain = [b"plain-%d" % at for at in range(12)]
    expected = await asyncio.to_thread(explain, config(rollout(split={"v2": 50})), plain)
    assert set(expected.values()) == {b"v1", b"v2"}
    seen = {pair async for pair in versions_of(plain, *of_conversations, *of_users)}
    assert seen == set(expected.items())

    of_old = [uuid7(now_ms() - dice.randrange(HOUR_MS * 2, years_ms), dice) for _ in range(20)]
    assert {version async for _, version in versions_of(of_old, *of_conversations)} == {b"v1"}, "begun before the ramp"
    by_place = {(key, b"v2" if bucket(b"chat", key) < 500_000 else b"v1") for key in of_old}
    assert {pair async for pair in versions_of(of_old, *of_users)} == by_place
    assert "requests no longer wait" not in envoy.log()


async def test_a_slow_upload_is_waited_for(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    """A byte arrives now and then, for longer than a request waits where nothing comes."""
    body = said(keys)
    at = body.index(keys[b"v2"])
    head, _, _ = post(keys, body).partition(b"\r\n\r\n")
    connection = await Connection.open(envoy.port)
    exchange = connection.start(head + b"\r\n\r\n")
    pieces = [body[:1], body[1:2], body[2:5], body[5:at], body[at : at + 3], body[at + 3 :]]
    for piece in pieces:
        await asyncio.sleep((WAIT_S + 2 * TICK_S) / len(pieces))
        connection.send_more(piece)
    await exchange.ended()
    connection.close()
    received = only_request(servers)
    assert (exchange.status, received.version, received.body) == (200, BODY, body)


async def test_a_body_that_is_cut_reaches_nobody_and_leaves_nothing(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    """Clients go away while their requests wait. Afterwards nothing is active, and others are served."""
    head, _, _ = post(keys, b"x" * 100 * KB).partition(b"\r\n\r\n")
    head = head.replace(b"100000", b"200000") + b"\r\n\r\n"

    async def cut(at: int) -> None:
        connection = await Connection.open(envoy.port)
        connection.start(head + b'{"a":"' + b"x" * (at % 3) * 30 * KB)
        await asyncio.sleep(0.02 * (at % 3))
        connection.abort()

    sizes = []
    for _ in range(CUT_ROUNDS):
        await asyncio.gather(*(cut(at) for at in range(CUT_AT_ONCE)))
        sizes.append(vm_bytes(envoy.pid))  # of no VM, natively
    active = "http.llm.downstream_rq_active"
    await envoy.until(lambda: envoy.counter(active) == 0, "no active request")
    growth = [after - before for before, after in zip(sizes[1], sizes[-1], strict=True)]
    assert max(growth, default=0) <= CUT_VM_GROWTH_BYTES_MAX, f"the VMs have grown: {sizes}"
    assert [server.received for server in servers.values()] == [[], []]
    body = said(keys)
    await assert_arrives(envoy, servers, post(keys, body), body, BODY)


async def test_requests_without_a_body_behind_requests_that_wait(envoy: Envoy, servers: Servers, keys: Keys) -> None:
    """Many at once, in one VM: each gets its own version and its own body."""
    bodies = {b"%d" % at: said(keys, before=at * 1000) if at % 2 else b"no JSON %d" % at for at in range(60)}

    async def send(name: bytes, body: bytes) -> Exchange:
        raw = post(keys, body, (b"x-name", name))
        connection = await Connection.open(envoy.port)
        middle = len(raw) - len(body) // 2
        exchange = connection.start(raw[:middle])
        await asyncio.sleep(0.1)
        connection.send_more(raw[middle:])
        await exchange.ended()
        connection.close()
        return exchange

    exchanges = await asyncio.gather(*(send(name, body) for name, body in bodies.items()))
    assert {exchange.status for exchange in exchanges} == {200}
    received = {r.header(b"x-name")[0]: r for server in servers.values() for r in server.received}
    assert {name: r.body for name, r in received.items()} == bodies
    assert {name: r.version for name, r in received.items()} == {
        name: BODY if body.startswith(b"{") else HEADER for name, body in bodies.items()
    }
