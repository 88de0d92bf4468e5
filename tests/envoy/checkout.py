"""A folder laid out like the repository, and what a user starts in it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pylib.http1 import HttpError, get
from pylib.prometheus import Snapshot
from tests.envoy.model_server import ModelServer
from tests.harness import REPOSITORY
from tests.harness.ports import free_port

READY_S_MAX = 30
STOP_S_MAX = 10


class NotReady(Exception):
    pass


class Checkout:
    """A folder laid out like the repository. It holds the files as shipped, apart from the ports, which may be taken
    here.
    """

    def __init__(
        self, folder: Path, module: Path, servers: Mapping[str, ModelServer], bootstrap: str = "envoy/envoy.yaml"
    ) -> None:
        self.folder, self.bootstrap = folder, bootstrap
        shutil.copytree(REPOSITORY / "envoy", folder / "envoy")
        (folder / "target").mkdir()
        (folder / "target" / module.name).symlink_to(module)
        self.port, self.admin_port, self.prometheus_port = free_port(), free_port(), free_port()
        self.replace(bootstrap, "port_value: 10000", f"port_value: {self.port}")
        self.replace(bootstrap, "port_value: 9901", f"port_value: {self.admin_port}")
        self.replace(bootstrap, "port_value: 8001", f"port_value: {servers['v1'].port}")
        self.replace(bootstrap, "port_value: 8002", f"port_value: {servers['v2'].port}")
        self.replace("envoy/prometheus/prometheus.yml", "127.0.0.1:9901", f"127.0.0.1:{self.admin_port}")
        self.processes: list[subprocess.Popen[bytes]] = []

    def replace(self, path: str, old: str, new: str, at_once: bool = True) -> None:
        """Exchanges a text in a file: in a copy that is renamed into place, as the files tell to, or in place."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new), at_once)

    def write(self, path: str, text: str, at_once: bool = True) -> None:
        written = self.folder / "next" if at_once else self.folder / path
        written.write_text(text)
        if at_once:
            os.rename(written, self.folder / path)

    def switch_on(self, option: str) -> None:
        """Uncomments the block between `#-- option: NAME` and `#-- end` of the bootstrap."""
        lines, inside, changed = [], False, 0
        for line in (self.folder / self.bootstrap).read_text().splitlines():
            if line.strip() == f"#-- option: {option}":
                inside = True
            elif line.strip() == "#-- end":
                inside = False
            elif inside:
                line, changed = line.replace("#", "", 1), changed + 1
            lines.append(line)
        assert changed, f"the bootstrap has no option {option}"
        self.write(self.bootstrap, "\n".join(lines) + "\n")

    def start(self, envoy: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Starts Envoy as documented, from the folder that stands for the repository's root."""
        # Two arguments that a user does not need, who runs one Envoy and can wait 10 s for the access log.
        command: list[str | Path] = [
            envoy,
            "-c",
            self.bootstrap,
            "--use-dynamic-base-id",
            "--file-flush-interval-msec",
            "100",
            *arguments,
        ]
        with open(self.folder / "access.log", "wb") as access_log, open(self.folder / "envoy.log", "wb") as log:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": access_log, "stderr": log}
            process: subprocess.Popen[bytes] = subprocess.Popen(command, cwd=self.folder, **streams | options)
        self.processes.append(process)
        self.wait_until(lambda: get(self.admin_port, "/ready").strip() == b"LIVE", "Envoy to be live", process)
        return process

    def start_prometheus(self, folder: Path) -> None:
        command: list[str | Path] = [
            folder / "prometheus",
            "--config.file=envoy/prometheus/prometheus.yml",
            "--storage.tsdb.path=target/prometheus",
            f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
        ]
        with open(self.folder / "prometheus.log", "wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        self.wait_until(lambda: get(self.prometheus_port, "/-/ready"), "Prometheus to be ready", process)

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def wait_until(
        self, condition: Callable[[], object], what: str, process: subprocess.Popen[bytes] | None = None
    ) -> Any:
        deadline = time.monotonic() + READY_S_MAX
        while True:
            if process is not None and process.poll() is not None:
                raise NotReady(
                    f"ended with status {process.returncode} while waiting for {what}:\n{self.log()[-4000:]}"
                )
            try:
                value = condition()
            except (OSError, HttpError):
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise NotReady(f"waited {READY_S_MAX} s for {what}:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def discovery(self, name: str) -> int:
        """A counter of the discovery of the filter's configuration: config_reload, config_fail, update_success, …"""
        name = f"extension_config_discovery.http_filter.llm-canary.{name}: "
        stats = get(self.admin_port, "/stats?filter=config_discovery").decode().splitlines()
        [line] = [line for line in stats if line.startswith(name)]
        return int(line.removeprefix(name))

    def scrape(self) -> Snapshot:
        return Snapshot.scrape(self.admin_port)
