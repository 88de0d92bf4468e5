"""The programs that validate files and run commands."""

from pathlib import Path

import pytest

from tests.harness import NEWEST
from tests.harness.dependencies import dependency
from tests.harness.hosts import NATIVE, WASM
from tests.harness.module import built
from tests.shipped.validators import Workshop


@pytest.fixture(scope="session")
def modules() -> dict[str, Path]:
    """The built module for each host, by the ending of its file."""
    return {path.suffix: path for path in map(built, (WASM, NATIVE))}


@pytest.fixture
def shop(tool: Path, modules: dict[str, Path], tmp_path: Path) -> Workshop:
    watched = tmp_path / "discovery"
    watched.mkdir()
    (watched / "none.yaml").write_text("resources: []\n")
    return Workshop(
        tool=tool,
        envoy=dependency("envoy", NEWEST),
        promtool=dependency("prometheus") / "promtool",
        files={**modules, "discovery": watched},
        folder=tmp_path,
    )
