#!/usr/bin/env bash
# Makes the Debian packages. On Debian 12, as root or with sudo when something has to be installed.
#
#   packaging/build-package.sh OUTPUT                     builds preset release first
#   packaging/build-package.sh OUTPUT --build-dir DIR     takes the programs that lie built in DIR
# What follows is handed to cpack, such as -D CPACK_PACKAGE_VERSION=0.1.1.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
output=$1
shift
scripts/install-deps.sh build package
if [ "${1:-}" = --build-dir ]; then
  build=$2
  shift 2
else
  build=build/release
  cmake --preset release
  cmake --build --preset release -j "$(nproc)" \
    --target talosmqd talosmq talosmq_sdk talosmq_completions
fi

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
cpack -G DEB --config "$build/CPackConfig.cmake" -B "$staging" "$@"
mkdir -p "$output"
mv "$staging"/*.deb "$output"
ls "$output"/*.deb
