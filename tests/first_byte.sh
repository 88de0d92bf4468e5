#!/usr/bin/env bash
# Usage: tests/first_byte.sh [--starts N] [--requests N] [--pinned]
#
# Measures the time from a request to the first byte of its answer through a real Envoy with the built filter, and through
# the same Envoy without it: p50, p90 and p99, each with the difference and its 95 % interval; first for the native module,
# then for WebAssembly. A second Envoy without the filter shows how far two Envoys differ that do the same. Requests take
# turns, so that whatever else the machine does disturbs all alike. A process keeps a bias of its own, by where its memory
# lies and on which processors the system puts its threads. So all Envoys are started anew many times, and the figures are
# means over these starts.
#
# With --pinned all Envoys stay on one processor, and client and model servers on another. A loop of the lowest priority
# keeps both awake: a processor that sleeps takes microseconds to wake up, and more the longer it has slept. This shows
# smaller differences, say of two builds. But the filter meets colder caches than where each Envoy runs for itself.
#
# Run it on an idle machine. Takes some three minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
./build.sh >&2
./build.sh --native >&2
python=$(dependency_python)
envoy=$(dependency_envoy "$ENVOY_NEWEST")
exec "$python" -m tests.soak.first_byte --envoy "$envoy" "$@"
