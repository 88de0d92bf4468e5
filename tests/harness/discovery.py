"""`llm-canary xds` as a process that can be killed and started again at its address, and Envoys that ask it."""

import asyncio
import copy
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from pylib.http1 import Header, HttpError, get, request, send
from tests.harness import REPOSITORY, Json
from tests.harness.envoy import discovered_filter, endpoints
from tests.harness.hosts import WASM, Host, configuration_of, module_of
from tests.harness.ports import free_port

BOOTSTRAP = REPOSITORY / "envoy" / "discovery.yaml"
CLUSTER = "llm-canary-xds"
# Envoy asks after the delay and up to as long again at random.
REFRESH_S = 0.5
READY_S_MAX, REACHED_S_MAX = 20.0, 20.0
POLL_S = 0.05
STOP_S_MAX = 5.0


class Xds:
    """The server of these files."""

    def __init__(self, tool: Path, folder: Path, files: Sequence[Path]) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._command: list[str | Path] = [tool, "xds", *files, "--listen", f"127.0.0.1:{self.port}", "--json"]
        self._said = folder / "xds.jsonl"
        self._log = folder / "xds.log"
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> "Xds":
        with open(self._said, "ab") as said, open(self._log, "ab") as log:
            self._running = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=said, stderr=log)
        deadline = time.monotonic() + READY_S_MAX
        while self.status("/healthz") != 200:
            assert self._running.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(POLL_S)
        return self

    def kill(self) -> None:
        """At once, as a machine that fails."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def end(self) -> int:
        """As asked by the system; returns the exit code."""
        assert self._running is not None
        self._running.terminate()
        code = self._running.wait(STOP_S_MAX)
        self._running = None
        return code

    # --- what it says

    def status(self, path: str, method: bytes = b"GET", body: bytes = b"", *headers: Header) -> int | None:
        """Of the answer; `None` where nobody listens."""
        raw = request(method, path.encode(), [(b"connection", b"close"), *headers], host=b"127.0.0.1", body=body)
        try:
            return send(self.port, raw, timeout_s=5).status
        except (OSError, HttpError):
            return None

    def fleet(self) -> Json:
        fleet: Json = json.loads(get(self.port, "/api/envoys", timeout_s=5))
        return fleet

    def states(self) -> dict[str, str]:
        return {envoy["id"]: envoy["state"] for envoy in self.fleet()["envoys"]}

    def versions(self) -> dict[str, str]:
        return {one["name"]: one["version"] for file in self.fleet()["files"] for one in file["resources"]}

    def metrics(self) -> str:
        return get(self.port, "/metrics", timeout_s=5).decode()

    def events(self, name: str) -> list[Json]:
        events = [json.loads(line) for line in self._said.read_text().splitlines()]
        return [event for event in events if event["event"] == name]

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    async def reaches(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + REACHED_S_MAX
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < deadline, f"{what}: {self.fleet()}\n{self.log()}"
            await asyncio.sleep(POLL_S)

    async def all_run_it(self, ids: Iterable[str]) -> None:
        expected = dict.fromkeys(ids, "current")
        await self.reaches(lambda: self.states() == expected, f"all of {[*expected]} to be current")


def asks(xds: Xds, name: str, host: Host = WASM, **source: Any) -> Callable[[Json], None]:
    """Has an Envoy ask, as the shipped bootstrap does. `source` are other fields of its config_source. With
    `has_default` it has a default_config: the shipped one, or the same for the native module.
    """
    shipped = yaml.safe_load(BOOTSTRAP.read_text())
    discovery = copy.deepcopy(discovered_filter(shipped)["config_discovery"])
    resource = {"typed_config": discovery.pop("default_config")}
    if host is not WASM:
        begins = configuration_of(resource)["value"]
        [resource] = yaml.safe_load(host.ecds.read_text())["resources"]
        configuration_of(resource)["value"] = begins
    module_of(resource)["filename"] = str(host.module)
    [cluster] = [one for one in shipped["static_resources"]["clusters"] if one["name"] == CLUSTER]
    [endpoint] = endpoints(cluster)
    endpoint["address"]["socket_address"]["port_value"] = xds.port
    has_default = source.pop("has_default", False)
    discovery["config_source"] |= source

    def edit(bootstrap: Json) -> None:
        bootstrap["node"] = {"id": name, "cluster": "edge"}
        found = discovered_filter(bootstrap)["config_discovery"]
        found["config_source"] = discovery["config_source"]
        if has_default:
            found["default_config"] = resource["typed_config"]
        bootstrap["static_resources"]["clusters"].append(cluster)

    return edit


def replace(file: Path, text: str) -> None:
    """Renames a new text into place, as the tool does."""
    written = file.with_suffix(".next")
    written.write_text(text)
    os.rename(written, file)
