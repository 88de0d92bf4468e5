#!/usr/bin/env bash
# Usage: scripts/native_profile.sh
#
# Records which paths traffic takes through the native module, and writes that to native/traffic.profdata, which
# ./build.sh --native compiles by (profile-guided optimisation). Run it after a change of what the filter does for each
# request or event: a function that has changed is compiled without a profile until then, and the build warns of each
# one. The module is correct whatever the profile says. Takes some two minutes.
#
# Two recordings differ, because the traffic depends on times. A build depends only on the file that is committed.
#
# Exit code 0: it is written; 77: a dependency cannot be had on this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
# shellcheck source=scripts/wasm_toolchain.sh
source "$root/scripts/wasm_toolchain.sh"
# shellcheck source=scripts/native_toolchain.sh
source "$root/scripts/native_toolchain.sh"
help_if_asked "$@"

cd "$root"
tool=$(rustc --print target-libdir)/../bin/llvm-profdata
[[ -x $tool ]] || rustup component add llvm-tools >&2 || {
  say "error: there is no llvm-profdata of this rustc; rustup component add llvm-tools"
  exit 77
}
python=$(dependency_python)
envoy=$(dependency_envoy "$ENVOY_NEWEST")
records=$(mktemp -d)
trap 'rm -rf "$records"' EXIT
module=$(NATIVE_PROFILE_RECORDS=$records native_module)
"$python" -m tests.soak.profile --envoy "$envoy" --module "$module"
# What did not run has no counts, and needs no room.
"$tool" merge --sparse --output="$NATIVE_PROFILE.new" "$records"/*.profraw
mv "$NATIVE_PROFILE.new" "$NATIVE_PROFILE"
say "$NATIVE_PROFILE: $(wc -c <"$NATIVE_PROFILE") bytes"
