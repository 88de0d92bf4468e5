"""A model server that speaks HTTP/2 with prior knowledge. It ignores the headers of requests: the test sets what the
next requests are answered, with or without trailers, and how the answer ends.
"""

import asyncio
import struct
from dataclasses import dataclass, field
from enum import Enum

from pylib.http1 import Header
from tests.harness.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
)

_WINDOW_BYTES = (1 << 31) - 1 - 65_535
_ERROR_CODE = 2  # INTERNAL_ERROR


class Break(Enum):
    """A step that breaks the response off."""

    STREAM = "RST_STREAM"
    GOAWAY = "GOAWAY, and the connection closed"
    CONNECTION = "the connection closed"


@dataclass
class Answer:
    """`steps` are bytes, each a DATA frame; pauses in seconds; events to wait for; and a Break. Without trailers, the
    last frame of data ends the stream, or an empty frame where `ends_empty`. With `head_only` the head ends it. Where
    `head` is None, no head is sent.
    """

    steps: tuple[bytes | float | asyncio.Event | Break, ...]
    head: tuple[Header, ...] | None = ((b":status", b"200"), (b"content-type", b"text/event-stream"))
    trailers: tuple[Header, ...] = ()
    ends_empty: bool = False
    head_only: bool = False


@dataclass
class Request:
    """What has come of a request, without its headers."""

    body: bytearray = field(default_factory=bytearray)
    has_trailers: bool = False
    is_complete: bool = False
    is_reset: bool = False


class Http2Server:
    def __init__(self) -> None:
        self.answer = Answer(())
        self.requests: list[Request] = []

    async def start(self) -> "Http2Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        streams, playing = {}, {}
        try:
            await reader.readexactly(len(PREFACE))
            writer.write(frame(SETTINGS, 0, 0, b""))
            writer.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", _WINDOW_BYTES)))
            while True:
                head = await reader.readexactly(9)
                kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                if kind == SETTINGS and not flags & ACK:
                    writer.write(frame(SETTINGS, ACK, 0, b""))
                elif kind == PING and not flags & ACK:
                    writer.write(frame(PING, ACK, 0, payload))
                elif kind == HEADERS and stream not in streams:
                    streams[stream] = Request()
                    self.requests.append(streams[stream])
                    playing[stream] = asyncio.create_task(self._play(writer, stream, self.answer))
                elif kind == HEADERS:
                    streams[stream].has_trailers = True
                elif kind == DATA:
                    streams[stream].body += payload
                elif kind == RESET:
                    streams[stream].is_reset = True
                    playing[stream].cancel()
                if kind in (HEADERS, DATA) and flags & END_STREAM:
                    streams[stream].is_complete = True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for task in playing.values():
                task.cancel()
            writer.close()

    async def _play(self, writer: asyncio.StreamWriter, stream: int, answer: Answer) -> None:
        if answer.head is not None:
            ends = END_STREAM if answer.head_only else 0
            writer.write(frame(HEADERS, END_HEADERS | ends, stream, block(answer.head)))
        last = len(answer.steps) - 1
        ends_with_data = not answer.trailers and not answer.ends_empty
        for at, step in enumerate(answer.steps):
            match step:
                case bytes():
                    flags = END_STREAM if at == last and ends_with_data else 0
                    writer.write(frame(DATA, flags, stream, step))
                    await writer.drain()
                case asyncio.Event():
                    await step.wait()
                case Break.STREAM:
                    writer.write(frame(RESET, 0, stream, struct.pack(">I", _ERROR_CODE)))
                    return
                case Break.GOAWAY:
                    writer.write(frame(GOAWAY, 0, 0, struct.pack(">II", stream, _ERROR_CODE)))
                    writer.close()
                    return
                case Break.CONNECTION:
                    writer.close()
                    return
                case float() | int():
                    await asyncio.sleep(step)
        if answer.trailers:
            writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(answer.trailers)))
        elif answer.ends_empty:
            writer.write(frame(DATA, END_STREAM, stream, b""))
