"""Keeps what Envoy counted, second by second, in a file from which the tool can judge again: `--from`."""

import asyncio
import time
from pathlib import Path

from pylib.http1 import HttpError, get

EVERY_S = 1.0
# In the middle of each second, because windows of a second begin at its beginning, and each shall have one sample.
PHASE_S = 0.5
# A page that comes later is missing. No thread that waits for one holds up the end of the demo.
PAGE_S_MAX = 2.0
# The filter's series; shards are in it, too.
PAGE = "/stats/prometheus?filter=llm_"


class Recorder:
    """Appends to this file until it is cancelled."""

    def __init__(self, admin_port: int, path: Path) -> None:
        self._port = admin_port
        self._path = path

    async def run(self) -> None:
        with self._path.open("wb") as file:
            while True:
                await asyncio.sleep(EVERY_S - (time.time() - PHASE_S) % EVERY_S)
                at_s = time.time()
                try:
                    page = await asyncio.to_thread(get, self._port, PAGE, PAGE_S_MAX)
                except (HttpError, OSError):
                    page = b""  # the demo finds out by itself that Envoy has ended
                file.write(samples(page, at_s))
                file.flush()


def samples(page: bytes, at_s: float) -> bytes:
    """Each line of the page with the time at which it was read."""
    end = b" %.3f\n" % at_s
    return b"".join(line + end for line in page.splitlines() if line and not line.startswith(b"#"))
