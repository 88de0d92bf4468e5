"""scripts/image.sh: what the images hold, a real registry, and Envoy with a module from there."""

import hashlib
import http.server
import json
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from pylib.http1 import request, send
from tests.harness import NATIVE_OLDEST, NEWEST, OLDEST, REPOSITORY, Json
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy
from tests.harness.hosts import NATIVE, VERSION, WASM
from tests.harness.ports import free_port
from tests.scripts.images import (
    ARCHITECTURE,
    MACHINE,
    NAMES,
    OTHER,
    OTHER_ARCHITECTURE,
    FetchError,
    Pushed,
    digests,
    image_sh,
)

LOCK = {
    (one["name"], one["version"]): one.get("checksum")
    for one in tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]
}
EXIT_USAGE = 2


def test_each_image_is_pushed_as_it_was_written(pushed: Pushed) -> None:
    for name in NAMES.values():
        layout = json.loads((pushed.output / name / "index.json").read_text())
        [written] = [one["digest"] for one in layout["manifests"]]
        found, _ = pushed.registry.manifest(f"team/{name}", VERSION)
        assert found == written == pushed.digests[f"127.0.0.1:{pushed.registry.port}/team/{name}:{VERSION}"]


def test_two_builds_are_the_same(pushed: Pushed, tmp_path: Path) -> None:
    again = image_sh(
        "--no-build", "--machine", MACHINE, "--output", tmp_path, "--label", "org.opencontainers.image.vendor=a team"
    )
    first = {reference.rpartition("/")[2]: digest for reference, digest in pushed.digests.items()}
    assert digests(again).items() <= first.items()
    assert len(digests(again)) == 3


def test_the_module_is_in_the_form_that_fetchers_accept(pushed: Pushed) -> None:
    module = pushed.registry.module("team/llm-canary", VERSION)
    assert module == WASM.module.read_bytes()
    assert list(pushed.files("wasm")) == ["plugin.wasm"], "nothing else is in its one layer"
    assert pushed.registry.module("team/llm-canary", pushed.image("wasm").digest) == module
    for kind in ("native", "tool"):
        with pytest.raises(FetchError):
            pushed.registry.module(f"team/{NAMES[kind]}", VERSION)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["wasn"], EXIT_USAGE, "unknown option or image wasn; try scripts/image.sh --help"),
        (["--push"], EXIT_USAGE, "--push needs a value"),
        (["--push", "https://registry.example.com"], EXIT_USAGE, "leave out https://"),
        (["--machine", "vax"], EXIT_USAGE, "use x86_64 or aarch64"),
        (["--label", "vendor"], EXIT_USAGE, "give NAME=VALUE"),
        (["--kubectl", "/nowhere"], 1, "there is no such file"),
        (["--kubectl", "/bin/sh"], 1, "which is static"),
    ],
)
def test_errors_say_what_to_write(arguments: list[str], status: int, words: str) -> None:
    ran = image_sh(*arguments)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert words in ran.stderr


def test_what_cannot_be_pushed_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    to = f"127.0.0.1:{port}/team"
    ran = image_sh("wasm", "--no-build", "--output", tmp_path, "--plain-http", "--push", to)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"{to}/llm-canary:{VERSION} could not be pushed" in ran.stderr


