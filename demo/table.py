"""The table of the demo: each version's share as clients saw it, and its answers as the metrics describe them."""

from collections.abc import Mapping
from dataclasses import dataclass

from pylib.failures import FAILURES
from pylib.prometheus import Snapshot

HEADINGS = (
    "version",
    "new conversations",
    "share",
    "requests",
    "tokens",
    "first token",
    "length",
    "refusals",
    "failures",
)


@dataclass(frozen=True)
class Row:
    """One version. None where nothing has been counted to divide by."""

    version: str
    conversations: int  # begun at the share now in force
    share: float | None  # of these
    requests: int  # this and the following: since Envoy started
    output_tokens: int
    first_token_ms_median: float | None
    chars_mean: float | None
    refusal_share: float | None
    failure_share: float | None


def rows(metrics: Snapshot, conversations: Mapping[str, int]) -> list[Row]:
    """Makes the rows. `conversations` counts, for each version, those that began at the share now in force and were
    answered.
    """
    total = sum(conversations.values())
    return [row(metrics, version, count, ratio(count, total)) for version, count in conversations.items()]


def row(metrics: Snapshot, version: str, conversations: int, share: float | None) -> Row:
    def sum_of(name: str, **labels: str) -> float:
        return metrics.sum(name, llm_version=version, **labels)

    requests = sum_of("llm_requests_total")
    return Row(
        version,
        conversations,
        share,
        requests=round(requests),
        output_tokens=round(sum_of("llm_tokens_total", llm_token="output")),
        first_token_ms_median=median(metrics.values_by("llm_time_to_first_token_ms_bucket", "le", llm_version=version)),
        # The counter is exact; the sum of an Envoy histogram is not, but its count is.
        chars_mean=ratio(sum_of("llm_response_chars_total"), sum_of("llm_response_chars_count")),
        refusal_share=ratio(sum_of("llm_refusals_total"), requests),
        failure_share=ratio(sum(sum_of("llm_requests_total", llm_outcome=outcome) for outcome in FAILURES), requests),
    )


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def median(buckets: Mapping[str | None, float]) -> float | None:
    """The median of cumulative buckets by upper bound. As histogram_quantile(0.5, …), it is linear within the bucket
    that holds the middle.
    """
    by_bound = sorted((float(bound), count) for bound, count in buckets.items() if bound is not None)
    total = by_bound[-1][1] if by_bound else 0.0
    below, count_below = 0.0, 0.0
    for bound, count in by_bound:
        if total and count >= total / 2:
            if bound == float("inf"):
                return below
            return below + (bound - below) * (total / 2 - count_below) / (count - count_below)
        below, count_below = bound, count
    return None


def render(table: list[Row]) -> list[str]:
    def shown(value: float | None, form: str) -> str:
        return "-" if value is None else form.format(value)

    cells = [HEADINGS]
    for one in table:
        cells.append(
            (
                one.version,
                f"{one.conversations:,}",
                shown(one.share, "{:.1%}"),
                f"{one.requests:,}",
                f"{one.output_tokens:,}",
                shown(one.first_token_ms_median, "{:.0f} ms"),
                shown(one.chars_mean, "{:.0f} chars"),
                shown(one.refusal_share, "{:.1%}"),
                shown(one.failure_share, "{:.1%}"),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
