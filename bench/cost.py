#!/usr/bin/env python3
"""Usage: bench/cost.py

Writes docs/cost.svg and the tables of docs/cost.md from the figures in bench/figures, and prints how fast each curve
grows: the exponent of the power law that fits the whole curve, and the one that fits its last part. Exit code 1 if a
cost grows faster than the work.

A line of figures is: curve, series, x, y, separated by tabs.
"""

import math
import re
import sys
from pathlib import Path

Points = list[tuple[int, float]]

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "bench/figures"

# The largest exponent: work that grows n times may cost n to this power. A loop within a loop has 2. Caches that
# no longer hold everything, and noise, bring it somewhat above 1.
POWER_MAX = 1.25
LAST_PART = 1 / 2  # of the work: the exponent at a curve's end is that of this part

# curve: (title, what x is, unit of y, whether y is for one of x rather than for all)
CURVES = {
    "rollouts": ("Rollouts in a configuration", "rollouts", "ns", False),
    "versions": ("Versions of a rollout", "versions", "ns", False),
    "steps": ("Steps of a rollout", "steps", "ns", False),
    "keys": ("Keys that a rollout looks for", "keys", "ns", False),
    "pieces": ("Bytes of a piece", "bytes", "ns", False),
    "events": ("Bytes of an event", "bytes", "ns", False),
    "streams": ("Streams at once, in V8", "streams", "ns", True),
    "envoy_streams": ("Streams at once, in Envoy: CPU", "streams", "µs", True),
    "memory": ("Streams at once: memory", "streams", "MB", False),
}
# (curve, series): name
SERIES = {
    ("rollouts", "decide"): "a decision",
    ("rollouts", "configure"): "reading the configuration",
    ("versions", "decide"): "a decision",
    ("versions", "configure"): "reading the configuration",
    ("steps", "decide"): "a decision",
    ("steps", "decide_soon_after"): "a decision within a day of all steps",
    ("steps", "configure"): "reading the configuration",
    ("keys", "decide"): "a decision",
    ("keys", "configure"): "reading the configuration",
    ("pieces", "piece"): "a piece",
    ("events", "event"): "an event",
    ("streams", "event"): "an event",
    ("streams", "request"): "a request without its events",
    ("envoy_streams", "ours"): "an event, with the filter",
    ("envoy_streams", "none"): "an event, without",
    ("envoy_streams", "added"): "an event, added by the filter",
    ("memory", "module"): "the module grew by, in V8",
    ("memory", "ours"): "Envoy holds, with the filter",
    ("memory", "none"): "Envoy holds, without",
}
# Envoy's own cost is not ours to judge, nor its sum with ours.
NOT_JUDGED = [("envoy_streams", "none"), ("envoy_streams", "ours"), ("memory", "none")]
# Only what exceeds this much work is judged: up to there Envoy fills memory that it holds from its start.
JUDGED_BEYOND = {("memory", "ours"): 500}


def read() -> tuple[dict[str, dict[str, list[tuple[str, float]]]], list[str]]:
    """Returns {curve: {series: [(x, y), ..]}}, and the machines on which the figures were measured."""
    curves: dict[str, dict[str, list[tuple[str, float]]]] = {}
    machines = []
    for file in sorted(FIGURES.glob("*")):
        head, *lines = file.read_text().splitlines()
        machines.append(f"{file.name}: {head.removeprefix('<!-- ').removesuffix(' -->')}")
        if file.suffix == ".tsv":
            for line in lines:
                curve, series, x, y = line.split("\t")
                curves.setdefault(curve, {}).setdefault(series, []).append((x, float(y)))
    return curves, machines


def numbers(points: list[tuple[str, float]]) -> Points:
    return [(int(x), y) for x, y in points]


