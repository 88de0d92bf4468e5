"""The schemas of other people's resources, for the tests of kubernetes/."""

import pytest

from tests.harness import definitions
from tests.harness.definitions import Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    """The resources of Argo Rollouts, Flagger, Envoy Gateway and the Gateway API: (apiVersion, kind) -> schema."""
    return definitions.schemas()
