"""Prometheus text to numbers: a snapshot is {(name, labels): value}, and two of them subtract."""

import re

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Snapshot(dict):
    """{(name, frozenset of (label, value)): number}"""

    @classmethod
    def parse(cls, text):
        snapshot = cls()
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            sample = _SAMPLE.match(line)
            if sample is None:
                raise ValueError(f"not a Prometheus sample: {line!r}")
            name, labels, value = sample.groups()
            snapshot[name, frozenset(_LABEL.findall(labels or ""))] = float(value)
        return snapshot

    def sum(self, name, **labels):
        """Of every sample of that name which carries these labels; 0 where there is none."""
        wanted = set(labels.items())
        return sum(value for (n, have), value in self.items() if n == name and wanted <= have)

    def by(self, name, label, **labels):
        """{label value: sum}, without the zeros."""
        sums = {}
        for (n, have), value in self.items():
            if n == name and set(labels.items()) <= have and value:
                key = dict(have).get(label)
                sums[key] = sums.get(key, 0) + value
        return sums

    def series(self, prefix="llm_"):
        """Which names and labels exist, apart from their values."""
        return {key for key in self if key[0].startswith(prefix)}

    def __sub__(self, earlier):
        return Snapshot({key: value - earlier.get(key, 0) for key, value in self.items()})
