"""build.sh: its output, its errors, and the module that it makes in each way."""

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import REPOSITORY

WASM_MAGIC = b"\0asm\x01\0\0\0"
ELF_MAGIC = b"\x7fELF"
GLIBC_MAX = (2, 35)  # of Envoy's images
EXIT_USAGE = 2


def build(folder: Path, way: str = "auto", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "build.sh"],
        env=os.environ | {"LLM_CANARY_WASM_TOOLCHAIN": way} | environment,
        cwd="/",  # it must not matter where it is called from
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def module_of(folder: Path, built: subprocess.CompletedProcess[str]) -> bytes:
    """Returns the module, checked against what the last line says of it."""
    assert built.returncode == 0, built.stderr
    said = re.fullmatch(r"(target/llm_canary\.wasm) (\d+) bytes", built.stdout.splitlines()[-1])
    assert said, built.stdout
    module = (folder / said[1]).read_bytes()
    assert len(module) == int(said[2])
    assert module.startswith(WASM_MAGIC)
    assert built.stdout.splitlines()[-2] == f"{hashlib.sha256(module).hexdigest()}  {said[1]}"
    return module


def assert_no_path_of_this_machine(module: bytes, folder: Path) -> None:
    home = os.path.expanduser("~") + "/"
    elsewhere = [os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME", "LLM_CANARY_CACHE") if os.environ.get(name)]
    for path in (str(folder), home, *elsewhere):
        assert path.encode() not in module, f"the module holds {path}"


def test_prints_path_and_size_last() -> None:
    module = module_of(REPOSITORY, build(REPOSITORY))
    assert_no_path_of_this_machine(module, REPOSITORY)
    assert b"proxy_on_context_create" in module, "the module exports no filter"


def native_module_of(folder: Path, **environment: str) -> bytes:
    """Builds the native module of a folder, and checks it against what the last two lines say of it."""
    built = subprocess.run(
        [folder / "build.sh", "--native"],
        env=os.environ | environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    assert "profdata" not in built.stderr, built.stderr
    said = re.fullmatch(r"(target/libllm_canary-\d+\.\d+\.\d+\.so) (\d+) bytes", built.stdout.splitlines()[-1])
    assert said, built.stdout
    module = (folder / said[1]).read_bytes()
    assert len(module) == int(said[2])
    assert module.startswith(ELF_MAGIC)
    assert built.stdout.splitlines()[-2] == f"{hashlib.sha256(module).hexdigest()}  {said[1]}"
    return module


def test_the_native_module_is_the_same_from_each_folder(checkout: Callable[[str], Path], tmp_path: Path) -> None:
    """And it needs nothing but glibc, and exports Envoy's hooks and not those of WebAssembly."""
    module = native_module_of(REPOSITORY)
    assert_no_path_of_this_machine(module, REPOSITORY)
    assert b"envoy_dynamic_module_on_http_filter_config_new" in module
    assert b"proxy_on_context_create" not in module
    assert b"libgcc_s" not in module
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", module)
    assert max((int(major), int(minor)) for major, minor in versions) <= GLIBC_MAX
    copy = checkout("another copy, of the native module")
    again = native_module_of(copy, **other_home(tmp_path / "another home"))
    assert hashlib.sha256(module).digest() == hashlib.sha256(again).digest()


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--native", "vax"], {}, "vax is not supported; use x86_64 or aarch64"),
        (["--tool", "vax"], {}, "vax is not supported; use x86_64 or aarch64"),
        (["--frobnicate"], {}, "unknown option --frobnicate; try ./build.sh --help"),
        ([], {"LLM_CANARY_WASM_TOOLCHAIN": "magic"}, "use auto, installed, rustup or debian"),
    ],
)
def test_names_what_it_does_not_know(arguments: list[str], environment: dict[str, str], said: str) -> None:
    ended = subprocess.run(
        [REPOSITORY / "build.sh", *arguments], env=os.environ | environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (EXIT_USAGE, "")
    assert said in ended.stderr


def test_says_what_to_do_where_no_way_is_open(tmp_path: Path) -> None:
    """A machine with neither rustup's tools nor Debian's."""
    for tool in ("bash", "env", "dirname", "sed"):
        (tmp_path / tool).symlink_to(
            subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        )
    built = build(REPOSITORY, PATH=str(tmp_path))
    assert built.returncode == 1
    for line in (
        "cargo and rustc are not on PATH",
        "there is no rustup",
        "not a Debian system",
        "Any one of these is enough",
    ):
        assert line in built.stderr


def other_home(folder: Path) -> dict[str, str]:
    """A home and a cargo home in another folder, with the crates that are on this machine already."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    (folder / "cargo" / "registry").mkdir(parents=True)
    for path in [*cargo.glob("config*"), *cargo.glob("registry/*")]:
        (folder / "cargo" / path.relative_to(cargo)).symlink_to(path)
    rustup = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
    return {"HOME": str(folder), "CARGO_HOME": str(folder / "cargo"), "RUSTUP_HOME": rustup}


def test_link_time_optimisation_is_on(checkout: Callable[[str], Path], tmp_path: Path) -> None:
    """And two builds in different folders, whose paths hold spaces, with different homes, give the same bytes."""
    first, second = checkout("one copy"), checkout("another copy, elsewhere")
    built = build(first, CARGO_TERM_VERBOSE="true")
    module = module_of(first, built)
    [last] = [line for line in built.stderr.splitlines() if "--crate-name llm_canary " in line]
    assert "--crate-type cdylib" in last and " -C lto " in last, last
    assert_no_path_of_this_machine(module, first)
    again = module_of(second, build(second, **other_home(tmp_path / "another home")))
    assert_no_path_of_this_machine(again, tmp_path)
    assert hashlib.sha256(module).digest() == hashlib.sha256(again).digest()


@pytest.mark.parametrize("way", ["rustup", "debian"])
def test_every_way_builds(way: str, checkout: Callable[[str], Path], ci_only: None) -> None:
    folder = checkout(f"by {way}")
    module = module_of(folder, build(folder, way))
    assert b"proxy_on_context_create" in module
    assert_no_path_of_this_machine(module, folder)
