"""Prometheus' text format, and Prometheus' answers to queries, as numbers."""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from pylib.http1 import get

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"'
_LABELS = rf"\{{(?:{_LABEL}(?:,{_LABEL})*,?)?\}}"
_VALUE = r"[-+]?(?:Inf|NaN|[0-9][0-9.eE+-]*)"
_SAMPLE = re.compile(rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?P<labels>{_LABELS})? (?P<value>{_VALUE})(?: -?\d+)?")
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Snapshot(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """{(metric, {(label, value)}): number}. Two of them subtract."""

    @classmethod
    def parse(cls, text: str) -> "Snapshot":
        """Reads the text format. ValueError where a line is no sample."""
        snapshot = cls()
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            sample = _SAMPLE.fullmatch(line)
            if sample is None:
                raise ValueError(f"not a Prometheus sample: {line!r}")
            labels = {(label, _unescaped(value)) for label, value in _PAIR.findall(sample["labels"] or "")}
            snapshot[sample["name"], frozenset(labels)] = float(sample["value"])
        return snapshot

    @classmethod
    def scrape(cls, port: int, path: str = "/stats/prometheus") -> "Snapshot":
        """Reads what a server on this machine exports; by default Envoy, on its admin page."""
        return cls.parse(get(port, path).decode())

    @classmethod
    def query(cls, port: int, expression: str) -> "Snapshot":
        """Asks a Prometheus on this machine an instant query."""
        answer = json.loads(get(port, "/api/v1/query?query=" + quote(expression)))
        snapshot = cls()
        for series in answer["data"]["result"]:
            name = series["metric"].pop("__name__", "")
            snapshot[name, frozenset(series["metric"].items())] = float(series["value"][1])
        return snapshot

    def sum(self, name: str, **labels: str) -> float:
        """Sums every sample of that name which has these labels; 0 where there is none."""
        return sum(value for (n, have), value in self.items() if n == name and labels.items() <= have)

    def values_by(self, name: str, label: str, **labels: str) -> dict[str | None, float]:
        """Returns {label value: sum}."""
        sums: dict[str | None, float] = {}
        for (n, have), value in self.items():
            if n == name and labels.items() <= have:
                key = dict(have).get(label)
                sums[key] = sums.get(key, 0.0) + value
        return sums

    def by(self, name: str, label: str, **labels: str) -> dict[str | None, float]:
        """Returns {label value: sum}, without the zeros."""
        return {key: value for key, value in self.values_by(name, label, **labels).items() if value}

    def series(self, prefix: str = "llm_") -> set[tuple[str, frozenset[tuple[str, str]]]]:
        """Returns which names and labels exist, without their values."""
        return {key for key in self if key[0].startswith(prefix)}

    def __sub__(self, earlier: Mapping[tuple[str, frozenset[tuple[str, str]]], float]) -> "Snapshot":
        return Snapshot({key: value - earlier.get(key, 0) for key, value in self.items()})


def _unescaped(value: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), value)
