"""Versions of a model that differ in what a release can break: how often they refuse, fail and loop, how long their
answers are, and how late.

A reply's name is that of a behaviour and a number, such as `longer/17`. A version says the same to it each time, so
what there is to find does not depend on chance.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from pylib.http1 import request
from tests.harness import Json
from tests.harness.upstream import Reply, Step, stream

PIECES = 3
# An answer of the usual length comes in this time, and has so many tokens. Others have more of both.
CHARS = 260
STREAM_S = 0.04
TOKENS = 24
# A length or a pause differs from its mean by this part of it at most.
SPREAD = 0.5

REFUSAL = "I'm sorry, but I can't help with that request. "
# As long as most answers.
LOOP = "I will look at the file again. " * 10
PROSE = (
    "the river carries more water after rain and ferries wait until morning while people on both banks talk about "
    "weather prices bridges old boats new timetables and what their neighbours saw last night from windows"
)
WORDS = PROSE.split()


@dataclass(frozen=True)
class Behaviour:
    """`refuses`, `fails` and `loops` are parts of all answers, 0 to 1."""

    chars: float = CHARS  # on average
    first_token_s: float = 0.1  # on average
    refuses: float = 0.1
    fails: float = 0.0
    loops: float = 0.0


def ask(name: str, number: int, turn: int = 1) -> bytes:
    """A request of a conversation, of the rollout and for the behaviour of this name."""
    conversation = f"{name}-{number}"
    headers = {"x-rollout": name, "x-conversation-id": conversation, "x-test-reply": f"{name}/{number}.{turn}"}
    question = [{"role": "user", "content": "How is the ferry?"}]
    before = [*question, {"role": "assistant", "content": "It waits."}] * (turn - 1)
    body = {"model": "m", "stream": True, "messages": [*before, *question]}
    encoded = [(header.encode(), value.encode()) for header, value in headers.items()]
    return request(headers=encoded, body=json.dumps(body).encode())


class Behaving(dict[str, Reply]):
    """The replies of a version, by name. Each is made when it is asked for."""

    def __init__(self, version: str, behaviours: Mapping[str, Behaviour]) -> None:
        super().__init__()
        self._version = version
        self._behaviours = behaviours

    def __missing__(self, name: str) -> Reply:
        behaviour = self._behaviours[name.partition("/")[0]]
        return self.setdefault(name, reply(behaviour, random.Random(f"{self._version} {name}")))


def reply(behaviour: Behaviour, dice: random.Random) -> Reply:
    """Chunked, whatever it is."""

    def around(mean: float) -> float:
        return mean * dice.uniform(1 - SPREAD, 1 + SPREAD)

    length, first_token_s, chance = around(behaviour.chars), around(behaviour.first_token_s), dice.random()
    if chance < behaviour.fails:
        return failure(dice, first_token_s)
    chance -= behaviour.fails
    if chance < behaviour.loops:
        return answer(LOOP, first_token_s)
    refusal = REFUSAL if chance - behaviour.loops < behaviour.refuses else ""
    return answer((refusal + prose(dice, length))[: round(length)], first_token_s)


def prose(dice: random.Random, length: float) -> str:
    words: list[str] = []
    chars = 0
    while chars < length:
        words.append(dice.choice(WORDS))
        chars += len(words[-1]) + 1
    return " ".join(words) + " "


def answer(text: str, first_token_s: float) -> Reply:
    """In pieces of equal size, as fast as all other answers."""
    relative = len(text) / CHARS
    size = -(-len(text) // PIECES)
    pieces = [delta(text[at : at + size]) for at in range(0, len(text), size)]
    pause_s = STREAM_S * relative / (PIECES - 1)
    steps: list[Step] = [first_token_s]
    for piece in pieces[:-1]:
        steps += [piece, pause_s]
    usage = {"prompt_tokens": 9, "completion_tokens": round(TOKENS * relative), "total_tokens": 99}
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    last = event({"choices": [], "usage": usage})
    return stream(*steps, pieces[-1] + end + last + b"data: [DONE]\n\n")


def failure(dice: random.Random, first_token_s: float) -> Reply:
    """Of each kind: a bad status, an error within the stream, a stream without its end."""
    wrong = {"error": {"message": "the engine died", "type": "server_error", "code": 500}}
    begun = (first_token_s, delta("the river "), STREAM_S)
    match dice.randrange(3):
        case 0:
            return Reply(steps=(first_token_s, json.dumps(wrong).encode()), status=500)
        case 1:
            return stream(*begun, event(wrong))
        case _:
            return stream(*begun, delta("carries"))


def delta(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def event(fields: Json) -> bytes:
    about = {"id": "chatcmpl-e2e", "object": "chat.completion.chunk", "created": 1700000000, "model": "chat-large"}
    return b"data: " + json.dumps(about | fields, separators=(",", ":")).encode() + b"\n\n"
