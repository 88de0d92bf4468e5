"""An API server would accept each manifest of kubernetes/, no field is unknown, and rights are the least."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.harness import REPOSITORY, Json
from tests.istio import crd
from tests.istio.crd import Schemas

FOLDER = REPOSITORY / "kubernetes"
# The newest Kubernetes whose schemas the package has, and the oldest that is still supported.
KUBERNETES = ("1.37", "1.34")
DOCUMENTS = [(path.name, doc) for path in sorted(FOLDER.glob("*.yaml")) for doc in crd.load(path.read_text())]
IDS = [f"{name}:{doc['kind']}/{doc['metadata']['name']}" for name, doc in DOCUMENTS]


GROUPS = (
    "argoproj.io",
    "extensions.istio.io",
    "flagger.app",
    "gateway.envoyproxy.io",
    "gateway.networking.k8s.io",
    "inference.networking.k8s.io",
)
# There is no definition of these among the others; tests/shipped/unpublished.py has what is known.
UNPUBLISHED = ("serving.kserve.io",)


def is_custom(doc: Json) -> bool:
    return group_of(doc) in GROUPS


def group_of(doc: Json) -> str:
    return doc["apiVersion"].split("/")[0]


CORE = [
    pytest.param(doc, id=name)
    for name, (_, doc) in zip(IDS, DOCUMENTS, strict=True)
    if not is_custom(doc) and group_of(doc) not in UNPUBLISHED
]
CUSTOM = [pytest.param(doc, id=name) for name, (_, doc) in zip(IDS, DOCUMENTS, strict=True) if is_custom(doc)]


def core_errors(doc: Json, version: str) -> str:
    try:
        kubernetes_validate.validate(doc, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{list(error.path)}: {error.message}"
    return ""


def documents(name: str) -> dict[str, Json]:
    return {doc["kind"]: doc for file, doc in DOCUMENTS if file == name}


def pod(name: str) -> Json:
    docs = documents(name)
    spec: Json = (docs.get("Deployment") or docs["Job"])["spec"]["template"]["spec"]
    return spec


def test_every_kind_is_there() -> None:
    kinds = {doc["kind"] for _, doc in DOCUMENTS}
    assert kinds >= {"Deployment", "Job", "Role", "RoleBinding", "NetworkPolicy", "ConfigMap", "Service"}
    assert kinds >= {"AnalysisTemplate", "Rollout", "MetricTemplate", "Canary"}
    assert kinds >= {"EnvoyProxy", "Gateway", "HTTPRoute", "EnvoyExtensionPolicy"}
    assert kinds >= {"InferencePool", "LLMInferenceService", "WasmPlugin"}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("doc", CORE)
def test_kubernetes_accepts_it(doc: Json, version: str) -> None:
    assert core_errors(doc, version) == ""


@pytest.mark.parametrize("doc", CUSTOM)
def test_its_controller_accepts_it(schemas: Schemas, doc: Json) -> None:
    assert crd.form_errors(schemas, doc) == []


def changed(kind: str, path: list[Any], value: Any) -> Json:
    doc = copy.deepcopy(next(doc for _, doc in DOCUMENTS if doc["kind"] == kind))
    node = doc
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return doc


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("AnalysisTemplate", ["spec", "metrics", 0, "sucessCondition"], "true"),
        ("AnalysisTemplate", ["spec", "metrics", 0, "provider", "web", "jsonpath"], "{$.verdict}"),
        ("AnalysisTemplate", ["spec", "metrics", 0, "provider", "web", "timeoutSeconds"], "10s"),
        ("Rollout", ["spec", "strategy", "canary", "steps", 1, "analyses"], {}),
        ("MetricTemplate", ["spec", "provider", "type"], "prometeus"),
        ("Canary", ["spec", "analysis", "webhooks", 0, "type"], "confirm"),
        ("Canary", ["spec", "analysis", "webhooks", 0, "retry"], 3),
        ("Canary", ["spec", "analysis", "metrics", 0, "thresholdRange", "maximum"], 0),
        ("EnvoyProxy", ["spec", "dynamicModules", 0, "doNotclose"], True),
        ("EnvoyProxy", ["spec", "dynamicModules", 0, "name"], "llm_canary"),
        ("EnvoyProxy", ["spec", "dynamicModules", 0, "source", "local", "filename"], "/x.so"),
        ("EnvoyExtensionPolicy", ["spec", "dynamicModule", 0, "filter_name"], "llm-canary"),
        ("EnvoyExtensionPolicy", ["spec", "dynamicModules"], []),
    ],
)
def test_what_is_wrong_is_refused(schemas: Schemas, kind: str, path: list[Any], value: Any) -> None:
    assert crd.form_errors(schemas, changed(kind, path, value)) != []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ["spec", "template", "spec", "containers", 0, "livenesProbe"], {}),
        ("Deployment", ["spec", "replicas"], "one"),
        ("Role", ["rules", 0, "resourceName"], ["x"]),
        ("NetworkPolicy", ["spec", "policyType"], ["Ingress"]),
        ("Job", ["spec", "podFailurePolicy", "rules", 0, "onPodCondition"], []),
    ],
)
def test_what_kubernetes_does_not_know_is_refused(kind: str, path: list[Any], value: Any) -> None:
    assert core_errors(changed(kind, path, value), KUBERNETES[0]) != ""


def test_run_may_read_and_patch_one_resource_and_nothing_else() -> None:
    docs = documents("run.yaml")
    assert docs["Role"]["rules"] == [
        {
            "apiGroups": ["extensions.istio.io"],
            "resources": ["wasmplugins"],
            "resourceNames": ["llm-canary"],
            "verbs": ["get", "patch"],
        }
    ]
    assert not {"ClusterRole", "ClusterRoleBinding"} & {doc["kind"] for _, doc in DOCUMENTS}
    binding = docs["RoleBinding"]
    name = docs["ServiceAccount"]["metadata"]["name"]
    assert (binding["roleRef"]["name"], binding["subjects"][0]["name"]) == (docs["Role"]["metadata"]["name"], name)
    assert pod("run.yaml")["serviceAccountName"] == name


@pytest.mark.parametrize("name", ["serve.yaml", "xds.yaml"])
def test_there_is_no_access_to_the_api_server(name: str) -> None:
    assert pod(name)["automountServiceAccountToken"] is False
    assert not {"Role", "RoleBinding"} & set(documents(name))


@pytest.mark.parametrize("name", ["serve.yaml", "run.yaml", "xds.yaml"])
def test_pods_are_confined_probed_and_fenced(name: str) -> None:
    spec = pod(name)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for security in (one["securityContext"] for one in [container, *spec.get("initContainers", [])]):
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    probes = [container[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")]
    assert probes == ["/readyz", "/healthz"]
    policy = documents(name)["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    labels = (documents(name).get("Deployment") or documents(name)["Job"])["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels == documents(name)["Service"]["spec"]["selector"]
    arguments = container["args"]
    [port] = container["ports"]
    assert f"--listen=0.0.0.0:{port['containerPort']}" in arguments
    if name == "xds.yaml":
        assert policy["egress"] == [], "it asks nobody, and has no token: who may ask is the policy's"
    else:
        assert any(argument.startswith("--token-file=") for argument in arguments)


def test_a_stopped_release_is_not_started_again() -> None:
    rules = documents("run.yaml")["Job"]["spec"]["podFailurePolicy"]["rules"]
    assert {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1, 2]}} in rules


def arguments(name: str, replaced: dict[str, str]) -> list[str]:
    """The container's arguments, with other values for some options."""
    given: list[str] = pod(name)["containers"][0]["args"]
    options = [argument.split("=", 1)[0] for argument in given]
    assert set(replaced) <= set(options)
    return [
        f"{option}={replaced[option]}" if option in replaced else argument
        for option, argument in zip(options, given, strict=True)
    ]


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text("secret\n")
    return str(path)


