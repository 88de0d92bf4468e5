"""Argo Rollouts and Flagger against `serve`, with the settings of kubernetes/: fine, a regression, not
enough data, and a source that is down.
"""

import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Json
from tests.istio import crd
from tests.kubernetes.controllers import ask, assess, flagger, measure

KUBERNETES = REPOSITORY / "kubernetes"
ARGUMENTS = {"rollout": "chat", "version": "v2"}
NOW_S = 1_795_424_400
WINDOW_S = 60
START_S_MAX = 20.0
# Requests of each version in a window, errors of v2 as a part of them, windows; `None`: the source is down.
CASES = {
    "fine": (400, 0.004, 60),
    "regression": (400, 0.2, 60),
    "not_enough_data": (4, 0.0, 5),
    "source down": None,
}


def document(name: str, kind: str) -> Json:
    return next(doc for doc in crd.load((KUBERNETES / name).read_text()) if doc["kind"] == kind)


METRIC: Json = document("argo.yaml", "AnalysisTemplate")["spec"]["metrics"][0]
CANARY: Json = document("flagger.yaml", "Canary")


def samples(requests: int, errors: float, windows: int) -> str:
    """A dump of the filter's counters, as promtool writes it."""
    lines = []
    for version, part in (("v1", 0.004), ("v2", errors)):
        labels = f'llm_rollout="chat",llm_version="{version}",llm_compare="yes"'
        series = {
            f'llm_requests_total{{{labels},llm_outcome="complete"}}': 1 - part,
            f'llm_requests_total{{{labels},llm_outcome="http_error"}}': part,
            f'llm_decisions_total{{{labels},llm_reason="split"}}': 1.0,
            f'llm_refusals_total{{{labels},llm_refusal="phrase"}}': 0.01,
            f"llm_defective_responses_total{{{labels}}}": 0.004,
        }
        for name, rate in series.items():
            for window in range(windows + 1):
                count = int(requests * window * rate)
                lines.append(f"{name} {count} {NOW_S + window * WINDOW_S}")
    return "\n".join(lines) + "\n"


class Served:
    """`serve` with a source."""

    def __init__(self, tool: Path, folder: Path, case: str) -> None:
        made = CASES[case]
        if made is None:
            source = ["--prometheus", "http://127.0.0.1:1"]
        else:
            dump = folder / "metrics.txt"
            dump.write_text(samples(*made))
            source = ["--from", str(dump)]
        names = ["--rollout", "chat", "--version", "v2", "--baseline", "v1"]
        command = [str(tool), "serve", *names, *source, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        found = re.search(r"http://[0-9.:]+", said)
        assert found, said
        self.base = found.group()
        deadline = time.monotonic() + START_S_MAX
        while self.status("/readyz") != 200:
            assert time.monotonic() < deadline, "it does not get ready"
            time.sleep(0.05)

    def status(self, path: str) -> int:
        answer = ask(self.base, path, 5)
        return answer.status if answer else 0

    def metrics(self) -> str:
        request = urllib.request.Request(f"{self.base}/metrics", headers={"accept": "text/plain"})
        with urllib.request.urlopen(request, timeout=5) as response:
            text: str = response.read().decode()
        return text


@pytest.fixture
def served(tool: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    server = Served(tool, tmp_path, request.param)
    yield server
    server.process.terminate()
    assert server.process.wait(5) == 0, "SIGTERM ends it cleanly"
    assert server.process.stderr is not None
    server.process.stderr.close()


@pytest.mark.parametrize(
    ("served", "measurement", "phase", "round_of_flagger"),
    [
        ("fine", "Successful", "Successful", "goes on"),
        ("regression", "Failed", "Failed", "rolls back"),
        ("not_enough_data", "Inconclusive", "Running", "waits"),
        ("source down", "Inconclusive", "Running", "waits"),
    ],
    indirect=["served"],
)
def test_each_controller_does_what_the_verdict_says(
    served: Served, measurement: str, phase: str, round_of_flagger: str
) -> None:
    for old in (False, True):
        assert measure(served.base, METRIC, ARGUMENTS, takes_text_for_success=old) == measurement
    assert assess(METRIC, [measurement] * 30) == phase
    assert flagger(served.base, CANARY) == round_of_flagger


@pytest.mark.parametrize(
    ("served", "is_regression", "is_up"),
    [("fine", 0, 1), ("regression", 1, 1), ("not_enough_data", 0, 1), ("source down", None, 0)],
    indirect=["served"],
)
def test_flagger_s_metric(served: Served, is_regression: int | None, is_up: int) -> None:
    text = served.metrics()
    line = re.search(r'^llm_canary_verdict\{rollout="chat",version="v2",verdict="regression"\} (\d)$', text, re.M)
    assert (int(line.group(1)) if line else None) == is_regression
    assert f"\nllm_canary_source_up {is_up}\n" in text
    query = document("flagger.yaml", "MetricTemplate")["spec"]["query"]
    assert "llm_canary_verdict{" in query
    assert 'verdict="regression"' in query


@pytest.mark.parametrize("served", ["regression"], indirect=True)
def test_a_wrong_address_is_never_success(served: Served) -> None:
    url = METRIC["provider"]["web"]["url"]
    host = url.split("/api")[0]
    for path in ("/", "", "/metrics", "/healthz", "/readyz", "/api/verdicts?version=v2", "/api/verdict?vesion=v2"):
        metric = {**METRIC, "provider": {"web": {**METRIC["provider"]["web"], "url": host + (path or "/")}}}
        for old in (False, True):
            assert measure(served.base, metric, {}, takes_text_for_success=old) == "Error", path
    wrong = {"rollout": "chat", "version": "v1"}
    assert measure(served.base, METRIC, wrong) == "Error", "the baseline is compared with nothing"
    for path in ("/", "/healthz", "/flagger/confirm", "/api/verdict", "/flagger/confirm-promotion?version=v1"):
        hook = {"type": "confirm-promotion", "url": f"http://x{path}"}
        assert flagger(served.base, {"spec": {"analysis": {"webhooks": [hook]}}}) == "waits", path


def test_argo_never_promotes_without_a_verdict_that_is_fine() -> None:
    many = METRIC["count"] + 1
    for knows in (True, False):
        assert assess(METRIC, ["Inconclusive"] * many, knows) == "Inconclusive"
        assert assess(METRIC, ["Error"] * many, knows) == "Error"
        assert assess(METRIC, ["Inconclusive"] * 5 + ["Failed"], knows) == "Failed"
    assert assess(METRIC, ["Error"] * 20 + ["Inconclusive", "Successful"]) == "Successful"
    assert assess(METRIC, ["Inconclusive"] * 700 + ["Successful"]) == "Successful"


@pytest.mark.parametrize("served", ["fine"], indirect=True)
def test_it_ends_while_clients_ask(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.base}/api/approve", data=b"{}", timeout=5)
    refused.value.close()
    assert refused.value.code == 404, "serve takes no approvals"
