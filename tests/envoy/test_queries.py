"""Every query of the rules and the dashboard, in a real Prometheus that scrapes a real Envoy with the filter.

All tests share one run: a few hundred requests to a healthy version, and to one that fails, refuses, has defects and is
slow. Prometheus has the shipped configuration with shorter intervals, so that the run takes seconds.
"""

import json
import math
import re
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from pylib.http1 import get
from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ask
from tests.envoy.promql import grouping_labels, selectors
from tests.harness import Json

# Labels and values.
Samples = list[tuple[dict[str, str], float]]

REQUESTS = 800
CLIENTS = 8
QUERYABLE_S_MAX = 30

STEP = '{ "at": "2026-01-01T00:00:00Z", "percent": { "v2": 10 } }'

# Only Envoys with the native module have these. tests/envoy/test_native.py shows that they are there.
OF_NATIVE = {"llm_panics_total", "envoy_dynamic_modules_remote_fetch_error"}

# What Prometheus itself adds to every series, or makes.
OF_PROMETHEUS = {"instance", "job", "__name__", "le"}


def script(at: int) -> str:
    """How the model server answers this request. Most get an answer, and both versions show every way to end."""
    kinds = {0: "refusal", 5: "tool_call", 10: "without_usage", 15: "gzip", 20: "half", 25: "error"}
    kinds |= {35: "json", 36: "json", 40: "prose"}
    return kinds.get(at % 50, "answer")


