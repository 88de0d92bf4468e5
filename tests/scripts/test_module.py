"""Whether tests notice that the built module is stale: every input of the build makes it so."""

import os
import tomllib
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.harness.hosts import HOSTS, NATIVE, WASM, Host
from tests.harness.module import BUILDS, DEP_INFO, NATIVE_DEP_INFO, complaint, inputs, stale_input
from tests.scripts.test_build import build, module_of

BUILT_S, NEWER_S = 1_700_000_000, 1_700_000_001
FILTER = ["src/lib.rs", "src/route.rs", "reading/src/lib.rs"]
SOURCES = {
    WASM: {DEP_INFO[0]: FILTER, DEP_INFO[1]: ["indirect/src/main.rs"]},
    NATIVE: {NATIVE_DEP_INFO[0]: [*FILTER, "native/src/deep/er.rs"]},
}
MANIFESTS = {
    WASM: ["Cargo.toml", "reading/Cargo.toml", "indirect/Cargo.toml"],
    NATIVE: ["Cargo.toml", "reading/Cargo.toml", "native/Cargo.toml"],
}
OTHERS = ["Cargo.lock", "rust-toolchain.toml", "build.sh", "scripts/lib.sh", "scripts/wasm_toolchain.sh"]
EVERY_INPUT = {
    host: [*(path for paths in sources.values() for path in paths), *MANIFESTS[host], *OTHERS]
    for host, sources in SOURCES.items()
}
EACH = pytest.mark.parametrize("host", HOSTS, ids=str)


def module(root: Path, host: Host) -> Path:
    return root / "target" / host.module.name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is built, in a folder with a space in its name."""
    root = tmp_path / "a repository"

    def write(name: str | Path, text: str = "") -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, (BUILT_S, BUILT_S))

    for name in [*EVERY_INPUT[WASM], *EVERY_INPUT[NATIVE], "README.md", "tests/it/main.rs", "src/not_compiled.rs"]:
        write(name)
    write("build.sh", 'root=.\nsource "$root/scripts/lib.sh"\nsource "$root/scripts/wasm_toolchain.sh"\n')
    for file, sources in (SOURCES[WASM] | SOURCES[NATIVE]).items():
        paths = (str(root / source).replace(" ", r"\ ") for source in sources)
        write(file, f"{root}/output: {' '.join(paths)}\n")
    for host in HOSTS:
        write(module(root, host).relative_to(root))
    return root


@EACH
def test_a_module_that_is_up_to_date(root: Path, host: Host) -> None:
    assert complaint(host, module(root, host), root) is None
    assert inputs(root, BUILDS[host][1]) == {root / name for name in EVERY_INPUT[host]}


@pytest.mark.parametrize(("host", "name"), [(host, name) for host in HOSTS for name in EVERY_INPUT[host]], ids=str)
def test_every_input_makes_it_stale(root: Path, host: Host, name: str) -> None:
    built, (command, dep_info) = module(root, host), BUILDS[host]
    os.utime(root / name, (NEWER_S, NEWER_S))
    assert stale_input(built, root, dep_info) == root / name
    said = complaint(host, built, root)
    assert said is not None and said.startswith(f"{name} is newer than") and said.endswith(f"run {command}")


@EACH
def test_a_source_that_is_gone_makes_it_stale(root: Path, host: Host) -> None:
    (root / "src/route.rs").unlink()
    assert stale_input(module(root, host), root, BUILDS[host][1]) == root / "src/route.rs"


@EACH
@pytest.mark.parametrize("name", ["README.md", "tests/it/main.rs", "src/not_compiled.rs"])
def test_what_the_build_does_not_read_does_not(root: Path, host: Host, name: str) -> None:
    os.utime(root / name, (NEWER_S, NEWER_S))
    assert complaint(host, module(root, host), root) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [(host, name) for host in HOSTS for name in (f"target/{host.module.name}", *map(str, BUILDS[host][1]))],
    ids=str,
)
def test_what_was_not_built_is_said(root: Path, host: Host, name: str) -> None:
    (root / name).unlink()
    said = complaint(host, module(root, host), root)
    assert said is not None and name in said and "is missing" in said


def test_the_inputs_are_those_of_this_repository() -> None:
    """Every source that the filter's package compiles, that of the crates it is made of, and what build.sh sources."""
    module_of(REPOSITORY, build(REPOSITORY))
    found = {str(path.relative_to(REPOSITORY)) for path in inputs(REPOSITORY)}
    assert {"src/lib.rs", "src/route.rs", "Cargo.toml", *OTHERS} <= found
    needed = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["dependencies"].values()
    crates = [dependency["path"] for dependency in needed if "path" in dependency]
    assert crates
    for crate in [*crates, "indirect"]:
        assert {f"{crate}/Cargo.toml", f"{crate}/src/lib.rs"} <= found
    assert complaint() is None
