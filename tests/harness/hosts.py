"""Where the filter runs: in which of its two hosts, in which Envoy.

A test that starts Envoys runs on the newest Envoy of each host. The marks here choose other platforms.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import NATIVE_OLDEST, NEWEST, OLDEST, REPOSITORY, Json

MIB = 1 << 20
# Of the filter. A native module has it in its name.
VERSION = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@dataclass(frozen=True)
class Host:
    """A host of the filter: the files that are shipped for it, and the Envoys that have it."""

    name: str
    module: Path
    bootstrap: Path
    ecds: Path
    oldest: str
    newest: str
    stat_prefix: str  # of the filter's metrics among Envoy's
    waiting_bytes_max: int  # so much of a request's body may be waited for

    def __str__(self) -> str:
        return self.name

    @property
    def platforms(self) -> list["Platform"]:
        return [Platform(self, version) for version in (self.oldest, self.newest)]

    @property
    def current(self) -> "Platform":
        return Platform(self, self.newest)


@dataclass(frozen=True)
class Platform:
    """A host in one version of Envoy."""

    host: Host
    version: str

    def __str__(self) -> str:
        return f"{self.host}-{self.version}"


WASM = Host(
    name="wasm",
    module=REPOSITORY / "target" / "llm_canary.wasm",
    bootstrap=REPOSITORY / "envoy" / "envoy.yaml",
    ecds=REPOSITORY / "envoy" / "ecds" / "llm-canary.yaml",
    oldest=OLDEST,
    newest=NEWEST,
    stat_prefix="wasmcustom.",
    waiting_bytes_max=MIB - (64 << 10),
)
NATIVE = Host(
    name="native",
    module=REPOSITORY / "target" / f"libllm_canary-{VERSION}.so",
    bootstrap=REPOSITORY / "envoy" / "native.yaml",
    ecds=REPOSITORY / "envoy" / "ecds-native" / "llm-canary.yaml",
    oldest=NATIVE_OLDEST,
    newest=NEWEST,
    stat_prefix="dynamicmodulescustom.",
    waiting_bytes_max=8 * MIB,
)
HOSTS = [WASM, NATIVE]
PLATFORMS = [platform for host in HOSTS for platform in host.platforms]


def on(*platforms: Platform) -> pytest.MarkDecorator:
    """Marks a test, or all of a file, to run on these platforms. The mark of a test goes before that of its file."""
    return pytest.mark.platforms(*platforms)


EACH_VERSION = on(*PLATFORMS)

# The files for which it matters in which Envoy the native module runs: how streams end, bodies, metrics, reloads, and
# what is tried of the module alone. For the others EACH_VERSION means only the newest there, which saves minutes.
IN_OLDEST_NATIVE = re.compile(r"test_(endings|faults|.*bod|rewrites|scenarios|histograms|changes|reload|native_)")


def platforms_of(file: str, chosen: Sequence[Platform]) -> list[Platform]:
    """The platforms on which a test of this file runs, of those that were chosen for it."""
    is_tried = IN_OLDEST_NATIVE.match(file)
    return [platform for platform in chosen if is_tried or platform != NATIVE.platforms[0]]


def configuration_of(resource: Json) -> Json:
    """The object whose `value` is the filter's configuration, in what Envoy discovers for either host."""
    typed = resource["typed_config"]
    return typed["config"]["configuration"] if "config" in typed else typed["filter_config"]


def module_of(resource: Json) -> Json:
    """The object whose `filename` is the module's."""
    typed = resource["typed_config"]
    in_vm = typed["config"]["vm_config"]["code"] if "config" in typed else typed["dynamic_module_config"]["module"]
    return in_vm["local"]
