"""Many streams from few connections, at as little cost for the client as can be: it looks only for their ends."""

import asyncio
import itertools

from .client import Connection

_LAST_CHUNK = b"\r\n0\r\n\r\n"


class _Repeating(asyncio.Protocol):
    """Sends the next request as soon as the chunked answer to the last one has ended, until none remains."""

    def __init__(self, remaining):
        self._remaining = remaining
        self._tail = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self._transport = transport
        self._next()

    def _next(self):
        raw = next(self._remaining, None)
        if raw is None:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(raw)

    def data_received(self, data):
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        if self._tail == _LAST_CHUNK:
            self._tail = b""
            self._next()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the connection was closed in the middle of a stream: {error}"))


async def streams(port, raws, count, at_once=16):
    """Sends the requests round and round; returns when that many answers have ended. Each must be chunked."""
    remaining = itertools.islice(itertools.cycle(raws), count)
    loop = asyncio.get_running_loop()
    workers = [await loop.create_connection(lambda: _Repeating(remaining), "127.0.0.1", port) for _ in range(at_once)]
    await asyncio.gather(*(worker.done for _, worker in workers))


async def aborted_streams(port, raw, count, until_bytes):
    """Hangs up on each answer once that many bytes of its body are there."""
    for _ in range(count):
        connection = await Connection.open(port)
        exchange = connection.start(raw)
        await exchange.body_reaches(until_bytes)
        connection.abort()
