"""A real Envoy, started from the shipped bootstrap. Only ports, paths and the flush interval are exchanged."""

import asyncio
import copy
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from pylib.http1 import HttpError, get
from pylib.prometheus import Snapshot
from tests.harness import Json
from tests.harness.hosts import WASM, Host, configuration_of, module_of

FILTER = "llm-canary"

READY_S_MAX = 30
SETTLE_S_MAX = 10
FLUSH_S = 0.2
FLUSHED_S = 2 * FLUSH_S  # after that long every histogram shows what was recorded before
HANDED_OVER_S = 0.1  # the filter hands counts over 50 ms later at most
STOP_S_MAX = 10
POLL_S = 0.02

# What Envoy logs when a VM traps, and what the filter logs when it panics, in either host. Where a configuration is
# refused, Envoy logs "Wasm VM failed", too: that is no failure of a VM.
_FAILURES = re.compile(r"panicked at|Function: proxy_\w+ failed|in-VM backtrace|Wasm VM failed(?! Failed to configure)")


class EnvoyError(Exception):
    pass


class _Block(str):
    """A text that is written as a YAML block, as people write it and as the operator's tool edits it."""


yaml.SafeDumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


class Envoy:
    """An Envoy that can be started, stopped and given another configuration.

    `folder` holds all that it reads and writes. `ports` says where the clusters of the bootstrap listen here. `options`
    are the optional blocks of the bootstrap that are switched on. `plugin` are further fields of the plugin that is
    shipped for the WebAssembly host. `hot_restart` are the arguments for an Envoy that takes over from another or will
    be taken over. `host` is where the filter runs.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        configuration: object,
        ports: Mapping[str, int],
        concurrency: int = 2,
        options: Sequence[str] = (),
        edit: Callable[[Json], None] | None = None,
        plugin: Mapping[str, Any] = MappingProxyType({}),
        hot_restart: Sequence[str] = ("--use-dynamic-base-id",),
        host: Host = WASM,
    ) -> None:
        assert host is WASM or not plugin, "only the WebAssembly host has a plugin"
        self.host = host
        self.folder = Path(folder)
        self.log_path = self.folder / "envoy.log"
        self.access_log_path = self.folder / "access.log"
        self._binary = binary
        self._concurrency = concurrency
        self._plugin = dict(plugin)
        self._hot_restart = hot_restart
        self._pushes = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._failures: list[str] = []  # of processes that have ended
        self.version = ""  # of Envoy, for tests that depend on it
        (self.folder / "ecds").mkdir(parents=True)
        bootstrap = derive_bootstrap(host, self.folder / "ecds", ports, options)
        if edit is not None:
            edit(bootstrap)
        self.has_filter = any(f["name"] == FILTER for f in http_manager(bootstrap)["http_filters"])
        (self.folder / "bootstrap.json").write_text(json.dumps(bootstrap, indent=1))
        self.push(configuration)

    def start(self) -> "Envoy":
        admin_address = self.folder / "admin-address"
        admin_address.unlink(missing_ok=True)
        with open(self.access_log_path, "ab") as stdout, open(self.log_path, "ab") as stderr:
            self._running = subprocess.Popen(
                [
                    self._binary,
                    *("-c", self.folder / "bootstrap.json"),
                    *("--concurrency", str(self._concurrency)),
                    *("--admin-address-path", admin_address),
                    *("--file-flush-interval-msec", "100"),
                    *self._hot_restart,
                ],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.folder,
            )
        try:
            self._wait(lambda: admin_address.exists() and admin_address.read_text(), "an admin address")
            self._admin_port = int(admin_address.read_text().rpartition(":")[2])
            self._wait(lambda: json.loads(self.admin("/server_info"))["state"] == "LIVE", "state LIVE in /server_info")
            listeners = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
            self.port = listeners[0]["local_address"]["socket_address"]["port_value"]
        except Exception:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self._running is None:
            return
        self._failures += self._process_failures()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._running = None

    async def until_exit(self, seconds: float) -> None:
        """Returns when Envoy has ended by itself."""
        await asyncio.to_thread(self._process.wait, seconds)

    def restart(self) -> "Envoy":
        self.stop()
        return self.start()

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._running is not None, "it was not started, or was stopped"
        return self._running

    # --- configuration

    def push(self, configuration: object) -> float:
        """Renames a new configuration into place. Returns when that was, in monotonic seconds."""
        return self.rename(self.write(configuration))

    def write(self, configuration: object) -> Path:
        """Writes the file beside the watched folder, so that only its rename is left to do."""
        self._pushes += 1
        if not isinstance(configuration, str):
            configuration = json.dumps(configuration, indent=2)
        response = yaml.safe_load(self.host.ecds.read_text())
        response["version_info"] = str(self._pushes)
        [resource] = response["resources"]
        configuration_of(resource)["value"] = _Block(configuration)
        module_of(resource)["filename"] = str(self.host.module)
        if self._plugin:
            resource["typed_config"]["config"] |= self._plugin
        written = self.folder / f"ecds-{self._pushes}.yaml"
        written.write_text(yaml.safe_dump(response, sort_keys=False))
        return written

    def rename(self, written: Path) -> float:
        renamed_at = time.monotonic()
        os.rename(written, self.file)
        return renamed_at

    @property
    def file(self) -> Path:
        """What it watches: the file with the filter's configuration."""
        return self.folder / "ecds" / self.host.ecds.name

    def discovery(self, name: str) -> int:
        """A counter of the discovery of the filter's configuration: config_reload, update_rejected, config_fail, …"""
        return self.counter(f"extension_config_discovery.http_filter.{FILTER}.{name}")

    # --- what it says

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def admin_address(self) -> str:
        return f"http://127.0.0.1:{self._admin_port}"

    def admin(self, path: str) -> str:
        return get(self._admin_port, path, timeout_s=5).decode()

    def counter(self, name: str) -> int:
        """Returns one of Envoy's own counters by its full name."""
        for line in self.admin(f"/stats?filter={re.escape(name)}").splitlines():
            found, _, value = line.partition(": ")
            if found.endswith(name):
                return int(value)
        raise EnvoyError(f"Envoy has no stat that ends with {name}")

    def stats(self) -> Snapshot:
        """Returns a snapshot in which all that is over has been counted: the filter hands counts over with a delay."""
        time.sleep(HANDED_OVER_S)
        return self._stats()

    def _stats(self) -> Snapshot:
        return Snapshot.parse(self.admin("/stats/prometheus"))

    async def settled(self, condition: Callable[[Snapshot], object], since: Snapshot | None = None) -> Snapshot:
        """Returns the first snapshot (less `since`) for which the condition holds: statistics follow a response with a
        delay.
        """
        deadline = time.monotonic() + SETTLE_S_MAX
        while True:
            snapshot = await asyncio.to_thread(self._stats)
            seen = snapshot - since if since is not None else snapshot
            if condition(seen):
                return seen
            if time.monotonic() > deadline:
                shown = {
                    f"{name}{dict(labels)}": value
                    for (name, labels), value in seen.items()
                    if name.startswith("llm_") and value
                }
                raise EnvoyError(f"not reached within {SETTLE_S_MAX} s; the statistics say {shown}")
            await asyncio.sleep(POLL_S)

    async def counted(self, requests: int, since: Snapshot) -> Snapshot:
        """Returns the difference to `since` once that many requests have been counted, and no more one flush later."""
        total = "llm_requests_total"
        await self.settled(lambda seen: seen.sum(total) >= requests, since)
        seen = await self.flushed() - since
        assert seen.sum(total) == requests, f"{seen.sum(total)} counted of {requests}: {seen.by(total, 'llm_outcome')}"
        return seen

    async def flushed(self) -> Snapshot:
        """Returns a snapshot in which histograms have caught up, too."""
        await asyncio.sleep(FLUSHED_S)
        return await asyncio.to_thread(self.stats)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await asyncio.to_thread(self._wait, condition, what)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def access_log(self) -> list[str]:
        return self.access_log_path.read_text(errors="replace").splitlines()

    def vm_count(self) -> int:
        """How many VMs it says that it has."""
        return self.counter("wasm.envoy.wasm.runtime.v8.active") if self.host is WASM else 0

    def filter_failures(self) -> list[str]:
        """Every sign that the filter panicked, or that Envoy ended or its VM trapped or was built anew."""
        logged = [line for line in self.log().splitlines() if _FAILURES.search(line)]
        return logged + self._failures + (self._process_failures() if self._running else [])

    def _process_failures(self) -> list[str]:
        if self._process.poll() is not None:
            return [f"Envoy ended with status {self._process.returncode}"]
        try:
            reloads = self.admin("/stats?filter=vm_reload").splitlines()
        except (OSError, HttpError) as error:
            return [f"Envoy does not answer: {error}"]
        return [line for line in reloads if not line.endswith(": 0")]

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            if self._running is None or self._running.poll() is not None:
                raise EnvoyError(f"Envoy ended while waiting for {what}; its log ends:\n{self.log()[-4000:]}")
            try:
                if condition():
                    return
            except (OSError, HttpError):
                pass
            if time.monotonic() > deadline:
                raise EnvoyError(f"waited {READY_S_MAX} s for {what}; Envoy's log ends:\n{self.log()[-4000:]}")
            time.sleep(POLL_S)


