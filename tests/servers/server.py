"""Starts real model servers, waits until they answer, and stops each with all that it has started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pylib.http1 import HttpError, get

READY_S_MAX = 60
STOP_S_MAX = 10
POLL_S = 0.05


class ServerError(Exception):
    pass


class Server:
    """A program that serves HTTP on `port`, in a process group of its own."""

    def __init__(
        self, command: Sequence[object], port: int, health: str, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self.grpc_port: int | None = None  # where it speaks gRPC, if it does
        self._health = health
        self._log = Path(log)
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | (environment or {}),
                start_new_session=True,
            )

    def wait(self) -> None:
        """Returns once the server says that it is ready."""
        deadline = time.monotonic() + READY_S_MAX
        while not self._is_well():
            if self._process.poll() is not None:
                raise ServerError(f"ended with status {self._process.returncode}:\n{self._log_end()}")
            if time.monotonic() > deadline:
                raise ServerError(f"not ready within {READY_S_MAX} s:\n{self._log_end()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ends the server, and kills what is left of its process group after some time."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S_MAX)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _is_well(self) -> bool:
        try:
            get(self.port, self._health, timeout_s=1)
        except (OSError, HttpError):
            return False
        return True

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]
