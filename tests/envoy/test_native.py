"""The bootstrap and the watched file of the native module, started as their comments say."""

import copy
import functools
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from pylib.prometheus import Snapshot
from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ModelServer, ask
from tests.envoy.test_shipped_files import versions_of
from tests.harness import NEWEST, REPOSITORY, Json
from tests.harness.dependencies import dependency

BOOTSTRAP, ECDS = "envoy/native.yaml", "envoy/ecds-native/llm-canary.yaml"
OLDEST = "1.39.3"
WASM, NATIVE = "wasmcustom.", "dynamicmodulescustom."
# Only a native module can count its panics: a VM is gone after one.
NATIVE_ONLY = {"llm_panics_total"}


def load(path: str) -> Json:
    loaded: Json = yaml.safe_load((REPOSITORY / path).read_text())
    return loaded


@pytest.fixture(scope="session", params=[OLDEST, NEWEST])
def native_envoy(request: pytest.FixtureRequest) -> Path:
    return dependency("envoy", request.param)


@pytest.fixture(scope="session")
def native_module() -> Path:
    """The module that the watched file names."""
    [resource] = load(ECDS)["resources"]
    path = REPOSITORY / str(resource["typed_config"]["dynamic_module_config"]["module"]["local"]["filename"])
    if not path.exists():
        pytest.fail(f"{path} is missing: run ./build.sh --native")
    return path


@pytest.fixture
def native(tmp_path: Path, native_module: Path, servers: dict[str, ModelServer]) -> Iterator[Checkout]:
    made = Checkout(tmp_path, native_module, servers, BOOTSTRAP)
    yield made
    made.stop()


def options() -> list[str]:
    return re.findall(r"#-- option: (\w+)", (REPOSITORY / BOOTSTRAP).read_text())


