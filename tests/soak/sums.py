"""What the clients count, in the names of the filter's metrics, and how that compares with Envoy's statistics."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from pylib.failures import FAILURES
from pylib.prometheus import Snapshot

# Metric, version, label.
Sum = tuple[str, str, str | None]
Facts = dict[str, Any]

# The filter sees other moments than the clients.
TIMES = {
    "llm_time_to_first_token_ms_total",
    "llm_time_to_first_token_ms_squared_total",
    "llm_time_per_output_token_us_total",
    "llm_time_per_output_token_us_squared_total",
    "llm_shard_time_to_first_token_ms_total",
}
OF_NO_VERSION = ("llm_panics_total",)
LABELS = (
    "llm_reason",
    "llm_outcome",
    "llm_finish",
    "llm_refusal",
    "llm_defect",
    "llm_token",
    "llm_unread",
    "llm_shard",
    "llm_feedback",
    "llm_status",
)
STATUSES = {400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504}  # with a value of their own
COUNTED_HISTOGRAMS = (
    "llm_time_to_first_byte_ms_count",
    "llm_request_duration_ms_count",
    "llm_response_chars_count",
    "llm_output_tokens_count",
    "llm_input_tokens_count",
)
TOKENS = {
    "input": "input_tokens",
    "cached_input": "cached_input_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}
# The facts where no answer came, or Envoy's own.
NOTHING: Facts = {
    "dialect": None,
    "finish": None,
    "text_chars": None,
    "tool_calls": 0,
    "refusal_kind": None,
    "defects": [],
    "reasoning_chars": 0,
    "unread": None,
    **dict.fromkeys(TOKENS.values()),
}


class Sums:
    """{(metric, version, label): number}"""

    def __init__(self) -> None:
        self.sums: Counter[Sum] = Counter()
        # Whether a step fell between the sending and the arrival of a request that it may have made comparable.
        self.is_shard_unknown = False

    def add(self, version: str, metric: str, label: str | None = None, by: int = 1) -> None:
        if by:
            self.sums[metric, version, label] += by

    def decision(self, version: str, reason: str, is_unheld: bool) -> None:
        self.add(version, "llm_decisions_total", reason)
        self.add(version, "llm_unheld_total", by=int(is_unheld))

    def response(
        self, version: str, outcome: str, facts: Facts, shard: int | None, is_first_turn: bool, has_head: bool = True
    ) -> None:
        """One response, whole or not. `facts` are as `llm-canary replay` says them."""
        is_failure, refusal = outcome in FAILURES, facts["refusal_kind"]
        self.add(version, "llm_requests_total", outcome)
        if outcome == "http_error":
            status = facts["status"]
            label = str(status) if status in STATUSES else f"{status // 100}xx"
            self.add(version, "llm_http_errors_total", label)
        self.add(version, "llm_finish_total", facts["finish"] or "none")
        self.add(version, "llm_refusals_total", refusal, by=int(refusal is not None))
        self.add(version, "llm_tool_calls_total", by=facts["tool_calls"])
        self.add(version, "llm_tool_responses_total", by=int(facts["tool_calls"] > 0))
        is_answer = outcome not in ("http_error", "local_reply")
        defects = facts["defects"] if is_answer else []
        for defect in defects:
            self.add(version, "llm_defects_total", defect)
        self.add(version, "llm_defective_responses_total", by=int(len(defects) > 0))
        self.add(version, "llm_reasoning_chars_total", by=facts["reasoning_chars"])
        for kind, fact in TOKENS.items():
            self.add(version, "llm_tokens_total", kind, by=facts[fact] or 0)
        is_missing = outcome == "complete" and facts["dialect"] is not None and facts["output_tokens"] is None
        self.add(version, "llm_usage_missing_total", by=int(is_missing))
        self.add(version, "llm_unread_total", facts["unread"], by=int(facts["unread"] is not None))
        if is_first_turn:
            self.add(version, "llm_first_turn_requests_total")
            self.add(version, "llm_first_turn_refusals_total", by=int(refusal is not None))
            self.add(version, "llm_first_turn_errors_total", by=int(is_failure))
        self.add(version, "llm_request_duration_ms_count")
        self.add(version, "llm_time_to_first_byte_ms_count", by=int(has_head))
        chars, output = facts["text_chars"] if is_answer else None, facts["output_tokens"]
        if shard is not None:
            by_shard = {
                "requests": 1,
                "errors": int(is_failure),
                "refusals": int(refusal is not None),
                "defects": int(len(defects) > 0),
                "length_stops": int(facts["finish"] == "length"),
                "tool_responses": int(facts["tool_calls"] > 0),
                "client_aborts": int(outcome == "client_abort"),
                "response_chars": chars or 0,
            }
            for name, count in by_shard.items():
                self.add(version, f"llm_shard_{name}_total", str(shard), by=count)
        if chars is not None:
            self.add(version, "llm_response_chars_count")
            self.add(version, "llm_response_chars_total", by=chars)
            self.add(version, "llm_response_chars_squared_total", by=chars**2)
        if output is not None:
            self.add(version, "llm_output_tokens_count")
            self.add(version, "llm_output_tokens_squared_total", by=output**2)
        self.add(version, "llm_input_tokens_count", by=int(facts["input_tokens"] is not None))

    @property
    def requests(self) -> int:
        return sum(count for (metric, _, _), count in self.sums.items() if metric == "llm_requests_total")

    def by_label(self, metric: str) -> Counter[str | None]:
        found: Counter[str | None] = Counter()
        for (name, _, label), count in self.sums.items():
            if name == metric:
                found[label] += count
        return found


def counted(snapshot: Snapshot) -> Counter[Sum]:
    """The same from Envoy: every counter of the filter but the times, so that none is forgotten."""
    sums: Counter[Sum] = Counter()
    for (name, pairs), value in snapshot.items():
        is_counter = name.startswith("llm_") and name.endswith("_total") and name not in (*TIMES, *OF_NO_VERSION)
        if is_counter or name in COUNTED_HISTOGRAMS:
            labels = dict(pairs)
            label = next((labels[label] for label in LABELS if label in labels), None)
            sums[name, labels["llm_version"], label] += int(value)
    return Counter({key: value for key, value in sums.items() if value})


def differences(ours: Sums, envoys: Counter[Sum]) -> list[str]:
    counts = ours.sums
    return [
        f"{metric} of {version}{f' {label}' if label else ''}: the clients counted {counts[key]}, Envoy {envoys[key]}"
        for key in sorted(counts.keys() | envoys.keys(), key=str)
        for metric, version, label in [key]
        if counts[key] != envoys[key] and not (ours.is_shard_unknown and metric.startswith("llm_shard_"))
    ]


def shard_differences(snapshot: Snapshot) -> list[str]:
    """Shards add up to the totals of what may be compared and has a key."""
    totals = {
        "errors": sum_of(snapshot, "llm_requests_total", lambda labels: labels["llm_outcome"] in FAILURES),
        "client_aborts": sum_of(snapshot, "llm_requests_total", lambda labels: labels["llm_outcome"] == "client_abort"),
        "length_stops": sum_of(snapshot, "llm_finish_total", lambda labels: labels["llm_finish"] == "length"),
        "requests": sum_of(snapshot, "llm_requests_total"),
        "refusals": sum_of(snapshot, "llm_refusals_total"),
        "defects": sum_of(snapshot, "llm_defective_responses_total"),
        "tool_responses": sum_of(snapshot, "llm_tool_responses_total"),
        "response_chars": sum_of(snapshot, "llm_response_chars_total"),
        "time_to_first_token_ms": sum_of(snapshot, "llm_time_to_first_token_ms_total"),
    }
    by_shard = {name: sum_of(snapshot, f"llm_shard_{name}_total") for name in totals}
    return [
        f"the shards of {name} of {version} add up to {by_shard[name][version]}, and the total is {total}"
        for name, by_version in totals.items()
        for version, total in by_version.items()
        if by_shard[name][version] != total
    ]


def sum_of(
    snapshot: Snapshot, metric: str, is_wanted: Callable[[dict[str, str]], bool] = lambda _: True
) -> Counter[str]:
    """By version, of what may be compared."""
    sums: Counter[str] = Counter()
    for (name, pairs), value in snapshot.items():
        labels = dict(pairs)
        if name == metric and labels["llm_compare"] == "yes" and is_wanted(labels):
            sums[labels["llm_version"]] += int(value)
    return sums
