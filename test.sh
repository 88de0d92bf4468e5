#!/usr/bin/env bash
# Usage: ./test.sh [--help] [SECTION...]
#
# Runs all tests, or the sections named:
#
#   format    cargo fmt, and shellcheck on the scripts
#   lints     clippy on the whole workspace, the fuzzers and the bench, warnings denied
#   python    ruff and mypy on the Python of the demo, the tests and the bench
#   supply    licences, sources, duplicates and advisories of every dependency, by cargo-deny
#   native    cargo test: the pure modules, and the whole filter on a fake host
#   fuzz      each fuzz target for a few seconds; fuzz/run.sh runs them for longer
#   docs      cargo doc, warnings denied
#   scripts   build.sh, scripts/dependencies.sh and demo.sh, which is run, stopped and interrupted; with DEMO_FAULTS=all with each fault;
#             the images, pushed to a registry and run from there, and what is installed with the tool
#   browser   the tool's page in a real browser
#   envoy     the files under envoy/, in real Envoy and real Prometheus
#   istio     the files under istio/ against Istio's resource definitions
#   kubernetes  the files under kubernetes/ against Kubernetes' schemas and other people's definitions; Argo's and Flagger's rules against serve
#   shipped   every file of envoy/, istio/ and kubernetes/ with unknown fields refused, every command of the documents, the hook of pre-commit
#   e2e       the filter in real Envoy, in both hosts, oldest and newest supported
#   servers   real llama.cpp, Triton and KServe behind Envoy, asked by the official clients
#
# A section fetches what it needs, once, into the cache (see scripts/dependencies.sh). What cannot
# be had on this machine is skipped, and the summary lists it; with CI=true it fails instead.
# The last line on stdout counts sections: `N passed, N failed, N skipped`. Exit code 1 if one
# failed, 2 for a section that does not exist.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/dependencies.sh
source "$root/scripts/dependencies.sh"
help_if_asked "$@"

cd "$root" || exit 1

sections=(format lints python supply native fuzz docs scripts browser envoy istio kubernetes shipped e2e servers)

section_format() {
  local python shellcheck scripts
  cargo fmt --all --check
  cargo fmt --manifest-path fuzz/Cargo.toml --check
  cargo fmt --manifest-path bench/Cargo.toml --check
  python=$(dependency_python)
  shellcheck=$(dirname "$python")/shellcheck
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
  "$shellcheck" --external-sources "${scripts[@]}"
}

# The fuzzers and the bench are packages of their own. The fuzzers are checked without their engine, which needs a C++ compiler.
section_lints() {
  cargo clippy --workspace --all-targets --locked -- -D warnings
  cargo clippy --package llm-canary-native --all-features --locked -- -D warnings
  cargo clippy --manifest-path fuzz/Cargo.toml --no-default-features --all-targets --locked -- -D warnings
  cargo clippy --manifest-path bench/Cargo.toml --all-targets --locked -- -D warnings
}

section_python() {
  local python
  python=$(dependency_python)
  "$python" -m ruff check .
  "$python" -m ruff format --check .
  "$python" -m mypy
}

# The advisories are on GitHub. Where that cannot be reached, the rest is checked all the same.
section_supply() {
  local deny manifest what=(licenses sources bans)
  deny=$(dependency_cargo_deny)
  if timeout 60 "$deny" fetch db 2>/dev/null; then
    what+=(advisories)
  else
    say "NOT CHECKED: advisories, because RustSec's database cannot be reached from here"
  fi
  for manifest in {.,fuzz,bench}/Cargo.toml; do
    [[ -e $manifest ]] || continue
    # cargo-deny reads the crates of all systems, also those that no build here has needed.
    cargo fetch --quiet --locked --manifest-path "$manifest"
    "$deny" --offline --locked --workspace --manifest-path "$manifest" --config deny.toml check "${what[@]}"
  done
}

section_fuzz() { fuzz/run.sh all 3; }

section_native() { cargo test --workspace --locked; }

# The pages are for contributors, so they show private items. One package at a time, because the library
# and the tool would write the same page.
section_docs() {
  local package
  export RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links"
  for package in llm-canary llm-canary-{scanning,reading,native,cli,indirect,sets,verdict}; do
    cargo doc --package "$package" --no-deps --document-private-items --locked
  done
}

section_scripts() {
  ./build.sh
  ./build.sh --native
  with_pytest -n 2 --dist loadfile tests/scripts
}

section_browser() { with_pytest -n 2 --dist loadfile tests/browser; }

section_envoy() {
  ./build.sh
  ./build.sh --native
  with_pytest -n 2 --dist loadfile tests/envoy
}

section_istio() {
  ./build.sh
  with_pytest tests/istio
}

section_kubernetes() { with_pytest tests/kubernetes; }

section_shipped() {
  ./build.sh
  ./build.sh --native
  with_pytest -n 2 --dist worksteal tests/shipped
}

# These tests mostly wait, for flushes and for looks of the tool. Their conftest.py says which begin first.
section_e2e() {
  ./build.sh
  ./build.sh --native
  with_pytest -n 4 --dist loadfile --no-loadscope-reorder tests/e2e
}

section_servers() {
  ./build.sh
  with_pytest tests/servers
}

# pytest names the slowest tests, every skipped one with its reason, and at its end those that failed.
with_pytest() {
  local python
  python=$(dependency_python)
  "$python" -m pytest -p no:cacheprovider -rfEs --durations=5 "$@"
}

chosen=("$@")
((${#chosen[@]})) || chosen=("${sections[@]}")
for name in "${chosen[@]}"; do
  if ! declare -F "section_$name" >/dev/null; then
    say "error: there is no section $name; these are: ${sections[*]}"
    exit 2
  fi
done

logs=$root/target/test-logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
summary=()
for name in "${chosen[@]}"; do
  printf '\n== %s\n' "$name"
  began=$SECONDS
  # The output is shown as it comes, and kept for the summary.
  (
    set -e
    "section_$name"
  ) 2>&1 | tee "$logs/$name.log"
  status=${PIPESTATUS[0]}
  case $status in
    0) outcome=passed passed=$((passed + 1)) ;;
    "$EXIT_SKIPPED") outcome=SKIPPED skipped=$((skipped + 1)) ;;
    *) outcome="FAILED (status $status)" failed=$((failed + 1)) ;;
  esac
  summary+=("$(printf '%-8s %4d s  %s' "$name" $((SECONDS - began)) "$outcome")")
  # The tests that pytest skipped within the section, and those that failed.
  mapfile -t -O ${#summary[@]} summary < <(sed -nE 's/^SKIPPED /           skipped: /p; s/^(FAILED|ERROR) (tests\/.*)/           failed: \2/p' "$logs/$name.log" | cut -c1-300)
done

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
