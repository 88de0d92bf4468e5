"""The course of the demo: build, start, send at 10 %, ramp to 50 %, stop. Each step checks that it showed what it
promises.
"""

import argparse
import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from demo.ids import EvenIds
from demo.processes import CannotBeHad, Command, DemoError, Processes, port_or_free
from demo.screen import Screen
from demo.stage import ECDS, ROLLOUT, SHIPPED, Ports, Stage, Step
from demo.table import ratio, render, rows
from demo.traffic import Conversation, Load, Request, Traffic, now_ms, probe
from pylib.prometheus import Snapshot

REPOSITORY = Path(__file__).resolve().parent.parent
ENVOY_VERSION = "1.40.0"
VERSIONS = ("v1", "v2")
CANARY = "v2"

REFRESH_S = 0.5
WORKERS = 2  # of Envoy: each takes a new configuration on its own, and so is probed on its own
LOAD = Load(conversations_per_s=20, conversations_max=200, max_tokens=200)
LOAD_LLM = Load(conversations_per_s=4, conversations_max=4, max_tokens=24)
# A real model on two shared cores answers too few requests to see 10 %.
PERCENT_LLM = 30.0
# The tool lets a step take effect two to three seconds after the command, so that every Envoy knows it in time.
RAMP_AHEAD_S = 2.5
CONTINUED_WITHIN = 0.6  # of the time after the ramp: when the earlier conversations ask again
# The share that clients see may be off by a point, or by three conversations where there are fewer than 300.
OFF_POINTS_MAX, OFF_CONVERSATIONS_MAX = 1.0, 3

PROBES, PROBE_EVERY_S = 4 * WORKERS, 0.02
PROBE_BEFORE_S, PROBE_AFTER_S = 0.5, 2.0
PROBE_CONVERSATIONS_MAX = 50
STOPPED_WITHIN_MS_MAX = 1000.0
FINISH_S_MAX, FINISH_S_MAX_LLM = 10.0, 60.0

EXIT_SKIPPED = 77

Read = Callable[[], Snapshot]


@dataclasses.dataclass(frozen=True)
class Programs:
    tool: Path
    envoy: Path
    prometheus: Path | None
    models: dict[str, Command]  # by version, without the port


async def build(processes: Processes, command: Command) -> str:
    status, stdout = await processes.run(command, REPOSITORY)
    if status != 0:
        raise DemoError(f"{command[0]} failed with status {status}; see above")
    return stdout


async def dependency(processes: Processes, name: str, *arguments: str) -> Path:
    status, stdout = await processes.run([REPOSITORY / "scripts" / "dependencies.sh", name, *arguments], REPOSITORY)
    if status == EXIT_SKIPPED:
        raise CannotBeHad(f"the demo needs {name}; see above")
    if status != 0:
        raise DemoError(f"scripts/dependencies.sh {name} failed with status {status}; see above")
    return Path(stdout.strip())


async def prepare(processes: Processes, screen: Screen, llm: bool) -> Programs:
    """Builds the filter and the tool, and finds or fetches what else is to run."""
    screen.say("Building the filter and the tool")
    stdout = await build(processes, [REPOSITORY / "build.sh"])
    screen.say(f"  {stdout.splitlines()[-1]}")
    await build(processes, ["cargo", "build", "--quiet", "--locked", "--package", "llm-canary-cli"])
    tool = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "llm-canary"
    envoy = await dependency(processes, "envoy", ENVOY_VERSION)
    prometheus = None
    try:
        prometheus = await dependency(processes, "prometheus")
    except CannotBeHad:
        screen.say("  without Prometheus: the table is read from Envoy's admin page instead")
    here = REPOSITORY / "demo"
    server: Command = [sys.executable, here / "model_server.py"]
    if llm:
        llama, model = await dependency(processes, "llama"), await dependency(processes, "llama_model")
        server = [llama, here / "llama_server.py", "--model", model]
    models: dict[str, Command] = {version: [*server, "--version", version] for version in VERSIONS}
    return Programs(tool, envoy, prometheus, models)


