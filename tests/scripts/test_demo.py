"""demo.sh as a user runs it: to the end, interrupted, and beside a program that has its ports."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from demo.processes import DemoError
from demo.release import Rollback, check_share
from tests.harness import REPOSITORY

StartDemo = Callable[..., "Demo"]

SECONDS_MAX = 300  # the first run builds and fetches
STOP_S_MAX = 15
EXIT_SKIPPED = 77
PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Demo:
    """A running demo. It has a temporary folder of its own, by which all that it starts can be found."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.output = folder / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [REPOSITORY / "demo.sh", *options],
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
        return processes + [path for path in self.folder.iterdir() if path != self.output]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    started: list[Demo] = []

    def start(*options: str, **environment: str) -> Demo:
        folder = tmp_path / f"folder of demo {len(started)}"
        folder.mkdir()
        started.append(Demo(folder, *options, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(STOP_S_MAX)


BEGAN = re.compile(r"(\d+) conversations began at (\d+) %: (\d+) on v2, which is ([\d.]+) %")
ASKED_AGAIN = re.compile(r"(\d+) earlier conversations asked again, (\d+) of them on v2: (\d+) changed version")
CHANGED = re.compile(r"(\d+) of all (\d+) conversations changed version")


def test_shows_a_release_and_its_rollback(demo: StartDemo) -> None:
    running = demo("--seconds", "20")
    assert running.ended() == 0, running.said()
    said = running.said()
    last_table = said[said.rindex("version  new conversations") :]
    versions = {cells[0]: cells[1:] for cells in map(str.split, last_table.splitlines()[1:3])}
    assert set(versions) == {"v1", "v2"}
    for version, (conversations, share, requests, tokens, *quality) in versions.items():
        assert "-" not in quality, f"{version} was not measured: {quality}"
        assert min(int(cell.replace(",", "")) for cell in (conversations, requests, tokens)) > 0
        assert abs(float(share.rstrip("%")) - 50) < 2, "the table is a moment older than the sum below it"

    shares = [(int(percent), float(seen)) for _, percent, _, seen in BEGAN.findall(said)]
    assert [percent for percent, _ in shares] == [10, 50]
    assert all(abs(seen - percent) <= 1 for percent, seen in shares), shares
    [(earlier, on_canary, moved)] = ASKED_AGAIN.findall(said)
    assert int(earlier) > 100 and int(on_canary) > 0 and moved == "0"
    [(moved, conversations)] = CHANGED.findall(said)
    assert moved == "0" and int(conversations) > 300

    commands = re.findall(r"^\$ llm-canary (\w+) envoy/ecds/llm-canary.yaml v2", said, re.MULTILINE)
    assert commands == ["ramp", "stop"]
    assert re.search(r"[1-9]\d* requests reached it in the half second before", said)
    assert running.left() == []
    assert all(is_free(int(port)) for port in PORT.findall(said))


def test_fails_where_it_cannot_show_what_it_promises() -> None:
    """A canary that gets another share than it should, and one that is still used long after its stop."""
    too_late = Rollback(canary_before=9, last_canary_ms=1500.0, next_ms=1501.0, later=9, in_flight=[])
    with pytest.raises(DemoError, match="1500 ms after it was stopped"):
        too_late.check()
    with pytest.raises(DemoError, match="too few requests"):
        replace(too_late, canary_before=0).check()
    with pytest.raises(DemoError, match="no conversation began"):
        check_share(on_canary=0, conversations=0, percent=10)
    check_share(on_canary=21, conversations=200, percent=10)
    with pytest.raises(DemoError, match=r"16\.5 % of the new conversations"):
        check_share(on_canary=33, conversations=200, percent=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_nothing_behind_when_told_to_stop(demo: StartDemo, number: signal.Signals) -> None:
    running = demo("--seconds", "60")
    running.wait_for("requests, ")  # the table is live
    ports = [int(port) for port in PORT.findall(running.said())]
    assert len(ports) >= 4 and not any(is_free(port) for port in ports)
    running.process.send_signal(number)
    running.process.send_signal(number)  # a second one must not break the tidying up
    assert running.ended(STOP_S_MAX) == 128 + number
    assert running.left() == []
    assert all(is_free(port) for port in ports)


def test_leaves_nothing_behind_when_stopped_while_it_starts(demo: StartDemo) -> None:
    running = demo("--seconds", "60")
    running.wait_for("Starting")
    running.process.send_signal(signal.SIGTERM)
    assert running.ended(STOP_S_MAX) == 128 + signal.SIGTERM
    assert running.left() == []


def test_takes_other_ports_where_the_shipped_ones_are_in_use(demo: StartDemo) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 10000))
            other.listen()
        except OSError:
            pass  # something here has it already, which is as good
        running = demo("--seconds", "60")
        running.wait_for("Envoy  ")
        [port] = re.findall(r"Envoy +http://127\.0\.0\.1:(\d+)", running.said())
        assert port != "10000"


def test_says_which_port_is_in_use(demo: StartDemo) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = demo("--envoy-port", str(port))
        assert running.ended() == 1
        assert f"--envoy-port {port}: this port is in use" in running.said()


def test_reads_envoy_itself_without_prometheus(demo: StartDemo, tmp_path: Path) -> None:
    """A machine that cannot have Prometheus: it is not on PATH, not in the cache, and this is no Debian."""
    tools = tmp_path / "tools"
    tools.mkdir()
    hidden = {"prometheus", "promtool", "apt-get", "apt-cache", "dpkg-deb"}
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).glob("*"):
            if tool.name not in hidden and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    cache = tmp_path / "cache"
    cache.mkdir()
    shipped = Path(
        os.environ.get("LLM_CANARY_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canary"
    )
    if (shipped / "envoy").exists():
        (cache / "envoy").symlink_to(shipped / "envoy")
    running = demo("--seconds", "10", PATH=str(tools), LLM_CANARY_CACHE=str(cache), PROMETHEUS_PATH="", CI="")
    assert running.ended() == 0, running.said()
    assert "without Prometheus" in running.said()
    assert re.search(r"v1 +\d+ +\d+\.\d% +[1-9]", running.said())
