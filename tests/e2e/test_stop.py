"""The operator's commands under load, on three Envoys that watch one file. `stop` empties a version within two seconds
and cuts nothing off; `drain` lets running conversations finish where they are.
"""

import asyncio
import json
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.request import urlopen

import pytest

from pylib.buckets import uuid7
from pylib.client import Client, Connection, Exchange
from pylib.http1 import Header, request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, discovered_filter
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import Host
from tests.harness.ramp import Ramp, now_ms, rfc3339
from tests.harness.traffic import Traffic
from tests.harness.upstream import Replies, stream

Operate = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]

# How often the time to the last canary request is taken; the p99 of twenty is what is promised.
RUNS = int(os.environ.get("LLM_CANARY_STOP_RUNS", "5"))
STOP_S_MAX = 2.0
CLIENTS, STREAMS = 4, 2  # at each Envoy
LOAD_S = 0.4
# The command writes a step two to three seconds ahead, so that every Envoy knows of it in time.
DRAIN_AHEAD_S = 3.1
PER_SECOND_MIN = 50
HOUR_MS = 3_600_000
# The limits of a configuration, and how many of its steps are planned.
STEPS_MAX, VERSIONS_MAX, SALT_BYTES_MAX, PLANNED = 256, 16, 256, 6
HEAD, TAIL = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n', b"data: [DONE]\n\n"


def half_and_half() -> Json:
    """A split of 50 %, which has been in force for an hour."""
    return config(rollout(steps=Ramp([(now_ms() - HOUR_MS, 50)]).json(), pin={"header": "x-llm-pin"}))


@pytest.fixture(scope="module")
def envoys(start_envoy: StartEnvoy, host: Host) -> list[Envoy]:
    """Three Envoys that watch the first one's file."""
    first = start_envoy(half_and_half())

    def watch_the_first(bootstrap: Json) -> None:
        source = discovered_filter(bootstrap)["config_discovery"]["config_source"]["path_config_source"]
        source["path"] = str(first.file)
        source["watched_directory"] = {"path": str(first.folder / "ecds")}

    return [first, *(start_envoy(half_and_half(), version=v, edit=watch_the_first) for v in (host.newest, host.oldest))]


