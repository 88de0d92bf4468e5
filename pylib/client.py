"""An HTTP/1.1 client on asyncio. It sends any bytes, sees the exact bytes that come back while they come, and can hang
up.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable

from pylib.http1 import Response

EXCHANGE_S_MAX = 30


class Exchange(Response):
    """A request, and its response as far as it has come. Moments are monotonic seconds."""

    patience_s: float = EXCHANGE_S_MAX

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.request = raw
        self.started_at = time.monotonic()
        self.ended_at: float | None = None
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], object]) -> None:
        """Returns once the condition holds or the exchange has ended."""
        async with asyncio.timeout(self.patience_s):  # not wait_for, which can swallow a cancellation
            while not condition() and self.ended_at is None:
                self._changed.clear()
                await self._changed.wait()

    async def ended(self) -> "Exchange":
        await self.until(lambda: False)
        return self

    async def head_comes(self) -> None:
        """Returns once the status and the headers are there, or never will be."""
        await self.until(lambda: self.status)

    async def server_continues(self) -> None:
        """Returns once the server has said 100: send the body."""
        await self.until(lambda: self.continues)
        assert self.continues, f"the response ended with status {self.status}, without a 100 before"

    async def body_reaches(self, length: int) -> None:
        """Returns once that many bytes of the body are there; fails where there will be fewer."""
        await self.until(lambda: len(self.body) >= length)
        assert len(self.body) >= length, f"the response ended after {len(self.body)} of {length} bytes"

    def progress(self) -> None:
        """For the connection: something has come."""
        self._changed.set()

    def end(self) -> None:
        """For the connection: nothing more will come."""
        self.ended_at = time.monotonic()
        self._changed.set()


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. After a complete one it can carry another."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._exchange: Exchange | None = None
        self.reusable = True

    @classmethod
    async def open(cls, port: int) -> "Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def start(self, raw: bytes) -> Exchange:
        """Sends a request, or the beginning of one."""
        assert self._exchange is None, "one exchange at a time"
        self._exchange = Exchange(raw)
        self._transport.write(raw)
        return self._exchange

    def send_more(self, raw: bytes) -> None:
        """Sends more of the request that was begun."""
        self._transport.write(raw)

    def abort(self) -> None:
        """Hangs up with a reset, as a process that is killed does."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def half_close(self) -> None:
        """Says that nothing more will be sent, and goes on reading."""
        self._transport.write_eof()

    def stop_reading(self, stop: bool = True) -> None:
        if stop:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    # Called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.reusable = False  # nobody asked
            return
        self._exchange.feed(data)
        if self._exchange.complete:
            self._end_exchange()
        else:
            self._exchange.progress()

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        if self._exchange is not None:
            self._exchange.closed(cleanly=error is None)
            self._end_exchange()

    def _end_exchange(self) -> None:
        assert self._exchange is not None
        self.reusable = self.reusable and self._exchange.reusable
        ended, self._exchange = self._exchange, None
        ended.end()


class Client:
    """Keeps connections to one port alive and sends each request on an idle one."""

    def __init__(self, port: int, patience_s: float = EXCHANGE_S_MAX) -> None:
        self.port = port
        self._patience_s = patience_s
        self._idle: list[Connection] = []

    async def start(self, raw: bytes) -> tuple[Connection, Exchange]:
        """Sends a request on a connection of its own, which the caller closes."""
        connection = await Connection.open(self.port)
        return connection, connection.start(raw)

    async def send(self, raw: bytes) -> Exchange:
        """The exchange once it has ended."""
        connection = await self._connection()
        exchange = connection.start(raw)
        exchange.patience_s = self._patience_s
        try:
            return await exchange.ended()
        finally:
            self._give_back(connection, exchange)

    @contextlib.asynccontextmanager
    async def exchange(self, raw: bytes) -> AsyncIterator[Exchange]:
        """The exchange while it runs. It is given up where the block is left before it has ended."""
        connection = await self._connection()
        exchange = connection.start(raw)
        try:
            yield exchange
        finally:
            self._give_back(connection, exchange)

    async def send_all(self, raws: Iterable[bytes], at_once: int = 32) -> list[Exchange]:
        """The exchanges, in the order of the requests."""
        raws = list(raws)
        results: dict[int, Exchange] = {}
        remaining = iter(range(len(raws)))

        async def worker() -> None:
            for index in remaining:
                results[index] = await self.send(raws[index])

        await asyncio.gather(*(worker() for _ in range(min(at_once, len(raws)))))
        return [results[index] for index in range(len(raws))]

    def _give_back(self, connection: Connection, exchange: Exchange) -> None:
        if exchange.complete and connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await Connection.open(self.port)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
