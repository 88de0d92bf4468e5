"""The manifests of istio/."""

import os
from pathlib import Path

from tests.harness import REPOSITORY, Json
from tests.istio import crd

ISTIO = REPOSITORY / "istio"
CRDS = Path(os.environ.get("LLM_CANARY_ISTIO_CRDS", REPOSITORY.parent / "shared" / "crds" / "istio.yaml"))

# What is YAML and no resource of Istio's: a patch for a Deployment, and values for a Helm chart.
NOT_MANIFESTS = {"stats-annotations.yaml", "mesh-values.yaml"}
FILES = sorted(path for path in ISTIO.glob("*.yaml") if path.name not in NOT_MANIFESTS)
EXAMPLE_FILES = [ISTIO / f"{name}-wasmplugin.yaml" for name in ("kserve", "triton")]
PLUGIN_FILES = sorted({*ISTIO.glob("*-wasmplugin.yaml"), *ISTIO.glob("*-trafficextension.yaml")} - {*EXAMPLE_FILES})


def documents(name: str) -> dict[str, Json]:
    """The documents of one file of istio/, by kind."""
    docs = crd.load((ISTIO / name).read_text())
    return {doc["kind"]: doc for doc in docs}


def plugin_config(manifest: Json) -> Json:
    """The filter's configuration. TrafficExtension keeps it one level deeper."""
    spec = manifest["spec"]
    return (spec["wasm"] if manifest["kind"] == "TrafficExtension" else spec)["pluginConfig"]
