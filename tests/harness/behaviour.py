"""Versions of a model that differ in what a release can break: how often they refuse, fail and loop, how long their
answers are, and how late.

A reply's name is that of a behaviour and a number, such as `longer/17`. A version says the same to it each time, so
what there is to find does not depend on chance.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pylib.http1 import request
from tests.harness import Json
from tests.harness.upstream import Ending, Framing, Reply, Step, stream

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
LEAK = "<|im_end|>"
# Longer than a stall is waited for.
NEVER_S = 600.0
PROSE = (
    "the river carries more water after rain and ferries wait until morning while people on both banks talk about "
    "weather prices bridges old boats new timetables and what their neighbours saw last night from windows"
)
WORDS = PROSE.split()


@dataclass(frozen=True)
class Behaviour:
    """`refuses` and all that follow it are parts of all answers, 0 to 1."""

    chars: float = CHARS  # on average
    first_token_s: float = 0.1  # on average
    stream_s: float = STREAM_S  # of an answer of the usual length
    refuses: float = 0.1
    fails: float = 0.0
    loops: float = 0.0
    is_empty: float = 0.0
    is_cut: float = 0.0  # by a limit of tokens
    leaks: float = 0.0  # a token of the template
    is_reset: float = 0.0  # the connection, within the stream
    hangs: float = 0.0  # before the first byte


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
    """The replies of a version, by name. Each is made when it is asked for. `behaviours` may change meanwhile."""

    def __init__(self, version: str, behaviours: Mapping[str, Behaviour], is_kept: bool = True) -> None:
        super().__init__()
        self._version = version
        self._behaviours = behaviours
        self._is_kept = is_kept

    def __missing__(self, name: str) -> Reply:
        behaviour = self._behaviours[name.partition("/")[0]]
        made = reply(behaviour, random.Random(f"{self._version} {name}"))
        return self.setdefault(name, made) if self._is_kept else made


def reply(behaviour: Behaviour, dice: random.Random) -> Reply:
    """Chunked, whatever it is."""

    def around(mean: float) -> float:
        return mean * dice.uniform(1 - SPREAD, 1 + SPREAD)

    length, first_token_s, chance = around(behaviour.chars), around(behaviour.first_token_s), dice.random()
    text = prose(dice, length)[: round(length)]

    def said(text: str, finish: str = "stop") -> Reply:
        return answer(text, first_token_s, behaviour.stream_s, finish)

    odd: list[tuple[float, Callable[[], Reply]]] = [
        (behaviour.fails, lambda: failure(dice, first_token_s)),
        (behaviour.loops, lambda: said(LOOP)),
        (behaviour.is_empty, lambda: said("")),
        (behaviour.is_cut, lambda: said(text, "length")),
        (behaviour.leaks, lambda: said(text + LEAK)),
        (behaviour.is_reset, lambda: stream(first_token_s, delta(text[:9]), STREAM_S, Ending.RESET)),
        (behaviour.hangs, lambda: Reply(steps=(NEVER_S,), framing=Framing.RAW)),
        (behaviour.refuses, lambda: said((REFUSAL + text)[: round(length)])),
    ]
    for part, say in odd:
        if chance < part:
            return say()
        chance -= part
    return said(text)


def prose(dice: random.Random, length: float) -> str:
    words: list[str] = []
    chars = 0
    while chars < length:
        words.append(dice.choice(WORDS))
        chars += len(words[-1]) + 1
    return " ".join(words) + " "


def answer(text: str, first_token_s: float, stream_s: float = STREAM_S, finish: str = "stop") -> Reply:
    """In pieces of equal size, as fast as all other answers of this behaviour."""
    relative = len(text) / CHARS
    size = -(-len(text) // PIECES)
    pieces = [delta(text[at : at + size]) for at in range(0, len(text), size)] if text else [b""]
    pause_s = stream_s * relative / (PIECES - 1)
    steps: list[Step] = [first_token_s]
    for piece in pieces[:-1]:
        steps += [piece, pause_s]
    usage = {"prompt_tokens": 9, "completion_tokens": round(TOKENS * relative), "total_tokens": 99}
    end = event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
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
