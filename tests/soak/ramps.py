"""Releases by `run` that go wrong. tests/ramps.sh says how."""

import argparse
import asyncio
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.harness import REPOSITORY, Json
from tests.harness.behaviour import CHARS, STREAM_S, Behaviour
from tests.harness.envoy import Envoy, EnvoyError
from tests.harness.fleet import USUAL, Arrivals, Fleet, Freezes, History, Models, rollouts
from tests.harness.hosts import configuration_of
from tests.harness.prometheus import Prometheus
from tests.harness.running import Running, started

RUNS, AT_ONCE, RATE, PERCENT = 20, 8, 25.0, 40
SCRAPED_EVERY_S, WINDOW_S = 1.0, 5
# A release is well for so long before it goes wrong: at a random time, so that no phase of a window is favoured.
WELL_S = (15.0, 15.0 + 2 * WINDOW_S)
# Of traffic, before Prometheus scrapes: what is counted then is a starting point, so no window is the version's first.
BEFORE_S = 4.0
FOUND_S_MAX, ENDS_S_MAX = 150.0, 130.0
REPEATED_MAX = 2  # times the number of runs, where the machine stood still
BESIDE = "beside"
REGRESSION = 1


@dataclass(frozen=True)
class Fault:
    """What v2 does from a moment on, and which guard is to find it. A limit has no guard: its words are looked for."""

    behaviour: Behaviour
    guard: str = ""
    words: str = ""


FAULTS = {
    "refusals": Fault(replace(USUAL, refuses=0.25), "refusals"),
    "length": Fault(replace(USUAL, chars=1.6 * CHARS), "response_chars"),
    "slow": Fault(replace(USUAL, first_token_s=3 * USUAL.first_token_s), "time_to_first_token_ms"),
    "errors": Fault(replace(USUAL, fails=0.1), "errors"),
    "loop": Fault(replace(USUAL, loops=0.1), "defects"),
    "empty": Fault(replace(USUAL, is_empty=0.1), "defects"),
    "short": Fault(replace(USUAL, chars=0.5 * CHARS), "response_chars"),
    "slow-tokens": Fault(replace(USUAL, stream_s=3 * STREAM_S), "time_per_output_token_us"),
    "cut": Fault(replace(USUAL, is_cut=0.2), "length_stops"),
    "leak": Fault(replace(USUAL, leaks=0.1), "defects"),
    "reset": Fault(replace(USUAL, is_reset=0.1), "errors"),
    "hang": Fault(replace(USUAL, hangs=1.0), words="ended"),
}
# Versions that are alike: "same" is watched for a while, "well" goes from 1 to 100 % by its verdicts alone.
SAME, WELL = "same", "well"
WELL_PLAN, WELL_S_MAX = "1%,10%@10s,50%@10s,100%@10s", 1_200.0
KINDS = (*FAULTS, SAME, WELL)
SIX = ("refusals", "length", "slow", "errors", "loop", "empty")


@dataclass
class Result:
    """One run. Times are seconds of the wall clock."""

    fault: str
    name: str
    begun_s: float
    fault_s: float
    code: int | None = None
    because: list[str] = field(default_factory=list)
    alarmed: dict[str, float] = field(default_factory=dict)
    alarm_s: float = 0.0  # of the sample that shows it
    look_s: float = 0.0  # when the command saw it
    written_s: float = 0.0
    last_s: float = 0.0
    ended_s: float = 0.0
    canary_requests: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def guard(self) -> str:
        """The first that alarmed; of several at once, all."""
        first = min(self.alarmed.values(), default=0)
        return " and ".join(name for name, at in self.alarmed.items() if at == first)

    def figures(self) -> dict[str, float]:
        return {
            "fault_to_alarm_s": self.alarm_s - self.fault_s,
            "alarm_to_write_s": self.written_s - self.alarm_s,
            "look_to_write_s": self.written_s - self.look_s,
            "write_to_last_request_s": self.last_s - self.written_s,
            "canary_requests": self.canary_requests,
        }


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def configuration(text: str) -> dict[str, Json]:
    """The rollouts of the file, by name."""
    value = configuration_of(yaml.safe_load(text)["resources"][0])["value"]
    return {rollout["name"]: rollout for rollout in json.loads(value)["rollouts"]}


def is_stopped(rollout: Json) -> bool:
    return any(version["name"] == "v2" and version.get("stopped") for version in rollout["versions"])


def of_v3(rollout: Json) -> set[float]:
    """The shares that it ever had."""
    return {step["percent"].get("v3", 0) for step in rollout["steps"]} or {0}


