#!/usr/bin/env bash
# Usage: ./build.sh [--help]
#
# Builds the filter for wasm32-wasip1, optimised, into target/llm_canary.wasm, by way of indirect/, which spares Envoy
# a third of the time to compile it, and which takes a C compiler to link, as any program in Rust. The last line on
# stdout is its path, from the repository's root, and its size: `target/llm_canary.wasm N bytes`. The
# line before it is its SHA-256, as sha256sum writes it. Words go to stderr.
#
# LLM_CANARY_WASM_TOOLCHAIN chooses how to come by a compiler for that target:
#   auto       the first of these that works (default)
#   installed  the target is installed
#   rustup     rustup target add wasm32-wasip1
#   debian     Debian's packages, unpacked in the cache, with std built once; needs no root
#
# The same source and the same compiler give the same bytes, in whatever folder they are built.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
# shellcheck source=scripts/wasm_toolchain.sh
source scripts/wasm_toolchain.sh

# memchr, which finds quotes and line ends, has a SIMD form; Envoy's V8 runs it.
target_features=+simd128

case ${1:-} in
  "") ;;
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
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
    say "error: LLM_CANARY_WASM_TOOLCHAIN=$way is not a way to build; use auto, installed, rustup or debian"
    exit 2
    ;;
esac
wasm_toolchain "$way" || {
  say "error: nothing here can build for $WASM_TARGET. Any one of these is enough:"
  say "  - rustup target add $WASM_TARGET"
  say "  - a Debian with access to its packages"
  exit 1
}

# Fetched first: wasm_flags names the folders of crates that it finds.
wasm_cargo fetch --locked --target "$WASM_TARGET"
flags=$(wasm_flags "-Ctarget-feature=$target_features" "$root=/llm-canary" "${WASM_REMAP[@]}")

# One crate type alone: with the library beside it cargo switches LTO off (rust-lang/cargo#9672). The linker
# leaves room in each call for the largest address unless told to write what it takes: a twentieth of the module.
CARGO_ENCODED_RUSTFLAGS="$flags" wasm_cargo rustc --lib --release --locked \
  --crate-type cdylib --target "$WASM_TARGET" --target-dir target/wasm -- -Clink-arg=--compress-relocations

# Put in place by a rename, so that an Envoy that starts meanwhile reads a whole file.
module=target/llm_canary.wasm
wasm_cargo run --quiet --release --locked --package llm-canary-indirect -- \
  "target/wasm/$WASM_TARGET/release/llm_canary.wasm" "$module.new"
mv "$module.new" "$module"
sha256sum "$module"
printf '%s %s bytes\n' "$module" "$(($(wc -c <"$module")))"
