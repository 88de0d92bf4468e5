"""Conversations sent to Envoy, and what their clients saw.

Every conversation sends its id in `x-conversation-id` and its whole history with each turn, as
chat clients do. The ids are the same in every run, and so is the part of them that a split gives
to the canary. The version that answered is read from the response, not from Envoy.
"""

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field

from http1 import Connection, HttpError

QUESTIONS = [
    "What is a canary release?",
    "Why do we start with a small share of the traffic?",
    "How do I know that the new version is worse?",
    "What happens to my conversation when you roll back?",
    "Explain it again in simple words.",
    "How long should we wait before the next step?",
]
TURNS_MAX = 4
PAUSE_S_MAX = 0.5  # between an answer and the next question
PROBE_TIMEOUT_S = 2.0


@dataclass
class Request:
    """One request, by this process's monotonic clock; `version` is the response's x-llm-version."""

    conversation: str
    sent_at: float
    version: str | None = None
    ended_at: float | None = None
    complete: bool = False


@dataclass
class Load:
    """How much is sent. A slow server is spared by the limit, a fast one by the pace."""

    conversations_per_s: float
    conversations_max: int  # at a time
    max_tokens: int


@dataclass
class Traffic:
    """Conversations that begin at a steady pace until `finish`."""

    port: int
    load: Load
    seed: int = 1
    requests: list[Request] = field(default_factory=list)
    conversations: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._running: set[asyncio.Task[None]] = set()
        self._finishing = asyncio.Event()

    async def run(self) -> None:
        room = asyncio.Semaphore(self.load.conversations_max)
        for number in itertools.count():
            await room.acquire()
            if self._finishing.is_set():
                return
            task = asyncio.create_task(self._converse(f"demo-{number}"))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: room.release())
            self.conversations += 1
            await asyncio.sleep(1 / self.load.conversations_per_s)

    async def finish(self, timeout_s: float) -> None:
        """Begins no more turns and lets those in flight end."""
        self._finishing.set()
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    def in_flight(self, version: str | None = None) -> list[Request]:
        return [request for request in self.requests if request.ended_at is None and version in (None, request.version)]

    def moved(self) -> int:
        """How many conversations were answered by more than one version."""
        return sum(len(versions) > 1 for versions in self._versions().values())

    def held_by(self, version: str) -> list[str]:
        """The conversations that this version alone has answered."""
        return [conversation for conversation, versions in self._versions().items() if versions == {version}]

    def _versions(self) -> dict[str, set[str]]:
        seen: dict[str, set[str]] = {}
        for request in self.requests:
            if request.version is not None:
                seen.setdefault(request.conversation, set()).add(request.version)
        return seen

    async def _converse(self, conversation: str) -> None:
        messages: list[dict[str, str]] = []
        async with Connection(self.port) as connection:
            for _ in range(self._random.randint(1, TURNS_MAX)):
                messages.append({"role": "user", "content": self._random.choice(QUESTIONS)})
                reply = await self._ask(connection, conversation, messages)
                if self._finishing.is_set():
                    return
                messages.append({"role": "assistant", "content": reply})
                await asyncio.sleep(self._random.uniform(0, PAUSE_S_MAX))

    async def _ask(self, connection: Connection, conversation: str, messages: list[dict[str, str]]) -> str:
        body = {
            "model": "demo",
            "messages": messages,
            "max_tokens": self.load.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"content-type": "application/json", "x-conversation-id": conversation}
        request = Request(conversation, time.monotonic())
        self.requests.append(request)
        received = bytearray()
        try:
            head = await connection.send("POST", "/v1/chat/completions", headers, json.dumps(body).encode())
            request.version = head.headers.get("x-llm-version")
            async for piece in connection.body(head):
                received += piece
            request.complete = b"data: [DONE]" in received
        except (HttpError, OSError, TimeoutError):
            connection.close()
        finally:
            request.ended_at = time.monotonic()
        return text_of(bytes(received))


def text_of(stream: bytes) -> str:
    """The assistant's text in a finished event stream; empty for an error."""
    text = []
    for line in stream.decode(errors="replace").splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: ")).get("choices", []):
                text.append(choice["delta"].get("content") or "")
    return "".join(text)


async def probe(port: int, conversations: list[str], every_s: float, phase_s: float, seen: list[Request]) -> None:
    """Asks for the list of models under these conversations' ids in turn, until cancelled: the
    cheapest request that is routed like any other. Sends at fixed moments, `phase_s` after each
    multiple of `every_s`, so that several of these do not fall into step."""
    async with Connection(port) as connection:
        for conversation in itertools.cycle(conversations):
            now = time.monotonic()
            await asyncio.sleep(every_s - (now - phase_s) % every_s)
            request = Request(conversation, time.monotonic())
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    head = await connection.send("GET", "/v1/models", {"x-conversation-id": conversation})
                async for _ in connection.body(head):
                    pass
                request.version = head.headers.get("x-llm-version")
                request.complete = head.status == 200
            except (HttpError, OSError, TimeoutError):
                connection.close()
            request.ended_at = time.monotonic()
            seen.append(request)
