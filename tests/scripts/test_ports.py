"""Ports of tests that run side by side."""

import subprocess
import sys

from tests.harness import REPOSITORY
from tests.harness.ports import PORTS, free_port

COUNT = 2_000
TAKE = f"from tests.harness.ports import free_port\nprint(*(free_port() for _ in range({COUNT})), flush=True)\ninput()"


def test_a_port_is_given_once_by_all_processes_together() -> None:
    # Of 16,000 ports, three that choose 2,000 each at random would surely meet.
    command = [sys.executable, "-c", TAKE]
    others = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    given = [free_port() for _ in range(COUNT)]
    for other in others:
        assert other.stdout is not None
        given += [int(port) for port in other.stdout.readline().split()]
    for other in others:
        other.communicate("\n")
        assert other.returncode == 0
    assert len(given) == len(set(given)) == 3 * COUNT
    assert all(port in PORTS for port in given)
