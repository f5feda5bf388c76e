#!/usr/bin/env bash
# Installs what is missing, builds with assertions, runs the tests, closes with ctest's summary.
#
#   scripts/test.sh              every test that Debian's packages and npm suffice for
#   scripts/test.sh --extended   only those that need other registries, and the planted bugs
#   scripts/test.sh --long       random runs at full length (also TALOSMQ_TEST_LENGTH=long)
#   scripts/test.sh -R REGEX     what follows is handed to ctest
set -euo pipefail
cd "$(dirname "$0")/.."

label=(-LE extended)
clients=()
while [ $# -gt 0 ]; do
  case $1 in
    --extended) label=(-L extended); clients=(extended); shift ;;
    --long) export TALOSMQ_TEST_LENGTH=long; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) break ;;
  esac
done

scripts/install-deps.sh build test "${clients[@]}"
cmake --preset dev >/dev/null
cmake --build --preset dev -j "$(nproc)"
ctest --preset dev -j "$(nproc)" "${label[@]}" "$@"
