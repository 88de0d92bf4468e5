"""The soak. tests/soak.sh says what it does."""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import yaml

from pylib.prometheus import Snapshot
from tests.harness import REPOSITORY, Json, corpus
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, EnvoyError, http_manager
from tests.harness.hosts import HOSTS, configuration_of
from tests.harness.memory import resident_bytes, vm_bytes
from tests.harness.ramp import Ramp, now_ms, rfc3339
from tests.harness.upstream import ModelServer
from tests.soak.clients import ROLLOUT, Clients
from tests.soak.recordings import Recordings
from tests.soak.sums import Sums, counted, differences, shard_differences

MINUTES, CLIENTS, CONCURRENCY = 30, 32, 2
RECORDINGS = 400
SHORT_MINUTES, SHORT_RECORDINGS = 2, 80
SEED = 1
MIB = 1 << 20

SAMPLE_S = 2.0
CHANGES_MAX = 200  # a configuration may have 256 steps
CHANGE_S_MIN = 3.0
HELD_MS = 3_600_000  # the first step was that long ago

# Memory is judged only after Envoy has warmed up, by the line that fits the samples of the last half best.
JUDGED_FROM_MINUTES = 10
RESIDENT_GROWTH_BYTES_MAX = 2 * MIB
VM_GROWTH_BYTES_MAX = 1 << 16


def configuration(begin_ms: int) -> Json:
    return config(
        rollout(
            name=ROLLOUT,
            match={"path_prefix": "/v1/"},
            key=[
                {"header": "x-conversation-id"},
                {"body": "/metadata/conversation_id"},
                {"header": "x-user-id", "kind": "user"},
            ],
            steps=[{"at": rfc3339(begin_ms - HELD_MS), "percent": {"v2": 30}}],
            overrides=[{"header": "x-llm-cohort", "values": ["staff"], "version": "v2"}],
            pin={"cookie": "llm_pin", "max_age_s": 3600},
            feedback={
                "path": "/v1/feedback",
                "rating": "/rating",
                "up": ["up"],
                "down": ["down"],
                "escalation": ["escalation"],
                "respond": True,
            },
            refusal_phrases=True,
        )
    )


class Operator:
    """Makes changes in turn: a ramp; another setting of a pin; and a configuration that is refused, followed by the
    good one.
    """

    def __init__(self, tool: Path, envoy: Envoy, ramp: Ramp, clients: Clients, dice: random.Random) -> None:
        self._tool, self._envoy, self._ramp, self._clients, self._dice = tool, envoy, ramp, clients, dice
        self._file = envoy.file
        self.ramps = self.reloads = self.refused = 0

    async def run(self, every_s: float) -> None:
        while not self._clients.stopping:
            for change in (self._step, self._reload, self._refuse):
                await asyncio.sleep(every_s)
                if self._clients.stopping:
                    return
                await change()

    async def _step(self) -> None:
        percent = self._dice.randrange(0, 101)
        command: list[str | Path] = [
            self._tool,
            "ramp",
            self._file,
            "v2",
            str(percent),
            "--admin",
            self._envoy.admin_address,
        ]
        done = await asyncio.to_thread(lambda: subprocess.run(command, capture_output=True, text=True))
        if done.returncode != 0:
            self._clients.fail(f"`llm-canary ramp` failed: {done.stderr}")
        self._ramp.steps[:] = steps(self._file)
        self.ramps += 1

    async def _reload(self) -> None:
        configuration = read(self._file)
        configuration["rollouts"][0]["pin"]["max_age_s"] += 1
        await self._push(configuration, "config_reload")
        self.reloads += 1

    async def _refuse(self) -> None:
        good, bad = read(self._file), read(self._file)
        bad["rollouts"][0]["baseline"] = "nobody"
        await self._push(bad, "update_rejected")
        # Envoy still runs the good one, and the tool must find that one in the file.
        await asyncio.to_thread(self._envoy.push, good)
        self.refused += 1

    async def _push(self, configuration: Json, counter: str) -> None:
        before = await asyncio.to_thread(self._envoy.discovery, counter)
        await asyncio.to_thread(self._envoy.push, configuration)
        await self._envoy.until(lambda: self._envoy.discovery(counter) > before, counter)


def read(file: Path) -> Json:
    """The configuration that the file holds."""
    return json.loads(configuration_of(yaml.safe_load(file.read_text())["resources"][0])["value"])


def steps(file: Path) -> list[tuple[int, float]]:
    """(moment, percent) of each step."""
    found = read(file)["rollouts"][0]["steps"]
    return [(round(datetime.fromisoformat(s["at"]).timestamp() * 1000), s["percent"].get("v2", 0)) for s in found]