def switched_on(text: str, options: Sequence[str]) -> str:
    """Uncomments the blocks of the bootstrap between `#-- option: NAME` and `#-- end`."""
    lines, inside, found = [], None, set()
    for line in text.splitlines():
        marker = line.strip()
        if marker.startswith("#-- "):
            inside = marker.removeprefix("#-- option: ")
            found.add(inside)
        elif inside in options:
            line = line.replace("#", "", 1)
        lines.append(line)
    assert found >= set(options), f"the bootstrap has no option {set(options) - found}"
    return "\n".join(lines)


def derive_bootstrap(host: Host, ecds_folder: Path, ports: Mapping[str, int], options: Sequence[str] = ()) -> Json:
    """The bootstrap that is shipped for the host, with the ports and the folder of a test. It fails where the bootstrap
    lacks what is exchanged.
    """
    bootstrap = yaml.safe_load(switched_on(host.bootstrap.read_text(), options))
    bootstrap["stats_flush_interval"] = f"{FLUSH_S}s"
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = 0
    listener = shipped_listener(bootstrap)
    listener["address"]["socket_address"]["port_value"] = 0
    source = discovered_filter(bootstrap)["config_discovery"]["config_source"]["path_config_source"]
    source["path"] = str(ecds_folder / host.ecds.name)
    source["watched_directory"] = {"path": str(ecds_folder)}
    clusters = {cluster["name"]: cluster for cluster in bootstrap["static_resources"]["clusters"]}
    for name, port in ports.items():
        if name not in clusters:
            clusters[name] = copy.deepcopy(clusters["llm-v1"]) | {"name": name}
            clusters[name]["load_assignment"]["cluster_name"] = name
            bootstrap["static_resources"]["clusters"].append(clusters[name])
        for endpoint in endpoints(clusters[name]):
            endpoint["address"]["socket_address"] |= {"address": "127.0.0.1", "port_value": port}
    return bootstrap


