#!/usr/bin/env bash
# Usage: tests/identical.sh [--minutes N] [--rate N] [--percent N]
#
# Two versions that are the same, behind a real Envoy, for twenty minutes: `analyze` looks at Envoy's admin page every five
# seconds, and each minute at a real Prometheus that scrapes it. Neither may find a regression at any look. It prints
# the evidence against each signal every minute.
#
# Exit code 0: nothing was found; 1: something was; 2: wrong usage; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
./build.sh >&2
cargo build --quiet --locked --package llm-canary-cli
python=$(dependency_python)
envoy=$(dependency_envoy "$ENVOY_NEWEST")
prometheus=$(dependency_prometheus)
# exec, so that a signal to this script reaches the process that stops the others.
exec "$python" -m tests.soak.identical --envoy "$envoy" --prometheus "$prometheus" "$@"
