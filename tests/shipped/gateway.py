"""A real Envoy with what Envoy Gateway makes of the resources of kubernetes/. That is our reading of its source; it is
not Envoy Gateway.

Two things follow from how it does that. The filter is off in the listener and on in each route that the policy is for,
so the route that fits a request as it comes decides whether the filter runs. And the configuration is a part of the
listener.
"""

import hashlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pylib.http1 import HttpError, get
from tests.harness import Json
from tests.harness.ports import free_port
from tests.istio.envoys import HCM, ROUTER, address, cluster
from tests.shipped.envoy_config import TYPES, merged

READY_S_MAX = 20
STOP_S_MAX = 10


def filters(policy: Json, code: Json, module: Path) -> list[Json]:
    """The filters of an EnvoyExtensionPolicy. `code` is where the gateway serves the module that it has fetched."""
    found = []
    for at, wasm in enumerate(policy["spec"].get("wasm", [])):
        config = {
            "name": wasm["name"],
            "root_id": wasm["rootID"],
            "fail_open": wasm.get("failOpen", False),
            "vm_config": {"vm_id": f"wasm-{at}", "runtime": "envoy.wasm.runtime.v8", "code": code},
            "configuration": _text(wasm["config"]),
        }
        wasm_type = f"{TYPES}.extensions.filters.http.wasm.v3.Wasm"
        found.append({"name": f"envoy.filters.http.wasm/{at}", "typed_config": {"@type": wasm_type, "config": config}})
    for at, dynamic in enumerate(policy["spec"].get("dynamicModule", [])):
        typed = {
            "@type": f"{TYPES}.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": {"module": {"local": {"filename": str(module)}}, "do_not_close": True},
            "filter_name": dynamic["filterName"],
            "filter_config": _text(dynamic["config"]),
        }
        found.append({"name": f"envoy.filters.http.dynamic_modules/{at}", "typed_config": typed})
    return [one | {"disabled": True} for one in found]


def _text(config: Json) -> Json:
    return {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(config)}


def routes(route: Json, is_covered: bool, names: list[str]) -> list[Json]:
    """The routes of an HTTPRoute: those with more headers first, as the Gateway API orders rules with the same path."""
    on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    table = []
    for rule in route["spec"]["rules"]:
        [match], [backend] = rule.get("matches", [{}]), rule["backendRefs"]
        headers = [
            {"name": header["name"], "string_match": {"exact": header["value"]}} for header in match.get("headers", [])
        ]
        table.append(
            {
                "name": rule["name"],
                "match": {"prefix": match.get("path", {}).get("value", "/"), "headers": headers},
                "route": {"cluster": backend["name"], "timeout": "0s"},
                "typed_per_filter_config": dict.fromkeys(names, on) if is_covered else {},
                "response_headers_to_add": [{"header": {"key": "x-route", "value": rule["name"]}}],
            }
        )
    return sorted(table, key=lambda one: -len(one["match"]["headers"]))


class Gateway:
    """An Envoy, and the control plane that gives it its listener."""

    def __init__(
        self, folder: Path, documents: Mapping[str, Json], modules: Mapping[str, Path], servers: Mapping[str, int]
    ) -> None:
        self.folder, self.documents, self.modules, self.servers = folder, documents, modules, servers
        self.port, self.admin_port, fetch_port = free_port(), free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        handler = _serving(modules[".wasm"].read_bytes())
        self.fetched = http.server.ThreadingHTTPServer(("127.0.0.1", fetch_port), handler)
        threading.Thread(target=self.fetched.serve_forever, daemon=True).start()
        self.sha256 = hashlib.sha256(modules[".wasm"].read_bytes()).hexdigest()

    def configure(self, policy: Json) -> None:
        """Gives Envoy the listener of a policy."""
        uri = {
            "uri": f"http://127.0.0.1:{self.fetched.server_address[1]}/m.wasm",
            "cluster": "wasm_cluster",
            "timeout": "10s",
        }
        code = {"remote": {"http_uri": uri, "sha256": self.sha256}}
        before = filters(policy, code, self.modules[".so"])
        target = policy["spec"]["targetRefs"][0]["name"]
        route = self.documents["HTTPRoute"]
        is_covered = route["metadata"]["name"] == target
        table = routes(route, is_covered, [one["name"] for one in before])
        manager = {
            "@type": HCM,
            "stat_prefix": "https-443",
            "route_config": {"virtual_hosts": [{"name": "llm", "domains": ["*"], "routes": table}]},
            "http_filters": [*before, ROUTER],
        }
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        kind = "type.googleapis.com/envoy.config.listener.v3.Listener"
        listener = {"@type": kind, "name": "models/llm/https", "address": address(self.port), "filter_chains": [chain]}
        new = self.folder / "next.json"
        new.write_text(json.dumps({"resources": [listener]}))
        os.rename(new, self.folder / "xds" / "listeners.json")

    def start(self, envoy: Path, drain_time_s: int) -> None:
        (self.folder / "xds").mkdir()
        self.configure(self.documents["EnvoyExtensionPolicy"])
        own: Json = {
            "node": {"id": "llm", "cluster": "models/llm"},
            "admin": {"address": address(self.admin_port)},
            "dynamic_resources": {
                "lds_config": {
                    "path_config_source": {
                        "path": str(self.folder / "xds" / "listeners.json"),
                        "watched_directory": {"path": str(self.folder / "xds")},
                    }
                }
            },
            "static_resources": {
                "clusters": [
                    *(cluster(name, port) for name, port in self.servers.items()),
                    cluster("wasm_cluster", self.fetched.server_address[1]),
                ]
            },
        }
        added = yaml.safe_load(self.documents["EnvoyProxy"]["spec"]["bootstrap"]["value"])
        (self.folder / "bootstrap.json").write_text(json.dumps(merged(own, added)))
        command: list[str | Path] = [
            envoy,
            "-c",
            self.folder / "bootstrap.json",
            "--use-dynamic-base-id",
            "--concurrency",
            "1",
            "--drain-time-s",
            str(drain_time_s),
        ]
        with open(self.folder / "envoy.log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.wait_until(lambda: self.stat("listener_manager.workers_started") == 1 and self._listens(), "Envoy")

    def _listens(self) -> bool:
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        return True

    def stat(self, name: str) -> int:
        lines = get(self.admin_port, f"/stats?filter=^{name}$").decode().split()
        return int(lines[-1]) if lines else 0

    def wait_until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                if condition():
                    return
            except (OSError, HttpError):
                pass
            log = (self.folder / "envoy.log").read_text()[-3000:]
            assert self.process and self.process.poll() is None, log
            assert time.monotonic() < deadline, f"waited {READY_S_MAX} s for {what}:\n{log}"
            time.sleep(0.05)

    def stop(self) -> None:
        self.fetched.shutdown()
        self.fetched.server_close()
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _serving(body: bytes) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
