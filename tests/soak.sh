#!/usr/bin/env bash
# Usage: tests/soak.sh [--host wasm|native] [--minutes N] [--clients N]
#
# Drives a real Envoy with the built filter, by default as WebAssembly, for half an hour: recorded responses of every dialect from two model
# servers in pieces, many clients with conversations of several turns, clients that hang up, servers that break off,
# ramps by the operator's tool, reloads, and configurations that are refused. It reports its progress every minute, and
# at the end whether
#
#   * every counter of the filter, and the count of every histogram that clients can count, equals their sums;
#   * every byte came through, and no request failed but those that were made to;
#   * no VM failed, and memory was flat over the last half (judged from ten minutes on).
#
# Exit code 0: all of that holds; 1: not; 2: wrong usage; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root"
case " $* " in
  *" --host native "* | *" --host=native "*) ./build.sh --native >&2 ;;
  *) ./build.sh >&2 ;;
esac
cargo build --quiet --locked --package llm-canary-cli
python=$(dependency_python)
envoy=$(dependency_envoy "$ENVOY_NEWEST")
# exec, so that a signal to this script reaches the process that stops Envoy.
exec "$python" -m tests.soak.soak --envoy "$envoy" "$@"
