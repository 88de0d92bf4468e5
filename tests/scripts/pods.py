"""Pods on this machine: containers with a file system of their own, and a network that they share.

A container sees what its image holds and what is mounted, as kubelet would mount it; it runs as its user, and cannot
write where the manifest says so. That needs root, for Linux's namespaces. There is no cluster: nothing here schedules,
restarts or probes.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import unavailable

# The loopback interface of a new network is down.
LOOPBACK = """
import fcntl, socket, struct, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
print("up", flush=True)
sys.stdin.read()
"""

ENTER = """
set -e
root=$1 user=$2 mode=$3
shift 3
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --rbind "$1" "$root$2"
  shift 2
done
shift
if [ "$mode" = ro ]; then mount -o remount,ro,bind "$root"; fi
exec chroot --userspec="$user" --groups= "$root" "$@"
"""


@dataclass
class Container:
    """A file system, and what is mounted into it: path -> folder or file of this machine."""

    root: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)
    user: str = "65532:65532"
    is_read_only: bool = True

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        mounted: list[str | Path] = []
        for path, source in self.mounts.items():
            target = self.root / path.lstrip("/")
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            mounted += [source, path]
        mode = "ro" if self.is_read_only else "rw"
        return [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", ENTER, "sh", self.root, self.user, mode, *mounted, "--", *arguments),
        ]


@dataclass
class Pod:
    """A network with nothing but a loopback interface."""

    holder: int

    def inside(self, command: Sequence[str | Path]) -> list[str | Path]:
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", "--", *command]

    def run(self, command: Sequence[str | Path], timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.inside(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )


@contextlib.contextmanager
def pod() -> Iterator[Pod]:
    if os.geteuid() != 0:
        unavailable("containers of a pod need root")
    command = ["unshare", "--net", sys.executable, "-c", LOOPBACK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        if holder.stdout.readline() != "up\n":
            unavailable("this machine makes no new network for a pod")
        try:
            yield Pod(holder.pid)
        finally:
            holder.stdin.close()