def test_the_tool_takes_the_arguments_of_serve(tool: Path, tmp_path: Path, token: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(documents("serve.yaml")["ConfigMap"]["data"]["policy.yaml"])
    replaced = {
        "--prometheus": "http://127.0.0.1:1",
        "--policy": str(policy),
        "--listen": "0.0.0.0:0",
        "--token-file": token,
    }
    with subprocess.Popen([tool, *arguments("serve.yaml", replaced)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("listening on http://0.0.0.0:")
        process.terminate()


def test_xds_serves_the_file_that_its_pod_begins_with(tool: Path, tmp_path: Path) -> None:
    spec, docs = pod("xds.yaml"), documents("xds.yaml")
    begin = docs["ConfigMap"]["data"]["llm-canary.yaml"]
    where = {mount["name"]: mount["mountPath"] for mount in spec["initContainers"][0]["volumeMounts"]}
    from_, to = (Path(where[name]) / "llm-canary.yaml" for name in ("begin", "state"))
    [script] = spec["initContainers"][0]["args"]
    assert script == f"test -e {to} || cp {from_} {to}"
    command, served, listen = spec["containers"][0]["args"]
    assert (command, served) == ("xds", str(to))
    file = tmp_path / "llm-canary.yaml"
    file.write_text(begin)
    started = [tool, command, file, listen.replace(":9902", ":0"), "--json"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(started, **pipes) as process:
        assert process.stdout is not None and process.stderr is not None
        assert '"event":"serves"' in process.stdout.readline()
        assert process.stderr.readline().startswith("listening on http://0.0.0.0:")
        assert "others can reach this address" in process.stderr.readline()
        process.terminate()
    assert process.returncode == 0


def test_the_tool_takes_the_arguments_of_run(tool: Path, tmp_path: Path, token: str) -> None:
    replaced = {"--prometheus": "http://127.0.0.1:1", "--listen": "127.0.0.1:0", "--token-file": token}
    command = [str(tool), *arguments("run.yaml", replaced)]
    # There is no kubectl, so it gets no further than to the resource.
    ran = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 2
    assert "listening on http://127.0.0.1:" in ran.stderr
    assert "kubectl" in ran.stderr
    assert "Usage" not in ran.stderr
