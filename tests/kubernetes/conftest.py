"""The schemas of other people's resources, for the tests of kubernetes/."""

import os
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, unavailable
from tests.istio import crd
from tests.istio.crd import Schemas

CRDS = Path(os.environ.get("LLM_CANARY_CRDS", REPOSITORY.parent / "shared" / "crds"))
FILES = (
    "argo-rollouts.yaml",
    "argo-analysistemplates.yaml",
    "flagger.yaml",
    "envoygateway-envoyproxies.yaml",
    "envoygateway-envoyextensionpolicies.yaml",
    "gateway-api.yaml",
)


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """The resources of Argo Rollouts, Flagger, Envoy Gateway and the Gateway API: (apiVersion, kind) -> schema."""
    paths = [CRDS / name for name in FILES]
    if not all(path.is_file() for path in paths):
        unavailable(f"the definitions {', '.join(FILES)} are not in {CRDS}: name the folder in LLM_CANARY_CRDS")
    return {key: schema for path in paths for key, schema in crd.by_kind(crd.load(path.read_text())).items()}
