#!/usr/bin/env bash
# Usage: tests/first_byte.sh [--requests N]
#
# Measures the time from a request to the first byte of its answer through a real Envoy with the built filter, and through the same
# Envoy without it: p50, p90 and p99, each with the difference and its 95 % interval; first for the native module, then for
# WebAssembly. Requests take turns, so that whatever else the machine does disturbs both alike. A second Envoy without the filter shows how far two Envoys
# differ that do the same. All Envoys run on one processor, and client and model servers on another. Run it on an idle
# machine. Takes some two minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
    ;;
esac

cd "$root"
./build.sh >&2
./build.sh --native >&2
python=$(dependency_python)
envoy=$(dependency_envoy "$ENVOY_NEWEST")
exec "$python" -m tests.soak.first_byte --envoy "$envoy" "$@"
