"""The same traffic through both hosts of the filter, in one version of Envoy: everything that a client, a model server
and Prometheus see must be the same. tests/hosts.sh says what is sent.

A plan is drawn once, and each host goes through it at its own speed. Whatever would depend on who is faster is kept out
of it: a piece of a response is sent when the client has the one before, and a response breaks off, or a client goes
away, only after all that was said has arrived.
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pylib.buckets import uuid7
from pylib.client import Client, Exchange
from pylib.http1 import Header, request
from pylib.prometheus import Snapshot
from tests.harness import Json
from tests.harness.config import CLUSTERS, config, rollout
from tests.harness.envoy import Envoy, json_to_metadata
from tests.harness.hosts import HOSTS, Host
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.upstream import Ending, Framing, ModelServer, Received, Replies, Reply, Step, cut_at_random, events
from tests.soak.clients import (
    ABORT_BEFORE_HEAD,
    CLIENT_ABORT,
    COMPLETE,
    ENDINGS,
    RESET_BEFORE_HEAD,
    UPSTREAM_RESET,
)
from tests.soak.recordings import Answer, recorded
from tests.soak.sums import TIMES

MINUTES, CLIENTS, RECORDINGS, SHORT_RECORDINGS, SHORT_MINUTES = 10.0, 16, 400, 60, 1.0
CONVERSATIONS = 250  # of a round
TURNS_MAX = 4
PADDING_BYTES_MAX = 20_000
HOUR_MS = 3_600_000
ARRIVES_S_MAX = 30
SHOWN_MAX = 20
SEED = 1
ROLLOUTS = ("plain", "timed", "edited", "numbers")
RATINGS = ("up", "down", "escalation")
# What differs by chance, or by what names the host's requests here.
CHANGING = {b"date", b"x-envoy-upstream-service-time", b"x-request-id", b"x-name", b"x-test-reply"}
# Histograms of what no clock tells: also their buckets are compared.
VALUES = ("llm_response_chars", "llm_output_tokens", "llm_input_tokens")
# What stays at 0 here; the first only the native module has.
OWN = "llm_panics_total"
NONE_HERE = (OWN, "llm_body_limit_total")
IN_FORCE_S = 0.3  # after which a configuration that Envoy took is in force on its workers
TOLD_EVERY_S = 60.0
PIECES_MAX, PIECE_BYTES_MAX = 16, 8_000
# Of a stream whose deltas come in one piece there is no gap, and edited ones come in any pieces.
GAPS = "llm_longest_gap_ms_count"

Seen = tuple[Any, ...]
Waiting = dict[bytes, asyncio.Future[Received]]
# What both hosts saw of each turn, by its name.
SeenBy = dict[str, Seen]


def configuration(begin_ms: int, share: int, others: int = 0) -> Json:
    """A rollout for each way to name conversations and to edit bodies. `others` are there to make it another one."""
    named: Json = {"match": {"path_prefix": "/v1/"}, "refusal_phrases": True}
    feedback = {"path": "/v1/feedback", "rating": "/rating", "respond": True} | {name: [name] for name in RATINGS}
    bodies = [{"header": "x-conversation-id"}, {"body": "/conversation_id"}, {"header": "x-user-id", "kind": "user"}]
    steps = [{"at": rfc3339(begin_ms - 3 * HOUR_MS), "percent": {"v2": 30}}]
    steps.append({"at": rfc3339(begin_ms - HOUR_MS), "percent": {"v2": 60}})
    versions: list[Json] = [{"name": name, "cluster": cluster} for name, cluster in CLUSTERS.items()]
    versions[1]["rewrite"] = {"model": "chat-v2", "path_prefix": {"from": "/v1/", "to": "/v2/"}}
    staff = {"header": "x-llm-cohort", "values": ["staff"], "version": "v2"}
    split = {"split": {"v2": share}}
    of: dict[str, Json] = {
        "plain": split | {"key": bodies, "pin": {"cookie": "llm_pin"}, "overrides": [staff], "feedback": feedback},
        "timed": {"key": bodies, "steps": steps},
        "edited": split | {"usage": "request", "versions": versions, "pin": {"response_id": True}},
        "numbers": split | {"key": [{"metadata": "llm/conv"}]},
    }

    def match(name: str) -> Json:
        return {"match": named["match"] | {"headers": {"x-rollout": name}}}

    rollouts = [rollout(**(named | match(name) | {"name": name} | fields)) for name, fields in of.items()]
    return config(*rollouts, *(rollout(name=f"other-{at}", match={"path_prefix": "/x/"}) for at in range(others)))


@dataclass(frozen=True)
class Turn:
    """A request, and how its response ends. It comes in `pieces`; one that is edited in one of its answer's ways."""

    name: str
    answer: Answer
    pieces: Sequence[bytes]
    way: int
    ending: str
    padding: int
    is_retry: bool
    rating: str | None


