"""What the tests of the scripts share."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import REPOSITORY
from tests.harness.dependencies import Dependency
from tests.harness.hosts import NATIVE, WASM
from tests.harness.module import built
from tests.scripts.images import MACHINE, Pushed, digests, image_sh, registry


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[[str], Path]:
    """A function that copies the working tree, without built files, into a folder of that name."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY,
            capture_output=True,
            check=True,
        )
        for path in filter(None, listed.stdout.decode().split("\0")):
            if (REPOSITORY / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / path, folder / path)
        return folder

    return copy


@pytest.fixture
def ci_only() -> None:
    """Skips what is too slow for everyday use. CI runs it."""
    if os.environ.get("CI") != "true":
        pytest.skip("takes a minute or more; runs with CI=true")


@pytest.fixture(scope="session")
def pushed(dependency: Dependency, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    """Built once, and pushed. The tool is a quick build; a program that is static stands for kubectl."""
    for host in (WASM, NATIVE):
        built(host)
    for program in ("buildah", "cargo_cyclonedx"):
        dependency(program)
    made = subprocess.run(
        [REPOSITORY / "build.sh", "--tool"],
        env=os.environ | {"LLM_CANARY_TOOL_PROFILE": "dev"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"target/llm-canary \d+ bytes", made.stdout.splitlines()[-1])
    tool = REPOSITORY / "target" / "llm-canary"
    folder = tmp_path_factory.mktemp("images")
    (folder / "registry").mkdir()
    with registry(dependency("registry"), folder / "registry") as server:
        arguments: list[str | Path] = [
            "--no-build",
            "--machine",
            MACHINE,
            "--output",
            folder / "out",
            "--plain-http",
            "--kubectl",
            tool,
        ]
        ran = image_sh(
            *arguments, "--push", f"127.0.0.1:{server.port}/team", "--label", "org.opencontainers.image.vendor=a team"
        )
        yield Pushed(server, folder / "out", digests(ran), tool)
