"""One canary release from start to rollback, on this machine. Started by demo.sh."""

import argparse
import asyncio
import dataclasses
import os
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from http1 import get
from metrics import EnvoyAdmin, Prometheus, Source
from processes import CannotBeHad, Command, DemoError, Processes, port_or_free
from screen import Screen
from stage import ECDS, SHIPPED, Ports, Stage
from table import render, rows
from traffic import Load, Request, Traffic, probe

REPOSITORY = Path(__file__).resolve().parent.parent
ENVOY_VERSION = "1.40.0"
VERSIONS = ("v1", "v2")
CANARY = "v2"

SECONDS_DEFAULT, SECONDS_MIN = 25, 5
REFRESH_S = 0.5
WORKERS = 2  # of Envoy: each takes a new configuration on its own, and so is probed on its own
LOAD = Load(conversations_per_s=8, conversations_max=100, max_tokens=200)
LOAD_LLM = Load(conversations_per_s=4, conversations_max=4, max_tokens=24)
PERCENT_LLM = 30.0  # a real model on two shared cores answers too few requests to see 10 %

PROBES, PROBE_EVERY_S = 4 * WORKERS, 0.02
PROBE_BEFORE_S, PROBE_AFTER_S = 0.5, 2.0
PROBE_CONVERSATIONS_MAX = 50
STOPPED_WITHIN_MS_MAX = 1000.0
FINISH_S_MAX, FINISH_S_MAX_LLM = 10.0, 60.0

EXIT_USAGE, EXIT_SKIPPED = 2, 77


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./demo.sh",
        description="Builds the filter, starts two versions of a model server, Envoy and Prometheus, sends conversations, shows a table "
        "per version, then stops the canary and measures how long that took. Everything it starts ends with it.",
        epilog="Ports are the shipped ones where these are free (Envoy 10000, its admin page 9901, model servers 8001 and 8002, Prometheus "
        "9090), else any free ones. ENVOY_PATH and PROMETHEUS_PATH name programs of your own; see scripts/dependencies.sh.",
    )
    option = parser.add_argument
    option("--seconds", type=int, default=SECONDS_DEFAULT, help="how long to send until the canary is stopped (default: %(default)s)")
    option("--percent", type=float, help=f"the canary's share (default: as in {ECDS}; with --llm {PERCENT_LLM:.0f})")
    option("--llm", action="store_true", help="real llama.cpp servers with a real small model, SmolLM2-135M")
    option("--keep", action="store_true", help="at the end leave everything running until Ctrl-C")
    for name in dataclasses.asdict(SHIPPED):
        option(f"--{name}-port", type=int, metavar="PORT")
    options = parser.parse_args()
    if options.seconds < SECONDS_MIN:
        parser.error(f"--seconds {options.seconds}: at least {SECONDS_MIN}, or the table stays empty")
    if options.percent is not None and not 0 < options.percent <= 100:
        parser.error(f"--percent {options.percent:g}: more than 0 and at most 100")
    return options


@dataclasses.dataclass(frozen=True)
class Programs:
    envoy: Path
    prometheus: Path | None
    models: dict[str, Command]  # by version, without the port


async def dependency(processes: Processes, name: str, *arguments: str) -> Path:
    status, stdout = await processes.run([REPOSITORY / "scripts" / "dependencies.sh", name, *arguments], REPOSITORY)
    if status == EXIT_SKIPPED:
        raise CannotBeHad(f"the demo needs {name}; see above")
    if status != 0:
        raise DemoError(f"scripts/dependencies.sh {name} failed with status {status}; see above")
    return Path(stdout.strip())


async def prepare(processes: Processes, screen: Screen, llm: bool) -> Programs:
    """Builds the filter and finds or fetches what is to run."""
    screen.say("Building the filter")
    status, stdout = await processes.run([REPOSITORY / "build.sh"], REPOSITORY)
    if status != 0:
        raise DemoError(f"build.sh failed with status {status}; see above")
    screen.say(f"  {stdout.splitlines()[-1]}")
    envoy = await dependency(processes, "envoy", ENVOY_VERSION)
    try:
        prometheus = await dependency(processes, "prometheus")
    except CannotBeHad:
        prometheus = None
        screen.say("  without Prometheus: the table is read from Envoy's admin page instead")
    here = REPOSITORY / "demo"
    server: Command = [sys.executable, here / "model_server.py"]
    if llm:
        server = [await dependency(processes, "llama"), here / "llama_server.py", "--model", await dependency(processes, "llama_model")]
    return Programs(envoy, prometheus, {version: [*server, "--version", version] for version in VERSIONS})


