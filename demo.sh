#!/usr/bin/env bash
# A canary release on this machine, from its first conversation to its rollback. ./demo.sh --help says more.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
source "$root/scripts/lib.sh"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  die "the demo needs python3, version 3.11 or newer"
# exec, so that a signal to this script reaches the process that stops everything. -P: the user's folder has no modules of ours.
PYTHONPATH=$root exec python3 -P -m demo "$@"