class Memory:
    """Samples of what Envoy holds, and how it grew."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int, int]] = []  # (seconds, resident bytes, the largest VM's bytes)

    def sample(self, seconds: float, pid: int) -> None:
        self.samples.append((seconds, resident_bytes(pid), max(vm_bytes(pid), default=0)))

    def growth_bytes(self, column: int) -> float:
        """The growth over the last half, by the line that fits best."""
        half = [s for s in self.samples if s[0] >= self.samples[-1][0] / 2]
        if len(half) < 2:
            return 0.0
        mean_x = sum(s[0] for s in half) / len(half)
        mean_y = sum(s[column] for s in half) / len(half)
        slope = sum((s[0] - mean_x) * (s[column] - mean_y) for s in half) / sum((s[0] - mean_x) ** 2 for s in half)
        return slope * (half[-1][0] - half[0][0])


async def soak(args: argparse.Namespace, folder: Path) -> list[str]:
    """Runs the soak. Returns everything that does not hold, in words."""
    is_short = args.minutes <= SHORT_MINUTES
    tool = Path(args.tool)
    dice = random.Random(SEED)
    recordings = await asyncio.to_thread(Recordings, tool, SHORT_RECORDINGS if is_short else RECORDINGS, dice)
    say(f"the corpus is {corpus.folder() if corpus.is_there() else 'not there: only tests/data/corpus is used'}")
    say(
        f"{len(recordings.whole)} recordings ({recordings.read_otherwise} more are read otherwise than by a strict "
        f"reader and left out), {len(recordings.cut)} beginnings of them; {args.clients} clients, {args.minutes:g} min"
    )
    servers = {version: await ModelServer(version, {}).start() for version in ("v1", "v2")}
    begin_ms = now_ms()
    envoy = Envoy(
        args.envoy,
        folder / "run",
        configuration(begin_ms),
        {f"llm-{version}": server.port for version, server in servers.items()},
        concurrency=CONCURRENCY,
        edit=lambda bootstrap: http_manager(bootstrap).pop("access_log"),
        host=next(host for host in HOSTS if host.name == args.host),
    )
    await asyncio.to_thread(envoy.start)
    try:
        before = await envoy.flushed()
        ramp, sums, memory = Ramp(steps(envoy.file)), Sums(), Memory()
        clients = Clients(envoy.port, servers, recordings, ramp, sums, SEED)
        operator = Operator(tool, envoy, ramp, clients, dice)
        every_s = max(CHANGE_S_MIN, 60 * args.minutes / CHANGES_MAX)
        running = [asyncio.create_task(clients.run(args.clients)), asyncio.create_task(operator.run(every_s))]
        await watch(args, envoy, clients, operator, memory, running)
        clients.stopping = True
        await asyncio.gather(*running)
        return await verdict(args, envoy, before, clients, operator, sums, memory)
    finally:
        await asyncio.to_thread(envoy.stop)
        for server in servers.values():
            await server.stop()


async def watch(
    args: argparse.Namespace,
    envoy: Envoy,
    clients: Clients,
    operator: Operator,
    memory: Memory,
    running: list[asyncio.Task[None]],
) -> None:
    """Samples memory and reports progress until the time is up, or until something ends that should not."""
    began, told = time.monotonic(), 0.0
    every_s = min(60, 60 * args.minutes / 4)
    while (seconds := time.monotonic() - began) < 60 * args.minutes:
        await asyncio.sleep(SAMPLE_S)
        for task in running:
            if task.done():
                task.result()
                raise AssertionError("the clients or the operator stopped by themselves")
        memory.sample(seconds, envoy.pid)
        if seconds >= told + every_s or told == 0:
            told = seconds
            _, resident, vm = memory.samples[-1]
            say(
                f"{seconds / 60:5.1f} min  {clients.done:8} requests  {clients.done / max(seconds, 1):5.0f} /s  "
                f"{operator.ramps:3} ramps  {operator.reloads:3} reloads  {operator.refused:3} refused  "
                f"{resident / MIB:6.1f} MiB resident  {vm / MIB:5.2f} MiB in the VM  {clients.failed} failed"
            )


async def verdict(
    args: argparse.Namespace,
    envoy: Envoy,
    before: Snapshot,
    clients: Clients,
    operator: Operator,
    sums: Sums,
    memory: Memory,
) -> list[str]:
    wrong = list(clients.failures)
    if clients.failed > len(wrong):
        wrong.append(f"and {clients.failed - len(wrong)} more requests failed")
    try:
        await envoy.settled(lambda seen: seen.sum("llm_requests_total") >= sums.requests, before)
    except EnvoyError as error:
        wrong.append(str(error))
    snapshot = await envoy.flushed() - before
    wrong += differences(sums, counted(snapshot)) + shard_differences(snapshot)
    if sums.is_shard_unknown:
        say("a step fell between sending and arriving, so shards were compared with the totals only")
    wrong += await asyncio.to_thread(envoy.filter_failures)
    outcomes = dict(sorted(sums.by_label("llm_requests_total").items()))
    say(f"{sums.requests} requests: {outcomes}")
    say(f"decisions: {dict(sorted(sums.by_label('llm_decisions_total').items()))}")
    say(f"{len(sums.sums)} sums of {len({metric for metric, _, _ in sums.sums})} metrics compared")
    for name, column, most in [
        ("resident memory", 1, RESIDENT_GROWTH_BYTES_MAX),
        ("the largest VM", 2, VM_GROWTH_BYTES_MAX),
    ]:
        growth = memory.growth_bytes(column)
        is_judged = args.minutes >= JUDGED_FROM_MINUTES
        judged = f"at most {most / MIB:.2f}" if is_judged else f"not judged below {JUDGED_FROM_MINUTES} min"
        say(f"{name} grew by {growth / MIB:+.2f} MiB over the last half ({judged})")
        if is_judged and growth > most:
            wrong.append(f"{name} grew by {growth / MIB:.2f} MiB over the last half, and {most / MIB:.2f} are allowed")
    if not clients.done or not operator.ramps:
        wrong.append("nothing was done")
    return wrong


def say(words: str) -> None:
    print(words, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/soak.sh")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--host", choices=[host.name for host in HOSTS], default=HOSTS[0].name)
    parser.add_argument("--envoy", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--tool", default=REPOSITORY / "target" / "debug" / "llm-canary", help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llm-canary-soak-"))
    try:
        wrong = asyncio.run(soak(args, folder))
    except BaseException:
        say(f"what Envoy read and wrote is in {folder}")
        raise
    for line in wrong:
        say(f"WRONG: {line}")
    if wrong:
        say(f"failed; what Envoy read and wrote is in {folder}")
        return 1
    shutil.rmtree(folder)
    say("passed: every sum agrees, every byte came through, nothing failed that was not made to")
    return 0


if __name__ == "__main__":
    sys.exit(main())