def choose_ports(options: argparse.Namespace) -> Ports:
    taken: set[int] = set()
    ports = {}
    for name, shipped in dataclasses.asdict(SHIPPED).items():
        asked = getattr(options, f"{name}_port")
        ports[name] = port_or_free(asked or shipped, taken)
        if asked and ports[name] != asked:
            raise DemoError(f"--{name}-port {asked}: this port is in use")
    return Ports(**ports)


async def start(processes: Processes, screen: Screen, programs: Programs, stage: Stage, ports: Ports) -> Read:
    """Starts all servers and says where they listen. Returns how to read the filter's metrics."""
    for version, command in programs.models.items():
        port = getattr(ports, version)
        await processes.start(f"model-{version}", [*command, "--port", str(port)], stage.folder)
    envoy: Command = [programs.envoy, "-c", "envoy/envoy.yaml", "--concurrency", str(WORKERS), "--use-dynamic-base-id"]
    await processes.start("envoy", envoy, stage.folder)
    if programs.prometheus:
        command = [
            programs.prometheus / "prometheus",
            "--config.file=envoy/prometheus/prometheus.yml",
            "--storage.tsdb.path=target/prometheus",
            f"--web.listen-address=127.0.0.1:{ports.prometheus}",
        ]
        await processes.start("prometheus", command, stage.folder)
    for version in VERSIONS:
        port = getattr(ports, version)
        await processes.ready(f"model-{version}", port, "/v1/models")
        screen.say(f"  model server {version}  http://127.0.0.1:{port}")
    await processes.ready("envoy", ports.admin, "/ready")
    screen.say(f"  Envoy            http://127.0.0.1:{ports.envoy} (admin page http://127.0.0.1:{ports.admin})")
    if not programs.prometheus:
        return lambda: Snapshot.scrape(ports.admin, "/stats/prometheus?filter=llm_")
    await processes.ready("prometheus", ports.prometheus, "/-/ready")
    screen.say(f"  Prometheus       http://127.0.0.1:{ports.prometheus}")
    return lambda: Snapshot.query(ports.prometheus, '{__name__=~"llm_.*"}')


