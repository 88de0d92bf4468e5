"""What istio/README.md tells people to type works on the files next to it."""

import copy
import json
import re
from typing import Any

import pytest

from tests.harness import Json
from tests.istio import crd
from tests.istio.crd import Schemas
from tests.istio.manifests import ISTIO, documents, plugin_config

README = (ISTIO / "README.md").read_text()
JSON_PATCHES = [json.loads(text) for text in re.findall(r"--type json \\\n +-p '(.+)'", README)]


def apply(manifest: Json, patch: list[Json]) -> Json:
    """RFC 6902, as far as the README uses it."""
    manifest = copy.deepcopy(manifest)
    for step in patch:
        assert step["op"] in ("add", "replace"), step
        *parents, last = step["path"].removeprefix("/").split("/")
        node: Any = manifest
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node[key]
        assert step["op"] == "add" or last in node, f"nothing to replace at {step['path']}"
        node[last] = step["value"]
    return manifest


@pytest.mark.parametrize("shape", ["gateway", "sidecar"])
def test_a_patch_changes_the_split_and_another_stops_the_canary(schemas: Schemas, shape: str) -> None:
    faster, stop = JSON_PATCHES
    for name, kind, prefix in [
        (f"{shape}-wasmplugin.yaml", "WasmPlugin", "/spec/"),
        (f"{shape}-trafficextension.yaml", "TrafficExtension", "/spec/wasm/"),
    ]:
        before = documents(name)[kind]
        after = before
        for patch in (faster, stop):
            moved = [step | {"path": step["path"].replace("/spec/", prefix, 1)} for step in patch]
            after = apply(after, moved)
            assert crd.form_errors(schemas, after) == []
        (rollout,) = plugin_config(after)["rollouts"]
        assert rollout["split"] == {"v2": 5} != plugin_config(before)["rollouts"][0]["split"]
        assert [version["name"] for version in rollout["versions"] if version.get("stopped")] == ["v2"]


def test_every_file_is_named_and_exists() -> None:
    named = set(re.findall(r"[\w*-]+\.yaml", README))
    for name in named - {"envoy.yaml"}:
        assert list(ISTIO.glob(name)), f"{name} does not exist"
    for path in ISTIO.glob("*.yaml"):
        assert any(path.match(name) for name in named), f"{path.name} is not explained"
