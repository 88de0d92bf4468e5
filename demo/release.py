"""`llm-canary run`, as the demo starts it. What it prints is shown; its journal tells where the release is."""

import asyncio
import contextlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.processes import Command, Processes
from demo.screen import Screen

INDENT = "  "
# With the demo's own times in front, those of `run` say nothing more.
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
# It has ended, so what it has printed is there.
NARRATE_S_MAX = 5.0


@dataclass(frozen=True)
class Event:
    """A line of the journal, and when the demo saw it, in Unix seconds."""

    seen_at: float
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.record["event"])

    @property
    def percent(self) -> float:
        return float(self.record["percent"])

    @property
    def worse(self) -> set[str]:
        """The guards that have alarmed, and `limit` where a hard limit was passed."""
        judgement = self.record["judgement"]
        found = {
            signal["name"]
            for signal in judgement["signals"]
            if signal["mode"] == "guard" and signal["verdict"] == "worse"
        }
        passed = any(words.startswith("limit") for words in judgement["because"])
        return found | ({"limit"} if passed else set())


class Difference:
    """A unified difference, line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def takes(self, line: str) -> bool:
        """Whether this line is part of it."""
        is_part = line.startswith("--- ") or (bool(self._lines) and line[:1] in ("+", "-", "@", " "))
        if is_part:
            self._lines.append(line)
        return is_part

    def news(self) -> list[str]:
        """What it adds, but for commas; it begins anew after that."""
        lines, self._lines = self._lines[2:], []
        sides = [[line[1:].strip().rstrip(",") for line in lines if line.startswith(sign)] for sign in "-+"]
        return [line for line in sides[1] if line not in sides[0]]


class Release:
    """The command while it runs."""

    def __init__(self, process: asyncio.subprocess.Process, screen: Screen, journal: Path, began: float) -> None:
        self.events: list[Event] = []
        self._process = process
        self._screen = screen
        self._journal = journal
        self._read = 0
        self._began = began
        self._narrator = asyncio.create_task(self._narrate())

    @classmethod
    async def begin(
        cls, processes: Processes, screen: Screen, command: Command, folder: Path, journal: Path, began: float
    ) -> "Release":
        """Starts it in this folder. `began` is the monotonic time from which the screen counts."""
        return cls(await processes.follow(command, folder), screen, journal, began)

    async def _narrate(self) -> None:
        """Shows what it prints. Of a difference only what is new in the file."""
        assert self._process.stdout is not None
        difference = Difference()
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if difference.takes(line):
                continue
            for new in difference.news():
                self._screen.say(f"{INDENT}+ {new}")
            line = TIME.sub("", line)
            self._screen.say(f"{INDENT}[{time.monotonic() - self._began:3.0f} s] {line}", indent=INDENT * 5)

    def look(self) -> None:
        """Reads what is new in the journal."""
        with contextlib.suppress(FileNotFoundError):
            lines = self._journal.read_bytes().split(b"\n")[:-1]
            for line in lines[self._read :]:
                self.events.append(Event(time.time(), json.loads(line)))
            self._read = len(lines)

    def first(self, name: str, percent: float | None = None) -> Event | None:
        """The first event of this name, at this share."""
        found = (event for event in self.events if event.name == name and percent in (None, event.percent))
        return next(found, None)

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    async def ended(self) -> int:
        """Returns its exit code, once it has ended and all that it printed is shown."""
        code = await self._process.wait()
        await asyncio.wait([self._narrator], timeout=NARRATE_S_MAX)
        self.look()
        return code
