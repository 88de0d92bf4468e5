"""Ports for programs that must be told where to listen before they do."""

import contextlib
import fcntl
import functools
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Below those that Linux gives to whoever asks for any port, and to clients.
PORTS = range(16_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 at which nothing listens. It is the caller's until this process ends: no other call gives it,
    here or in another process of the same user.
    """
    for port in _untried():
        if _reserve(port) and _is_free(port):
            return port
    raise OSError(f"no port from {PORTS.start} to {PORTS.stop - 1} is left")


@functools.cache
def _untried() -> Iterator[int]:
    return iter(random.SystemRandom().sample(PORTS, len(PORTS)))


@functools.cache
def _reservations() -> BinaryIO:
    """One byte stands for a port. Who has it locked has the port. The system unlocks what an ended process had."""
    return (Path(tempfile.gettempdir()) / f"llm-canary-ports-{os.getuid()}").open("wb")


def _reserve(port: int) -> bool:
    with contextlib.suppress(BlockingIOError, PermissionError):
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        return True
    return False


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False
