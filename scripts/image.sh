#!/usr/bin/env bash
# Usage: scripts/image.sh [OPTION...] [IMAGE...]
#
# Builds images of what is shipped, with buildah, without a daemon and without root, as OCI layouts in target/images. IMAGE is one or
# more of these; without any, all three:
#
#   wasm     llm-canary         plugin.wasm, alone in one gzip layer, as Istio and Envoy Gateway fetch it
#   native   llm-canary-native  the native module, libllm_canary-VERSION.so, at the root: an image volume, or COPY --from
#   tool     llm-canary-tool    the operator's tool: static, for the user 65532, on a read-only file system
#
# Beside each image is its SBOM (CycloneDX): NAME-VERSION.cdx.json. Labels have the version and the commit, the oldest and the newest
# Envoy of the tests, and the SHA-256 of the file and of the SBOM.
#
#   --push PREFIX        pushes too, as PREFIX/NAME:TAG; PREFIX is such as registry.example.com or ghcr.io/team. Log in before with
#                        buildah login
#   --plain-http         the registry of --push has no TLS
#   --tag TAG            instead of the version
#   --label NAME=VALUE   one more label, such as org.opencontainers.image.source=https://…; may be repeated
#   --machine MACHINE    x86_64 or aarch64; repeat it for both. By default this machine, and the other one where its compiler is
#                        installed (see build.sh). Two make a list of manifests, of native and of tool
#   --kubectl FILE       also builds llm-canary-tool-kubectl, the tool with this kubectl, which has to be static: for `run --kubectl`
#   --no-build           takes the files that ./build.sh, ./build.sh --native and ./build.sh --tool have put into target/
#   --output FOLDER      instead of target/images
#
# The last lines of stdout are the images, one a line: DIGEST, two spaces, and NAME:TAG or what was pushed. Messages go to stderr.
# The same commit, compilers and buildah give the same digests: the time in an image is SOURCE_DATE_EPOCH, or that of the commit.
# Where there is no git, LLM_CANARY_COMMIT names the commit, and the time is 1970.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"

images=() machines=() labels=()
prefix="" tag="" kubectl="" output=target/images is_built=true tls=()
usage() {
  say "error: $1; try scripts/image.sh --help"
  exit 2
}
while (($#)); do
  help_if_asked "$1"
  case $1 in
    wasm | native | tool) images+=("$1") ;;
    --plain-http) tls=(--tls-verify=false) ;;
    --no-build) is_built=false ;;
    --push | --tag | --label | --machine | --kubectl | --output)
      (($# > 1)) || usage "$1 needs a value"
      case $1 in
        --push) prefix=${2%/} ;;
        --tag) tag=$2 ;;
        --label) labels+=("$2") ;;
        --machine) machines+=("$2") ;;
        --kubectl) kubectl=$2 ;;
        --output) output=$2 ;;
      esac
      shift
      ;;
    *) usage "unknown option or image $1" ;;
  esac
  shift
