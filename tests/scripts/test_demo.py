"""demo.sh as a person uses it: run to the end, interrupted, and beside something that has its ports."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.harness import REPOSITORY

SECONDS_MAX = 300  # the first run builds and fetches
STOP_S_MAX = 15
EXIT_SKIPPED = 77
PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Demo:
    """A running demo, whose temporary folder, and so every process it starts, can be told apart."""

    def __init__(self, folder, *options, **environment):
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

    def said(self):
        return self.output.read_text()

    def wait_for(self, words):
        give_up_at = time.monotonic() + SECONDS_MAX
        while words not in self.said():
            assert self.process.poll() is None, f"ended with status {self.process.returncode} before {words!r}:\n{self.said()}"
            assert time.monotonic() < give_up_at, self.said()
            time.sleep(0.05)

    def ended(self, seconds_max=SECONDS_MAX):
        status = self.process.wait(seconds_max)
        if status == EXIT_SKIPPED:
            pytest.skip(f"NOT TESTED: {self.said().splitlines()[-1]}")
        return status

    def left(self):
        """What is still there of it: processes that work in its folder, and its files."""
        processes = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder) in os.readlink(process / "cwd"):
                    processes.append((process / "cmdline").read_bytes())
            except OSError:
                pass  # it ended, or is not ours
        return processes + [path for path in self.folder.iterdir() if path != self.output]


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def demo(tmp_path):
    started = []

    def start(*options, **environment):
        folder = tmp_path / f"folder of demo {len(started)}"
        folder.mkdir()
        started.append(Demo(folder, *options, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(STOP_S_MAX)


def test_shows_a_release_and_its_rollback(demo):
    running = demo("--seconds", "15")
    assert running.ended() == 0, running.said()
    said = running.said()
    last_table = said[said.rindex("version  share"):]
    versions = {line.split()[0]: line.split()[1:] for line in last_table.splitlines()[1:3]}
    assert set(versions) == {"v1", "v2"}
    for version, cells in versions.items():
        assert "-" not in cells[:-2], f"{version} was not measured: {cells}"
        assert int(cells[1].replace(",", "")) > 0 and int(cells[2].replace(",", "")) > 0
    assert float(versions["v1"][0].rstrip("%")) > 70
    assert "0 of" in said and "conversations changed version" in said
    assert re.search(r"[1-9]\d* requests were on v2 in the half second before", said)
    assert running.left() == []
    assert all(is_free(int(port)) for port in PORT.findall(said))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_nothing_behind_when_told_to_stop(demo, number):
    running = demo("--seconds", "60")
    running.wait_for("requests, ")  # the table is live
    ports = [int(port) for port in PORT.findall(running.said())]
    assert len(ports) >= 4 and not any(is_free(port) for port in ports)
    running.process.send_signal(number)
    running.process.send_signal(number)  # a second one must not break the tidying up
    assert running.ended(STOP_S_MAX) == 128 + number
    assert running.left() == []
    assert all(is_free(port) for port in ports)


def test_leaves_nothing_behind_when_stopped_while_it_starts(demo):
    running = demo("--seconds", "60")
    running.wait_for("Starting")
    running.process.send_signal(signal.SIGTERM)
    assert running.ended(STOP_S_MAX) == 128 + signal.SIGTERM
    assert running.left() == []


def test_takes_other_ports_where_the_shipped_ones_are_in_use(demo):
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


def test_says_which_port_is_in_use(demo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = demo("--envoy-port", str(port))
        assert running.ended() == 1
        assert f"--envoy-port {port}: this port is in use" in running.said()


def test_reads_envoy_itself_without_prometheus(demo, tmp_path):
    """A machine where Prometheus cannot be had: nothing on PATH, nothing cached, no Debian."""
    tools = tmp_path / "tools"
    tools.mkdir()
    hidden = {"prometheus", "promtool", "apt-get", "apt-cache", "dpkg-deb"}
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).glob("*"):
            if tool.name not in hidden and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    cache = tmp_path / "cache"
    cache.mkdir()
    shipped = Path(os.environ.get("LLM_CANARY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canary")
    if (shipped / "envoy").exists():
        (cache / "envoy").symlink_to(shipped / "envoy")
    running = demo("--seconds", "5", PATH=str(tools), LLM_CANARY_CACHE=str(cache), PROMETHEUS_PATH="", CI="")
    assert running.ended() == 0, running.said()
    assert "without Prometheus" in running.said()
    assert re.search(r"v1 +\d+\.\d% +[1-9]", running.said())
