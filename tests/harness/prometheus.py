"""A real Prometheus, which scrapes or is given what it would have scraped."""

import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import yaml

from pylib.http1 import HttpError, get
from tests.harness import Json

READY_S_MAX = 30
STOP_S_MAX = 10
QUERY_S_MAX = 10
POLL_S = 0.02
_ADDRESS = re.compile(r'msg="?Listening on"? address=\S+?:(\d+)')


class PrometheusError(Exception):
    pass


class Prometheus:
    """`binaries` holds prometheus and promtool, `folder` all that they read and write."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._log = folder / "prometheus.log"
        self._running: subprocess.Popen[bytes] | None = None
        self.port = 0
        folder.mkdir(parents=True)

    def start(self, targets: Mapping[str, str] | None = None, every_s: float = 1) -> "Prometheus":
        """Scrapes the addresses, `host:port` by the instance's name."""
        jobs = [
            {
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "params": {"filter": ["llm_"]},
                "static_configs": [
                    {"targets": [address], "labels": {"instance": name}} for name, address in (targets or {}).items()
                ],
            }
        ]
        every = f"{round(every_s * 1000)}ms"
        configuration = {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": jobs}
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        return self.start_again()

    def start_again(self) -> "Prometheus":
        """As it was started before, on the same port and with the same samples."""
        command: list[str | Path] = [
            self._binaries / "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with open(self._log, "wb") as log:
            self._running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S_MAX
        while not self._is_ready():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PrometheusError(f"it did not become ready; its log ends:\n{self._log.read_text()[-4000:]}")
            time.sleep(POLL_S)
        return self

    def load(self, samples: Path) -> None:
        """Takes samples in OpenMetrics' text with their times, before it is started."""
        command: list[str | Path] = [self._binaries / "promtool", "tsdb", "create-blocks-from", "openmetrics", "-q"]
        done = subprocess.run([*command, samples, self._folder / "data"], capture_output=True, text=True)
        if done.returncode != 0:
            raise PrometheusError(f"promtool took no samples: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._running = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def samples(self, selector: str, until_s: float, span_s: int) -> list[Json]:
        """Every sample as it was scraped: [{metric, values}]."""
        query = quote(f"{selector}[{span_s}s]")
        answer = get(self.port, f"/api/v1/query?query={query}&time={until_s}", timeout_s=QUERY_S_MAX)
        return json.loads(answer)["data"]["result"]

    def _is_ready(self) -> bool:
        found = _ADDRESS.search(self._log.read_text())
        if found is None:
            return False
        self.port = int(found[1])
        try:
            return bool(get(self.port, "/-/ready", timeout_s=QUERY_S_MAX))
        except (OSError, HttpError):
            return False
