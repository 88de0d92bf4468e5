"""The examples with pools, KServe and the vLLM production stack agree with each other and with Envoy Gateway's file."""

import copy
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Json
from tests.istio import crd

FOLDER = REPOSITORY / "kubernetes"
# The name of what is behind each version, and what kind it is.
BACKENDS = {
    "inference-pools.yaml": ("InferencePool", "llm-{}"),
    "kserve-llm.yaml": ("InferencePool", "llm-{}-inference-pool"),
    "production-stack.yaml": (None, "llm-{}-router-service"),
}


def documents(name: str) -> list[Json]:
    return crd.load((FOLDER / name).read_text())


def of_kind(name: str, kind: str) -> Json:
    [doc] = [doc for doc in documents(name) if doc["kind"] == kind]
    return doc


@pytest.mark.parametrize("name", BACKENDS)
def test_the_route_is_that_of_envoy_gateway_with_other_backends(name: str) -> None:
    kind, pattern = BACKENDS[name]
    theirs = of_kind("envoy-gateway.yaml", "HTTPRoute")
    ours = copy.deepcopy(of_kind(name, "HTTPRoute"))
    for rule, other in zip(ours["spec"]["rules"], theirs["spec"]["rules"], strict=True):
        [backend] = rule["backendRefs"]
        version = {"unrouted": "v1"}.get(rule["name"], rule["name"])
        assert (backend["name"], backend.get("kind")) == (pattern.format(version), kind)
        rule["backendRefs"] = other["backendRefs"]
    assert ours == theirs


def test_each_pool_is_one_of_the_route_and_has_a_picker() -> None:
    pools = [doc for doc in documents("inference-pools.yaml") if doc["kind"] == "InferencePool"]
    assert [pool["metadata"]["name"] for pool in pools] == ["llm-v1", "llm-v2"]
    for pool in pools:
        version = pool["metadata"]["name"].removeprefix("llm-")
        assert pool["spec"]["selector"]["matchLabels"] == {"app": "llm", "version": version}
        assert pool["spec"]["endpointPickerRef"]["name"] == f"llm-{version}-epp"


def test_kserve_makes_the_pools_of_the_route() -> None:
    services = [doc for doc in documents("kserve-llm.yaml") if doc["kind"] == "LLMInferenceService"]
    # KServe's name for the pool of a service, as its source has it.
    pools = {f"{service['metadata']['name']}-inference-pool" for service in services}
    route = of_kind("kserve-llm.yaml", "HTTPRoute")
    assert {rule["backendRefs"][0]["name"] for rule in route["spec"]["rules"]} == pools
    assert {service["spec"]["model"]["name"] for service in services} == {"chat"}
    # A route of KServe's own would pass the filter by.
    assert all(set(service["spec"]["router"]) == {"scheduler"} for service in services)


def test_the_filter_runs_in_the_gateway_of_the_route() -> None:
    plugin = of_kind("inference-pools.yaml", "WasmPlugin")
    gateway = of_kind("inference-pools.yaml", "Gateway")["metadata"]["name"]
    assert [target["name"] for target in plugin["spec"]["targetRefs"]] == [gateway]
    # With a phase Istio may put it behind the picker.
    assert "phase" not in plugin["spec"]
    [theirs] = of_kind("envoy-gateway.yaml", "EnvoyExtensionPolicy")["spec"]["wasm"]
    assert plugin["spec"]["pluginConfig"] == theirs["config"]
    assert plugin["spec"]["url"] == f"oci://{theirs['code']['image']['url']}"


def test_the_releases_of_the_chart_are_those_of_the_route() -> None:
    text = (FOLDER / "values" / "production-stack.yaml").read_text()
    releases = re.findall(r"helm install (\S+) vllm/vllm-stack", text)
    assert {f"{release}-router-service" for release in releases} == {
        rule["backendRefs"][0]["name"] for rule in of_kind("production-stack.yaml", "HTTPRoute")["spec"]["rules"]
    }
    [values] = crd.load(text)
    [model] = values["servingEngineSpec"]["modelSpec"]
    assert model["vllmConfig"]["extraArgs"] == ["--served-model-name", model["name"]]
    policy = of_kind("envoy-gateway.yaml", "EnvoyExtensionPolicy")["spec"]["wasm"][0]["config"]
    assert values["routerSpec"]["sessionKey"] == policy["rollouts"][0]["key"][0]["header"]


def test_the_tool_changes_the_plugin_and_nothing_else(tool: Path, tmp_path: Path) -> None:
    file = tmp_path / "inference-pools.yaml"
    file.write_text((FOLDER / "inference-pools.yaml").read_text())
    ran = subprocess.run([tool, "stop", file, "v2"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    before, after = documents("inference-pools.yaml"), crd.load(file.read_text())
    changed = [doc["kind"] for doc, other in zip(before, after, strict=True) if doc != other]
    assert changed == ["WasmPlugin"]
