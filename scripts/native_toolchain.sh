# shellcheck shell=bash
# Sourced by build.sh: builds the filter as a dynamic module of Envoy, for this machine or, with a cross compiler, for another.
# Needs scripts/lib.sh and scripts/wasm_toolchain.sh.

# The newest glibc that the module may need. Envoy's images have this one, or a newer one.
_NATIVE_GLIBC_MAX=2.35
# Which paths traffic takes through the module, as scripts/native_profile.sh has recorded it on x86-64. The compiler puts the code
# of these paths together, so that a request finds it in fewer lines of the processor's caches.
NATIVE_PROFILE=native/traffic.profdata
# A function that every build has, as the profile names it. The hash at its end changes with the version in Cargo.toml, with the
# compiler, and with the settings of cargo's profile. The compiler ignores a profile of other names, and does not say so.
_NATIVE_PROFILE_KNOWS='_ZN10llm_canary3key2id17h[0-9a-f]*E'

# native_module [MACHINE]: builds the module for x86_64 or aarch64, and prints its path from the repository's root. With
# NATIVE_PROFILE_RECORDS it builds a module that writes its profile into that folder instead, beside the usual one.
native_module() {
  local machine=${1:-$(uname -m)} target compiler version suffix="" folder=native profile="" built module flags
  native_machine "$machine"
  target=$machine-unknown-linux-gnu
  compiler=$(native_compiler "$machine" "$target") || exit 1
  [[ $compiler == cc ]] || suffix=-$machine
  version=$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
  if [[ -n ${NATIVE_PROFILE_RECORDS:-} ]]; then
    profile=$'\x1f'-Cprofile-generate=$NATIVE_PROFILE_RECORDS suffix+=-records folder=native-records
  elif [[ $machine == x86_64 ]]; then
    profile=$'\x1f'-Cprofile-use=$PWD/$NATIVE_PROFILE
  fi
  flags=$(wasm_flags -Clinker="$compiler" "$PWD=/llm-canary")$profile
  cargo fetch --locked --target "$target" >&2 || exit 1
  LLM_CANARY_NATIVE_CC=$compiler CARGO_ENCODED_RUSTFLAGS=$flags cargo rustc --package llm-canary-native --lib --profile native \
    --locked --crate-type cdylib --target "$target" --target-dir "target/$folder" \
    ${LLM_CANARY_NATIVE_FEATURES:+--features "$LLM_CANARY_NATIVE_FEATURES"} >&2 || exit 1
  built=target/$folder/$target/native/libllm_canary_native.so
  _native_check "$built"
  [[ $profile != *-Cprofile-use=* ]] || _native_profile_check "$(dirname "$built")/deps"
  module=target/libllm_canary-$version$suffix.so
  # Replaced by a rename: an Envoy that has loaded the file keeps it.
  cp "$built" "$module.new.$$" && mv "$module.new.$$" "$module" || exit 1
  printf '%s\n' "$module"
}

# native_machine MACHINE: is it one that we build for?
native_machine() {
  case $1 in
    x86_64 | aarch64) ;;
    *)
      say "error: $1 is not supported; use x86_64 or aarch64"
      exit 2
      ;;
  esac
}

# native_compiler MACHINE TARGET: prints the compiler that links for a machine, and checks that there is what that needs.
native_compiler() {
  local compiler=cc
  if [[ $1 != "$(uname -m)" ]]; then
    compiler=$1-linux-gnu-gcc
    _native_cross "$1" "$2" "$compiler"
  fi
  printf '%s\n' "$compiler"
}

# _native_cross MACHINE TARGET COMPILER: checks that this machine can build for another.
_native_cross() {
  local libraries
  command -v "$3" >/dev/null || die "there is no $3, which links for $1; Debian has it in gcc-${1/x86_64/x86-64}-linux-gnu"
  libraries=$(rustc --print target-libdir --target "$2") || exit 1
  compgen -G "$libraries/libstd-*.rlib" >/dev/null || rustup target add "$2" >&2 ||
    die "Rust's library for $2 is not installed; rustup target add $2"
}

# _native_profile_check FOLDER: has the compiler used the profile for the crates that it has put there?
_native_profile_check() {
  local name crate newest=""
  name=$(grep -aom1 "$_NATIVE_PROFILE_KNOWS" "$NATIVE_PROFILE" | head -n 1)
  for crate in "$1"/libllm_canary-*.rlib; do
    [[ -n $newest && $newest -nt $crate ]] || newest=$crate
  done
  if [[ -z $name ]] || ! grep -qaF "$name" "$newest"; then
    say "warning: $NATIVE_PROFILE is of another version or another compiler, so the module is built without it;" \
      "scripts/native_profile.sh makes a new one"
  fi
}

# _native_check FILE: checks what the module needs where it runs.
_native_check() {
  local needed glibc
  needed=$(LC_ALL=C readelf --dynamic --wide "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') || exit 1
  if grep -qv -e '^libc\.so' -e '^ld-linux' <<<"$needed"; then
    die "the module needs $(tr '\n' ' ' <<<"$needed"): images of Envoy have only glibc"
  fi
  glibc=$(LC_ALL=C readelf --dyn-syms --wide "$1" | grep -o '@GLIBC_[0-9.]*' | sed 's/@GLIBC_//' | sort -uV | tail -n 1)
  if [[ $(printf '%s\n' "$glibc" "$_NATIVE_GLIBC_MAX" | sort -V | tail -n 1) != "$_NATIVE_GLIBC_MAX" ]]; then
    die "the module needs glibc $glibc; images of Envoy have $_NATIVE_GLIBC_MAX"
  fi
  say "native: needs glibc $glibc, and no libgcc_s"
}
