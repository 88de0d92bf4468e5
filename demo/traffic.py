"""Conversations sent to Envoy, and what their clients saw.

Each conversation sends its id in `x-conversation-id` and its whole history with each turn, as chat clients do. The
version that answered is read from the response's header `x-llm-version`: all that is said of versions here is what
clients were served.
"""

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field

from demo.ids import EvenIds
from pylib.client import Client
from pylib.http1 import Header, request

QUESTIONS = [
    "What is a canary release?",
    "Why do we start with a small share of the traffic?",
    "How do I know that the new version is worse?",
    "What happens to my conversation when you roll back?",
    "Explain it again in simple words.",
    "How long should we wait before the next step?",
]
TURNS_MAX = 3
PAUSE_S_MAX = 0.5  # between an answer and the next question
PROBE_TIMEOUT_S = 2.0


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Request:
    """One request. Moments are monotonic seconds; `version` is None until the response's head is there."""

    sent_at: float
    version: str | None = None
    ended_at: float | None = None
    complete: bool = False


@dataclass
class Conversation:
    id: str
    began_ms: int
    turns: int  # to come
    messages: list[dict[str, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def versions(self) -> set[str]:
        """The versions that answered it."""
        return {request.version for request in self.requests if request.version is not None}


@dataclass
class Load:
    """How much is sent. The limit protects a slow server, the pace a fast one."""

    conversations_per_s: float
    conversations_max: int  # at a time
    max_tokens: int


class Traffic:
    """Conversations that begin at a steady pace until `finish`."""

    def __init__(self, port: int, load: Load, ids: EvenIds, seed: int = 1) -> None:
        self.conversations: list[Conversation] = []
        self._client = Client(port)
        self._load = load
        self._ids = ids
        self._random = random.Random(seed)
        self._room = asyncio.Semaphore(load.conversations_max)
        self._running: set[asyncio.Task[None]] = set()
        self._finishing = asyncio.Event()

    async def run(self) -> None:
        due_at = time.monotonic()
        while not self._finishing.is_set():
            await self._room.acquire()
            began_ms = now_ms()
            conversation = Conversation(self._ids.next(began_ms), began_ms, self._random.randint(1, TURNS_MAX))
            self.conversations.append(conversation)
            self._start(conversation)
            due_at = max(due_at + 1 / self._load.conversations_per_s, time.monotonic())
            await asyncio.sleep(due_at - time.monotonic())

    async def continue_each(self, conversations: list[Conversation], within_s: float) -> None:
        """Makes each of these conversations ask one question more, evenly over the time."""
        for conversation in conversations:
            began_at = time.monotonic()
            is_over = conversation.turns == 0
            conversation.turns += 1
            if is_over:
                await self._room.acquire()
                self._start(conversation)
            await asyncio.sleep(max(0.0, began_at + within_s / len(conversations) - time.monotonic()))

    async def finish(self, timeout_s: float) -> None:
        """Begins no more turns, and waits until those in flight have ended."""
        self._finishing.set()
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        self._client.close()

    @property
    def requests(self) -> list[Request]:
        return [request for conversation in self.conversations for request in conversation.requests]

    def in_flight(self, version: str | None = None) -> list[Request]:
        return [request for request in self.requests if request.ended_at is None and version in (None, request.version)]

    def begun(self, from_ms: int, until_ms: int) -> list[Conversation]:
        """The conversations that began in this time and were answered."""
        return [one for one in self.conversations if from_ms <= one.began_ms < until_ms and one.versions]

    def moved(self) -> int:
        """How many conversations were answered by more than one version."""
        return sum(len(conversation.versions) > 1 for conversation in self.conversations)

    def _start(self, conversation: Conversation) -> None:
        task = asyncio.create_task(self._converse(conversation))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self._room.release())

    async def _converse(self, conversation: Conversation) -> None:
        while conversation.turns and not self._finishing.is_set():
            conversation.messages.append({"role": "user", "content": self._random.choice(QUESTIONS)})
            reply = await self._ask(conversation)
            conversation.messages.append({"role": "assistant", "content": reply})
            conversation.turns -= 1
            if conversation.turns:
                await asyncio.sleep(self._random.uniform(0, PAUSE_S_MAX))

    async def _ask(self, conversation: Conversation) -> str:
        body = {
            "model": "demo",
            "messages": conversation.messages,
            "max_tokens": self._load.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        raw = request(headers=key(conversation), body=json.dumps(body).encode())
        seen = Request(time.monotonic())
        conversation.requests.append(seen)
        received = b""
        try:
            async with self._client.exchange(raw) as exchange:
                await exchange.head_comes()
                seen.version = (exchange.header(b"x-llm-version") or b"").decode() or None
                await exchange.ended()
                received = bytes(exchange.body)
                seen.complete = exchange.complete and b"data: [DONE]" in received
        except (OSError, TimeoutError):
            pass  # it counts as a request that was not answered to its end
        finally:
            seen.ended_at = time.monotonic()
        return text_of(received)


def key(conversation: Conversation) -> list[Header]:
    return [(b"x-conversation-id", conversation.id.encode())]


def text_of(stream: bytes) -> str:
    """The assistant's text in a finished event stream; empty for an error."""
    text = []
    for line in stream.decode(errors="replace").splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: ")).get("choices", []):
                text.append(choice["delta"].get("content") or "")
    return "".join(text)


async def probe(
    port: int, conversations: list[Conversation], every_s: float, phase_s: float, seen: list[Request]
) -> None:
    """Asks for the list of models under these conversations' ids in turn, until it is cancelled.

    This is the cheapest request that is routed like any other. Requests are sent at fixed moments, `phase_s` after each
    multiple of `every_s`, so that several probes do not fall into step.
    """
    client = Client(port)
    try:
        for conversation in itertools.cycle(conversations):
            now = time.monotonic()
            await asyncio.sleep(every_s - (now - phase_s) % every_s)
            one = Request(time.monotonic())
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    exchange = await client.send(request(b"GET", b"/v1/models", key(conversation), body=b""))
                one.version = (exchange.header(b"x-llm-version") or b"").decode() or None
                one.complete = exchange.status == 200
            except (OSError, TimeoutError):
                pass
            one.ended_at = time.monotonic()
            seen.append(one)
    finally:
        client.close()
