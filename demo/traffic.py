"""Conversations sent to Envoy, and what their clients saw.

Each conversation sends its id in `x-conversation-id` and its whole history with each turn, as chat clients do. The
version that answered is read from the response's header `x-llm-version`: all that is said of versions here is what
clients were served. Times are Unix seconds, so that they can be compared with the time of a file.
"""

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field

from demo.ids import EvenIds
from pylib.client import Client
from pylib.http1 import request

QUESTIONS = [
    "What is a canary release?",
    "Why do we start with a small share of the traffic?",
    "How do I know that the new version is worse?",
    "What happens to my conversation when you roll back?",
    "Explain it again in simple words.",
    "How long should we wait before the next step?",
]
BEGIN_PER_S = 40.0
# Most conversations are short. One in so many goes on until the end: those see every step.
TURNS_MAX, PAUSE_S = 4, (0.1, 0.7)
LONG_ONE_IN, LONG_PAUSE_S = 20, (1.0, 3.0)
# Protects a machine that is too slow for this.
AT_ONCE_MAX = 400
MAX_TOKENS = 90


@dataclass
class Turn:
    """One request. `version` is None until the response's head is there."""

    sent_at: float
    version: str | None = None
    ended_at: float | None = None
    complete: bool = False


@dataclass
class Conversation:
    id: str
    began_at: float
    is_long: bool
    turns: list[Turn] = field(default_factory=list)

    @property
    def version(self) -> str | None:
        """The version that answered first."""
        return next((turn.version for turn in self.turns if turn.version), None)

    def moved(self, before: float) -> list[Turn]:
        """The turns sent before this time that another version answered than the turn before."""
        answered = [turn for turn in self.turns if turn.version]
        pairs = itertools.pairwise(answered)
        return [turn for earlier, turn in pairs if turn.version != earlier.version and turn.sent_at < before]

    def goes_over(self, moment: float) -> bool:
        """Whether it was answered before this moment and after it."""
        answered = [turn.sent_at for turn in self.turns if turn.version]
        return bool(answered) and answered[0] < moment <= answered[-1]


class Traffic:
    """Conversations that begin at a steady pace while `run` runs."""

    def __init__(self, port: int, ids: EvenIds, seed: int = 1) -> None:
        self.conversations: list[Conversation] = []
        self.under_way = 0
        self._client = Client(port)
        self._ids = ids
        self._dice = random.Random(seed)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Goes on until it is cancelled, and takes all conversations with it."""
        due_at = time.monotonic()
        try:
            while True:
                if self.under_way < AT_ONCE_MAX:
                    self._begin()
                due_at = max(due_at + 1 / BEGIN_PER_S, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due_at - time.monotonic()))
        finally:
            running = list(self._running)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._client.close()

    @property
    def turns(self) -> list[Turn]:
        return [turn for one in self.conversations for turn in one.turns]

    def answers(self, version: str, since: float = 0.0) -> list[Turn]:
        """What this version answered of what was sent since then."""
        return [turn for turn in self.turns if turn.version == version and turn.sent_at >= since]

    def _begin(self) -> None:
        began_at = time.time()
        is_long = self._dice.randrange(LONG_ONE_IN) == 0
        conversation = Conversation(self._ids.next(int(began_at * 1000)), began_at, is_long)
        self.conversations.append(conversation)
        self.under_way += 1
        task = asyncio.create_task(self._converse(conversation))
        self._running.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self.under_way -= 1

    async def _converse(self, conversation: Conversation) -> None:
        messages: list[dict[str, str]] = []
        left = self._dice.randint(1, TURNS_MAX)
        pause_s = LONG_PAUSE_S if conversation.is_long else PAUSE_S
        while True:
            messages.append({"role": "user", "content": self._dice.choice(QUESTIONS)})
            reply = await self._ask(conversation, messages)
            messages.append({"role": "assistant", "content": reply})
            left -= 0 if conversation.is_long else 1
            if not left:
                return
            await asyncio.sleep(self._dice.uniform(*pause_s))

    async def _ask(self, conversation: Conversation, messages: list[dict[str, str]]) -> str:
        body = {
            "model": "demo",
            "messages": messages,
            "max_tokens": MAX_TOKENS,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        raw = request(headers=[(b"x-conversation-id", conversation.id.encode())], body=json.dumps(body).encode())
        turn = Turn(time.time())
        conversation.turns.append(turn)
        received = b""
        try:
            async with self._client.exchange(raw) as exchange:
                await exchange.head_comes()
                turn.version = (exchange.header(b"x-llm-version") or b"").decode() or None
                await exchange.ended()
                received = bytes(exchange.body)
                turn.complete = exchange.complete and b"data: [DONE]" in received
        except (OSError, TimeoutError):
            pass  # it counts as a request that was not answered to its end
        finally:
            turn.ended_at = time.time()
        return text_of(received)


def text_of(stream: bytes) -> str:
    """The assistant's text in a finished event stream; empty for an error."""
    text = []
    for line in stream.decode(errors="replace").splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: ")).get("choices", []):
                text.append(choice["delta"].get("content") or "")
    return "".join(text)
