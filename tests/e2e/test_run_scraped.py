"""`run` with a real Prometheus that scrapes three real Envoys, of which one is restarted: a version that is well goes
from 1 to 100 %, one that goes wrong is stopped, one whose command was killed is judged by all that was before. Without
Prometheus, or without one of the Envoys, nothing goes on, and no stop is lost.

tests/ramps.sh does it for each fault, many times.
"""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import Servers
from tests.harness import Json
from tests.harness.dependencies import Dependency
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.fleet import USUAL, Arrivals, Fleet, History, MakeEnvoy, Models, rollouts
from tests.harness.hosts import Host, Platform
from tests.harness.prometheus import Prometheus
from tests.harness.running import Running, started
from tests.soak.ramps import configuration, is_stopped, moved

PERCENT, SCRAPED_EVERY_S, WINDOW = 40, 1.0, "2s"
WELL, DOWN, GONE = "well", "down", "gone"
WRONG = {
    "failing": replace(USUAL, fails=0.5),
    "looping": replace(USUAL, loops=0.5),
    "killed": replace(USUAL, refuses=0.5),
}
NEW = [WELL, DOWN, GONE]
RATES = {WELL: 90.0, DOWN: 15.0, GONE: 45.0, **dict.fromkeys(WRONG, 15.0)}
WELL_S, DOWN_S = 8.0, 6.0
# So many requests of v2 show it.
WRONG_REQUESTS = 60
# A window, a flush, a scrape, and time for a busy machine; and as long again until there is enough evidence.
FOUND_S_MAX = 90.0
STEP_S_MAX = 90.0
# From the look that saw it.
WRITTEN_S_MAX = 1.0
# A machine that is busy with other tests takes longer to load a configuration; tests/e2e/test_stop.py is strict.
LAST_S_MAX = 5.0


@pytest.fixture(scope="module")
def models(run: Run, platform: Platform) -> Iterator[Models]:
    """What goes wrong does so on this platform."""
    models: Models = run(Models().start())
    models.serve([*NEW, *WRONG])
    yield models
    run(models.stop())


@pytest.fixture(scope="module")
def servers(models: Models) -> Servers:
    return {name: version.server for name, version in models.versions.items()}


