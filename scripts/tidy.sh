#!/usr/bin/env bash
# clang-format and clang-tidy over our sources, warnings as errors.
#
#   scripts/tidy.sh          sources changed by the last 20 commits and those that include them
#   scripts/tidy.sh --long   all sources
# The short form ends after TALOSMQ_TIDY_SECONDS (default 420) and says how far it came.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-deps.sh build check
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target talosmq_generated -j "$(nproc)" >/dev/null

all=$(git ls-files 'src/*.cc' 'tests/*.cc' 'bench/*.cc')
git ls-files 'src/*.cc' 'src/*.h' 'include/*.h' 'tests/*.cc' 'tests/*.h' 'bench/*.cc' |
  xargs clang-format-14 --dry-run --Werror

if [ "${1:-}" = --long ]; then
  chosen=$all
  seconds=86400
else
  base=$(git rev-list --max-count=21 HEAD | tail -n 1)
  changed=$(git diff --name-only --diff-filter=d "$base" HEAD -- 'src/*' 'include/*' 'tests/*' 'bench/*')
  chosen=$(
    {
      grep -E '\.cc$' <<<"$changed" || true
      grep -E '\.h$' <<<"$changed" | sed -E 's#^(src|include|tests)/##' | while read -r header; do
        grep -lF "#include \"$header\"" $all || true
      done
    } | sort -u
  )
  seconds=${TALOSMQ_TIDY_SECONDS:-420}
fi
[ -n "$chosen" ] || { echo "tidy: nothing to check"; exit 0; }

done_list=$(mktemp)
trap 'rm -f "$done_list"' EXIT
status=0
timeout "$seconds" xargs -P "$(nproc)" -I{} sh -c \
  'clang-tidy-14 --quiet -p build/fuzz "$1" 2>/dev/null && echo "$1" >> "$2" || { echo "tidy: $1 failed"; exit 1; }' \
  _ {} "$done_list" <<<"$chosen" || status=$?
echo "tidy: $(wc -l <"$done_list") of $(wc -l <<<"$chosen") files clean"
# 124: the time was up, which is said above and is no failure.
[ $status -eq 124 ] || exit $status
