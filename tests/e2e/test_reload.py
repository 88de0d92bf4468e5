"""New configurations while traffic flows: a bad one changes nothing, and a stop takes effect within a second."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylib.client import Connection, Exchange
from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import StartEnvoy
from tests.harness.hosts import EACH_VERSION, HOSTS, on
from tests.harness.traffic import Traffic
from tests.harness.upstream import Replies, stream

STOP_S_MAX = 1.0
LOAD_S = 0.5
REQUESTS_PER_S_MIN = 100
CLIENTS = 16
STREAMS = 8
VERSIONS = [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}]
HALF_AND_HALF = config(rollout(split={"v2": 50}))
STOPPED = config(rollout(split={"v2": 50}, versions=[VERSIONS[0], VERSIONS[1] | {"stopped": True}]))

# A bad configuration, and where in it the errors are.
BAD = {
    "several errors": (
        {
            "cluster_header": "not a header",
            "colour": "blue",
            "rollouts": [
                rollout(split={"v2": 60, "v3": 50}, versions=[*VERSIONS, {"name": "v3", "cluster": "llm-v2"}]),
                rollout(split={"v4": 1}, versions=[*VERSIONS, {"name": "v2", "cluster": "llm-v2"}]),
                rollout(
                    name="Not A Label",
                    baseline="v9",
                    key=[{"header": "x-conversation-id", "kind": "person"}],
                    overrides=[{"header": "x", "values": ["a"], "version": "nope"}],
                ),
            ],
        },
        {
            "cluster_header",
            "colour",
            "rollouts[0].split",
            "rollouts[1].name",
            "rollouts[1].split.v4",
            "rollouts[1].versions[2].name",
            "rollouts[2].name",
            "rollouts[2].baseline",
            "rollouts[2].key[0].kind",
            "rollouts[2].overrides[0].version",
        },
    ),
    "steps out of order": (
        config(rollout(steps=[{"at": f"2026-11-23T{hour}:00:00Z", "percent": {"v2": 1}} for hour in ("10", "09")])),
        {"rollouts[0].steps[1].at"},
    ),
    "no rollouts": ({"rollouts": "chat"}, {"rollouts"}),
    "not JSON": ('{"rollouts": [', {""}),
    "empty": ("", {""}),
}


def keyed(count: int) -> list[bytes]:
    return [request(headers=[(b"x-conversation-id", b"conversation-%d" % at)]) for at in range(count)]


@pytest.fixture
def envoy(start_envoy: StartEnvoy) -> Iterator[Envoy]:
    """An Envoy for each test, because a test leaves it with another configuration."""
    envoy = start_envoy(HALF_AND_HALF)
    yield envoy
    envoy.stop()


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_configuration_changes_nothing(
    envoy: Envoy, llm_canary: RunTool, tmp_path: Path, kind: str
) -> None:
    await assert_changes_nothing(envoy, llm_canary, tmp_path, *BAD[kind])


@on(*(host.platforms[0] for host in HOSTS))
async def test_nor_does_one_in_an_older_envoy(envoy: Envoy, llm_canary: RunTool, tmp_path: Path) -> None:
    await assert_changes_nothing(envoy, llm_canary, tmp_path, *BAD["several errors"])


async def assert_changes_nothing(
    envoy: Envoy, llm_canary: RunTool, tmp_path: Path, bad: object, paths: set[str]
) -> None:
    series, log_before = envoy.stats().series(), envoy.log()
    counters = ("update_rejected", "config_fail", "update_failure", "config_conflict")
    before = {name: envoy.discovery(name) for name in counters}

    async with Traffic(envoy.port, keyed(100), CLIENTS) as traffic:
        await traffic.reaches(300)
        await asyncio.to_thread(envoy.push, bad)
        await envoy.until(lambda: envoy.discovery("update_rejected") > before["update_rejected"], "the rejection")
        await traffic.reaches(600)

    assert {exchange.status for exchange in traffic.exchanges} == {200}
    version_of: dict[bytes, set[bytes | None]] = {}
    for exchange in traffic.exchanges:
        version_of.setdefault(exchange.request, set()).add(exchange.header(b"x-llm-version"))
    assert all(len(versions) == 1 for versions in version_of.values()), "a conversation moved"
    assert set.union(*version_of.values()) == {b"v1", b"v2"}
    assert envoy.stats().series() == series
    after = {name: envoy.discovery(name) - count for name, count in before.items()}
    assert after == {"update_rejected": 1, "config_fail": 1, "update_failure": 0, "config_conflict": 0}

    said = envoy.log().removeprefix(log_before)
    file = tmp_path / "bad.json"
    file.write_text(bad if isinstance(bad, str) else json.dumps(bad))
    check = llm_canary("check", "--json", file)
    assert check.returncode == 2
    errors = [(error["path"], error["message"]) for error in json.loads(check.stdout)["errors"]]
    assert {path for path, _ in errors} == paths
    for path, message in errors:
        error = f"{path}: {message}" if path else message
        assert f": {error}\n" in said, f"Envoy's log does not say what `check` says:\n{said}"

    reloads = envoy.discovery("config_reload")
    await asyncio.to_thread(envoy.push, STOPPED)
    await envoy.until(lambda: envoy.discovery("config_reload") > reloads, "the next good configuration")
    async with Traffic(envoy.port, keyed(100), CLIENTS) as traffic:
        await traffic.reaches(300)
    assert {exchange.header(b"x-llm-version") for exchange in traffic.exchanges[100:]} == {b"v1"}


@EACH_VERSION
async def test_a_stopped_version_gets_nothing_more_and_finishes_what_it_has(
    envoy: Envoy, servers: Servers, replies: Replies
) -> None:
    gate = asyncio.Event()
    head, tail = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n', b"data: [DONE]\n\n"
    replies["long"] = stream(head, gate, tail)
    replies["short"] = stream(head, 0.02, tail)
    canary = servers["v2"]

    running: list[tuple[Connection, Exchange]] = []
    for at in range(200):
        if len(running) == STREAMS:
            break
        connection = await Connection.open(envoy.port)
        exchange = connection.start(
            request(headers=[(b"x-conversation-id", b"running-%d" % at), (b"x-test-reply", b"long")])
        )
        await exchange.body_reaches(len(head))
        if exchange.header(b"x-llm-version") == b"v2":
            running.append((connection, exchange))
        else:
            connection.abort()
    assert len(running) == STREAMS

    short = [request(headers=[(b"x-conversation-id", b"s%d" % at), (b"x-test-reply", b"short")]) for at in range(200)]
    written = envoy.write(STOPPED)
    async with Traffic(envoy.port, short + keyed(200), CLIENTS) as traffic:
        await traffic.reaches(CLIENTS)
        await asyncio.sleep(LOAD_S)
        renamed_at = envoy.rename(written)
        await asyncio.sleep(STOP_S_MAX + LOAD_S)
        starts = [received.at - renamed_at for received in canary.received]
        baseline_after = sum(received.at > renamed_at for received in servers["v1"].received)

    per_second = sum(-LOAD_S / 2 < start <= 0 for start in starts) / (LOAD_S / 2)
    stop_ms = 1000 * max(0, *starts)
    print(f"from the rename to the last of {per_second:.0f} requests a second on the stopped version: {stop_ms:.1f} ms")
    assert per_second > REQUESTS_PER_S_MIN and baseline_after > REQUESTS_PER_S_MIN, (
        "without load the figure means nothing"
    )
    assert stop_ms < 1000 * STOP_S_MAX
    assert {exchange.status for exchange in traffic.exchanges} == {200}
    assert all(exchange.complete for exchange in traffic.exchanges)

    before = await envoy.flushed()
    gate.set()
    for connection, exchange in running:
        await exchange.ended()
        connection.close()
        assert exchange.complete and exchange.body == head + tail
        assert exchange.header(b"x-llm-version") == b"v2"
    seen = await envoy.counted(STREAMS, since=before)
    assert seen.by("llm_requests_total", "llm_outcome", llm_version="v2") == {"complete": STREAMS}
    assert seen.sum("llm_response_chars_total", llm_version="v2") == STREAMS * len("half")
