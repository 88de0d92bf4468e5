"""A running conversation stays where it began, through a ramp on three real Envoys.

What is expected is computed from the ramp's steps and from a murmur3 that is not the filter's.
"""

import asyncio
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pylib.buckets import bucket
from pylib.client import Exchange
from pylib.http1 import Header
from pylib.prometheus import Snapshot
from tests.e2e.conftest import Servers
from tests.harness import REPOSITORY, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import Host
from tests.harness.ramp import Conversation, Known, Population, Ramp, now_ms
from tests.harness.upstream import Replies, whole

Remember = Callable[[Exchange], Known]

PERCENT = [1, 5, 25, 50, 25, 100]
STEP_S = 2.0
# A step must reach every Envoy before it takes effect.
AHEAD_S = 2.0
TURNS = 4
TIMED, UNTIMED = 2000, 100
RESPONSE = b'{"id":"resp_0123456789","object":"response","status":"completed","model":"m","output":[]}'

PINS = {"cookie": {"cookie": "llm_pin"}, "header": {"header": "x-llm-pin"}, "response": {"response_id": True}}


def configuration(ramp: Ramp) -> Json:
    def release(name: str, **fields: Any) -> Json:
        return rollout(name=name, match={"headers": {"x-rollout": name}}, steps=ramp.json(), **fields)

    pinned = [release(name, pin=pin) for name, pin in PINS.items()]
    return config(release("timed"), release("plain"), *pinned)


def write(envoys: list[Envoy], ramp: Ramp) -> list[Path]:
    """Writes the same file for each Envoy, ready to be renamed into place."""
    first, *others = envoys
    file = first.write(configuration(ramp))
    return [file, *(Path(shutil.copy(file, envoy.folder)) for envoy in others)]


def cookie_jar() -> Remember:
    """Does as a browser: it sends back the cookie that it was given last."""
    jar: list[Header] = []

    def remember(exchange: Exchange) -> Known:
        given = exchange.header(b"set-cookie")
        jar[:] = [(b"cookie", given.split(b";")[0])] if given else jar
        return list(jar), {}

    return remember


def remember_header(exchange: Exchange) -> Known:
    pin = exchange.header(b"x-llm-pin")
    assert pin is not None
    return [(b"x-llm-pin", pin)], {}


def remember_response(exchange: Exchange) -> Known:
    return [], {"previous_response_id": json.loads(exchange.body)["id"]}


def conversations(seconds: float, dice: random.Random) -> Iterator[Conversation]:
    """The conversations of each rollout, spread evenly over the time. Each lasts for a good part of it."""

    def some(count: int, name: str, **fields: Any) -> Iterator[Conversation]:
        for at in range(count):
            pauses = [dice.uniform(0, seconds / TURNS) for _ in range(TURNS - 1)]
            more = {key: value() if key == "remember" else value for key, value in fields.items()}
            yield Conversation(name, seconds * at / count, pauses, **more)

    yield from some(TIMED, "timed", timed=True)
    yield from some(UNTIMED, "plain")
    yield from some(UNTIMED, "cookie", remember=cookie_jar)
    yield from some(UNTIMED, "header", remember=lambda: remember_header)
    yield from some(UNTIMED, "response", remember=lambda: remember_response, reply="response")


async def test_a_ramp_on_three_envoys(start_envoy: StartEnvoy, host: Host, servers: Servers, replies: Replies) -> None:
    """One Envoy is older, and one restarts midway. The file is replaced at each step."""
    replies["response"] = whole(RESPONSE)
    untouched = configuration(Ramp([(now_ms(), 0)]))
    versions = (host.newest, host.oldest, host.newest)
    envoys = [await asyncio.to_thread(start_envoy, untouched, version=version) for version in versions]
    before = [await asyncio.to_thread(envoy.stats) for envoy in envoys]
    population = Population(envoys, target=b"/v1/responses")
    seconds = AHEAD_S + STEP_S * len(PERCENT)
    everyone = list(conversations(seconds, random.Random(3)))
    begin_ms, gone = now_ms() + 4000, []
    ramp = Ramp([(begin_ms + int(1000 * (AHEAD_S + STEP_S * at)), percent) for at, percent in enumerate(PERCENT)])
    written = [await asyncio.to_thread(write, envoys, Ramp(ramp.steps[: at + 1])) for at in range(len(PERCENT))]

    def write_steps() -> None:
        for (at, _), files in zip(ramp.steps, written, strict=True):
            time.sleep(max(0, at / 1000 - AHEAD_S - now_ms() / 1000))
            for envoy, file in zip(envoys, files, strict=True):
                envoy.rename(file)
            assert now_ms() < at - 1000 * AHEAD_S / 2, "this machine is too slow for what is expected below"

    async def restart(index: int) -> None:
        await asyncio.sleep(seconds / 2)
        await population.take_out(envoys[index])
        # Its counters end with it.
        gone.append(await asyncio.to_thread(envoys[index].stats) - before[index])
        await asyncio.to_thread(envoys[index].restart)
        before[index] = await asyncio.to_thread(envoys[index].stats)
        population.put_in(envoys[index])

    await asyncio.sleep((begin_ms - now_ms()) / 1000)
    async with asyncio.TaskGroup() as group:
        group.create_task(population.run(everyone))
        group.create_task(asyncio.to_thread(write_steps))
        group.create_task(restart(2))
    population.close()
    turns = [turn for conversation in everyone for turn in conversation.turns]
    assert {turn.status for turn in turns} == {200} and len(turns) == TURNS * len(everyone)
    assert {turn.envoy for turn in turns} == set(envoys)

    of = {name: [c for c in everyone if c.rollout == name] for name in ["timed", "plain", *PINS]}
    check_timed(ramp, of["timed"])
    moved = check_untimed(ramp, of["plain"])
    for name in PINS:
        check_pinned(ramp, of[name])

    seen = [await envoy.flushed() - earlier for envoy, earlier in zip(envoys, before, strict=True)] + gone
    decisions = sum_by(seen, "llm_decisions_total", "llm_reason")
    assert decisions("timed") == {"started": TURNS * TIMED}
    assert decisions("plain") == {"split": TURNS * UNTIMED}
    for name in PINS:
        assert decisions(name) == {"split": UNTIMED, "pin": (TURNS - 1) * UNTIMED}
        assert decisions(name, llm_compare="yes") == {"split": UNTIMED}
    # Of a request that was in flight at a step, only its Envoy knows on which side of the step it was.
    unheld = sum_by(seen, "llm_unheld_total", "llm_rollout")("plain").get("plain", 0)
    surely = sum(ramp.has_moved(c.place, turn.sent_ms) for c in of["plain"] for turn in c.turns)
    perhaps = sum(ramp.has_moved(c.place, turn.received_ms) for c in of["plain"] for turn in c.turns)
    print(
        f"{moved} of {UNTIMED} plain ids moved; {unheld:.0f} decisions counted as unheld, "
        f"{surely} to {perhaps} expected"
    )
    assert surely <= unheld <= perhaps and moved <= unheld
    assert sum_by(seen, "llm_unheld_total", "llm_rollout")("timed") == {}
    answered = [received.body for server in servers.values() for received in server.received]
    continued = [json.loads(body)["previous_response_id"] for body in answered if b"previous_response_id" in body]
    assert continued == ["resp_0123456789"] * (TURNS - 1) * UNTIMED, "each server knows its ids without marks"


