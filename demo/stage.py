"""A private copy of the shipped configuration for one run of the demo.

The copy keeps the repository's layout, so Envoy starts in it exactly as it does in the repository: `envoy -c
envoy/envoy.yaml`. Before Envoy starts, the ports are exchanged, which must be free on this machine, and v2's share
becomes 0. From then on only the tool writes the configuration. An exchange fails where the shipped file does not hold
what it looks for.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.processes import DemoError

BOOTSTRAP = Path("envoy/envoy.yaml")
ECDS = Path("envoy/ecds/llm-canary.yaml")
MODULE = Path("target/llm_canary.wasm")
POLICY = Path("demo/policy.yaml")
SET = Path("envoy/reference-set.yaml")
ROLLOUT = "chat"

PORT_VALUE = re.compile(r"port_value: (\d+)")
SHARE_SHIPPED, NO_SHARE = '"percent": { "v2": 10 }', '"percent": { "v2": 0 }'


@dataclass(frozen=True)
class Ports:
    envoy: int = 10000
    admin: int = 9901
    v1: int = 8001
    v2: int = 8002


SHIPPED = Ports()


class Stage:
    """The copy in `folder` of the repository at `repository`."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(repository / "envoy" / "ecds", folder / "envoy" / "ecds")
        for path in (BOOTSTRAP, MODULE, POLICY, SET):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / path, folder / path)
        self._exchange(ECDS, SHARE_SHIPPED, NO_SHARE)

    def set_ports(self, ports: Ports) -> None:
        exchange = {getattr(SHIPPED, name): getattr(ports, name) for name in ("envoy", "admin", "v1", "v2")}
        path = self.folder / BOOTSTRAP
        text = path.read_text()
        shipped = sorted(int(port) for port in PORT_VALUE.findall(text))
        if shipped != sorted(exchange):
            raise DemoError(f"{BOOTSTRAP} has the ports {shipped}; the demo knows {sorted(exchange)}")
        path.write_text(PORT_VALUE.sub(lambda found: f"port_value: {exchange[int(found[1])]}", text))

    def written_at(self) -> float:
        """When the configuration was last written, in Unix seconds."""
        return (self.folder / ECDS).stat().st_mtime

    def _exchange(self, path: Path, old: str, new: str) -> None:
        whole = self.folder / path
        text = whole.read_text()
        if text.count(old) != 1:
            raise DemoError(f"{path} holds {old!r} {text.count(old)} times; the demo edits it where it stands once")
        whole.write_text(text.replace(old, new))
