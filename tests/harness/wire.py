"""How servers write documents: their JSON in several styles, and the framings around it."""

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Order(Enum):
    """The order of an object's keys, which JSON leaves open."""

    WRITTEN = "as in the vendor's documentation"
    REVERSED = "the other way round, so that types and indices follow the text"


@dataclass(frozen=True)
class Style:
    order: Order = Order.WRITTEN
    is_ascii: bool = False  # all other characters are written as \\u escapes

    def __str__(self) -> str:
        return f"{self.order.name.lower()}-{'ascii' if self.is_ascii else 'utf8'}"


STYLES = [Style(order, is_ascii) for order in Order for is_ascii in (False, True)]


@dataclass(frozen=True)
class Document:
    """One document of a stream. `data` that is text is no JSON. `event` is its name, where the framing has names."""

    data: Any
    event: str = ""


# Documents → a piece of the body for each.
Framing = Callable[[Sequence[Document], Style], list[bytes]]


def dump(value: Any, style: Style) -> bytes:
    if style.order is Order.REVERSED:
        value = _reversed(value)
    return json.dumps(value, ensure_ascii=style.is_ascii, separators=(",", ":")).encode()


def _reversed(value: Any) -> Any:
    match value:
        case dict():
            return {key: _reversed(value[key]) for key in reversed(value)}
        case list():
            return [_reversed(item) for item in value]
    return value


def event_stream(line_end: bytes = b"\n", space: bytes = b" ") -> Framing:
    def frame(documents: Sequence[Document], style: Style) -> list[bytes]:
        pieces = []
        for document in documents:
            data = document.data.encode() if isinstance(document.data, str) else dump(document.data, style)
            name = [b"event:" + space + document.event.encode()] if document.event else []
            pieces.append(line_end.join([*name, b"data:" + space + data, b"", b""]))
        return pieces

    return frame


events = event_stream()


def lines(documents: Sequence[Document], style: Style) -> list[bytes]:
    return [dump(document.data, style) + b"\n" for document in documents]


def array(documents: Sequence[Document], style: Style) -> list[bytes]:
    """One JSON array, as Gemini streams it."""
    pieces = [b",\r\n" + dump(document.data, style) for document in documents]
    pieces[0] = b"[" + pieces[0].removeprefix(b",\r\n")
    pieces[-1] += b"\n]\n"
    return pieces


def messages(documents: Sequence[Document], style: Style) -> list[bytes]:
    """Amazon's binary messages."""
    return [_message(document.event, dump(document.data, style)) for document in documents]


def chunk_messages(documents: Sequence[Document], style: Style) -> list[bytes]:
    """The same, of the documents that a model behind Bedrock's invoke writes."""
    wrapped = [
        {"bytes": base64.b64encode(dump(document.data, style)).decode(), "p": "abcdefgh"[: at % 8]}
        for at, document in enumerate(documents)
    ]
    return [_message("chunk", dump(data, style)) for data in wrapped]


_STRING = 7  # the type of a header


def _message(event: str, payload: bytes) -> bytes:
    headers = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    head = b"".join(
        bytes([len(name)]) + name.encode() + bytes([_STRING]) + len(value).to_bytes(2, "big") + value.encode()
        for name, value in headers.items()
    )
    prelude = (16 + len(head) + len(payload)).to_bytes(4, "big") + len(head).to_bytes(4, "big")
    checked = prelude + zlib.crc32(prelude).to_bytes(4, "big") + head + payload
    return checked + zlib.crc32(checked).to_bytes(4, "big")
