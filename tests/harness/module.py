"""The built modules, and whether one is older than its inputs.

cargo writes beside each output which source files it has read (`.d` files, in make's syntax), so a new crate or folder
needs no change here. Further inputs are the manifests of the packages that these sources belong to, the files that
cargo and rustup read for the whole workspace, and build.sh with the scripts that it sources.
"""

import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.harness.hosts import NATIVE, WASM, Host

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
# Of the filter, and of the program that rewrites its calls.
DEP_INFO = [Path("target/wasm/wasm32-wasip1/release/llm_canary.d"), TARGET / "release" / "llm-canary-indirect.d"]
# Of the native module, which is built in a folder of its own, for this machine.
NATIVE_DEP_INFO = [Path(f"target/native/{os.uname().machine}-unknown-linux-gnu/native/libllm_canary_native.d")]
BUILDS = {WASM: ("./build.sh", DEP_INFO), NATIVE: ("./build.sh --native", NATIVE_DEP_INFO)}
WORKSPACE_FILES = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/config.toml"]
BUILD = "build.sh"


def inputs(root: Path, dep_info: Sequence[Path] = DEP_INFO) -> set[Path]:
    """Every file of the repository at `root` that the module was built from."""
    sources = {path for file in dep_info for path in _sources(root / file)}
    manifests = {_manifest(path, root) for path in sources}
    sourced = re.findall(r'^source "\$root/(\S+)"$', (root / BUILD).read_text(), re.MULTILINE)
    scripts = {root / BUILD} | {root / path for path in sourced}
    workspace = {root / name for name in WORKSPACE_FILES if (root / name).exists()}
    return sources | manifests | scripts | workspace


def stale_input(module: Path, root: Path, dep_info: Sequence[Path] = DEP_INFO) -> Path | None:
    """An input that is newer than the module, or gone; None where the module is up to date."""
    built = module.stat().st_mtime_ns
    for path in sorted(inputs(root, dep_info)):
        if not path.exists() or path.stat().st_mtime_ns > built:
            return path
    return None


def complaint(host: Host = WASM, module: Path | None = None, root: Path = REPOSITORY) -> str | None:
    """Says why tests of this host's module would show nothing; None where they show something."""
    module = module or host.module
    build, dep_info = BUILDS[host]
    missing = [path for path in (module, *(root / file for file in dep_info)) if not path.exists()]
    if missing:
        return f"{missing[0]} is missing: run {build}"
    stale = stale_input(module, root, dep_info)
    return f"{stale.relative_to(root)} is newer than {module}, or gone: run {build}" if stale else None


@functools.cache
def _complaint(host: Host) -> str | None:
    return complaint(host)


def built(host: Host) -> Path:
    """The built filter. Fails the test where it is stale, because tests of a stale one would show nothing."""
    if reason := _complaint(host):
        pytest.fail(reason)
    return host.module


def _sources(dep_info: Path) -> Iterator[Path]:
    """The files behind `output:`. A space in a path is escaped."""
    _, _, prerequisites = dep_info.read_text().partition(": ")
    for path in re.findall(r"(?:\\ |\S)+", prerequisites):
        yield Path(path.replace("\\ ", " "))


def _manifest(source: Path, root: Path) -> Path:
    """The manifest of the package that a source file belongs to."""
    folder = source.parent
    while not (folder / "Cargo.toml").exists() and folder != root:
        folder = folder.parent
    return folder / "Cargo.toml"
