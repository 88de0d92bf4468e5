"""Samples of a release, as a dump of Prometheus has them: the counters of two versions as requests pass."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

START_S = int(datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp())
SHARDS = 32

CHARS = [50, 100, 200, 400, 600, 800, 1000, 1500, 2000, 3000, 4000, 6000, 8000]
FIRST_MS = [25, 50, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000]
TOKEN_US = [2000, 5000, 10000, 15000, 20000, 25000, 30000, 50000, 100000]
TOKENS = [10, 25, 50, 100, 200, 400, 800, 1600, 3200]
DURATION_MS = [250, 500, 1000, 2500, 5000, 10000, 25000, 50000]


@dataclass(frozen=True)
class Traffic:
    """What a version's requests are like."""

    a_second: float
    errors: float = 0.006
    refusals: float = 0.01
    defects: float = 0.004
    length_stops: float = 0.02
    chars: float = 900
    first_ms: float = 320


@dataclass
class Counters:
    """The counters of a version in one Envoy."""

    labels: str
    values: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, labels: str, more: float = 1) -> None:
        """Adds to a counter; 0 makes it exist."""
        series = f"{name}{{{self.labels}{labels}}}"
        self.values[series] = self.values.get(series, 0) + more

    def observe(self, name: str, edges: list[int], value: float, more: float = 1) -> None:
        """Adds a value to a classic histogram and to its exact sums."""
        for edge in edges:
            self.add(f"{name}_bucket", f',le="{edge}"', more if value <= edge else 0)
        self.add(f"{name}_bucket", ',le="+Inf"', more)
        self.add(f"{name}_sum", "", value * more)
        self.add(f"{name}_count", "", more)


class Release:
    """Two versions, and their samples over time."""

    def __init__(
        self, rollout: str = "chat", names: tuple[str, ...] = ("v1", "v2"), defect: str = "repetition"
    ) -> None:
        """Makes all series exist, at zero."""
        self.random = random.Random(7)
        self.defect = defect
        self.counters = {name: Counters(self._labels(rollout, name)) for name in names}
        self.samples: dict[str, list[str]] = {}
        for counters in self.counters.values():
            self._request(counters, Traffic(0), 0)
        self.now_s = float(START_S)
        self._scrape()

    @staticmethod
    def _labels(rollout: str, version: str) -> str:
        def quoted(text: str) -> str:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'"{escaped}"'

        return f'llm_rollout={quoted(rollout)},llm_version={quoted(version)},llm_compare="yes"'

    def run(self, seconds: float, traffic: dict[str, Traffic], every_s: float = 15) -> None:
        """Lets requests pass for so long."""
        for _ in range(round(seconds / every_s)):
            for name, side in traffic.items():
                expected = side.a_second * every_s
                requests = max(0, round(self.random.gauss(expected, expected**0.5)))
                for _ in range(requests):
                    self._request(self.counters[name], side, 1)
            self.now_s += every_s
            self._scrape()

    def _request(self, counters: Counters, side: Traffic, more: int) -> None:
        chance = self.random.random
        shard = f',llm_shard="{self.random.randrange(SHARDS)}"'
        fails, refuses = chance() < side.errors, chance() < side.refusals
        defect, length = chance() < side.defects, chance() < side.length_stops
        counters.add("llm_decisions_total", ',llm_reason="split"', more)
        for outcome, is_it in [("complete", not fails), ("http_error", fails), ("client_abort", False)]:
            counters.add("llm_requests_total", f',llm_outcome="{outcome}"', more * is_it)
        counters.add("llm_refusals_total", ',llm_refusal="phrase"', more * refuses)
        counters.add("llm_defective_responses_total", "", more * defect)
        for name in (self.defect, "empty"):
            is_it = defect and (name == self.defect or chance() < 0.3)
            counters.add("llm_defects_total", f',llm_defect="{name}"', more * is_it)
        counters.add("llm_finish_total", ',llm_finish="length"', more * length)
        counters.add("llm_finish_total", ',llm_finish="stop"', more * (not length))
        counters.add("llm_feedback_total", ',llm_feedback="up"', more * (chance() < 0.03))
        counters.add("llm_feedback_total", ',llm_feedback="down"', more * (chance() < 0.01))
        for at in range(SHARDS) if not more else []:
            for what in ("requests", "errors", "refusals", "defects"):
                counters.add(f"llm_shard_{what}_total", f',llm_shard="{at}"', 0)
        for what, is_it in [("requests", True), ("errors", fails), ("refusals", refuses), ("defects", defect)]:
            counters.add(f"llm_shard_{what}_total", shard, more * is_it)
        spread = self.random.gammavariate(2, 0.5)
        chars, first_ms = side.chars * spread, side.first_ms * self.random.gammavariate(3, 1 / 3)
        token_us = 20_000 * self.random.gammavariate(9, 1 / 9)
        counters.observe("llm_response_chars", CHARS, round(chars), more)
        counters.observe("llm_time_to_first_token_ms", FIRST_MS, round(first_ms), more)
        counters.observe("llm_time_per_output_token_us", TOKEN_US, round(token_us), more)
        counters.observe("llm_output_tokens", TOKENS, round(chars / 4), more)
        counters.observe("llm_input_tokens", TOKENS, round(500 * self.random.gammavariate(2, 0.5)), more)
        duration_ms = first_ms + chars / 4 * token_us / 1000
        counters.observe("llm_request_duration_ms", DURATION_MS, round(duration_ms), more)
        for name, value in [
            ("response_chars", chars),
            ("time_to_first_token_ms", first_ms),
            ("time_per_output_token_us", token_us),
        ]:
            counters.add(f"llm_{name}_total", "", more * round(value))
            counters.add(f"llm_{name}_squared_total", "", more * round(value) ** 2)

    def _scrape(self) -> None:
        for counters in self.counters.values():
            for series, value in counters.values.items():
                self.samples.setdefault(series, []).append(
                    f"{value:g} {self.now_s:.3f}" if value % 1 else f"{value:.0f} {self.now_s:.3f}"
                )

    def text(self) -> str:
        """Returns the dump, each series in order of time."""
        return "".join(f"{series} {sample}\n" for series, samples in self.samples.items() for sample in samples)
