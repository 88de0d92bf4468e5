"""kubernetes/quickstart.yaml: the containers of its pod, on this machine, and the commands of docs/install.md."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.harness import NEWEST, REPOSITORY, Json
from tests.harness.dependencies import Dependency
from tests.harness.hosts import VERSION, WASM, configuration_of, module_of
from tests.istio import crd
from tests.scripts.images import NAMES, Pushed
from tests.scripts.pods import Container, Pod, pod

DOCUMENTS: list[Json] = crd.load((REPOSITORY / "kubernetes" / "quickstart.yaml").read_text())
PAGE = (REPOSITORY / "docs" / "install.md").read_text()
START_S_MAX = 30.0
COMMANDS_MAX = 10


def document(kind: str, name: str) -> Json:
    return next(doc for doc in DOCUMENTS if (doc["kind"], doc["metadata"]["name"]) == (kind, name))


SPEC: Json = document("Deployment", "llm-gateway")["spec"]["template"]["spec"]
CONTAINERS: dict[str, Json] = {one["name"]: one for one in SPEC["containers"]}
FILTER: str = document("ConfigMap", "llm-canary")["data"]["llm-canary.yaml"]


def commands() -> list[str]:
    """The lines of the first block of the section."""
    section = PAGE.split("\n## Ten commands\n")[1].split("\n## ")[0]
    return section.split("```sh\n")[1].split("```")[0].splitlines()


def publish(files: dict[str, str], folder: Path) -> None:
    """Files as kubelet writes those of a ConfigMap: in a folder, behind a link that it replaces."""
    data = folder / f"..{time.monotonic_ns()}"
    data.mkdir()
    for name, text in files.items():
        (data / name).write_text(text)
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
    new = folder / "..data_tmp"
    new.symlink_to(data.name)
    os.rename(new, folder / "..data")


@dataclass
class Quickstart:
    pod: Pod
    filter: Path  # the folder of the filter's ConfigMap
    log: Path

    def run(self, command: str) -> str:
        """Runs a line of the docs."""
        ran = self.pod.run(["bash", "-c", command])
        assert ran.returncode == 0, (command, ran, self.log.read_text()[-3000:])
        return ran.stdout

    def until(self, command: str, words: str) -> str:
        deadline = time.monotonic() + START_S_MAX
        while words not in (said := self.pod.run(["bash", "-c", command]).stdout):
            assert time.monotonic() < deadline, (command, said, self.log.read_text()[-3000:])
            time.sleep(0.2)
        return said


def volumes(pushed: Pushed, folder: Path) -> dict[str, Path]:
    found = {}
    for volume in SPEC["volumes"]:
        path = folder / volume["name"]
        path.mkdir()
        if "image" in volume:
            name = volume["image"]["reference"].removeprefix("registry.example.com/").removesuffix(f":{VERSION}")
            kind = next(kind for kind, named in NAMES.items() if named == name)
            pushed.registry.unpack(f"team/{name}", pushed.image(kind), path)
        else:
            publish(document("ConfigMap", volume["configMap"]["name"])["data"], path)
        path.chmod(0o755)
        found[volume["name"]] = path
    return found


def image_of_envoy(binary: Path, root: Path) -> dict[str, Path]:
    """The file system of an image of Envoy: the program, and this machine's glibc. Returns what has to be mounted."""
    mounts = {CONTAINERS["envoy"]["command"][0]: binary}
    for path in map(Path, ("/lib", "/lib64")):
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
    for path in map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/dev", "/proc")):
        if path.is_dir() and not path.is_symlink():
            mounts[str(path)] = path
    return mounts


@pytest.fixture(scope="module")
def quickstart(
    pushed: Pushed, dependency: Dependency, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Quickstart]:
    folder = tmp_path_factory.mktemp("pod")
    roots = {name: folder / f"root-{name}" for name in CONTAINERS}
    for root in (folder, *roots.values()):
        root.mkdir(exist_ok=True)
        root.chmod(0o755)
    mounts = volumes(pushed, folder)
    of_image: dict[str, dict[str, Path]] = {
        "envoy": image_of_envoy(dependency("envoy", NEWEST), roots["envoy"]),
        "tool": {},
    }
    pushed.registry.unpack("team/llm-canary-tool", pushed.image("tool"), roots["tool"])
    entrypoint = {
        "envoy": CONTAINERS["envoy"].get("command"),
        "tool": pushed.image("tool").config["config"]["Entrypoint"],
    }
    user = f"{SPEC['securityContext']['runAsUser']}:{SPEC['securityContext']['runAsGroup']}"
    log = folder / "log"
    running = []
    with pod() as one, log.open("w") as output:
        for name, spec in CONTAINERS.items():
            mounted = {mount["mountPath"]: mounts[mount["name"]] for mount in spec.get("volumeMounts", [])}
            is_read_only = spec["securityContext"]["readOnlyRootFilesystem"]
            container = Container(roots[name], of_image[name] | mounted, user, is_read_only)
            command = one.inside(container.command([*entrypoint[name], *spec["args"]]))
            running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT))
        try:
            yield Quickstart(one, mounts["filter"], log)
        finally:
            for process in running:
                process.terminate()
                process.wait(10)


