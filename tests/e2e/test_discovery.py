"""`llm-canary xds`: three Envoys that get their configuration by REST discovery. What the operator writes reaches all
of them, and nothing happens to traffic when the server dies, comes back, or is given a file that is not in order.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pylib.buckets import uuid7
from pylib.client import Client
from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import NATIVE_OLDEST, NEWEST, OLDEST, REPOSITORY, Json
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.discovery import REFRESH_S, Xds, asks, replace
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import NATIVE, WASM, Host, Platform, on
from tests.harness.module import built
from tests.harness.ramp import Ramp, now_ms
from tests.harness.traffic import Traffic

HOUR_MS = 3_600_000
# Two requests of each Envoy after a change: one that is given it, and one that says that it runs.
TOLD_S_MAX = 4 * REFRESH_S + 1.0
# A step is written two to three seconds ahead.
STEP_AHEAD_S = 3.1
NAMES = ["edge-0", "edge-1", "edge-2"]
KEYS = [b"k%d" % at for at in range(40)]
ON_WASM = on(WASM.current)


def split(percent: float = 50) -> Json:
    return config(rollout(steps=Ramp([(now_ms() - HOUR_MS, percent)]).json()))


class Site:
    """A server with one file, and three Envoys that ask it."""

    def __init__(self, tool: Path, folder: Path, host: Host) -> None:
        # An Envoy that does not run writes the file as this host needs it.
        self._writer = Envoy(Path("none"), folder / "writer", split(), {}, host=host)
        self.file = self._writer.file
        self.xds = Xds(tool, folder, [self.file]).start()
        self.envoys: list[Envoy] = []

    def start(self, host: Host, start_envoy: StartEnvoy) -> None:
        versions = [host.oldest, host.newest, host.newest]
        self.envoys = [
            start_envoy(split(), version=version, edit=asks(self.xds, name, host))
            for name, version in zip(NAMES, versions, strict=True)
        ]

    async def begin_anew(self) -> None:
        self._writer.push(split())
        await self.taken()

    async def taken(self) -> str:
        """Returns the version that all of them run, once the file is served."""
        await asyncio.sleep(0.3)
        await self.xds.all_run_it(NAMES)
        return self.xds.versions()["llm-canary"]

    def traffic(self, keys: list[bytes]) -> list[Traffic]:
        return [Traffic(envoy.port, [*map(ask, keys)], 2) for envoy in self.envoys]

    def counters(self, name: str) -> list[int]:
        return [envoy.discovery(name) for envoy in self.envoys]


@pytest.fixture(scope="module")
def site(tool: Path, tmp_path_factory: pytest.TempPathFactory, host: Host, start_envoy: StartEnvoy) -> Iterator[Site]:
    made = Site(tool, tmp_path_factory.mktemp("xds"), host)
    try:
        made.start(host, start_envoy)
        yield made
    finally:
        made.xds.kill()


def ask(key: bytes) -> bytes:
    return request(headers=[(b"x-conversation-id", key)])


async def versions_of(client: Client, keys: list[bytes]) -> dict[bytes, bytes | None]:
    exchanges = {key: await client.send(ask(key)) for key in keys}
    assert {exchange.status for exchange in exchanges.values()} == {200}
    return {key: exchange.header(b"x-llm-version") for key, exchange in exchanges.items()}


async def test_a_stop_reaches_every_envoy(site: Site, servers: Servers, llm_canary: RunTool) -> None:
    async def stopped() -> subprocess.CompletedProcess[str]:
        await site.begin_anew()
        traffic = site.traffic(KEYS)
        async with AsyncExitStack() as stack:
            for one in traffic:
                await stack.enter_async_context(one)
            await asyncio.sleep(0.3)
            assert servers["v2"].received, "there is traffic to stop"
            said = await asyncio.to_thread(llm_canary, "stop", site.file, "v2", "--xds", site.xds.address)
            known_at = time.monotonic()
            await asyncio.sleep(0.4)
        assert not any(received.at > known_at for received in servers["v2"].received), "the command returned too early"
        assert {exchange.status for one in traffic for exchange in one.exchanges} == {200}
        return said

    said = await stopped()
    assert said.returncode == 0, said
    assert "all 3 Envoys run it" in said.stderr
    assert sorted(re.findall(r"^edge-\d", said.stdout, re.MULTILINE)) == NAMES, said.stdout
    version = site.xds.versions()["llm-canary"]

    def told() -> list[Json]:
        return [one for one in site.xds.events("all_run") if one["version"] == version]

    await site.xds.reaches(told, "all to run it")
    [all_run] = told()
    assert all_run["envoys"] == 3 and all_run["after_seconds"] <= TOLD_S_MAX
    shown = await asyncio.to_thread(llm_canary, "status", site.file, "--xds", site.xds.address)
    assert shown.returncode == 0 and shown.stdout.count("runs it") == 3 and "3 current" in shown.stdout, shown
    in_json = await asyncio.to_thread(llm_canary, "status", site.file, "--xds", site.xds.address, "--json")
    as_json = json.loads(in_json.stdout)
    assert as_json["not_served"] == [] and {one["id"] for one in as_json["envoys"]} == {*NAMES}
    assert {one["envoy"] for one in as_json["envoys"]} == {envoy.version for envoy in site.envoys}


@ON_WASM
async def test_a_ramp_keeps_every_conversation(site: Site, llm_canary: RunTool) -> None:
    await site.begin_anew()
    dice = random.Random(3)
    clients = [Client(envoy.port) for envoy in site.envoys]
    keys = [uuid7(now_ms(), dice) for _ in range(60)]
    began_on = await versions_of(clients[0], keys)
    assert set(began_on.values()) == {b"v1", b"v2"}
    said = await asyncio.to_thread(llm_canary, "ramp", site.file, "v2", "100", "--xds", site.xds.address)
    assert said.returncode == 0, said
    await asyncio.sleep(STEP_AHEAD_S - TOLD_S_MAX / 2)
    later = [uuid7(now_ms() + 1_000, dice) for _ in range(30)]
    await asyncio.sleep(1)
    for client in clients:
        assert await versions_of(client, keys) == began_on
        assert set((await versions_of(client, later)).values()) == {b"v2"}
        client.close()


async def test_nothing_happens_when_the_server_dies_and_comes_back(site: Site) -> None:
    await site.begin_anew()
    version = await site.taken()
    before = site.counters("update_success")
    client = Client(site.envoys[0].port)
    began_on = await versions_of(client, KEYS)
    canary, baseline = ([key for key in KEYS if began_on[key] == version] for version in (b"v2", b"v1"))
    traffic = {b"v2": site.traffic(canary), b"v1": site.traffic(baseline)}
    async with AsyncExitStack() as stack:
        for one in [*traffic[b"v2"], *traffic[b"v1"]]:
            await stack.enter_async_context(one)
        failures = site.counters("update_failure")
        await asyncio.to_thread(site.xds.kill)
        await asyncio.sleep(3 * REFRESH_S)
        missed = zip(site.counters("update_failure"), failures, strict=True)
        assert all(now > then for now, then in missed), "each of them has missed it"
        await asyncio.to_thread(site.xds.start)
        await site.xds.all_run_it(NAMES)
        assert await site.taken() == version, "the same file has the same version"
    for expected, many in traffic.items():
        exchanges = [exchange for one in many for exchange in one.exchanges]
        assert len(exchanges) > 100 and all(exchange.complete for exchange in exchanges)
        assert {(exchange.status, exchange.header(b"x-llm-version")) for exchange in exchanges} == {(200, expected)}
    assert site.counters("update_success") == before, "304 to each of them"
    client.close()


@ON_WASM
async def test_a_file_that_is_not_in_order_changes_nothing(site: Site, llm_canary: RunTool) -> None:
    await site.begin_anew()
    version = await site.taken()
    client = Client(site.envoys[0].port)
    keys = [b"k%d" % at for at in range(30)]
    began_on = await versions_of(client, keys)
    good = site.file.read_text()
    bad = good.replace('"baseline": "v1"', '"baseline": "v9"')
    refused, mended = len(site.xds.events("file_refused")), len(site.xds.events("file_mended"))
    replace(site.file, bad)
    await site.xds.reaches(lambda: len(site.xds.events("file_refused")) > refused, "the mistake to be told")
    assert "baseline" in site.xds.events("file_refused")[-1]["errors"][0]
    assert 'llm_canary_xds_file_error{file="' in site.xds.metrics() and "file_error" in site.xds.metrics()
    shown = await asyncio.to_thread(llm_canary, "status", "--xds", site.xds.address)
    assert "is not in order, and its last good version is served" in shown.stdout, shown
    await asyncio.sleep(2 * REFRESH_S)
    assert site.xds.versions() == {"llm-canary": version} and set(site.xds.states().values()) == {"current"}
    assert len(site.xds.events("file_refused")) == refused + 1, "it is told once"
    # Started with such a file, it has nothing to give, and the Envoys keep what they run.
    rejected, reloads = site.counters("update_rejected"), site.counters("config_reload")
    assert await asyncio.to_thread(site.xds.end) == 0
    await asyncio.to_thread(site.xds.start)
    assert site.xds.status("/readyz") == 503 and site.xds.status("/healthz") == 200
    await asyncio.sleep(2 * REFRESH_S)
    assert 'answer="unavailable"} 0' not in site.xds.metrics()
    assert await versions_of(client, keys) == began_on
    replace(site.file, good)
    await site.xds.all_run_it(NAMES)
    assert site.xds.status("/readyz") == 200
    assert (site.counters("update_rejected"), site.counters("config_reload")) == (rejected, reloads)
    assert len(site.xds.events("file_mended")) == mended, "after a restart it is the first that is served"
    assert await versions_of(client, keys) == began_on
    client.close()


async def test_an_envoy_that_refuses_a_version_is_shown(site: Site, llm_canary: RunTool) -> None:
    """The tool does not see what is only wrong where the Envoy runs: here, the module is not there."""
    await site.begin_anew()
    version = await site.taken()
    good = site.file.read_text()
    refused, mended = len(site.xds.events("refused")), len(site.xds.events("mended"))
    replace(site.file, re.sub(r"filename: .*", "filename: /nowhere/module", good))
    await site.xds.reaches(lambda: len(site.xds.events("refused")) == refused + 3, "the refusals to be told")
    event = site.xds.events("refused")[-1]
    assert event["runs"] == version and event["version"] == site.xds.versions()["llm-canary"] != version
    assert set(site.xds.states().values()) == {"refused"}
    assert all(count > 0 for count in site.counters("update_rejected"))
    said = await asyncio.to_thread(llm_canary, "stop", site.file, "v2", "--xds", site.xds.address)
    assert said.returncode == 4 and "0 of 3 Envoys run it" in said.stderr, said
    replace(site.file, good)
    await site.xds.all_run_it(NAMES)
    await site.xds.reaches(lambda: len(site.xds.events("mended")) == mended + 3, "all to be told of as mended")


async def test_who_may_ask_what(site: Site) -> None:
    path = "/v3/discovery:extension_configs"
    node = b'{"node": {"id": "probe", "cluster": "c"}, "resource_names": ["nothing"]}'
    assert site.xds.status(path, b"POST", node) == 404
    assert site.xds.status(path, b"POST", node, (b"origin", b"http://evil.example.com")) == 403
    assert site.xds.status(path, b"POST", b"{}") == 400 == site.xds.status(path, b"POST", b"no JSON")
    assert site.xds.status(path) == 405 and site.xds.status("/v3/discovery:clusters", b"POST", node) == 404
    assert site.xds.states()["probe"] == "unserved"
    await site.xds.reaches(lambda: site.xds.events("unserved"), "the odd name to be told")
    assert site.xds.events("unserved")[-1]["resource"] == "nothing"
    # Forgotten only later: a server that is started anew knows of it no more.
    site.xds.kill()
    site.xds.start()


def made(binary: Path, folder: Path, xds: Xds, servers: Servers, host: Host = WASM, **source: Any) -> Envoy:
    """An Envoy of its own, not started."""
    ports = {f"llm-{name}": server.port for name, server in servers.items()}
    return Envoy(binary, folder, split(), ports, edit=asks(xds, "late", host, **source), host=host)


@pytest.mark.parametrize(
    ("host", "version", "has_default"),
    [(WASM, OLDEST, True), (WASM, OLDEST, False), (NATIVE, NEWEST, True)],
    ids=["default_config", "none", "default_config of the native module"],
)
async def test_an_envoy_that_starts_before_the_server(
    tool: Path,
    tmp_path: Path,
    dependency: Dependency,
    servers: Servers,
    client_of: ClientOf,
    host: Host,
    version: str,
    has_default: bool,
) -> None:
    """What docs/discovery.md says of it."""
    file = tmp_path / "run" / "ecds" / host.ecds.name
    xds = Xds(tool, tmp_path, [file])
    source: dict[str, Any] = {"has_default": has_default, "initial_fetch_timeout": "1s"}
    late = made(dependency("envoy", version), tmp_path / "run", xds, servers, host, **source)
    await asyncio.to_thread(late.start)
    try:
        client = client_of(late)
        exchange = await client.send(ask(b"k1"))
        assert exchange.status == (200 if has_default else 500)
        assert exchange.header(b"x-llm-version") is None
        await asyncio.to_thread(xds.start)
        await xds.all_run_it(["late"])
        assert set((await versions_of(client, [b"k%d" % at for at in range(30)])).values()) == {b"v1", b"v2"}
    finally:
        xds.kill()
        late.stop()


async def test_a_native_resource_is_refused_by_an_envoy_that_is_too_old(
    tool: Path, tmp_path: Path, dependency: Dependency, servers: Servers, client_of: ClientOf
) -> None:
    native = Envoy(Path("none"), tmp_path / "writer", split(), {}, host=NATIVE)
    xds = await asyncio.to_thread(Xds(tool, tmp_path, [native.file]).start)
    old = made(dependency("envoy", OLDEST), tmp_path / "run", xds, servers)
    await asyncio.to_thread(old.start)
    try:
        await xds.reaches(lambda: xds.events("refused"), "the refusal")
        [event] = xds.events("refused")
        assert xds.states() == {"late": "refused"}
        assert event["runs"] == ""
        assert (await client_of(old).send(ask(b"k1"))).status == 500
    finally:
        xds.kill()
        old.stop()


@ON_WASM
def test_a_stop_is_everywhere_in_time(platform: Platform, dependency: Dependency, tool: Path) -> None:
    """Two runs of tests/discovery.sh, which says what is measured."""
    built(platform.host)
    envoys = {"oldest": OLDEST, "native-oldest": NATIVE_OLDEST, "envoy": NEWEST}
    binaries = [part for name, version in envoys.items() for part in (f"--{name}", dependency("envoy", version))]
    host = platform.host.name
    command = [sys.executable, "-m", "tests.soak.discovery", "--runs", "2", "--host", host, "--tool", tool, *binaries]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
