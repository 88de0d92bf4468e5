"""What is refused with the native module: Envoys that are too old for it, and configurations that ask for what Envoy
cannot do for a module. What is in force stays in force, and the log says every reason.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylib.client import Client
from pylib.http1 import request
from tests.e2e.conftest import Servers
from tests.harness import NATIVE_OLDEST, OLDEST, REPOSITORY
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import NATIVE, on
from tests.harness.module import built
from tests.harness.traffic import Traffic

CONFIGS = REPOSITORY / "tests" / "data" / "configs"
CONFIGURATION = config(rollout(split={"v2": 50}))
CLIENTS = 8
KEYS = [b"c%d" % at for at in range(40)]

StartOlder = Callable[[str], Envoy]


@pytest.fixture
def start_older(dependency: Dependency, servers: Servers, tmp_path: Path) -> Iterator[StartOlder]:
    """Starts an Envoy that is not supported, with the shipped files of the native module."""
    module, running = built(NATIVE), []
    assert module.exists()

    def start(version: str) -> Envoy:
        ports = {f"llm-{name}": server.port for name, server in servers.items()}
        envoy = Envoy(dependency("envoy", version), tmp_path / version, CONFIGURATION, ports, host=NATIVE)
        running.append(envoy.start())
        return envoy

    yield start
    for envoy in running:
        envoy.stop()


async def assert_refuses(envoy: Envoy) -> None:
    """It runs, without any configuration of the filter. Requests get Envoy's error, and no other's."""
    await envoy.until(lambda: envoy.discovery("update_rejected"), "the refusal")
    client = Client(envoy.port)
    assert (await client.send(request())).status == 500
    client.close()
    assert envoy.filter_failures() == []


async def test_an_envoy_that_lacks_what_the_module_needs_is_told_which_one_has_it(start_older: StartOlder) -> None:
    envoy = await asyncio.to_thread(start_older, "1.38.3")
    await assert_refuses(envoy)
    [major, minor, _] = NATIVE_OLDEST.split(".")
    said = [line for line in envoy.log().splitlines() if re.search(rf"\bEnvoy {major}\.{minor}\b", line)]
    assert said and all("llm-canary" in line for line in said), envoy.log()[-4000:]


@pytest.mark.parametrize("version", [OLDEST, "1.37.0"])
async def test_older_envoys_say_so_in_their_own_words(start_older: StartOlder, version: str) -> None:
    """docs/native.md quotes them. They know no module in a file. Protobuf varies the blanks in its errors."""
    envoy = await asyncio.to_thread(start_older, version)
    await assert_refuses(envoy)
    said = re.sub(r"\s+", " ", envoy.log())
    assert "DynamicModuleConfig" in said and "no such field: 'module'" in said
    assert "caused by DynamicModuleConfigValidationError.Name: value length must be at least 1 characters" in said


@on(*NATIVE.platforms)
async def test_what_envoy_cannot_do_for_a_module_is_refused_with_all_other_errors(start_envoy: StartEnvoy) -> None:
    """Under traffic: the configuration in force stays."""
    bad = CONFIGS / "native-bad-metadata.json"
    errors = bad.with_suffix(".errors.txt").read_text().splitlines()
    assert len(errors) >= 3 and any("native module" in error for error in errors)
    envoy = await asyncio.to_thread(start_envoy, CONFIGURATION)
    series = (await asyncio.to_thread(envoy.stats)).series()
    async with Traffic(
        envoy.port, [request(headers=[(b"x-conversation-id", key)]) for key in KEYS], CLIENTS
    ) as traffic:
        await traffic.reaches(100)
        await asyncio.to_thread(envoy.push, bad.read_text())
        await envoy.until(lambda: envoy.discovery("update_rejected"), "the refusal")
        await traffic.reaches(200)
    assert {exchange.status for exchange in traffic.exchanges} == {200}
    versions: dict[bytes, set[bytes | None]] = {}
    for exchange in traffic.exchanges:
        versions.setdefault(exchange.request, set()).add(exchange.header(b"x-llm-version"))
    assert all(len(of_key) == 1 for of_key in versions.values()), "a conversation moved"
    assert set.union(*versions.values()) == {b"v1", b"v2"}
    assert (await asyncio.to_thread(envoy.stats)).series() == series
    for error in errors:
        assert f": {error}\n" in envoy.log(), f"Envoy's log does not say: {error}"
