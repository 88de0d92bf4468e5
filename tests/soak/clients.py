"""Clients of the soak. They have conversations of several turns, in which some answers end too early. Each client
counts what it caused; the model servers tell it what it could not see itself.
"""

import asyncio
import itertools
import json
import random
from dataclasses import dataclass

from pylib.buckets import bucket, murmur3, uuid7
from pylib.client import Client, Exchange
from pylib.http1 import Header, request
from tests.harness import Json
from tests.harness.ramp import Ramp, now_ms
from tests.harness.upstream import Ending, Framing, ModelServer, Received, Replies, Reply
from tests.soak.recordings import Answer, Recordings
from tests.soak.sums import NOTHING, Sums

Waiting = dict[bytes, asyncio.Future[tuple[str, int]]]

ROLLOUT, SALT = "soak", b"soak"
SHARD_SEED, SHARDS = 2, 32
# A timed conversation sends nothing so short before a step: whether it may be compared would be unknown.
STEP_MARGIN_MS = 300
TURNS_MAX = 6
THINK_S = 0.05  # on average
PADDING_BYTES_MAX = 20_000
FAILURES_KEPT = 20
ARRIVES_S_MAX = 30

COMPLETE, CLIENT_ABORT, UPSTREAM_RESET = "complete", "client_abort", "upstream_reset"
ABORT_BEFORE_HEAD, RESET_BEFORE_HEAD = "client_abort_before_head", "upstream_reset_before_head"
ENDINGS = {COMPLETE: 90, CLIENT_ABORT: 4, UPSTREAM_RESET: 3, ABORT_BEFORE_HEAD: 2, RESET_BEFORE_HEAD: 1}
RETRIES_PER_REQUEST, FEEDBACK_PER_TURN = 0.03, 0.05
RATINGS = ("up", "down", "escalation")

# How clients name their conversations, and how often each way is taken.
KINDS = {"timed": 4, "plain": 3, "body": 2, "body timed": 2, "user": 2, "cookie": 2, "keyless": 1, "staff": 1}


class Arrivals(list[Received]):
    """Takes the place of a model server's list of requests, and tells the client which version its request came to."""

    def __init__(self, version: str, waiting: Waiting) -> None:
        self._version, self._waiting = version, waiting

    def append(self, received: Received) -> None:
        [name] = received.header(b"x-soak-name")
        arrived = self._waiting[name]
        if arrived.done():
            raise AssertionError(f"request {name!r} arrived twice")
        arrived.set_result((self._version, now_ms()))


@dataclass
class Conversation:
    kind: str
    key: bytes
    began_ms: int
    pin: bytes | None = None
    pinned_to: str | None = None

    @property
    def counted_key(self) -> bytes | None:
        """The key that the filter finds, unless something takes precedence over keys."""
        return None if self.kind in ("keyless", "staff") else self.key

    def headers(self) -> list[Header]:
        match self.kind:
            case "timed" | "plain" | "cookie":
                named = [(b"x-conversation-id", self.key)]
            case "user":
                named = [(b"x-user-id", self.key)]
            case "staff":
                named = [(b"x-llm-cohort", b"staff"), (b"x-conversation-id", self.key)]
            case _:
                named = []
        return named + ([(b"cookie", b"a=b; " + self.pin)] if self.pin else [])

    def body(self, turn: int, padding: int) -> bytes:
        messages = [{"role": "user", "content": "x" * padding}]
        if turn:
            messages += [{"role": "assistant", "content": "y"}, {"role": "user", "content": "z"}]
        fields: Json = {"model": "chat-large", "messages": messages}
        if self.kind.startswith("body"):
            fields["metadata"] = {"conversation_id": self.key.decode()}
        return json.dumps(fields).encode()


