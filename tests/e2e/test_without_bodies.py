"""Keys in bodies where Envoy was not told allow_on_headers_stop_iteration, as under Istio's WasmPlugin. Nothing hangs,
the next key is used, and Envoy's log says what to do. json_to_metadata in front of the filter is one way.

To the native module every body comes, so only that way is tried there.
"""

import asyncio
import json
import struct
import time

import pytest

from pylib.buckets import bucket
from pylib.client import Client, Connection, Exchange
from pylib.http1 import request
from tests.e2e.conftest import Explain, Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import http_manager, json_to_metadata
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION, WASM, Host, on

CANNOT_WAIT = {"allow_on_headers_stop_iteration": False}
FIRST_WAIT_S_MAX, LATER_WAIT_S_MAX = 2.7, 0.4
WAY_OUT = "Set allow_on_headers_stop_iteration"
BY_BODY = config(rollout(split={"v2": 50}, key=[{"body": "/conversation"}, {"header": "x-conversation-id"}]))


def cannot_wait(host: Host) -> Json:
    return CANNOT_WAIT if host is WASM else {}


async def timed(port: int, raw: bytes) -> tuple[float, Exchange]:
    began = time.monotonic()
    connection = await Connection.open(port)
    exchange = await connection.start(raw).ended()
    connection.close()
    assert exchange.status == 200
    return time.monotonic() - began, exchange


@on(*WASM.platforms)
async def test_the_first_request_waits_and_the_others_do_not(
    start_envoy: StartEnvoy, servers: Servers, explain: Explain
) -> None:
    envoy = await asyncio.to_thread(start_envoy, BY_BODY, plugin=CANNOT_WAIT, concurrency=1)
    keys = [b"c%d" % at for at in range(20)]
    expected = await asyncio.to_thread(explain, BY_BODY, keys)
    bodies = {key: json.dumps({"conversation": "in the body", "to": key.decode()}).encode() for key in keys}
    raws = {key: request(headers=[(b"x-conversation-id", key)], body=body) for key, body in bodies.items()}

    first, *others = keys
    first_s, exchange = await timed(envoy.port, raws[first])
    seen = {first: exchange.header(b"x-llm-version")}
    others_s = []
    for key in others:
        wait_s, exchange = await timed(envoy.port, raws[key])
        others_s.append(wait_s)
        seen[key] = exchange.header(b"x-llm-version")
    print(f"the first request took {first_s:.2f} s, the others at most {max(others_s):.3f} s")
    assert first_s <= FIRST_WAIT_S_MAX and max(others_s) <= LATER_WAIT_S_MAX
    assert seen == expected, "each is routed by the next key"
    received = {r.header(b"x-conversation-id")[0]: r.body for server in servers.values() for r in server.received}
    assert received == bodies
    assert envoy.log().count(WAY_OUT) == 1
    assert envoy.stats().sum("llm_body_waits") == 0


@on(WASM.current)
@pytest.mark.parametrize(("setting", "waits"), [("always", 1), ("never", 0)])
async def test_body_wait_decides(start_envoy: StartEnvoy, explain: Explain, setting: str, waits: int) -> None:
    configuration = BY_BODY | {"body_wait": setting}
    envoy = await asyncio.to_thread(start_envoy, configuration, plugin=CANNOT_WAIT, concurrency=1)
    keys = [b"c%d" % at for at in range(4)]
    expected = await asyncio.to_thread(explain, BY_BODY, keys)
    for key in keys:
        raw = request(headers=[(b"x-conversation-id", key)], body=b'{"conversation":"in the body"}')
        wait_s, exchange = await timed(envoy.port, raw)
        assert exchange.header(b"x-llm-version") == expected[key]
        assert (wait_s > LATER_WAIT_S_MAX) == bool(waits) and wait_s <= FIRST_WAIT_S_MAX
    assert envoy.stats().sum("llm_body_waits") == waits
    assert WAY_OUT not in envoy.log()


@on(WASM.current)
async def test_each_worker_learns_it_once_and_none_hangs(start_envoy: StartEnvoy, servers: Servers) -> None:
    envoy = await asyncio.to_thread(start_envoy, BY_BODY, plugin=CANNOT_WAIT, concurrency=2)
    body = b'{"conversation":"c"}' + b" " * 200_000
    raws = [request(headers=[(b"x-conversation-id", b"%d" % at)], body=body) for at in range(100)]
    client = Client(envoy.port)
    began = time.monotonic()
    exchanges = await client.send_all(raws, at_once=20)
    client.close()
    assert {exchange.status for exchange in exchanges} == {200}
    assert time.monotonic() - began < 2 * FIRST_WAIT_S_MAX
    assert {received.body for server in servers.values() for received in server.received} == {body}
    assert 1 <= envoy.log().count(WAY_OUT) <= 2


