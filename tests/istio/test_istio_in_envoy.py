"""The routes and the early strip in a real Envoy, while llm-canary itself is bypassed.

The route table is made of the VirtualService in the shape that Istio gives it (a header match
to the subset's cluster); that shape is our reading of Istio, not Istio. Envoy plays the model
servers too: each cluster leads to a listener that answers with the subset's name. What the
filter does on these routes is tested end to end elsewhere.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from pylib.http1 import request, send
from tests.harness.ports import free_port
from tests.istio.envoys import as_istio_does, listener
from tests.istio.envoys import running as run
from tests.istio.manifests import documents


@pytest.fixture(scope="module", params=["gateway", "sidecar"])
def running(
    request: pytest.FixtureRequest, envoy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, int]]:
    """An Envoy with the routes of one shape: {"plain": port, "stripped": port}."""
    routes = [
        as_istio_does(route) for route in documents(f"{request.param}-routes.yaml")["VirtualService"]["spec"]["http"]
    ]
    (patch,) = documents("gateway-strip.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    plain, stripped = free_port(), free_port()
    listeners = [
        listener("plain", plain, routes),
        listener("stripped", stripped, routes, patch["patch"]["value"]["typed_config"]),
    ]
    with run(envoy, tmp_path_factory.mktemp("envoy"), listeners):
        yield {"plain": plain, "stripped": stripped}


def ask(port: int, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[str, str]:
    """(the version that answered, the route that led there)"""
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    response = send(port, request(b"GET", headers=fields, body=b""), timeout_s=5)
    assert response.status == 200 and response.complete
    route = response.header(b"x-route")
    assert route is not None
    return response.body.decode(), route.decode()


def test_without_the_filter_everything_is_on_the_baseline(running: dict[str, int]) -> None:
    assert ask(running["plain"]) == ("v1", "llm-unrouted")
    assert ask(running["stripped"]) == ("v1", "llm-unrouted")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_header_leads_to_the_subset(running: dict[str, int], version: str) -> None:
    assert ask(running["plain"], {"x-llm-version": version}) == (version, f"llm-{version}")


@pytest.mark.parametrize("version", ["v3", "V2", "v2 ", "", "v1, v2"])
def test_any_other_value_is_on_the_baseline(running: dict[str, int], version: str) -> None:
    expected = ("v2", "llm-v2") if version.strip() == "v2" else ("v1", "llm-unrouted")  # HTTP trims a value's blanks
    assert ask(running["plain"], {"x-llm-version": version}) == expected


@pytest.mark.parametrize("header", ["x-llm-version", "X-LLM-Version"])
def test_the_early_mutation_takes_the_choice_from_the_client(running: dict[str, int], header: str) -> None:
    assert ask(running["stripped"], {header: "v2"}) == ("v1", "llm-unrouted")