@dataclass(frozen=True)
class Conversation:
    rollout: str
    kind: str
    key: bytes
    turns: Sequence[Turn]

    def headers(self) -> list[Header]:
        names = {"header": b"x-conversation-id", "user": b"x-user-id", "staff": b"x-conversation-id"}
        named = [(names[self.kind], self.key)] if self.kind in names else []
        staff = [(b"x-llm-cohort", b"staff")] if self.kind == "staff" else []
        return [(b"x-rollout", self.rollout.encode()), *named, *staff]

    def body(self, at: int, previous: str | None) -> bytes:
        messages = [{"role": "user", "content": "x" * self.turns[at].padding}]
        messages += [{"role": "assistant", "content": "y"}, {"role": "user", "content": "z"}] * bool(at)
        document: Json = {"model": "chat-large", "stream": self.turns[at].answer.is_stream, "messages": messages}
        if self.kind == "body":
            document["conversation_id"] = self.key.decode()
        if self.kind == "number":
            document["metadata"] = {"conversation_id": int(self.key)}
        if previous is not None:
            document["previous_response_id"] = previous
        return json.dumps(document).encode()


class Plan:
    """Conversations without end, the same from the same seed."""

    def __init__(self, answers: Sequence[Answer], begin_ms: int, seed: int) -> None:
        self._answers, self.begin_ms, self._dice = answers, begin_ms, random.Random(seed)
        self._streams = [answer for answer in answers if answer.is_stream and len(answer.body) > 2]
        self._numbers = itertools.count()
        dice = random.Random(seed)
        self.replies = {answer.name: list(answer.replies(dice)) for answer in answers}

    def round(self, count: int) -> list[Conversation]:
        return [self._conversation() for _ in range(count)]

    def _conversation(self) -> Conversation:
        dice = self._dice
        rollout = dice.choice(ROLLOUTS)
        kinds = {"numbers": ["number", "keyless"], "timed": ["header", "body", "user"]}
        kind = dice.choice(kinds.get(rollout, ["header", "body", "user", "staff", "keyless"]))
        if kind == "number":
            key = b"%d" % dice.choice([dice.randrange(100), dice.randrange(1 << 31), dice.randrange(1 << 53)])
        elif rollout == "timed":
            key = uuid7(self.begin_ms - dice.randrange(5 * HOUR_MS), dice)
        else:
            key = b"c-%d" % dice.getrandbits(64)
        # The filter holds back what it may have to remove: of an edited body nobody knows when all that comes has come.
        turns = [self._turn(is_edited=rollout == "edited") for _ in range(dice.randint(1, TURNS_MAX))]
        return Conversation(rollout, kind, key, turns)

    def _turn(self, is_edited: bool) -> Turn:
        dice = self._dice
        ending = dice.choices(list(ENDINGS), list(ENDINGS.values()))[0]
        is_cut = ending in (CLIENT_ABORT, UPSTREAM_RESET)
        if is_cut and is_edited:
            ending, is_cut = COMPLETE, False
        answer = dice.choice(self._streams if is_cut else self._answers)
        if is_cut:
            cut = dice.randrange(1, len(answer.body))
            answer = Answer(**vars(answer) | {"body": answer.body[:cut]})
        # Also what is no stream by its index may be read as one.
        pieces = self._pieces(answer.body) if not is_edited else ()
        way = dice.randrange(len(self.replies[answer.name]))
        rating = dice.choice(RATINGS) if dice.random() < 0.1 else None
        padding = dice.randrange(PADDING_BYTES_MAX)
        return Turn(str(next(self._numbers)), answer, pieces, way, ending, padding, dice.random() < 0.05, rating)

    def _pieces(self, body: bytes) -> Sequence[bytes]:
        """The body by events, some at once, or cut anywhere; each piece is so short that Envoy reads it at once."""
        cut = events(body) if self._dice.random() < 0.5 else cut_at_random(body, self._dice.random())
        at_once = -(-len(cut) // PIECES_MAX)
        joined = [b"".join(cut[at : at + at_once]) for at in range(0, len(cut), at_once)]
        return [one[at : at + PIECE_BYTES_MAX] for one in joined for at in range(0, len(one), PIECE_BYTES_MAX)]


class Arrivals(list[Received]):
    """Takes the place of a model server's list of requests: it hands each that has a name to whoever waits for it."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting

    def append(self, received: Received) -> None:
        for name in received.header(b"x-name"):
            self._waiting[name].set_result(received)


class Side:
    """One host: it goes through a plan, and keeps what was seen of each turn."""

    def __init__(self, envoy: Envoy, plan: Plan, replies: Replies, waiting: Waiting) -> None:
        self.envoy, self._plan, self._replies, self._waiting = envoy, plan, replies, waiting
        self.requests = self.feedback = 0

    def begin(self) -> None:
        self._client = Client(self.envoy.start().port)

    def end(self) -> None:
        self.envoy.stop()

    async def play(self, conversations: Sequence[Conversation], clients: int) -> SeenBy:
        seen: SeenBy = {}
        remaining = iter(conversations)

        async def converse() -> None:
            for conversation in remaining:
                await self._converse(conversation, seen)

        await asyncio.gather(*(converse() for _ in range(clients)))
        self._client.close()  # those that are idle; their Envoy may close them, too
        return seen

    async def _converse(self, conversation: Conversation, seen: SeenBy) -> None:
        known: list[Header] = []
        previous: str | None = None
        for at, turn in enumerate(conversation.turns):
            name = f"{self.envoy.host}-{turn.name}"
            gates = [asyncio.Event() for _ in (*turn.pieces, "the end")]
            self._replies[name] = self._reply(turn, gates)
            headers = [*conversation.headers(), *known, (b"x-name", name.encode()), (b"x-test-reply", name.encode())]
            headers += [(b"x-stainless-retry-count", b"1")] if turn.is_retry else []
            raw = request(headers=headers, body=conversation.body(at, previous))
            arrived = self._waiting[name.encode()] = asyncio.get_running_loop().create_future()
            try:
                exchange = await self._exchange(turn, raw, gates, arrived)
                seen[turn.name] = (*came(exchange, turn), *reached(await arrived))
            except Exception as error:
                raise AssertionError(
                    f"{name} of {conversation}, {turn.ending} of {turn.answer.name}: {error!r}"
                ) from error
            finally:
                del self._waiting[name.encode()], self._replies[name]
            self.requests += 1
            known = [
                (b"cookie", cookie.split(b";")[0]) for cookie in [exchange.header(b"set-cookie")] if cookie
            ] or known
            previous = response_id(bytes(exchange.body)) if conversation.rollout == "edited" else None
            if turn.rating and conversation.rollout == "plain":
                rated = json.dumps({"rating": turn.rating}).encode()
                target = b"/v1/feedback"
                said = await self._client.send(
                    request(target=target, headers=[*conversation.headers(), *known], body=rated)
                )
                seen[f"{turn.name}, rated"] = said.status, said.header(b"x-llm-version")
                self.feedback += 1

    def _reply(self, turn: Turn, gates: Sequence[asyncio.Event]) -> Reply:
        if turn.ending in (ABORT_BEFORE_HEAD, RESET_BEFORE_HEAD):
            return Reply(steps=(gates[-1], Ending.RESET), framing=Framing.RAW)
        if not turn.pieces:
            return self._plan.replies[turn.answer.name][turn.way]
        steps: list[Step] = [step for pair in zip(turn.pieces, gates, strict=False) for step in pair]
        if turn.ending != COMPLETE:
            steps.append(Ending.RESET)
        has_length = turn.ending == COMPLETE and not turn.answer.is_stream and turn.way % 2
        framing = Framing.LENGTH if has_length else Framing.CHUNKED
        answer = turn.answer
        return Reply(steps=tuple(steps), status=answer.status, content_type=answer.content_type, framing=framing)

    async def _exchange(
        self, turn: Turn, raw: bytes, gates: Sequence[asyncio.Event], arrived: asyncio.Future[Received]
    ) -> Exchange:
        if turn.ending == COMPLETE:
            async with self._client.exchange(raw) as exchange:
                await steps_on(turn, exchange, gates)
                return await exchange.ended()
        connection, exchange = await self._client.start(raw)
        try:
            await asyncio.wait_for(asyncio.shield(arrived), ARRIVES_S_MAX)
            if turn.ending in (CLIENT_ABORT, UPSTREAM_RESET):
                await steps_on(turn, exchange, gates[:-2])
                await exchange.body_reaches(len(turn.answer.body))
            if turn.ending in (CLIENT_ABORT, ABORT_BEFORE_HEAD):
                connection.abort()
            else:
                for gate in gates[-2:]:
                    gate.set()
                await exchange.ended()
        finally:
            connection.close()
        return exchange


async def steps_on(turn: Turn, exchange: Exchange, gates: Sequence[asyncio.Event]) -> None:
    """Lets the server go on each time that all it has sent is here."""
    length = 0
    for piece, gate in zip(turn.pieces, gates, strict=False):
        length += len(piece)
        await exchange.body_reaches(length)
        gate.set()


def came(exchange: Exchange, turn: Turn) -> Seen:
    """What the client saw. One that goes away sees no end."""
    heads = sorted((name, value) for name, value in exchange.headers if name not in CHANGING)
    is_left = turn.ending in (CLIENT_ABORT, ABORT_BEFORE_HEAD)
    return exchange.status, heads, is_left or exchange.complete, digest(bytes(exchange.body))


def reached(received: Received) -> Seen:
    """What the model server saw."""
    lines = [line for line in received.head.split(b"\r\n")[1:] if line.partition(b":")[0].lower() not in CHANGING]
    return received.version, received.target, sorted(lines), digest(received.body)


def digest(body: bytes) -> str:
    return f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}"


def response_id(body: bytes) -> str | None:
    """Of an answer of the Responses API that is whole."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    is_response = isinstance(document, dict) and document.get("object") == "response"
    return document.get("id") if is_response else None


def counted(snapshot: Snapshot) -> dict[str, float]:
    """All that must be equal: counters, gauges, the counts of histograms, and the buckets of those that no clock tells.
    What is left of a rollout that was there for a while is not compared.
    """
    counts = {}
    for (name, labels), value in snapshot.items():
        of_rollout = dict(labels).get("llm_rollout", ROLLOUTS[0]) in ROLLOUTS
        is_bucket = name.endswith("_bucket") and name.removesuffix("_bucket") in VALUES
        is_number = not name.endswith(("_bucket", "_sum")) and name not in (*TIMES, OWN)
        if name == GAPS and ("llm_rollout", "edited") in labels:
            continue
        if name.startswith("llm_") and of_rollout and (is_bucket or is_number):
            counts[f"{name}{dict(sorted(labels))}"] = value
    return counts


def differences(what: str, ours: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """In words. The order is that of the hosts."""
    return [
        f"{what} {key}: {HOSTS[0]} has {ours.get(key)}, {HOSTS[1]} has {others.get(key)}"
        for key in sorted(ours.keys() | others.keys())
        if ours.get(key) != others.get(key)
    ]


class Hosts:
    """Both hosts with one configuration, in front of the same model servers."""

    def __init__(self, sides: Sequence[Side], begin_ms: int, clients: int) -> None:
        self.sides = sides
        self._begin_ms, self._clients = begin_ms, clients
        self._rounds = self.reloads = self.refused = 0
        self.wrong: list[str] = []

    async def round(self, conversations: Sequence[Conversation]) -> None:
        """Under load, a configuration that decides the same, and one that is refused. Then one with another split."""
        playing = [asyncio.create_task(side.play(conversations, self._clients)) for side in self.sides]
        share = share_of(self._rounds)
        await self._push(configuration(self._begin_ms, share, others=1 + self._rounds % 2), "config_reload")
        await self._push(config(rollout(baseline="nobody")), "update_rejected")
        self.refused += 1
        seen = await asyncio.gather(*playing)
        self.wrong += differences(f"round {self._rounds}, turn", *seen)
        self._rounds += 1
        await self._push(configuration(self._begin_ms, share_of(self._rounds)), "config_reload")
        await asyncio.sleep(IN_FORCE_S)

    async def _push(self, pushed: Json, counter: str) -> None:
        for side in self.sides:
            before = await asyncio.to_thread(side.envoy.discovery, counter)
            await asyncio.to_thread(side.envoy.push, pushed)
            await side.envoy.until(partial(has_grown, side.envoy, counter, before), counter)
        self.reloads += counter == "config_reload"

    async def verdict(self) -> list[str]:
        """Everything that differs, in words."""
        for side in self.sides:
            await side.envoy.settled(partial(has_counted, side.requests))
        ours, others = [counted(await side.envoy.flushed()) for side in self.sides]
        wrong = [*self.wrong, *differences("the series", ours, others)]
        for side in self.sides:
            found = await asyncio.to_thread(side.envoy.stats)
            wrong += [f"{side.envoy.host}: {name} is {found.sum(name)}" for name in NONE_HERE if found.sum(name)]
            wrong += [f"{side.envoy.host}: {line}" for line in await asyncio.to_thread(side.envoy.filter_failures)]
        return wrong


def has_grown(envoy: Envoy, counter: str, before: int) -> bool:
    return envoy.discovery(counter) > before


def has_counted(requests: int, seen: Snapshot) -> bool:
    return seen.sum("llm_requests_total") >= requests


def share_of(number: int) -> int:
    return (50, 10, 90, 0, 100)[number % 5]


@asynccontextmanager
async def started(
    binary: Path, folder: Path, answers: Sequence[Answer], seed: int, of: Sequence[Host] = HOSTS
) -> AsyncIterator[tuple[list[Side], Plan]]:
    """An Envoy for each host, in front of the same model servers."""
    begin_ms, replies = now_ms(), Replies()
    servers = {version: await ModelServer(version, replies).start() for version in CLUSTERS}
    waiting: Waiting = {}
    for server in servers.values():
        server.received = Arrivals(waiting)
    ports = {cluster: servers[version].port for version, cluster in CLUSTERS.items()}
    plan = Plan(answers, begin_ms, seed)
    first = configuration(begin_ms, share_of(0))
    envoys = [Envoy(binary, folder / host.name, first, ports, edit=json_to_metadata, host=host) for host in of]
    sides = [Side(envoy, plan, replies, waiting) for envoy in envoys]
    try:
        for side in sides:
            await asyncio.to_thread(side.begin)
        yield sides, plan
    finally:
        for side in sides:
            await asyncio.to_thread(side.end)
        for server in servers.values():
            await server.stop()


async def compare(binary: Path, folder: Path, seconds: float, clients: int, count: int, seed: int = SEED) -> list[str]:
    """Returns everything that differs, in words."""
    answers = [answer for answer, _ in recorded(count)]
    async with started(binary, folder, answers, seed) as (sides, plan):
        both = Hosts(sides, plan.begin_ms, clients)
        ends_at = told_at = time.monotonic()
        ends_at += seconds
        while time.monotonic() < ends_at and not both.wrong:
            await both.round(plan.round(CONVERSATIONS))
            if time.monotonic() - told_at >= TOLD_EVERY_S:
                told_at = time.monotonic()
                say(f"{seconds - (ends_at - told_at):6.0f} s  {both.sides[0].requests} requests to each host")
        wrong = await both.verdict()
        compared = len(counted(await both.sides[0].envoy.flushed()))
        first = both.sides[0]
        say(
            f"{len(answers)} recordings, {first.requests} requests and {first.feedback} ratings to each host, "
            f"{both.reloads} reloads, {both.refused} refused; {compared} series compared"
        )
        if not both.sides[0].requests or not compared:
            wrong.append("nothing was done")
        return wrong


def say(words: str) -> None:
    print(words, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/hosts.sh")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--envoy", required=True, action="append", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    is_wrong = False
    for binary in args.envoy:
        folder = Path(tempfile.mkdtemp(prefix="llm-canary-hosts-"))
        say(f"{binary}:")
        count = SHORT_RECORDINGS if args.minutes <= SHORT_MINUTES else RECORDINGS
        wrong = asyncio.run(compare(binary, folder, 60 * args.minutes, args.clients, count))
        for line in wrong[:SHOWN_MAX]:
            say(f"WRONG: {line}")
        if wrong:
            say(f"failed: {len(wrong)} differences; what the Envoys read and wrote is in {folder}")
            is_wrong = True
        else:
            shutil.rmtree(folder)
            say("passed: both hosts count the same, and every byte is the same")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
