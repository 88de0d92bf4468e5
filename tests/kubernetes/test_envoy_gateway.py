"""kubernetes/envoy-gateway*.yaml: their resources agree with each other, with envoy/ and with the tool."""

import copy
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.harness import REPOSITORY, Json, unavailable
from tests.istio import crd
from tests.istio.crd import Schemas

FILE = REPOSITORY / "kubernetes" / "envoy-gateway-native.yaml"
WASM_FILE = REPOSITORY / "kubernetes" / "envoy-gateway.yaml"
DOCUMENTS: dict[str, Json] = {doc["kind"]: doc for doc in crd.load(FILE.read_text())}
POLICY: Json = DOCUMENTS["EnvoyExtensionPolicy"]["spec"]["dynamicModule"][0]
PROXY: Json = DOCUMENTS["EnvoyProxy"]["spec"]
WASM_DOCUMENTS: dict[str, Json] = {doc["kind"]: doc for doc in crd.load(WASM_FILE.read_text())}
WASM_POLICY: Json = WASM_DOCUMENTS["EnvoyExtensionPolicy"]["spec"]["wasm"][0]


@pytest.fixture(scope="session")
def cel() -> ModuleType:
    """The evaluator of the definitions' CEL rules."""
    try:
        import cel
    except ImportError:
        unavailable("the rules in Envoy Gateway's definitions need `pip install common-expression-language`")
    return cel


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_each_keeps_the_rules_of_its_definition(schemas: Schemas, cel: ModuleType, kind: str) -> None:
    assert crd.rule_errors(schemas, DOCUMENTS[kind]) == []
    assert crd.rule_errors(schemas, WASM_DOCUMENTS[kind]) == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("EnvoyExtensionPolicy", ["targetRefs", 0, "kind"], "Service"),
        ("EnvoyProxy", ["dynamicModules", 0, "source", "type"], "Remote"),
    ],
)
def test_what_breaks_a_rule_is_seen(
    schemas: Schemas, cel: ModuleType, kind: str, path: list[Any], value: object
) -> None:
    doc = copy.deepcopy(DOCUMENTS[kind])
    node = doc["spec"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert crd.rule_errors(schemas, doc) != []


def test_the_policy_names_a_module_that_may_be_loaded_and_is_there() -> None:
    [module] = PROXY["dynamicModules"]
    assert (module["name"], module["doNotClose"]) == (POLICY["name"], True)
    path = Path(module["source"]["local"]["path"])
    deployment = PROXY["provider"]["kubernetes"]["envoyDeployment"]
    [mount], [volume] = deployment["container"]["volumeMounts"], deployment["pod"]["volumes"]
    assert mount["name"] == volume["name"]
    assert str(path.parent) == mount["mountPath"]
    version = re.search(r'^version = "(.+)"$', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)
    assert version and path.name == f"libllm_canary-{version.group(1)}.so"
    assert module["name"].endswith(version.group(1)), "each version of the module has a name and a path of its own"
    assert mount["mountPath"].endswith(version.group(1))


def test_the_bootstrap_has_what_the_shipped_one_has_for_metrics() -> None:
    bootstrap = yaml.safe_load(PROXY["bootstrap"]["value"])
    shipped = yaml.safe_load((REPOSITORY / "envoy/native.yaml").read_text())
    for name in ("layered_runtime", "stats_flush_interval"):
        assert bootstrap[name] == shipped[name]
    # Envoy's own tags are on by default.
    own = {name: value for name, value in shipped["stats_config"].items() if name != "use_all_default_tags"}
    assert bootstrap["stats_config"] == own
    assert PROXY["bootstrap"]["type"] == "Merge", "it adds to Envoy Gateway's own"


def test_both_files_are_the_same_apart_from_the_host() -> None:
    for kind in ("Gateway", "HTTPRoute"):
        assert WASM_DOCUMENTS[kind] == DOCUMENTS[kind]
    assert WASM_POLICY["config"] == POLICY["config"]
    ours, theirs = (docs["EnvoyExtensionPolicy"]["spec"]["targetRefs"] for docs in (WASM_DOCUMENTS, DOCUMENTS))
    assert ours == theirs
    assert WASM_DOCUMENTS["EnvoyProxy"]["spec"]["shutdown"] == PROXY["shutdown"]


def test_webassembly_has_the_metrics_and_the_image_of_the_other_files() -> None:
    bootstrap = yaml.safe_load(WASM_DOCUMENTS["EnvoyProxy"]["spec"]["bootstrap"]["value"])
    shipped = yaml.safe_load((REPOSITORY / "envoy/envoy.yaml").read_text())
    own = {name: value for name, value in shipped["stats_config"].items() if name != "use_all_default_tags"}
    assert bootstrap == {"stats_flush_interval": shipped["stats_flush_interval"], "stats_config": own}
    [istio] = crd.load((REPOSITORY / "istio/gateway-wasmplugin.yaml").read_text())
    image = WASM_POLICY["code"]["image"]
    assert (f"oci://{image['url']}", image["sha256"]) == (istio["spec"]["url"], istio["spec"]["sha256"])
    shipped_plugin = yaml.safe_load((REPOSITORY / "envoy/ecds/llm-canary.yaml").read_text())["resources"][0]
    assert WASM_POLICY["rootID"] == shipped_plugin["typed_config"]["config"]["root_id"]


def test_each_version_has_a_rule_and_the_rest_goes_to_the_baseline() -> None:
    [rollout] = POLICY["config"]["rollouts"]
    route = DOCUMENTS["HTTPRoute"]
    [target] = DOCUMENTS["EnvoyExtensionPolicy"]["spec"]["targetRefs"]
    assert (target["kind"], target["name"]) == ("HTTPRoute", route["metadata"]["name"])
    backends = {}
    for rule in route["spec"]["rules"]:
        [match], [backend] = rule["matches"], rule["backendRefs"]
        version = next((header["value"] for header in match.get("headers", [])), None)
        assert all(header["name"] == "x-llm-version" for header in match.get("headers", []))
        assert rule["timeouts"] == {"request": "0s"}
        backends[version] = backend["name"]
    versions = {version["name"]: version["cluster"] for version in rollout["versions"]}
    assert backends == {**versions, None: versions[rollout["baseline"]]}


@pytest.mark.parametrize(
    ("path", "documents", "where"),
    [(FILE, DOCUMENTS, "dynamicModule"), (WASM_FILE, WASM_DOCUMENTS, "wasm")],
    ids=["native", "wasm"],
)
def test_the_tool_reads_and_changes_the_policy(
    tool: Path, tmp_path: Path, path: Path, documents: dict[str, Json], where: str
) -> None:
    file = tmp_path / path.name
    file.write_text(path.read_text())

    def run(*arguments: str) -> str:
        ran = subprocess.run([tool, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "EnvoyExtensionPolicy llm-canary: chat: v1 90 %" in run("check", file.name)
    run("stop", file.name, "v2")
    changed = {doc["kind"]: doc for doc in crd.load(file.read_text())}
    [rollout] = changed["EnvoyExtensionPolicy"]["spec"][where][0]["config"]["rollouts"]
    assert [version.get("stopped", False) for version in rollout["versions"]] == [False, True]
    unchanged = {kind: doc for kind, doc in changed.items() if kind != "EnvoyExtensionPolicy"}
    assert unchanged == {kind: doc for kind, doc in documents.items() if kind != "EnvoyExtensionPolicy"}


def test_a_nested_key_of_metadata_is_refused(tool: Path, tmp_path: Path) -> None:
    nested = "- metadata: envoy.filters.http.jwt_authn/payload/sub"
    file = tmp_path / FILE.name
    file.write_text(FILE.read_text().replace("- header: x-conversation-id", nested, 1))
    ran = subprocess.run([tool, "check", file], capture_output=True, text=True)
    assert ran.returncode == 2
    assert "a native module one only" in ran.stderr
