"""The course of the demo, and the checks that it showed what it promises."""

import argparse
import asyncio
import contextlib
import shlex
import shutil
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

from demo.faults import FAULTS
from demo.findings import PLAN_PERCENT, Findings
from demo.ids import EvenIds
from demo.preparation import EXIT_SKIPPED, REPOSITORY, Programs, choose_port, choose_ports, prepare, start
from demo.processes import DemoError, Processes
from demo.recorder import Recorder
from demo.release import Release
from demo.screen import Screen
from demo.stage import ECDS, POLICY, ROLLOUT, SET, Ports, Stage
from demo.traffic import BEGIN_PER_S, LONG_ONE_IN, TURNS_MAX, Traffic
from pylib.http1 import HttpError, request, send

__all__ = ["EXIT_SKIPPED", "OUT_DEFAULT", "PAGE_PORT", "tell"]

CANARY = "v2"
OUT_DEFAULT = Path("target/demo")
PAGE_PORT = 8099
PLAN = "10%,25%@5s,50%@5s,100%@1h"
EVERY = "1s"
WINDOW = "1s"
JOURNAL, SAMPLES, PAGE = "release.jsonl", "samples.txt", "release.html"

REFRESH_S = 0.25
# So long v2 is in order at its last share: the step takes effect, answers from before it end, and some more are judged.
IN_ORDER_S = 8.0
RAMP_S_MAX, STOP_S_MAX, ASK_S_MAX = 65.0, 15.0, 20.0
# Questions of the reference set that are under way at once.
ASKED_AT_ONCE = 16
# Of `watchdog`: fine, and not enough data.
NOT_WORSE = (0, 3)
# From the build to the end: the story, and then the end of all that was started.
STORY_S_MAX = 80.0
REPORT_S_MAX = 15.0
BACKGROUND_S_MAX = 3.0
# What is seen after the stop.
AFTER_S = 2.0
# The share that the line about the present shows is that of conversations begun in the last seconds.
PRESENT_S = 5.0


async def tell(options: argparse.Namespace, folder: Path) -> None:
    """Runs the whole demo. DemoError where it shows something else than it promises."""
    screen = Screen()
    async with Processes(folder) as processes:
        programs = await prepare(processes, screen)
        taken: set[int] = set()
        ports = choose_ports(options, taken)
        page_port = None if options.no_page else choose_port(options, "page", PAGE_PORT, taken)
        stage = Stage(REPOSITORY, folder / "stage")
        stage.set_ports(ports)
        began = time.monotonic()
        screen.say("Starting")
        await start(processes, screen, programs, stage, ports)
        story = Story(options.fault, processes, screen, programs, stage, ports, page_port)
        recorder = Recorder(ports.admin, stage.folder / SAMPLES)
        async with background(story.traffic.run()) as traffic:
            async with background(recorder.run()), in_time(began):
                await story.release()
                await story.goes_wrong()
                findings = await story.look_back()
                findings.say(screen)
                if not options.keep:
                    # What comes now is not slowed down by conversations.
                    traffic.cancel()
                files = await story.keep_files(options.out or REPOSITORY / OUT_DEFAULT)
            screen.say("To look further:")
            for line in files:
                screen.say(f"  {line}")
            screen.say(f"All of it took {time.monotonic() - began:.0f} s after the build")
            findings.check()
            if options.keep:
                await story.keep_running()


@contextlib.asynccontextmanager
async def in_time(began: float) -> AsyncIterator[None]:
    """DemoError where this does not end in time; `began` is monotonic."""
    try:
        async with asyncio.timeout(began + STORY_S_MAX - time.monotonic()):
            yield
    except TimeoutError:
        raise DemoError(f"the demo has not ended after {STORY_S_MAX:.0f} s; is this machine very slow?") from None


