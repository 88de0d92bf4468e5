"""The filter in a real Envoy, installed as Istio would by these manifests: keys in bodies, in both ways that istio/
shows and without either; and requests of the examples for Triton and KServe.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pylib.http1 import Response, request, send
from tests.harness import Json
from tests.harness.ports import free_port
from tests.istio.envoys import as_istio_does, listener, running
from tests.istio.manifests import documents, plugin_config

SHAPES = ["gateway", "sidecar"]
WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
NO_BODIES = "requests no longer wait for their bodies"
LONG_BYTES = 2_000_000
CONVERSATIONS = [f"c{number}" for number in range(12)] + [12]
PLACES: dict[str, Callable[[object], Json]] = {
    "conversation": lambda id: {"conversation": id},
    "conversation's id": lambda id: {"conversation": {"id": id}},
    "cache key": lambda id: {"prompt_cache_key": id},
    "metadata": lambda id: {"metadata": {"conversation_id": id, "session_id": "s1"}},
    "session": lambda id: {"metadata": {"session_id": id, "user_id": "u1"}},
    "user in metadata": lambda id: {"metadata": {"user_id": id}, "user": "u1"},
    "user": lambda id: {"user": id},
    "all": lambda id: {"conversation": id, "prompt_cache_key": "p", "metadata": {"conversation_id": "m"}, "user": "u"},
}


def evenly(config: Json) -> Json:
    """The configuration with even splits, so that both versions show."""
    config = copy.deepcopy(config)
    for rollout in config["rollouts"]:
        for share in [rollout.get("split", {}), *(step["percent"] for step in rollout.get("steps", ()))]:
            share.update(dict.fromkeys(share, 50))
    return config


def as_plugin(config: Json, module: Path) -> Json:
    """What Istio makes of a WasmPlugin; the agent has fetched the module."""
    return {
        "name": "llm-canary",
        "typed_config": {
            "@type": WASM,
            "config": {
                "name": "llm-canary",
                "root_id": "llm-canary",
                "failure_policy": "FAIL_OPEN",
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}},
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": json.dumps(config),
                },
            },
        },
    }


def by_metadata(shape: str, module: Path) -> list[Json]:
    (patch,) = documents(f"{shape}-body-metadata.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    config = plugin_config(documents(f"{shape}-wasmplugin.yaml")["WasmPlugin"])
    return [patch["patch"]["value"], as_plugin(evenly(config), module)]


def by_waiting(shape: str, module: Path) -> list[Json]:
    placed, extension = documents(f"{shape}-envoyfilter.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    assert placed["patch"]["value"]["name"] == extension["patch"]["value"]["name"]
    value = copy.deepcopy(extension["patch"]["value"])
    plugin = value["typed_config"]["config"]
    plugin["vm_config"]["code"] = {"local": {"filename": str(module)}}  # as the agent does
    plugin["configuration"]["value"] = json.dumps(evenly(json.loads(plugin["configuration"]["value"])))
    return [value]


def without(shape: str, module: Path) -> list[Json]:
    return [as_plugin(evenly(plugin_config(documents(f"{shape}-wasmplugin.yaml")["WasmPlugin"])), module)]


class Running:
    def __init__(self, port: int, host: str, log: Path) -> None:
        self.port, self.host, self.log = port, host, log

    def ask(self, body: object, path: str = "/v1/responses", **headers: str) -> tuple[str, dict[str, str]]:
        """(the version that answered, the response's headers) of a request that is answered 200."""
        response = self.send(body, path, **headers)
        assert response.status == 200 and response.complete, bytes(response.body)
        answered = {name.decode(): value.decode() for name, value in response.headers}
        return response.body.decode(), answered

    def send(self, body: object, path: str = "/v1/responses", **headers: str) -> Response:
        fields = [(b"content-type", b"application/json; charset=utf-8")]
        fields += [(name.encode(), value.encode()) for name, value in headers.items()]
        raw = request(target=path.encode(), headers=fields, host=self.host.encode(), body=json.dumps(body).encode())
        return send(self.port, raw, timeout_s=10)

    def version(self, body: object, **headers: str) -> str:
        served_by, answered = self.ask(body, **headers)
        assert answered["x-llm-version"] == served_by
        return served_by


Way = Callable[[str, Path], list[Json]]
Installed = tuple[Way, Running]


@pytest.fixture(
    scope="module",
    params=[(shape, way) for shape in SHAPES for way in (by_metadata, by_waiting, without)],
    ids=lambda param: f"{param[0]}-{param[1].__name__}",
)
def installed(
    request: pytest.FixtureRequest, envoy: Path, module: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    shape, way = request.param
    routes = documents(f"{shape}-routes.yaml")["VirtualService"]["spec"]
    port = free_port()
    listeners = [listener("llm", port, list(map(as_istio_does, routes["http"])), filters=way(shape, module))]
    with running(envoy, tmp_path_factory.mktemp("envoy"), listeners) as log:
        yield way, Running(port, routes["hosts"][0], log)


@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_a_body_counts_as_in_a_header(installed: Installed, place: str) -> None:
    way, envoy = installed
    in_header = [envoy.version({}, **{"x-conversation-id": str(id)}) for id in CONVERSATIONS]
    in_body = [envoy.version(PLACES[place](id)) for id in CONVERSATIONS]
    assert set(in_header) == {"v1", "v2"}
    assert in_body == (["v1"] * len(CONVERSATIONS) if way is without else in_header)
    both = [envoy.version(PLACES[place](id), **{"x-session-id": "s1"}) for id in CONVERSATIONS]
    assert len(set(both)) == 1, "the header first"


def test_no_request_is_held_back_for_nothing(installed: Installed) -> None:
    _, envoy = installed
    began = time.monotonic()
    for body in ([1], "text", None, {"conversation": None}, {"conversation": ["a"]}, {"user": "u" * 9000}, {}):
        assert envoy.version(body) in ("v1", "v2")
    assert time.monotonic() - began < 1
    assert NO_BODIES not in envoy.log.read_text()


def test_a_body_longer_than_envoys_limit(installed: Installed) -> None:
    """json_to_metadata needs the whole body, and Envoy refuses that."""
    way, envoy = installed
    on_v2 = next(id for id in CONVERSATIONS if envoy.version({}, **{"x-conversation-id": str(id)}) == "v2")
    body = {"conversation": on_v2, "input": "x" * LONG_BYTES}
    if way is by_metadata:
        assert envoy.send(body).status == 413
    else:
        assert envoy.version(body) == ("v1" if way is without else "v2")


def test_a_body_that_is_awaited_in_vain_is_said_so(envoy: Path, module: Path, tmp_path: Path) -> None:
    """Without its list of keys, the rollout looks in bodies. README.md says what that costs."""
    config = evenly(plugin_config(documents("gateway-wasmplugin.yaml")["WasmPlugin"]))
    (rollout,) = config["rollouts"]
    del rollout["key"]
    routes = documents("gateway-routes.yaml")["VirtualService"]["spec"]
    port = free_port()
    listeners = [listener("llm", port, list(map(as_istio_does, routes["http"])), filters=[as_plugin(config, module)])]
    with running(envoy, tmp_path, listeners) as log:
        asked = Running(port, routes["hosts"][0], log)
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert asked.version({"conversation": "c1"}) == "v1"
            took.append(time.monotonic() - began)
    assert 1.5 < took[0] < 4 and max(took[1:]) < 1, took
    assert log.read_text().count(NO_BODIES) == 1


def behind_vhosts(routes: Json) -> Json:
    """The route table of a VirtualService: a virtual host for each of its hosts."""
    table = list(map(as_istio_does, routes["http"]))
    return {
        "virtual_hosts": [{"name": host, "domains": [host, f"{host}:*"], "routes": table} for host in routes["hosts"]]
    }


@pytest.mark.parametrize("is_bypassed", [False, True], ids=["filter", "bypassed"])
def test_a_request_has_the_host_of_its_inference_service(
    envoy: Path, module: Path, tmp_path: Path, is_bypassed: bool
) -> None:
    config = evenly(plugin_config(documents("kserve-wasmplugin.yaml")["WasmPlugin"]))
    routes = documents("kserve-routes.yaml")["VirtualService"]["spec"]
    port = free_port()
    filters = [] if is_bypassed else [as_plugin(config, module)]
    listeners = [listener("llm", port, [], {"route_config": behind_vhosts(routes)}, filters)]
    with running(envoy, tmp_path, listeners) as log:
        asked = Running(port, "llm.example.com", log)
        answers = [asked.ask({}, "/v1/chat/completions", **{"x-conversation-id": str(id)})[1] for id in CONVERSATIONS]
    assert {answer["x-path"] for answer in answers} == {"/openai/v1/chat/completions"}
    versions = [answer.get("x-llm-version", "llm-v1") for answer in answers]
    assert [answer["x-host"] for answer in answers] == [f"{version}.models.example.com" for version in versions]
    assert set(versions) == ({"llm-v1"} if is_bypassed else {"llm-v1", "llm-v2"})
    assert {answer["x-route"] for answer in answers} == {"llm-unrouted" if is_bypassed else "llm-by-host"}


def test_a_request_has_the_path_of_its_version_in_triton(envoy: Path, module: Path, tmp_path: Path) -> None:
    config = evenly(plugin_config(documents("triton-wasmplugin.yaml")["WasmPlugin"]))
    route = {"match": {"prefix": "/"}, "route": {"cluster": "v1"}}
    port = free_port()
    with running(envoy, tmp_path, [listener("llm", port, [route], filters=[as_plugin(config, module)])]) as log:
        asked = Running(port, "llm.example.com", log)
        path = "/v2/models/llm/generate_stream"
        answers = [asked.ask({}, path, **{"x-conversation-id": str(id)})[1] for id in CONVERSATIONS]
        versions = [answer["x-llm-version"] for answer in answers]
        assert [answer["x-path"] for answer in answers] == [
            f"/v2/models/llm/versions/{one}/generate_stream" for one in versions
        ]
        assert set(versions) == {"1", "2"}
        named = "/v2/models/llm/versions/1/generate_stream"
        assert asked.ask({}, named)[1]["x-path"] == named
