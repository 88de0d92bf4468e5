#!/usr/bin/env bash
# Usage: ./build.sh [--native [x86_64 | aarch64] | --tool [x86_64 | aarch64]] [--help]
#
# Builds the filter for wasm32-wasip1, optimised, into target/llm_canary.wasm. The last step, indirect/, saves Envoy a
# third of the time to compile the module; it is a native program, so linking it needs a C compiler. The last line on
# stdout is the module's path, from the repository's root, and its size: `target/llm_canary.wasm N bytes`. The line
# before it is the module's SHA-256, as sha256sum prints it. Messages go to stderr.
#
# LLM_CANARY_WASM_TOOLCHAIN selects where the compiler for that target comes from:
#   auto       the first of these that works (default)
#   installed  the target is installed already
#   rustup     rustup target add wasm32-wasip1
#   debian     Debian's packages, unpacked in the cache, with std built once; needs no root
#
# With --native it builds the filter as a dynamic module of Envoy instead, into target/libllm_canary-VERSION.so, and ends with
# the same two lines about that. It needs a C compiler for the machine that is named, which is this one if none is; the module
# for another one is target/libllm_canary-VERSION-MACHINE.so. See scripts/native_toolchain.sh.
#
# With --tool it builds the operator's tool as a static program for images, into target/llm-canary or target/llm-canary-MACHINE, and
# ends with the same two lines. It takes some minutes; LLM_CANARY_TOOL_PROFILE=dev builds a slow program quickly. To install the tool
# on this machine, use cargo install --path cli.
#
# The same source and the same compiler give the same bytes, whatever the folder.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"
# shellcheck source=scripts/wasm_toolchain.sh
source "$root/scripts/wasm_toolchain.sh"
# shellcheck source=scripts/native_toolchain.sh
source "$root/scripts/native_toolchain.sh"
# shellcheck source=scripts/static_tool.sh
source "$root/scripts/static_tool.sh"
help_if_asked "$@"

cd "$root"

# report FILE: the last two lines.
report() {
  sha256sum "$1"
  printf '%s %s bytes\n' "$1" "$(($(wc -c <"$1")))"
}

# memchr uses SIMD to find quotes and line ends; Envoy's V8 supports it.
target_features=+simd128

case ${1:-} in
  "") ;;
  --native)
    module=$(native_module "${2:-}")
    report "$module"
    exit
    ;;
  --tool)
    program=$(static_tool "${2:-}")
    report "$program"
    exit
    ;;
  *)
    say "error: unknown option $1; try ./build.sh --help"
    exit 2
    ;;
esac

way=${LLM_CANARY_WASM_TOOLCHAIN:-auto}
case $way in
  auto | installed | rustup | debian) ;;
  *)
    say "error: LLM_CANARY_WASM_TOOLCHAIN=$way is not supported; use auto, installed, rustup or debian"
    exit 2
    ;;
esac
wasm_toolchain "$way" || {
  say "error: no compiler for $WASM_TARGET was found. Any one of these is enough:"
  say "  - rustup target add $WASM_TARGET"
  say "  - a Debian with access to its packages"
  exit 1
}

# Fetched first, because wasm_flags lists the folders of the crates that it finds.
wasm_cargo fetch --locked --target "$WASM_TARGET"
flags=$(wasm_flags "-Ctarget-feature=$target_features" "$root=/llm-canary" "${WASM_REMAP[@]}")

# Only one crate type: with two, cargo switches LTO off (rust-lang/cargo#9672). Without --compress-relocations the
# linker pads each address to its largest size, which adds a twentieth to the module.
CARGO_ENCODED_RUSTFLAGS="$flags" wasm_cargo rustc --lib --release --locked \
  --crate-type cdylib --target "$WASM_TARGET" --target-dir target/wasm -- -Clink-arg=--compress-relocations

# Replaced by a rename, so that an Envoy that starts meanwhile reads a complete file. Two builds at a time have a file each.
module=target/llm_canary.wasm
wasm_cargo run --quiet --release --locked --package llm-canary-indirect -- \
  "target/wasm/$WASM_TARGET/release/llm_canary.wasm" "$module.new.$$"
mv "$module.new.$$" "$module"
report "$module"
