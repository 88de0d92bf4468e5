"""There is one definition of a failure: the filter's. docs/metrics.md lists it, and a Rust test holds that page to the
code.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from pylib.failures import FAILURES
from tests.envoy.promql import selectors


def defined(repository: Path) -> set[str]:
    page = (repository / "docs" / "metrics.md").read_text()
    [listed] = re.findall(r"^A failure is a request with one of these outcomes: (.*)\.$", page, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", listed))


def expressions(repository: Path) -> Iterator[tuple[str, str]]:
    """(file, expression) of every rule, alert and panel."""
    for name in ("rules.yml", "alerts.yml"):
        for group in yaml.safe_load((repository / "envoy" / "prometheus" / name).read_text())["groups"]:
            yield from ((name, rule["expr"]) for rule in group["rules"])
    dashboard = json.loads((repository / "envoy" / "grafana" / "llm-canary.json").read_text())
    for panel in dashboard["panels"]:
        yield from (("llm-canary.json", target["expr"]) for target in panel.get("targets", []))


def test_the_demo_and_the_soak_have_the_filters_definition(repository: Path) -> None:
    assert defined(repository) == FAILURES


def test_every_rule_alert_and_panel_that_counts_failures_counts_all_of_them(repository: Path) -> None:
    """A matcher that names a failure names all, and nothing else."""
    counting = set()
    for file, expression in expressions(repository):
        for _, matchers in selectors(expression):
            for label, operator, value in matchers:
                named = set(value.split("|"))
                if label == "llm_outcome" and named & FAILURES:
                    assert operator == "=~" and named == FAILURES, f"{file}: {expression}"
                    counting.add(file)
    assert counting == {"rules.yml", "alerts.yml", "llm-canary.json"}
