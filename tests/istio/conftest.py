"""Istio's definitions, the evaluator of their rules, and an Envoy, for the tests of istio/."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.harness import NEWEST, unavailable
from tests.harness.dependencies import dependency
from tests.istio import crd
from tests.istio.crd import Schemas
from tests.istio.manifests import CRDS


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """Istio's resources: (apiVersion, kind) -> schema."""
    if not CRDS.is_file():
        unavailable(f"Istio's definitions are not at {CRDS}: name the file in LLM_CANARY_ISTIO_CRDS")
    return crd.by_kind(crd.load(CRDS.read_text()))


@pytest.fixture(scope="session")
def cel() -> ModuleType:
    """The evaluator of the definitions' CEL rules."""
    try:
        import cel
    except ImportError:
        unavailable("the rules in Istio's definitions need `pip install common-expression-language`")
    return cel


@pytest.fixture(scope="session")
def envoy() -> Path:
    """The path of the newest supported Envoy."""
    return dependency("envoy", NEWEST)
