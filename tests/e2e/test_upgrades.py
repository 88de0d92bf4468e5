"""WebSockets and other upgrades through real Envoy. Its flags are the same for an orderly end and for a cut, so the
frames tell.
"""

import asyncio
from collections.abc import Iterator

import pytest

from pylib.prometheus import Snapshot
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.http2 import Connection
from tests.harness.upstream import Ending
from tests.harness.websocket import CLOSE, PING, TEXT, WebSocketClient, WebSocketServer, frame, reset

pytestmark = EACH_VERSION

NORMAL = b"\x03\xe8"
SAID = frame(TEXT, b"\x88" * 300) + frame(PING) + frame(TEXT, b"x" * 70_000)
ASKED = frame(TEXT, b"\x88" * 300, is_masked=True)


def custom_upgrade(bootstrap: Json) -> None:
    manager = http_manager(bootstrap)
    manager["upgrade_configs"].append({"upgrade_type": "tcp"})
    manager["http2_protocol_options"]["allow_connect"] = True


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[WebSocketServer]:
    started = run(WebSocketServer().start())
    yield started
    run(started.stop())


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, server: WebSocketServer) -> Envoy:
    ports = {"llm-v1": server.port, "llm-v2": server.port}
    return start_envoy(config(rollout(split={"v2": 50})), edit=custom_upgrade, ports=ports, options=["upgrades"])


@pytest.fixture(autouse=True)
def forget(server: WebSocketServer) -> None:
    server.received.clear()


async def counted(envoy: Envoy, before: Snapshot, outcome: str) -> None:
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_requests_total", "llm_compare") == {"no": 1}
    assert seen.by("llm_decisions_total", "llm_compare") == {"no": 1}
    for name in ("llm_unread_total", "llm_response_chars_count", "llm_finish_total"):
        assert seen.sum(name) == 0, name


async def talk(envoy: Envoy, protocol: bytes = b"websocket") -> WebSocketClient:
    """Both sides send, and each gets the bytes of the other."""
    client, status = await WebSocketClient.open(envoy.port, protocol)
    assert status == 101
    client.writer.write(ASKED)
    assert await client.read(len(SAID)) == SAID
    return client


async def until_received(server: WebSocketServer, sent: bytes) -> None:
    async with asyncio.timeout(10):
        while bytes(server.received) != sent:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ending", list(Ending), ids=lambda ending: ending.name)
async def test_the_server_closes(envoy: Envoy, server: WebSocketServer, ending: Ending) -> None:
    """Whoever closes TCP then, and however."""
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID, 0.05, frame(CLOSE, NORMAL), 0.05, ending)
    client = await talk(envoy)
    await client.read(4)
    await client.read_to_end()
    await counted(envoy, before, "complete")


@pytest.mark.parametrize("cut", [False, True], ids=["FIN", "RST"])
async def test_the_client_closes(envoy: Envoy, server: WebSocketServer, cut: bool) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID,)
    client = await talk(envoy)
    close = frame(CLOSE, NORMAL, is_masked=True)
    client.writer.write(close)
    await until_received(server, ASKED + close)
    if cut:
        reset(client.writer)
    else:
        client.writer.close()
    await counted(envoy, before, "complete")


@pytest.mark.parametrize("ending", list(Ending), ids=lambda ending: ending.name)
async def test_the_server_cuts(envoy: Envoy, server: WebSocketServer, ending: Ending) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID, 0.1, ending)
    client = await talk(envoy)
    await client.read_to_end()
    await counted(envoy, before, "upstream_reset")


@pytest.mark.parametrize("cut", [False, True], ids=["FIN", "RST"])
async def test_the_client_cuts(envoy: Envoy, server: WebSocketServer, cut: bool) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID,)
    client = await talk(envoy)
    await until_received(server, ASKED)
    if cut:
        reset(client.writer)
    else:
        client.writer.close()
    await counted(envoy, before, "client_abort")


async def test_another_upgrade_ends_when_the_upstream_closes(envoy: Envoy, server: WebSocketServer) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID, 0.05, Ending.FIN)
    client = await talk(envoy, protocol=b"tcp")
    await client.read_to_end()
    await counted(envoy, before, "complete")


@pytest.mark.parametrize("closes", [True, False], ids=["Close", "cut"])
async def test_over_http2(envoy: Envoy, server: WebSocketServer, closes: bool) -> None:
    """HTTP/2 asks by an extended CONNECT (RFC 8441), which Envoy turns into an upgrade."""
    before = await asyncio.to_thread(envoy.stats)
    server.steps = (SAID,)
    connection = await Connection.open(envoy.port)
    headers = [(b":protocol", b"websocket"), (b"sec-websocket-version", b"13"), (b"x-conversation-id", b"c1")]
    stream, exchange = connection.start(headers, body=ASKED, target=b"/v1/realtime", is_whole=False, method=b"CONNECT")
    await exchange.until(lambda came: came.status and len(came.body) >= len(SAID))
    assert exchange.status == 200 and exchange.body == SAID
    close = frame(CLOSE, NORMAL, is_masked=True) if closes else b""
    if close:
        connection.send_more(stream, close)
    await until_received(server, ASKED + close)
    connection.cancel(stream)
    await counted(envoy, before, "complete" if closes else "client_abort")
    connection.close()
