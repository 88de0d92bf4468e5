"""Istio's definitions, the evaluator of their rules, and an Envoy, for the tests of istio/."""

import os
import subprocess

import pytest

import crd
from manifests import CRDS, ROOT, unavailable

SKIPPED = 77  # scripts/dependencies.sh: cannot be had on this machine
MODULE = ROOT / "target" / "llm_canary.wasm"


@pytest.fixture(scope="session")
def schemas():
    """Istio's resources: (apiVersion, kind) -> schema."""
    if not CRDS.is_file():
        unavailable(f"Istio's definitions are not at {CRDS}: name the file in LLM_CANARY_ISTIO_CRDS")
    return crd.by_kind(crd.load(CRDS.read_text()))


@pytest.fixture(scope="session")
def cel():
    """The evaluator of the definitions' CEL rules."""
    try:
        import cel
    except ImportError:
        unavailable("the rules in Istio's definitions need `pip install common-expression-language`")
    return cel


@pytest.fixture(scope="session")
def envoy():
    """The path of an Envoy."""
    if named := os.environ.get("ENVOY_PATH"):
        return named
    found = subprocess.run([ROOT / "scripts" / "dependencies.sh", "envoy"], capture_output=True, text=True)
    if found.returncode == SKIPPED:
        unavailable(f"no Envoy: {found.stderr.strip()}")
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.fixture(scope="session")
def module():
    """The path of the built filter, which is no older than its source."""
    if not MODULE.exists():
        pytest.fail(f"{MODULE} is missing: run ./build.sh")
    newer = [path for path in ROOT.glob("src/**/*.rs") if path.stat().st_mtime > MODULE.stat().st_mtime]
    if newer:
        pytest.fail(f"{MODULE} is older than {newer[0].relative_to(ROOT)}: run ./build.sh")
    return MODULE
