"""A short soak, so that the long one works when it is needed. CONTRIBUTING.md says how to run that."""

import subprocess
from pathlib import Path

from tests.harness import REPOSITORY
from tests.harness.dependencies import Dependency
from tests.harness.hosts import Platform
from tests.harness.module import built

MINUTES = 0.2


def test_a_short_soak(platform: Platform, dependency: Dependency) -> None:
    built(platform.host)
    dependency("envoy", platform.version)
    soak = REPOSITORY / "tests" / "soak.sh"
    command: list[str | Path] = [soak, "--host", platform.host.name, "--minutes", str(MINUTES), "--clients", "16"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