done
cd "$root"
((${#images[@]})) || images=(wasm native tool)
for machine in "${machines[@]}"; do
  [[ $machine == x86_64 || $machine == aarch64 ]] || usage "--machine $machine is not supported; use x86_64 or aarch64"
done
for label in "${labels[@]}"; do
  [[ $label == *?=* ]] || usage "--label $label: give NAME=VALUE"
done
[[ $prefix != *://* ]] || usage "--push $prefix: leave out ${prefix%%://*}://"
if [[ -n $kubectl ]]; then
  [[ -f $kubectl ]] || die "--kubectl $kubectl: there is no such file"
  if LC_ALL=C readelf --program-headers --wide "$kubectl" 2>/dev/null | grep -q INTERP; then
    die "--kubectl $kubectl needs libraries of its machine, and the image has none; take the one that Kubernetes releases, which is static"
  fi
fi

version=$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
tag=${tag:-$version}

# The commit and its time, where this is a repository of its own.
revision=${LLM_CANARY_COMMIT:-} epoch=${SOURCE_DATE_EPOCH:-}
if [[ -z $revision && $(git rev-parse --show-toplevel 2>/dev/null) == "$root" ]] && revision=$(git rev-parse HEAD 2>/dev/null); then
  [[ -z $(git status --porcelain) ]] || revision+=-dirty
  epoch=${epoch:-$(git log -1 --format=%ct)}
fi
epoch=${epoch:-0}

buildah=$(dependency_buildah)
cyclonedx=$(dependency_cargo_cyclonedx)
work=$(mktemp -d)
as_root=()
if ((EUID != 0)); then
  # As root within a namespace of its own, where this user is the only one. The files in the images belong to root alone.
  as_root=(unshare --user --map-root-user --mount env _CONTAINERS_USERNS_CONFIGURED=done)
fi
# shellcheck disable=SC2329 # called when the script ends
clean_up() { "${as_root[@]}" rm -rf "$work"; }
trap clean_up EXIT

# buildah with settings of its own: this machine's would change what comes out. The driver vfs needs no rights.
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/storage"\n' "$work" "$work" >"$work/storage.conf"
printf '%s\n' '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
: >"$work/registries.conf"
run_buildah() {
  "${as_root[@]}" env CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_REGISTRIES_CONF="$work/registries.conf" \
    TMPDIR="$work" "$buildah" "$@"
}

sha256() { sha256sum "$1" | cut -d' ' -f1; }
# What images call a machine.
architecture() { sed 's/x86_64/amd64/; s/aarch64/arm64/' <<<"$1"; }

# Can this machine build for another?
can_build_for() {
  [[ $1 == "$(uname -m)" ]] && return
  command -v "$1-linux-gnu-gcc" >/dev/null &&
    compgen -G "$(rustc --print target-libdir --target "$1-unknown-linux-gnu")/libstd-*.rlib" >/dev/null
}
if ((${#machines[@]} == 0)); then
  for machine in x86_64 aarch64; do
    if can_build_for "$machine"; then
      machines+=("$machine")
    else
      say "image: nothing for $machine, because its compiler is not installed; --machine $machine says what is missing"
    fi
  done
fi

# build FILE ARGUMENT...: has build.sh make FILE, or checks that it is there.
build() {
  local file=$1
  shift
  if $is_built; then
    ./build.sh "$@" >&2
  elif [[ ! -f $file ]]; then
    die "--no-build: $file is missing; run ./build.sh $*"
  fi
}

# The file of a machine; that of another has its name at the end.
of_machine() {
  if [[ $2 == "$(uname -m)" ]]; then printf '%s%s' "$1" "${3:-}"; else printf '%s-%s%s' "$1" "$2" "${3:-}"; fi
}

# is_for MACHINE FILE: a file of another processor would be found out only where it runs.
is_for() {
  local names=([62]=x86_64 [183]=aarch64) number
  number=$(od -An -tu2 -j18 -N2 "$2" | tr -d ' ')
  [[ ${names[number]:-} == "$1" ]] || die "$2 is not built for $1"
}

# sbom NAME PACKAGE FOLDER TARGET FILE [OPTION...]: writes the SBOM of FILE into the output folder, and prints its path.
sbom() {
  local name=$1 package=$2 folder=$3 target=$4 file=$5 to="$output/$1-$version.cdx.json"
  shift 5
  # In a copy, because cargo-cyclonedx writes beside each manifest.
  if [[ ! -d $work/source ]]; then
    mkdir "$work/source"
    find . \( -path ./target -o -path ./.git -o -path ./fuzz -o -path ./bench \) -prune -o \
      \( -name '*.rs' -o -name Cargo.toml -o -name Cargo.lock -o -name rust-toolchain.toml \) -print0 |
      xargs -0 cp --parents -t "$work/source"
  fi
  (cd "$work/source" && SOURCE_DATE_EPOCH=$epoch "$cyclonedx" cyclonedx --quiet --manifest-path "$folder/Cargo.toml" \
    --format json --spec-version 1.5 --target "$target" --override-filename sbom >&2) || exit 1
  cargo tree --quiet --locked --package "$package" --edges normal --target "$target" --prefix none --format '{p}' >"$work/tree" || exit 1
  python3 scripts/sbom.py --of "$file" --name "$name" --raw "$work/source/$folder/sbom.json" --tree "$work/tree" --root "$work/source" \
    --output "$to" "$@" || exit 1
  printf '%s\n' "$to"
}

# commit NAME MACHINE TITLE FILE SBOM FROM OPTION...: an image of one layer, which is what is at FROM. The options are buildah config's.
commit() {
  local name=$1 machine=$2 title=$3 file=$4 bill=$5 from=$6 container label
  local settings=(
    --label "org.opencontainers.image.title=$title"
    --label "org.opencontainers.image.version=$version"
    --label "org.opencontainers.image.licenses=Apache-2.0"
    --label "llm-canary.envoy.oldest=$([[ $name == llm-canary-native ]] && echo "$ENVOY_NATIVE_OLDEST" || echo "$ENVOY_OLDEST")"
    --label "llm-canary.envoy.newest=$ENVOY_NEWEST"
    --label "llm-canary.file=${file##*/}"
    --label "llm-canary.file.sha256=$(sha256 "$file")"
    --label "llm-canary.sbom=${bill##*/}"
    --label "llm-canary.sbom.sha256=$(sha256 "$bill")"
  )
  shift 6
  [[ -z $revision ]] || settings+=(--label "org.opencontainers.image.revision=$revision")
  for label in "${labels[@]}"; do settings+=(--label "$label"); done
  container=$(run_buildah from scratch)
  run_buildah copy --quiet --chown 0:0 "$container" "$from" / >/dev/null
  run_buildah config --os linux --arch "$(architecture "$machine")" --created-by "scripts/image.sh" "${settings[@]}" "$@" "$container"
  run_buildah commit --quiet --rm --signature-policy "$work/policy.json" --timestamp "$epoch" "$container" \
    "localhost/$name:$machine" >/dev/null
}

# publish NAME MACHINE...: writes the layout, pushes, and keeps the line for the end. Several machines make a list of manifests.
lines=()
publish() {
  local name=$1 digest pushed push=(push) what
  shift
  what="localhost/$name:$1"
  if (($# > 1)); then
    what=localhost/$name:list push=(manifest push --all)
    run_buildah manifest create "$what" >/dev/null
    local machine
    for machine in "$@"; do run_buildah manifest add "$what" "localhost/$name:$machine" >/dev/null; done
  fi
  push+=(--quiet --signature-policy "$work/policy.json" --digestfile "$work/digest")
  rm -rf "${output:?}/$name"
  run_buildah "${push[@]}" "$what" "oci:$output/$name:$tag" >&2
  digest=$(<"$work/digest")
  if [[ -z $prefix ]]; then
    lines+=("$digest  $name:$tag")
    return
  fi
  run_buildah "${push[@]}" "${tls[@]}" "$what" "docker://$prefix/$name:$tag" >&2 || die "$prefix/$name:$tag could not be pushed (see above)"
  pushed=$(<"$work/digest")
  [[ $pushed == "$digest" ]] || die "the registry has $name as $pushed, and the layout as $digest"
  lines+=("$digest  $prefix/$name:$tag")
}

image_wasm() {
  local module=target/llm_canary.wasm bill
  build "$module"
  bill=$(sbom llm-canary llm-canary . wasm32-wasip1 "$module")
  install -m 644 "$module" "$work/plugin.wasm"
  # It runs on any machine. Fetchers ask for linux/amd64 where they ask at all. The annotation says that the layer is a plain one.
  commit llm-canary x86_64 "llm-canary, a filter for Envoy, as WebAssembly" "$work/plugin.wasm" "$bill" "$work/plugin.wasm" \
    --annotation module.wasm.image/variant=compat
  publish llm-canary x86_64
}

image_native() {
  local machine module bill folder
  for machine in "${machines[@]}"; do
    module=$(of_machine "target/libllm_canary-$version" "$machine" .so)
    build "$module" --native "$machine"
    is_for "$machine" "$module"
    bill=$(sbom "llm-canary-native$([[ $machine == x86_64 ]] || echo "-$machine")" llm-canary-native native \
      "$machine-unknown-linux-gnu" "$module")
    folder=$work/native-$machine
    # A name for each version: Envoy does not look at a new file under the name of one that it has loaded.
    install -D -m 755 "$module" "$folder/libllm_canary-$version.so"
    install -m 644 "$bill" "$folder/llm-canary-native.cdx.json"
    commit llm-canary-native "$machine" "llm-canary, a filter for Envoy, as a native module" \
      "$folder/libllm_canary-$version.so" "$bill" "$folder/."
  done
  publish llm-canary-native "${machines[@]}"
}

# The version of glibc that a program for this machine is linked with.
glibc() {
  local compiler=cc
  [[ $1 == "$(uname -m)" ]] || compiler=$1-linux-gnu-gcc
  printf '#include <features.h>\n__GLIBC__.__GLIBC_MINOR__\n' | "$compiler" -E -P - | tail -n 1 | tr -d ' '
}

image_tool() {
  local machine program bill folder run
  for machine in "${machines[@]}"; do
    program=$(of_machine target/llm-canary "$machine")
    build "$program" --tool "$machine"
    is_for "$machine" "$program"
    bill=$(sbom "llm-canary-tool$([[ $machine == x86_64 ]] || echo "-$machine")" llm-canary-cli cli \
      "$machine-unknown-linux-gnu" "$program" --linked "glibc=$(glibc "$machine")=LGPL-2.1-or-later")
    folder=$work/tool-$machine
    install -d -m 755 "$folder" "$folder"/{etc,usr,usr/bin,usr/share,usr/share/llm-canary}
    install -d -m 1777 "$folder/tmp"
    install -m 755 "$program" "$folder/usr/bin/llm-canary"
    install -m 644 "$bill" "$folder/usr/share/llm-canary/llm-canary-tool.cdx.json"
    # A user's name for programs that look for one, and where glibc asks for names.
    printf 'root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/tmp:/none\n' >"$folder/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$folder/etc/group"
    printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
    chmod 644 "$folder"/etc/*
    run=(--user 65532:65532 --entrypoint '["/usr/bin/llm-canary"]' --env PATH=/usr/bin --workingdir /)
    commit llm-canary-tool "$machine" "llm-canary, the operator's tool" "$folder/usr/bin/llm-canary" "$bill" "$folder/." "${run[@]}"
    if [[ -n $kubectl ]]; then
      is_for "$machine" "$kubectl"
      install -m 755 "$kubectl" "$folder/usr/bin/kubectl"
      commit llm-canary-tool-kubectl "$machine" "llm-canary, the operator's tool, with kubectl" "$folder/usr/bin/llm-canary" "$bill" \
        "$folder/." "${run[@]}" --label "llm-canary.kubectl.sha256=$(sha256 "$kubectl")"
    fi
  done
  publish llm-canary-tool "${machines[@]}"
  [[ -z $kubectl ]] || publish llm-canary-tool-kubectl "${machines[@]}"
}

[[ -z $kubectl || ${#machines[@]} == 1 ]] || die "--kubectl is for one machine; name it with --machine"
mkdir -p "$output"
for image in "${images[@]}"; do "image_$image"; done
printf '%s\n' "${lines[@]}"
