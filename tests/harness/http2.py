"""An HTTP/2 client on raw sockets. It sends one request at a time, its body in the pieces that a test gives, with or
without trailers.

Headers are sent as literals, which every decoder knows. Of a response's head, only the status is read.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pylib.http1 import Header

RESPONSE_S_MAX = 30
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
_INITIAL_WINDOW_SIZE = 4
_CANCEL = 8  # the error of clients that go away
_FRAME_BYTES_MAX = 16_384
_STATUS = {0x88: 200, 0x89: 204, 0x8C: 400, 0x8D: 404, 0x8E: 500}  # RFC 7541, appendix A
STREAM = 1


class Http2Error(Exception):
    pass


async def post(
    port: int,
    headers: Iterable[Header],
    pieces: Iterable[bytes | float],
    trailers: Iterable[Header] = (),
    target: bytes = b"/v1/chat/completions",
) -> tuple[int | None, bytes]:
    """Returns (status, body) of the answer. A piece that is a number is a pause in seconds."""
    client = _Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        return await asyncio.wait_for(client.post(headers, pieces, trailers, target), RESPONSE_S_MAX)
    finally:
        client.close()


@dataclass
class Exchange:
    """What has come of a response. Trailers are kept as they were encoded."""

    status: int | None = None
    body: bytearray = field(default_factory=bytearray)
    trailers: bytes = b""
    is_complete: bool = False
    is_reset: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def until(self, condition: Callable[["Exchange"], object]) -> None:
        async with asyncio.timeout(RESPONSE_S_MAX):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> "Exchange":
        await self.until(lambda exchange: exchange.is_complete or exchange.is_reset)
        return self


class Connection:
    """Many small requests at once on one connection. Flow-control windows are large on either side, so nothing waits
    for them.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._exchanges: dict[int, Exchange] = {}
        self._reading: asyncio.Task[None]

    @classmethod
    async def open(cls, port: int) -> "Connection":
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        settings = struct.pack(">HI", _INITIAL_WINDOW_SIZE, (1 << 31) - 1)
        self._writer.write(PREFACE + frame(SETTINGS, 0, 0, settings))
        self._writer.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 65_536)))
        self._reading = asyncio.create_task(self._read())
        return self

    def start(
        self,
        headers: Iterable[Header],
        body: bytes = b"{}",
        trailers: Iterable[Header] = (),
        target: bytes = b"/v1/chat/completions",
        is_whole: bool = True,
        method: bytes = b"POST",
    ) -> tuple[int, Exchange]:
        """Begins a request, and ends it unless told not to. Returns (stream, exchange)."""
        stream = 2 * len(self._exchanges) + 1
        self._exchanges[stream] = Exchange()
        head = [(b":method", method), (b":scheme", b"http"), (b":authority", b"llm.example.com"), (b":path", target)]
        self._writer.write(frame(HEADERS, END_HEADERS, stream, block([*head, *headers])))
        ends = END_STREAM if is_whole and not trailers else 0
        self._writer.write(frame(DATA, ends, stream, body))
        if trailers:
            self._writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(trailers)))
        return stream, self._exchanges[stream]

    def send_more(self, stream: int, data: bytes) -> None:
        """Sends more of a request that was begun and not ended."""
        self._writer.write(frame(DATA, 0, stream, data))

    def cancel(self, stream: int) -> None:
        self._writer.write(frame(RESET, 0, stream, struct.pack(">I", _CANCEL)))

    def close(self) -> None:
        self._reading.cancel()
        self._writer.close()

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                if kind == SETTINGS and not flags & ACK:
                    self._writer.write(frame(SETTINGS, ACK, 0, b""))
                elif kind == PING and not flags & ACK:
                    self._writer.write(frame(PING, ACK, 0, payload))
                elif (exchange := self._exchanges.get(stream)) is not None:
                    self._take(exchange, kind, flags, payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            for exchange in self._exchanges.values():
                exchange.is_reset |= not exchange.is_complete
                exchange._changed.set()

    @staticmethod
    def _take(exchange: Exchange, kind: int, flags: int, payload: bytes) -> None:
        if kind == HEADERS and exchange.status is None:
            exchange.status = _STATUS.get(payload[0], 0)
        elif kind == HEADERS:
            exchange.trailers = payload
        elif kind == DATA:
            exchange.body += payload
        elif kind == RESET:
            exchange.is_reset = True
        exchange.is_complete |= kind in (HEADERS, DATA) and bool(flags & END_STREAM)
        exchange._changed.set()


class _Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._windows = {0: 65_535, STREAM: 65_535}
        self._window_grew = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b""))

    def close(self) -> None:
        self._reading.cancel()
        self._writer.close()

    async def post(
        self, headers: Iterable[Header], pieces: Iterable[bytes | float], trailers: Iterable[Header], target: bytes
    ) -> tuple[int | None, bytes]:
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"llm.example.com"), (b":path", target)]
        self._write(HEADERS, END_HEADERS, block([*head, (b"content-type", b"application/json"), *headers]))
        sending = asyncio.create_task(self._send(pieces, trailers))
        try:
            return await self._reading
        finally:
            sending.cancel()

    async def _send(self, pieces: Iterable[bytes | float], trailers: Iterable[Header]) -> None:
        for piece in pieces:
            if not isinstance(piece, bytes):
                await asyncio.sleep(piece)
                continue
            for at in range(0, len(piece), _FRAME_BYTES_MAX):
                await self._send_data(piece[at : at + _FRAME_BYTES_MAX])
        if trailers:
            self._write(HEADERS, END_HEADERS | END_STREAM, block(trailers))
        else:
            self._write(DATA, END_STREAM, b"")

    async def _send_data(self, data: bytes) -> None:
        while min(self._windows.values()) < len(data):
            self._window_grew.clear()
            await self._window_grew.wait()
        for window in self._windows:
            self._windows[window] -= len(data)
        self._write(DATA, 0, data)
        await self._writer.drain()

    def _write(self, kind: int, flags: int, payload: bytes) -> None:
        self._writer.write(frame(kind, flags, STREAM, payload))

    async def _read(self) -> tuple[int | None, bytes]:
        status, body = None, bytearray()
        while True:
            head = await self._reader.readexactly(9)
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                for name, value in struct.iter_unpack(">HI", payload):
                    if name == _INITIAL_WINDOW_SIZE:
                        self._grow(STREAM, value - 65_535)
                self._writer.write(frame(SETTINGS, ACK, 0, b""))
            elif kind == WINDOW_UPDATE:
                self._grow(stream, struct.unpack(">I", payload)[0])
            elif kind == PING and not flags & ACK:
                self._writer.write(frame(PING, ACK, 0, payload))
            elif kind in (RESET, GOAWAY):
                raise Http2Error(f"frame {kind} came instead of an answer: {payload!r}")
            elif kind == HEADERS and status is None:
                status = _STATUS.get(payload[0])
            elif kind == DATA:
                body += payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                return status, bytes(body)

    def _grow(self, stream: int, by: int) -> None:
        self._windows[stream] = self._windows.get(stream, 0) + by
        self._window_grew.set()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def block(headers: Iterable[Header]) -> bytes:
    """Literal fields without indexing, names and values as they are (RFC 7541, 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)


def _string(text: bytes) -> bytes:
    assert len(text) < 127, "longer ones need more than one byte of length"
    return bytes([len(text)]) + text
