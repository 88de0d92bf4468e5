"""Conversations of several turns that run through a ramp, and what the ramp means for each."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pylib.buckets import PARTS, bucket, uuid7
from pylib.client import Client, Exchange
from pylib.http1 import Header, request
from tests.harness import Json
from tests.harness.envoy import Envoy


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


# What a client sends again: headers, and fields of the body.
Known = tuple[list[Header], Json]


@dataclass
class Ramp:
    """The steps: moments in Unix milliseconds, and the canary's percentages from then on."""

    steps: list[tuple[int, float]]

    def share(self, ms: int) -> int:
        """The canary's parts per million at a moment."""
        return ([0] + [round(percent * PARTS / 100) for at, percent in self.steps if at <= ms])[-1]

    def shares(self, begin_ms: int, end_ms: int) -> set[int]:
        """Every share that was in force between two moments."""
        return {self.share(begin_ms)} | {self.share(at) for at, _ in self.steps if begin_ms <= at <= end_ms}

    def steps_taken(self, ms: int) -> int:
        return sum(at <= ms for at, _ in self.steps)

    def next_step_ms(self, ms: int) -> int | None:
        return min((at for at, _ in self.steps if at > ms), default=None)

    def has_moved(self, place: int, ms: int) -> bool:
        """Whether the bucket changed hands by any step up to a moment. All steps are less than a day old."""
        return len({place < self.share(at) for at in [0, *(at for at, _ in self.steps if at <= ms)]}) > 1

    def json(self) -> list[Json]:
        return [{"at": rfc3339(at), "percent": {"v2": percent}} for at, percent in self.steps]


@dataclass
class Turn:
    sent_ms: int
    received_ms: int
    status: int
    version: bytes | None
    envoy: Envoy


@dataclass
class Conversation:
    rollout: str
    begins_s: float  # since the population began
    pauses_s: list[float]  # before each further turn
    timed: bool = False
    # Makes headers and fields of the body for the next request from a response.
    remember: Callable[[Exchange], Known] | None = None
    reply: str = ""
    key: bytes = b""
    turns: list[Turn] = field(default_factory=list)

    @property
    def place(self) -> int:
        return bucket(self.rollout.encode(), self.key)

    @property
    def versions(self) -> set[bytes | None]:
        return {turn.version for turn in self.turns}


class Population:
    """Sends each turn to one of the Envoys that are in use. A test may remove an Envoy, and add one."""

    def __init__(self, envoys: Iterable[Envoy], target: bytes = b"/v1/chat/completions", seed: int = 1) -> None:
        self._dice = random.Random(seed)
        self._target = target
        self._clients: dict[Envoy, Client] = {}
        self._active: dict[Envoy, int] = {}
        for envoy in envoys:
            self.put_in(envoy)

    def put_in(self, envoy: Envoy) -> None:
        self._clients[envoy] = Client(envoy.port)
        self._active[envoy] = 0

    async def take_out(self, envoy: Envoy) -> None:
        """Removes an Envoy. Returns when no request to it is in flight."""
        client = self._clients.pop(envoy)
        while self._active[envoy]:
            await asyncio.sleep(0.01)
        client.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    async def run(self, conversations: Iterable[Conversation]) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for conversation in conversations:
                group.create_task(self._converse(conversation, began))

    async def _converse(self, conversation: Conversation, began: float) -> None:
        await asyncio.sleep(began + conversation.begins_s - time.monotonic())
        name = b"%d" % self._dice.getrandbits(64)
        conversation.key = uuid7(now_ms(), self._dice) if conversation.timed else b"plain-" + name
        known: Known = ([], {})
        for pause_s in [0, *conversation.pauses_s]:
            await asyncio.sleep(pause_s)
            exchange = await self._send(conversation, *known)
            if conversation.remember is not None:
                known = conversation.remember(exchange)

    async def _send(self, conversation: Conversation, headers: list[Header], fields: Json) -> Exchange:
        headers = [
            (b"x-rollout", conversation.rollout.encode()),
            (b"x-conversation-id", conversation.key),
            *([(b"x-test-reply", conversation.reply.encode())] if conversation.reply else []),
            *headers,
        ]
        raw = request(target=self._target, headers=headers, body=json.dumps(fields).encode())
        envoy = self._dice.choice(list(self._clients))
        client = self._clients[envoy]
        self._active[envoy] += 1
        sent_ms = now_ms()
        exchange = await client.send(raw)
        self._active[envoy] -= 1
        version = exchange.header(b"x-llm-version")
        conversation.turns.append(Turn(sent_ms, now_ms(), exchange.status, version, envoy))
        return exchange
