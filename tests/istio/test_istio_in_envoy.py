"""The routes and the early strip in a real Envoy, while llm-canary itself is bypassed.

The route table is made of the VirtualService in the shape that Istio gives it (a header match
to the subset's cluster); that shape is our reading of Istio, not Istio. Envoy plays the model
servers too: each cluster leads to a listener that answers with the subset's name. What the
filter does on these routes is tested end to end elsewhere.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request

import pytest

from manifests import ROOT, documents, unavailable

START_SECONDS_MAX = 20
SKIPPED = 77  # scripts/parts.sh: cannot be had on this machine
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}


@pytest.fixture(scope="session")
def envoy():
    """The path of an Envoy."""
    if named := os.environ.get("ENVOY_PATH"):
        return named
    found = subprocess.run([ROOT / "scripts" / "parts.sh", "envoy"], capture_output=True, text=True)
    if found.returncode == SKIPPED:
        unavailable(f"no Envoy: {found.stderr.strip()}")
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def listener(name, port, routes, merged=None):
    """`merged` is what an EnvoyFilter merges into the connection manager."""
    manager = {
        "@type": HCM,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [ROUTER],
    } | (merged or {})
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address(port), "filter_chains": [chain]}


def as_istio_does(route):
    """One HTTP route of a VirtualService as Envoy gets it."""
    (to,) = route["route"]
    (match,) = route.get("match", [{}])
    headers = [{"name": name, "string_match": how} for name, how in match.get("headers", {}).items()]
    return {
        "name": route["name"],
        "match": {"prefix": "/", "headers": headers},
        "route": {
            "cluster": to["destination"]["subset"],
            "timeout": "0s",
            "retry_policy": {"retry_on": route["retries"]["retryOn"], "num_retries": route["retries"]["attempts"]},
        },
        "response_headers_to_add": [{"header": {"key": "x-route", "value": route["name"]}}],
    }


def cluster(name, port):
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


@pytest.fixture(scope="module", params=["gateway", "sidecar"])
def running(request, envoy, tmp_path_factory):
    """An Envoy with the routes of one shape: {"plain": port, "stripped": port}."""
    routes = [as_istio_does(route) for route in documents(f"{request.param}-routes.yaml")["VirtualService"]["spec"]["http"]]
    (patch,) = documents("gateway-strip.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    plain, stripped, v1, v2 = free_ports(4)
    answers = [
        listener(name, port, [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": name}}}])
        for name, port in [("v1", v1), ("v2", v2)]
    ]
    config = {
        "static_resources": {
            "listeners": [listener("plain", plain, routes), listener("stripped", stripped, routes, patch["patch"]["value"]["typed_config"]), *answers],
            "clusters": [cluster("v1", v1), cluster("v2", v2)],
        }
    }
    folder = tmp_path_factory.mktemp("envoy")
    (folder / "envoy.json").write_text(json.dumps(config))
    log = folder / "log"
    command = [envoy, "-c", folder / "envoy.json", "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                ask(plain)
                break
            except OSError:
                time.sleep(0.05)
        yield {"plain": plain, "stripped": stripped}
    finally:
        process.terminate()
        process.wait(timeout=10)


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
