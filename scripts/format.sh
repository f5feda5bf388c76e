#!/usr/bin/env bash
# Holds every source against .clang-format (version 14).
#
#   scripts/format.sh         fails and shows what differs
#   scripts/format.sh --fix   rewrites
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh check
mode=(--dry-run --Werror)
[ "${1:-}" != --fix ] || mode=(-i)
git ls-files 'src/*.cc' 'src/*.h' 'include/*.h' 'tests/*.cc' 'tests/*.h' 'bench/*.cc' 'docs/*.cc' |
  xargs clang-format-14 "${mode[@]}"
