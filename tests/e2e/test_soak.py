"""A short soak, so that the long one works when it is needed. CONTRIBUTING.md says how to run that."""

import subprocess
from pathlib import Path

from tests.harness import NEWEST, REPOSITORY
from tests.harness.dependencies import Dependency

MINUTES = 0.2


def test_a_short_soak(module: Path, dependency: Dependency) -> None:
    dependency("envoy", NEWEST)
    command: list[str | Path] = [REPOSITORY / "tests" / "soak.sh", "--minutes", str(MINUTES), "--clients", "16"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
