"""The manifests of istio/, and how a missing part is treated."""

import os
from pathlib import Path

import pytest

import crd

ROOT = Path(__file__).resolve().parents[2]
ISTIO = ROOT / "istio"
CRDS = Path(os.environ.get("LLM_CANARY_ISTIO_CRDS", ROOT.parent / "shared" / "crds" / "istio.yaml"))

# What is YAML and no resource of Istio's: a patch for a Deployment, and values for a Helm chart.
NOT_MANIFESTS = {"stats-annotations.yaml", "mesh-values.yaml"}
FILES = sorted(path for path in ISTIO.glob("*.yaml") if path.name not in NOT_MANIFESTS)
EXAMPLE_FILES = [ISTIO / f"{name}-wasmplugin.yaml" for name in ("kserve", "triton")]
PLUGIN_FILES = sorted({*ISTIO.glob("*-wasmplugin.yaml"), *ISTIO.glob("*-trafficextension.yaml")} - {*EXAMPLE_FILES})


def unavailable(reason):
    """Skips here, fails in CI: a test that never runs anywhere proves nothing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (fatal with CI=true)")
    pytest.skip(reason)


def documents(name):
    """The documents of one file of istio/, by kind."""
    docs = crd.load((ISTIO / name).read_text())
    return {doc["kind"]: doc for doc in docs}


def plugin_config(manifest):
    """The filter's configuration, which TrafficExtension keeps one level deeper."""
    spec = manifest["spec"]
    return (spec["wasm"] if manifest["kind"] == "TrafficExtension" else spec)["pluginConfig"]
