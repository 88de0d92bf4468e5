"""The little HTTP/1.1 that the demo's model server and its clients need, on asyncio streams.

In: an asyncio reader. Out: heads and body pieces as they arrive. It knows nothing of models,
of Envoy, or of TLS, and reads only what well-behaved peers on this machine send.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType

HEAD_BYTES_MAX = 64 * 1024
TIMEOUT_S = 30.0


class HttpError(Exception):
    """The peer hung up, or said something that is not HTTP/1.1."""


@dataclass(frozen=True)
class Head:
    """A request's or response's first line and its headers, names in lower case."""

    first_line: str
    headers: dict[str, str]

    @property
    def status(self) -> int:
        return int(self.first_line.split(" ", 2)[1])


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """None where the peer closed the connection between two messages."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise HttpError("the connection closed within a head") from None
        return None
    except asyncio.LimitOverrunError:
        raise HttpError(f"a head longer than {HEAD_BYTES_MAX} bytes") from None
    except ConnectionError as error:
        raise HttpError(str(error)) from None
    first_line, *lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return Head(first_line, {name.strip().lower(): value.strip() for name, _, value in pairs})


async def read_body(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body's pieces as they arrive, without the chunked framing."""
    try:
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        elif length := int(head.headers.get("content-length", "0")):
            yield await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise HttpError("the connection closed within a body") from error


class Connection:
    """One kept-alive client connection; `async with` opens and closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Head:
        """Sends a request and reads the response's head; the body is read with `body`."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=HEAD_BYTES_MAX)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self._port}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        async with asyncio.timeout(TIMEOUT_S):  # not wait_for, which can swallow a cancellation
            head = await read_head(reader)
        if head is None:
            raise HttpError("the connection closed before the response")
        return head

    async def body(self, head: Head) -> AsyncIterator[bytes]:
        assert self._streams is not None, "send comes first"
        async for piece in read_body(self._streams[0], head):
            yield piece
        if head.headers.get("connection", "").lower() == "close":
            self.close()


async def get(port: int, path: str) -> bytes:
    """A whole 200 response, on a connection of its own."""
    async with Connection(port) as connection:
        head = await connection.send("GET", path, {"connection": "close"})
        body = b"".join([piece async for piece in connection.body(head)])
    if head.status != 200:
        raise HttpError(f"GET {path}: {head.first_line}: {body[:200]!r}")
    return body
