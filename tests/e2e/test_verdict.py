"""What a release can break is found in real traffic: by polls of Envoy's admin page, and in a Prometheus that scrapes
it. Nothing is found where the versions are the same.

There is a rollout for each case, and all cases run at once. tests/identical.sh watches versions that are the same for
as long as you like.
"""

import asyncio
import contextlib
import fcntl
import functools
import itertools
import json
import math
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
from datetime import datetime
from pathlib import Path

import pytest

from pylib.buckets import PARTS, bucket
from tests.e2e.conftest import RunTool, Servers
from tests.harness import Json
from tests.harness.behaviour import CHARS, REFUSAL, Behaving, Behaviour, ask
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import FLUSHED_S, Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import NATIVE, PLATFORMS, WASM, on
from tests.harness.load import streams
from tests.harness.prometheus import Prometheus
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.recording import Recording
from tests.harness.traffic import Traffic
from tests.harness.upstream import ModelServer

SHARE_PERCENT = 25
# The release began long ago, so no window is left out and no cache is cold.
BEGAN_MS = 3_600_000
CLIENTS = 64
# Until all is watched: so many requests through each Envoy before the first look, and so many of each case at most.
WARM, WARM_UP, WARM_UP_CLIENTS = 72, 400, 12

WINDOW_S = 2
EVERY, WINDOW = "2s", f"{WINDOW_S}s"
SCRAPED_EVERY_S = 1
# Younger samples are not read from a Prometheus.
SETTLED_S = 20
KEPT_S = 3600
FOUND_S_MAX = 110
SAME_WATCHED_S = 20

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
    "refusing": Case(Behaviour(refuses=0.3), 600, "refusals", 1.5),
    "longer": Case(Behaviour(chars=1.3 * CHARS), 500, "response_chars", 1.1),
    "late": Case(Behaviour(first_token_s=0.15), 300, "time_to_first_token_ms", 1.1),
    "failing": Case(Behaviour(fails=0.05), 1300, "errors"),
    "endless": Case(Behaviour(loops=0.02), 2400, "defects"),
    SAME: Case(Behaviour(), 1200),
}
FAULTY = [name for name, case in CASES.items() if case.worse]
# One Prometheus and one release for all.
pytestmark = on(WASM.current)
SERVED = [str(platform) for platform in (WASM.platforms[0], NATIVE.current)]
NEWEST = SERVED[1]
EACH = pytest.mark.parametrize("served", SERVED)
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


@functools.cache
def configuration() -> Json:
    """The same for all: an Envoy with another one is left out."""
    steps = [{"at": rfc3339(now_ms() - BEGAN_MS), "percent": {"v2": SHARE_PERCENT}}]
    return config(
        *(
            rollout(name=name, match={"headers": {"x-rollout": name}}, refusal_phrases=True, steps=steps)
            for name in CASES
        )
    )


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
            yield ask(name, number)


def in_turn(requests: Sequence[Iterator[bytes]]) -> list[bytes]:
    """Of all cases, as long as they have any."""
    return [raw for row in itertools.zip_longest(*requests) for raw in row if raw is not None]


class Release:
    """The same release behind Envoys of several platforms, scraped by one Prometheus."""

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
                await traffic.reaches(WARM)
            await asyncio.to_thread(self._watch)
        await asyncio.gather(*(streams(port, all_requests, len(all_requests), CLIENTS) for port in ports))
        self._ended_at = time.time()

    def _watch(self) -> None:
        """Returns once there is something of everything to begin with."""
        targets = {served: envoy.admin_address.removeprefix("http://") for served, envoy in self.envoys.items()}
        self.prometheus.start(targets, SCRAPED_EVERY_S)
        for served, envoy in self.envoys.items():
            for name in CASES:
                seconds = SAME_WATCHED_S if name == SAME else FOUND_S_MAX
                source = ["--admin", envoy.admin_address, "--every", EVERY, "--for", f"{seconds}s"]
                command: list[str | Path] = [self._tool, "analyze", self.file, *source, "--rollout", name, "--json"]
                self._watching[served, name] = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
        while len(self.prometheus.samples("up", time.time(), FOUND_S_MAX)) < len(targets):
            time.sleep(0.05)

    def watched(self, served: str, name: str) -> tuple[int, Json]:
        """What the polls have found."""
        process = self._watching[served, name]
        out, err = process.communicate(timeout=FOUND_S_MAX)
        assert out, err
        return process.returncode, json.loads(out)

    def scraped(self, served: str) -> list[str]:
        """The options for what Prometheus has of an Envoy, once it has all that is to be read."""
        time.sleep(max(0.0, self._ended_at + SETTLED_S + 2 * SCRAPED_EVERY_S - time.time()))
        selector = f'instance="{served}"'
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
    envoys = {
        str(platform): start_envoy(configuration(), version=platform.version, host=platform.host)
        for platform in PLATFORMS
        if str(platform) in SERVED
    }
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
    assert found["alarmed_at"], found
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
def test_polls_find_it(release: Release, served: str, name: str) -> None:
    check_found(name, *release.watched(served, name))


