"""What the user sees: lines, and below them one line about the present that is drawn anew.

Where stdout is no terminal, that line is printed every few seconds instead.
"""

import shutil
import sys
import textwrap
import time

PLAIN_EVERY_S = 10.0
COLUMNS_MAX = 132
TO_START, CLEAR = "\r", "\x1b[K"


class Screen:
    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._printed_at = time.monotonic()
        self._is_drawn = False

    def say(self, line: str = "", indent: str = "") -> None:
        """Prints a line. In a terminal it is broken where it is too long, with this before what follows."""
        self.clear()
        lines = [line]
        if self._terminal:
            columns = min(COLUMNS_MAX, shutil.get_terminal_size().columns)
            lines = textwrap.wrap(line, columns, subsequent_indent=indent, break_on_hyphens=False) or [""]
        print("\n".join(lines), flush=True)

    def now(self, line: str) -> None:
        """Shows what is the case now."""
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            print(TO_START + CLEAR + line[: columns - 1], end="", flush=True)
            self._is_drawn = True
        elif time.monotonic() - self._printed_at >= PLAIN_EVERY_S:
            print(line, flush=True)
            self._printed_at = time.monotonic()

    def clear(self) -> None:
        """Takes the line about the present away."""
        if self._is_drawn:
            print(TO_START + CLEAR, end="", flush=True)
            self._is_drawn = False