def check_timed(ramp: Ramp, conversations: list[Conversation]) -> None:
    """Each conversation is where the moment of its beginning puts it, on every turn; and each step gets its share of
    new ones.
    """
    by_share: dict[int, list[bytes]] = {}
    for conversation in conversations:
        began_ms = int(conversation.key[:8] + conversation.key[9:13], 16)
        share = ramp.share(began_ms)
        expected = b"v2" if conversation.place < share else b"v1"
        assert conversation.versions == {expected}, (conversation, share)
        by_share.setdefault(share, []).append(expected)
    counts = {share // 10_000: (versions.count(b"v2"), len(versions)) for share, versions in sorted(by_share.items())}
    print("on the canary of those begun at each percentage:", counts)
    assert set(counts) == {0, *PERCENT}
    assert counts[0][0] == 0 and counts[100][0] == counts[100][1] and 0 < counts[50][0] < counts[50][1]


def check_untimed(ramp: Ramp, conversations: list[Conversation]) -> int:
    """Each turn is where the split in force puts it. Returns how many conversations moved."""
    for conversation in conversations:
        for turn in conversation.turns:
            shares = ramp.shares(turn.sent_ms, turn.received_ms)
            expected = {b"v2" if conversation.place < share else b"v1" for share in shares}
            assert turn.version in expected, (conversation, shares)
    moved = sum(len(conversation.versions) > 1 for conversation in conversations)
    assert moved, "a ramp that moves nobody shows nothing"
    return moved


def check_pinned(ramp: Ramp, conversations: list[Conversation]) -> None:
    """No conversation moves, although the ramp moves their buckets."""
    assert sum(len(conversation.versions) > 1 for conversation in conversations) == 0
    assert set.union(*(conversation.versions for conversation in conversations)) == {b"v1", b"v2"}
    held = sum(
        ramp.share(c.turns[0].sent_ms) <= c.place < ramp.share(c.turns[-1].sent_ms) and c.versions == {b"v1"}
        for c in conversations
    )
    assert held, "conversations that would have moved"


def sum_by(snapshots: list[Snapshot], name: str, label: str) -> Callable[..., dict[str | None, float]]:
    def sums(rollout: str, **labels: str) -> dict[str | None, float]:
        total: dict[str | None, float] = {}
        for snapshot in snapshots:
            for value, count in snapshot.by(name, label, llm_rollout=rollout, **labels).items():
                total[value] = total.get(value, 0) + count
        return total

    return sums


async def test_a_planned_ramp_needs_no_push(start_envoy: StartEnvoy) -> None:
    """The whole ramp is in the file from the beginning, and takes effect by the clock."""
    envoys = [await asyncio.to_thread(start_envoy, configuration(Ramp([]))) for _ in range(2)]
    begin_ms = now_ms() + int(1000 * AHEAD_S)
    ramp = Ramp([(begin_ms + 700 * at, percent) for at, percent in enumerate(PERCENT)])
    for envoy in envoys:
        await asyncio.to_thread(envoy.push, configuration(ramp))
    population = Population(envoys, target=b"/v1/responses")
    dice = random.Random(4)
    await asyncio.sleep((begin_ms - now_ms()) / 1000 - 0.3)
    everyone = [
        Conversation(name, 5 * at / 300, [dice.uniform(0, 1) for _ in range(3)], timed=name == "timed")
        for at in range(300)
        for name in ("timed", "plain")
    ]
    await population.run(everyone)
    population.close()
    check_timed(ramp, [c for c in everyone if c.rollout == "timed"])
    check_untimed(ramp, [c for c in everyone if c.rollout == "plain"])
    assert [envoy.discovery("config_reload") for envoy in envoys] == [2, 2]


def test_the_oracle_is_murmur3() -> None:
    """Against the places that an independent implementation gave."""
    lines = (REPOSITORY / "tests" / "data" / "buckets.csv").read_text().splitlines()[1:]
    for salt, key, place, _ in (line.split(",") for line in lines):
        assert bucket(bytes.fromhex(salt), bytes.fromhex(key)) == int(place)
