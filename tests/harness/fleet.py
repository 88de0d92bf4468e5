"""Three Envoys that watch one file, a Prometheus that scrapes them, three versions of a model that can be told to go
wrong, and conversations that begin at random times.

Each rollout of the file has the versions v1, v2 and v3, and answers by the behaviours under its name.
"""

import asyncio
import contextlib
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pylib.client import Client
from tests.harness import Json
from tests.harness.behaviour import Behaving, Behaviour, ask
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy, discovered_filter, shipped_listener
from tests.harness.ports import free_port
from tests.harness.prometheus import Prometheus
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.upstream import ModelServer, Received

VERSIONS = ("v1", "v2", "v3")
# Of v3, which stands beside the release, and never changes.
BESIDE_PERCENT = 10
BEGAN_MS = 3_600_000
TURNS_MAX = 3
PATIENCE_S = 150.0
# One time in so many a thing goes wrong with every version.
USUAL = Behaviour(first_token_s=0.05, refuses=0.02, fails=0.005, loops=0.005)

_REPLY = re.compile(rb"\r\nx-test-reply: ([^/]*)/")

MakeEnvoy = Callable[[Json, Callable[[Json], None]], Envoy]


def rollouts(names: Sequence[str], percent: float = 0, new: Sequence[str] = ()) -> Json:
    """A configuration in which v2 has this share of each rollout, since an hour, and nobody has one of the new ones."""
    versions = [{"name": name, "cluster": f"llm-{name}"} for name in VERSIONS]
    steps = [{"at": rfc3339(now_ms() - BEGAN_MS), "percent": {"v2": percent, "v3": BESIDE_PERCENT}}]

    def of(name: str, steps: list[Json]) -> Json:
        match = {"headers": {"x-rollout": name}}
        return rollout(name=name, match=match, refusal_phrases=True, versions=versions, steps=steps)

    return config(*(of(name, []) for name in new), *(of(name, steps) for name in names))


class Tally(list[Received]):
    """Notes when requests of each rollout came, and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.last_s: dict[str, float] = {}  # of the wall clock
        self.since_s: dict[str, list[float]] = {}

    def append(self, received: Received) -> None:
        named = _REPLY.search(received.head)
        if named is None:
            return
        name = named[1].decode()
        self.last_s[name] = time.time()
        if name in self.since_s:
            self.since_s[name].append(self.last_s[name])

    def note(self, name: str) -> None:
        """Keeps the times from now on."""
        self.since_s[name] = []


@dataclass
class Version:
    server: ModelServer
    tally: Tally
    behaviours: dict[str, Behaviour]


class Models:
    """The versions' servers. `goes_wrong` changes what v2 says in one rollout."""

    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}

    async def start(self) -> "Models":
        for name in VERSIONS:
            behaviours: dict[str, Behaviour] = {}
            server = await ModelServer(name, Behaving(name, behaviours, is_kept=False)).start()
            tally = Tally()
            server.received = tally
            self.versions[name] = Version(server, tally, behaviours)
        return self

    def serve(self, names: Sequence[str], behaviour: Behaviour = USUAL) -> None:
        for version in self.versions.values():
            version.behaviours.update(dict.fromkeys(names, behaviour))

    def goes_wrong(self, name: str, behaviour: Behaviour) -> float:
        """Returns when, by the wall clock."""
        self.canary.note(name)
        self.versions["v2"].behaviours[name] = behaviour
        return time.time()

    @property
    def canary(self) -> Tally:
        return self.versions["v2"].tally

    @property
    def ports(self) -> dict[str, int]:
        return {f"llm-{name}": version.server.port for name, version in self.versions.items()}

    async def stop(self) -> None:
        for version in self.versions.values():
            await version.server.stop()


