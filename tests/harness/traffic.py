"""Steady traffic in the background of a test. Every exchange is kept."""

import asyncio
from collections.abc import Sequence

from pylib.client import Client, Exchange


class Traffic:
    """`async with Traffic(envoy.port, requests, clients) as traffic`: each client sends them round and round."""

    def __init__(self, port: int, requests: Sequence[bytes], clients: int) -> None:
        self._client = Client(port)
        self._requests = requests
        self._clients = clients
        self._stopping = False
        self.exchanges: list[Exchange] = []

    async def __aenter__(self) -> "Traffic":
        self._tasks = [asyncio.create_task(self._send(at)) for at in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)
        self._client.close()

    async def reaches(self, more: int) -> None:
        """Returns once that many further exchanges are over."""
        goal = len(self.exchanges) + more
        while len(self.exchanges) < goal:
            for task in self._tasks:
                if task.done():
                    task.result()
                    raise AssertionError("a client of the background traffic stopped")
            await asyncio.sleep(0.005)

    async def _send(self, at: int) -> None:
        while not self._stopping:
            exchange = await self._client.send(self._requests[at % len(self._requests)])
            self.exchanges.append(exchange)
            at += self._clients