def choose_ports(options: argparse.Namespace) -> Ports:
    taken: set[int] = set()
    ports = {}
    for name, shipped in dataclasses.asdict(SHIPPED).items():
        asked = getattr(options, f"{name}_port")
        ports[name] = port_or_free(asked or shipped, taken)
        if asked and ports[name] != asked:
            raise DemoError(f"--{name}-port {asked}: this port is in use")
    return Ports(**ports)


async def start(processes: Processes, screen: Screen, programs: Programs, stage: Stage, ports: Ports) -> Source:
    """Starts all of it and says where; returns where the table is read from."""
    for version, command in programs.models.items():
        port = getattr(ports, version)
        await processes.start(f"model-{version}", [*command, "--port", str(port)], stage.folder)
    envoy: Command = [programs.envoy, "-c", "envoy/envoy.yaml", "--concurrency", str(WORKERS), "--use-dynamic-base-id"]
    await processes.start("envoy", envoy, stage.folder)
    if programs.prometheus:
        await processes.start(
            "prometheus",
            [
                programs.prometheus / "prometheus",
                "--config.file=envoy/prometheus/prometheus.yml",
                "--storage.tsdb.path=target/prometheus",
                f"--web.listen-address=127.0.0.1:{ports.prometheus}",
            ],
            stage.folder,
        )
    for version in VERSIONS:
        port = getattr(ports, version)
        await processes.ready(f"model-{version}", partial(get, port, "/v1/models"))
        screen.say(f"  model server {version}  http://127.0.0.1:{port}")
    await processes.ready("envoy", partial(get, ports.admin, "/ready"))
    screen.say(f"  Envoy            http://127.0.0.1:{ports.envoy} (admin page http://127.0.0.1:{ports.admin})")
    if not programs.prometheus:
        return EnvoyAdmin(ports.admin)
    await processes.ready("prometheus", partial(get, ports.prometheus, "/-/ready"))
    screen.say(f"  Prometheus       http://127.0.0.1:{ports.prometheus}")
    return Prometheus(ports.prometheus)


async def watch(processes: Processes, screen: Screen, traffic: Traffic, source: Source, seconds: float) -> None:
    """The live table, until the time is over."""
    began = time.monotonic()
    passed = 0.0
    while passed < seconds:
        await asyncio.sleep(REFRESH_S)
        processes.check()
        passed = min(seconds, time.monotonic() - began)
        table = [f"  {line}" for line in render(rows(await source.read(), VERSIONS))]
        screen.live([progress(traffic, passed, seconds), "", *table, ""])


def progress(traffic: Traffic, passed_s: float, seconds: float) -> str:
    width = 20
    done = min(width, int(width * passed_s / seconds))
    return (
        f"  [{'#' * done}{'.' * (width - done)}] {passed_s:3.0f}/{seconds:.0f} s"
        f"  {traffic.conversations} conversations, {len(traffic.requests)} requests, {len(traffic.in_flight())} in flight"
    )


@dataclasses.dataclass(frozen=True)
class Rollback:
    """Milliseconds are from the rename to the moment a request was sent."""

    canary_before: int  # requests on the canary in the half second before the rename
    last_canary_ms: float | None  # None where none was sent later than the rename
    next_ms: float | None  # the first request after that one
    later: int  # requests from then on, none of them on the canary
    in_flight: list[Request]  # streams open on the canary at the rename


async def roll_back(traffic: Traffic, stage: Stage, ports: Ports) -> Rollback:
    """Stops the canary while conversations that it holds ask on, and sees when that takes effect.

    A canary has few requests, so the traffic alone would show the last one only roughly. The
    probes belong to its conversations: until the stop each goes to the canary."""
    held = traffic.held_by(CANARY)[-PROBE_CONVERSATIONS_MAX:]
    if not held:
        raise DemoError(f"no conversation was on {CANARY}; a longer --seconds or a higher --percent gives it some")
    probes: list[Request] = []
    probing = []
    for number in range(PROBES):
        phase_s = PROBE_EVERY_S * number / PROBES
        probing.append(asyncio.create_task(probe(ports.envoy, held, PROBE_EVERY_S, phase_s, probes)))
    await asyncio.sleep(PROBE_BEFORE_S)
    in_flight = traffic.in_flight(CANARY)
    renamed_at = stage.stop_canary()
    await asyncio.sleep(PROBE_AFTER_S)
    for task in probing:
        task.cancel()
    await asyncio.gather(*probing, return_exceptions=True)
    answered = [request for request in probes + traffic.requests if request.version is not None]
    canary = [request.sent_at for request in answered if request.version == CANARY]
    last = max([renamed_at, *canary])
    later = [request.sent_at for request in answered if request.sent_at > last]
    return Rollback(
        canary_before=sum(renamed_at - PROBE_BEFORE_S < sent_at <= renamed_at for sent_at in canary),
        last_canary_ms=1000 * (last - renamed_at) if last > renamed_at else None,
        next_ms=1000 * (min(later) - renamed_at) if later else None,
        later=len(later),
        in_flight=in_flight,
    )


