# shellcheck shell=bash
# Sourced by build.sh: builds the operator's tool as a program that needs nothing of the machine that it runs on, for images with
# nothing else in them. Needs scripts/lib.sh, scripts/wasm_toolchain.sh and scripts/native_toolchain.sh.
#
# It is linked with glibc, because every Rust for Linux has what that takes. Since 2.34 glibc resolves names without loading
# anything, so a program may be static and still ask DNS.

# static_tool [MACHINE]: builds the tool for x86_64 or aarch64, and prints its path from the repository's root.
static_tool() {
  local machine=${1:-$(uname -m)} target compiler suffix="" built program
  native_machine "$machine"
  target=$machine-unknown-linux-gnu
  compiler=$(native_compiler "$machine" "$target") || exit 1
  [[ $compiler == cc ]] || suffix=-$machine
  cargo fetch --locked --target "$target" >&2 || exit 1
  case ${LLM_CANARY_TOOL_PROFILE:-release} in
    release)
      CARGO_ENCODED_RUSTFLAGS=$(wasm_flags $'-Ctarget-feature=+crt-static\x1f-Clinker='"$compiler" "$PWD=/llm-canary") \
        cargo build --package llm-canary-cli --bin llm-canary --release --locked \
        --target "$target" --target-dir target/static >&2 || exit 1
      built=target/static/$target/release/llm-canary
      ;;
    dev)
      # For tests. Only the last step has the flag, so that what is built for other tests is used.
      cargo rustc --quiet --package llm-canary-cli --bin llm-canary --locked --target-dir target \
        -- -Ctarget-feature=+crt-static -Cstrip=symbols >&2 || exit 1
      built=target/debug/llm-canary
      ;;
    *) die "LLM_CANARY_TOOL_PROFILE=$LLM_CANARY_TOOL_PROFILE is not supported; use release or dev" ;;
  esac
  if LC_ALL=C readelf --program-headers --dynamic --wide "$built" | grep -q -e INTERP -e '(NEEDED)'; then
    die "$built is not static; this compiler has no libc.a (Debian: libc6-dev)"
  fi
  program=target/llm-canary$suffix
  cp "$built" "$program.new.$$" && mv "$program.new.$$" "$program" || exit 1
  printf '%s\n' "$program"
}
