#!/usr/bin/env bash
# Usage: tests/discovery.sh [--runs N] [--host wasm|native] [--refresh SECONDS]
#
# How soon a stop empties a version where Envoys get their configuration from `llm-canary xds`: three real Envoys, one of the
# oldest version, ask as envoy/discovery.yaml does and are under traffic. Each run begins at 50 %, and stops v2. It prints the
# median, the 99th percentile and the most of the times to the start of the last request on v2: from the command's start, and
# from its end, which is right after the write; and how long the command takes that waits for the Envoys (--xds).
#
# Exit code 0: the second time is at most 2 s at the 99th percentile, no request failed, and none reached v2 after the command that
# waits; 1: not so; 2: wrong usage; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
./build.sh >&2
./build.sh --native >&2
cargo build --quiet --locked --package llm-canary-cli
python=$(dependency_python)
oldest=$(dependency_envoy "$ENVOY_OLDEST")
native_oldest=$(dependency_envoy "$ENVOY_NATIVE_OLDEST")
envoy=$(dependency_envoy "$ENVOY_NEWEST")
exec "$python" -m tests.soak.discovery --tool "${CARGO_TARGET_DIR:-target}/debug/llm-canary" --oldest "$oldest" \
  --native-oldest "$native_oldest" --envoy "$envoy" "$@"
