"""A short soak, so that the long one works when it is wanted. CONTRIBUTING.md says how to run that."""

import subprocess

from harness import NEWEST, REPOSITORY

MINUTES = 0.2


def test_a_short_soak(module, dependency):
    dependency("envoy", NEWEST)
    command = [REPOSITORY / "tests" / "soak.sh", "--minutes", str(MINUTES), "--clients", "16"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
