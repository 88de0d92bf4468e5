"""Versions that are the same, watched. tests/identical.sh says how."""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from pylib.client import Client
from tests.harness import REPOSITORY, Json
from tests.harness.behaviour import Behaving, Behaviour, ask
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.prometheus import Prometheus
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.upstream import ModelServer, Received

MINUTES, RATE, PERCENT = 20.0, 25.0, 25.0
EVERY_S = 5
TOLD_EVERY_S = 60
TURNS_MAX = 5
BEGAN_MS = 3_600_000
STOP_S_MAX = 30
NAME = "same"
# No margin is ever excluded, so that the watch does not end before its time.
POLICY = "margins: [{ratio: 1.001, points: 0.001, mean: 1.001}]\n"
REGRESSION = 1


class Forgetful(list[Received]):
    def append(self, _: object) -> None:
        pass


def requests(dice: random.Random) -> Iterator[bytes]:
    for number in range(sys.maxsize):
        yield from (ask(NAME, number, turn) for turn in range(1, dice.randint(1, TURNS_MAX) + 1))


class Traffic:
    """Requests at random times. One that is not answered, as on a machine that stood still, is only counted."""

    def __init__(self, port: int, rate: float, dice: random.Random) -> None:
        self._client, self._rate, self._dice = Client(port), rate, dice
        self.sent = self.unanswered = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for raw in requests(self._dice):
                group.create_task(self._send(raw))
                await asyncio.sleep(self._dice.expovariate(self._rate))

    async def _send(self, raw: bytes) -> None:
        self.sent += 1
        try:
            await self._client.send(raw)
        except (TimeoutError, OSError):
            self.unanswered += 1


def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


def found(analysis: Json) -> str:
    guards = [signal for signal in analysis["signals"] if signal["mode"] == "guard"]
    evidence = ", ".join(f"{signal['name']} {signal['log_e']:.2f}" for signal in guards)
    [version, baseline] = [analysis["requests"][side] for side in ("version", "baseline")]
    looks = f"{analysis['windows']} looks, {analysis['missing_windows']} of them without samples"
    return f"{analysis['verdict']}; {looks}; {version} requests against {baseline}; ln E: {evidence}"


async def watch(args: argparse.Namespace, folder: Path, stack: ExitStack) -> list[str]:
    servers = [await ModelServer(name, Behaving(name, {NAME: Behaviour()})).start() for name in ("v1", "v2")]
    for server in servers:
        server.received = Forgetful()
    steps = [{"at": rfc3339(now_ms() - BEGAN_MS), "percent": {"v2": args.percent}}]
    configuration = config(rollout(name=NAME, refusal_phrases=True, steps=steps))
    file, policy = folder / "config.json", folder / "policy.yaml"
    file.write_text(json.dumps(configuration))
    policy.write_text(POLICY)
    ports = {"llm-v1": servers[0].port, "llm-v2": servers[1].port}
    envoy = Envoy(args.envoy, folder / "envoy", configuration, ports)
    stack.callback(envoy.stop)
    await asyncio.to_thread(envoy.start)
    traffic = Traffic(envoy.port, args.rate, random.Random(1))
    sending = asyncio.create_task(traffic.run())
    await envoy.settled(lambda seen: seen.sum("llm_requests_total", llm_version="v2"))
    prometheus = Prometheus(args.prometheus, folder / "prometheus")
    stack.callback(prometheus.stop)
    await asyncio.to_thread(prometheus.start, {"envoy": envoy.admin_address.removeprefix("http://")}, EVERY_S)

    analyze = [args.tool, "analyze", file, "--policy", policy, "--json"]
    polled = ["--admin", envoy.admin_address, "--every", f"{EVERY_S}s", "--for", f"{args.minutes}m"]
    polls = await asyncio.create_subprocess_exec(*analyze, *polled, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stack.callback(end, polls)
    scraped = ["--prometheus", prometheus.address, "--window", f"{EVERY_S}s"]
    wrong: list[str] = []
    ended_at = time.monotonic() + 60 * args.minutes
    while time.monotonic() < ended_at and polls.returncode is None and not sending.done():
        await asyncio.sleep(min(TOLD_EVERY_S, max(0, ended_at - time.monotonic())))
        look = await asyncio.create_subprocess_exec(*analyze, *scraped, stdout=subprocess.PIPE)
        said, _ = await look.communicate()
        print(f"Prometheus: {found(json.loads(said))}", flush=True)
        if look.returncode == REGRESSION:
            wrong.append("Prometheus shows a regression")
            break
    said, _ = await asyncio.wait_for(polls.communicate(), STOP_S_MAX)
    print(f"polls: {found(json.loads(said))}")
    if polls.returncode == REGRESSION:
        wrong.append("the polls show a regression")
    sending.cancel()
    outcome = await asyncio.gather(sending, return_exceptions=True)
    if not isinstance(outcome[0], asyncio.CancelledError):
        wrong.append(f"the traffic stopped: {outcome[0]!r}")
    print(f"{traffic.sent} requests, {traffic.unanswered} of them not answered")
    for server in servers:
        await server.stop()
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/identical.sh")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    parser.add_argument("--percent", type=float, default=PERCENT, help="the version's share")
    parser.add_argument("--envoy", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prometheus", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tool", default=REPOSITORY / "target" / "debug" / "llm-canary", help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llm-canary-identical-"))
    with ExitStack() as stack:
        wrong = asyncio.run(watch(args, folder, stack))
    for line in wrong:
        print(f"WRONG: {line}")
    if wrong:
        print(f"failed; what the programs read and wrote is in {folder}")
        return 1
    shutil.rmtree(folder)
    print("passed: no difference was found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
