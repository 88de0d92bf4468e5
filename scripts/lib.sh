# shellcheck shell=bash
# Sourced by the other scripts: messages on stderr, the cache folder, a lock for each thing that is
# fetched, and Debian packages unpacked without root. Nothing here changes shell options.

# The exit code for what cannot be had on this machine, so that a caller can tell it from a failure.
# shellcheck disable=SC2034 # read by those who source this file
EXIT_SKIPPED=77

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# help_if_asked ARGUMENT...: if the first argument of the script asks for that, prints the comment at the script's head, and ends it. To be
# called before the script changes its folder.
help_if_asked() {
  if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit
  fi
}

cache_dir() {
  printf '%s\n' "${LLM_CANARY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/llm-canary}"
}

# with_lock NAME COMMAND...: runs COMMAND while no other process holds NAME, so that two
# scripts that run at the same time fetch a thing once. Without flock(1) there is no lock.
with_lock() (
  local name=$1 fd
  shift
  mkdir -p "$(cache_dir)/locks" || exit 1
  if command -v flock >/dev/null; then
    exec {fd}>"$(cache_dir)/locks/$name" && flock "$fd" || exit 1
  fi
  "$@"
)

# debian_available: can this machine fetch and unpack Debian packages?
debian_available() {
  command -v apt-get >/dev/null && command -v apt-cache >/dev/null && command -v dpkg-deb >/dev/null
}

# apt's package lists may be missing (a bare container) or older than the mirror's files; both
# are repaired in a private copy, because the system's own lists need root.
_debian_options=(-o APT::Sandbox::User=root -o Debug::NoLocking=1)
debian_refresh() {
  local apt
  apt="$(cache_dir)/apt"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" || return 1
  _debian_options+=(-o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  say "apt: fetching fresh package lists into $apt"
  debian_apt -qq update >&2
}

# apt-get and apt-cache with the options chosen so far.
debian_apt() { apt-get "${_debian_options[@]}" "$@"; }
debian_apt_cache() { apt-cache "${_debian_options[@]}" "$@"; }

# debian_version PACKAGE: the version apt would fetch; fails when there is none.
debian_version() {
  local found
  found=$(LC_ALL=C debian_apt_cache policy -- "$1" 2>/dev/null |
    sed -n 's/^  Candidate: //p')
  [[ -n $found && $found != "(none)" ]] && printf '%s\n' "$found"
}

# debian_unpack FOLDER PACKAGE...: downloads the packages (apt checks their signatures) and
# unpacks them under FOLDER.
debian_unpack() (
  local folder=$1 archives archive
  shift
  mkdir -p "$folder" && archives=$(mktemp -d) || exit 1
  trap 'rm -rf "$archives"' EXIT
  cd "$archives" || exit 1
  debian_apt -qq download "$@" >&2 || { debian_refresh && debian_apt -qq download "$@" >&2; } || exit 1
  for archive in *.deb; do
    dpkg-deb -x "$archive" "$folder" || exit 1
  done
)
