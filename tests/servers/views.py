"""What a client saw of its answers, and whether the statistics say the same."""

from collections import Counter
from typing import Any

from pylib.prometheus import Snapshot
from tests.harness import Json

Ask = dict[str, Any]
View = dict[str, Any]

# {a client's word for the end of an answer: the metric's}
FINISHES = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "incomplete": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
}
TOKENS = ("input", "cached_input", "output")


def assert_same(seen: Snapshot, views: list[View]) -> None:
    """Every sum of the difference of the statistics is that of the views, version by version."""
    assert views
    assert {view["version"] for view in views} <= {"v1", "v2"}
    for version in ("v1", "v2"):
        mine = [view for view in views if view["version"] == version]
        counted, reported = _counted(seen, version), _reported(mine)
        differences = [
            f"{name}: {counted[name]} counted, {reported[name]} reported"
            for name in counted
            if counted[name] != reported[name]
        ]
        assert differences == [], f"{version}: {differences}"


def _reported(views: list[View]) -> Json:
    tokens = {kind: sum(view[kind] for view in views) for kind in TOKENS}
    return {
        "outcomes": {"complete": len(views)} if views else {},
        "finishes": dict(Counter(FINISHES[view["finish"]] for view in views)),
        "chars": sum(view["chars"] for view in views),
        "chars squared": sum(view["chars"] ** 2 for view in views),
        "tokens": {kind: count for kind, count in tokens.items() if count},
        "output tokens squared": sum(view["output"] ** 2 for view in views),
        "tool calls": sum(view["tool_calls"] for view in views),
        "tool responses": sum(view["tool_calls"] > 0 for view in views),
        "first tokens": sum(view["stream"] for view in views),
        "unread": 0,
        "usage missing": sum(not view["output"] for view in views),
    }


def _counted(seen: Snapshot, version: str) -> Json:
    def total(name: str) -> float:
        return seen.sum(name, llm_version=version)

    def by(name: str, label: str) -> dict[str | None, float]:
        return seen.by(name, label, llm_version=version)

    return {
        "outcomes": by("llm_requests_total", "llm_outcome"),
        "finishes": by("llm_finish_total", "llm_finish"),
        "chars": total("llm_response_chars_total"),
        "chars squared": total("llm_response_chars_squared_total"),
        "tokens": by("llm_tokens_total", "llm_token"),
        "output tokens squared": total("llm_output_tokens_squared_total"),
        "tool calls": total("llm_tool_calls_total"),
        "tool responses": total("llm_tool_responses_total"),
        "first tokens": total("llm_time_to_first_token_ms_count"),
        "unread": total("llm_unread_total"),
        "usage missing": total("llm_usage_missing_total"),
    }
