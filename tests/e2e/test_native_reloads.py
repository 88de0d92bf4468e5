"""What the native module has counted outlives its configurations. Envoy removes a module's labelled series together
with the configuration that used them last.
"""

import asyncio
import itertools
from collections import Counter

from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import NATIVE, on
from tests.harness.traffic import Traffic
from tests.harness.upstream import Ending, Replies, events, stream

pytestmark = on(*NATIVE.platforms)

RELOADS, CLIENTS, BETWEEN = 5, 12, 60
FORGOTTEN_S = 0.5  # after which nothing of the old configuration is left
CHAT = events((STREAMS / "openai-chat" / "e2e-chat-usage.sse").read_bytes())
KINDS = {
    "whole": (stream(*CHAT), "complete"),
    "slow": (stream(*(step for piece in CHAT for step in (piece, 0.02))), "complete"),
    "cut": (stream(*CHAT[:3], 0.02, Ending.RESET), "upstream_reset"),
}
# Each answer that has a head is in these, and each that is whole in those.
OF_EACH = ("llm_request_duration_ms", "llm_time_to_first_byte_ms", "llm_response_chars")
OF_WHOLE = ("llm_output_tokens", "llm_input_tokens", "llm_output_tokens_per_second")


def configuration(at: int) -> Json:
    """The share never changes. Rollouts come and go beside it, and one of them has other versions each time."""
    others = [rollout(name=f"other-{name}", match={"path_prefix": "/x/"}) for name in range(at % 3)]
    share = rollout(split={"v2": 50}, pin={"cookie": "llm_pin", "max_age_s": 60 + at})
    return config(*others, share)


def requests() -> list[bytes]:
    keys = [b"conversation-%d" % at for at in range(40)]
    return [
        request(headers=[(b"x-conversation-id", key), (b"x-test-reply", kind.encode())])
        for key in keys
        for kind in KINDS
    ]


async def reload(envoy: Envoy, at: int) -> None:
    before = await asyncio.to_thread(envoy.discovery, "config_reload")
    await asyncio.to_thread(envoy.push, configuration(at))
    await envoy.until(lambda: envoy.discovery("config_reload") > before, "the reload")


def only_grows(earlier: Snapshot, later: Snapshot) -> None:
    """No counter and no histogram that was there has gone or begun anew, except with its rollout."""
    for (name, labels), value in earlier.items():
        if ("llm_rollout", "chat") in labels and name.endswith(("_total", "_count", "_bucket")):
            assert later.get((name, labels), -1) >= value, (name, dict(labels))


async def test_counters_and_histograms_survive_reloads_under_traffic(start_envoy: StartEnvoy, replies: Replies) -> None:
    """The counts since the start equal what the clients counted, with streams that began under one configuration and
    ended under another.
    """
    replies |= {kind: reply for kind, (reply, _) in KINDS.items()}
    envoy = await asyncio.to_thread(start_envoy, configuration(0))
    assert (await asyncio.to_thread(envoy.stats)).sum("llm_requests_total") == 0
    seen = [await envoy.flushed()]
    async with Traffic(envoy.port, requests(), CLIENTS) as traffic:
        for at in range(1, RELOADS + 1):
            await traffic.reaches(BETWEEN)
            await reload(envoy, at)
            await traffic.reaches(BETWEEN)
            seen.append(await envoy.flushed())
    count = len(traffic.exchanges)
    await envoy.settled(lambda now: now.sum("llm_requests_total") >= count)
    seen.append(await envoy.flushed())
    for earlier, later in itertools.pairwise(seen):
        only_grows(earlier, later)

    outcomes: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    whole_of: Counter[str] = Counter()
    for exchange in traffic.exchanges:
        [kind] = [kind for kind in KINDS if b"x-test-reply: %b\r\n" % kind.encode() in exchange.request]
        reply, outcome = KINDS[kind]
        assert (exchange.status, exchange.complete, bytes(exchange.body)) == (200, outcome == "complete", reply.body)
        version = (exchange.header(b"x-llm-version") or b"").decode()
        outcomes[outcome] += 1
        decisions[version] += 1
        whole_of[version] += outcome == "complete"
    last = seen[-1]
    assert last.by("llm_requests_total", "llm_outcome") == outcomes
    for name in ("llm_decisions_total", *(f"{name}_count" for name in OF_EACH)):
        assert last.by(name, "llm_version", llm_rollout="chat") == decisions, name
    for name in OF_WHOLE:
        assert last.by(f"{name}_count", "llm_version", llm_rollout="chat") == whole_of, name
    print(f"{RELOADS} reloads during {dict(outcomes)}")


async def test_nothing_is_lost_where_no_request_uses_a_series_between_reloads(
    start_envoy: StartEnvoy, client_of: ClientOf
) -> None:
    """Nothing comes after a reload that would bring a series back, and some series are used once and never again."""
    envoy = await asyncio.to_thread(start_envoy, configuration(0))
    client = client_of(envoy)
    keys = [b"conversation-%d" % at for at in range(8)]
    seen, count = [await envoy.flushed()], 0
    for at in range(1, RELOADS + 1):
        for key in keys[: len(keys) // at]:
            await client.send(request(headers=[(b"x-conversation-id", key)]))
            count += 1
        seen.append(await envoy.flushed())
        await reload(envoy, at)
        await asyncio.sleep(FORGOTTEN_S)
        seen.append(await envoy.flushed())
    for earlier, later in itertools.pairwise(seen):
        only_grows(earlier, later)
    for name in ("llm_requests_total", *(f"{name}_count" for name in OF_EACH)):
        assert seen[-1].sum(name, llm_rollout="chat") == count, name
    assert not [name for name, _ in seen[-1].series() if "llm_rollout" in name], "labels in names"