class Demo:
    """What runs, and the steps of the release."""

    def __init__(
        self,
        processes: Processes,
        screen: Screen,
        programs: Programs,
        stage: Stage,
        ports: Ports,
        read: Read,
        load: Load,
    ) -> None:
        self.traffic = Traffic(ports.envoy, load, EvenIds(ROLLOUT.encode()))
        self._processes, self._screen, self._programs = processes, screen, programs
        self._stage, self._ports, self._read = stage, ports, read

    async def watch(self, seconds: float, since_ms: int) -> None:
        """Shows the live table for that long. New conversations are those since the moment."""
        began = time.monotonic()
        passed = 0.0
        while passed < seconds:
            await asyncio.sleep(min(REFRESH_S, seconds - passed))
            self._processes.check()
            passed = min(seconds, time.monotonic() - began)
            metrics = await asyncio.to_thread(self._read)
            table = render(rows(metrics, self.counts(self.traffic.begun(since_ms, now_ms()))))
            self._screen.live([self._progress(passed, seconds), "", *(f"  {line}" for line in table), ""])
        self._screen.end_live()

    def _progress(self, passed_s: float, seconds: float) -> str:
        width = 20
        done = min(width, int(width * passed_s / seconds))
        counted = f"{len(self.traffic.conversations)} conversations, {len(self.traffic.requests)} requests"
        bar = f"[{'#' * done}{'.' * (width - done)}] {passed_s:3.0f}/{seconds:.0f} s"
        return f"  {bar}  {counted}, {len(self.traffic.in_flight())} in flight"

    @staticmethod
    def counts(conversations: list[Conversation]) -> dict[str, int]:
        """Returns for each version how many of these conversations it answered first."""
        firsts = [next(request.version for request in one.requests if request.version) for one in conversations]
        return {version: firsts.count(version) for version in VERSIONS}

    def report_share(self, step: Step, until_ms: int) -> None:
        """Prints which share of the conversations begun under the step went to the canary, and checks it."""
        begun = self.traffic.begun(step.at_ms, until_ms)
        on_canary = self.counts(begun)[CANARY]
        share = 100 * (ratio(on_canary, len(begun)) or 0.0)
        began = f"{len(begun)} conversations began at {step.percent:g} %"
        self._screen.say(f"  {began}: {on_canary} on {CANARY}, which is {share:.1f} %")
        check_share(on_canary, len(begun), step.percent)

    async def tool(self, command: str, *arguments: str) -> None:
        """Runs the operator's tool on the file that Envoy watches, as a user does."""
        words = [command, str(ECDS), CANARY, *arguments, "--admin", f"http://127.0.0.1:{self._ports.admin}"]
        self._screen.say(f"$ llm-canary {' '.join(words)}")
        status, stdout = await self._processes.run([self._programs.tool, *words], self._stage.folder)
        for line in stdout.splitlines():
            self._screen.say(f"  {line}")
        if status != 0:
            raise DemoError(f"llm-canary {command} failed with status {status}; see above")

    async def ramp(self, percent: float) -> Step:
        """Changes the share. Returns the step that the tool wrote."""
        await self.tool("ramp", f"{percent:g}")
        return self._stage.last_step()

    async def after_ramp(self, step: Step, seconds: float) -> None:
        """Lets every earlier conversation go on under the new share, and checks that each stayed where it was."""
        earlier = self.traffic.begun(0, step.at_ms)
        asked_before = {one.id: len(one.requests) for one in earlier}
        continued = asyncio.create_task(self.traffic.continue_each(earlier, CONTINUED_WITHIN * seconds))
        try:
            await self.watch(seconds, step.at_ms)
        finally:
            continued.cancel()
        asked = [one for one in earlier if any(request.version for request in one.requests[asked_before[one.id] :])]
        on_canary = self.counts(asked)[CANARY]
        moved = sum(len(one.versions) > 1 for one in asked)
        again = f"{len(asked)} earlier conversations asked again, {on_canary} of them on {CANARY}"
        self._screen.say(f"  {again}: {moved} changed version")
        if not asked:
            raise DemoError(
                "no earlier conversation asked again, so nothing is known of them; a longer --seconds gives them time"
            )

    async def stop(self) -> "Rollback":
        """Stops the canary while conversations that it holds ask on, and sees when that takes effect.

        The traffic alone would show the last request on the canary only roughly. The probes belong to the
        canary's conversations: until the stop each goes to the canary."""
        held = [one for one in self.traffic.conversations if one.versions == {CANARY}][-PROBE_CONVERSATIONS_MAX:]
        if not held:
            raise DemoError(f"no conversation was on {CANARY}; a longer --seconds or a higher --percent gives it some")
        probes: list[Request] = []
        probing = []
        for number in range(PROBES):
            phase_s = PROBE_EVERY_S * number / PROBES
            probing.append(asyncio.create_task(probe(self._ports.envoy, held, PROBE_EVERY_S, phase_s, probes)))
        await asyncio.sleep(PROBE_BEFORE_S)
        in_flight = self.traffic.in_flight(CANARY)
        stopped_at = time.monotonic()
        await self.tool("stop")
        await asyncio.sleep(PROBE_AFTER_S)
        for task in probing:
            task.cancel()
        await asyncio.gather(*probing, return_exceptions=True)
        answered = [request for request in probes + self.traffic.requests if request.version is not None]
        canary = [request.sent_at for request in answered if request.version == CANARY]
        last = max([stopped_at, *canary])
        later = [request.sent_at for request in answered if request.sent_at > last]
        return Rollback(
            canary_before=sum(stopped_at - PROBE_BEFORE_S < sent_at <= stopped_at for sent_at in canary),
            last_canary_ms=1000 * (last - stopped_at) if last > stopped_at else None,
            next_ms=1000 * (min(later) - stopped_at) if later else None,
            later=len(later),
            in_flight=in_flight,
        )


def check_share(on_canary: int, conversations: int, percent: float) -> None:
    """It is an error if the canary got another share than the step gives it, or if there was nothing to share."""
    if not conversations:
        raise DemoError(f"no conversation began at {percent:g} %; a longer --seconds gives it some")
    off = abs(on_canary - conversations * percent / 100)
    if off > max(OFF_CONVERSATIONS_MAX, conversations * OFF_POINTS_MAX / 100):
        share = 100 * (ratio(on_canary, conversations) or 0.0)
        raise DemoError(f"{share:.1f} % of the new conversations went to {CANARY}, and {percent:g} % are configured")


