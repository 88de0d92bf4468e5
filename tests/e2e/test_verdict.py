"""What a release can break is found in real traffic: by polls of Envoy's admin page, and in a Prometheus that scrapes
it. Nothing is found where the versions are the same.

There is a rollout for each case, and all cases run at once. tests/identical.sh watches versions that are the same for
as long as you like.
"""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pylib.buckets import PARTS, bucket
from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import NEWEST, SUPPORTED, Json
from tests.harness.behaviour import CHARS, Behaving, Behaviour
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.load import streams
from tests.harness.prometheus import Prometheus
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.traffic import Traffic
from tests.harness.upstream import ModelServer

SHARE_PERCENT = 25
# The release began long ago, so no window is left out and no cache is cold.
BEGAN_MS = 3_600_000
CLIENTS = 64
WARM_UP, WARM_UP_CLIENTS = 400, 12

EVERY, WINDOW = "2s", "2s"
SCRAPED_EVERY_S = 1
# Younger samples are not read from a Prometheus.
SETTLED_S = 20
FOUND_S_MAX = 40
SAME_WATCHED_S = 30

TERMINAL_COLUMNS = 90
CLEAR_BELOW = b"\x1b[J"


@dataclass(frozen=True)
class Case:
    """`behaviour` is v2's. `worse` is the only guard that may find it; None if nothing may."""

    behaviour: Behaviour
    requests: int
    worse: str | None = None
    least: float = 0.0  # v2's value relative to v1's


SAME = "same"
CASES = {
    "refuses": Case(Behaviour(refuses=0.3), 1000, "refusals", 1.5),
    "longer": Case(Behaviour(chars=1.3 * CHARS), 800, "response_chars", 1.1),
    "late": Case(Behaviour(first_token_s=0.15), 600, "time_to_first_token_ms", 1.1),
    "fails": Case(Behaviour(fails=0.05), 1400, "errors"),
    "loops": Case(Behaviour(loops=0.02), 3000, "defects"),
    SAME: Case(Behaviour(), 3000),
}
FAULTY = [name for name, case in CASES.items() if case.worse]
EACH = pytest.mark.parametrize("version", SUPPORTED)
EACH_FAULTY = pytest.mark.parametrize("name", FAULTY)


@pytest.fixture(scope="module")
def servers(run: Run) -> Iterator[Servers]:
    behaviours = {
        "v1": dict.fromkeys(CASES, Behaviour()),
        "v2": {name: case.behaviour for name, case in CASES.items()},
    }
    started = {version: run(ModelServer(version, Behaving(version, of)).start()) for version, of in behaviours.items()}
    yield started
    for server in started.values():
        run(server.stop())


def configuration() -> Json:
    steps = [{"at": rfc3339(now_ms() - BEGAN_MS), "percent": {"v2": SHARE_PERCENT}}]
    return config(
        *(
            rollout(name=name, match={"headers": {"x-rollout": name}}, refusal_phrases=True, steps=steps)
            for name in CASES
        )
    )


def asked(name: str, number: int) -> bytes:
    """A request of a conversation of its own."""
    headers = {"x-rollout": name, "x-conversation-id": f"{name}-{number}", "x-test-reply": f"{name}/{number}"}
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "How is the ferry?"}]}
    encoded = [(key.encode(), value.encode()) for key, value in headers.items()]
    return request(headers=encoded, body=json.dumps(body).encode())


def requests_of(name: str) -> Iterator[bytes]:
    """Without end; of each four, one is for v2. So v2 has traffic in each window: the windows before a version's first
    traffic would spoil the next ones.
    """

    def numbers(is_canary: bool) -> Iterator[int]:
        for number in itertools.count():
            place = bucket(name.encode(), f"{name}-{number}".encode())
            if (place * 100 < SHARE_PERCENT * PARTS) == is_canary:
                yield number

    canary, baseline = numbers(True), numbers(False)
    while True:
        for number in (next(canary), *itertools.islice(baseline, 3)):
            yield asked(name, number)


def in_turn(requests: Sequence[Iterator[bytes]]) -> list[bytes]:
    """Of all cases, as long as they have any."""
    return [raw for row in itertools.zip_longest(*requests) for raw in row if raw is not None]