def endpoints(cluster: Json) -> list[Json]:
    return [lb["endpoint"] for group in cluster["load_assignment"]["endpoints"] for lb in group["lb_endpoints"]]


def shipped_listener(bootstrap: Json) -> Json:
    """The first listener. A test may add others behind it."""
    return bootstrap["static_resources"]["listeners"][0]


def http_manager(bootstrap: Json) -> Json:
    [chain] = shipped_listener(bootstrap)["filter_chains"]
    [manager] = chain["filters"]
    return manager["typed_config"]


def without_filter(bootstrap: Json) -> None:
    """Removes the filter, to see what Envoy does by itself: the fallback route serves everything."""
    http_manager(bootstrap)["http_filters"].remove(discovered_filter(bootstrap))


def discovered_filter(bootstrap: Json) -> Json:
    [found] = [f for f in http_manager(bootstrap)["http_filters"] if f["name"] == FILTER]
    return found


def json_to_metadata(bootstrap: Json) -> None:
    """Puts a filter in front that reads a conversation's id. Istio's manifests configure it so, too."""
    present = {"metadata_namespace": "llm", "key": "conv"}
    rules = [{"selectors": [{"key": "metadata"}, {"key": "conversation_id"}], "on_present": present}]
    kind = "type.googleapis.com/envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata"
    typed = {"@type": kind, "request_rules": {"rules": rules}}
    filters = http_manager(bootstrap)["http_filters"]
    filters.insert(0, {"name": "envoy.filters.http.json_to_metadata", "typed_config": typed})
