"""Envoy Gateway's files in a real Envoy: what kubernetes/README.md says about routes, streams and mistakes."""

import copy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pylib.prometheus import Snapshot
from tests.envoy.model_server import ModelServer, ask
from tests.harness import NEWEST, REPOSITORY, Json
from tests.harness.dependencies import dependency
from tests.istio import crd
from tests.shipped.gateway import Gateway

FILES = {"wasm": "envoy-gateway.yaml", "native": "envoy-gateway-native.yaml"}
SHORT_S, LONG_S = 1, 60

Start = Callable[..., Gateway]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ModelServer]]:
    started = {f"llm-{version}": ModelServer(version).start() for version in ("v1", "v2")}
    yield started
    for server in started.values():
        server.stop()


def documents(host: str) -> dict[str, Json]:
    text = (REPOSITORY / "kubernetes" / FILES[host]).read_text()
    return {doc["kind"]: doc for doc in crd.load(text)}


def changed(
    policy: Json,
    shares: Json | None = None,
    fail_open: bool = True,
    baseline: str = "v1",
    key: list[Json] | None = None,
) -> Json:
    """The policy with other shares and keys, or with a mistake."""
    policy = copy.deepcopy(policy)
    [item] = policy["spec"].get("wasm") or policy["spec"]["dynamicModule"]
    [rollout] = item["config"]["rollouts"]
    rollout["steps"][0]["percent"] = shares or {"v2": 50}
    rollout["baseline"] = baseline
    rollout["key"] = key or rollout["key"]
    if "wasm" in policy["spec"]:
        item["failOpen"] = fail_open
    return policy


@pytest.fixture
def start(tmp_path: Path, modules: dict[str, Path], servers: dict[str, ModelServer]) -> Iterator[Start]:
    started: list[Gateway] = []

    def make(host: str, drain_time_s: int = LONG_S, **how: Any) -> Gateway:
        docs = documents(host)
        docs["EnvoyExtensionPolicy"] = changed(docs["EnvoyExtensionPolicy"], **how)
        gateway = Gateway(tmp_path, docs, modules, {name: server.port for name, server in servers.items()})
        started.append(gateway)
        gateway.start(dependency("envoy", NEWEST), drain_time_s)
        return gateway

    yield make
    for gateway in started:
        gateway.stop()


def answered(gateway: Gateway, path: str = "/v1/chat/completions", **headers: str) -> tuple[str, str | None]:
    """The route that was taken, and the version that the response names."""
    status, said, _ = ask(gateway.port, headers, path=path)
    assert status == 200
    return said["x-route"], said.get("x-llm-version")


def conversations(gateway: Gateway) -> list[tuple[str, str | None]]:
    return [answered(gateway, **{"x-conversation-id": f"c{at}"}) for at in range(20)]


@pytest.mark.parametrize("host", FILES)
def test_the_version_chooses_the_rule(start: Start, host: str) -> None:
    gateway = start(host)
    found = conversations(gateway)
    assert set(found) == {("v1", "v1"), ("v2", "v2")}, "a header that the filter sets leads to a new choice of the rule"
    for claimed in ("v1", "v2", "v9"):
        as_claimed = [
            answered(gateway, **{"x-conversation-id": f"c{at}", "x-llm-version": claimed}) for at in range(20)
        ]
        assert as_claimed == found, "what a client sends does not count"
    # Of no rollout: the rule for the rest, also if a client names a version.
    assert answered(gateway, "/health") == ("unrouted", None)
    assert answered(gateway, "/health", **{"x-llm-version": "v2"}) == ("unrouted", None)


@pytest.mark.parametrize(("host", "drain_time_s", "is_cut"), [("wasm", SHORT_S, True), ("native", LONG_S, False)])
def test_a_change_of_the_policy_ends_streams_after_the_drain_time(
    start: Start, host: str, drain_time_s: int, is_cut: bool
) -> None:
    gateway = start(host, drain_time_s)
    bodies: list[bytes] = []
    stream = threading.Thread(target=lambda: bodies.append(ask(gateway.port, say="long")[2]))
    stream.start()
    gateway.wait_until(lambda: gateway.stat("http.https-443.downstream_rq_active") == 1, "the stream")
    gateway.configure(changed(gateway.documents["EnvoyExtensionPolicy"], {"v2": 100}))
    gateway.wait_until(lambda: {route for route, _ in conversations(gateway)} == {"v2"}, "the change")
    stream.join()
    assert (b"[DONE]" not in bodies[0]) == is_cut


@pytest.mark.parametrize("host", FILES)
def test_an_envoy_that_runs_keeps_its_configuration_if_the_next_is_refused(start: Start, host: str) -> None:
    gateway = start(host)
    before = conversations(gateway)
    gateway.configure(changed(gateway.documents["EnvoyExtensionPolicy"], baseline="v9"))
    gateway.wait_until(lambda: gateway.stat("listener_manager.lds.update_rejected") == 1, "the refusal")
    assert conversations(gateway) == before


@pytest.mark.parametrize(("fail_open", "expected"), [(True, (200, "unrouted")), (False, (503, "unrouted"))])
def test_an_envoy_that_starts_with_a_refused_configuration(
    start: Start, fail_open: bool, expected: tuple[int, str]
) -> None:
    gateway = start("wasm", fail_open=fail_open, baseline="v9")
    status, said, _ = ask(gateway.port, {"x-conversation-id": "c1"})
    assert (status, said["x-route"]) == expected


@pytest.mark.parametrize(("host", "reason"), [("wasm", "keyless"), ("native", "split")])
def test_a_key_in_a_body_needs_the_native_module(start: Start, host: str, reason: str) -> None:
    """Envoy Gateway cannot have Envoy hand over the body of a request that waits for it."""
    gateway = start(host, key=[{"body": "/messages/0/content"}])
    answered(gateway)
    gateway.wait_until(
        lambda: Snapshot.scrape(gateway.admin_port).sum("llm_decisions_total", llm_reason=reason) == 1, reason
    )
