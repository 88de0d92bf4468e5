#!/usr/bin/env bash
# Usage: tests/hosts.sh [--minutes N] [--clients N]
#
# Sends the same traffic through both hosts of the filter, WebAssembly and the native module, in the oldest Envoy that has
# both and in the newest, for ten minutes each: recorded responses of every dialect from two model servers in pieces,
# conversations of several turns with keys in headers, bodies and metadata, pins, retries, feedback, edited bodies, clients
# that hang up and servers that break off, reloads and refused configurations. Nothing in it depends on who is faster, so
#
#   * every counter and gauge, the count of every histogram, and the buckets of those that measure no time, are equal;
#   * each client, and each model server, sees the same head and the same bytes.
#
# Exit code 0: all of that holds; 1: not; 2: wrong usage; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
./build.sh >&2
./build.sh --native >&2
python=$(dependency_python)
oldest=$(dependency_envoy "$ENVOY_NATIVE_OLDEST")
newest=$(dependency_envoy "$ENVOY_NEWEST")
# exec, so that a signal to this script reaches the process that stops the Envoys.
exec "$python" -m tests.soak.hosts --envoy "$oldest" --envoy "$newest" "$@"
