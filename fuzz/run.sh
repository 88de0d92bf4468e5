#!/usr/bin/env bash
# Usage: fuzz/run.sh [--help] [TARGET|all|build] [SECONDS]
#
# Fuzzes one target, or each in turn, for SECONDS (10 by default) each, in one process:
#
#   config    any bytes as a configuration
#   response  any bytes as a response of any dialect, cut anywhere
#   request   any bytes as a request's body, read and edited, cut anywhere
#   keys      cookies, queries, timestamps, ids, pins
#   defects   any texts and calls as an answer, cut anywhere, and any bytes as a request that asks for it
#   steps     arbitrary shares at arbitrary times, compared with a naive model
#   filter    the whole filter: any callbacks in any order, with failing hostcalls
#
# Inputs that reach new code stay in target/fuzz/corpus/TARGET, and the next run starts with them; the first run starts
# with the seeds of fuzz/seed.sh. An input that fails is written to target/fuzz/TARGET-crash-…; move it to
# fuzz/regressions/TARGET/ under a name that says what it shows, and `cargo test` replays it.
#
# With FUZZ_SANITIZER=address also memory that is used wrongly is found: that of the code which reads what Envoy lends.
#
# Needs Rust and a C++ compiler. It uses the repository's own compiler, and not cargo-fuzz. The layout is that of
# cargo-fuzz: with a nightly compiler, `cargo +nightly fuzz run filter` adds its sanitizers.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"
cd "$root"

targets=(config response request keys defects steps filter)
case ${1:-all} in
  all) chosen=("${targets[@]}") ;;
  build) chosen=() ;;
  *)
    if [[ ! -e fuzz/fuzz_targets/$1.rs ]]; then
      say "error: there is no target $1; the targets are: ${targets[*]}"
      exit 2
    fi
    chosen=("$1")
    ;;
esac
seconds=${2:-10}

if ! command -v "${CXX:-c++}" >/dev/null; then
  dependency_skip_or_die "libFuzzer" "there is no C++ compiler" "install one (Debian: apt-get install g++)" || exit
fi

# The flags of cargo-fuzz: the program reports its branches and comparisons to libFuzzer.
flags=(--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares)
host=$(rustc -vV | sed -n 's/^host: //p')
built=target/fuzz memory_mb=1024
if [[ ${FUZZ_SANITIZER:-} == address ]]; then
  # The compiler has the sanitizer, and does not promise it; with this variable it takes the option all the same.
  export RUSTC_BOOTSTRAP=1
  flags+=(-Zsanitizer=address)
  built=target/fuzz-address memory_mb=4096
  # A test ends without giving all back.
  export ASAN_OPTIONS=detect_leaks=0
fi
# With --target, build scripts and macros are built without the flags.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
  cargo build --release --locked --bins --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$built"

[[ target/fuzz/seeds -nt fuzz/seed.sh ]] || fuzz/seed.sh
for target in "${chosen[@]}"; do
  corpus=target/fuzz/corpus/$target
  mkdir -p "$corpus" "fuzz/regressions/$target"
  say "fuzzing $target for $seconds s, from $(find "$corpus" -type f | wc -l) inputs"
  dictionary=()
  [[ -e fuzz/dictionaries/$target.txt ]] && dictionary=("-dict=fuzz/dictionaries/$target.txt")
  # libFuzzer writes new inputs to the first folder, and only reads the others.
  "$built/$host/release/$target" "$corpus" "target/fuzz/seeds/$target" "fuzz/regressions/$target" \
    "${dictionary[@]}" -error_exitcode=1 -max_total_time="$seconds" -timeout=10 -rss_limit_mb=$memory_mb -max_len="${FUZZ_MAX_LEN:-8192}" \
    -len_control=0 -artifact_prefix="target/fuzz/$target-" -print_final_stats=1 -verbosity="${FUZZ_VERBOSITY:-0}"
done