def report_rollback(screen: Screen, result: Rollback) -> None:
    if result.last_canary_ms is None:
        screen.say(f"  no request reached {CANARY} after the rename")
    else:
        screen.say(f"  the last request on {CANARY} was sent {result.last_canary_ms:.1f} ms after the rename")
    if result.next_ms is not None:
        screen.say(f"  the next, {result.next_ms:.1f} ms after the rename, and {result.later - 1} since did not reach {CANARY}")
    asked = f"its conversations asked {PROBES / PROBE_EVERY_S:.0f} times a second"
    screen.say(f"  {asked}; {result.canary_before} requests were on {CANARY} in the half second before")
    finished = sum(request.complete for request in result.in_flight)
    if result.in_flight:
        screen.say(f"  {len(result.in_flight)} streams were in flight on {CANARY}; {finished} of them ended complete, there")


async def run(options: argparse.Namespace, folder: Path) -> None:
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
        source = await start(processes, screen, programs, stage, ports)

        screen.say(f"Sending conversations, {stage.percent():g} % of them to {CANARY}")
        traffic = Traffic(ports.envoy, LOAD_LLM if options.llm else LOAD)
        sending = asyncio.create_task(traffic.run())
        await watch(processes, screen, traffic, source, options.seconds)
        screen.end_live()
        moved = traffic.moved()
        screen.say(f"  {moved} of {traffic.conversations} conversations changed version")

        screen.say(f"Stopping {CANARY}: \"stopped\": true in {ECDS}, renamed into place")
        result = await roll_back(traffic, stage, ports)
        await traffic.finish(FINISH_S_MAX_LLM if options.llm else FINISH_S_MAX)
        await sending
        report_rollback(screen, result)
        judge(result, moved)
        if options.keep:
            screen.say("Everything runs on until Ctrl-C; no more is sent but by you:")
            screen.say(f"  the watched file   {stage.folder / ECDS}")
            screen.say(f"  Envoy's metrics    curl 'http://127.0.0.1:{ports.admin}/stats/prometheus?filter=llm_'")
            if programs.prometheus:
                # Not its pages: Debian's package has them in a folder that only root can fill.
                screen.say(f"  Prometheus         curl http://127.0.0.1:{ports.prometheus}/api/v1/query?query=llm_requests_total")
            while True:
                processes.check()
                await asyncio.sleep(REFRESH_S)


def judge(result: Rollback, moved: int) -> None:
    """A demo that shows something else than it promises has failed."""
    if moved:
        raise DemoError(f"{moved} conversations changed version while the split stood still")
    if not result.canary_before or not result.later:
        raise DemoError("too few requests were seen around the rename to tell when the canary stopped")
    if (result.last_canary_ms or 0.0) > STOPPED_WITHIN_MS_MAX:
        raise DemoError(f"{CANARY} was still used {result.last_canary_ms:.0f} ms after it was stopped")


async def main() -> None:
    options = parse_arguments()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop_once, task, number)
    with tempfile.TemporaryDirectory(prefix="llm-canary-demo-") as folder:
        await run(options, Path(folder))


_stopped_by: list[signal.Signals] = []


def stop_once(task: "asyncio.Task[None]", number: signal.Signals) -> None:
    """The first signal ends the demo; more of them must not interrupt its tidying up."""
    if not _stopped_by:
        _stopped_by.append(number)
        task.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CannotBeHad as error:
        print(f"SKIPPED: {error}", file=sys.stderr)
        sys.exit(EXIT_SKIPPED)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except asyncio.CancelledError:
        print("\nstopped", file=sys.stderr)
        sys.exit(128 + _stopped_by[0])