def untouched(text: str, released: Sequence[str]) -> str:
    """The text without what a run may change: the steps of its rollout, and whether v2 is stopped."""
    kept = []
    for part in re.split(r'(?=\{\s*"name": "[^"]+",\s*"key")', text):
        named = re.match(r'\{\s*"name": "([^"]+)"', part)
        if named is not None and named[1] in released:
            part = re.sub(r'"steps": \[.*\]', "STEPS", part, flags=re.DOTALL)
            part = re.sub(r',\s*"stopped": (true|false)', "", part)
        kept.append(part)
    return "".join(kept)


def moved(history: History, released: Sequence[str]) -> list[str]:
    """What was changed in the file that is not v2's share or stop."""
    found = []
    _, first = history.texts[0]
    before = configuration(first)
    for _, text in history.texts[1:]:
        if untouched(text, released) != untouched(first, released):
            found.append("the file was changed elsewhere")
        for name, rollout in configuration(text).items():
            if of_v3(rollout) - of_v3(before[name]):
                found.append(f"v3 was moved in {name}")
            if any(version.get("stopped") for version in rollout["versions"] if version["name"] != "v2"):
                found.append(f"the wrong version was stopped in {name}")
            if name not in released and is_stopped(rollout) != is_stopped(before[name]):
                found.append(f"{name} was stopped, which nobody runs")
    return sorted(set(found))


