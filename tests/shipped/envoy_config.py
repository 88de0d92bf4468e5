"""Parts of Envoy's configuration, as other programs' files hold them, and Envoy's own opinion of them.

Envoy refuses an unknown field in what it starts with. So each part is put where Envoy would find it then: into a small
bootstrap, which `envoy --mode validate` reads, together with the module.
"""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness import Json

VALIDATE_SECONDS_MAX = 30
TYPES = "type.googleapis.com/envoy"
MANAGER = "envoy.filters.network.http_connection_manager"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"},
}
NODE = {"id": "llm-canary", "cluster": "llm-canary"}


def listener(filters: list[Json], merged: Json | None = None) -> Json:
    """A listener with these filters before the router. `merged` is added to the connection manager."""
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "llm",
        "route_config": {"virtual_hosts": []},
        "http_filters": [*filters, ROUTER],
    } | (merged or {})
    chain = {"filters": [{"name": MANAGER, "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {"name": "llm", "address": address, "filter_chains": [chain]}


def bootstrap(filters: list[Json], merged: Json | None = None) -> Json:
    """An Envoy with nothing but one listener, and a control plane that is not there."""
    xds = {
        "name": "xds",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    services = [{"envoy_grpc": {"cluster_name": "xds"}}]
    ads = {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": services}
    return {
        "node": NODE,
        "dynamic_resources": {"ads_config": ads},
        "static_resources": {"listeners": [listener(filters, merged)], "clusters": [xds]},
    }


def of_envoy_filter(resource: Json) -> Iterator[Json]:
    """A bootstrap for each patch of Istio's EnvoyFilter."""
    for patch in resource["spec"]["configPatches"]:
        value = patch["patch"]["value"]
        match patch["applyTo"]:
            case "HTTP_FILTER" | "EXTENSION_CONFIG":
                yield bootstrap([value])
            case "NETWORK_FILTER":
                # Istio merges the filter itself; a field more is one of it that Envoy does not know.
                yield bootstrap(
                    [], value["typed_config"] | {name: value[name] for name in value if name != "typed_config"}
                )
            case other:
                raise NotImplementedError(f"nobody validates what an EnvoyFilter applies to {other}; add it here")


def of_discovered(file: Json) -> Iterator[Json]:
    """A bootstrap for each filter of a file of discovery."""
    yield from (bootstrap([{"name": one["name"], "typed_config": one["typed_config"]}]) for one in file["resources"])


def merged(base: Json, added: Json) -> Json:
    """As Envoy Gateway merges a bootstrap into its own: mappings are joined, anything else is replaced."""
    return base | {
        name: merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in added.items()
    }


def found_here(config: Any, files: dict[str, Path]) -> Any:
    """The same with files of this machine: a module for each ending, and a folder for what is watched."""
    if isinstance(config, list):
        return [found_here(one, files) for one in config]
    if not isinstance(config, dict):
        return config
    changed = {name: found_here(value, files) for name, value in config.items()}
    filename = config.get("filename")
    if isinstance(filename, str) and Path(filename).suffix in files:
        changed["filename"] = str(files[Path(filename).suffix])
    if "path_config_source" in config:
        source = changed["path_config_source"]
        source["path"] = str(files["discovery"] / "none.yaml")
        if "watched_directory" in source:
            source["watched_directory"] = source["watched_directory"] | {"path": str(files["discovery"])}
    return changed


def error(envoy: Path, folder: Path, config: Json, files: dict[str, Path]) -> str:
    """Why Envoy would not start with a configuration; empty if it would."""
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(found_here(copy.deepcopy(config), files)))
    command: list[str | Path] = [
        envoy,
        "--mode",
        "validate",
        "-c",
        path,
        "--use-dynamic-base-id",
        "--log-level",
        "error",
        # For a bootstrap that leaves them to the command line.
        "--service-node",
        NODE["id"],
        "--service-cluster",
        NODE["cluster"],
    ]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=VALIDATE_SECONDS_MAX)
    return "" if said.returncode == 0 else said.stderr[-2000:] or "refused"
