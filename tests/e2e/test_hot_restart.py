"""A hot restart: a new Envoy takes over the listening socket, and the old one finishes its streams. Running streams end
whole, nothing is lost, and the filter counts each stream that Envoy counts.
"""

import asyncio
import json
import math
import os
from pathlib import Path

from pylib.client import Connection
from pylib.http1 import request
from tests.e2e.conftest import Servers
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy, shipped_listener
from tests.harness.hosts import EACH_VERSION, NATIVE, Platform
from tests.harness.module import built
from tests.harness.ports import free_port
from tests.harness.traffic import Traffic
from tests.harness.upstream import Replies, events, stream

RUNNING, CLIENTS = 20, 8
DRAIN_S, PARENT_SHUTDOWN_S = 1, 2
CHAT = events((STREAMS / "openai-chat" / "chat-stream.sse").read_bytes())
HALF = CHAT[:3]
EVENT_S = 0.005
EXCHANGE_S = EVENT_S * len(CHAT)
COUNTS_WAIT_S = 0.05  # in the native module, at most
KEYS = [b"conversation-%d" % at for at in range(40)]


@EACH_VERSION
async def test_hot_restart(
    dependency: Dependency, platform: Platform, servers: Servers, replies: Replies, tmp_path: Path
) -> None:
    built(platform.host)
    port, base_id = free_port(), str(1_000 + os.getpid() % 30_000)

    def on_port(bootstrap: Json) -> None:
        shipped_listener(bootstrap)["address"]["socket_address"]["port_value"] = port

    def envoy(epoch: int) -> Envoy:
        times = ("--drain-time-s", str(DRAIN_S), "--parent-shutdown-time-s", str(PARENT_SHUTDOWN_S))
        return Envoy(
            dependency("envoy", platform.version),
            tmp_path / f"epoch-{epoch}",
            config(rollout(split={"v2": 50})),
            {f"llm-{name}": server.port for name, server in servers.items()},
            edit=on_port,
            host=platform.host,
            hot_restart=("--base-id", base_id, "--restart-epoch", str(epoch), *times),
        )

    def lines() -> list[str]:
        return old.access_log() + new.access_log()

    gate = asyncio.Event()
    replies["running"] = stream(*HALF, gate, *CHAT[3:])
    replies["short"] = stream(*(step for piece in CHAT for step in (piece, EVENT_S)))
    requests = [request(headers=[(b"x-conversation-id", key), (b"x-test-reply", b"short")]) for key in KEYS]
    old, new = envoy(0), envoy(1)
    try:
        await asyncio.to_thread(old.start)
        running = []
        for at in range(RUNNING):
            connection = await Connection.open(port)
            headers = [(b"x-conversation-id", KEYS[at]), (b"x-test-reply", b"running")]
            exchange = connection.start(request(headers=headers))
            await exchange.body_reaches(sum(map(len, HALF)))
            running.append((connection, exchange))
        async with Traffic(port, requests, CLIENTS) as traffic:
            await traffic.reaches(50)
            await asyncio.to_thread(new.start)
            taken_over = len(traffic.exchanges)
            await traffic.reaches(50)
            gate.set()
            for connection, exchange in running:
                await exchange.ended()
                connection.close()
            await old.until_exit(PARENT_SHUTDOWN_S + DRAIN_S + 10)
            await traffic.reaches(50)
        version_of: dict[bytes, set[bytes | None]] = {}
        for exchange in [*traffic.exchanges, *(exchange for _, exchange in running)]:
            assert (exchange.status, exchange.complete) == (200, True)
            assert exchange.body == b"".join(CHAT)
        for exchange in traffic.exchanges:
            version_of.setdefault(exchange.request, set()).add(exchange.header(b"x-llm-version"))
        assert all(len(found) == 1 for found in version_of.values()), "a conversation moved"
        count = RUNNING + len(traffic.exchanges)
        await new.until(lambda: len(lines()) >= count, "every line of the access logs")
        logged = [json.loads(line) for line in lines()]
        assert len(logged) == count, "each stream ended once"
        assert {(line["flags"], line["llm_reason"]) for line in logged} == {("-", "split")}
        # Envoy does not hand over its counters to the last one. So what the filter counts is compared with what Envoy
        # counts by itself.
        seen = await new.flushed()
        decided, sent = seen.sum("llm_decisions_total"), seen.sum("envoy_cluster_upstream_rq_total")
        print(
            f"{platform}: {taken_over} of {len(traffic.exchanges)} exchanges ended before the new one was live; "
            f"of {count} it shows {sent:.0f} sent to clusters, {decided:.0f} decided by the filter"
        )
        # What the filter counts as a native module reaches Envoy's counters a little later.
        begun_meanwhile = CLIENTS * math.ceil(COUNTS_WAIT_S / EXCHANGE_S) if platform.host == NATIVE else 0
        assert abs(decided - sent) <= CLIENTS + begun_meanwhile
        assert count - RUNNING - taken_over - CLIENTS <= seen.sum("llm_requests_total") <= count
        assert seen.by("llm_requests_total", "llm_outcome").keys() == {"complete"}
        assert new.filter_failures() == [] and "panicked" not in old.log()
    finally:
        await asyncio.to_thread(new.stop)
        await asyncio.to_thread(old.stop)