class World:
    """What all runs share: three Envoys, of which one is restarted in each batch, a Prometheus and the models."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args = args
        self.folder = folder
        self.dice = random.Random(args.seed)
        self.freezes = Freezes()
        self.results: list[Result] = []
        self.wrong: list[str] = []
        self.requests = 0
        self.batches = 0

    async def __aenter__(self) -> "World":
        self.models = await Models().start()

        def make(number: int, binary: Path) -> Any:
            return lambda configuration, edit: Envoy(
                binary, self.folder / f"envoy-{number}", configuration, self.models.ports, concurrency=1, edit=edit
            )

        binaries = [self.args.oldest, self.args.envoy, self.args.envoy]
        makers = [make(number, binary) for number, binary in enumerate(binaries)]
        self.fleet = Fleet(makers, rollouts([BESIDE]), self._prometheus())
        await asyncio.gather(*(asyncio.to_thread(envoy.start) for envoy in self.fleet.envoys.values()))
        self._watching = asyncio.create_task(self.freezes.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        for envoy in self.fleet.envoys.values():
            self.wrong += [f"the filter failed: {line}" for line in envoy.filter_failures()]
        await asyncio.gather(*(asyncio.to_thread(envoy.stop) for envoy in self.fleet.envoys.values()))
        await asyncio.to_thread(self.fleet.prometheus.stop)
        await self.models.stop()

    def _prometheus(self) -> Prometheus:
        return Prometheus(self.args.prometheus, self.folder / f"prometheus-{self.batches}")

    def command(self, name: str, plan: str) -> list[str | Path]:
        source = ["--prometheus", self.fleet.prometheus.address, "--window", f"{WINDOW_S}s"]
        return ["run", self.fleet.file, "v2", "--rollout", name, "--plan", plan, *source, "--json"]

    async def batch(self, faults: Sequence[str]) -> None:
        """Releases at the same time, a rollout each, and one beside them that nobody runs."""
        self.batches += 1
        names = [f"{fault}-{self.batches}-{number}" for number, fault in enumerate(faults)]
        self.models.serve([BESIDE, *names])
        # New series only, as the pages would grow with each batch.
        await asyncio.gather(*(asyncio.to_thread(envoy.restart) for envoy in self.fleet.envoys.values()))
        new = [name for name, fault in zip(names, faults, strict=True) if fault == WELL]
        begun = [name for name in names if name not in new]
        await self.fleet.runs(rollouts([BESIDE, *begun], self.args.percent, new))
        history = History(self.fleet.file)
        ports = [envoy.port for envoy in self.fleet.envoys.values()]
        rates = dict.fromkeys([BESIDE, *names], self.args.rate)
        async with AsyncExitStack() as stack, Arrivals(ports, rates, self.batches) as arrivals:
            watching = asyncio.create_task(history.watch())
            stack.callback(watching.cancel)
            await asyncio.sleep(BEFORE_S)
            await asyncio.to_thread(self.fleet.prometheus.stop)
            self.fleet.prometheus = self._prometheus()
            await asyncio.to_thread(self.fleet.scraped, self.args.scrape)
            await asyncio.sleep(3 * self.args.scrape)
            restarting = asyncio.create_task(self._restart_one())
            done = await asyncio.gather(
                *(self.release(fault, name, history) for fault, name in zip(faults, names, strict=True))
            )
            await restarting
        self.requests += arrivals.sent
        for words in moved(history, names):
            self.wrong.append(f"batch {self.batches}: {words}")
        self.results += done
        for result in done:
            print(line_of(result, self.freezes), flush=True)

    async def _restart_one(self) -> Envoy:
        await asyncio.sleep(self.dice.uniform(*WELL_S))
        restarted = list(self.fleet.envoys.values())[-1]
        began_s = time.time()
        while True:
            try:
                return await asyncio.to_thread(restarted.restart)
            except EnvoyError:
                # It did not come up in time: the machine stood still, or nearly.
                self.freezes.spans.append((began_s, time.time()))

    async def release(self, fault: str, name: str, history: History) -> Result:
        plan = WELL_PLAN if fault == WELL else f"{self.args.percent}%,{min(2 * self.args.percent, 80)}%@1h"
        result = Result(fault, name, time.time(), 0.0)
        journal = self.folder / f"{name}.jsonl"
        errors = (self.folder / f"{name}.err").open("wb")
        async with started(
            self.args.tool, [*self.command(name, plan), "--journal", journal], errors.fileno()
        ) as running:
            if fault in FAULTS:
                await self._goes_wrong(result, running)
            else:
                await self._stays_well(result, running)
        errors.close()
        result.ended_s = time.time()
        await asyncio.sleep(0.5)
        if fault in FAULTS:
            self._fill(result, [line for _, line in running.lines], history)
        return result

    async def _goes_wrong(self, result: Result, running: Running) -> None:
        await asyncio.sleep(self.dice.uniform(*WELL_S))
        result.fault_s = self.models.goes_wrong(result.name, FAULTS[result.fault].behaviour)
        try:
            await running.reaches("stopped", self.args.percent, FOUND_S_MAX)
            result.code = await running.ends(ENDS_S_MAX)
        except (TimeoutError, AssertionError):
            result.wrong.append(f"it was not stopped: {running.events()}")

    async def _stays_well(self, result: Result, running: Running) -> None:
        """Nothing stops it. If it is to go on, each of its steps was fine."""
        expected = 0
        if result.fault == SAME:
            await asyncio.sleep(self.args.watched)
            running.process.send_signal(signal.SIGINT)
            expected = 128 + signal.SIGINT
        try:
            result.code = await running.ends(WELL_S_MAX)
        except TimeoutError:
            result.wrong.append(f"it did not end: {running.events()}")
        lines = [line for _, line in running.lines]
        result.because = lines[-1].get("because", []) if lines else []
        events = [line for line in lines if "event" in line]
        if result.code != expected or any(line["event"].startswith("stop") for line in events):
            result.wrong.append(f"exit code {result.code} with {running.events()}")
        share = 0.0 if result.fault == WELL else self.args.percent
        for line in events:
            # The first step needs no verdict. A release that was held goes on with the share that it had.
            is_proved = line["why"][0].startswith("fine") or share == 0
            if line["event"] == "ramping" and line["percent"] != share and not is_proved:
                result.wrong.append(f"{line['percent']} % without a verdict: {line['why']}")
            share = line["percent"]

    def _fill(self, result: Result, lines: Sequence[Json], history: History) -> None:
        fault = FAULTS[result.fault]
        tally = self.models.canary
        events = {line["event"]: line for line in lines if "event" in line}
        verdicts = [line for line in lines if "event" not in line]
        writes = [at for at, text in history.texts if is_stopped(configuration(text)[result.name])]
        if "stopping" not in events or not verdicts or not writes:
            result.wrong.append("it was not stopped")
            return
        analysis = verdicts[-1]
        guards = [signal for signal in analysis["signals"] if signal["mode"] == "guard" and signal["alarmed_at"]]
        result.because = analysis["because"]
        result.alarmed = {signal["name"]: seconds(signal["alarmed_at"]) for signal in guards}
        result.look_s = seconds(events["stopping"]["at"])
        result.alarm_s = min(result.alarmed.values(), default=result.look_s)
        result.written_s = writes[0]
        result.last_s = tally.last_s[result.name]
        result.canary_requests = sum(at <= result.written_s for at in tally.since_s[result.name])
        if result.code != REGRESSION:
            result.wrong.append(f"the exit code is {result.code}")
        if fault.guard and fault.guard not in result.guard.split(" and "):
            result.wrong.append(f"found by {result.guard or result.because}")
        if fault.words and fault.words not in " ".join(result.because):
            result.wrong.append(f"found by {result.because}")
        if result.alarm_s < result.fault_s:
            result.wrong.append("stopped before anything was wrong")


def line_of(result: Result, freezes: Freezes) -> str:
    at = datetime.fromtimestamp(result.fault_s).isoformat(timespec="seconds")
    if not result.written_s:
        at = datetime.fromtimestamp(result.begun_s).isoformat(timespec="seconds")
        return f"{at} {result.name}: {result.because}; {result.wrong or 'as it should be'}"
    figures = ", ".join(f"{name} {value:.2f}" for name, value in result.figures().items())
    frozen = "; void: frozen" if is_void(result, freezes) else ""
    wrong = result.wrong or "as it should be"
    return f"{at} {result.name}: {result.guard or result.because}; {figures}; {wrong}{frozen}"


def is_void(result: Result, freezes: Freezes) -> bool:
    """Its times are not those of the programs. What has no times is not void."""
    return result.fault in FAULTS and freezes.within(result.begun_s, result.ended_s)


def quantile(values: Sequence[float], part: float) -> float:
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(100 * part) // 100) - 1)]


FIGURES = ("fault_to_alarm_s", "alarm_to_write_s", "look_to_write_s", "write_to_last_request_s", "canary_requests")


def rows(results: Sequence[Result], freezes: Freezes) -> Iterator[Json]:
    for fault in dict.fromkeys(result.fault for result in results):
        of_fault = [result for result in results if result.fault == fault]
        valid = [result for result in of_fault if not is_void(result, freezes)]
        stopped = [result for result in of_fault if result.written_s]
        timed = [result for result in valid if result.written_s]
        row: Json = {
            "fault": fault,
            "runs": len(of_fault),
            "frozen": len(of_fault) - len(valid),
            "stopped": len(stopped),
            "wrong": sum(bool(result.wrong) for result in of_fault),
        }
        for figure in FIGURES:
            values = [result.figures()[figure] for result in timed]
            row[figure] = {"median": quantile(values, 0.5), "p95": quantile(values, 0.95)} if values else None
        yield row


def table(found: Sequence[Json]) -> str:
    counts = ["fault", "runs", "frozen", "stopped", "wrong"]
    heads = [*counts, "fault→alarm", "alarm→write", "look→write", "write→last", "canary"]
    lines = [heads, ["-"] * len(heads)]
    for row in found:
        cells = [str(row[name]) for name in counts]
        for figure in FIGURES:
            pair = row[figure]
            places = 0 if figure == "canary_requests" else 2
            cells.append(f"{pair['median']:.{places}f} / {pair['p95']:.{places}f}" if pair else "-")
        lines.append(cells)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


async def watch(args: argparse.Namespace, folder: Path) -> World:
    world = World(args, folder)
    todo = [fault for fault in args.faults for _ in range(args.runs)]
    world.dice.shuffle(todo)
    repeated = 0
    async with world:
        while todo:
            now, todo = todo[: args.at_once], todo[args.at_once :]
            await world.batch(now)
            void = [result.fault for result in world.results[-len(now) :] if is_void(result, world.freezes)]
            if repeated + len(void) <= REPEATED_MAX * args.runs * len(args.faults):
                repeated += len(void)
                todo += void
    return world


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/ramps.sh")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=list(SIX), help=", ".join(KINDS))
    parser.add_argument("--runs", type=int, default=RUNS, help="of each fault")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="releases at the same time")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second for each release")
    parser.add_argument("--percent", type=int, default=PERCENT, help="the version's share when it goes wrong")
    parser.add_argument("--watched", type=float, default=300.0, help='seconds that "same" is watched')
    parser.add_argument("--scrape", type=float, default=SCRAPED_EVERY_S, help="seconds between two scrapes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a file for all figures as JSON")
    parser.add_argument("--envoy", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--oldest", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prometheus", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tool", default=REPOSITORY / "target" / "debug" / "llm-canary", help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = [fault for fault in args.faults if fault not in KINDS]
    if unknown:
        parser.error(f"there is no fault {', '.join(unknown)}; there are {', '.join(KINDS)}")
    folder = Path(tempfile.mkdtemp(prefix="llm-canary-ramps-"))
    began = time.time()
    world = asyncio.run(watch(args, folder))
    found = list(rows(world.results, world.freezes))
    print(table(found))
    print(f"{world.requests} requests in {time.time() - began:.0f} s")
    if args.out:
        figures = {
            "rows": found,
            "runs": [asdict(result) | result.figures() for result in world.results],
            "frozen": world.freezes.spans,
            "wrong": world.wrong,
        }
        args.out.write_text(json.dumps(figures, indent=1))
    wrong = world.wrong + [f"{result.name}: {words}" for result in world.results for words in result.wrong]
    for line in wrong:
        print(f"WRONG: {line}")
    if wrong:
        print(f"failed; what the programs read and wrote is in {folder}")
        return 1
    shutil.rmtree(folder)
    print("passed: each fault stopped its version, no other was stopped, and nothing else moved")
    return 0


if __name__ == "__main__":
    sys.exit(main())
