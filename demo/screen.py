"""What the user sees: lines, and a block that is redrawn in place.

Where stdout is no terminal, the block is printed again every few seconds instead.
"""

import sys
import time

PLAIN_EVERY_S = 5.0
UP, CLEAR_BELOW = "\x1b[{}A", "\x1b[J"


class Screen:
    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._drawn = 0
        self._printed_at = 0.0
        self._last: list[str] = []

    def say(self, line: str) -> None:
        print(line, flush=True)

    def live(self, lines: list[str]) -> None:
        self._last = lines
        if self._terminal:
            up = UP.format(self._drawn) if self._drawn else ""
            print(up + CLEAR_BELOW + "\n".join(lines), flush=True)
            self._drawn = len(lines)
        elif time.monotonic() - self._printed_at >= PLAIN_EVERY_S:
            self._print()

    def end_live(self) -> None:
        """Leaves the last state on the screen."""
        if not self._terminal:
            self._print()
        self._drawn = 0

    def _print(self) -> None:
        print("\n".join(self._last), flush=True)
        self._printed_at = time.monotonic()
