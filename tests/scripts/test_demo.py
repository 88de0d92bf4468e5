"""demo.sh as a user runs it: to the end, interrupted, and beside a program that has its ports.

Each of the faults takes a minute. `DEMO_FAULTS` says which are run: names with commas between them, or `all`. By
default it is the demo's own, so that the section stays short:

    DEMO_FAULTS=all ./test.sh scripts
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from demo.__main__ import FAULT_DEFAULT
from demo.faults import FAULTS
from demo.findings import Findings
from demo.model_server import FAULTS as SERVED
from demo.model_server import KNOWN
from demo.processes import STOP_S_MAX as STOP_ALL_S_MAX
from demo.processes import DemoError, Processes
from demo.release import Difference, Event
from demo.stage import SET, SHIPPED
from demo.story import BACKGROUND_S_MAX, background, in_time
from demo.story import STORY_S_MAX as STORY_S
from demo.traffic import Conversation, Turn
from tests.harness import REPOSITORY
from tests.harness.ports import free_port

StartDemo = Callable[..., "Demo"]

SECONDS_MAX = 300  # the first run builds and fetches
STORY_S_MAX = 90
STOP_S_MAX = 15
EXIT_SKIPPED = 77
AT_ONCE = 2
PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")
PORTS = ("envoy", "admin", "v1", "v2", "page")

asked = os.environ.get("DEMO_FAULTS", FAULT_DEFAULT)
CHOSEN = list(FAULTS) if asked == "all" else asked.split(",")


def free_ports() -> list[str]:
    return [part for name in PORTS for part in (f"--{name}-port", str(free_port()))]


class Demo:
    """A running demo. It has a temporary folder of its own, by which all that it starts can be found."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.out = folder / "out"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [REPOSITORY / "demo.sh", "--out", self.out, *options],
                env=os.environ | {"TMPDIR": str(folder)} | environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        give_up_at = time.monotonic() + SECONDS_MAX
        while words not in self.said():
            assert self.process.poll() is None, (
                f"ended with status {self.process.returncode} before {words!r}:\n{self.said()}"
            )
            assert time.monotonic() < give_up_at, self.said()
            time.sleep(0.05)

    def ended(self, seconds_max: float = SECONDS_MAX) -> int:
        status = self.process.wait(seconds_max)
        if status == EXIT_SKIPPED:
            pytest.skip(f"NOT TESTED: {self.said().splitlines()[-1]}")
        return status

    def left(self) -> list[object]:
        """What is left of the demo: processes that run in its folder, and files there."""
        processes = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder) in os.readlink(process / "cwd"):
                    processes.append((process / "cmdline").read_bytes())
            except OSError:
                pass  # it ended, or is not ours
        return processes + [path for path in self.folder.iterdir() if path not in (self.output, self.out)]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    started: list[Demo] = []
    numbers = itertools.count()  # two may be started at a time

    def start(*options: str, **environment: str) -> Demo:
        folder = tmp_path / f"folder of demo {next(numbers)}"
        folder.mkdir()
        started.append(Demo(folder, *options, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(STOP_S_MAX)


def check_story(fault: str, running: Demo) -> str:
    """It happened as --help tells it. Returns the figures."""
    assert running.ended() == 0, running.said()
    said = running.said()
    [seconds] = re.findall(r"All of it took (\d+) s after the build", said)
    assert int(seconds) <= STORY_S_MAX
    shares = re.findall(r"\[ *\d+ s\] chat: v2 gets (\d+) %: ", said)
    assert shares == ["10", "25", "50"], "each share is a line of run"
    assert said.index("chat: v2 gets 50 %") < said.index("v2 goes wrong now") < said.index("chat: v2 is worse")
    [(answers, conversations, over)] = re.findall(r"([\d,]+) answers in ([\d,]+) conversations .*; (\d+) conv", said)
    assert int(answers.replace(",", "")) > 1000 and int(conversations.replace(",", "")) > 300 and int(over) > 20
    assert re.findall(r"(\d+) conversations changed version", said) == ["0"]
    [(stop_s, reached)] = re.findall(r"from the fault to the stop: ([\d.]+) s, in which (\d+) requests", said)
    [because] = re.findall(r"^Why run stopped it:\n  (.+)$", said, re.MULTILINE)
    assert because.split(":")[0] in FAULTS[fault].guards | FAULTS[fault].also
    assert re.search(r"16 prompts: [0-4] worse, [0-4] better", said), said
    # What is left is what it says.
    assert running.left() == []
    assert all(is_free(int(port)) for port in PORT.findall(said))
    assert (running.out / "release.html").stat().st_size > 10_000
    events = [json.loads(line)["event"] for line in (running.out / "release.jsonl").read_text().splitlines()]
    assert [event for event in events if event != "look"] == [*["ramping"] * 3, "stopping", "stopped", "ended"]
    [judge] = re.findall(r"judge it again +cd .+ && llm-canary (.+)", said)
    [tool] = re.findall(r"the tool +(\S+);", said)
    command = [Path("/") / tool, *judge.split()]
    again = subprocess.run(command, cwd=running.out, capture_output=True, text=True, check=False)
    assert again.returncode in (1, 3) and "chat v2 against v1" in again.stdout, again
    return f"{fault}: {seconds} s, {stop_s} s to the stop, {reached} requests; {because}"


def test_shows_a_release_that_goes_well_and_then_does_not(demo: StartDemo) -> None:
    def run(fault: str) -> str:
        return check_story(fault, demo("--fault", fault, *free_ports()))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for figures in pool.map(run, CHOSEN):
            print(figures)


def test_what_does_not_end_is_ended_in_time(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    )
    command = [sys.executable, "-c", stubborn]

    async def run() -> None:
        async with Processes(tmp_path) as processes:
            for name in ("a", "b", "c"):
                await processes.start(name, command, tmp_path)
                while not (tmp_path / f"{name}.log").read_text():
                    await asyncio.sleep(0.05)
            await processes.run(command, tmp_path, 1.0)

    began = time.monotonic()
    with pytest.raises(DemoError, match="has not ended after 1 s"):
        asyncio.run(run())
    assert time.monotonic() - began < 1 + STOP_ALL_S_MAX + 10, "they are ended together, and not one after the other"


def test_the_background_holds_nothing_up() -> None:
    async def deaf() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.5)
            if time.monotonic() > began + BACKGROUND_S_MAX + 4:
                return

    async def run() -> float:
        async with background(deaf()):
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    began = time.monotonic()
    assert asyncio.run(run()) < BACKGROUND_S_MAX + 2


def test_a_story_that_takes_too_long_is_over() -> None:
    async def run() -> None:
        async with in_time(time.monotonic() - STORY_S):
            await asyncio.sleep(99)

    with pytest.raises(DemoError, match="has not ended after 80 s"):
        asyncio.run(run())


def test_each_fault_is_one_of_the_servers() -> None:
    assert set(SERVED) == {"none", *FAULTS}


def test_the_servers_know_what_the_reference_set_asks() -> None:
    tests = yaml.safe_load((REPOSITORY / SET).read_text())["tests"]
    assert set(KNOWN) == {test["vars"]["question"] for test in tests}


def event(name: str, percent: float, worse: list[str]) -> Event:
    signals = [{"name": name, "mode": "guard", "verdict": "worse"} for name in worse]
    record = {"event": name, "percent": percent, "judgement": {"signals": signals, "because": []}, "why": []}
    return Event(0.0, record)


def conversation(*turns: tuple[float, str]) -> Conversation:
    return Conversation("c", turns[0][0], False, [Turn(at, version, at + 0.1, True) for at, version in turns])


# Steps at the seconds 10, 20 and 30; the fault comes at 40, and the stop at 42.
TEXT = """{ "name": "v2", "cluster": "llm-v2", "stopped": true }
"steps": [{ "at": "1970-01-01T00:00:00Z", "percent": { "v2": 0 } },
{"at": "1970-01-01T00:00:10Z", "percent": {"v2": 10}},
{"at": "1970-01-01T00:00:20Z", "percent": {"v2": 25}}, {"at": "1970-01-01T00:00:30Z", "percent": {"v2": 50}},
{"at": "1970-01-01T00:00:42Z", "percent": {"v2": 0}}]"""
TOLD = Findings(
    fault="refusals",
    fault_at=40.0,
    stopped_at=42.0,
    exit_code=1,
    events=[event("stopping", 50, ["refusals"])],
    text=TEXT,
    conversations=[conversation((12, "v2"), (21, "v2"), (43, "v1")), conversation((5, "v1"), (31, "v1"))],
)


def test_a_story_that_happened() -> None:
    TOLD.check()
    assert len(TOLD.over_a_step) == 2 and TOLD.moved == [], "a conversation that moves because of the stop is none"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(TOLD, exit_code=143), "exit code 143"),
        (replace(TOLD, events=[]), "says that it stopped v2"),
        (replace(TOLD, events=[event("stopping", 50, ["errors"])]), "because of errors, and the fault was refusals"),
        (replace(TOLD, events=[event("stopping", 50, ["refusals", "errors"])]), "because of errors, refusals"),
        (replace(TOLD, events=[event("stopping", 50, ["response_chars"])]), "because of response_chars"),
        (replace(TOLD, text=TEXT.replace('"stopped": true', '"stopped": false')), "and stop v2"),
        (replace(TOLD, text=TEXT.replace('"v2": 25', '"v2": 30')), "the configuration has the steps"),
        (replace(TOLD, conversations=[conversation((12, "v2"), (21, "v1"))]), "1 times a conversation changed"),
        (replace(TOLD, conversations=[conversation((12, "v1"), (41, "v2"))]), "1 times a conversation changed"),
        (replace(TOLD, conversations=[conversation((12, "v1"), (13, "v1"))]), "no conversation went on over a step"),
        (
            replace(TOLD, conversations=[*TOLD.conversations, conversation((41, "v2"), (43.5, "v2"))]),
            "still used 1.5 s after",
        ),
    ],
)
def test_a_story_that_did_not(other: Findings, words: str) -> None:
    with pytest.raises(DemoError, match=re.escape(words)):
        other.check()