class Release:
    """The same release behind Envoys of several versions, scraped by one Prometheus."""

    def __init__(self, tool: Path, file: Path, envoys: dict[str, Envoy], prometheus: Prometheus) -> None:
        self.file = file
        self.envoys = envoys
        self.prometheus = prometheus
        self._tool = tool
        self._watching: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self._ended_at = 0.0

    async def serve(self) -> None:
        """Sends all requests through each Envoy, while it is watched."""
        requests = {name: requests_of(name) for name in CASES}
        some = in_turn([itertools.islice(of_case, WARM_UP) for of_case in requests.values()])
        all_requests = in_turn([itertools.islice(requests[name], case.requests) for name, case in CASES.items()])
        ports = [envoy.port for envoy in self.envoys.values()]
        async with contextlib.AsyncExitStack() as stack:
            for port in ports:
                traffic = await stack.enter_async_context(Traffic(port, some, WARM_UP_CLIENTS))
                await traffic.reaches(len(some) // 4)
            await asyncio.to_thread(self._watch)
        await asyncio.gather(*(streams(port, all_requests, len(all_requests), CLIENTS) for port in ports))
        self._ended_at = time.time()

    def _watch(self) -> None:
        """Returns once there is something of everything to begin with."""
        targets = {version: envoy.admin_address.removeprefix("http://") for version, envoy in self.envoys.items()}
        self.prometheus.start(targets, SCRAPED_EVERY_S)
        for version, envoy in self.envoys.items():
            for name in CASES:
                seconds = SAME_WATCHED_S if name == SAME else FOUND_S_MAX
                source = ["--admin", envoy.admin_address, "--every", EVERY, "--for", f"{seconds}s"]
                command = [self._tool, "analyze", self.file, *source, "--rollout", name, "--json"]
                self._watching[version, name] = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
        while len(self.prometheus.samples("up", time.time(), FOUND_S_MAX)) < len(targets):
            time.sleep(0.05)

    def watched(self, version: str, name: str) -> tuple[int, Json]:
        """What the polls have found."""
        process = self._watching[version, name]
        out, err = process.communicate(timeout=FOUND_S_MAX)
        assert out, err
        return process.returncode, json.loads(out)

    def scraped(self, version: str) -> list[str]:
        """The options for what Prometheus has of an Envoy, once it has all that is to be read."""
        time.sleep(max(0.0, self._ended_at + SETTLED_S + 2 * SCRAPED_EVERY_S - time.time()))
        selector = f'instance="{version}"'
        return ["--prometheus", self.prometheus.address, "--selector", selector, "--window", WINDOW]

    def stop(self) -> None:
        for process in self._watching.values():
            process.kill()
            process.communicate()
        self.prometheus.stop()


@pytest.fixture(scope="module")
def release(
    start_envoy: StartEnvoy, run: Run, tool: Path, dependency: Dependency, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Release]:
    folder = tmp_path_factory.mktemp("release")
    prometheus = Prometheus(dependency("prometheus"), folder / "prometheus")
    (folder / "config.json").write_text(json.dumps(configuration()))
    envoys = {version: start_envoy(configuration(), version=version) for version in SUPPORTED}
    release = Release(tool, folder / "config.json", envoys, prometheus)
    try:
        run(release.serve())
        yield release
    finally:
        release.stop()


def guards(analysis: Json) -> dict[str, Json]:
    return {signal["name"]: signal for signal in analysis["signals"] if signal["mode"] == "guard"}


def check_found(name: str, code: int, analysis: Json) -> None:
    case = CASES[name]
    assert (code, analysis["verdict"]) == (1, "regression"), json.dumps(analysis, indent=1)
    of_guards = guards(analysis)
    assert [guard for guard, signal in of_guards.items() if signal["verdict"] == "worse"] == [case.worse], of_guards
    [because] = analysis["because"]
    assert because.startswith(f"{case.worse}: "), because
    found = of_guards[case.worse or ""]
    assert found["log_e"] >= found["threshold"] and found["alarmed_at"], found
    assert found["version"] > case.least * found["baseline"], found
    print(f"{because} (after {analysis['windows']} windows, {analysis['requests']})")


def check_same(code: int, analysis: Json) -> None:
    assert code in (0, 3) and analysis["verdict"] in ("fine", "not_enough_data"), analysis
    worst = max((signal["log_e"], name) for name, signal in guards(analysis).items())
    print(f"{analysis['windows']} looks, {analysis['requests']}, the most evidence: {worst}")
    assert all(signal["verdict"] != "worse" for signal in guards(analysis).values()), analysis
    [stale] = [row for row in analysis["health"] if row["name"] == "stale"]
    assert stale["state"] == "ok", stale


@EACH
@EACH_FAULTY
def test_polls_find_it(release: Release, version: str, name: str) -> None:
    check_found(name, *release.watched(version, name))


@EACH
def test_polls_find_nothing_where_the_versions_are_the_same(release: Release, version: str) -> None:
    check_same(*release.watched(version, SAME))


# --- status: the versions side by side


def some_requests() -> list[bytes]:
    return list(itertools.islice(requests_of("refuses"), WARM_UP))


@pytest.mark.parametrize("how", [[], ["--once"]], ids=["piped", "once"])
async def test_status_is_printed_once(release: Release, llm_canary: RunTool, how: list[str]) -> None:
    envoy = release.envoys[NEWEST]
    async with Traffic(envoy.port, some_requests(), clients=16):
        arguments = ["status", release.file, "--rollout", "refuses", "--admin", envoy.admin_address, "--every", "1s"]
        said = await asyncio.to_thread(llm_canary, *arguments, *how)
    assert (said.returncode, said.stderr) == (0, "")
    check_table(said.stdout)


async def test_status_is_written_anew_on_a_terminal(release: Release, tool: Path) -> None:
    envoy = release.envoys[NEWEST]
    arguments = ["--rollout", "refuses", "--admin", envoy.admin_address, "--every", "500ms"]
    async with Traffic(envoy.port, some_requests(), clients=16):
        screens = await asyncio.to_thread(on_terminal, [tool, "status", release.file, *arguments], 3)
    assert screens[0] == "\x1b[2J", "all is cleared once"
    for screen in screens[1:]:
        check_table(screen)
        assert all(len(line) <= TERMINAL_COLUMNS for line in screen.splitlines()), screen
    counts = [requests_shown(screen) for screen in screens[1:]]
    assert counts == sorted(counts) and counts[0] < counts[-1], counts


def check_table(text: str) -> None:
    heading, _, columns, baseline, version, *_ = [line.rstrip() for line in text.splitlines()]
    assert re.fullmatch(r"refuses from \S+Z to \S+Z", heading), heading
    assert columns.split()[:2] == ["version", "share"] and "refusals" in columns, columns
    assert re.match(r"v1 +75 % .* baseline$", baseline) and re.match(r"v2 +25 % ", version), text


def requests_shown(screen: str) -> int:
    """Of the baseline."""
    shown = re.search(r"^v1 +75 % +\d+ % +([\d,]+)", screen, re.MULTILINE)
    assert shown is not None, screen
    return int(shown[1].replace(",", ""))


def on_terminal(command: Sequence[str | Path], screens: int) -> list[str]:
    """What stands before the first screen, and so many screens, of a command that is then interrupted."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, TERMINAL_COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    try:
        while written.count(CLEAR_BELOW) < screens:
            written += os.read(ours, 1 << 16)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(FOUND_S_MAX)
        os.close(ours)
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT), process.returncode
    text = written.decode().replace("\x1b[K", "").replace("\x1b[J", "")
    return text.split("\x1b[H")[: screens + 1]


# --- Prometheus, which has settled by now


@EACH
@EACH_FAULTY
def test_prometheus_shows_it(release: Release, llm_canary: RunTool, version: str, name: str) -> None:
    said = llm_canary("analyze", release.file, *release.scraped(version), "--rollout", name, "--json")
    assert not said.stderr, said.stderr
    check_found(name, said.returncode, json.loads(said.stdout))


@EACH
def test_prometheus_shows_nothing_where_the_versions_are_the_same(
    release: Release, llm_canary: RunTool, version: str
) -> None:
    said = llm_canary("analyze", release.file, *release.scraped(version), "--rollout", SAME, "--json")
    check_same(said.returncode, json.loads(said.stdout))
