"""Who validates which of the shipped files. A file without a row fails test_files.py.

A new manifest needs no row, if its definition is known: kubernetes/*.yaml and istio/*.yaml are read as resources, and
what they hold of Envoy's configuration, of ours and of our policies is found in them.
"""

import subprocess
from pathlib import Path

from tests.harness import REPOSITORY
from tests.shipped.validators import (
    AccessLog,
    Bootstrap,
    ChartValues,
    Dashboard,
    DeploymentPatch,
    Discovered,
    Manifests,
    Plugin,
    PrometheusConfig,
    PrometheusRules,
    ReferenceSet,
    Validator,
)

FOLDERS = ("envoy", "istio", "kubernetes")
ENDINGS = (".yaml", ".yml", ".json")

# The first pattern that fits counts.
TABLE: list[tuple[str, Validator]] = [
    ("envoy/ecds*/*.yaml", Discovered()),
    ("envoy/examples/*.json", Plugin()),
    ("envoy/grafana/*.json", Dashboard()),
    ("envoy/prometheus/prometheus.yml", PrometheusConfig()),
    ("envoy/prometheus/*.yml", PrometheusRules()),
    ("envoy/reference-set.yaml", ReferenceSet()),
    ("envoy/*.yaml", Bootstrap()),
    ("istio/mesh-values.yaml", AccessLog()),
    ("istio/stats-annotations.yaml", DeploymentPatch()),
    ("istio/*.yaml", Manifests()),
    ("kubernetes/values/production-stack.yaml", ChartValues()),
    ("kubernetes/*.yaml", Manifests()),
]


def shipped() -> list[Path]:
    """The files of the folders, as git knows them or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS]
    names = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\n")
    paths = {REPOSITORY / name for name in names if name.endswith(ENDINGS)}
    return sorted(path for path in paths if path.exists())


def validator_of(path: Path) -> Validator | None:
    name = path.relative_to(REPOSITORY)
    return next((validator for pattern, validator in TABLE if name.match(pattern)), None)
