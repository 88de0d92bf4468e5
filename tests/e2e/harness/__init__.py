"""What the end-to-end tests drive: a real Envoy, scripted model servers, and a client that may send any bytes."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
STREAMS = REPOSITORY / "tests" / "data" / "corpus"

# Envoy's versions
OLDEST, NEWEST = "1.36.2", "1.40.0"
SUPPORTED = [OLDEST, NEWEST]


def unavailable(what):
    """Loud on somebody's machine, fatal where everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (fatal because CI=true)")
    pytest.skip(f"SKIPPED, NOT TESTED: {what}")
