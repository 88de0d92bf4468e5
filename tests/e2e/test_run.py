"""`run` on two Envoys, the oldest and the newest, that watch one file: it takes a version through a plan, keeps a
second run away, goes on after SIGTERM, and stops the version within seconds after it has gone wrong.
"""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, discovered_filter
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import Host, Platform
from tests.harness.running import started
from tests.harness.traffic import Traffic
from tests.harness.upstream import DEFAULT_BODY, ModelServer, Replies, whole

# By time, because windows after a step are left out of the evidence for a minute.
PLAN = ("--plan", "10%,30%@3s,60%@3s,100%@1h", "--advance", "time")
KEYS, CLIENTS = 500, 4
END_S_MAX = 2.0
# A poll is a second, and the write may take two.
STOP_S_MAX = 3.0 + 2.0


@pytest.fixture(scope="module")
def of_v2(platform: Platform) -> Replies:
    """What v2 answers; a test may change it while it runs, on this platform."""
    return {"turn": whole(DEFAULT_BODY)}


@pytest.fixture(scope="module")
def servers(run: Run, of_v2: Replies) -> Iterator[Servers]:
    of_v1: Replies = {"turn": whole(DEFAULT_BODY)}
    started = {
        version: run(ModelServer(version, replies).start()) for version, replies in (("v1", of_v1), ("v2", of_v2))
    }
    yield started
    for server in started.values():
        run(server.stop())


@pytest.fixture(scope="module")
def envoys(start_envoy: StartEnvoy, host: Host) -> list[Envoy]:
    """Two Envoys that watch the first one's file. v2 has no share in it yet."""
    configuration = config(rollout(steps=[]))
    first = start_envoy(configuration)

    def watch_the_first(bootstrap: Json) -> None:
        source = discovered_filter(bootstrap)["config_discovery"]["config_source"]["path_config_source"]
        source["path"] = str(first.file)
        source["watched_directory"] = {"path": str(first.folder / "ecds")}

    return [first, start_envoy(configuration, version=host.oldest, edit=watch_the_first)]


@pytest.fixture
def arguments(envoys: list[Envoy]) -> list[str]:
    file = envoys[0].file
    admins = [part for envoy in envoys for part in ("--admin", envoy.admin_address)]
    return ["run", str(file), "v2", *PLAN, *admins, "--every", "1s", "--json"]


async def test_a_release_goes_on_is_taken_up_again_and_is_stopped(
    envoys: list[Envoy],
    servers: Servers,
    of_v2: Replies,
    tool: Path,
    llm_canary: RunTool,
    arguments: list[str],
    tmp_path: Path,
) -> None:
    raws = [request(headers=[(b"x-conversation-id", b"k%d" % at), (b"x-test-reply", b"turn")]) for at in range(KEYS)]
    journal = tmp_path / "journal"
    arguments = [*arguments, "--journal", str(journal)]
    async with Traffic(envoys[0].port, raws, CLIENTS), Traffic(envoys[1].port, raws, CLIENTS):
        async with started(tool, arguments) as first:
            await first.reaches("ramping", 60)
            assert first.events() == [("ramping", 10), ("ramping", 30), ("ramping", 60)]
            second = await asyncio.to_thread(llm_canary, *arguments)
            assert second.returncode == 2, second
            assert "another run has the rollout chat: process" in second.stderr
            asked = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            assert await first.ends() == 143
            assert time.monotonic() - asked < END_S_MAX
            assert first.events()[-1] == ("ended", 60)

        text = (envoys[0].file).read_text()
        async with started(tool, arguments) as again:
            await asyncio.sleep(3)
            assert again.events() == [], "it goes on where it was, and has nothing to say"
            assert (envoys[0].file).read_text() == text
            failed = time.monotonic()
            of_v2["turn"] = whole(b'{"error": {"message": "boom"}}', status=500)
            stopped = await again.reaches("stopped", 60)
            assert stopped - failed < STOP_S_MAX
            assert await again.ends() == 1
    assert again.events() == [("stopping", 60), ("stopped", 60), ("ended", 60)]
    ended, verdict = (line for _, line in again.lines[-2:])
    assert ended["why"] == ["all 2 Envoys run it"]
    assert verdict["verdict"] == "regression"
    assert any("errors" in why for why in verdict["because"])
    last = max(received.at for received in servers["v2"].received)
    print(f"from the fault to the stop {stopped - failed:.2f} s, and {last - stopped:+.3f} s to v2's last request")
    assert last - stopped < 0.5
    # Who looks later finds each transition with its figures.
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    events = [(record["event"], record["percent"]) for record in records if record["event"] != "look"]
    assert events == [*first.events(), *again.events()]
    assert all(record["judgement"]["signals"] for record in records if record["event"] in ("ramping", "stopping"))
