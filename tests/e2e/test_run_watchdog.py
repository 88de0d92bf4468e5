"""`run --watchdog` through a real Envoy: traffic looks healthy, the answers to a reference set are wrong, and the
version is stopped. A version whose answers are right goes through its plan.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylib.http1 import request
from tests.e2e.conftest import Servers
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import Platform
from tests.harness.running import started
from tests.harness.traffic import Traffic
from tests.harness.upstream import DEFAULT_BODY, ModelServer, Replies, whole

PLAN = ("--plan", "30%,60%@3s", "--advance", "time")
KEYS, CLIENTS = 500, 4
PROMPTS = 20
OVERRIDES = [
    {"header": "x-cohort", "values": ["baseline"], "version": "v1"},
    {"header": "x-cohort", "values": ["canary"], "version": "v2"},
]


def says(text: bytes) -> bytes:
    """A chat completion with this text."""
    return DEFAULT_BODY.replace(b"Fine.", text)


@pytest.fixture(scope="module")
def of_v2(platform: Platform) -> Replies:
    """What v2 answers; a test may change it, on this platform."""
    return {"turn": whole(DEFAULT_BODY), "probe": whole(says(b"Paris"))}


@pytest.fixture(scope="module")
def servers(run: Run, of_v2: Replies) -> Iterator[Servers]:
    of_v1: Replies = {"turn": whole(DEFAULT_BODY), "probe": whole(says(b"Paris"))}
    started = {
        version: run(ModelServer(version, replies).start()) for version, replies in (("v1", of_v1), ("v2", of_v2))
    }
    yield started
    for server in started.values():
        run(server.stop())


@pytest.fixture
def envoy(start_envoy: StartEnvoy, servers: Servers) -> Envoy:
    """An Envoy in whose file v2 has no share yet."""
    assert servers
    return start_envoy(config(rollout(steps=[], overrides=OVERRIDES)))


@pytest.fixture
def arguments(envoy: Envoy, tmp_path: Path) -> list[str]:
    tests = [{"vars": {"n": number}, "assert": [{"type": "contains", "value": "Paris"}]} for number in range(PROMPTS)]
    reference = tmp_path / "promptfooconfig.json"
    reference.write_text(json.dumps({"prompts": ["Capital {{n}}?"], "tests": tests}))
    file = envoy.file
    return [
        *("run", str(file), "v2", *PLAN, "--admin", envoy.admin_address, "--every", "1s", "--json"),
        *("--watchdog", str(reference), "--watchdog-via", f"http://127.0.0.1:{envoy.port}", "--watchdog-every", "2s"),
        *("--watchdog-header", "x-test-reply: probe", "--watchdog-out", str(tmp_path / "results.jsonl")),
    ]


def turns() -> list[bytes]:
    return [request(headers=[(b"x-conversation-id", b"k%d" % at), (b"x-test-reply", b"turn")]) for at in range(KEYS)]


async def test_wrong_answers_stop_a_version_whose_traffic_is_healthy(
    envoy: Envoy, of_v2: Replies, tool: Path, arguments: list[str], tmp_path: Path
) -> None:
    of_v2["probe"] = whole(says(b"Rome."))
    async with Traffic(envoy.port, turns(), CLIENTS), started(tool, arguments) as release:
        await release.reaches("stopped", 30)
        assert await release.ends() == 1
    assert release.events() == [("ramping", 30), ("stopping", 30), ("stopped", 30), ("ended", 30)]
    verdict = release.lines[-1][1]
    signals = {signal["name"]: signal for signal in verdict["signals"]}
    assert verdict["verdict"] == "regression"
    assert signals["watchdog"]["verdict"] == "worse" and signals["watchdog"]["alarmed_at"]
    assert [name for name, signal in signals.items() if signal["verdict"] == "worse"] == ["watchdog"]
    stopping = next(line for _, line in release.lines if line.get("event") == "stopping")
    assert f"0 % of {PROMPTS} prompts pass, and 100 % with the baseline" in stopping["text"], stopping
    # The probes are no traffic: they went by an override, and are not compared.
    page = envoy.admin("/stats/prometheus")
    lines = [line for line in page.splitlines() if "llm_requests_total{" in line and 'llm_compare="no"' in line]
    # The baseline was asked twice, then both versions at least once.
    assert sum(float(line.rsplit(" ", 1)[1]) for line in lines) >= 4 * PROMPTS
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {(line["side"], line["output"]) for line in results if line["line"] == "answer" and line["round"] > 0} == {
        ("version", "Rome."),
        ("baseline", "Paris"),
    }


async def test_right_answers_let_it_go_on(envoy: Envoy, of_v2: Replies, tool: Path, arguments: list[str]) -> None:
    of_v2["probe"] = whole(says(b"Paris"))
    async with Traffic(envoy.port, turns(), CLIENTS), started(tool, arguments) as release:
        await release.reaches("ramping", 60)
    assert release.events()[:2] == [("ramping", 30), ("ramping", 60)]
