#!/usr/bin/env python3
"""Usage: against.py BENCH [OPTION...] NAME=MODULE... [VARIANT...]; --help names the options

What modules of the filter cost in real Envoy, against the first of them: Markdown tables on stdout.

A MODULE is a .wasm or, for the native host, a .so. BENCH is the folder of the Envoy bench, whose native tools must be
built; ENVOY names the Envoy to run. A VARIANT is one that the bench knows itself, such as wasm-touch.

Each filter is eight times in its chain, so that the noise of what one of them costs is an eighth. The first module is
measured twice, as itself and as NAME-again: the figures of that one are what the method says where there is no
difference. Each slice is compared with the slices of Envoy alone right before and after it. Figures are compared within
a generation, which starts every Envoy anew, because a process keeps a bias of its own. Intervals hold 90 %.
"""

import argparse
import contextlib
import importlib
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

TIMES = 8  # in the chain
WORKLOADS = {"w1": "request", "w1a": "request", "w2l": "event", "w3l": "event"}
# As w1, with the request of an agent.
AGENT = ("?request=agent", "--conns 16", 1000)
AGENT_TOOLS = 20
AGENT_BYTES = 64 * 1024
NONE = "none"

# workload: variant: one figure a generation
Figures = dict[str, dict[str, list[float]]]


def extend(envoy_config: Any, modules: dict[str, Path]) -> None:
    """Has the bench know the modules by their names."""
    known = envoy_config.variant

    def variant(name: str) -> Any:
        if name not in modules:
            return known(name)
        if modules[name].suffix == ".so":
            os.environ["OURS_SO"] = str(modules[name])
            return envoy_config.BY_HEADER, [envoy_config.ours_native()]
        os.environ["AGAINST_WASM"] = str(modules[name])
        return envoy_config.BY_HEADER, [envoy_config.ours("AGAINST_WASM", name)]

    envoy_config.variant = variant


