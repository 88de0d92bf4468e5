"""The operator's tool changes the manifests, as files and live, into what Istio's definitions allow.

There is no cluster here: `kubectl` is a script that keeps one resource in a file and applies JSON patches
to it as an API server would, tests first.
"""

import json
import os
import subprocess
import sys

import pytest

import crd
from manifests import PLUGIN_FILES, plugin_config
from test_istio_config import tool  # noqa: F401  (a fixture)

SECONDS_MAX = 10

KUBECTL = '''#!{python}
import json, sys

options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
words = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
resource = json.load(open("resource.json"))
namespace, verb, name = words
there = (resource["metadata"]["namespace"], (resource["kind"] + "/" + resource["metadata"]["name"]).lower())
if (namespace, name) != there:
    sys.exit("Error from server (NotFound): " + name)
if verb == "get":
    print(json.dumps(resource))
    sys.exit()
assert verb == "patch", verb
(patch,) = [option.removeprefix("--patch=") for option in options if option.startswith("--patch=")]
assert "--type=json" in options, options
for operation in json.loads(patch):
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    at = resource
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at[part]
    last = int(last) if isinstance(at, list) else last
    if operation["op"] == "test" and at[last] != operation["value"]:
        sys.exit("error: testing path %s failed: test failed" % operation["path"])
    if operation["op"] == "replace":
        at[last]  # it must be there
        at[last] = operation["value"]
if "--dry-run=server" not in options:
    resource["metadata"]["resourceVersion"] = str(int(resource["metadata"]["resourceVersion"]) + 1)
    json.dump(resource, open("resource.json", "w"))
print(name)
'''

# An EnvoyFilter as istio/README.md describes one for settings that the plugin resources lack.
ENVOY_FILTER = {
    "apiVersion": "networking.istio.io/v1alpha3",
    "kind": "EnvoyFilter",
    "metadata": {"name": "llm-canary", "namespace": "istio-ingress"},
    "spec": {
        "configPatches": [
            {
                "applyTo": "HTTP_FILTER",
                "match": {"context": "GATEWAY"},
                "patch": {
                    "operation": "INSERT_BEFORE",
                    "value": {
                        "name": "llm-canary",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                            "config": {
                                "root_id": "llm-canary",
                                "configuration": {
                                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                                    "value": None,
                                },
                            },
                        },
                    },
                },
            }
        ]
    },
}


def manifests():
    for path in PLUGIN_FILES:
        (manifest,) = crd.load(path.read_text())
        yield pytest.param(manifest, id=path.stem)
    (manifest,) = crd.load(PLUGIN_FILES[0].read_text())
    envoy_filter = json.loads(json.dumps(ENVOY_FILTER))
    value = envoy_filter["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"]["configuration"]
    value["value"] = json.dumps(plugin_config(manifest), indent=2)
    yield pytest.param(envoy_filter, id="envoyfilter")


def config_of(manifest):
    if manifest["kind"] != "EnvoyFilter":
        return plugin_config(manifest)
    value = manifest["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"]["configuration"]
    return json.loads(value["value"])


def run(tool, folder, *arguments):  # noqa: F811
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [tool, *arguments], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=SECONDS_MAX
    )


def errors(schemas, manifest):
    found = crd.form_errors(schemas, manifest)
    return found or crd.rule_errors(schemas, manifest)


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda path: path.stem)
def test_a_changed_file_is_a_manifest(tool, schemas, cel, path, tmp_path):  # noqa: F811
    file = tmp_path / path.name
    file.write_text(path.read_text())
    for arguments in (["ramp", file, "v2", "5", "--at", "+1m"], ["ramp", file, "v2", "25", "--at", "+1h"], ["stop", file, "v2"]):
        done = run(tool, tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
        (manifest,) = crd.load(file.read_text())
        assert errors(schemas, manifest) == []
    rollout = plugin_config(manifest)["rollouts"][0]
    assert rollout["versions"][1]["stopped"] is True and "split" not in rollout
    assert [step["percent"]["v2"] for step in rollout["steps"]] == [1, 0], "the plan is dropped with it"
    (before,) = crd.load(path.read_text())
    for one in (before, manifest):
        plugin_config(one)["rollouts"] = None
    assert before == manifest, "nothing else is changed"


@pytest.mark.parametrize("manifest", list(manifests()))
def test_a_live_resource_is_changed(tool, schemas, cel, manifest, tmp_path):  # noqa: F811
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.replace("{python}", sys.executable))
    kubectl.chmod(0o755)
    live = json.loads(json.dumps(manifest))
    live["metadata"]["resourceVersion"] = "41"
    resource = tmp_path / "resource.json"
    resource.write_text(json.dumps(live))
    name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
    target = ["--kubectl", name, "v2", "--namespace", manifest["metadata"]["namespace"]]

    tried = run(tool, tmp_path, "stop", *target, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert json.loads(resource.read_text()) == live, "a dry run is one"
    for words in (["ramp", *target, "5"], ["stop", *target]):
        done = run(tool, tmp_path, *words)
        assert done.returncode == 0, done.stderr
    changed = json.loads(resource.read_text())
    assert changed["metadata"].pop("resourceVersion") == "43", "each is one write"
    assert errors(schemas, changed) == []
    rollout = config_of(changed)["rollouts"][0]
    assert rollout["versions"][1]["stopped"] is True
    assert [step["percent"]["v2"] for step in rollout["steps"]] == [1, 0]
    assert "note: no longer planned: v2 5 %" in done.stderr, "the ramp was to take effect later"
