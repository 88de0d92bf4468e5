"""Whether tests notice that the built module is stale: every input of the build makes it so."""

import os
import re
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.harness.hosts import WASM
from tests.harness.module import DEP_INFO, complaint, inputs, stale_input
from tests.scripts.test_build import build, module_of

BUILT_S, NEWER_S = 1_700_000_000, 1_700_000_001
SOURCES = {
    DEP_INFO[0]: ["src/lib.rs", "src/route.rs", "reading/src/lib.rs", "native/src/deep/er.rs"],
    DEP_INFO[1]: ["indirect/src/main.rs"],
}
MANIFESTS = ["Cargo.toml", "reading/Cargo.toml", "indirect/Cargo.toml", "native/Cargo.toml"]
OTHERS = ["Cargo.lock", "rust-toolchain.toml", "build.sh", "scripts/lib.sh", "scripts/wasm_toolchain.sh"]
EVERY_INPUT = [*(path for paths in SOURCES.values() for path in paths), *MANIFESTS, *OTHERS]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is built, in a folder with a space in its name."""
    root = tmp_path / "a repository"

    def write(name: str | Path, text: str = "") -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        os.utime(root / name, (BUILT_S, BUILT_S))

    for name in [*EVERY_INPUT, "README.md", "tests/it/main.rs", "src/not_compiled.rs"]:
        write(name)
    write("build.sh", "root=.\nsource scripts/lib.sh\nsource scripts/wasm_toolchain.sh\n")
    for file, sources in SOURCES.items():
        paths = (str(root / source).replace(" ", r"\ ") for source in sources)
        write(file, f"{root}/output: {' '.join(paths)}\n")
    write("target/llm_canary.wasm")
    return root


def test_a_module_that_is_up_to_date(root: Path) -> None:
    assert complaint(WASM, root / "target/llm_canary.wasm", root) is None
    assert inputs(root) == {root / name for name in EVERY_INPUT}


@pytest.mark.parametrize("name", EVERY_INPUT)
def test_every_input_makes_it_stale(root: Path, name: str) -> None:
    module = root / "target/llm_canary.wasm"
    os.utime(root / name, (NEWER_S, NEWER_S))
    assert stale_input(module, root) == root / name
    said = complaint(WASM, module, root)
    assert said is not None and said.startswith(f"{name} is newer than") and "./build.sh" in said


def test_a_source_that_is_gone_makes_it_stale(root: Path) -> None:
    (root / "src/route.rs").unlink()
    assert stale_input(root / "target/llm_canary.wasm", root) == root / "src/route.rs"


@pytest.mark.parametrize("name", ["README.md", "tests/it/main.rs", "src/not_compiled.rs"])
def test_what_the_build_does_not_read_does_not(root: Path, name: str) -> None:
    os.utime(root / name, (NEWER_S, NEWER_S))
    assert complaint(WASM, root / "target/llm_canary.wasm", root) is None


@pytest.mark.parametrize("name", ["target/llm_canary.wasm", *map(str, DEP_INFO)])
def test_what_was_not_built_is_said(root: Path, name: str) -> None:
    (root / name).unlink()
    said = complaint(WASM, root / "target/llm_canary.wasm", root)
    assert said is not None and name in said and "is missing" in said


def test_the_inputs_are_those_of_this_repository() -> None:
    """Every source that the filter's package compiles, that of the crates it is made of, and what build.sh sources."""
    module_of(REPOSITORY, build(REPOSITORY))
    found = {str(path.relative_to(REPOSITORY)) for path in inputs(REPOSITORY)}
    assert {"src/lib.rs", "src/route.rs", "Cargo.toml", *OTHERS} <= found
    crates = re.findall(r'^llm-canary-\w+ = \{ path = "(\w+)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)
    for crate in [*crates, "indirect"]:
        assert {f"{crate}/Cargo.toml", f"{crate}/src/lib.rs"} <= found
    assert complaint() is None