@EACH
def test_polls_find_nothing_where_the_versions_are_the_same(release: Release, served: str) -> None:
    check_same(*release.watched(served, SAME))


# --- status: the versions side by side


def some_requests() -> list[bytes]:
    return list(itertools.islice(requests_of("refusing"), WARM_UP))


@pytest.mark.parametrize("how", [[], ["--once"]], ids=["piped", "once"])
async def test_status_is_printed_once(release: Release, llm_canary: RunTool, how: list[str]) -> None:
    envoy = release.envoys[NEWEST]
    async with Traffic(envoy.port, some_requests(), clients=16):
        arguments = ["status", release.file, "--rollout", "refusing", "--admin", envoy.admin_address, "--every", "1s"]
        said = await asyncio.to_thread(llm_canary, *arguments, *how)
    assert said.returncode == 0, said.stderr
    check_table(said.stdout)


async def test_status_is_written_anew_on_a_terminal(release: Release, tool: Path) -> None:
    envoy = release.envoys[NEWEST]
    arguments = ["--rollout", "refusing", "--admin", envoy.admin_address, "--every", "1s"]
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
    assert re.fullmatch(r"refusing from \S+Z to \S+Z", heading), heading
    assert columns.split()[:2] == ["version", "share"] and "refusals" in columns, columns
    assert re.match(r"v1 +75 % .* baseline$", baseline) and re.match(r"v2 +25 % ", version), text


def requests_shown(screen: str) -> int:
    """Of the baseline."""
    shown = re.search(r"^v1 +75 % +\d+ % +([\d,]+)", screen, re.MULTILINE)
    assert shown is not None, screen
    return int(shown[1].replace(",", ""))


def heed_interrupts() -> None:
    """Whoever starts tests in the background may have them ignored, and programs inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def on_terminal(command: Sequence[str | Path], screens: int) -> list[str]:
    """What stands before the first screen, and so many screens, of a command that is then interrupted."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, TERMINAL_COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, preexec_fn=heed_interrupts
    )
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


# --- the same evidence from each source

ENVOYS, RESTARTED = 3, 1
MOMENTS, DOWN_AT = 7, 2
REQUESTS_PER_ENVOY = 40
SPAN_S = 10
POLLED_EVERY = "1s"


