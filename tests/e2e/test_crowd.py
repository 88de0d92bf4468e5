"""Two thousand streams are open at once. Every byte arrives, each stream is counted once, and their memory is compared
with that of the same streams through Envoy alone.
"""

import asyncio
import json

from pylib.client import Connection, Exchange
from pylib.http1 import request
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, without_filter
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.memory import resident_bytes, vm_bytes
from tests.harness.upstream import Replies, stream

Pieces = tuple[bytes, ...]

STREAMS = 2_000
OPENED_AT_ONCE = 100
MB = 1_000_000
MORE_THAN_ALONE_BYTES_MAX = 40 * MB


def event(text: str) -> bytes:
    document = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def said(at: int) -> tuple[Pieces, Pieces, str]:
    """Two pieces and the text of a stream that differs from all others. The cut is in the middle of an event."""
    first, second = event(f"{at} Grüße "), event("世界" * (at % 50))
    return (first, second[:20]), (second[20:], END), f"{at} Grüße " + "世界" * (at % 50)


async def crowd(envoy: Envoy, replies: Replies) -> tuple[int, int]:
    """Returns what Envoy holds before the streams, and while all are open. Each stream must bring its own bytes."""
    gate = asyncio.Event()
    for at in range(STREAMS):
        held, rest, _ = said(at)
        replies[f"crowd {at}"] = stream(*held, gate, *rest)
    slots, idle = asyncio.Semaphore(OPENED_AT_ONCE), resident_bytes(envoy.pid)

    async def open_one(at: int) -> tuple[Connection, Exchange]:
        async with slots:
            connection = await Connection.open(envoy.port)
            headers = [(b"x-conversation-id", b"%d" % at), (b"x-test-reply", b"crowd %d" % at)]
            exchange = connection.start(request(headers=headers))
            await exchange.body_reaches(sum(map(len, said(at)[0])))
            return connection, exchange

    opened = await asyncio.gather(*map(open_one, range(STREAMS)))
    busy = resident_bytes(envoy.pid)
    gate.set()
    for at, (connection, exchange) in enumerate(opened):
        await exchange.ended()
        connection.close()
        held, rest, _ = said(at)
        assert exchange.status == 200 and exchange.complete
        assert exchange.body == b"".join(held + rest), at
    for at in range(STREAMS):
        del replies[f"crowd {at}"]
    return idle, busy


@EACH_VERSION
async def test_two_thousand_streams_at_once(start_envoy: StartEnvoy, replies: Replies) -> None:
    configuration = config(rollout(split={"v2": 50}))
    envoy = await asyncio.to_thread(start_envoy, configuration)
    alone = await asyncio.to_thread(start_envoy, configuration, edit=without_filter)
    before = await asyncio.to_thread(envoy.stats)

    idle, busy = await crowd(envoy, replies)
    idle_alone, busy_alone = await crowd(alone, replies)

    print(
        f"Envoy {envoy.version}: {STREAMS} streams took {(busy - idle) / MB:.1f} MB of {busy / MB:.1f} MB resident, "
        f"the VMs {[size / MB for size in vm_bytes(envoy.pid)]}; alone {(busy_alone - idle_alone) / MB:.1f} MB of "
        f"{busy_alone / MB:.1f} MB"
    )
    assert (busy - idle) - (busy_alone - idle_alone) <= MORE_THAN_ALONE_BYTES_MAX
    seen = await envoy.counted(STREAMS, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": STREAMS}
    assert seen.sum("llm_decisions_total") == STREAMS
    assert seen.sum("llm_response_chars_total") == sum(len(said(at)[2]) for at in range(STREAMS))
    by_version = seen.by("llm_requests_total", "llm_version")
    assert min(by_version.values()) > 0.4 * STREAMS, by_version
