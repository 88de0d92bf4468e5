"""A round of our own reference set on llama.cpp's servers, through Envoy: probes are counted and never compared."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import WASM, on
from tests.servers.conftest import StartLlama, one_request_per_connection
from tests.servers.server import Server

pytestmark = on(WASM.current)  # what servers say does not depend on it

SET = REPOSITORY / "envoy" / "reference-set.yaml"
APIS = ["chat", "completions", "messages", "responses"]
SIDES = ["version", "baseline"]
ROUND_S_MAX = 300
# A word more than the model's own template says.
TEMPLATE = "be so{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"
HEADER = "x-probe"


@pytest.fixture(scope="module", params=[(), ("--chat-template", TEMPLATE)], ids=["same", "another-template"])
def options(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What the version's server has more than the baseline's."""
    return request.param


@pytest.fixture(scope="module")
def servers(start_llama: StartLlama, options: tuple[str, ...]) -> dict[str, Server]:
    started = {"v1": start_llama("v1"), "v2": start_llama("v2", *options)}
    for server in started.values():
        server.wait()
    return started


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    overrides = [{"header": HEADER, "values": [version], "version": version} for version in ("v1", "v2")]
    split = rollout(split={"v2": 10}, overrides=overrides)
    return start_envoy(config(split), edit=one_request_per_connection)


def watchdog(tool: Path, envoy: Envoy, api: str, out: Path) -> Json:
    file = envoy.file
    via = f"http://127.0.0.1:{envoy.port}"
    options: list[str | Path] = ["--via", via, "--api", api, "--model", "m", "--once", "--json", "--out", out]
    command: list[str | Path] = [tool, "watchdog", file, "--set", SET, *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=ROUND_S_MAX)
    # The model says noise, so it fails on both sides alike, but for chance.
    assert ran.returncode in (0, 1, 3), ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("api", APIS)
def test_a_round_of_our_own_set(
    envoy: Envoy, run: Run, tool: Path, tmp_path: Path, options: tuple[str, ...], api: str
) -> None:
    out = tmp_path / "results.jsonl"
    before = envoy.stats()
    known = watchdog(tool, envoy, api, out)
    answers = [line for line in map(json.loads, out.read_text().splitlines()) if line["line"] == "answer"]
    prompts = known["prompts"]["total"]
    assert len(answers) == 4 * prompts and prompts == 16
    assert known["unknown_because"] == {} and known["prompts"]["unknown"] == 0

    seen = run(envoy.counted(4 * prompts, since=before))
    assert seen.sum("llm_requests_total", llm_compare="no") == 4 * prompts
    assert seen.sum("llm_requests_total", llm_compare="yes") == 0
    assert seen.sum("llm_decisions_total", llm_reason="override") == 4 * prompts
    assert seen.sum("llm_requests_total", llm_version="v2") == prompts

    assert {answer["streamed"] for answer in answers} == {True, False}
    for answer in answers:
        assert answer["status"] == 200 and answer["outcome"] in ("complete", "stream_error"), answer
        assert answer["prompt_tokens"] and answer["completion_tokens"], answer
        assert answer["output"], answer
        assert (answer["ttft_ms"] is not None) == answer["streamed"], answer
    of_round = [answer for answer in answers if answer["round"] == 1]
    for side in SIDES:
        found = [defect for answer in of_round if answer["side"] == side for defect in answer["defects"]]
        assert known["defects"][side] == {defect: found.count(defect) for defect in found}

    # Completions have no template.
    differ = prompts if options and api != "completions" else 0
    assert known["prompt_tokens"] == {"compared": prompts, "differ": differ}
