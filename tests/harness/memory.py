"""What a process holds in memory, and how much of it each WebAssembly VM has grown to."""

from pathlib import Path

# V8 reserves this much address space for each VM's memory, so that no index can leave it, and opens as much of it as
# the VM has grown to.
_RESERVED_BYTES_MIN = 1 << 32
# A VM grows by so much.
VM_PAGE_BYTES = 1 << 16


def forget_peak(pid: int) -> None:
    """Makes the peak begin anew at what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def resident_bytes(pid: int) -> int:
    return _status_bytes(pid, "VmRSS")


def resident_bytes_peak(pid: int) -> int:
    return _status_bytes(pid, "VmHWM")


def _status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"process {pid} shows no {name}")


def vm_bytes(pid: int) -> list[int]:
    """The size of each VM's memory: what is accessible at the start of a reservation."""
    sizes, opened = [], None
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, permissions = line.split()[:2]
        start, end = (int(address, 16) for address in addresses.split("-"))
        if permissions.startswith("rw"):
            opened = (start, end)
        elif permissions.startswith("---") and opened and opened[1] == start and end - start > _RESERVED_BYTES_MIN:
            sizes.append(opened[1] - opened[0])
    return sizes