class Clients:
    def __init__(
        self, port: int, servers: dict[str, ModelServer], recordings: Recordings, ramp: Ramp, sums: Sums, seed: int
    ) -> None:
        self._client = Client(port)
        self._recordings = recordings
        self._ramp = ramp
        self._sums = sums
        self._dice = random.Random(seed)
        self._names = itertools.count()
        self._waiting: Waiting = {}
        self._replies: Replies = {}
        for version, server in servers.items():
            server.received = Arrivals(version, self._waiting)
            server.replies = self._replies
        for answer in recordings.whole:
            for way, reply in enumerate(answer.replies(self._dice)):
                self._replies[f"{answer.name} {way}"] = reply
        self._ways: dict[str, list[str]] = {}
        for name in self._replies:
            self._ways.setdefault(name.rsplit(" ", 1)[0], []).append(name)
        self.done = 0
        self.failed = 0
        self.failures: list[str] = []
        self.stopping = False

    async def run(self, count: int) -> None:
        """Until `stopping` is set."""
        try:
            await asyncio.gather(*(self._converse_on() for _ in range(count)))
        finally:
            self._client.close()

    def fail(self, what: str) -> None:
        self.failed += 1
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(what)

    async def _converse_on(self) -> None:
        while not self.stopping:
            kind = self._dice.choices(list(KINDS), list(KINDS.values()))[0]
            ms = now_ms()
            is_timed = kind.endswith("timed")
            key = uuid7(ms, self._dice) if is_timed else b"c-%d" % self._dice.getrandbits(64)
            conversation = Conversation(kind, key, ms)
            for turn in range(self._dice.randint(1, TURNS_MAX)):
                if self.stopping:
                    break
                try:
                    await self._turn(conversation, turn)
                    if kind in ("timed", "plain", "cookie", "user") and self._dice.random() < FEEDBACK_PER_TURN:
                        await self._feedback(conversation)
                except Exception as error:  # a client that fails is counted, and the soak goes on
                    self.fail(f"{kind}, turn {turn}: {type(error).__name__}: {error}")
                await asyncio.sleep(self._dice.expovariate(1 / THINK_S))

    async def _turn(self, conversation: Conversation, turn: int) -> None:
        ending = self._dice.choices(list(ENDINGS), list(ENDINGS.values()))[0]
        if ending in (CLIENT_ABORT, UPSTREAM_RESET) and not self._recordings.cut:
            ending = COMPLETE
        name = b"%d" % next(self._names)
        is_retry = self._dice.random() < RETRIES_PER_REQUEST
        gate = asyncio.Event()
        answer, reply_name = self._answer(ending, gate, name)
        raw = request(
            headers=[
                (b"x-soak-name", name),
                (b"x-test-reply", reply_name.encode()),
                *([(b"x-stainless-retry-count", b"1")] if is_retry else []),
                *conversation.headers(),
            ],
            body=conversation.body(turn, self._dice.randrange(PADDING_BYTES_MAX)),
        )
        arrived = self._waiting[name] = asyncio.get_running_loop().create_future()
        await self._pass_step(conversation)
        sent_ms = now_ms()
        try:
            exchange = await self._exchange(ending, raw, answer, gate, arrived)
            came = arrived.result() if arrived.done() else None
        finally:
            del self._waiting[name]
            self._replies.pop(name.decode(), None)
        self.done += 1
        if came is None:
            raise AssertionError(f"{ending}: no model server got the request; the answer is {exchange.status}")
        version, arrived_ms = came
        self._count(conversation, turn, ending, answer, version, is_retry, sent_ms, arrived_ms)
        self._check(conversation, ending, answer, version, exchange)
        self._keep_pin(conversation, exchange, version)

    def _answer(self, ending: str, gate: asyncio.Event, name: bytes) -> tuple[Answer | None, str]:
        """What is said, and the reply's name. A reply that breaks off is made for one request."""
        if ending == COMPLETE:
            answer = self._dice.choice(self._recordings.whole)
            return answer, self._dice.choice(self._ways[answer.name])
        broken: Answer | None = None
        if ending in (CLIENT_ABORT, UPSTREAM_RESET):
            broken = self._dice.choice(self._recordings.cut)
            middle = self._dice.randrange(len(broken.body))
            pieces = [piece for piece in (broken.body[:middle], broken.body[middle:]) if piece]
            reply = Reply(steps=(*pieces, gate, Ending.RESET), content_type=broken.content_type)
        else:
            reply = Reply(steps=(gate, Ending.RESET), framing=Framing.RAW)
        self._replies[name.decode()] = reply
        return broken, name.decode()

    async def _exchange(
        self,
        ending: str,
        raw: bytes,
        answer: Answer | None,
        gate: asyncio.Event,
        arrived: asyncio.Future[tuple[str, int]],
    ) -> Exchange:
        if ending == COMPLETE:
            return await self._client.send(raw)
        connection, exchange = await self._client.start(raw)
        try:
            await asyncio.wait_for(asyncio.shield(arrived), ARRIVES_S_MAX)
            if answer is not None:
                await exchange.body_reaches(len(answer.body))
            if ending in (CLIENT_ABORT, ABORT_BEFORE_HEAD):
                connection.abort()
            else:
                gate.set()
                await exchange.ended()
        finally:
            connection.close()
        return exchange

    def _count(
        self,
        conversation: Conversation,
        turn: int,
        ending: str,
        answer: Answer | None,
        version: str,
        is_retry: bool,
        sent_ms: int,
        arrived_ms: int,
    ) -> None:
        reason, expected, is_unheld = self._decision(conversation, version, sent_ms, arrived_ms)
        if version not in expected:
            self.fail(f"{conversation} was to be on {expected} and was on {version}")
        self._sums.decision(version, reason, is_unheld)
        if is_retry:
            self._sums.add(version, "llm_retries_total")
        taken = {self._ramp.steps_taken(ms) for ms in (sent_ms, arrived_ms)}
        is_held = reason == "started" and taken != {self._ramp.steps_taken(conversation.began_ms)}
        self._sums.is_shard_unknown |= reason == "started" and len(taken) > 1
        key = conversation.counted_key if reason in ("started", "split") and not is_held else None
        shard = murmur3(key, SHARD_SEED) * SHARDS >> 32 if key is not None else None
        facts = answer.facts if answer else NOTHING
        outcome = {
            COMPLETE: str(facts.get("outcome")),
            ABORT_BEFORE_HEAD: CLIENT_ABORT,
            RESET_BEFORE_HEAD: "local_reply",
        }.get(ending, ending)
        self._sums.response(version, outcome, facts, shard, turn == 0, has_head=ending != ABORT_BEFORE_HEAD)

    async def _pass_step(self, conversation: Conversation) -> None:
        ms = now_ms()
        step_ms = self._ramp.next_step_ms(ms)
        if conversation.kind.endswith("timed") and step_ms is not None and step_ms - ms <= STEP_MARGIN_MS:
            await asyncio.sleep((step_ms - ms + 1) / 1000)

    def _decision(
        self, conversation: Conversation, version: str, sent_ms: int, arrived_ms: int
    ) -> tuple[str, set[str], bool]:
        """Returns (reason, versions it may be, whether its bucket changed hands within a day and nothing holds it)."""
        if conversation.kind == "staff":
            return "override", {"v2"}, False
        if conversation.pin:
            return "pin", {conversation.pinned_to or ""}, False
        if conversation.kind == "keyless":
            return "keyless", {"v1"}, False
        place = bucket(SALT, conversation.key)
        if conversation.kind.endswith("timed"):
            share = self._ramp.share(conversation.began_ms)
            return "started", {"v2" if place < share else "v1"}, False
        expected = {"v2" if place < share else "v1" for share in self._ramp.shares(sent_ms, arrived_ms)}
        # A step between these moments moved this bucket only if the versions differ. Then the version tells whether the
        # step was in force.
        was_there = ("v2" if place < self._ramp.share(sent_ms) else "v1") == version
        decided_ms = sent_ms if len(expected) > 1 and was_there else arrived_ms
        return "split", expected, self._ramp.has_moved(place, decided_ms)

    def _check(
        self, conversation: Conversation, ending: str, answer: Answer | None, version: str, exchange: Exchange
    ) -> None:
        if ending == ABORT_BEFORE_HEAD:
            return
        said = exchange.header(b"x-llm-version")
        if said != version.encode():
            self.fail(f"{conversation} was on {version}, and the response says {said!r}")
        if ending == RESET_BEFORE_HEAD:
            if exchange.status != 503:
                self.fail(f"a reset before the head gave {exchange.status}")
            return
        assert answer is not None
        status, is_whole = (answer.status, True) if ending == COMPLETE else (200, False)
        if exchange.status != status or (exchange.complete != is_whole and ending != CLIENT_ABORT):
            self.fail(f"{ending} of {answer.name}: status {exchange.status}, complete: {exchange.complete}")
        if exchange.body != answer.body:
            self.fail(f"{ending} of {answer.name}: {len(exchange.body)} bytes came of {len(answer.body)}, or others")

    def _keep_pin(self, conversation: Conversation, exchange: Exchange, version: str) -> None:
        if conversation.kind != "cookie" or conversation.pin:
            return
        cookies = [value for name, value in exchange.headers if name == b"set-cookie"]
        if cookies:
            conversation.pin, conversation.pinned_to = cookies[-1].split(b";")[0], version

    async def _feedback(self, conversation: Conversation) -> None:
        rating = self._dice.choice(RATINGS)
        raw = request(
            target=b"/v1/feedback", headers=conversation.headers(), body=json.dumps({"rating": rating}).encode()
        )
        exchange = await self._client.send(raw)
        if exchange.status != 204:
            self.fail(f"feedback was answered {exchange.status}: {bytes(exchange.body)!r}")
            return
        self._sums.add((exchange.header(b"x-llm-version") or b"").decode(), "llm_feedback_total", rating)