def test_ten_commands_lead_to_a_routed_request(quickstart: Quickstart) -> None:
    lines = commands()
    assert len(lines) <= COMMANDS_MAX
    first, staff, counts, verdict, stopped = [line for line in lines if line.startswith("curl")]
    # What `rollout status` waits for.
    quickstart.until("curl -s localhost:10000/v1/models -o /dev/null -w '%{http_code}'", "200")
    answer = quickstart.run(first)
    version = re.search(r"(?m)^x-llm-version: (v[12])\r?$", answer)
    assert version and f"This is a stand-in for {version[1]}." in answer
    answer = quickstart.run(staff)
    assert "x-llm-version: v2" in answer and "This is a stand-in for v2." in answer
    assert 'llm_version="v2"' in quickstart.until(counts, 'llm_reason="override"')
    asked = json.loads(quickstart.until(verdict, "verdict"))
    assert asked["verdict"] == "not_enough_data"
    # The line with sed, as the API server and kubelet carry it out.
    [edit] = [re.search(r"sed '([^']*)'", line) for line in lines if "replace" in line]
    assert edit
    changed = subprocess.run(["sed", edit[1]], input=FILTER, capture_output=True, text=True, check=True).stdout
    assert changed != FILTER
    publish({"llm-canary.yaml": changed}, quickstart.filter)
    assert "This is a stand-in for v1." in quickstart.until(stopped, "x-llm-version: v1")


def test_the_tool_beside_it_runs_without_rights(quickstart: Quickstart) -> None:
    """And shows its page, as the docs say."""
    quickstart.until("curl -s localhost:8099/", "v2")
    [pid] = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.read_bytes().startswith(b"/usr/bin/llm-canary\0serve\0")
    ]
    status = Path("/proc", pid, "status").read_text()
    assert re.search(r"(?m)^Uid:\t65532\t", status) and re.search(r"(?m)^CapEff:\t0+$", status)


def without(bootstrap: Json, *listeners: str) -> Json:
    static = bootstrap["static_resources"]
    static["listeners"] = [one for one in static["listeners"] if not one["name"].startswith(listeners)]
    return bootstrap


def test_the_bootstrap_is_the_one_of_envoy(tmp_path: Path) -> None:
    """But for what a pod needs. Take over what changes there."""
    there = WASM.bootstrap.read_text()
    for here, in_pod in (
        ("address: 127.0.0.1, port_value: 10000", "address: 0.0.0.0, port_value: 10000"),
        ("path: envoy/ecds/llm-canary.yaml", "path: /etc/llm-canary/llm-canary.yaml"),
        ("watched_directory: { path: envoy/ecds }", "watched_directory: { path: /etc/llm-canary }"),
    ):
        assert there.count(here) == 1
        there = there.replace(here, in_pod)
    bootstrap = yaml.safe_load(document("ConfigMap", "envoy")["data"]["envoy.yaml"])
    assert without(bootstrap, "stand-in-") == yaml.safe_load(there)
    [shipped], [ours] = yaml.safe_load(WASM.ecds.read_text())["resources"], yaml.safe_load(FILTER)["resources"]
    assert json.loads(configuration_of(ours)["value"]) == json.loads(configuration_of(shipped)["value"])
    module_of(shipped)["filename"] = "/llm-canary/plugin.wasm"
    configuration_of(shipped)["value"] = configuration_of(ours)["value"]
    assert ours == shipped


def test_the_images_are_those_of_the_script() -> None:
    volume = next(one["image"]["reference"] for one in SPEC["volumes"] if "image" in one)
    assert volume == f"registry.example.com/{NAMES['wasm']}:{VERSION}"
    assert CONTAINERS["tool"]["image"] == f"registry.example.com/{NAMES['tool']}:{VERSION}"
    assert CONTAINERS["envoy"]["image"].endswith(f"-v{NEWEST}")
    assert not SPEC["automountServiceAccountToken"] and SPEC["securityContext"]["runAsNonRoot"]
    for one in CONTAINERS.values():
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not one["securityContext"]["allowPrivilegeEscalation"]
