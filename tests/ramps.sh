#!/usr/bin/env bash
# Usage: tests/ramps.sh [--faults refusals,errors] [--runs N] [--at-once N] [--rate N] [--percent N] [--scrape N] [--watched N] [--out FILE]
#
# Releases by `llm-canary run` that go wrong, behind three real Envoys (one of the oldest version; one is restarted) and
# a real Prometheus: v2 is well for a while, then it refuses, fails, loops, or has another of the faults. It prints for
# each fault how many runs stopped v2, whether another guard than the right one found it, and the median and the 95th
# percentile of these times:
#
#   fault→alarm   to the sample that shows it        look→write    from the look that saw it to the write
#   alarm→write   from that sample to the write      write→last    to v2's last request
#   canary        requests of v2 from the fault to the write
#
# --faults same: v2 is like v1, and is watched for --watched seconds. Nothing may stop it.
# --faults well: v2 is like v1, and goes from 1 to 100 % by its verdicts. It takes some 600 requests of v2 at 1 %.
#
# Nothing but v2's share and its stop may change in the file. Runs during which this machine stood still are repeated.
#
# Exit code 0: all of that holds; 1: not; 2: wrong usage; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
./build.sh >&2
cargo build --quiet --locked --package llm-canary-cli
python=$(dependency_python)
oldest=$(dependency_envoy "$ENVOY_OLDEST")
envoy=$(dependency_envoy "$ENVOY_NEWEST")
prometheus=$(dependency_prometheus)
# exec, so that a signal to this script reaches the process that stops the others.
exec "$python" -m tests.soak.ramps --oldest "$oldest" --envoy "$envoy" --prometheus "$prometheus" "$@"
