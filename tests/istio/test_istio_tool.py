"""The operator's tool changes the manifests, as files and live, into what Istio's definitions allow.

There is no cluster here: `kubectl` is a script that keeps one resource in a file and applies JSON patches
to it as an API server would, if they name the version that the resource has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Json
from tests.istio import crd
from tests.istio.crd import Schemas
from tests.istio.manifests import ISTIO, PLUGIN_FILES, plugin_config

SECONDS_MAX = 10

KUBECTL = """#!{python}
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
assert "--type=json" in options and "--patch-file=/dev/stdin" in options, options
for operation in json.load(open("/dev/stdin")):
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    at = resource
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at[part]
    last = int(last) if isinstance(at, list) else last
    assert operation["op"] == "replace", operation
    if last == "resourceVersion" and at[last] != operation["value"]:
        sys.exit("Error from server (Conflict): the object has been modified")
    at[last]  # it must be there
    at[last] = operation["value"]
if "--dry-run=server" not in options:
    resource["metadata"]["resourceVersion"] = str(int(resource["metadata"]["resourceVersion"]) + 1)
    json.dump(resource, open("resource.json", "w"))
print(name)
"""

FILES = sorted([*PLUGIN_FILES, *ISTIO.glob("*-envoyfilter.yaml")])


def config_of(manifest: Json) -> Json:
    """The filter's configuration, wherever the resource keeps it."""
    if manifest["kind"] != "EnvoyFilter":
        return plugin_config(manifest)
    patches = [patch["patch"]["value"] for patch in manifest["spec"]["configPatches"]]
    (value,) = [patch["typed_config"]["config"]["configuration"] for patch in patches if "typed_config" in patch]
    return json.loads(value["value"])


def rest_of(manifest: Json) -> tuple[Json, Json]:
    """All of the manifest but the shares and stops of its rollouts."""
    configuration = config_of(manifest)
    for rollout in configuration["rollouts"]:
        for field in ("split", "steps"):
            rollout.pop(field, None)
        for version in rollout["versions"]:
            version.pop("stopped", None)
    if manifest["kind"] == "EnvoyFilter":
        for patch in manifest["spec"]["configPatches"]:
            patch["patch"]["value"].pop("typed_config", None)
    return manifest, configuration


def canary_of(manifest: Json) -> tuple[Json, str, float]:
    """The rollout with a second version, that version, and its share by now."""
    (rollout,) = [rollout for rollout in config_of(manifest)["rollouts"] if len(rollout["versions"]) > 1]
    (version,) = [version["name"] for version in rollout["versions"] if version["name"] != rollout["baseline"]]
    shares = rollout["split"] if "split" in rollout else rollout["steps"][-1]["percent"]
    return rollout, version, shares[version]


def run(tool: Path, folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [tool, *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def errors(schemas: Schemas, manifest: Json) -> list[str]:
    found = crd.form_errors(schemas, manifest)
    return found or crd.rule_errors(schemas, manifest)


def check_stopped(manifest: Json, version: str, share: float) -> None:
    rollout, _, _ = canary_of(manifest)
    (stopped,) = [one["stopped"] for one in rollout["versions"] if one["name"] == version]
    assert stopped is True and "split" not in rollout
    assert [step["percent"][version] for step in rollout["steps"]] == [share, 0], "the plan is dropped with it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_changed_file_is_a_manifest(tool: Path, schemas: Schemas, cel: object, path: Path, tmp_path: Path) -> None:
    (before,) = crd.load(path.read_text())
    rollout, version, share = canary_of(before)
    file = tmp_path / path.name
    file.write_text(path.read_text())
    target = [file, version, "--rollout", rollout["name"]]
    for words in (["ramp", *target, "50", "--at", "+1m"], ["ramp", *target, "75", "--at", "+1h"], ["stop", *target]):
        done = run(tool, tmp_path, *words)
        assert done.returncode == 0, done.stderr
        (manifest,) = crd.load(file.read_text())
        assert errors(schemas, manifest) == []
    check_stopped(manifest, version, share)
    comments = [line.partition("#")[2] for line in path.read_text().splitlines() if "#" in line]
    assert comments == [line.partition("#")[2] for line in file.read_text().splitlines() if "#" in line]
    assert rest_of(before) == rest_of(manifest), "nothing else is changed"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_live_resource_is_changed(tool: Path, schemas: Schemas, cel: object, path: Path, tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.replace("{python}", sys.executable))
    kubectl.chmod(0o755)
    (manifest,) = crd.load(path.read_text())
    rollout, version, share = canary_of(manifest)
    live = json.loads(json.dumps(manifest))
    live["metadata"]["resourceVersion"] = "41"
    resource = tmp_path / "resource.json"
    resource.write_text(json.dumps(live))
    name = f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
    namespace = manifest["metadata"]["namespace"]
    target = ["--kubectl", name, version, "--namespace", namespace, "--rollout", rollout["name"]]

    tried = run(tool, tmp_path, "stop", *target, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert json.loads(resource.read_text()) == live, "a dry run is one"
    for words in (["ramp", *target, "50"], ["stop", *target]):
        done = run(tool, tmp_path, *words)
        assert done.returncode == 0, done.stderr
    assert f"note: no longer planned: {version} 50 %" in done.stderr, "the ramp was to take effect later"
    changed = json.loads(resource.read_text())
    assert changed["metadata"].pop("resourceVersion") == "43", "each is one write"
    assert errors(schemas, changed) == []
    check_stopped(changed, version, share)
    assert rest_of(manifest) == rest_of(changed), "nothing else is changed"
