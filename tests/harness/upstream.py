"""Model servers on raw sockets. A test writes down what a server sends, byte by byte and pause by pause, and how it
ends; the server writes down what it was asked.

A request names its reply in the header `x-test-reply`. Without one it gets a short, whole chat completion. An iterator
of replies gives another one each time.
"""

import asyncio
import itertools
import random
import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pylib.http1 import Header

_REPLY_HEADER = re.compile(rb"\r\nx-test-reply: ([^\r]*)\r\n")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked\r\n", re.IGNORECASE)

DEFAULT_TEXT = "Fine."
DEFAULT_BODY = (
    b'{"id":"chatcmpl-e2e","object":"chat.completion","created":1700000000,"model":"chat-large","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Fine."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}'
)


class Framing(Enum):
    LENGTH = "content-length"
    CHUNKED = "chunked"
    OWN_HEADERS = "as the reply's headers say, true or not"
    RAW = "the steps are all there is, the head included"


class Ending(Enum):
    """A step that breaks the response off. Without one, a response ends as HTTP says it should."""

    RESET = "RST"
    FIN = "FIN"


Step = bytes | float | asyncio.Event | Ending


@dataclass(frozen=True)
class Reply:
    """What a server sends. `steps` are played in order: bytes are written at once, a float is a pause in seconds, an
    asyncio.Event holds the response until the test sets it, an Ending breaks it off.
    """

    steps: tuple[Step, ...] = (DEFAULT_BODY,)
    status: int = 200
    content_type: str | None = "application/json"
    headers: tuple[Header, ...] = ()
    framing: Framing = Framing.CHUNKED

    @property
    def body(self) -> bytes:
        return b"".join(step for step in self.steps if isinstance(step, bytes))

    def head(self) -> bytes:
        if self.framing is Framing.RAW:
            return b""
        lines = [b"HTTP/1.1 %d Scripted" % self.status]
        if self.content_type is not None:
            lines.append(b"content-type: " + self.content_type.encode())
        lines += [name + b": " + value for name, value in self.headers]
        if self.framing is Framing.CHUNKED:
            lines.append(b"transfer-encoding: chunked")
        elif self.framing is Framing.LENGTH:
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join(lines) + b"\r\n\r\n"


# By name. Each is a Reply, or an iterator that says another one each time.
Replies = dict[str, Any]


def whole(body: bytes, **fields: Any) -> Reply:
    return Reply(steps=(body,), framing=Framing.LENGTH, **fields)


def stream(*steps: Step, **fields: Any) -> Reply:
    return Reply(steps=steps, content_type="text/event-stream", **fields)


def events(body: bytes) -> tuple[bytes, ...]:
    """The stream's bytes, cut after each event, as servers write them."""
    return tuple(re.findall(rb".+?(?:\r?\n\r?\n|\Z)", body, re.DOTALL))


def cut_at_random(body: bytes, seed: float, pieces_max: int = 40) -> tuple[bytes, ...]:
    """The same bytes, cut anywhere: within events, JSON or characters."""
    dice = random.Random(seed)
    cuts = (
        sorted(dice.sample(range(1, len(body)), min(len(body) - 1, dice.randint(1, pieces_max))))
        if len(body) > 1
        else []
    )
    return tuple(body[start:end] for start, end in itertools.pairwise([0, *cuts, len(body)]))


def cut_into_bytes(body: bytes) -> tuple[bytes, ...]:
    return tuple(body[at : at + 1] for at in range(len(body)))


@dataclass
class Received:
    """One request as it arrived at a model server."""

    version: str
    head: bytes
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def target(self) -> bytes:
        return self.head.split(b" ", 2)[1]

    def header(self, name: bytes) -> list[bytes]:
        """Every value of a header, in order."""
        found = []
        for line in self.head.split(b"\r\n")[1:]:
            n, _, value = line.partition(b":")
            if n.lower() == name:
                found.append(value.strip(b" \t"))
        return found


class ModelServer:
    """One version of a model. `replies` is shared by all versions, `received` is its own."""

    def __init__(self, version: str, replies: Replies) -> None:
        self.version = version
        self.replies = replies
        self.received: list[Received] = []

    async def start(self) -> "ModelServer":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._input = bytearray()
        self._playing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        if self._playing is not None:
            self._playing.cancel()

    def data_received(self, data: bytes) -> None:
        self._input += data
        received = self._take_request()
        if received is None:
            return
        self._server.received.append(received)
        named = _REPLY_HEADER.search(received.head)
        reply = self._server.replies[named[1].decode()] if named else _DEFAULT
        if isinstance(reply, Iterator):
            reply = next(reply)
        if reply is _DEFAULT:
            self._transport.write(_DEFAULT_WIRE)
        else:
            self._playing = asyncio.get_running_loop().create_task(self._play(reply))

    def _take_request(self) -> Received | None:
        head_end = self._input.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        head = bytes(self._input[: head_end + 2])
        if _CHUNKED.search(head):
            chunks, request_end = bytearray(), head_end + 4
            while True:
                size_end = self._input.find(b"\r\n", request_end)
                if size_end < 0:
                    return None
                size = int(self._input[request_end:size_end], 16)
                chunk_start, request_end = size_end + 2, size_end + 2 + size + 2
                if len(self._input) < request_end:
                    return None
                chunks += self._input[chunk_start : chunk_start + size]
                if not size:
                    body = bytes(chunks)
                    break
        else:
            length = _CONTENT_LENGTH.search(head)
            request_end = head_end + 4 + (int(length[1]) if length else 0)
            if len(self._input) < request_end:
                return None
            body = bytes(self._input[head_end + 4 : request_end])
        del self._input[:request_end]
        return Received(self._server.version, head, body)

    async def _play(self, reply: Reply) -> None:
        chunked = reply.framing is Framing.CHUNKED
        self._transport.write(reply.head())
        for step in reply.steps:
            match step:
                case bytes():
                    self._transport.write(b"%x\r\n%b\r\n" % (len(step), step) if chunked else step)
                    await asyncio.sleep(0)
                case float() | int():
                    await asyncio.sleep(step)
                case asyncio.Event():
                    await step.wait()
                case Ending.FIN:
                    self._transport.close()
                    return
                case Ending.RESET:
                    sock = self._transport.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._transport.abort()
                    return
                case _:
                    raise TypeError(f"a reply cannot do {step!r}")
        if chunked:
            self._transport.write(b"0\r\n\r\n")


_DEFAULT = whole(DEFAULT_BODY)
_DEFAULT_WIRE = _DEFAULT.head() + DEFAULT_BODY
