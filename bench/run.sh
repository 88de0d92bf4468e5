#!/usr/bin/env bash
# Usage: bench/run.sh [--help] [--envoy | --growth [native|v8|crowds|envoy]...
#                     | --against OLD.wasm [OPTION...] | --compare [OPTION...] NAME=MODULE... [VARIANT...]]
#
# How fast the filter reads and decides, in tables on stdout: natively against the usual crates, and the built
# module in V8, Envoy's engine. Figures of one run can be compared with each other, not with another run's.
#
#   --envoy    instead what it costs in real Envoy, where that bench is there (see below); some 4 minutes
#   --growth   instead what it costs as work grows: measures anew all that bench/figures holds, or the parts named
#              (natively, in V8, many streams in Envoy, and what --envoy prints), and writes docs/cost.svg and the
#              tables of docs/cost.md; status 1 if a cost grows faster than the work; some 5 minutes
#   --against  instead the built module against an older one, named `before`: in real Envoy the CPU on three workloads
#              and at start; the size; and how often the host is called for a request. Some 4 minutes
#   --compare  the same of any modules, .wasm or .so, each against the first, and of variants that the Envoy bench knows. A
#              minute more for each. OPTION is one of bench/against.py's, such as --generations 2
#
#   BENCH_CORPUS=/path   folder of recorded streams   (default: ../shared/corpus beside the repository)
#   ENVOY_BENCH=/path    folder of the Envoy bench    (default: ../shared/bench beside the repository)
#   ENVOY_BENCH_ARGUMENTS="--variants none,ours --workloads w2l --rounds 6"   what it is to run
#
# What is not there is skipped, and stderr says so; figures of --growth then stay as they were. Status 77 where
# nothing of what was asked for could be had.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"
cd "$root"
# shellcheck source=scripts/wasm_toolchain.sh
source scripts/wasm_toolchain.sh

corpus=${BENCH_CORPUS:-../shared/corpus}
envoy_bench=${ENVOY_BENCH:-../shared/bench}
native= # the native module, once it is built
read -r -a envoy_arguments <<<"${ENVOY_BENCH_ARGUMENTS:---variants none,ours,ours-native,ours-unmatched,wasm-touch,native-sse,lua,ext_proc --workloads w1,w2l,w3l --rounds 6 --generations 2}"

in_v8() {
  local tools
  if [[ ! -d $corpus ]]; then
    say "V8: skipped, no recordings at $corpus"
    return
  fi
  tools=$(dependency_javascript)
  printf '### Reading in V8\n\n'
  "$tools/node" bench/v8.mjs target/llm_canary.wasm \
    "openai-chat=$corpus/openai-chat" "anthropic-messages=$corpus/anthropic-messages" \
    "openai-responses=$corpus/openai-responses"
  printf '\n'
}

growth_in_v8() {
  local tools
  tools=$(dependency_javascript)
  "$tools/node" bench/growth.mjs target/llm_canary.wasm
}

# The bench writes beside itself, so it runs in a copy, which keeps what it has built: its tools, and the modules that
# copy each piece into the VM and do no more, through the SDK and without it.
envoy_bench() {
  local copy=$1 abi
  mkdir -p "$copy/build/wasm"
  cp -a "$envoy_bench/." "$copy"
  chmod -R u+w "$copy"
  # The load client sends the file that AGENT_REQUEST names, where the path asks for it.
  sed -i '0,/^    format!($/s//    let agent = || std::fs::read_to_string(std::env::var("AGENT_REQUEST").unwrap()).unwrap();\
    let body = if a.path.contains("request=agent") { agent() } else { body };\
&/' "$copy/crates/loadgen/src/client.rs"
  grep -q AGENT_REQUEST "$copy/crates/loadgen/src/client.rs" || {
    say "error: the load client of $envoy_bench is another than bench/run.sh knows, so w1a would be w1"
    return 1
  }
  cp rust-toolchain.toml "$copy/"
  (cd "$copy" && CARGO_NATIVE=cargo ./build.sh native >&2)
  wasm_toolchain "${LLM_CANARY_WASM_TOOLCHAIN:-auto}"
  for abi in sdk raw; do
    (cd "$copy/filter" && wasm_cargo build --quiet --release --target "$WASM_TARGET" --target-dir ../build/target-wasm \
      --no-default-features --features "$abi,touch")
    cp "$copy/build/target-wasm/$WASM_TARGET/release/filter.wasm" "$copy/build/wasm/$abi-touch.wasm"
  done
}

