"""What the scripts say to --help."""

import subprocess
from pathlib import Path

import pytest

from tests.harness import REPOSITORY

SCRIPTS = sorted(
    path.relative_to(REPOSITORY)
    for folder in (".", "bench", "fuzz", "scripts", "tests")
    for path in (REPOSITORY / folder).glob("*.sh")
    if path.read_text().startswith("#!/usr/bin/env bash\n# Usage:")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_it_shows_its_usage_from_any_folder(script: Path, option: str, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.symlink_to(REPOSITORY)
    shown = subprocess.run([folder.name / script, option], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage: ") and str(script) in shown.stdout.splitlines()[0], shown
    assert "set -" not in shown.stdout


def test_an_image_may_be_named_before_it() -> None:
    shown = subprocess.run(["scripts/image.sh", "wasm", "--help"], cwd=REPOSITORY, capture_output=True, check=True)
    assert shown.stdout.startswith(b"Usage: scripts/image.sh")
