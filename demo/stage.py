"""A private copy of the shipped configuration for one run of the demo.

The copy keeps the repository's layout, so Envoy starts in it exactly as it does in the
repository: `envoy -c envoy/envoy.yaml`. Only what differs on this machine, the ports, and what
the options ask for is exchanged, and each exchange fails loudly where the shipped file no longer
has what it looks for.
"""

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from processes import DemoError

BOOTSTRAP = Path("envoy/envoy.yaml")
ECDS = Path("envoy/ecds/llm-canary.yaml")
PROMETHEUS = Path("envoy/prometheus/prometheus.yml")
MODULE = Path("target/llm_canary.wasm")

CANARY_RUNS = '{ "name": "v2", "cluster": "llm-v2", "stopped": false }'
CANARY_STOPPED = CANARY_RUNS.replace("false", "true")
SCRAPE_SHIPPED, SCRAPE_DEMO = "scrape_interval: 5s", "scrape_interval: 1s"
PORT_VALUE = re.compile(r"port_value: (\d+)")
PERCENT = re.compile(r'"percent": \{ "v2": ([0-9.]+) \}')
ONE_REQUEST_PER_CONNECTION = "# max_requests_per_connection: 1"


@dataclass(frozen=True)
class Ports:
    envoy: int = 10000
    admin: int = 9901
    v1: int = 8001
    v2: int = 8002
    prometheus: int = 9090


SHIPPED = Ports()


class Stage:
    """The copy in `folder`, of the repository at `repository`."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        for name in ("ecds", "prometheus"):
            shutil.copytree(repository / "envoy" / name, folder / "envoy" / name)
        shutil.copy(repository / BOOTSTRAP, folder / BOOTSTRAP)
        (folder / "target").mkdir()
        shutil.copy(repository / MODULE, folder / MODULE)

    def set_ports(self, ports: Ports) -> None:
        exchange = {getattr(SHIPPED, name): getattr(ports, name) for name in ("envoy", "admin", "v1", "v2")}
        path = self.folder / BOOTSTRAP
        text = path.read_text()
        shipped = sorted(int(port) for port in PORT_VALUE.findall(text))
        if shipped != sorted(exchange):
            raise DemoError(f"{BOOTSTRAP} has the ports {shipped}; the demo knows {sorted(exchange)}")
        path.write_text(PORT_VALUE.sub(lambda found: f"port_value: {exchange[int(found[1])]}", text))
        self._exchange(PROMETHEUS, f"127.0.0.1:{SHIPPED.admin}", f"127.0.0.1:{ports.admin}")

    def scrape_every_second(self) -> None:
        self._exchange(PROMETHEUS, SCRAPE_SHIPPED, SCRAPE_DEMO)

    def one_request_per_connection(self) -> None:
        self._exchange(BOOTSTRAP, ONE_REQUEST_PER_CONNECTION, ONE_REQUEST_PER_CONNECTION.removeprefix("# "))

    def percent(self) -> float:
        """The canary's share."""
        found = PERCENT.search((self.folder / ECDS).read_text())
        if found is None:
            raise DemoError(f"{ECDS} has no share of the form {PERCENT.pattern}")
        return float(found[1])

    def set_percent(self, percent: float) -> None:
        self._exchange(ECDS, f'"percent": {{ "v2": {self.percent():g} }}', f'"percent": {{ "v2": {percent:g} }}')

    def stop_canary(self) -> float:
        """Renames the file with the canary stopped into place; the monotonic second just before."""
        path = self.folder / ECDS
        following = self.folder / "envoy" / "llm-canary.next.yaml"
        following.write_text(exchanged(path.read_text(), CANARY_RUNS, CANARY_STOPPED, ECDS))
        renamed_at = time.monotonic()
        os.rename(following, path)
        return renamed_at

    def _exchange(self, path: Path, old: str, new: str) -> None:
        whole = self.folder / path
        whole.write_text(exchanged(whole.read_text(), old, new, path))


def exchanged(text: str, old: str, new: str, path: Path) -> str:
    if text.count(old) != 1:
        raise DemoError(f"{path} holds {old!r} {text.count(old)} times; the demo edits it where it stands once")
    return text.replace(old, new)