@dataclasses.dataclass(frozen=True)
class Rollback:
    """How the stop went. Milliseconds are from the command's start to the moment a request was sent."""

    canary_before: int  # requests on the canary in the half second before the command
    last_canary_ms: float | None  # None where none was sent later than the command
    next_ms: float | None  # the first request after that one
    later: int  # requests from then on, none of them on the canary
    in_flight: list[Request]  # streams open on the canary at the command

    def report(self, screen: Screen) -> None:
        asked = f"Conversations on {CANARY} asked {PROBES / PROBE_EVERY_S:.0f} times a second"
        screen.say(f"  {asked}: {self.canary_before} requests reached it in the half second before the command")
        if self.last_canary_ms is None:
            screen.say(f"  none reached {CANARY} after it")
        else:
            screen.say(f"  the last one reached {CANARY} {self.last_canary_ms:.1f} ms after it")
        if self.next_ms is not None:
            screen.say(f"  the next went to v1 {self.next_ms:.1f} ms after it, and so did {self.later - 1} since")
        if self.in_flight:
            finished = sum(request.complete for request in self.in_flight)
            screen.say(
                f"  {len(self.in_flight)} streams were running on {CANARY}; {finished} of them ended complete, there"
            )

    def check(self) -> None:
        if not self.canary_before or not self.later:
            raise DemoError("too few requests were seen around the stop to tell when it took effect")
        if (self.last_canary_ms or 0.0) > STOPPED_WITHIN_MS_MAX:
            raise DemoError(f"{CANARY} was still used {self.last_canary_ms:.0f} ms after it was stopped")


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Runs the whole demo. DemoError where it shows something else than it promises."""
    screen = Screen()
    async with Processes(folder) as processes:
        programs = await prepare(processes, screen, options.llm)
        ports = choose_ports(options)
        stage = Stage(REPOSITORY, folder / "stage")
        stage.set_ports(ports)
        stage.scrape_every_second()
        if options.llm:
            stage.one_request_per_connection()
        percent = options.percent or (PERCENT_LLM if options.llm else None)
        if percent is not None:
            stage.set_percent(percent)
        screen.say("Starting")
        read = await start(processes, screen, programs, stage, ports)
        demo = Demo(processes, screen, programs, stage, ports, read, LOAD_LLM if options.llm else LOAD)
        traffic = demo.traffic

        first = stage.last_step()
        screen.say(f"Sending conversations, {first.percent:g} % of them to {CANARY}")
        sending = asyncio.create_task(traffic.run())
        await demo.watch(options.seconds / 2 - RAMP_AHEAD_S, since_ms=0)
        second = await demo.ramp(options.ramp)
        await asyncio.sleep(max(0.0, second.at_ms / 1000 - time.time()))
        demo.report_share(first, second.at_ms)

        screen.say(f"Sending on: of the conversations that begin now, {second.percent:g} % go to {CANARY}")
        await demo.after_ramp(second, options.seconds / 2)
        demo.report_share(second, now_ms())
        moved = traffic.moved()
        screen.say(f"  {moved} of all {len(traffic.conversations)} conversations changed version")
        if moved:
            raise DemoError(f"{moved} conversations changed version, and none should")

        screen.say(f"Stopping {CANARY}")
        rollback = await demo.stop()
        await traffic.finish(FINISH_S_MAX_LLM if options.llm else FINISH_S_MAX)
        await sending
        rollback.report(screen)
        rollback.check()
        if options.keep:
            screen.say("Everything runs on until Ctrl-C; no more is sent but by you:")
            screen.say(f"  the watched file   {stage.folder / ECDS}")
            screen.say(f"  Envoy's metrics    curl 'http://127.0.0.1:{ports.admin}/stats/prometheus?filter=llm_'")
            if programs.prometheus:
                # Not its pages: Debian's package has them in a folder that only root can fill.
                screen.say(
                    f"  Prometheus         curl http://127.0.0.1:{ports.prometheus}/api/v1/query?query=llm_requests_total"
                )
            while True:
                processes.check()
                await asyncio.sleep(REFRESH_S)