def power(points: Points, per_one: bool) -> float:
    """The exponent: the slope of the line that fits the logarithms best. At 1, twice the work costs twice as much."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
    return slope + per_one


def beyond(points: Points, work: int | None) -> Points:
    if work is None:
        return points
    before = dict(points)[work]
    return [(x - work, y - before) for x, y in points if x > work]


def powers(points: Points, per_one: bool) -> tuple[float, float]:
    before = [point for point in points if point[0] <= points[-1][0] * LAST_PART]
    return power(points, per_one), power([before[-1], points[-1]], per_one)


def short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table(curve: str, series: dict[str, Points]) -> str:
    _title, what, unit, _ = CURVES[curve]
    xs = sorted({x for points in series.values() for x, _ in points})
    rows = [f"| {what} | {' | '.join(f'{x:,}' for x in xs)} |", "|---|" + "---:|" * len(xs)]
    for name, points in series.items():
        at = dict(points)
        label = f"{SERIES[curve, name]}, {unit}"
        rows.append(f"| {label} | {' | '.join(short(at[x]) if x in at else '' for x in xs)} |")
    if curve in ("pieces", "events"):
        at = dict(next(iter(series.values())))
        rows.append(f"| MB/s | {' | '.join(f'{1000 * x / at[x]:.0f}' for x in xs)} |")
    return "\n".join(rows)


# The plot -------------------------------------------------------------------------------------

PANEL_W, PANEL_H, COLUMNS = 300, 220, 3
LEFT, TOP, RIGHT, BOTTOM = 46, 40, 14, 34
COLOURS = {  # light, dark
    "ink": ("#24292f", "#e6edf3"),
    "faint": ("#d0d7de", "#3d444d"),
    "s0": ("#0969da", "#58a6ff"),
    "s1": ("#bc4c00", "#f0883e"),
    "s2": ("#8250df", "#bc8cff"),
}


def style() -> str:
    def rules(theme: int) -> str:
        return " ".join(
            f"text.{name} {{ fill: {colours[theme]} }} path.{name} {{ stroke: {colours[theme]} }}"
            for name, colours in COLOURS.items()
        )

    return f"{rules(0)} @media (prefers-color-scheme: dark) {{ {rules(1)} }}"


def text(
    x: float, y: float, words: str, kind: str = "ink", anchor: str = "start", size: int = 10, weight: int = 400
) -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' font-weight="{weight}">{words}</text>'
    )


def line(kind: str, points: list[tuple[float, float]], width: int, dashes: str = "none") -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{path}" fill="none" stroke-width="{width}" stroke-dasharray="{dashes}"/>'


def panel(curve: str, series: dict[str, Points], left: float, top: float) -> str:
    title, what, unit, per_one = CURVES[curve]
    points = [point for some in series.values() for point in some]
    xs, ys = [math.log10(x) for x, _ in points], [math.log10(y) for _, y in points]
    x_low, x_high = min(xs), max(xs)
    # Whole decades, so that a flat curve looks flat.
    y_low, y_high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 2)
    right, bottom = left + PANEL_W - RIGHT, top + PANEL_H - BOTTOM
    left, top = left + LEFT, top + TOP + 12 * (len(series) - 1)

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (math.log10(x) - x_low) / (x_high - x_low) * (right - left)
        return across, bottom - (math.log10(y) - y_low) / (y_high - y_low) * (bottom - top)

    out = [text(left - 40, top - 24 - 12 * (len(series) - 1), f"{title}, {unit}", size=12, weight=600)]
    for decade in range(y_low, y_high + 1):
        _, y = at(10**x_low, 10.0**decade)
        out.append(line("faint", [(left, y), (right, y)], 1))
        out.append(text(left - 4, y + 3, short(10.0**decade), anchor="end"))
    ticks = sorted({x for x, _ in points})
    every = math.ceil(len(ticks) / 7)
    for x in ticks[(len(ticks) - 1) % every :: every]:
        out.append(text(at(x, 10.0**y_low)[0], bottom + 14, short(x), anchor="middle"))
    out.append(text(right, bottom + 27, what, anchor="end"))
    # What is exactly linear (for one of x: flat), through the end of the last series.
    x_last, y_last = list(series.values())[-1][-1]
    x_first = 10**x_low if per_one else max(10**x_low, x_last * 10.0**y_low / y_last)
    y_first = y_last if per_one else y_last * x_first / x_last
    out.append(line("ink", [at(x_first, y_first), at(x_last, y_last)], 1, "2 4"))
    for number, (name, some) in enumerate(series.items()):
        places = [at(*point) for point in some]
        out.append(line(f"s{number}", places, 2))
        out += [
            f'<path class="s{number}" d="M{x:.1f} {y:.1f}h.1" stroke-width="5" stroke-linecap="round"/>'
            for x, y in places
        ]
        out.append(text(left - 40, top - 10 - 12 * (len(series) - 1 - number), SERIES[curve, name], kind=f"s{number}"))
    return "\n".join(out)


def plot(curves: dict[str, dict[str, Points]]) -> str:
    known = [curve for curve in CURVES if curve in curves]
    width, height = COLUMNS * PANEL_W, math.ceil(len(known) / COLUMNS) * PANEL_H
    panels = [
        panel(curve, curves[curve], number % COLUMNS * PANEL_W, number // COLUMNS * PANEL_H)
        for number, curve in enumerate(known)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head += ' font-family="system-ui, sans-serif">'
    return "\n".join([head, f"<style>{style()}</style>", *panels, "</svg>", ""])


def fill(page: str, name: str, new: str) -> str:
    """Replaces what stands between the marks of this name in the document."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    page, found = marks.subn(lambda marks: f"{marks[1]}{new}\n{marks[2]}", page)
    if found != 1:
        sys.exit(f"docs/cost.md has {found} places for {name}; it needs one")
    return page


