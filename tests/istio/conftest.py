"""Istio's definitions and the evaluator of their rules, for the tests of istio/."""

import pytest

import crd
from manifests import CRDS, unavailable


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
