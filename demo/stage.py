"""A private copy of the shipped configuration for one run of the demo.

The copy keeps the repository's layout, so Envoy starts in it exactly as it does in the repository: `envoy -c
envoy/envoy.yaml`. Only the ports, which must be free on this machine, and what the options ask for are exchanged. An
exchange fails where the shipped file does not hold what it looks for.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from demo.processes import DemoError

BOOTSTRAP = Path("envoy/envoy.yaml")
ECDS = Path("envoy/ecds/llm-canary.yaml")
PROMETHEUS = Path("envoy/prometheus/prometheus.yml")
MODULE = Path("target/llm_canary.wasm")
ROLLOUT = "chat"

SCRAPE_SHIPPED, SCRAPE_DEMO = "scrape_interval: 5s", "scrape_interval: 1s"
PORT_VALUE = re.compile(r"port_value: (\d+)")
STEP = re.compile(r'"at": "([^"]+)", "percent": ?\{ ?"v2": ([0-9.]+) ?\}')
ONE_REQUEST_PER_CONNECTION = "# max_requests_per_connection: 1"


@dataclass(frozen=True)
class Ports:
    envoy: int = 10000
    admin: int = 9901
    v1: int = 8001
    v2: int = 8002
    prometheus: int = 9090


SHIPPED = Ports()


@dataclass(frozen=True)
class Step:
    """From this moment on, in Unix milliseconds, conversations that begin get the canary with this share."""

    at_ms: int
    percent: float


class Stage:
    """The copy in `folder` of the repository at `repository`."""

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

    def last_step(self) -> Step:
        """Returns the newest step in the file that Envoy watches."""
        steps = STEP.findall((self.folder / ECDS).read_text())
        if not steps:
            raise DemoError(f"{ECDS} has no step of the form {STEP.pattern}")
        at, percent = steps[-1]
        return Step(round(datetime.fromisoformat(at).timestamp() * 1000), float(percent))

    def set_percent(self, percent: float) -> None:
        """Sets the share to begin with."""
        self._exchange(
            ECDS, f'"percent": {{ "v2": {self.last_step().percent:g} }}', f'"percent": {{ "v2": {percent:g} }}'
        )

    def _exchange(self, path: Path, old: str, new: str) -> None:
        whole = self.folder / path
        text = whole.read_text()
        if text.count(old) != 1:
            raise DemoError(f"{path} holds {old!r} {text.count(old)} times; the demo edits it where it stands once")
        whole.write_text(text.replace(old, new))