def test_another_client_pulls_the_same(pushed: Pushed, dependency: Dependency, tmp_path: Path) -> None:
    skopeo = dependency("skopeo")
    (tmp_path / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    command: list[str | Path] = [
        skopeo,
        "--policy",
        tmp_path / "policy.json",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
    ]
    digest = pushed.image("wasm").digest
    source = f"docker://127.0.0.1:{pushed.registry.port}/team/llm-canary@{digest}"
    subprocess.run([*command, source, f"dir:{tmp_path / 'pulled'}"], check=True)
    layers = json.loads((tmp_path / "pulled" / "manifest.json").read_text())["layers"]
    unpacked = subprocess.run(
        ["tar", "-xzOf", tmp_path / "pulled" / layers[0]["digest"].removeprefix("sha256:"), "plugin.wasm"],
        capture_output=True,
        check=True,
    )
    assert unpacked.stdout == WASM.module.read_bytes()
    wrong = digest[:-4] + ("0000" if digest[-4:] != "0000" else "1111")
    refused = subprocess.run(
        [*command, source.replace(digest, wrong), f"dir:{tmp_path / 'wrong'}"], capture_output=True, text=True
    )
    assert refused.returncode != 0 and "manifest unknown" in refused.stderr


def test_labels_say_what_is_inside(pushed: Pushed) -> None:
    oldest = {"wasm": OLDEST, "native": NATIVE_OLDEST, "tool": OLDEST, "kubectl": OLDEST}
    for kind in NAMES:
        labels, files = pushed.image(kind).labels, pushed.files(kind)
        assert labels["org.opencontainers.image.version"] == VERSION
        assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
        assert labels["org.opencontainers.image.vendor"] == "a team"
        assert (labels["llm-canary.envoy.oldest"], labels["llm-canary.envoy.newest"]) == (oldest[kind], NEWEST)
        [content] = [
            content
            for path, (entry, content) in files.items()
            if entry.isfile() and path.rpartition("/")[2] == labels["llm-canary.file"]
        ]
        assert labels["llm-canary.file.sha256"] == hashlib.sha256(content).hexdigest()
        sbom = (pushed.output / labels["llm-canary.sbom"]).read_bytes()
        assert labels["llm-canary.sbom.sha256"] == hashlib.sha256(sbom).hexdigest()
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    if git.returncode == 0:
        revision = pushed.image("wasm").labels["org.opencontainers.image.revision"]
        assert revision.removesuffix("-dirty") == git.stdout.strip()


def test_the_native_module_is_at_the_root(pushed: Pushed) -> None:
    files = pushed.files("native")
    assert set(files) == {f"libllm_canary-{VERSION}.so", "llm-canary-native.cdx.json"}
    assert files[f"libllm_canary-{VERSION}.so"][1] == NATIVE.module.read_bytes()
    assert pushed.image("native").config["architecture"] == ARCHITECTURE


def test_two_machines_make_a_list(pushed: Pushed, checkout: Callable[[str], Path]) -> None:
    """The module of the other machine is this one, with the number of the other processor."""
    copy = checkout("two machines")
    (copy / "target").mkdir()
    module = bytearray(NATIVE.module.read_bytes())
    (copy / "target" / NATIVE.module.name).write_bytes(module)
    foreign = copy / "target" / f"libllm_canary-{VERSION}-{OTHER}.so"
    arguments = ["--no-build", "--machine", MACHINE, "--machine", OTHER, "native", "--plain-http"]

    def make() -> subprocess.CompletedProcess[str]:
        to = f"127.0.0.1:{pushed.registry.port}/two"
        return subprocess.run([copy / "scripts/image.sh", *arguments, "--push", to], capture_output=True, text=True)

    assert "is missing; run ./build.sh --native" in make().stderr
    foreign.write_bytes(module)
    assert f"is not built for {OTHER}" in make().stderr
    module[18:20] = {"x86_64": 62, "aarch64": 183}[OTHER].to_bytes(2, "little")
    foreign.write_bytes(module)
    digests(make())
    for architecture, content in ((ARCHITECTURE, NATIVE.module.read_bytes()), (OTHER_ARCHITECTURE, bytes(module))):
        image = pushed.registry.image("two/llm-canary-native", VERSION, architecture)
        assert image.config["architecture"] == architecture
        assert pushed.registry.files("two/llm-canary-native", image)[f"libllm_canary-{VERSION}.so"][1] == content


def compiled(folder: Path) -> set[str]:
    """The crates that rustc has compiled into a folder of a target, by their names with underscores."""
    return {path.name.partition("-")[0].removeprefix("lib") for path in folder.glob("*.rlib")}


def names(sbom: Json) -> set[str]:
    return {one["name"].replace("-", "_") for one in sbom["components"]}


@pytest.mark.parametrize(
    ("kind", "package", "target"),
    [
        ("wasm", "llm-canary", "wasm32-wasip1"),
        ("native", "llm-canary-native", f"{MACHINE}-unknown-linux-gnu"),
        ("tool", "llm-canary-cli", f"{MACHINE}-unknown-linux-gnu"),
    ],
)
def test_the_sbom_lists_every_crate_and_no_other(pushed: Pushed, kind: str, package: str, target: str) -> None:
    sbom = pushed.sbom(kind)
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "-p", package, "-e", "normal", "--target", target, "--prefix", "none"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    expected = {tuple(line.split()[:2]) for line in tree.splitlines()} - {(package, f"v{VERSION}")}
    crates = [one for one in sbom["components"] if one["purl"].startswith("pkg:cargo/")]
    assert {(one["name"], f"v{one['version']}") for one in crates} == expected
    assert len(crates) == len(expected) > 5
    for one in crates:
        checksum = LOCK[one["name"], one["version"]]
        assert checksum is None or one["hashes"] == [{"alg": "SHA-256", "content": checksum}]
        assert one["licenses"] and one["scope"] == "required"
    refs = {one["bom-ref"] for one in [*sbom["components"], sbom["metadata"]["component"]]}
    assert {one["ref"] for one in sbom["dependencies"]} == refs
    assert {ref for one in sbom["dependencies"] for ref in one["dependsOn"]} == refs - {
        sbom["metadata"]["component"]["bom-ref"]
    }
    assert str(REPOSITORY) not in json.dumps(sbom)
    assert ("glibc" in names(sbom)) == (kind == "tool"), "the one library that is linked in besides"


def test_the_sbom_lists_what_was_compiled(pushed: Pushed) -> None:
    """Not by cargo's word, but by what the compiler left behind, from which the files are linked."""
    wasm = compiled(REPOSITORY / "target" / "wasm" / "wasm32-wasip1" / "release" / "deps")
    assert {"memchr", "dlmalloc"} <= wasm <= names(pushed.sbom("wasm"))
    native = compiled(REPOSITORY / "target" / "native" / f"{MACHINE}-unknown-linux-gnu" / "native" / "deps")
    assert {"memchr", "llm_canary"} <= native <= names(pushed.sbom("native"))


class Files(http.server.BaseHTTPRequestHandler):
    """Files by HTTP, as Envoy Gateway serves modules to its Envoys; and an answer for clients of a model."""

    contents: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        content = self.contents.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("content-length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        answer = b'{"object": "chat.completion", "choices": []}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def files(pushed: Pushed) -> Iterator[int]:
    """The module that was taken out of the registry, at /plugin.wasm."""
    Files.contents = {"/plugin.wasm": pushed.registry.module("team/llm-canary", VERSION)}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


CONFIG = config(rollout(name="chat", split={"v2": 100}))


def remote(files: int, sha256: str, policy: str) -> Json:
    uri = {"uri": f"http://127.0.0.1:{files}/plugin.wasm", "cluster": "files", "timeout": "10s"}
    code = {"remote": {"http_uri": uri, "sha256": sha256}}
    return {"vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code}, "failure_policy": policy}


def with_files(port: int) -> Callable[[Json], None]:
    def edit(bootstrap: Json) -> None:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        assignment = {"cluster_name": "files", "endpoints": endpoints}
        bootstrap["static_resources"]["clusters"].append(
            {"name": "files", "type": "STATIC", "load_assignment": assignment}
        )

    return edit


def ask(port: int) -> tuple[int, str | None]:
    """The status of an answer, and the version that gave it."""
    response = send(port, request(headers=[(b"x-conversation-id", b"c-42")]), timeout_s=10)
    version = response.header(b"x-llm-version")
    return response.status or 0, version.decode() if version else None


@pytest.fixture
def envoy_with(dependency: Dependency, files: int, tmp_path: Path) -> Iterator[Callable[[str, str], Envoy]]:
    """Starts an Envoy that fetches the module, expects a sum of it, and does by a policy without it."""
    started = []

    def start(sha256: str, policy: str = "FAIL_RELOAD") -> Envoy:
        ports = {"llm-v1": files, "llm-v2": files}
        plugin, binary = remote(files, sha256, policy), dependency("envoy", NEWEST)
        envoy = Envoy(binary, tmp_path / "envoy", CONFIG, ports, edit=with_files(files), plugin=plugin)
        started.append(envoy)
        return envoy.start()

    yield start
    for envoy in started:
        envoy.stop()


def test_envoy_runs_the_module_from_the_registry(pushed: Pushed, envoy_with: Callable[..., Envoy]) -> None:
    envoy = envoy_with(pushed.image("wasm").labels["llm-canary.file.sha256"])
    deadline = time.monotonic() + 20
    while ask(envoy.port) != (200, "v2"):
        assert time.monotonic() < deadline, envoy.log_path.read_text()[-3000:]
        time.sleep(0.1)
    assert envoy.counter("wasm.remote_load_fetch_successes") == 1


@pytest.mark.parametrize(("policy", "answer"), [("FAIL_RELOAD", (503, None)), ("FAIL_OPEN", (200, None))])
def test_envoy_refuses_a_module_with_another_sum(
    envoy_with: Callable[..., Envoy], policy: str, answer: tuple[int, None]
) -> None:
    """docs/install.md has the words of its log and the counter."""
    envoy = envoy_with("0" * 64, policy)
    deadline = time.monotonic() + 20
    while envoy.counter("wasm.remote_load_fetch_failures") != 1 or "failed to load" not in envoy.log_path.read_text():
        assert time.monotonic() < deadline, envoy.log_path.read_text()[-3000:]
        time.sleep(0.1)
    assert [ask(envoy.port) for _ in range(3)] == [answer] * 3
    page = (REPOSITORY / "docs" / "install.md").read_text()
    for words in ("Retry limit exceeded for fetching data", "Plugin llm-canary failed to load"):
        assert words in envoy.log_path.read_text() and words in page
    assert "wasm.remote_load_fetch_failures" in page
