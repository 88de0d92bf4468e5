"""Starts a real Envoy with what Istio would make of the manifests, as far as we read it.

Each cluster leads to a listener of the same Envoy, which answers with the cluster's name, and with the host and path of
the request.
"""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.harness import Json
from tests.harness.ports import free_port

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}


def address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def listener(
    name: str, port: int, routes: list[Json], merged: Json | None = None, filters: Iterable[Json] = ()
) -> Json:
    """`merged` is what an EnvoyFilter merges into the connection manager. `filters` come before the router."""
    manager = {
        "@type": HCM,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, ROUTER],
    } | (merged or {})
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address(port), "filter_chains": [chain]}


def as_istio_does(route: Json) -> Json:
    """One HTTP route of a VirtualService as Envoy gets it."""
    (to,) = route["route"]
    (match,) = route.get("match", [{}])
    headers = [{"name": name, "string_match": how} for name, how in match.get("headers", {}).items()]
    if authority := match.get("authority"):
        headers.append({"name": ":authority", "string_match": {"safe_regex": authority}})
    rewrite = route.get("rewrite", {})
    rewritten = {"host_rewrite_literal": rewrite.get("authority"), "prefix_rewrite": rewrite.get("uri")}
    return {
        "name": route["name"],
        "match": {"prefix": match.get("uri", {}).get("prefix", "/"), "headers": headers},
        "route": {
            "cluster": to["destination"].get("subset", "v1"),
            "timeout": "0s",
            "retry_policy": {"retry_on": route["retries"]["retryOn"], "num_retries": route["retries"]["attempts"]},
        }
        | {name: value for name, value in rewritten.items() if value},
        "response_headers_to_add": [{"header": {"key": "x-route", "value": route["name"]}}],
    }


def cluster(name: str, port: int) -> Json:
    endpoint = {"endpoint": {"address": address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def answering(name: str, port: int) -> Json:
    """A model server: a listener that answers with its name, and with what it was asked."""
    told = {"x-host": "%REQ(:AUTHORITY)%", "x-path": "%REQ(:PATH)%"}
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": name}},
        "response_headers_to_add": [{"header": {"key": key, "value": value}} for key, value in told.items()],
    }
    return listener(name, port, [route])


@contextlib.contextmanager
def running(envoy: Path, folder: Path, listeners: list[Json]) -> Iterator[Path]:
    """Runs an Envoy with these listeners, and the servers `v1` and `v2` behind them. Yields its log once the first one
    listens.
    """
    v1, v2 = free_port(), free_port()
    config = {
        "static_resources": {
            "listeners": [*listeners, answering("v1", v1), answering("v2", v2)],
            "clusters": [cluster("v1", v1), cluster("v2", v2)],
        }
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    log = folder / "log"
    command: list[str | Path] = [
        envoy,
        "-c",
        folder / "envoy.json",
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warn",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    port = listeners[0]["address"]["socket_address"]["port_value"]
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield log
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS_MAX)
