"""A header that comes in several lines, over HTTP/1.1 and HTTP/2. Equal lines count once, others are joined in order.
Over HTTP/2 a client may send each cookie in a line of its own.
"""

import asyncio

from pylib.client import Client
from pylib.http1 import Header, request
from tests.e2e.conftest import Explain, Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.http2 import post

CONFIGURATION = config(rollout(split={"v2": 50}, key=[{"header": "x-id"}, {"cookie": "conversation"}]))
# Lines, and the key that they are.
LINES: list[tuple[list[Header], bytes]] = [
    (lines, key)
    for at in range(8)
    for a, b in [(b"a%d" % at, b"b%d" % at)]
    for lines, key in [
        ([(b"x-id", a)], a),
        ([(b"x-id", a), (b"x-id", a)], a),
        ([(b"x-id", a), (b"x-other", b), (b"x-id", b)], a + b"," + b),
        ([(b"x-id", b), (b"x-id", a), (b"x-id", b)], b + b"," + a),
        ([(b"cookie", b"x=1"), (b"cookie", b"conversation=" + a)], a),
        ([(b"cookie", b"conversation=" + a + b"; x=1"), (b"cookie", b"conversation=" + b)], a),
    ]
]


@EACH_VERSION
async def test_lines_are_one_value(
    start_envoy: StartEnvoy, client_of: ClientOf, servers: Servers, explain: Explain
) -> None:
    envoy: Envoy = await asyncio.to_thread(start_envoy, CONFIGURATION)
    expected = await asyncio.to_thread(explain, CONFIGURATION, sorted({key for _, key in LINES}))
    assert set(expected.values()) == {b"v1", b"v2"}
    client: Client = client_of(envoy)
    for headers, key in LINES:
        for way in ("HTTP/1.1", "HTTP/2"):
            for server in servers.values():
                server.received.clear()
            if way == "HTTP/2":
                status, _ = await post(envoy.port, headers, [b"{}"])
            else:
                status = (await client.send(request(headers=headers, body=b"{}"))).status
            assert status == 200
            [arrived] = [name for name, server in servers.items() if server.received]
            assert arrived.encode() == expected[key], f"{headers} over {way}"