@EACH_VERSION
async def test_metadata_from_the_body_needs_no_wait(
    start_envoy: StartEnvoy, servers: Servers, explain: Explain, host: Host
) -> None:
    configuration = config(rollout(split={"v2": 50}, key=[{"metadata": "llm/conv"}]))
    options = {"plugin": cannot_wait(host), "edit": json_to_metadata}
    envoy = await asyncio.to_thread(start_envoy, configuration, **options)
    keys = [b"c%d" % at for at in range(20)]
    seen, waits_s = {}, []
    for key in keys:
        body = json.dumps({"messages": ["x" * 10_000], "metadata": {"conversation_id": key.decode()}}).encode()
        wait_s, exchange = await timed(envoy.port, request(body=body))
        seen[key] = exchange.header(b"x-llm-version")
        waits_s.append(wait_s)
    assert seen == await asyncio.to_thread(explain, configuration, keys)
    assert set(seen.values()) == {b"v1", b"v2"}
    assert max(waits_s) < LATER_WAIT_S_MAX, waits_s
    _, exchange = await timed(envoy.port, request(body=b"no JSON"))
    assert exchange.header(b"x-llm-version") == b"v1"
    assert WAY_OUT not in envoy.log()


@EACH_VERSION
async def test_a_number_in_metadata_is_hashed_as_its_eight_bytes(
    start_envoy: StartEnvoy, servers: Servers, explain: Explain, host: Host
) -> None:
    configuration = config(
        rollout(
            key=[{"metadata": "llm/conv"}],
            started_at={"metadata": "llm/began"},
            steps=[{"at": "2020-01-01T00:00:00Z", "percent": {"v2": 50}}],
        )
    )

    def with_began(bootstrap: Json) -> None:
        json_to_metadata(bootstrap)
        rules = http_manager(bootstrap)["http_filters"][0]["typed_config"]["request_rules"]["rules"]
        rules.append({"selectors": [{"key": "began"}], "on_present": {"metadata_namespace": "llm", "key": "began"}})

    options = {"plugin": cannot_wait(host), "edit": with_began}
    envoy = await asyncio.to_thread(start_envoy, configuration, **options)
    ids = [7, 42, 1_000_000, *range(4_000_000_000, 4_000_000_012), 1_795_424_400_000, 900_719_925_474_099, 0, -1, 0.25]
    by_digits = await asyncio.to_thread(explain, configuration, [str(number).encode() for number in ids])
    on = {number: b"v2" if bucket(b"chat", struct.pack("<d", number)) < 500_000 else b"v1" for number in ids}
    assert set(on.values()) == set(by_digits.values()) == {b"v1", b"v2"}
    assert any(on[number] != by_digits[str(number).encode()] for number in ids)

    async def routed(conversation: object, **fields: object) -> bytes | None:
        body = json.dumps({"metadata": {"conversation_id": conversation}} | fields).encode()
        return (await timed(envoy.port, request(body=body)))[1].header(b"x-llm-version")

    for number in ids:
        assert await routed(number) == on[number], number
        # Digits are another id, with and without white space around them.
        for conversation in (str(number), f"  {number}  "):
            assert await routed(conversation) == by_digits[str(number).encode()], conversation
    for none in ("null", "undefined", " ", "[object Object]"):
        assert await routed(none) == b"v1", none
    on_v2 = next(number for number in ids if on[number] == b"v2")
    # Before the first step all were on the baseline.
    for began in (1_560_000_000, 1_560_000_000.123, 1_560_000_000_123, 1_560_000_000_123_456, "2019-06-08T13:20:00"):
        assert await routed(on_v2, began=began) == b"v1", began
    before = envoy.stats()
    assert await routed(on_v2, began=7) == b"v2"
    assert await routed(on_v2, began="yesterday") == b"v2"
    assert await routed(on_v2, began="") == b"v2"
    await envoy.settled(lambda seen: seen.sum("llm_started_at_invalid_total") == 2, before)
    assert (await envoy.flushed() - before).sum("llm_started_at_invalid_total", llm_version="v2") == 2
