"""The time to the first byte. tests/first_byte.sh says how it is measured.

It uses a blocking socket instead of pylib's client, because what a client does between the two moments is measured,
too.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pylib.http1 import request
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, without_filter
from tests.harness.hosts import NATIVE, WASM
from tests.harness.upstream import ModelServer, Received

STARTS, REQUESTS, WARM_UP = 20, 2_000, 500
PERCENTILES = (50, 90, 99)
DRAWS = 2_000  # of the bootstrap
ANSWER_BYTES_MAX = 1 << 16
# Of one start: what the requests through each Envoy took.
Took = dict[str, list[float]]
HOSTS = {"native": NATIVE, "WebAssembly": WASM}
WITHOUT: dict[str, dict[str, Any]] = {"without": {"edit": without_filter}, "without, again": {"edit": without_filter}}


class Forgetful(list[Received]):
    def append(self, _: object) -> None:
        pass


def beside(stack: ExitStack, run: Callable[..., None], *args: Any) -> None:
    """Runs a function in a process of its own."""
    process = multiprocessing.Process(target=run, args=args, daemon=True)
    process.start()
    stack.callback(process.terminate)


def served(stack: ExitStack) -> dict[str, int]:
    """The ports of the model servers. Client and servers do not wait for each other's Python."""
    ours, theirs = multiprocessing.Pipe()
    beside(stack, serve, theirs)
    return dict(zip(("llm-v1", "llm-v2"), ours.recv(), strict=True))


def serve(ports: Connection) -> None:
    async def forever() -> None:
        servers = [await ModelServer(version, {}).start() for version in ("v1", "v2")]
        for server in servers:
            server.received = Forgetful()
        ports.send([server.port for server in servers])
        await asyncio.Event().wait()

    asyncio.run(forever())


class Timed:
    """One connection, which is kept alive."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def first_byte_us(self, raw: bytes) -> float:
        began = time.perf_counter_ns()
        self._socket.sendall(raw)
        answer = self._socket.recv(ANSWER_BYTES_MAX)
        took_us = (time.perf_counter_ns() - began) / 1000
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        while not answer.endswith(b"}}"):
            answer += self._socket.recv(ANSWER_BYTES_MAX)
        return took_us


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def interval(values: list[float], dice: random.Random) -> tuple[float, float]:
    """Of the mean over starts: the interval of 95 %, by a bootstrap."""
    means = sorted(mean(dice.choices(values, k=len(values))) for _ in range(DRAWS))
    return means[DRAWS * 25 // 1000], means[DRAWS * 975 // 1000]


def keep_on(processor: int, pid: int) -> None:
    """Keeps all threads of a process on one processor."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {processor})


def spin(processor: int) -> None:
    """Keeps a processor awake, and gives way to whatever else wants it."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {processor})
    while True:
        pass


def started(name: str, binary: Path, ports: dict[str, int], dice: random.Random, stack: ExitStack) -> dict[str, Envoy]:
    """An Envoy with the filter in a host, and two without. The other host is not beside it: what that leaves of the
    caches would count more against a filter than against none.
    """
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    variants = {name: {"host": HOSTS[name]}} | WITHOUT
    envoys = {}
    for variant in dice.sample(list(variants), len(variants)):
        configuration = config(rollout(split={"v2": 50}))
        envoys[variant] = Envoy(binary, folder / variant, configuration, ports, concurrency=1, **variants[variant])
        stack.callback(envoys[variant].stop)
        envoys[variant].start()
    return {variant: envoys[variant] for variant in variants}


def measure(envoys: dict[str, Envoy], requests: int, dice: random.Random) -> Took:
    # The client names cluster and version, too: without the filter each Envoy chooses the route by that header, and the
    # model servers, which are Python, read the same head.
    raw = request(headers=[(b"x-conversation-id", b"c1"), (b"x-llm-cluster", b"llm-v1"), (b"x-llm-version", b"v1")])
    clients = {name: Timed(envoy.port) for name, envoy in envoys.items()}
    took_us: Took = {name: [] for name in clients}
    names = list(clients)
    for at in range(WARM_UP + requests):
        # What an Envoy leaves of the caches must not always meet the same one.
        dice.shuffle(names)
        for name in names:
            us = clients[name].first_byte_us(raw)
            if at >= WARM_UP:
                took_us[name].append(us)
    return took_us


def show(starts: list[Took]) -> None:
    dice = random.Random(1)
    print(f"{'':16}" + "".join(f"{f'p{percent} us':>24}" for percent in PERCENTILES))
    for name in starts[0]:
        cells = []
        for percent in PERCENTILES:
            values = [percentile(took_us[name], percent) for took_us in starts]
            cell = f"{mean(values):.0f}"
            if name != "without":
                without = [percentile(took_us["without"], percent) for took_us in starts]
                more = [value - other for value, other in zip(values, without, strict=True)]
                low, high = interval(more, dice)
                cell += f" {mean(more):+.0f} ({low:+.0f} to {high:+.0f})"
            cells.append(f"{cell:>24}")
        print(f"{name:16}" + "".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests/first_byte.sh")
    parser.add_argument("--starts", type=int, default=STARTS, help="of each Envoy")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="through each Envoy, after each start")
    parser.add_argument("--pinned", action="store_true", help="keep all Envoys on one processor, and processors awake")
    parser.add_argument("--envoy", required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    own, *others = sorted(os.sched_getaffinity(0))
    theirs = others[0] if others else own
    dice = random.Random(1)
    with ExitStack() as stack:
        if args.pinned:
            os.sched_setaffinity(0, {own})  # and so the model servers
            for processor in (own, theirs):
                beside(stack, spin, processor)
        ports = served(stack)
        for name in HOSTS:
            starts = []
            for at in range(args.starts):
                print(f"{name}: start {at + 1} of {args.starts}", file=sys.stderr, flush=True)
                with ExitStack() as running:
                    envoys = started(name, args.envoy, ports, dice, running)
                    for envoy in envoys.values() if args.pinned else ():
                        keep_on(theirs, envoy.pid)
                    starts.append(measure(envoys, args.requests, dice))
            show(starts)


if __name__ == "__main__":
    main()
