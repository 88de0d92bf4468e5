"""Stops of a version in Envoys that ask `llm-canary xds`. tests/discovery.sh says what is measured."""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pylib.http1 import request
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.discovery import REFRESH_S, Xds, asks
from tests.harness.envoy import Envoy, discovered_filter
from tests.harness.hosts import NATIVE, WASM
from tests.harness.ramp import Ramp, now_ms
from tests.harness.traffic import Traffic
from tests.harness.upstream import ModelServer

RUNS, CLIENTS, LOAD_S = 20, 4, 0.5
# Requests are watched for so long after a command. An Envoy that is told late shows within it.
AFTER_S = 2.2
PROMISED_S = 2.0
PER_SECOND_MIN = 50
HOUR_MS = 3_600_000
NAMES = ("edge-0", "edge-1", "edge-2")


@dataclass
class Figures:
    """Of all runs, in seconds."""

    from_start_s: list[float] = field(default_factory=list)
    from_end_s: list[float] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    requests: int = 0
    wrong: list[str] = field(default_factory=list)


def half() -> Json:
    return config(rollout(steps=Ramp([(now_ms() - HOUR_MS, 50)]).json()))


async def command(tool: Path, *arguments: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(
        tool, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


class Measuring:
    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.host = NATIVE if args.host == "native" else WASM
        self.figures = Figures()

    async def run(self) -> Figures:
        self.servers = {name: await ModelServer(name, {}).start() for name in ("v1", "v2")}
        self.writer = Envoy(Path("none"), self.folder / "writer", half(), {}, host=self.host)
        self.xds = await asyncio.to_thread(Xds(self.args.tool, self.folder, [self.writer.file]).start)
        oldest = self.args.native_oldest if self.host is NATIVE else self.args.oldest
        binaries = [oldest, self.args.envoy, self.args.envoy]
        ports = {f"llm-{name}": server.port for name, server in self.servers.items()}
        envoys = [
            Envoy(binary, self.folder / name, half(), ports, edit=self._edit(name), host=self.host)
            for name, binary in zip(NAMES, binaries, strict=True)
        ]
        try:
            await asyncio.gather(*(asyncio.to_thread(envoy.start) for envoy in envoys))
            for number in range(self.args.runs):
                await self._stop(envoys, waits=False)
                last = self.figures.from_end_s[-1]
                if number % 5 == 0:
                    await self._stop(envoys, waits=True)
                print(f"run {number + 1}: {last:.2f} s from the command's end", flush=True)
        finally:
            await asyncio.gather(*(asyncio.to_thread(envoy.stop) for envoy in envoys))
            self.xds.kill()
            for server in self.servers.values():
                await server.stop()
        return self.figures

    def _edit(self, name: str) -> Callable[[Json], None]:
        ask = asks(self.xds, name, self.host)

        def edit(bootstrap: Json) -> None:
            ask(bootstrap)
            source = discovered_filter(bootstrap)["config_discovery"]["config_source"]["api_config_source"]
            source["refresh_delay"] = f"{self.args.refresh}s"

        return edit

    async def _begins(self) -> None:
        resource = yaml.safe_load(self.writer.file.read_text())["resources"][0]["name"]
        before = self.xds.versions()[resource]
        self.writer.push(half())
        # The times in it differ from those before.
        await self.xds.reaches(lambda: self.xds.versions()[resource] != before, "the file to be served")
        await self.xds.all_run_it(NAMES)

    async def _stop(self, envoys: Sequence[Envoy], waits: bool) -> None:
        await self._begins()
        raws = [request(headers=[(b"x-conversation-id", b"k%d" % at)]) for at in range(100)]
        canary = self.servers["v2"].received
        canary.clear()
        waiting = ["--xds", self.xds.address] if waits else []
        async with AsyncExitStack() as stack:
            traffic = [await stack.enter_async_context(Traffic(envoy.port, raws, CLIENTS)) for envoy in envoys]
            await asyncio.gather(*(one.reaches(CLIENTS) for one in traffic))
            await asyncio.sleep(LOAD_S)
            begun_at = time.monotonic()
            await command(self.args.tool, "stop", self.writer.file, "v2", *waiting)
            ended_at = time.monotonic()
            await asyncio.sleep(1.0 if waits else AFTER_S)
        exchanges = [exchange for one in traffic for exchange in one.exchanges]
        self.figures.requests += len(exchanges)
        failed = sum(exchange.status != 200 or not exchange.complete for exchange in exchanges)
        if failed:
            self.figures.wrong.append(f"{failed} requests failed")
        if sum(received.at <= begun_at for received in canary) / LOAD_S < PER_SECOND_MIN:
            self.figures.wrong.append("there was no load")
        last_at = max((received.at for received in canary), default=begun_at)
        if waits:
            self.figures.waited_s.append(ended_at - begun_at)
            if last_at > ended_at:
                self.figures.wrong.append(f"a request reached v2 {last_at - ended_at:.2f} s after the waiting command")
            return
        self.figures.from_start_s.append(last_at - begun_at)
        self.figures.from_end_s.append(max(last_at - ended_at, 0.0))


def percentile(values: Sequence[float], percent: float) -> float:
    """Of few values the 99th is the largest."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


def line(what: str, values: Sequence[float]) -> str:
    parts = (f"p50 {percentile(values, 50):.2f}", f"p99 {percentile(values, 99):.2f}", f"most {max(values):.2f}")
    return f"{what}: {', '.join(parts)} s ({len(values)} runs)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/discovery.sh")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--host", choices=["wasm", "native"], default="wasm")
    parser.add_argument("--refresh", type=float, default=REFRESH_S)
    for name in ("--tool", "--oldest", "--native-oldest", "--envoy"):
        parser.add_argument(name, required=True, type=lambda path: Path(path).absolute(), help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llm-canary-discovery-"))
    figures = asyncio.run(Measuring(args, folder).run())
    print(f"{args.host}, refresh_delay {args.refresh} s, three Envoys, {figures.requests} requests")
    print(line("from the command's start to the last request on v2", figures.from_start_s))
    print(line("from the command's end to the last request on v2", figures.from_end_s))
    print(line("the command that waits (--xds) takes", figures.waited_s))
    slow = percentile(figures.from_end_s, 99)
    if slow > PROMISED_S:
        figures.wrong.append(f"p99 is {slow:.2f} s, and may be {PROMISED_S:.0f} s")
    for words in figures.wrong:
        print(f"WRONG: {words}")
    if figures.wrong:
        print(f"failed; what the Envoys read and wrote is in {folder}")
        return 1
    shutil.rmtree(folder)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
