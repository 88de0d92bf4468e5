"""Clients that send their heads and hold their bodies back, timed so that they look like a proxy that delivers no
bodies. No client may turn keys in bodies off for others.
"""

import asyncio
import json

from pylib.client import Connection
from pylib.http1 import request
from tests.e2e.conftest import Explain
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION, WASM, on
from tests.harness.http2 import post as post_http2

CLIENTS = 32
# How long a request waits before any body has come, and how often Envoy checks.
WAIT_S, TICK_S = 2.0, 0.5
CANNOT_WAIT = {"allow_on_headers_stop_iteration": False}
TURNED_OFF = "requests no longer wait"


def by_body(salt: str) -> Json:
    return config(rollout(split={"v2": 50}, key=[{"body": "/conversation"}], salt=salt))


def said(key: bytes) -> bytes:
    return json.dumps({"conversation": key.decode()}).encode()


async def send_slow_bodies(envoy: Envoy) -> None:
    """Each body begins after its request has given up, and one of them right after, wherever the tick is."""

    async def send(at: int) -> None:
        body = said(b"slow-%d" % at)
        head, _, _ = request(body=body).partition(b"\r\n\r\n")
        connection = await Connection.open(envoy.port)
        await asyncio.sleep(TICK_S * at / CLIENTS)
        exchange = connection.start(head + b"\r\n\r\n")
        await asyncio.sleep(WAIT_S + TICK_S)
        connection.send_more(body)
        await exchange.ended()
        connection.close()
        assert exchange.status == 200

    await asyncio.gather(*(send(at) for at in range(CLIENTS)))


async def reload(envoy: Envoy, configuration: Json) -> None:
    before = envoy.discovery("config_reload")
    await asyncio.to_thread(envoy.push, configuration)
    await envoy.until(lambda: envoy.discovery("config_reload") > before, "the reload")


async def versions_by_body(envoy: Envoy, keys: list[bytes]) -> dict[bytes, bytes | None]:
    seen = {}
    for key in keys:
        connection = await Connection.open(envoy.port)
        exchange = await connection.start(request(body=said(key))).ended()
        connection.close()
        seen[key] = exchange.header(b"x-llm-version")
    return seen


@EACH_VERSION
async def test_slow_bodies_turn_nothing_off(start_envoy: StartEnvoy, explain: Explain) -> None:
    """Right after the first start, when no body has come yet, and right after reloads."""
    envoy = await asyncio.to_thread(start_envoy, by_body("0"), concurrency=1)
    keys = [b"c%d" % at for at in range(20)]
    for at in range(3):
        if at > 0:
            await reload(envoy, by_body(str(at)))
        await send_slow_bodies(envoy)
        expected = await asyncio.to_thread(explain, by_body(str(at)), keys)
        assert set(expected.values()) == {b"v1", b"v2"}
        assert await versions_by_body(envoy, keys) == expected, f"after {at} reloads"
        assert envoy.stats().sum("llm_body_waits") == 1
    assert TURNED_OFF not in envoy.log()


@on(*WASM.platforms)  # to the native module every body comes
async def test_a_body_that_has_not_come_is_no_proof(start_envoy: StartEnvoy) -> None:
    """Envoy tells the size of head and body in one sum only. Whatever the head is, the filter does not take a part of
    it for a body: here Envoy delivers no bodies, but none has come that it could deliver.
    """
    envoy = await asyncio.to_thread(start_envoy, by_body("0"), plugin=CANNOT_WAIT, concurrency=1)
    heads = [
        [],
        [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-empty", b""), (b"x-twice", b"1"), (b"X-Twice", b"2")],
        [(b"x-forwarded-for", b"1.2.3.4"), (b"x-bytes", b"\xff\xfe"), (b"x-long", b"x" * 8_000)],
        [(b"via", b"1.1 a"), (b"te", b"trailers"), (b"x-request-id", b"mine"), (b"x-llm-cluster", b"mine")],
    ]

    async def begin(headers: list[tuple[bytes, bytes]], target: bytes) -> None:
        head, _, _ = request(target=target, headers=headers, body=said(b"c")).partition(b"\r\n\r\n")
        connection = await Connection.open(envoy.port)
        exchange = connection.start(head + b"\r\n\r\n")
        await asyncio.sleep(WAIT_S + 3 * TICK_S)
        connection.send_more(said(b"c"))
        await exchange.ended()
        connection.close()
        assert exchange.status == 200

    late: list[bytes | float] = [WAIT_S + 3 * TICK_S, said(b"c")]
    targets = [b"/v1/chat/completions", b"/v1//chat/./x/../completions?a=b%20c"]
    async with asyncio.TaskGroup() as group:
        for headers in heads:
            for target in targets:
                group.create_task(begin(headers, target))
            short = [(name.lower(), value) for name, value in headers if len(value) < 100]
            group.create_task(post_http2(envoy.port, short, late))
    assert TURNED_OFF not in envoy.log()
    assert envoy.stats().sum("llm_body_waits") == 1
    # A body that has come is one.
    await asyncio.wait_for(versions_by_body(envoy, [b"c"]), WAIT_S + 3 * TICK_S)
    assert TURNED_OFF in envoy.log()
    assert envoy.stats().sum("llm_body_waits") == 0
