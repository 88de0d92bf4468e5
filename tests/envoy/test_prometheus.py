"""Prometheus's configuration and rules by themselves: valid, unit-tested, and every alert says what to do."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.envoy.conftest import Promtool
from tests.envoy.promql import grouping_labels, selectors
from tests.harness import Json

UNIT_TESTS = "tests/envoy/rules.test.yml"


@pytest.fixture(scope="module")
def rules(repository: Path) -> list[Json]:
    files = (
        yaml.safe_load((repository / "envoy/prometheus" / name).read_text()) for name in ("rules.yml", "alerts.yml")
    )
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def alerts(rules: list[Json]) -> list[Json]:
    return [rule for rule in rules if "alert" in rule]


def test_promtool_accepts_configuration_and_rules(promtool: Promtool) -> None:
    said = promtool("check", "config", "--lint=all", "--lint-fatal", "envoy/prometheus/prometheus.yml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "2 rule files found" in said.stdout


def test_promtool_finds_the_rules_right(promtool: Promtool) -> None:
    said = promtool("test", "rules", UNIT_TESTS)
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_alert_is_seen_firing_in_the_unit_tests(alerts: list[Json], repository: Path) -> None:
    fired = set()
    for test in yaml.safe_load((repository / UNIT_TESTS).read_text())["tests"]:
        for case in test.get("promql_expr_test", []):
            fired |= {
                name for sample in case["exp_samples"] for name in re.findall(r'alertname="(\w+)"', sample["labels"])
            }
    assert fired == {alert["alert"] for alert in alerts}


def test_no_rule_names_a_version_or_a_rollout(rules: list[Json]) -> None:
    for rule in rules:
        for _metric, matchers in selectors(rule["expr"]):
            assert not {"llm_version", "llm_rollout"} & {label for label, _, _ in matchers}, rule["expr"]


def test_every_alert_says_what_happened_and_what_to_do(alerts: list[Json]) -> None:
    for alert in alerts:
        name, annotations = alert["alert"], alert["annotations"]
        assert alert["labels"]["severity"] in ("critical", "warning"), name
        assert set(annotations) == {"summary", "description"}, name
        assert len(annotations["description"]) > 100, name
        used = set(re.findall(r"\$labels\.(\w+)", str(annotations)))
        given = grouping_labels(alert["expr"]) | {"instance"} if "sum" in alert["expr"] else used
        assert used <= given, f"{name}: {used - given} is no label of the alert"
    for alert in alerts:
        if alert["alert"].startswith("LlmVersion") and alert["alert"] != "LlmVersionNoTraffic":
            assert '"stopped": true' in alert["annotations"]["description"], alert["alert"]


def test_the_dashboard_is_well_formed(repository: Path) -> None:
    dashboard = json.loads((repository / "envoy/grafana/llm-canary.json").read_text())
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} == {"row", "timeseries", "heatmap"}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, f"{panel['title']} overlaps"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["description"] and panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
            assert used <= variables, panel["title"]
            by = grouping_labels(target["expr"])
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert legend <= by or not by, f"{panel['title']}: {legend - by} is lost in the query"