class Live:
    def __init__(self, checkout: Checkout) -> None:
        self._port = checkout.prometheus_port

    def get(self, path: str, **parameters: str) -> Any:
        answer = json.loads(get(self._port, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> Samples:
        """[(labels, value)] now."""
        result = self.get("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]


@pytest.fixture(scope="module")
def live(new_checkout: Callable[[], Checkout], newest_envoy: Path, prometheus_folder: Path) -> Live:
    checkout = new_checkout()
    for name in ("prometheus.yml", "rules.yml", "alerts.yml"):
        path = checkout.folder / "envoy/prometheus" / name
        path.write_text(
            re.sub(r"^( *(?:scrape_|evaluation_)?interval:) \d+s", r"\1 1s", path.read_text(), flags=re.MULTILINE)
        )
    checkout.start(newest_envoy)
    checkout.start_prometheus(prometheus_folder)
    live = Live(checkout)
    # Counters must be scraped at zero before they rise, or the rise is not seen.
    deadline = time.monotonic() + QUERYABLE_S_MAX
    while len(live.query("llm_decisions_total")) == 0 or live.query("sum(llm_decisions_total)")[0][1] != 0:
        assert time.monotonic() < deadline, f"Prometheus sees no metrics:\n{checkout.log()[-3000:]}"
        time.sleep(0.2)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    checkout.replace("envoy/ecds/llm-canary.yaml", STEP, f'{STEP}, {{ "at": "{at}", "percent": {{ "v2": 50 }} }}')
    checkout.wait_until(lambda: checkout.discovery("update_success") == 2, "the new split")
    drive(checkout.port)
    while live.query("sum(llm_requests_total)")[0][1] < REQUESTS or not live.query("llm:compared_first_token_ms:t15m"):
        assert time.monotonic() < deadline + 60, f"not counted in time:\n{checkout.log()[-3000:]}"
        time.sleep(0.2)
    time.sleep(3)  # a scrape and an evaluation after the last histogram flush
    return live


def drive(port: int) -> None:
    """Sends plain requests first, to learn each conversation's version. Then v2 answers worse."""

    def send(at: int) -> None:
        headers = {"x-conversation-id": f"conversation-{at}"}
        if at % 20 == 19:
            headers = {"x-llm-cohort": "staff"} if at % 40 == 39 else {}
        hang_up = at % 50 == 30
        say = "endlessly" if hang_up else script(at)
        _, received, _ = ask(port, headers, say, hang_up=hang_up)
        if say != "answer" or "x-conversation-id" not in headers:
            return
        if received["x-llm-version"] == "v2" and at % 2 == 1:
            ask(port, headers, "error" if at % 4 == 1 else "refusal")
        else:
            slowly = "slowly" if at % 4 == 0 else "garbled"
            ask(port, headers, slowly if received["x-llm-version"] == "v2" else "answer")

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send, range(REQUESTS // 2)))
        list(clients.map(lambda at: ask(port, {"x-conversation-id": f"late-{at}"}), range(REQUESTS // 2)))


@pytest.fixture(scope="module")
def rule_files(repository: Path) -> list[Json]:
    return [
        yaml.safe_load((repository / "envoy/prometheus" / name).read_text()) for name in ("rules.yml", "alerts.yml")
    ]


@pytest.fixture(scope="module")
def dashboard(repository: Path) -> Json:
    return json.loads((repository / "envoy/grafana/llm-canary.json").read_text())


def queries(dashboard: Json, **variables: str) -> list[tuple[str, str]]:
    """Returns [(panel, expression)] with the variables filled in."""
    found = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [(annotation["name"], annotation["expr"]) for annotation in dashboard["annotations"]["list"]]
    for name, value in variables.items():
        found = [(panel, expression.replace(f"${name}", value)) for panel, expression in found]
    assert not [expression for _, expression in found if "$" in expression]
    return found


def filled(dashboard: Json, compare: str = "yes") -> list[tuple[str, str]]:
    return queries(dashboard, rollout="chat", compare=compare, version="v2", __rate_interval="1m")


def test_every_metric_label_and_value_that_is_named_exists(live: Live, rule_files: list[Json], dashboard: Json) -> None:
    expressions = [rule["expr"] for file in rule_files for group in file["groups"] for rule in group["rules"]]
    expressions += [expression for _, expression in filled(dashboard)]
    known = set(live.get("labels")) - {"__name__"}
    missing = {label for expression in expressions for label in grouping_labels(expression)} - known
    for metric, matchers in {
        (metric, tuple(matchers)) for expression in expressions for metric, matchers in selectors(expression)
    }:
        if metric in OF_NATIVE:
            continue
        series = live.get("series", **{"match[]": metric})
        if not series:
            missing.add(metric)
        for label, operator, value in matchers:
            values = {labels.get(label) for labels in series}
            wanted = value.split("|") if operator == "=~" else [value]
            missing |= {
                f'{metric}{{{label}="{one}"}}'
                for one in wanted
                if not any(re.fullmatch(one, has or "") for has in values)
            }
    assert missing == set()


def test_the_labels_of_the_metrics_are_those_of_the_bootstrap(live: Live, repository: Path) -> None:
    bootstrap = yaml.safe_load((repository / "envoy/envoy.yaml").read_text())
    tags = {tag["tag_name"] for tag in bootstrap["stats_config"]["stats_tags"]}
    for series in live.get("series", **{"match[]": '{__name__=~"llm_.+"}'}):
        labels = set(series) - OF_PROMETHEUS
        if series["__name__"] == "llm_config_hash":
            assert labels == {"llm_rollout"}, "of all versions"
            continue
        if series["__name__"] == "llm_body_waits":
            assert labels == set(), "of all rollouts"
            continue
        assert {"llm_rollout", "llm_version", "llm_compare"} <= labels <= tags, series


def test_every_recorded_rule_has_a_value(live: Live, rule_files: list[Json]) -> None:
    empty = set()
    for name in {
        rule["record"] for file in rule_files for group in file["groups"] for rule in group["rules"] if "record" in rule
    }:
        samples = live.query(name)
        versions = {labels["llm_version"] for labels, value in samples if math.isfinite(value)}
        if versions != {"v1", "v2"}:
            empty.add((name, tuple(versions)))
    assert empty == set()


@pytest.mark.parametrize("compare", ["yes", "yes|no"])
def test_every_panel_shows_something(live: Live, dashboard: Json, compare: str) -> None:
    empty = [
        (panel, expression) for panel, expression in filled(dashboard, compare) if not finite(live.query(expression))
    ]
    assert empty == [], "no data, or nothing but NaN"


def finite(samples: Samples) -> list[float]:
    return [value for _, value in samples if math.isfinite(value)]


def test_what_the_panels_show_is_what_was_sent(live: Live) -> None:
    [(_, share)] = live.query('llm:share:ratio5m{llm_compare="yes", llm_version="v2"}')
    assert 0.4 < share < 0.6
    chars = {
        labels["llm_version"]: value for labels, value in live.query('llm:output_tokens:mean5m{llm_compare="yes"}')
    }
    assert chars == {"v1": pytest.approx(6), "v2": pytest.approx(6)}
    unheld = {labels["llm_version"]: value for labels, value in live.query("sum by (llm_version) (llm_unheld_total)")}
    assert unheld["v1"] == 0 < unheld["v2"], "the step moved conversations to v2, and none to v1"
    slow = {
        labels["llm_version"]: value
        for labels, value in live.query('llm:time_to_first_token_ms:p95_5m{llm_compare="yes"}')
    }
    assert slow["v2"] > 100 > 0 < slow["v1"]
    reasons = {labels["llm_reason"] for labels, value in live.query("llm_decisions_total > 0")}
    assert reasons == {"split", "override", "keyless"}


def test_the_worse_version_is_accused_and_only_that_one(live: Live) -> None:
    alerts = live.get("alerts")["alerts"]
    accused = {(alert["labels"]["alertname"], alert["labels"].get("llm_version")) for alert in alerts}
    expected = {f"LlmVersion{what}" for what in ("Errors", "Refusals", "Defects", "SlowFirstToken")}
    assert {(alert, "v2") for alert in expected} <= accused
    assert {version for _, version in accused} == {"v2"}, accused
    for alert in alerts:
        said = json.dumps(alert["annotations"])
        assert "chat" in said and "v2" in said and "error" not in alert["annotations"]["summary"], said
        assert "{{" not in said and "<no value>" not in said and "NaN" not in said, said
