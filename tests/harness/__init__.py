"""What the suites drive: a real Envoy, scripted model servers, steady traffic; and what they have in common.

The HTTP client and the reader of metrics are in pylib/, because the demo uses them, too.
"""

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

# An object of JSON or YAML: a configuration, a bootstrap, a manifest.
Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
STREAMS = REPOSITORY / "tests" / "data" / "corpus"

# Versions of Envoy. scripts/dependencies.sh pins the same.
OLDEST, NEWEST = "1.36.2", "1.40.0"
SUPPORTED = [OLDEST, NEWEST]


def unavailable(what: str) -> NoReturn:
    """Skips the test, with a reason that test.sh repeats in its summary. With CI=true the test fails, because all must
    run.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (fatal because CI=true)")
    pytest.skip(f"NOT TESTED: {what}")
