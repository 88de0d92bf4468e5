"""Configurations change while streams run: good ones by the hundred, and bad ones of every kind. Nothing is lost, cut
or counted twice, and Envoy holds no more memory afterwards.
"""

import asyncio
import json
from collections import Counter

from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.harness import REPOSITORY, STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION, Host
from tests.harness.memory import resident_bytes, vm_bytes
from tests.harness.traffic import Traffic
from tests.harness.upstream import Ending, Replies, events, stream

CLIENTS = 12
RELOADS, RELOADS_OF_OLDEST = 200, 15
RELOADS_WARM = 10  # before memory is compared
MB = 1_000_000
RELOADS_GROWTH_BYTES_MAX = 5 * MB
BAD = sorted((REPOSITORY / "tests" / "data" / "configs").glob("bad-*.json"))

CHAT = events((STREAMS / "openai-chat" / "chat-stream.sse").read_bytes())
KINDS = {
    "quick": (stream(*CHAT), "complete"),
    "slow": (stream(*(step for piece in CHAT for step in (piece, 0.03))), "complete"),
    "cut": (stream(*CHAT[:3], 0.02, Ending.RESET), "upstream_reset"),
}


def configuration(at: int) -> Json:
    """The share never changes, so every configuration sends a conversation to the same version."""
    share = rollout(split={"v2": 50}, pin={"cookie": "llm_pin", "max_age_s": 60 + at})
    return config(share, *(rollout(name=f"other-{name}", match={"path_prefix": "/x/"}) for name in range(at % 3)))


def requests() -> list[bytes]:
    keys = [b"conversation-%d" % at for at in range(40)]
    return [
        request(headers=[(b"x-conversation-id", key), (b"x-test-reply", kind.encode())])
        for key in keys
        for kind in KINDS
    ]


async def assert_nothing_is_lost(envoy: Envoy, traffic: Traffic, before: Snapshot) -> Counter[str]:
    """Each exchange is what it was meant to be, each conversation has one version, and each request is counted once."""
    outcomes: Counter[str] = Counter()
    versions: dict[bytes, set[bytes | None]] = {}
    for exchange in traffic.exchanges:
        [kind] = [kind for kind in KINDS if b"x-test-reply: %b\r\n" % kind.encode() in exchange.request]
        reply, outcome = KINDS[kind]
        assert (exchange.status, exchange.complete) == (200, outcome == "complete"), kind
        assert exchange.body == reply.body
        outcomes[outcome] += 1
        key = exchange.request.split(b"x-conversation-id: ")[1].split(b"\r\n")[0]
        versions.setdefault(key, set()).add(exchange.header(b"x-llm-version"))
    assert all(len(found) == 1 for found in versions.values()), "a conversation moved"
    seen = await envoy.counted(len(traffic.exchanges), since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == outcomes
    assert seen.sum("llm_decisions_total") == len(traffic.exchanges)
    return outcomes


async def change(envoy: Envoy, text: object, counter: str) -> None:
    before = await asyncio.to_thread(envoy.discovery, counter)
    await asyncio.to_thread(envoy.push, text)
    await envoy.until(lambda: envoy.discovery(counter) > before, counter)


@EACH_VERSION
async def test_hundreds_of_reloads_under_load(start_envoy: StartEnvoy, replies: Replies, host: Host) -> None:
    replies |= {kind: reply for kind, (reply, _) in KINDS.items()}
    envoy = await asyncio.to_thread(start_envoy, configuration(0))
    before = await asyncio.to_thread(envoy.stats)
    reloads = RELOADS if envoy.version == host.newest else RELOADS_OF_OLDEST
    async with Traffic(envoy.port, requests(), CLIENTS) as traffic:
        for at in range(1, reloads + 1):
            await change(envoy, configuration(at), "config_reload")
            if at == RELOADS_WARM:
                resident, vms = resident_bytes(envoy.pid), vm_bytes(envoy.pid)
    outcomes = await assert_nothing_is_lost(envoy, traffic, before)
    growth = resident_bytes(envoy.pid) - resident
    print(f"{reloads} reloads during {outcomes}: {growth / MB:+.1f} MB, VMs {vms} to {vm_bytes(envoy.pid)}")
    assert growth <= RELOADS_GROWTH_BYTES_MAX
    assert len(vm_bytes(envoy.pid)) == len(vms) == envoy.vm_count()


@EACH_VERSION
async def test_every_bad_configuration_under_load(start_envoy: StartEnvoy, replies: Replies) -> None:
    """With every bad configuration of tests/data/configs."""
    assert len(BAD) >= 15
    replies |= {kind: reply for kind, (reply, _) in KINDS.items()}
    envoy = await asyncio.to_thread(start_envoy, configuration(0))
    before = await asyncio.to_thread(envoy.stats)
    async with Traffic(envoy.port, requests(), CLIENTS) as traffic:
        for file in BAD:
            await change(envoy, file.read_text(), "update_rejected")
        await traffic.reaches(CLIENTS)
        await change(envoy, json.dumps(configuration(1)), "config_reload")
        await traffic.reaches(CLIENTS)
    await assert_nothing_is_lost(envoy, traffic, before)
