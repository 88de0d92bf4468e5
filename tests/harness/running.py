"""The command `run` while it runs, and what it prints."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

STEPS_S_MAX = 40.0
LINE_BYTES_MAX = 1 << 20


class Running:
    """The command with `--json`, and the lines that it has printed, each with its monotonic seconds."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.lines.append((time.monotonic(), json.loads(line)))

    def events(self) -> list[tuple[str, float]]:
        return [(line["event"], line["percent"]) for _, line in self.lines if "event" in line]

    async def reaches(self, event: str, percent: float, s_max: float = STEPS_S_MAX) -> float:
        """Returns when it was printed."""
        async with asyncio.timeout(s_max):
            while (event, percent) not in self.events():
                assert self.process.returncode is None, self.lines
                await asyncio.sleep(0.02)
        return next(at for at, line in self.lines if (line.get("event"), line.get("percent")) == (event, percent))

    async def ends(self, s_max: float = STEPS_S_MAX) -> int:
        code = await asyncio.wait_for(self.process.wait(), s_max)
        await self._reader
        return code


@contextlib.asynccontextmanager
async def started(tool: Path, arguments: Sequence[str | Path], stderr: int | None = None) -> AsyncIterator[Running]:
    """It is killed where the block is left before it has ended."""
    process = await asyncio.create_subprocess_exec(
        tool, *arguments, stdout=asyncio.subprocess.PIPE, stderr=stderr, limit=LINE_BYTES_MAX
    )
    running = Running(process)
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
