# shellcheck shell=bash
# Sourced by build.sh: finds or makes a Rust toolchain that can build for wasm32-wasip1.
#
# wasm_toolchain WAY tries one way (installed, rustup, debian) or, for `auto`, each in turn. It
# leaves what build.sh needs in the variables below, and reports on stderr what it does.
# Needs scripts/lib.sh.

_wasm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WASM_TARGET=wasm32-wasip1
WASM_CARGO=cargo # the command to call
WASM_ENVIRONMENT=() # the environment it needs, as NAME=VALUE
WASM_REMAP=()       # path prefixes of this machine that may reach the module, as FROM=TO

wasm_toolchain() {
  local way ways=("$1")
  [[ $1 == auto ]] && ways=(installed rustup debian)
  for way in "${ways[@]}"; do
    "_wasm_$way" && return
  done
  return 1
}

_wasm_installed() {
  local libraries sysroot
  if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    say "wasm toolchain: cargo and rustc are not on PATH"
    return 1
  fi
  libraries=$(rustc --print target-libdir --target "$WASM_TARGET") || return 1
  if ! compgen -G "$libraries/libstd-*.rlib" >/dev/null; then
    say "wasm toolchain: the target $WASM_TARGET is not installed"
    return 1
  fi
  # With the component rust-src, std's source has another path.
  sysroot=$(rustc --print sysroot) || return 1
  # shellcheck disable=SC2034 # read by build.sh
  WASM_REMAP=("$sysroot/lib/rustlib/src/rust=/rustc/$(rustc -vV | _wasm_commit)")
}

_wasm_rustup() {
  command -v rustup >/dev/null || {
    say "wasm toolchain: there is no rustup"
    return 1
  }
  say "wasm toolchain: rustup target add $WASM_TARGET"
  rustup target add "$WASM_TARGET" >&2 && _wasm_installed
}

# Debian ships a Rust recent enough for its browsers, but no std for wasm. Its packages are
# unpacked in the cache, where no root is needed and nothing conflicts with a rustup, and std
# is built there once from the packaged source.
_wasm_debian() {
  local packages folder
  debian_available || {
    say "wasm toolchain: this is not a Debian system"
    return 1
  }
  packages=$(_wasm_debian_packages) || { debian_refresh && packages=$(_wasm_debian_packages); } || {
    say "wasm toolchain: Debian's packages rustc-web $(_wasm_rust_version) or later, cargo-web, rust-web-src, wasi-libc and lld" \
      "are not to be had here"
    return 1
  }
  folder="$(cache_dir)/rust/debian-$(printf '%s\n' "$packages" | sha256sum | cut -c1-16)"
  with_lock rust-debian _wasm_make_debian "$folder" "$packages" || return 1
  _wasm_use_debian "$folder/usr"
}

# Prints PACKAGE=VERSION lines: the packages that would have to be installed, and the compiler's own
# even where they are installed.
_wasm_debian_packages() {
  local lld library name version names
  # The lists of packages may be older than the compiler.
  dpkg --compare-versions "$(debian_version rustc-web)" ge "$(_wasm_rust_version)" || return 1
  lld=$(debian_apt_cache search --names-only '^lld-[0-9]+$' | cut -d' ' -f1 | sort -V | tail -n 1)
  library=$(debian_apt_cache depends libstd-rust-web-dev 2>/dev/null |
    sed -n 's/.*Depends: \(libstd-rust-web-[0-9].*\)/\1/p')
  [[ -n $lld && -n $library ]] || return 1
  names=(rustc-web cargo-web rust-web-src libstd-rust-web-dev "$library" "$lld" wasi-libc)
  mapfile -t -O ${#names[@]} names < <(debian_apt install --simulate --no-install-recommends "${names[@]}" |
    sed -n 's/^Inst \([^ ]*\) .*/\1/p')
  for name in "${names[@]}"; do
    version=$(debian_version "$name") || return 1
    printf '%s=%s\n' "$name" "$version"
  done | sort -u
}

_wasm_use_debian() {
  local usr=$1 libraries
  # Some packages keep their libraries in /lib.
  libraries="$usr/lib/$(_wasm_multiarch):${usr%/usr}/lib/$(_wasm_multiarch)"
  WASM_CARGO="$usr/bin/cargo"
  WASM_ENVIRONMENT=(
    "PATH=$usr/bin:$PATH"
    "RUSTC=$usr/bin/rustc"
    "RUSTDOC=$usr/bin/rustdoc"
    "LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    "CARGO_TARGET_WASM32_WASIP1_LINKER=$usr/bin/wasm-ld"
  )
}

