"""Starts real model servers, waits until each answers, and ends each with all that it started."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_S_MAX = 60
STOP_S_MAX = 10
POLL_S = 0.05


class ServerError(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program that serves HTTP on `port`, in a process group of its own."""

    def __init__(self, command, port, health, log, environment=None):
        self.port = port
        self._health = f"http://127.0.0.1:{port}{health}"
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

    def wait(self):
        """Returns once it says that it is well."""
        deadline = time.monotonic() + READY_S_MAX
        while not self._is_well():
            if self._process.poll() is not None:
                raise ServerError(f"ended with status {self._process.returncode}:\n{self._log_end()}")
            if time.monotonic() > deadline:
                raise ServerError(f"not ready within {READY_S_MAX} s:\n{self._log_end()}")
            time.sleep(POLL_S)

    def stop(self):
        """First gently; what is left of its group after that is killed."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def _is_well(self):
        try:
            with urllib.request.urlopen(self._health, timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _log_end(self):
        return self._log.read_text(errors="replace")[-4000:]
