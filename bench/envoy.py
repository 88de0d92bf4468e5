#!/usr/bin/env python3
"""What the filter costs in real Envoy, by the Envoy bench in the folder BENCH, whose native tools must be built.

ENVOY=path OURS_WASM=path bench/envoy.py BENCH run ARGUMENT..    as BENCH/bench.py, with one variant more:
                                    `ours-unmatched`, the filter where no request matches a rollout
ENVOY=path OURS_WASM=path bench/envoy.py BENCH growth            as streams open at once grow, and at start: a
                                    line a point, as bench/cost.py reads them
"""

import contextlib
import functools
import importlib
import json
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

STREAMS = (10, 100, 500, 1000, 2000)
EVENTS_A_STREAM = 50
STREAMS_A_SLICE_MIN = 500
SLICES = 9
STARTS = 5
UNMATCHED = {
    "rollouts": [
        {
            "name": "bench",
            "match": {"path_prefix": "/no/request/has/this/"},
            "key": [{"header": "x-conversation-id"}],
            "baseline": "stable",
            "versions": [{"name": "stable", "cluster": "stable"}, {"name": "canary", "cluster": "canary"}],
            "split": {"canary": 10},
        }
    ]
}


def unmatched(ec: ModuleType) -> tuple[Any, list[Any]]:
    """Envoy routes these requests as those of `none`, because the filter chooses no version."""
    before = os.environ.get("OURS_CONFIG")
    os.environ["OURS_CONFIG"] = json.dumps(UNMATCHED)
    try:
        return ec.ONE, [ec.ours()]
    finally:
        del os.environ["OURS_CONFIG"]
        if before is not None:
            os.environ["OURS_CONFIG"] = before


def extend(ec: Any) -> None:
    known, cluster = ec.variant, ec.cluster
    ec.variant = lambda name: unmatched(ec) if name == "ours-unmatched" else known(name)
    # Envoy's own limit is 1024 requests at once.
    many = {"thresholds": [{"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}]}
    ec.cluster = functools.partial(cluster, circuit_breakers=many)


@contextlib.contextmanager
def most_mb(bench: ModuleType, pid: int) -> Iterator[list[float]]:
    """Yields a list of one number: the most memory that the process has held since."""
    most, done = [bench.rss_mb(pid)], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], bench.rss_mb(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def crowds(bench: ModuleType) -> None:
    """Prints CPU time per event and memory, with so many streams open at once, each in lockstep.

    Whatever else runs on the machine only adds time, now to one variant and now to the other. So the least of each is
    compared.
    """
    with contextlib.ExitStack() as stack:
        gen = stack.enter_context(bench.Loadgen())
        envoys = bench.start(stack, ["none", "ours"])
        if len(envoys) != 2:
            sys.exit(1)
        for count in STREAMS:
            bench.WORKLOADS["crowd"] = (
                f"?events={EVENTS_A_STREAM}&per_write=1",
                f"--conns {count} --lockstep 1",
                max(count, STREAMS_A_SLICE_MIN),
            )
            us: dict[str, list[float]] = {}
            mb = {}
            for turn in range(SLICES + 1):
                for envoy in envoys:
                    with most_mb(bench, envoy.pid) as most:
                        result = envoy.slice(gen, "crowd", 1.0)
                    if turn > 0:  # the first opens the connections
                        us.setdefault(envoy.name, []).append(1e6 * result["envoy_cpu_s"] / result["events"])
                    mb[envoy.name] = most[0]
            for name in us:
                point("envoy_streams", name, count, min(us[name]))
                point("envoy_memory", name, count, mb[name])
            point("envoy_streams", "added", count, min(us["ours"]) - min(us["none"]))


def starts(bench: ModuleType) -> None:
    """Prints the CPU time until an Envoy is ready, the least of some starts, and what it holds then."""
    for name in ("none", "ours"):
        ms, mb = [], []
        for _ in range(STARTS):
            with bench.Envoy(name, 0) as envoy:
                ms.append(1e3 * envoy.cpu()[0])
                mb.append(bench.rss_mb(envoy.pid))
        point("envoy_start", name, "cpu_ms", min(ms))
        point("envoy_start", name, "resident_mb", statistics.median(mb))


def point(curve: str, series: str, x: object, y: float) -> None:
    print(f"{curve}\t{series}\t{x}\t{y:.4g}", flush=True)


def main() -> Any:
    if len(sys.argv) < 3 or sys.argv[2] not in ("run", "growth"):
        sys.exit(__doc__)
    sys.path.insert(0, sys.argv[1])
    # Modules of the folder BENCH.
    bench: Any = importlib.import_module("bench")
    extend(importlib.import_module("envoy_config"))
    if sys.argv[2] == "run":
        del sys.argv[1]
        return bench.main()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (bench.BUILD / "run").mkdir(parents=True, exist_ok=True)
    began = time.time()
    starts(bench)
    crowds(bench)
    print(f"Envoy: {time.time() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