class Fleet:
    """The Envoys by name, and the file that all of them watch. One that is started again keeps its addresses."""

    def __init__(self, make: Sequence[MakeEnvoy], configuration: Json, prometheus: Prometheus) -> None:
        self.prometheus = prometheus
        self.envoys: dict[str, Envoy] = {}
        for number, make_envoy in enumerate(make):
            self.envoys[f"envoy-{number}"] = make_envoy(configuration, self._edit)

    def _edit(self, bootstrap: Json) -> None:
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = free_port()
        shipped_listener(bootstrap)["address"]["socket_address"]["port_value"] = free_port()
        if self.envoys:
            source = discovered_filter(bootstrap)["config_discovery"]["config_source"]["path_config_source"]
            source["path"] = str(self.file)
            source["watched_directory"] = {"path": str(self.file.parent)}

    @property
    def first(self) -> Envoy:
        return next(iter(self.envoys.values()))

    @property
    def file(self) -> Path:
        return self.first.file

    def scraped(self, every_s: float) -> None:
        targets = {name: envoy.admin_address.removeprefix("http://") for name, envoy in self.envoys.items()}
        self.prometheus.start(targets, every_s)

    async def runs(self, configuration: Json) -> None:
        """Replaces the file. Returns when every Envoy runs it."""
        before = {name: envoy.discovery("config_reload") for name, envoy in self.envoys.items()}
        self.first.push(configuration)
        for name, envoy in self.envoys.items():
            await envoy.until(
                lambda envoy=envoy, name=name: envoy.discovery("config_reload") > before[name],  # type: ignore[misc]
                "the new configuration",
            )


class Arrivals:
    """`async with Arrivals(ports, rates)`: conversations of each rollout begin at random times, so many requests a
    second, at any of the ports. A request that is not answered is only counted, as where an Envoy is being restarted.
    """

    def __init__(self, ports: Sequence[int], rates: Mapping[str, float], seed: int = 1) -> None:
        self._clients = [Client(port, PATIENCE_S) for port in ports]
        self._rates = rates
        self._seed = seed
        self.sent = self.unanswered = 0

    async def __aenter__(self) -> "Arrivals":
        self._sending = [asyncio.create_task(self._send_all(name, rate)) for name, rate in self._rates.items()]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for client in self._clients:
            client.close()

    async def _send_all(self, name: str, rate: float) -> None:
        dice = random.Random(f"{self._seed} {name}")
        begun = time.monotonic()
        due = 0.0
        running: set[asyncio.Task[None]] = set()
        try:
            for raw in requests(name, dice):
                due += dice.expovariate(rate)
                late = time.monotonic() - begun - due
                if late > 1:
                    due += late  # a machine that stood still does not catch up
                await asyncio.sleep(-late)
                task = asyncio.create_task(self._send(dice.choice(self._clients), raw))
                running.add(task)
                task.add_done_callback(running.discard)
        finally:
            for task in running:
                task.cancel()

    async def _send(self, client: Client, raw: bytes) -> None:
        self.sent += 1
        try:
            await client.send(raw)
        except (TimeoutError, OSError):
            self.unanswered += 1


def requests(name: str, dice: random.Random) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        key = number * 100_000 + dice.randrange(100_000)
        yield from (ask(name, key, turn) for turn in range(1, dice.randint(1, TURNS_MAX) + 1))


@dataclass
class Freezes:
    """Notes when this process stood still, so that figures from such times can be left out."""

    longer_than_s: float = 2.0
    spans: list[tuple[float, float]] = field(default_factory=list)  # of the wall clock

    async def watch(self) -> None:
        last = time.time()
        while True:
            await asyncio.sleep(0.1)
            now = time.time()
            if now - last > self.longer_than_s:
                self.spans.append((last, now))
            last = now

    def within(self, begin_s: float, end_s: float) -> bool:
        return any(begin < end_s and end > begin_s for begin, end in self.spans)


@dataclass
class History:
    """Every text that a file had, and when it was written by the wall clock."""

    file: Path
    texts: list[tuple[float, str]] = field(default_factory=list)

    _last: tuple[int, int] | None = None

    def look(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            stat = self.file.stat()
            if (stat.st_ino, stat.st_mtime_ns) != self._last:
                self._last = (stat.st_ino, stat.st_mtime_ns)
                self.texts.append((stat.st_mtime, self.file.read_text()))

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.01)
