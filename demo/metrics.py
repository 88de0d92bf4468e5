"""Reads the filter's metrics, from Prometheus or from Envoy itself, as one kind of samples."""

import json
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from http1 import get


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


class Source(Protocol):
    async def read(self) -> list[Sample]: ...


@dataclass(frozen=True)
class Prometheus:
    """The last scraped value of every metric of the filter."""

    port: int

    async def read(self) -> list[Sample]:
        answer = json.loads(await get(self.port, "/api/v1/query?query=" + quote('{__name__=~"llm_.*"}')))
        return [
            Sample(series["metric"]["__name__"], series["metric"], float(series["value"][1]))
            for series in answer["data"]["result"]
        ]


@dataclass(frozen=True)
class EnvoyAdmin:
    """The same, straight from Envoy's admin page."""

    port: int

    async def read(self) -> list[Sample]:
        return parse((await get(self.port, "/stats/prometheus?filter=llm_")).decode())


_LINE = re.compile(r"(?P<name>llm_\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> list[Sample]:
    """Prometheus' text format, as far as Envoy writes it for metrics with labels."""
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return [Sample(line["name"], dict(_LABEL.findall(line["labels"])), float(line["value"])) for line in found if line]
