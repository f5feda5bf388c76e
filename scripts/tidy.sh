#!/usr/bin/env bash
# clang-tidy over our sources, findings as errors.
#
#   scripts/tidy.sh            sources changed by the last 20 commits
#   scripts/tidy.sh --long     all sources
#   scripts/tidy.sh FILE...    these
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh build test check
# Without precompiled headers, so that only what protoc generates has to be made first.
cmake --preset clang -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
cmake --build build/tidy --target talosmq_generated -j "$(nproc)" >/dev/null

if [ "${1:-}" = --long ]; then
  mapfile -t chosen < <(git ls-files 'src/*.cc' 'tests/*.cc' 'bench/*.cc')
elif [ $# -gt 0 ]; then
  chosen=("$@")
else
  base=$(git rev-list --max-count=21 HEAD | tail -n 1)
  mapfile -t chosen < <(git diff --name-only --diff-filter=d "$base" HEAD -- 'src/*.cc' 'tests/*.cc' 'bench/*.cc')
fi
[ ${#chosen[@]} -gt 0 ] || { echo "tidy: nothing to check"; exit 0; }
printf '%s\n' "${chosen[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-14 --quiet -p build/tidy
echo "tidy: ${#chosen[@]} files clean"