@pytest.fixture
def operate(envoys: list[Envoy], llm_canary: RunTool) -> Operate:
    """Runs a command on that file. Returns when every Envoy runs the change."""

    async def run(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        admins = [part for envoy in envoys for part in ("--admin", envoy.admin_address)]
        file = envoys[0].file
        said = await asyncio.to_thread(llm_canary, command, file, *arguments, *admins)
        assert said.returncode == 0, said.stderr
        return said

    return run


def reloaded(envoy: Envoy, before: int) -> Callable[[], bool]:
    return lambda: envoy.discovery("config_reload") > before


async def begin_anew(envoys: list[Envoy]) -> None:
    reloads = [envoy.discovery("config_reload") for envoy in envoys]
    await asyncio.to_thread(envoys[0].push, half_and_half())
    for envoy, before in zip(envoys, reloads, strict=True):
        await envoy.until(reloaded(envoy, before), "the configuration to begin with")


def ask(key: bytes, *headers: Header) -> bytes:
    return request(headers=[(b"x-conversation-id", key), *headers])


async def version_of(client: Client, key: bytes, *headers: Header) -> bytes | None:
    exchange = await client.send(ask(key, *headers))
    assert exchange.status == 200
    return exchange.header(b"x-llm-version")


async def streams_on(envoy: Envoy, version: bytes) -> list[tuple[Connection, Exchange]]:
    """Begins streams on that version. They wait until the test lets them go on."""
    running = []
    for at in range(100):
        connection = await Connection.open(envoy.port)
        exchange = connection.start(ask(b"running-%d" % at, (b"x-test-reply", b"gated")))
        await exchange.body_reaches(len(HEAD))
        if exchange.header(b"x-llm-version") == version:
            running.append((connection, exchange))
            if len(running) == STREAMS:
                return running
        else:
            connection.abort()
    raise AssertionError(f"no {STREAMS} streams on {version!r}")


async def test_from_the_command_to_the_last_canary_request(
    envoys: list[Envoy], operate: Operate, servers: Servers, replies: Replies
) -> None:
    replies["short"] = stream(HEAD, 0.02, TAIL)
    raws = [ask(b"k%d" % at, *([(b"x-test-reply", b"short")] if at % 2 else [])) for at in range(100)]
    stops_s = []
    for _ in range(RUNS):
        gate = asyncio.Event()
        replies["gated"] = stream(HEAD, gate, TAIL)
        await begin_anew(envoys)
        running = [pair for envoy in envoys for pair in await streams_on(envoy, b"v2")]
        servers["v2"].received.clear()
        async with AsyncExitStack() as stack:
            traffic = [await stack.enter_async_context(Traffic(envoy.port, raws, CLIENTS)) for envoy in envoys]
            await asyncio.gather(*(one.reaches(CLIENTS) for one in traffic))
            await asyncio.sleep(LOAD_S)
            commanded_at = time.monotonic()
            await operate("stop", "v2")
            known_at = time.monotonic()
            await asyncio.sleep(LOAD_S)
        starts_s = [received.at - commanded_at for received in servers["v2"].received]
        assert sum(start <= 0 for start in starts_s) / LOAD_S > PER_SECOND_MIN, "without load the figure means nothing"
        assert sum(received.at > known_at for received in servers["v1"].received) / LOAD_S > PER_SECOND_MIN
        assert not any(received.at > known_at for received in servers["v2"].received), "the command returned too early"
        stops_s.append(max(starts_s))
        exchanges = [exchange for one in traffic for exchange in one.exchanges]
        assert {exchange.status for exchange in exchanges} == {200} and all(e.complete for e in exchanges)
        gate.set()
        for connection, exchange in running:
            await exchange.ended()
            connection.close()
            assert exchange.complete and exchange.body == HEAD + TAIL
    stops_s.sort()
    print(
        f"{RUNS} stops under load on three Envoys: from the command to the last request on the canary "
        f"{stops_s[len(stops_s) // 2]:.2f} s (median), {stops_s[-1]:.2f} s (most)"
    )
    assert stops_s[-1] <= STOP_S_MAX


def at_every_limit(bytes_max: int | None) -> str:
    """16 versions and 256 steps, six of them planned. With `bytes_max`, it has exactly so many bytes and no blanks."""
    began_ms = now_ms() - 300 * HOUR_MS
    shares = [(30 + at % 7, 10 + at % 3) for at in range(STEPS_MAX)]
    times = [began_ms + at * HOUR_MS for at in range(STEPS_MAX - PLANNED)]
    times += [now_ms() + (at + 1) * HOUR_MS for at in range(PLANNED)]
    steps = [{"at": rfc3339(ms), "percent": {"v2": v2, "v3": v3}} for ms, (v2, v3) in zip(times, shares, strict=True)]
    # Two model servers stand behind all of them.
    versions = [{"name": f"v{at}", "cluster": "llm-v2" if at == 2 else "llm-v1"} for at in range(1, VERSIONS_MAX + 1)]

    def text(fill: int, salt: int) -> str:
        values = [f"{at:08}{'x' * 60}" for at in range(fill)]
        overrides = [
            {"header": "x-filler", "values": values[at : at + 250], "version": "v1"} for at in range(0, fill, 250)
        ]
        whole = config(rollout(steps=steps, versions=versions, overrides=overrides, salt="s" * salt))
        return json.dumps(whole, separators=(",", ":"))

    if bytes_max is None:
        return text(0, 1)
    fill = 0
    while (rest := bytes_max - len(text(fill, 1))) > SALT_BYTES_MAX - 1:
        fill += max(rest // 72, 1)
    full = text(fill, 1 + rest)
    assert len(full) == bytes_max
    return full


@pytest.mark.parametrize("bytes_max", [None, 1 << 20], ids=["256 steps", "256 steps in 1 MiB"])
async def test_a_version_is_stopped_at_every_limit(
    envoys: list[Envoy], operate: Operate, servers: Servers, bytes_max: int | None
) -> None:
    """Nothing can be added to the configuration. The version is empty at once, and nobody else's conversations move."""
    reloads = [envoy.discovery("config_reload") for envoy in envoys]
    await asyncio.to_thread(envoys[0].push, at_every_limit(bytes_max))
    for envoy, before in zip(envoys, reloads, strict=True):
        await envoy.until(reloaded(envoy, before), "a configuration at every limit")
    dice = random.Random(7)
    clients = [Client(envoy.port) for envoy in envoys]
    # Some began under any of the steps, and some do not say when.
    starts_ms = [now_ms() - dice.randrange(310 * HOUR_MS) for _ in range(90)]
    keys = [uuid7(ms, dice) for ms in starts_ms] + [b"plain-%d" % at for at in range(60)]
    began_on = {key: await version_of(clients[at % 3], key) for at, key in enumerate(keys)}
    assert set(began_on.values()) == {b"v1", b"v2", b"v3"}
    said = await operate("stop", "v2")
    known_at = time.monotonic()
    assert "all 3 Envoys run it" in said.stderr and "clock" not in said.stderr
    expected = {key: b"v1" if version == b"v2" else version for key, version in began_on.items()}
    for _ in range(3):
        assert {key: await version_of(dice.choice(clients), key) for key in keys} == expected
    assert not any(received.at > known_at for received in servers["v2"].received)
    said = await operate("stop", "v2")
    assert "nothing to do: v2 is stopped already" in said.stdout
    for client in clients:
        client.close()


def test_an_admin_page_says_its_time(envoys: list[Envoy]) -> None:
    """By this the tool knows which steps an Envoy has taken."""
    for envoy in envoys:
        with urlopen(f"{envoy.admin_address}/stats?filter=llm_config_hash", timeout=5) as page:
            date = parsedate_to_datetime(page.headers["date"])
        assert abs(date.timestamp() - time.time()) < 2


async def test_pinned_conversations_move_once(envoys: list[Envoy], operate: Operate) -> None:
    """They move to the baseline when their version is stopped, and stay there when it is started again."""
    await begin_anew(envoys)
    dice = random.Random(5)
    clients = [Client(envoy.port) for envoy in envoys]
    pins: dict[bytes, list[Header]] = {uuid7(now_ms(), dice) if at % 2 else b"p%d" % at: [] for at in range(60)}

    async def turn() -> dict[bytes, bytes | None]:
        seen = {}
        for key, pin in pins.items():
            exchange = await dice.choice(clients).send(ask(key, *pin))
            assert exchange.status == 200
            seen[key] = exchange.header(b"x-llm-version")
            given = exchange.header(b"x-llm-pin")
            assert given is not None
            pin[:] = [(b"x-llm-pin", given)]
        return seen

    began_on = await turn()
    assert set(began_on.values()) == {b"v1", b"v2"}
    assert await turn() == began_on
    await operate("stop", "v2")
    assert set((await turn()).values()) == {b"v1"}
    ramped = json.loads((await operate("ramp", "v2", "50", "--resume", "--at", "now", "--json")).stdout)
    # "now" is a full second after the stop's step. What begins earlier began under an older step.
    await asyncio.sleep(datetime.fromisoformat(ramped["from"]).timestamp() - time.time())
    for _ in range(2):
        assert set((await turn()).values()) == {b"v1"}
    later = [uuid7(now_ms(), dice) for _ in range(40)]
    assert {await version_of(clients[0], key) for key in later} == {b"v1", b"v2"}, "new ones find it again"
    for client in clients:
        client.close()


async def test_what_runs_finishes_where_it_is_when_a_version_drains(
    envoys: list[Envoy], operate: Operate, servers: Servers
) -> None:
    await begin_anew(envoys)
    dice = random.Random(6)
    clients = [Client(envoy.port) for envoy in envoys]
    keys = [uuid7(now_ms(), dice) for _ in range(60)]
    began_on = {key: await version_of(clients[at % 3], key) for at, key in enumerate(keys)}
    assert set(began_on.values()) == {b"v1", b"v2"}
    await operate("drain", "v2")
    await asyncio.sleep(DRAIN_AHEAD_S)
    for _ in range(3):
        assert {key: await version_of(dice.choice(clients), key) for key in keys} == began_on
    later = [uuid7(now_ms(), dice) for _ in range(60)]
    assert {await version_of(dice.choice(clients), key) for key in later} == {b"v1"}
    assert {await version_of(dice.choice(clients), b"plain-%d" % at) for at in range(60)} == {b"v1"}
    for client in clients:
        client.close()