def main() -> int:
    figures, machines = read()
    starts = {series: dict(points) for series, points in figures.pop("envoy_start", {}).items()}
    idle = figures.pop("idle", {})
    # One panel shows memory, whichever process holds it.
    figures.setdefault("memory", {}).update(figures.pop("envoy_memory", {}))
    curves = {curve: {name: numbers(points) for name, points in some.items()} for curve, some in figures.items()}

    growth, too_fast = ["| curve | of | power, all of it | power, the end |", "|---|---|---:|---:|"], []
    for curve, (title, *_, per_one) in CURVES.items():
        for name, points in curves.get(curve, {}).items():
            if (curve, name) in NOT_JUDGED:
                continue
            all_of_it, end = powers(beyond(points, JUDGED_BEYOND.get((curve, name))), per_one)
            growth.append(f"| {title} | {SERIES[curve, name]} | {all_of_it:.2f} | {end:.2f} |")
            if max(all_of_it, end) > POWER_MAX:
                too_fast.append(f"{title}, {SERIES[curve, name]}: power {all_of_it:.2f}, at the end {end:.2f}")

    document = ROOT / "docs/cost.md"
    page = document.read_text()
    for curve in CURVES:
        if curve in curves:
            page = fill(page, curve, table(curve, curves[curve]))
    page = fill(page, "growth", "\n".join(growth))
    if starts:
        rows = ["| | CPU until ready, ms | resident, MB |", "|---|---:|---:|"]
        for series, name in (("none", "Envoy alone"), ("ours", "with the filter")):
            rows.append(f"| {name} | {starts[series]['cpu_ms']:.0f} | {starts[series]['resident_mb']:.0f} |")
        page = fill(page, "start", "\n".join(rows))
    if idle:
        page = fill(
            page, "idle", f"The module's memory is {idle['module'][0][1]:.1f} MB with one rollout and no stream."
        )
    if (FIGURES / "envoy.md").exists():
        table_of_bench = (FIGURES / "envoy.md").read_text().partition("\n")[2].strip()
        # `none` has no ratio to itself.
        page = fill(page, "envoy", re.sub(r"\*\*nan\*\* \S+ \| \+nan \S+ \|", "1 | |", table_of_bench))
    page = fill(page, "machines", "\n".join(f"* {machine}" for machine in machines))
    document.write_text(page)
    (ROOT / "docs/cost.svg").write_text(plot(curves))

    print("\n".join(growth))
    for line in too_fast:
        print(f"SUPER-LINEAR: {line}; at most {POWER_MAX}", file=sys.stderr)
    return int(bool(too_fast))


if __name__ == "__main__":
    sys.exit(main())
