"""What the clients count, in the names of the filter's metrics, and how that compares with Envoy's statistics."""

from collections import Counter
from typing import Any

from pylib.failures import FAILURES
from pylib.prometheus import Snapshot

# Metric, version, label.
Sum = tuple[str, str, str | None]
Facts = dict[str, Any]

# The filter sees other moments than the clients.
TIMES = {"llm_time_to_first_token_ms_total", "llm_time_to_first_token_ms_squared_total"}
LABELS = (
    "llm_reason",
    "llm_outcome",
    "llm_finish",
    "llm_refusal",
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
NOTHING = {
    "dialect": None,
    "finish": None,
    "text_chars": None,
    "tool_calls": 0,
    "refusal_kind": None,
    "unread": None,
    **dict.fromkeys(TOKENS.values()),
}


class Sums:
    """{(metric, version, label): number}"""

    def __init__(self) -> None:
        self.sums: Counter[Sum] = Counter()

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
        for kind, fact in TOKENS.items():
            self.add(version, "llm_tokens_total", kind, by=facts[fact] or 0)
        is_missing = outcome == "complete" and facts["dialect"] is not None and facts["output_tokens"] is None
        self.add(version, "llm_usage_missing_total", by=int(is_missing))
        self.add(version, "llm_unread_total", facts["unread"], by=int(facts["unread"] is not None))
        if shard is not None:
            self.add(version, "llm_shard_requests_total", str(shard))
            self.add(version, "llm_shard_refusals_total", str(shard), by=int(refusal is not None))
            self.add(version, "llm_shard_errors_total", str(shard), by=int(is_failure))
        if is_first_turn:
            self.add(version, "llm_first_turn_requests_total")
            self.add(version, "llm_first_turn_refusals_total", by=int(refusal is not None))
            self.add(version, "llm_first_turn_errors_total", by=int(is_failure))
        self.add(version, "llm_request_duration_ms_count")
        self.add(version, "llm_time_to_first_byte_ms_count", by=int(has_head))
        chars, output = facts["text_chars"], facts["output_tokens"]
        if chars is not None and outcome not in ("http_error", "local_reply"):
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
        is_counter = name.startswith("llm_") and name.endswith("_total") and name not in TIMES
        if is_counter or name in COUNTED_HISTOGRAMS:
            labels = dict(pairs)
            label = next((labels[label] for label in LABELS if label in labels), None)
            sums[name, labels["llm_version"], label] += int(value)
    return Counter({key: value for key, value in sums.items() if value})


def differences(ours: Counter[Sum], envoys: Counter[Sum]) -> list[str]:
    return [
        f"{metric} of {version}{f' {label}' if label else ''}: the clients counted {ours[key]}, Envoy {envoys[key]}"
        for key in sorted(ours.keys() | envoys.keys(), key=str)
        for metric, version, label in [key]
        if ours[key] != envoys[key]
    ]