_wasm_make_debian() (
  local folder=$1 packages temporary
  [[ -e $folder/.complete ]] && exit
  mapfile -t packages <<<"$2"
  mkdir -p "$(dirname "$folder")" && temporary=$(mktemp -d "$(dirname "$folder")/.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "wasm toolchain: fetching ${#packages[@]} Debian packages (once; about 120 MB)"
  debian_unpack "$temporary/root" "${packages[@]}" || exit 1
  ln -sf "$(basename "$(ls "$temporary"/root/usr/bin/wasm-ld-*)")" "$temporary/root/usr/bin/wasm-ld" || exit 1
  say "wasm toolchain: building std for $WASM_TARGET (once; about a minute)"
  _wasm_build_std "$temporary/root/usr" "$temporary/std" || exit 1
  touch "$temporary/root/.complete" && mv -T "$temporary/root" "$folder"
)

# _wasm_build_std USR FOLDER: builds std in FOLDER and puts it where the rustc in USR looks.
_wasm_build_std() {
  local usr=$1 folder=$2 libraries="$1/lib/rustlib/$WASM_TARGET/lib" commit flags
  mkdir -p "$folder/src" "$libraries/self-contained" || return 1
  printf '%s\n' '[package]' 'name = "seed"' 'version = "0.0.0"' 'edition = "2021"' \
    '[profile.release]' 'panic = "abort"' >"$folder/Cargo.toml"
  : >"$folder/src/lib.rs"
  _wasm_use_debian "$usr"
  commit=$(env "${WASM_ENVIRONMENT[@]}" "$usr/bin/rustc" -vV | _wasm_commit) || return 1
  cd "$folder" || return 1
  RUSTC_BOOTSTRAP=1 wasm_cargo fetch -Zbuild-std --target "$WASM_TARGET" || return 1
  # Without bitcode, link-time optimisation leaves std out.
  flags=$(wasm_flags -Cembed-bitcode=yes "$usr/lib/rustlib/src/rust=/rustc/$commit")
  RUSTC_BOOTSTRAP=1 CARGO_ENCODED_RUSTFLAGS="$flags" wasm_cargo build --release \
    --target "$WASM_TARGET" --target-dir "$folder/target" -Zbuild-std=std,panic_abort || return 1
  find "$folder/target/$WASM_TARGET/release/deps" -name '*.rlib' ! -name 'libseed-*' \
    -exec cp {} "$libraries/" \; &&
    cp "$usr"/lib/wasm32-wasi/{libc.a,crt1-command.o,crt1-reactor.o} "$libraries/self-contained/"
}

# The oldest Rust that can build the repository.
_wasm_rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$_wasm_root/Cargo.toml"; }

_wasm_commit() { sed -n 's/^commit-hash: //p'; }

# wasm_cargo ARGUMENT...: the cargo of the chosen toolchain, with all its output on stderr.
wasm_cargo() { env "${WASM_ENVIRONMENT[@]}" "$WASM_CARGO" "$@" >&2; }

# wasm_flags FLAG FROM=TO...: FLAG and path prefixes to rename, for CARGO_ENCODED_RUSTFLAGS.
# Paths of this machine would reach the module through panic messages, so each gets a fixed
# name. The last prefix that matches counts: the sources of crates lie deeper than cargo's home.
# In the encoded form 0x1f separates the flags, because a path may hold spaces.
wasm_flags() {
  local flag=$1 home=${CARGO_HOME:-$HOME/.cargo} folder remap
  local remaps=("$home=/cargo")
  for folder in "$home"/registry/src/*; do
    remaps+=("$folder=/crates")
  done
  printf '%s' "$flag"
  for remap in "${remaps[@]}" "${@:2}"; do
    printf '\x1f--remap-path-prefix=%s' "$remap"
  done
}

# Debian's name for the folder of this machine's libraries, such as x86_64-linux-gnu.
_wasm_multiarch() {
  local machine
  machine=$(dpkg --print-architecture)
  case $machine in
    amd64) echo x86_64-linux-gnu ;;
    arm64) echo aarch64-linux-gnu ;;
    *) gcc -dumpmachine ;;
  esac
}