def test_of_a_difference_what_is_new_is_shown() -> None:
    difference = Difference()
    lines = ["--- a", "+++ a (changed)", "@@ -1,2 +1,3 @@", " x", '-  {"at": 1}', '+  {"at": 1},', '+  {"at": 2}']
    assert all(difference.takes(line) for line in lines)
    assert not difference.takes("chat: v2 gets 10 %")
    assert difference.news() == ['{"at": 2}'] and difference.news() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_nothing_behind_when_told_to_stop(demo: StartDemo, number: signal.Signals) -> None:
    running = demo(*free_ports())
    running.wait_for("chat: v2 gets 10 %")
    ports = {int(port) for port in PORT.findall(running.said())}
    assert len(ports) == 5 and not any(is_free(port) for port in ports)
    running.process.send_signal(number)
    running.process.send_signal(number)  # a second one must not break the tidying up
    assert running.ended(STOP_S_MAX) == 128 + number
    assert running.left() == []
    assert all(is_free(port) for port in ports)


def test_leaves_nothing_behind_when_stopped_while_it_starts(demo: StartDemo) -> None:
    running = demo()
    running.wait_for("Starting")
    running.process.send_signal(signal.SIGTERM)
    assert running.ended(STOP_S_MAX) == 128 + signal.SIGTERM
    assert running.left() == []


def test_takes_other_ports_where_the_shipped_ones_are_in_use(demo: StartDemo) -> None:
    shipped = {"Envoy": SHIPPED.envoy, "listening on": 8099}
    taken = [socket.socket() for _ in shipped]
    try:
        for other, port in zip(taken, shipped.values(), strict=True):
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                other.bind(("127.0.0.1", port))
                other.listen()
            except OSError:
                pass  # something here has it already, which is as good
        running = demo()
        running.wait_for("listening on ")
        for words, port in shipped.items():
            [found] = re.findall(rf"{words} +http://127\.0\.0\.1:(\d+)", running.said())
            assert int(found) != port
    finally:
        for other in taken:
            other.close()


def test_goes_without_the_page(demo: StartDemo) -> None:
    running = demo("--no-page", *(part for name in PORTS[:-1] for part in (f"--{name}-port", "0")))
    running.wait_for("chat: v2 gets 10 %")
    assert "listening on" not in running.said() and "--listen" not in running.said()


def test_says_which_port_is_in_use(demo: StartDemo) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = demo("--envoy-port", str(port))
        assert running.ended() == 1
        assert f"--envoy-port {port}: this port is in use" in running.said()
