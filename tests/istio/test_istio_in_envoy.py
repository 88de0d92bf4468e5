"""The routes and the early strip in a real Envoy, while llm-canary itself is bypassed.

The route table is made of the VirtualService in the shape that Istio gives it (a header match
to the subset's cluster); that shape is our reading of Istio, not Istio. Envoy plays the model
servers too: each cluster leads to a listener that answers with the subset's name. What the
filter does on these routes is tested end to end elsewhere.
"""

import urllib.request

import pytest

from envoys import as_istio_does, free_ports, listener, running as run
from manifests import documents


@pytest.fixture(scope="module", params=["gateway", "sidecar"])
def running(request, envoy, tmp_path_factory):
    """An Envoy with the routes of one shape: {"plain": port, "stripped": port}."""
    routes = [as_istio_does(route) for route in documents(f"{request.param}-routes.yaml")["VirtualService"]["spec"]["http"]]
    (patch,) = documents("gateway-strip.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    plain, stripped = free_ports(2)
    listeners = [listener("plain", plain, routes), listener("stripped", stripped, routes, patch["patch"]["value"]["typed_config"])]
    with run(envoy, tmp_path_factory.mktemp("envoy"), listeners):
        yield {"plain": plain, "stripped": stripped}


def ask(port, headers=()):
    """(the version that answered, the route that led there)"""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", headers=dict(headers))
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode(), response.headers["x-route"]


def test_without_the_filter_everything_is_on_the_baseline(running):
    assert ask(running["plain"]) == ("v1", "llm-unrouted")
    assert ask(running["stripped"]) == ("v1", "llm-unrouted")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_header_leads_to_the_subset(running, version):
    assert ask(running["plain"], {"x-llm-version": version}) == (version, f"llm-{version}")


@pytest.mark.parametrize("version", ["v3", "V2", "v2 ", "", "v1, v2"])
def test_any_other_value_is_on_the_baseline(running, version):
    expected = ("v2", "llm-v2") if version.strip() == "v2" else ("v1", "llm-unrouted")  # HTTP trims a value's blanks
    assert ask(running["plain"], {"x-llm-version": version}) == expected


@pytest.mark.parametrize("header", ["x-llm-version", "X-LLM-Version"])
def test_the_early_mutation_takes_the_choice_from_the_client(running, header):
    assert ask(running["stripped"], {header: "v2"}) == ("v1", "llm-unrouted")