# in_envoy SCRIPT [ARGUMENT...]: one of bench/, which gets the bench's folder first; its tables or points on stdout.
in_envoy() {
  local copy envoy script=$1
  if [[ ! -x $envoy_bench/bench.py ]]; then
    say "Envoy: skipped, no bench at $envoy_bench"
    return "$EXIT_SKIPPED"
  fi
  envoy=$(dependency_envoy) || return
  copy="$(cache_dir)/envoy-bench"
  with_lock envoy-bench envoy_bench "$copy"
  rm -rf "$copy/results" # it would report those of earlier runs too
  ENVOY=$envoy OURS_WASM=$root/target/llm_canary.wasm OURS_SO=$root/$native python3 "bench/$script" "$copy" "${@:2}"
}

# compare [OPTION...] NAME=MODULE... [VARIANT...]: as bench/against.py takes them.
compare() {
  local argument modules=() tools
  for argument; do
    if [[ $argument == *=*.wasm ]]; then modules+=("$argument"); fi
  done
  tools=$(dependency_javascript)
  if ((${#modules[@]})); then
    printf '### Without a clock\n\n'
    "$tools/node" bench/calls.mjs "${modules[@]}"
    printf '\n'
  fi
  in_envoy against.py "$@"
}

# measure FILE COMMAND...: what it prints becomes bench/figures/FILE, headed by what it was measured on. What
# cannot be had leaves the file as it is.
measure() {
  local file=bench/figures/$1 new=target/figures.new status
  printf '<!-- %s processors, %s; module of %s bytes -->\n' "$(nproc)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(wc -c <target/llm_canary.wasm)" >"$new"
  say "measuring $1"
  set +e
  (
    set -e
    "${@:2}"
  ) >>"$new"
  status=$?
  set -e
  case $status in
    0) mv "$new" "$file" ;;
    "$EXIT_SKIPPED") say "$file stays as it was" ;;
    *) exit "$status" ;;
  esac
}

case ${1:-} in
  "" | --envoy) ;;
  --against)
    if [[ ! -e ${2:-} ]]; then
      say "error: --against takes a module that is there, by its path from the repository's root"
      exit 2
    fi
    ;;
  --compare)
    compare "${@:2}"
    exit
    ;;
  --growth)
    for part in "${@:2}"; do
      if [[ ! $part =~ ^(native|v8|crowds|envoy)$ ]]; then
        say "error: --growth has no part $part; these are: native v8 crowds envoy"
        exit 2
      fi
    done
    ;;
  *)
    say "error: unknown option $1; try bench/run.sh --help"
    exit 2
    ;;
esac

./build.sh >&2
native=$(./build.sh --native | sed -n '$s/ .*//p')
if [[ ${1:-} == --against ]]; then
  compare "${@:3}" "before=$2" ours=target/llm_canary.wasm
  exit
fi
cargo build --release --locked --manifest-path bench/Cargo.toml
case ${1:-} in
  "")
    bench/target/release/llm-canary-bench "$corpus"
    in_v8
    ;;
  --envoy) in_envoy envoy.py run "${envoy_arguments[@]}" ;;
  --growth)
    parts=("${@:2}")
    ((${#parts[@]})) || parts=(native v8 crowds envoy)
    for part in "${parts[@]}"; do
      case $part in
        native) measure native.tsv bench/target/release/llm-canary-bench --growth ;;
        v8) measure v8.tsv growth_in_v8 ;;
        crowds) measure crowds.tsv in_envoy envoy.py growth ;;
        envoy) measure envoy.md in_envoy envoy.py run "${envoy_arguments[@]}" ;;
      esac
    done
    python3 bench/cost.py
    ;;
esac