@pytest.mark.parametrize("option", [None, *dict.fromkeys(options())])
def test_envoy_accepts_the_bootstrap_with_each_option(native_envoy: Path, native: Checkout, option: str | None) -> None:
    if option:
        native.switch_on(option)
    said = subprocess.run(
        [native_envoy, "--mode", "validate", "-c", BOOTSTRAP], cwd=native.folder, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr[-2000:]
    complaints = [line for line in said.stderr.splitlines() if "][warning]" in line or "][error]" in line]
    # The compressor's content types have another field since 1.40, which 1.39 does not know.
    assert [line for line in complaints if "CommonDirectionConfig.content_type" not in line] == [], "doubtful settings"


def test_it_routes_and_the_tool_changes_its_file(native_envoy: Path, native: Checkout, tool: Path) -> None:
    native.start(native_envoy)
    versions = versions_of(native.port, 60)
    assert set(versions) == {"v1", "v2"} and versions.count("v1") > versions.count("v2")
    admin = f"http://127.0.0.1:{native.admin_port}"

    def change(*arguments: str) -> str:
        command = [str(tool), arguments[0], ECDS, *arguments[1:], "--admin", admin]
        return subprocess.run(command, cwd=native.folder, check=True, capture_output=True, text=True).stdout

    assert "runs it after" in change("stop", "v2")
    assert set(versions_of(native.port, 60)) == {"v1"}
    assert native.discovery("update_success") == 2
    log = native.folder / "access.log"
    native.wait_until(lambda: '"llm_version":"v2"' in log.read_text(), "the version in the access log")


def counted(checkout: Checkout, envoy: Path) -> Snapshot:
    """What an Envoy shows after the same few requests."""
    checkout.start(envoy)
    versions_of(checkout.port, 40)
    versions_of(checkout.port, 5, **{"x-llm-cohort": "staff"})
    complete = {"llm_outcome": "complete"}
    checkout.wait_until(lambda: checkout.scrape().sum("llm_requests_total", **complete) == 45, "all to be counted")
    checkout.wait_until(lambda: checkout.scrape().sum("llm_response_chars_count") == 45, "the histograms to be flushed")
    return checkout.scrape()


def test_rules_and_dashboards_see_the_series_of_webassembly(
    newest_envoy: Path, native: Checkout, checkout: Checkout
) -> None:
    """Names, labels, buckets, and what was counted; times differ."""
    ours, theirs = counted(native, newest_envoy), counted(checkout, newest_envoy)
    assert {series for series in ours.series() if series[0] not in NATIVE_ONLY} == theirs.series()
    for name in ("llm_decisions_total", "llm_requests_total", "llm_response_chars_total", "llm_tokens_total"):
        assert ours.by(name, "llm_version") == theirs.by(name, "llm_version"), name


def test_without_the_runtime_guard_the_tool_reads_the_names_as_they_are(native_envoy: Path, native: Checkout) -> None:
    guard = "dynamic_modules_strip_custom_stat_prefix: true"
    native.replace(BOOTSTRAP, guard, guard.replace("true", "false"))
    native.start(native_envoy)
    versions_of(native.port, 5)
    names = {name for name, _ in native.scrape().series("envoy_dynamicmodulescustom_llm_requests_total")}
    assert names == {"envoy_dynamicmodulescustom_llm_requests_total"}


def loaded(process: "subprocess.Popen[bytes]") -> set[str]:
    """The module's files that Envoy has loaded."""
    return set(re.findall(r"libllm_canary\S+", Path(f"/proc/{process.pid}/maps").read_text()))


def test_an_upgrade_is_a_file_of_another_name(native_envoy: Path, native: Checkout, native_module: Path) -> None:
    """A new file under the name of a loaded one is not looked at, and all series go on through an upgrade."""
    old, new = native_module.name, "libllm_canary-next.so"
    copy_of = native.folder / "target" / new
    process = native.start(native_envoy)
    versions_of(native.port, 30)
    counters = ("llm_requests_total", "llm_response_chars_count")
    native.wait_until(lambda: all(native.scrape().sum(name) == 30 for name in counters), "all to be counted")
    before = native.scrape()
    # The same name, with what is no module.
    copy_of.write_bytes(b"no module")
    copy_of.rename(native.folder / "target" / old)
    native.replace(ECDS, '"keyless": "baseline"', '"keyless": "random"')
    native.wait_until(lambda: native.discovery("update_success") == 2, "the next configuration")
    assert loaded(process) == {old}
    # Another name.
    shutil.copy(native_module, copy_of)
    native.replace(ECDS, f"target/{old}", f"target/{new}")
    native.wait_until(lambda: native.discovery("update_success") == 3, "the next module")
    assert loaded(process) == {old, new}
    for name in counters:
        assert native.scrape().by(name, "llm_version") == before.by(name, "llm_version")
    versions_of(native.port, 30)
    native.wait_until(lambda: all(native.scrape().sum(name) == 60 for name in counters), "both to go on")


class Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def files(native_module: Path) -> Iterator[int]:
    """The port of a server that has the module."""
    handler = functools.partial(Files, directory=native_module.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize("is_right", [True, False])
def test_a_module_with_a_wrong_sum_is_passed_by(
    native_envoy: Path, native: Checkout, native_module: Path, files: int, is_right: bool
) -> None:
    """What the alert LlmModuleNotFetched looks at. Envoy counts the update as a success."""
    sha256 = hashlib.sha256(native_module.read_bytes()).hexdigest() if is_right else "0" * 64
    address = {"socket_address": {"address": "127.0.0.1", "port_value": files}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    bootstrap, watched = (yaml.safe_load((native.folder / path).read_text()) for path in (BOOTSTRAP, ECDS))
    bootstrap["static_resources"]["clusters"].append(
        {"name": "files", "type": "STATIC", "load_assignment": {"cluster_name": "files", "endpoints": endpoints}}
    )
    uri = {"uri": f"http://127.0.0.1:{files}/{native_module.name}", "cluster": "files", "timeout": "10s"}
    module = watched["resources"][0]["typed_config"]["dynamic_module_config"]
    module["module"] = {"remote": {"http_uri": uri, "sha256": sha256}}
    native.write(BOOTSTRAP, yaml.safe_dump(bootstrap))
    native.write(ECDS, yaml.safe_dump(watched))
    native.start(native_envoy)
    failed = "envoy_dynamic_modules_remote_fetch_error"
    native.wait_until(lambda: native.scrape().series("llm_panics_total") or native.scrape().sum(failed), "the module")
    answers = [ask(native.port, {"x-conversation-id": f"c{at}"}) for at in range(20)]
    assert {status for status, _, _ in answers} == {200}
    assert native.discovery("update_success") == 1
    assert native.scrape().sum(failed, config_name="llm-canary") == (0 if is_right else 1)
    assert len([headers for _, headers, _ in answers if "x-llm-version" in headers]) == (20 if is_right else 0)


def without_differences(bootstrap: Json, prefix: str) -> Json:
    """A bootstrap without what the two hosts need differently."""
    rest = copy.deepcopy(bootstrap)
    rest.pop("layered_runtime", None)
    rest["stats_config"].pop("stats_tags", None)
    for setting in rest["stats_config"]["histogram_bucket_settings"]:
        assert setting["match"]["prefix"].startswith(prefix)
        setting["match"]["prefix"] = setting["match"]["prefix"].removeprefix(prefix)
    [chain] = rest["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    [discovered] = [entry for entry in manager["http_filters"] if entry["name"] == "llm-canary"]
    del discovered["config_discovery"]
    # A request that waits sets its own limit in Envoy.
    manager["route_config"]["virtual_hosts"][0].pop("request_body_buffer_limit", None)
    return rest


def test_both_bootstraps_are_the_same_apart_from_the_host() -> None:
    assert without_differences(load("envoy/envoy.yaml"), WASM) == without_differences(load(BOOTSTRAP), NATIVE)


def test_both_watched_files_have_the_same_configuration() -> None:
    [wasm], [native] = (load(path)["resources"] for path in ("envoy/ecds/llm-canary.yaml", ECDS))
    filter_config = native["typed_config"]["filter_config"]
    assert filter_config == wasm["typed_config"]["config"]["configuration"]
    version = re.search(r'^version = "(.+)"$', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)
    assert version
    module = native["typed_config"]["dynamic_module_config"]
    assert module == {
        "module": {"local": {"filename": f"target/libllm_canary-{version.group(1)}.so"}},
        "do_not_close": True,
    }