async def test_every_source_says_the_same(
    start_envoy: StartEnvoy,
    llm_canary: RunTool,
    dependency: Dependency,
    release: Release,
    servers: Servers,
    tmp_path: Path,
) -> None:
    """Three Envoys, of which one is down for a while and begins anew."""
    recording, expected = await recorded(start_envoy, servers)
    options = [release.file, "--rollout", "refusing", "--json"]

    async def analysed(*source: str | Path) -> Json:
        said = await asyncio.to_thread(llm_canary, "analyze", *options, *source)
        assert said.returncode == 1, said
        return json.loads(said.stdout)

    def written(recording: Recording, name: str) -> Path:
        begin_s = (int(time.time()) // SPAN_S - MOMENTS - SETTLED_S // SPAN_S) * SPAN_S
        (tmp_path / name).write_text(recording.file(begin_s, SPAN_S))
        return tmp_path / name

    everything = await analysed("--from", written(recording, "all.txt"), "--window", f"{SPAN_S}s")
    assert (everything["windows"], everything["missing_windows"]) == (MOMENTS - 1, 1)
    [refusals] = [signal for signal in everything["signals"] if signal["name"] == "refusals"]
    assert (everything["requests"], refusals["events"]) == expected

    # Polls end with the alarm. The others get what had come by then.
    pages = await recording.servers()
    admin = [option for server in pages for option in ("--admin", server.address)]
    by_polls = await analysed(*admin, "--every", POLLED_EVERY)
    for server in pages:
        server.stop()
    seen = Recording(recording.moments[: by_polls["windows"] + 1])
    file = written(seen, "seen.txt")
    by_file = await analysed("--from", file, "--window", f"{SPAN_S}s")
    prometheus = Prometheus(dependency("prometheus"), tmp_path / "prometheus")
    await asyncio.to_thread(prometheus.load, file)
    await asyncio.to_thread(prometheus.start)
    try:
        by_prometheus = await analysed("--prometheus", prometheus.address, "--window", f"{SPAN_S}s")
    finally:
        prometheus.stop()
    assert by_polls["windows"] > DOWN_AT, "the restart is in the evidence"
    assert_same(by_polls, by_file)
    assert (by_polls["windows"], by_polls["missing_windows"]) == (by_file["windows"], by_file["missing_windows"])
    # Here windows go on when there are no samples any more.
    assert_same(by_prometheus, by_file)


async def recorded(start_envoy: StartEnvoy, servers: Servers) -> tuple[Recording, tuple[Json, Json]]:
    """Pages of Envoys, and the requests and refusals between the first and the last of each version."""
    starting = (asyncio.to_thread(start_envoy, configuration()) for _ in range(ENVOYS))
    envoys: list[Envoy] = await asyncio.gather(*starting)
    requests = requests_of("refusing")
    recording = Recording()
    for moment in range(MOMENTS):
        if moment == DOWN_AT:
            envoys[RESTARTED].stop()
        if moment == DOWN_AT + 1:
            await asyncio.to_thread(envoys[RESTARTED].start)
        serving = [None if (moment, at) == (DOWN_AT, RESTARTED) else envoy for at, envoy in enumerate(envoys)]
        if moment == 1:
            for server in servers.values():
                server.received.clear()
        ports = [envoy.port for envoy in serving if envoy is not None]
        each = [list(itertools.islice(requests, REQUESTS_PER_ENVOY)) for _ in ports]
        await asyncio.gather(*(streams(port, raws, len(raws)) for port, raws in zip(ports, each, strict=True)))
        await asyncio.sleep(FLUSHED_S)
        await recording.take(serving)

    def refusals(server: ModelServer) -> int:
        names = [received.header(b"x-test-reply")[0].decode() for received in server.received]
        return sum(REFUSAL[:9].encode() in server.replies[name].body for name in names)

    names = {"version": servers["v2"], "baseline": servers["v1"]}
    counts = {side: len(server.received) for side, server in names.items()}
    return recording, (counts, {side: refusals(server) for side, server in names.items()})


def assert_same(found: Json, other: Json) -> None:
    for name in ("verdict", "requests", "because"):
        assert found[name] == other[name], name
    for one, same in zip(found["signals"], other["signals"], strict=True):
        assert (one["name"], one["verdict"]) == (same["name"], same["verdict"]), (one, same)
        for name in ("log_e", "log_e_no_worse", "version", "baseline"):
            assert one[name] == pytest.approx(same[name], abs=1e-6), (name, one, same)


# --- Prometheus, which has settled by now


@EACH
@EACH_FAULTY
def test_prometheus_shows_it(release: Release, llm_canary: RunTool, served: str, name: str) -> None:
    said = llm_canary("analyze", release.file, *release.scraped(served), "--rollout", name, "--json")
    assert not said.stderr, said.stderr
    check_found(name, said.returncode, json.loads(said.stdout))


@EACH
def test_prometheus_shows_nothing_where_the_versions_are_the_same(
    release: Release, llm_canary: RunTool, served: str
) -> None:
    said = llm_canary("analyze", release.file, *release.scraped(served), "--rollout", SAME, "--json")
    check_same(said.returncode, json.loads(said.stdout))


def test_what_prometheus_scraped_says_the_same_in_a_file(release: Release, llm_canary: RunTool, tmp_path: Path) -> None:
    options = ["analyze", release.file, "--rollout", "refusing", "--json"]
    by_prometheus = json.loads(llm_canary(*options, *release.scraped(NEWEST)).stdout)
    since, until = (datetime.fromisoformat(by_prometheus[name]).timestamp() for name in ("since", "until"))
    lines = []
    for series in release.prometheus.samples(f'{{llm_rollout="refusing",instance="{NEWEST}"}}', until, KEPT_S):
        name = series["metric"].pop("__name__")
        labels = ",".join(f'{label}="{value}"' for label, value in series["metric"].items())
        # At each step the last sample before it, as Prometheus is asked. Other times make other evidence.
        last = {math.ceil(at / WINDOW_S) * WINDOW_S: value for at, value in series["values"]}
        begin = max(step for step in last if step <= since)
        lines += [f"{name}{{{labels}}} {value} {step}" for step, value in last.items() if step >= begin]
    (tmp_path / "samples.txt").write_text("\n".join(lines) + "\n")
    by_file = json.loads(llm_canary(*options, "--from", tmp_path / "samples.txt", "--window", WINDOW).stdout)
    assert_same(by_file, by_prometheus)
