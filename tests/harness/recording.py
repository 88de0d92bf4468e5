"""What the admin pages of several Envoys showed, moment by moment, to be shown again: by servers in the Envoys' place,
and as samples in a file.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.harness.envoy import Envoy

PATH = "/stats/prometheus?filter=llm_"
NOTHING = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

# None stands for an Envoy that does not serve.
Page = str | None


@dataclass
class Recording:
    """`moments` are the pages of all Envoys at one time each."""

    moments: list[list[Page]] = field(default_factory=list)

    async def take(self, envoys: Sequence[Envoy | None]) -> None:
        async def page(envoy: Envoy | None) -> Page:
            return None if envoy is None else await asyncio.to_thread(envoy.admin, PATH)

        self.moments.append(list(await asyncio.gather(*map(page, envoys))))

    def file(self, begin_s: int, span_s: int) -> str:
        """All samples, the moments so many seconds apart."""
        lines = [
            line
            for at, pages in enumerate(self.moments)
            for instance, page in enumerate(pages)
            if page is not None
            for line in samples(page, f"envoy-{instance}", begin_s + at * span_s)
        ]
        return "\n".join([*lines, "# EOF\n"])

    async def servers(self) -> list["PageServer"]:
        """One in the place of each Envoy."""
        return [await PageServer(pages).start() for pages in zip(*self.moments, strict=True)]


def samples(page: str, instance: str, at_s: float) -> Iterator[str]:
    for line in page.splitlines():
        if line and not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.removesuffix("}").partition("{")
            own = f'instance="{instance}"'
            yield f"{name}{{{','.join(filter(None, [own, labels]))}}} {value} {at_s}"


class PageServer:
    """Answers each request with the next page; the last one stays."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = list(pages)

    async def start(self) -> "PageServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        page = self._pages.pop(0) if len(self._pages) > 1 else self._pages[0]
        writer.write(NOTHING if page is None else _response(page.encode()))
        await writer.drain()
        writer.close()


def _response(page: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(page), page)
