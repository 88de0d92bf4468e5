"""Answers of language models as such, without the API that carries them, and what a request asked for."""

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Any

from tests.harness.wire import Document, Framing, Style, chunk_messages, dump, events

PIECE_CHARS_MAX = 9


class Finish(StrEnum):
    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"


@dataclass(frozen=True)
class Call:
    name: str
    arguments: str = "{}"

    @property
    def has_object(self) -> bool:
        """Whether the arguments can be sent as an object."""
        try:
            return isinstance(json.loads(self.arguments), dict)
        except ValueError:
            return False

    @property
    def object(self) -> Any:
        return json.loads(self.arguments)


@dataclass(frozen=True)
class Answer:
    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    is_cut: bool = False  # by a limit of tokens

    @property
    def finish(self) -> Finish:
        if self.is_cut:
            return Finish.LENGTH
        return Finish.TOOL_CALLS if self.calls else Finish.STOP

    @property
    def has_text_block(self) -> bool:
        """Most servers send a text that is empty where there is nothing at all."""
        return bool(self.text or not (self.reasoning or self.calls))


@dataclass(frozen=True)
class Asked:
    tools: tuple[str, ...] = ()
    json: bool = False


class Has(Flag):
    """What an API can carry."""

    REASONING = auto()
    CALLS = auto()
    TEXT_ARGUMENTS = auto()  # arguments of calls are text, not objects
    JSON = auto()  # a request can ask for it
    FINISH = auto()  # a reason for the end
    CHOICES = auto()  # several answers in one response
    END = auto()  # a stream shows that it is complete
    NOTHING = 0


@dataclass(frozen=True)
class Stream:
    """`end` are the documents that say that the answer is complete, and those after them."""

    documents: list[Document]
    end: list[Document]


@dataclass(frozen=True)
class Dialect:
    """One API. `stream` and `whole` encode the answers of one response, of which there may be several only with
    Has.CHOICES. `reads` is the name by which the filter knows it.
    """

    name: str
    reads: str
    target: str
    ask: Callable[[Asked], dict[str, Any]]
    has: Has
    whole: Callable[[Sequence[Answer]], Any] | None = None
    stream: Callable[[Sequence[Answer]], Stream] | None = None
    framing: Framing = events
    content_type: str = "text/event-stream"
    only_whole: Has = Has.NOTHING
    only_streamed: Has = Has.NOTHING


@dataclass(frozen=True)
class Body:
    """A response's body: `pieces` that the server writes before the end, and `end`."""

    pieces: tuple[bytes, ...]
    end: bytes
    content_type: str

    @property
    def bytes(self) -> bytes:
        return b"".join([*self.pieces, self.end])


@dataclass(frozen=True)
class Mode:
    """A dialect, streamed or whole."""

    dialect: Dialect
    is_streamed: bool

    def __str__(self) -> str:
        return f"{self.dialect.name}-{'stream' if self.is_streamed else 'whole'}"

    @property
    def reads(self) -> str:
        """The filter's name of it. What Bedrock wraps has one name, whatever it is."""
        is_wrapped = self.is_streamed and self.dialect.framing is chunk_messages
        return "bedrock-invoke" if is_wrapped else self.dialect.reads

    @property
    def has(self) -> Has:
        dialect = self.dialect
        return dialect.has | (dialect.only_streamed if self.is_streamed else dialect.only_whole)

    def encode(self, answers: Sequence[Answer], style: Style) -> Body:
        dialect = self.dialect
        if self.is_streamed:
            assert dialect.stream is not None
            stream = dialect.stream(answers)
            framed = dialect.framing([*stream.documents, *stream.end], style)
            split = len(stream.documents)
            return Body(tuple(framed[:split]), b"".join(framed[split:]), dialect.content_type)
        assert dialect.whole is not None
        body = dump(dialect.whole(answers), style)
        return Body((body[: len(body) // 2],), body[len(body) // 2 :], "application/json")


def modes(dialects: Sequence[Dialect]) -> list[Mode]:
    """Each dialect in the modes that it has."""
    both = [Mode(dialect, is_streamed) for dialect in dialects for is_streamed in (True, False)]
    return [mode for mode in both if (mode.dialect.stream if mode.is_streamed else mode.dialect.whole) is not None]


def pieces(text: str) -> list[str]:
    """The text in deltas of a few characters each, the same for the same text."""
    dice = random.Random(text)
    cuts = [0]
    while cuts[-1] < len(text):
        cuts.append(min(len(text), cuts[-1] + dice.randint(1, PIECE_CHARS_MAX)))
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def alternating(streams: Sequence[Sequence[Document]]) -> list[Document]:
    """The documents of several answers as they come together, of the last answer first."""
    rows = itertools.zip_longest(*reversed(streams))
    return [document for row in rows for document in row if document is not None]
