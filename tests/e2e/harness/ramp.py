"""Conversations of several turns that run while a ramp goes on, and what is to become of them by the ramp alone."""

import asyncio
import json
import random
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .client import Client, request

PARTS = 1_000_000
_MASK = 0xFFFFFFFF


def now_ms():
    return time.time_ns() // 1_000_000


def rfc3339(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def bucket(salt, key):
    """A key's place on the line."""
    return murmur3(salt + b":" + key, 0) * PARTS >> 32


def murmur3(data, seed):
    """Of 32 bits, and not the filter's own."""
    h = seed

    def scramble(block):
        block = block * 0xCC9E2D51 & _MASK
        return (block << 15 | block >> 17) * 0x1B873593 & _MASK

    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[at : at + 4], "little"))
        h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & _MASK
    h ^= scramble(int.from_bytes(data[whole:], "little")) ^ len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK
    return h ^ h >> 16


def uuid7(ms, dice):
    value = ms << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 0b10 << 62 | dice.getrandbits(62)
    return str(uuid.UUID(int=value)).encode()


@dataclass
class Ramp:
    """Moments (in milliseconds) and the canary's percentages from then on."""

    steps: list

    def share(self, ms):
        """The canary's parts per million at a moment."""
        return ([0] + [percent * PARTS // 100 for at, percent in self.steps if at <= ms])[-1]

    def shares(self, begin_ms, end_ms):
        """All of them between two moments."""
        return {self.share(begin_ms)} | {self.share(at) for at, _ in self.steps if begin_ms <= at <= end_ms}

    def has_moved(self, place, ms):
        """Whether the bucket changed hands by any step up to a moment. (All steps are of today.)"""
        return len({place < self.share(at) for at in [0, *(at for at, _ in self.steps if at <= ms)]}) > 1

    def json(self):
        return [{"at": rfc3339(at), "percent": {"v2": percent}} for at, percent in self.steps]


@dataclass
class Turn:
    sent_ms: int
    received_ms: int
    status: int
    version: bytes
    envoy: object


@dataclass
class Conversation:
    rollout: str
    begins_s: float  # since the population began
    pauses_s: list  # before each further turn
    timed: bool = False
    # What the client makes of an answer: headers and fields of the body for its next request.
    remember: object = None
    reply: str = ""
    key: bytes = b""
    turns: list = field(default_factory=list)

    @property
    def place(self):
        return bucket(self.rollout.encode(), self.key)

    @property
    def versions(self):
        return {turn.version for turn in self.turns}


class Population:
    """Sends each turn to one of the Envoys that are in use just then. A test may take one out, and put one in."""

    def __init__(self, envoys, target=b"/v1/chat/completions", seed=1):
        self._dice = random.Random(seed)
        self._target = target
        self._clients = {}
        self._active = {}
        for envoy in envoys:
            self.put_in(envoy)

    def put_in(self, envoy):
        self._clients[envoy] = Client(envoy.port)
        self._active[envoy] = 0

    async def take_out(self, envoy):
        """Returns when nothing is on its way there any more."""
        client = self._clients.pop(envoy)
        while self._active[envoy]:
            await asyncio.sleep(0.01)
        client.close()

    def close(self):
        for client in self._clients.values():
            client.close()

    async def run(self, conversations):
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for conversation in conversations:
                group.create_task(self._converse(conversation, began))

    async def _converse(self, conversation, began):
        await asyncio.sleep(began + conversation.begins_s - time.monotonic())
        name = b"%d" % self._dice.getrandbits(64)
        conversation.key = uuid7(now_ms(), self._dice) if conversation.timed else b"plain-" + name
        known = ([], {})
        for pause_s in [0, *conversation.pauses_s]:
            await asyncio.sleep(pause_s)
            exchange = await self._send(conversation, *known)
            if conversation.remember is not None:
                known = conversation.remember(exchange)

    async def _send(self, conversation, headers, fields):
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
