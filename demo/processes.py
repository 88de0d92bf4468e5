"""The programs that the demo starts: each in a process group of its own, and all stopped together."""

import asyncio
import contextlib
import os
import shlex
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from pylib.http1 import HttpError, get

READY_S_MAX = 30.0
STOP_S_MAX = 5.0
LOG_LINES_SHOWN = 20

Command = Sequence[str | Path]


class DemoError(Exception):
    """Ends the demo with a message for the user."""


class CannotBeHad(DemoError):
    """This machine cannot have a program that the demo needs."""


class Processes:
    """`async with` ends what was started within it, the newest first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, asyncio.subprocess.Process]] = []
        self._followed: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Processes":
        return self

    async def __aexit__(self, *_: object) -> None:
        # Shielded, because a second Ctrl-C must not leave a process behind.
        await asyncio.shield(self._stop_all())

    async def start(self, name: str, command: Command, folder: Path) -> None:
        """Starts a server. Its output goes to a log file."""
        with self._log(name).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running.append((name, process))

    async def run(self, command: Command, folder: Path, seconds_max: float | None = None) -> tuple[int, str]:
        """Runs a command to its end, which must come in time, and returns its status and stdout. Its stderr is ours."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        entry = (str(command[0]), process)
        self._running.append(entry)
        try:
            async with asyncio.timeout(seconds_max):
                stdout, _ = await process.communicate()
        except TimeoutError:
            raise DemoError(f"{shlex.join(map(str, command))} has not ended after {seconds_max:.0f} s") from None
        self._running.remove(entry)
        return process.returncode or 0, stdout.decode()

    async def follow(self, command: Command, folder: Path) -> asyncio.subprocess.Process:
        """Starts a program that may end by itself. The caller reads what it prints, stdout and stderr in one."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._followed.append(process)
        return process

    async def ready(self, name: str, port: int, path: str) -> None:
        """Waits until the server started under this name answers 200 to a GET."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + READY_S_MAX
        while True:
            try:
                await asyncio.to_thread(get, port, path)
                return
            except (HttpError, OSError) as error:
                self.check()
                if loop.time() > give_up_at:
                    raise DemoError(
                        f"{name} is not ready after {READY_S_MAX:.0f} s ({error}){self._log_end(name)}"
                    ) from None
            await asyncio.sleep(0.05)

    def check(self) -> None:
        """Fails where a program that was started has ended."""
        for name, process in self._running:
            if process.returncode is not None:
                raise DemoError(f"{name} ended with status {process.returncode}{self._log_end(name)}")

    def _log_end(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()
        return "\n  ".join(["; the end of its log:", *lines[-LOG_LINES_SHOWN:]])

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    async def _stop_all(self) -> None:
        started = [process for _, process in self._running] + self._followed
        for process in reversed(started):
            signal_group(process, signal.SIGTERM)
        # One time for all of them.
        waits = [asyncio.create_task(process.wait()) for process in started]
        if waits:
            await asyncio.wait(waits, timeout=STOP_S_MAX)
        for process in started:
            if process.returncode is None:
                signal_group(process, signal.SIGKILL)
        await asyncio.gather(*waits)
        self._running.clear()
        self._followed.clear()


def signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def free_port(preferred: int, taken: set[int]) -> int:
    """Returns the preferred port, or any free one where that is in use, or is 0."""
    for port in (preferred, 0, 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found not in taken:
                taken.add(found)
                return found
    raise DemoError("no free port on 127.0.0.1")