@contextlib.asynccontextmanager
async def background(work: Coroutine[object, object, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Runs this meanwhile. What goes wrong in it is said at the end, which waits for nothing that goes on."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=BACKGROUND_S_MAX)
        if task.done() and not task.cancelled():
            await task


class Story:
    """What runs, and the parts of the story in their order."""

    def __init__(
        self,
        fault: str,
        processes: Processes,
        screen: Screen,
        programs: Programs,
        stage: Stage,
        ports: Ports,
        page_port: int | None,
    ) -> None:
        self.traffic = Traffic(ports.envoy, EvenIds(ROLLOUT.encode()))
        self._fault = fault
        self._processes, self._screen, self._programs = processes, screen, programs
        self._stage, self._ports, self._page_port = stage, ports, page_port
        self._began = time.monotonic()
        self._fault_at = 0.0

    async def release(self) -> None:
        """Lets `run` take v2 to its last share, and waits until it has been in order there."""
        say = self._screen.say
        say()
        turns = f"go on for up to {TURNS_MAX} turns; one in {LONG_ONE_IN} goes on until the end"
        say(f"{BEGIN_PER_S:.0f} conversations begin each second, and {turns}")
        say(f"What {CANARY} is held to ({POLICY}, all else as in the default policy):")
        for line in (self._stage.folder / POLICY).read_text().splitlines():
            if line and not line.startswith("#"):
                say(f"  {line}")
        say()
        listen = ["--listen", f"127.0.0.1:{self._page_port}"] if self._page_port is not None else []
        command = ["run", str(ECDS), CANARY, "--plan", PLAN, "--policy", str(POLICY), *self._source()]
        command += ["--journal", JOURNAL, *listen]
        say(f"$ llm-canary {shlex.join(command)}")
        folder = self._stage.folder
        journal = folder / JOURNAL
        self._release = await Release.begin(
            self._processes, self._screen, [self._programs.tool, *command], folder, journal, self._began
        )
        last = PLAN_PERCENT[-1]
        await self._until(
            lambda: self._release.first("ramping", last), RAMP_S_MAX, f"{CANARY} has not come to {last} %"
        )
        in_order_until = time.monotonic() + IN_ORDER_S
        await self._ask()
        await self._until(lambda: time.monotonic() > in_order_until, RAMP_S_MAX, "")

    async def _ask(self) -> None:
        """Asks a reference set of both versions, through Envoy and beside the conversations."""
        say = self._screen.say
        command = ["watchdog", str(ECDS), "--set", str(SET), "--via", f"http://127.0.0.1:{self._ports.envoy}"]
        command += ["--once", "--concurrency", str(ASKED_AT_ONCE)]
        self._screen.clear()
        say()
        say(f"$ llm-canary {shlex.join(command)}")
        status, said = await self._processes.run([self._programs.tool, *command], self._stage.folder, ASK_S_MAX)
        for line in said.splitlines():
            say(f"  {line}")
        if status not in NOT_WORSE:
            raise DemoError(f"the answers of {CANARY} to a reference set are worse, with status {status}; see above")

    async def goes_wrong(self) -> None:
        """Makes v2 go wrong, and waits until `run` has stopped it."""
        self._screen.say()
        self._screen.say(f"{CANARY} goes wrong now: {FAULTS[self._fault].words}")
        self._fault_at = time.time()
        await asyncio.to_thread(self._make_fault)
        stopped = f"{CANARY} is not stopped {STOP_S_MAX:.0f} s after it went wrong"
        await self._until(lambda: self._release.exit_code is not None, STOP_S_MAX, stopped)

    async def look_back(self) -> Findings:
        """What clients saw, once it is over."""
        code = await self._release.ended()
        await asyncio.sleep(AFTER_S)
        self._screen.clear()
        return Findings(
            fault=self._fault,
            fault_at=self._fault_at,
            stopped_at=self._stage.written_at(),
            exit_code=code,
            events=self._release.events,
            text=(self._stage.folder / ECDS).read_text(),
            conversations=list(self.traffic.conversations),
        )

    async def keep_files(self, out: Path) -> list[str]:
        """Writes the page about the release, and puts all files where they stay. Returns what to say of them."""
        command = [
            "report",
            str(ECDS),
            "--version",
            CANARY,
            "--from",
            SAMPLES,
            "--window",
            WINDOW,
            "--policy",
            str(POLICY),
        ]
        command += ["--journal", JOURNAL, "-o", PAGE]
        folder = self._stage.folder
        self._screen.say()
        self._screen.say(f"$ llm-canary {shlex.join(command)}")
        status, _ = await self._processes.run([self._programs.tool, *command], folder, REPORT_S_MAX)
        if status != 0:
            raise DemoError(f"llm-canary report failed with status {status}; see above")
        await asyncio.to_thread(copy, folder, [Path(PAGE), Path(JOURNAL), Path(SAMPLES), ECDS, POLICY], out)
        place = shown(out)
        samples = f"--from {SAMPLES} --window {WINDOW}"
        return [
            f"the page about this release   {(out / PAGE).resolve().as_uri()}",
            f"what run did, with figures    {place / JOURNAL}, a line of JSON for each event",
            f"judge it again                cd {place} && llm-canary analyze {ECDS.name} --version {CANARY} {samples} "
            f"--policy {POLICY.name}",
            f"the tool                      {shown(self._programs.tool)}; docs/operating.md says how to use it",
        ]

    async def keep_running(self) -> None:
        """Until Ctrl-C."""
        say = self._screen.say
        say("Everything runs on until Ctrl-C, and conversations go on. What you can try:")
        say(f"  cd {self._stage.folder}")
        say(f"  curl 127.0.0.1:{self._ports.v2}/fault -d none       mends {CANARY}; other faults: {', '.join(FAULTS)}")
        release = ["--plan", PLAN, "--policy", str(POLICY), *self._source()]
        again = ["run", str(ECDS), CANARY, *release, "--again", "mended"]
        say(f"  llm-canary {shlex.join(again)}")
        say(f"  llm-canary status {ECDS} {shlex.join(self._source())}")
        while True:
            self._processes.check()
            await asyncio.sleep(REFRESH_S)

    def _source(self) -> list[str]:
        return ["--admin", f"http://127.0.0.1:{self._ports.admin}", "--every", EVERY]

    def _make_fault(self) -> None:
        """Tells v2's own server, and nobody else."""
        try:
            answer = send(self._ports.v2, request(target=b"/fault", body=self._fault.encode()))
        except (HttpError, OSError) as error:
            raise DemoError(f"{CANARY} could not be made to go wrong: {error}") from None
        if answer.status != 200:
            raise DemoError(f"{CANARY} could not be made to go wrong: status {answer.status}")

    async def _until(self, condition: Callable[[], object], seconds_max: float, words: str) -> None:
        """Shows what is the case until the condition holds. It must hold in time, and before `run` ends."""
        give_up_at = time.monotonic() + seconds_max
        while not condition():
            self._release.look()
            self._processes.check()
            ended = self._release.exit_code
            if ended is not None and not condition():
                await self._release.ended()
                raise DemoError(f"run ended with exit code {ended} before {CANARY} went wrong; see above")
            if time.monotonic() > give_up_at:
                raise DemoError(f"{words}, after {seconds_max:.0f} s; is this machine very slow?")
            self._screen.now(self._present())
            await asyncio.sleep(REFRESH_S)

    def _present(self) -> str:
        """A line about the present, as clients see it."""
        now = time.time()
        recent = [one for one in self.traffic.conversations[-int(PRESENT_S * BEGIN_PER_S) :] if one.version]
        on_canary = sum(one.version == CANARY for one in recent)
        share = 100 * on_canary / len(recent) if recent else 0.0
        turns = self.traffic.turns
        answers = len(self.traffic.answers(CANARY))
        moved = sum(len(one.moved(now)) for one in self.traffic.conversations)
        return (
            f"  [{time.monotonic() - self._began:3.0f} s] {len(turns):,} requests, {answers:,} on {CANARY}; "
            f"{share:.0f} % of new conversations on {CANARY}; {self.traffic.under_way} under way, {moved} have moved"
        )


def copy(folder: Path, paths: list[Path], out: Path) -> None:
    """Copies these files of the folder side by side into another one."""
    out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copy(folder / path, out / path.name)


def shown(path: Path) -> Path:
    """Relative to where the user is, if it is there."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path.resolve()
