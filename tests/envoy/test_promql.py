"""The reader of PromQL on which other tests rely."""

import pytest

from tests.envoy.promql import Selector, grouping_labels, selectors


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up == 0", [("up", [])]),
        ('rate(a_total{x="1", y=~"b|c"}[5m])', [("a_total", [("x", "=", "1"), ("y", "=~", "b|c")])]),
        ("sum by (x, le) (rate(a_bucket[1m]))", [("a_bucket", [])]),
        ("sum(a) by (x) / on (x) group_left () (llm:b:rate5m > 0)", [("a", []), ("llm:b:rate5m", [])]),
        ('a unless on (i) b{s="}, c("} and c offset 5m', [("a", []), ("b", [("s", "=", "}, c(")]), ("c", [])]),
        ("histogram_quantile(0.95, a) ^ 2 > 1e3", [("a", [])]),
    ],
)
def test_selectors(expression: str, expected: list[Selector]) -> None:
    assert selectors(expression) == expected


def test_grouping_labels() -> None:
    assert grouping_labels("sum by (a, b) (x) / on (c) group_left () sum without(d) (y)") == {"a", "b", "c", "d"}
