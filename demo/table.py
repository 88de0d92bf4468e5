"""Samples in, the per-version table out."""

from collections.abc import Iterable
from dataclasses import dataclass

from metrics import Sample

# Every way to fail that is not the client's doing.
ERRORS = {"http_error", "stream_error", "truncated", "upstream_reset", "local_reply"}


@dataclass(frozen=True)
class Row:
    """One version since Envoy started; None where nothing has been counted to divide by."""

    version: str
    share: float | None
    requests: int
    output_tokens: int
    first_token_ms_median: float | None
    chars_mean: float | None
    refusal_share: float | None
    error_share: float | None


def rows(samples: list[Sample], versions: Iterable[str]) -> list[Row]:
    decisions = sum(of(samples, "llm_decisions_total"))
    return [row([sample for sample in samples if sample.labels.get("llm_version") == version], version, decisions) for version in versions]


def row(mine: list[Sample], version: str, decisions: float) -> Row:
    requests = sum(of(mine, "llm_requests_total"))
    errors = sum(sum(of(mine, "llm_requests_total", llm_outcome=outcome)) for outcome in ERRORS)
    return Row(
        version,
        share=ratio(sum(of(mine, "llm_decisions_total")), decisions),
        requests=round(requests),
        output_tokens=round(sum(of(mine, "llm_tokens_total", llm_token="output"))),
        first_token_ms_median=median(mine, "llm_time_to_first_token_ms"),
        # The counter is exact; the sum of an Envoy histogram is not, but its count is.
        chars_mean=ratio(sum(of(mine, "llm_response_chars_total")), sum(of(mine, "llm_response_chars_count"))),
        refusal_share=ratio(sum(of(mine, "llm_refusals_total")), requests),
        error_share=ratio(errors, requests),
    )


def of(samples: list[Sample], name: str, **labels: str) -> list[float]:
    return [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def median(samples: list[Sample], histogram: str) -> float | None:
    """As histogram_quantile(0.5, …) has it: linear within the bucket that holds the middle."""
    buckets: dict[float, float] = {}
    for sample in samples:
        if sample.name == f"{histogram}_bucket":
            bound = float(sample.labels["le"])
            buckets[bound] = buckets.get(bound, 0.0) + sample.value
    total = buckets.get(float("inf"), 0.0)
    below, count_below = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if total and count >= total / 2:
            if bound == float("inf"):
                return below
            return below + (bound - below) * (total / 2 - count_below) / (count - count_below)
        below, count_below = bound, count
    return None


HEADINGS = ("version", "share", "requests", "tokens", "first token", "length", "refusals", "errors")


def render(table: list[Row]) -> list[str]:
    def shown(value: float | None, form: str) -> str:
        return "-" if value is None else form.format(value)

    cells = [HEADINGS]
    for one in table:
        cells.append(
            (
                one.version,
                shown(one.share, "{:.1%}"),
                f"{one.requests:,}",
                f"{one.output_tokens:,}",
                shown(one.first_token_ms_median, "{:.0f} ms"),
                shown(one.chars_mean, "{:.0f} chars"),
                shown(one.refusal_share, "{:.1%}"),
                shown(one.error_share, "{:.1%}"),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