@pytest.fixture(scope="module")
def fleet(
    start_envoy: StartEnvoy, host: Host, dependency: Dependency, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    def make(version: str) -> MakeEnvoy:
        return lambda configuration, edit: start_envoy(configuration, version=version, edit=edit, concurrency=1)

    prometheus = Prometheus(dependency("prometheus"), tmp_path_factory.mktemp("scraped") / "prometheus")
    fleet = Fleet(
        [make(version) for version in (host.oldest, host.newest, host.newest)],
        rollouts(list(WRONG), PERCENT, new=NEW),
        prometheus,
    )
    yield fleet
    prometheus.stop()


def ports(fleet: Fleet) -> list[int]:
    return [envoy.port for envoy in fleet.envoys.values()]


def command(fleet: Fleet, name: str, plan: Sequence[str]) -> list[str | Path]:
    source = ["--prometheus", fleet.prometheus.address, "--window", WINDOW]
    return ["run", fleet.file, "v2", "--rollout", name, "--plan", *plan, *source, "--json"]


def shares(texts: Sequence[tuple[float, str]], name: str) -> list[float]:
    """Of v2, as they follow each other."""
    found: list[float] = []
    for _, text in texts:
        steps = configuration(text)[name]["steps"]
        share = steps[-1]["percent"].get("v2", 0) if steps else 0
        if found[-1:] != [share]:
            found.append(share)
    return found


def check_stopped(running: Running, code: int, name: str, models: Models, history: History) -> None:
    guard = {"failing": "errors", "looping": "defects", "killed": "refusals"}[name]
    assert code == 1
    verdict: Json = running.lines[-1][1]
    assert verdict["verdict"] == "regression" and verdict["because"][0].startswith(f"{guard}: "), verdict["because"]
    seen_s = next(at for at, line in running.lines if line.get("event") == "stopping")
    stopped_s = next(at for at, line in running.lines if line.get("event") == "stopped")
    assert stopped_s - seen_s < WRITTEN_S_MAX
    written_s = next(at for at, text in history.texts if is_stopped(configuration(text)[name]))
    last_s = models.canary.last_s[name]
    print(f"{name}: {last_s - written_s:+.2f} s from the write to v2's last request; {verdict['because'][0]}")
    assert last_s - written_s < LAST_S_MAX


async def goes_wrong(fleet: Fleet, tool: Path, models: Models, history: History, name: str) -> None:
    plan = [f"{PERCENT}%,80%@1h"]
    async with started(tool, command(fleet, name, plan)) as first:
        await asyncio.sleep(WELL_S)
        if name == "killed":
            first.process.kill()
            await first.process.wait()
        assert [event for event in first.events() if event[0] != "held"] == [], "it is where it was"
        models.goes_wrong(name, WRONG[name])
        if name != "killed":
            await first.reaches("stopped", PERCENT, FOUND_S_MAX)
            check_stopped(first, await first.ends(FOUND_S_MAX), name, models, history)
            return
    # It goes wrong while nobody looks, and is well again when somebody does.
    while len(models.canary.since_s[name]) < WRONG_REQUESTS:
        await asyncio.sleep(0.1)
    models.goes_wrong(name, USUAL)
    await asyncio.sleep(2 * SCRAPED_EVERY_S)
    async with started(tool, command(fleet, name, plan)) as again:
        await again.reaches("stopped", PERCENT, FOUND_S_MAX)
        check_stopped(again, await again.ends(FOUND_S_MAX), name, models, history)


async def test_what_goes_wrong_is_stopped(fleet: Fleet, models: Models, tool: Path) -> None:
    history = History(fleet.file)
    async with Arrivals(ports(fleet), {name: RATES[name] for name in WRONG}):
        await asyncio.sleep(2)
        await asyncio.to_thread(fleet.scraped, SCRAPED_EVERY_S)
        await asyncio.sleep(3 * SCRAPED_EVERY_S)
        watching = asyncio.create_task(history.watch())
        await asyncio.gather(*(goes_wrong(fleet, tool, models, history, name) for name in WRONG))
        watching.cancel()
        history.look()  # at what was written a moment ago
    assert moved(history, list(WRONG)) == []


async def test_what_is_well_goes_to_100_though_an_envoy_is_restarted(fleet: Fleet, tool: Path) -> None:
    history = History(fleet.file)
    restarted = list(fleet.envoys.values())[-1]
    plan = ["1%,10%@3s,50%@3s,100%@3s", "--advance", "time"]
    async with Arrivals(ports(fleet), {WELL: RATES[WELL]}), started(tool, command(fleet, WELL, plan)) as running:
        watching = asyncio.create_task(history.watch())
        await running.reaches("ramping", 10, STEP_S_MAX)
        await asyncio.to_thread(restarted.restart)
        await running.reaches("at_100", 100, STEP_S_MAX)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 143
        watching.cancel()
        history.look()  # at what was written a moment ago
    steps = [event for event in running.events() if event[0] in ("ramping", "at_100")]
    assert list(dict.fromkeys(steps)) == [("ramping", 1), ("ramping", 10), ("ramping", 50), ("at_100", 100)], steps
    assert all(line["verdict"] in ("fine", "not_enough_data") for _, line in running.lines), running.lines
    assert shares(history.texts, WELL) == [0, 1, 10, 50, 100]
    assert moved(history, [WELL]) == []


async def test_without_prometheus_nothing_goes_on(fleet: Fleet, tool: Path) -> None:
    plan = [f"{PERCENT}%,80%@6s,90%@1s", "--advance", "time"]
    history = History(fleet.file)
    async with Arrivals(ports(fleet), {DOWN: RATES[DOWN]}), started(tool, command(fleet, DOWN, plan)) as running:
        watching = asyncio.create_task(history.watch())
        await running.reaches("ramping", PERCENT)
        await asyncio.to_thread(fleet.prometheus.stop)
        before = fleet.file.read_text()
        await running.reaches("held", PERCENT)
        await asyncio.sleep(DOWN_S)
        assert fleet.file.read_text() == before
        await asyncio.to_thread(fleet.prometheus.start_again)
        came_s = time.monotonic()
        assert await running.reaches("ramping", 80) > came_s
        # For good.
        await asyncio.to_thread(fleet.prometheus.stop)
        await running.reaches("held", 80)
        await asyncio.sleep(DOWN_S)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 143
        watching.cancel()
        history.look()  # at what was written a moment ago
    assert shares(history.texts, DOWN) == [0, PERCENT, 80]
    assert moved(history, [DOWN]) == []


async def test_without_one_envoy_nothing_goes_on_and_a_stop_is_written(
    fleet: Fleet, models: Models, tool: Path
) -> None:
    plan = ["--plan", f"{PERCENT}%,80%@4s", "--advance", "time"]
    admins = [part for envoy in fleet.envoys.values() for part in ("--admin", envoy.admin_address)]
    arguments: list[str | Path] = [
        "run",
        fleet.file,
        "v2",
        "--rollout",
        GONE,
        *plan,
        *admins,
        "--every",
        "1s",
        "--json",
    ]
    gone = list(fleet.envoys.values())[-1]
    history = History(fleet.file)
    async with Arrivals(ports(fleet)[:-1], {GONE: RATES[GONE]}):
        try:
            async with started(tool, arguments) as running:
                watching = asyncio.create_task(history.watch())
                await running.reaches("ramping", PERCENT)
                await asyncio.to_thread(gone.stop)
                await running.reaches("held", PERCENT)
                await asyncio.sleep(DOWN_S)
                assert shares(history.texts, GONE) == [0, PERCENT]
                models.goes_wrong(GONE, replace(USUAL, fails=1.0))
                await running.reaches("stopped", PERCENT)
                watching.cancel()
                history.look()  # at what was written a moment ago
        finally:
            await asyncio.to_thread(gone.start)
    assert shares(history.texts, GONE) == [0, PERCENT, 0]
    assert moved(history, [GONE]) == []
