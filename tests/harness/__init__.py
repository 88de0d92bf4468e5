"""What the suites drive: a real Envoy, scripted model servers, steady traffic; and what they have in common.

The HTTP client and the reader of metrics are in pylib/, because the demo uses them, too.
"""

import os
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

# An object of JSON or YAML: a configuration, a bootstrap, a manifest.
Json = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[2]
STREAMS = REPOSITORY / "tests" / "data" / "corpus"

# Versions of Envoy, as scripts/dependencies.sh pins them: the oldest that takes the filter as WebAssembly, the oldest
# that takes it as a native module, and the newest of both.
_PINNED = dict(re.findall(r"\b(ENVOY_\w+)=([\d.]+)", (REPOSITORY / "scripts" / "dependencies.sh").read_text()))
OLDEST, NATIVE_OLDEST, NEWEST = (_PINNED[f"ENVOY_{name}"] for name in ("OLDEST", "NATIVE_OLDEST", "NEWEST"))
SUPPORTED = [OLDEST, NEWEST]


def unavailable(what: str) -> NoReturn:
    """Skips the test, with a reason that test.sh repeats in its summary. With CI=true the test fails, because all must
    run.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (fatal because CI=true)")
    pytest.skip(f"NOT TESTED: {what}")
