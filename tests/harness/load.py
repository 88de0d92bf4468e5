"""Many streams on few connections, at little cost for the client. It looks only for the end of each answer, which is
why it does not use pylib.client: that reads every byte.
"""

import asyncio
import itertools
from collections.abc import Iterable, Iterator

from pylib.client import Connection

_LAST_CHUNK = b"\r\n0\r\n\r\n"


class _Repeating(asyncio.Protocol):
    """Sends the next request as soon as the chunked answer to the last one has ended, until none remains."""

    def __init__(self, remaining: Iterator[bytes]) -> None:
        self._remaining = remaining
        self._tail = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        raw = next(self._remaining, None)
        if raw is None:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        if self._tail == _LAST_CHUNK:
            self._tail = b""
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the connection was closed in the middle of a stream: {error}"))


async def streams(port: int, raws: Iterable[bytes], count: int, at_once: int = 16) -> None:
    """Sends the requests round and round; returns when that many answers have ended. Each must be chunked."""
    remaining = itertools.islice(itertools.cycle(raws), count)
    loop = asyncio.get_running_loop()
    workers = [await loop.create_connection(lambda: _Repeating(remaining), "127.0.0.1", port) for _ in range(at_once)]
    await asyncio.gather(*(worker.done for _, worker in workers))


async def aborted_streams(port: int, raw: bytes, count: int, until_bytes: int) -> None:
    """Hangs up on each answer once that many bytes of its body have come."""
    for _ in range(count):
        connection = await Connection.open(port)
        exchange = connection.start(raw)
        await exchange.body_reaches(until_bytes)
        connection.abort()
