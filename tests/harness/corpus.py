"""Recorded responses, and what their index says the statistics must be.

The large corpus stands beside the checkout, or where LLM_CANARY_CORPUS says. Where it is missing, a small one of our
own in the repository takes its place. Both have the same format: INDEX.tsv beside folders of responses.
"""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness import REPOSITORY

BESIDE, OWN = REPOSITORY.parent / "shared" / "corpus", REPOSITORY / "tests" / "data" / "corpus"
INDEX = "INDEX.tsv"
DIALECTS = ("openai-chat", "openai-completions")
# Left out, because the filter reads it otherwise than its index: a call without a name, which is no call.
READ_OTHERWISE = {"openai-chat/pydantic-ai__test_snowflake-test_snowflake_thinking__i0_314ac2.json"}
# The index says `tool` and `filter` where the metric's label is longer.
FINISHES = {
    "stop": "stop",
    "length": "length",
    "tool": "tool_calls",
    "filter": "content_filter",
    "error": "error",
    "other": "other",
}
# Of several answers' ends the most telling stands for the response.
FINISH_ORDER = ["stop", "tool_calls", "other", "length", "content_filter", "error"]


def folder() -> Path:
    """The corpus to test with."""
    if named := os.environ.get("LLM_CANARY_CORPUS"):
        return Path(named)
    return BESIDE if (BESIDE / INDEX).exists() else OWN


def is_there() -> bool:
    return (folder() / INDEX).exists()


@dataclass(frozen=True)
class Recording:
    file: str
    dialect: str
    is_stream: bool
    status: int
    content_type: str | None
    facts: dict[str, str]

    @property
    def body(self) -> bytes:
        return (folder() / self.file).read_bytes()

    @property
    def key(self) -> bytes:
        return self.file.encode()

    @property
    def outcome(self) -> str:
        if self.status >= 400:
            return "http_error"
        if self.facts["error"] == "y":
            return "stream_error"
        if self.is_stream and self.facts["terminal"] == "n" and not self.facts["finish_reason"]:
            return "truncated"
        return "complete"

    @property
    def finish(self) -> str:
        ends = [FINISHES[end] for end in self.facts["finish_norm"].split("|") if end]
        return max(ends, key=FINISH_ORDER.index, default="none")

    @property
    def is_refused(self) -> bool:
        """The index knows refusals in words only; one by the content filter counts here too."""
        return self.facts["refusal"] == "y" or self.finish == "content_filter"

    def number(self, fact: str) -> int:
        return int(self.facts[fact] or 0)

    @property
    def is_remarkable(self) -> bool:
        """Whether it is of a kind of which there are few: those are all taken."""
        facts = self.facts
        return (
            self.status >= 400
            or "y" in (facts["error"], facts["refusal"])
            or self.number("n_choices") > 1
            or self.number("tool_calls") > 1
            or (self.is_stream and (facts["terminal"] == "n" or not facts["finish_reason"]))
            or self.finish in ("content_filter", "other", "error")
        )


def recordings(dialects: Sequence[str] | None = DIALECTS) -> list[Recording]:
    """The recordings of these dialects, or of all if that is None, in the order of the index."""
    with open(folder() / INDEX, newline="") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if not dialects or row["dialect"] in dialects]
    rows = [row for row in rows if row["file"] not in READ_OTHERWISE]
    return [
        Recording(
            file=row["file"],
            dialect=row["dialect"],
            is_stream=row["streaming"] == "y",
            status=int(row["status"]),
            content_type=row["content_type"]
            or ("text/event-stream" if row["streaming"] == "y" else "application/json"),
            facts=row,
        )
        for row in rows
    ]


def selection(count: int) -> list[Recording]:
    """All that are remarkable, then evenly spaced ones of the rest, half of them streams. All, if there are no more."""
    everything = recordings()
    if len(everything) <= count:
        return everything
    chosen = [recording for recording in everything if recording.is_remarkable]
    rest = [recording for recording in everything if not recording.is_remarkable]
    for is_stream in (True, False):
        kind = [recording for recording in rest if recording.is_stream == is_stream]
        wanted = (count - len(chosen)) // (2 if is_stream else 1)
        chosen += [kind[at * len(kind) // wanted] for at in range(wanted)]
    assert len(chosen) == count
    return chosen


class Expected:
    """The sums that a set of recordings must leave behind."""

    def __init__(self, chosen: list[Recording]) -> None:
        self.outcomes = Counter(recording.outcome for recording in chosen)
        self.finishes = Counter(recording.finish for recording in chosen)
        self.chars = sum(recording.number("text_chars") for recording in chosen)
        self.chars_squared = sum(recording.number("text_chars") ** 2 for recording in chosen)
        kinds = {
            "input": "input_tokens",
            "cached_input": "cached_tokens",
            "output": "output_tokens",
            "reasoning": "reasoning_tokens",
        }
        self.tokens = {kind: sum(recording.number(fact) for recording in chosen) for kind, fact in kinds.items()}
        self.tool_calls = sum(recording.number("tool_calls") for recording in chosen)
        self.tool_responses = sum(recording.number("tool_calls") > 0 for recording in chosen)
        self.refusals = sum(recording.is_refused for recording in chosen)
