#!/usr/bin/env bash
# Usage: bench/run.sh [--envoy] [--help]
#
# How fast the filter reads and decides, in tables on stdout: natively against the usual crates, and the built
# module in V8, Envoy's engine. Figures of one run can be compared with each other, not with another run's.
#
#   --envoy   then also what it costs in real Envoy, where that bench is there (see below); some 20 minutes
#
#   BENCH_CORPUS=/path   folder of recorded streams   (default: ../shared/corpus beside the repository)
#   ENVOY_BENCH=/path    folder of the Envoy bench    (default: ../shared/bench beside the repository)
#   ENVOY_BENCH_ARGUMENTS="--variants none,ours --workloads w2l --rounds 6"   what it is to run
#
# What is not there is skipped, and stderr says so.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/parts.sh
source scripts/parts.sh

corpus=${BENCH_CORPUS:-../shared/corpus}
envoy_bench=${ENVOY_BENCH:-../shared/bench}
read -r -a envoy_arguments <<<"${ENVOY_BENCH_ARGUMENTS:---variants none,ours,wasm-touch --workloads w1,w2l,w3l --rounds 6 --generations 2}"

# The status of a part that could not be had, which is no failure of the bench.
unless_skipped() { if [[ $1 == "$EXIT_SKIPPED" ]]; then echo 0; else echo "$1"; fi; }

in_v8() {
  local tools
  if [[ ! -d $corpus ]]; then
    say "V8: skipped, no recordings at $corpus"
    return
  fi
  tools=$(parts_javascript) || return "$(unless_skipped $?)"
  printf '### Reading in V8, MB/s, every callback included\n\n'
  PATH="$tools:$PATH" node bench/v8.mjs target/llm_canary.wasm \
    "openai-chat=$corpus/openai-chat" "anthropic-messages=$corpus/anthropic-messages" \
    "openai-responses=$corpus/openai-responses"
  printf '\n'
}

# The bench writes beside itself, so it runs in a copy, which keeps what it has built.
in_envoy() {
  local copy envoy
  if [[ ! -x $envoy_bench/bench.py ]]; then
    say "Envoy: skipped, no bench at $envoy_bench"
    return
  fi
  envoy=$(parts_envoy) || return "$(unless_skipped $?)"
  copy="$(cache_dir)/envoy-bench"
  mkdir -p "$copy"
  cp -r "$envoy_bench/." "$copy"
  chmod -R u+w "$copy"
  (cd "$copy" && ./build.sh native >&2)
  if [[ ! -e $copy/build/wasm/sdk-touch.wasm && " ${envoy_arguments[*]} " == *wasm-* ]]; then
    say "Envoy: the bench's own modules are not built ($copy/build.sh); leaving them out"
    envoy_arguments=("${envoy_arguments[@]/,wasm-touch/}")
  fi
  rm -rf "$copy/results"
  (cd "$copy" && ENVOY=$envoy OURS_WASM=$root/target/llm_canary.wasm ./bench.py run "${envoy_arguments[@]}")
}

case ${1:-} in
  "" | --envoy) ;;
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$root/bench/run.sh"
    exit
    ;;
  *)
    say "error: unknown option $1; try bench/run.sh --help"
    exit 2
    ;;
esac

./build.sh >&2
cargo build --release --locked --manifest-path bench/Cargo.toml
bench/target/release/llm-canary-bench "$corpus"
in_v8
if [[ ${1:-} == --envoy ]]; then
  in_envoy
fi