def agent_request() -> bytes:
    """A chat request of [AGENT_BYTES] that offers [AGENT_TOOLS] tools, as agents send it."""
    properties = {
        f"argument_{at}": {"type": "string", "description": "What the tool is to look at, as a path or a pattern."}
        for at in range(10)
    }
    parameters = {"type": "object", "properties": properties, "required": ["argument_0"]}
    tools = [
        {
            "type": "function",
            "function": {"name": f"tool_{at}", "description": "Does a thing.", "parameters": parameters},
        }
        for at in range(AGENT_TOOLS)
    ]
    system = {"role": "system", "content": "You are an agent. "}
    question = {"role": "user", "content": "Why does the test fail?"}
    body = {"model": "m", "messages": [system, question], "tools": tools, "temperature": 0.2}
    system["content"] += "Read before you write.\n" * ((AGENT_BYTES - len(json.dumps(body))) // 24)
    return json.dumps(body).encode()


def starts(bench: Any, names: list[str], times: int) -> dict[str, list[float]]:
    """CPU ms until an Envoy with one filter is ready, so often, all in turn."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(times):
        for name, some in found.items():
            with bench.Envoy(name, 0) as envoy:
                some.append(1e3 * envoy.cpu()[0])
    return found


def figures(rows: list[dict[str, Any]]) -> tuple[Figures, Figures]:
    """What Envoy alone costs beside each variant, and what one filter adds: means over a generation, in microseconds of
    CPU."""
    alone: Figures = {}
    added: Figures = {}
    for workload in {row["workload"] for row in rows}:
        per_generation: dict[int, dict[str, list[float]]] = {}
        for slices in rounds(rows, workload):
            cost = [1e6 * slice["envoy_cpu_s"] / (slice["events"] or slice["requests"]) for slice in slices]
            names = [slice["variant"] for slice in slices]
            costs = per_generation.setdefault(slices[0]["generation"], {})
            for at, name in enumerate(names):
                if name == NONE:
                    costs.setdefault(NONE, []).append(cost[at])
                    continue
                before = max(i for i in range(at) if names[i] == NONE)
                after = min(i for i in range(at, len(names)) if names[i] == NONE)
                filters = (cost[at] - (cost[before] + cost[after]) / 2) / TIMES
                costs.setdefault(name.partition("*")[0], []).append(filters)
        for costs in per_generation.values():
            for name, some in costs.items():
                into = alone if name == NONE else added
                into.setdefault(workload, {}).setdefault(name, []).append(statistics.mean(some))
    return alone, added


def rounds(rows: list[dict[str, Any]], workload: str) -> list[list[dict[str, Any]]]:
    """The slices of each round, in the order in which they ran."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        if row["workload"] == workload:
            found.setdefault((row["generation"], row["round"]), []).append(row)
    return [sorted(slices, key=lambda slice: slice["pos"]) for slices in found.values()]


def print_tables(bench: Any, alone: Figures, added: Figures, started: dict[str, list[float]], first: str) -> None:
    def interval(values: list[float], form: str) -> str:
        middle, low, high = bench.median_ci(values)
        return f"{middle:{form}} ({low:{form}}..{high:{form}})"

    for workload, unit in WORKLOADS.items():
        if workload not in alone:
            continue
        none = alone[workload][NONE]
        print(f"### {workload}: Envoy alone {statistics.median(none):.2f} µs of CPU per {unit}\n")
        print(f"| filter | adds, µs | to Envoy alone | with Envoy, to {first} with Envoy | adds, to {first} |")
        print("|---|---:|---:|---:|---:|")
        reference = added[workload][first]
        for name, some in added[workload].items():
            to_none = [(n + a) / n for n, a in zip(none, some, strict=True)]
            cost = [(n + a) / (n + r) for n, a, r in zip(none, some, reference, strict=True)]
            adds = [a / r for a, r in zip(some, reference, strict=True)]
            cells = [interval(some, ".2f"), interval(to_none, ".3f"), interval(cost, ".3f"), interval(adds, ".2f")]
            print(f"| {name} | {' | '.join(cells)} |")
        print()
    print("### Start: CPU until ready, ms\n")
    print(f"| filter | least | median | more than {first} |\n|---|---:|---:|---:|")
    for name, some in started.items():
        difference = [a - r for a, r in zip(some, started[first], strict=True)]
        print(f"| {name} | {min(some):.0f} | {statistics.median(some):.0f} | {interval(difference, '+.1f')} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--scale", type=float, default=0.5, help="of the requests in the bench's own slices")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="those that are to run")
    parser.add_argument("variants", nargs="+")
    given = parser.parse_args()
    modules = {name: Path(path).resolve() for name, sep, path in (v.partition("=") for v in given.variants) if sep}
    if not modules:
        parser.error("no NAME=MODULE.wasm to compare with")
    first = next(iter(modules))
    again = f"{first}-again"
    names = [variant.partition("=")[0] for variant in given.variants]
    modules[again] = modules[first]

    sys.path.insert(0, given.bench)
    bench = importlib.import_module("bench")
    extend(importlib.import_module("envoy_config"), modules)
    (bench.BUILD / "run").mkdir(parents=True, exist_ok=True)
    bench.WORKLOADS["w1a"] = AGENT
    request = bench.BUILD / "run/agent.json"
    request.write_bytes(agent_request())
    os.environ["AGENT_REQUEST"] = str(request)
    started = starts(bench, [NONE, *names, again], given.starts)
    out = bench.HERE / "results/against.jsonl"
    out.unlink(missing_ok=True)
    run = argparse.Namespace(
        variants=",".join(f"{name}*{TIMES}" for name in [*names, again]),
        workloads=given.workloads,
        rounds=given.rounds,
        generations=given.generations,
        scale=given.scale,
        block=3,
        out=out,
    )
    with contextlib.redirect_stdout(sys.stderr):  # tables of chains, which say little of a filter
        bench.run(run)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    alone, added = figures(rows)
    print_tables(bench, alone, added, started, first)
    return 0


if __name__ == "__main__":
    sys.exit(main())
