"""Recorded pages in the place of an Envoy's admin page: each request gets the next one, and the last one stays."""

import asyncio
from collections.abc import Sequence

NOTHING = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Pages:
    """None stands for an Envoy that does not serve."""

    def __init__(self, pages: Sequence[str | None]) -> None:
        self._pages = list(pages)

    async def start(self) -> "Pages":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        page = self._pages.pop(0) if len(self._pages) > 1 else self._pages[0]
        writer.write(NOTHING if page is None else response(page.encode()))
        await writer.drain()
        writer.close()


def response(page: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(page), page)
