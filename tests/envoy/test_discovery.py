"""The bootstrap for `llm-canary xds`, started as its comments say."""

import copy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ModelServer, ask
from tests.envoy.test_shipped_files import versions_of
from tests.harness import REPOSITORY, Json
from tests.harness.ports import free_port

BOOTSTRAP, ECDS = "envoy/discovery.yaml", "envoy/ecds/llm-canary.yaml"
CLUSTER = "llm-canary-xds"
NAMED = ("--service-node", "edge-1")


def load(path: str) -> Json:
    loaded: Json = yaml.safe_load((REPOSITORY / path).read_text())
    return loaded


@pytest.fixture
def asking(tmp_path: Path, module: Path, servers: dict[str, ModelServer]) -> Iterator[Checkout]:
    made = Checkout(tmp_path, module, servers, BOOTSTRAP)
    yield made
    made.stop()


def test_envoy_accepts_it_and_wants_a_name(envoy: Path) -> None:
    command: list[str | Path] = [envoy, "--mode", "validate", "-c", BOOTSTRAP]
    said = subprocess.run([*command, *NAMED], cwd=REPOSITORY, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr[-2000:]
    assert not [line for line in said.stderr.splitlines() if "][warning]" in line or "][error]" in line]
    nameless = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert nameless.returncode != 0 and "node 'id' and 'cluster' are required" in nameless.stderr


def test_it_begins_without_the_server_and_takes_what_it_serves(
    newest_envoy: Path, asking: Checkout, tool: Path
) -> None:
    port = free_port()
    asking.replace(BOOTSTRAP, "port_value: 9902", f"port_value: {port}")
    asking.replace(BOOTSTRAP, "initial_fetch_timeout: 10s", "initial_fetch_timeout: 1s")
    asking.start(newest_envoy, *NAMED)
    status, headers, _ = ask(asking.port, {"x-conversation-id": "c1"})
    assert status == 200 and "x-llm-version" not in headers, "the fallback route, by default_config"
    command: list[str | Path] = [tool, "xds", ECDS, "--listen", f"127.0.0.1:{port}"]
    asking.processes.append(subprocess.Popen(command, cwd=asking.folder, stderr=subprocess.DEVNULL))
    asking.wait_until(lambda: asking.discovery("update_success") == 1, "what is served")
    assert set(versions_of(asking.port, 60)) == {"v1", "v2"}
    stop: list[str | Path] = [tool, "stop", ECDS, "v2", "--xds", f"http://127.0.0.1:{port}"]
    stopped = subprocess.run(stop, cwd=asking.folder, capture_output=True, text=True)
    assert stopped.returncode == 0 and "edge-1 (127.0.0.1) runs it after" in stopped.stdout, stopped
    assert set(versions_of(asking.port, 60)) == {"v1"}


def without_discovery(bootstrap: Json) -> Json:
    rest = copy.deepcopy(bootstrap)
    rest["node"].pop("id", None)
    [chain] = rest["static_resources"]["listeners"][0]["filter_chains"]
    [found] = [one for one in chain["filters"][0]["typed_config"]["http_filters"] if one["name"] == "llm-canary"]
    del found["config_discovery"]
    clusters = rest["static_resources"]["clusters"]
    rest["static_resources"]["clusters"] = [one for one in clusters if one["name"] != CLUSTER]
    return rest


def test_it_is_the_other_bootstrap_apart_from_discovery() -> None:
    assert without_discovery(load(BOOTSTRAP)) == without_discovery(load("envoy/envoy.yaml"))


def test_what_an_envoy_begins_with_is_the_shipped_filter_without_a_rollout() -> None:
    [chain] = load(BOOTSTRAP)["static_resources"]["listeners"][0]["filter_chains"]
    [found] = [one for one in chain["filters"][0]["typed_config"]["http_filters"] if one["name"] == "llm-canary"]
    begins = found["config_discovery"]["default_config"]["config"]
    [resource] = load(ECDS)["resources"]
    shipped = resource["typed_config"]["config"]
    assert begins.pop("configuration") != shipped.pop("configuration")
    assert begins == shipped
