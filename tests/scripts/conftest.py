"""What the tests of the scripts share."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


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
