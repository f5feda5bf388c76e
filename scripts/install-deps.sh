#!/usr/bin/env bash
# Installs what TalosMQ needs from Debian 12: the one list of dependencies. Safe to repeat: when
# nothing is missing, nothing is touched and the network is not asked.
#
#   scripts/install-deps.sh build           what building the two programs takes
#   scripts/install-deps.sh build package   and what making Debian packages takes
#   scripts/install-deps.sh build test      and what the tests take
#   scripts/install-deps.sh build test extended   and Java and Maven for clients from their registries; Go 1.26 is not Debian's
#   scripts/install-deps.sh build test check   and clang with its tools, for sanitizers and lint
set -euo pipefail

BUILD=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libprotoc-dev
  librocksdb-dev libre2-dev libabsl-dev libisal-dev libspdlog-dev libfmt-dev
  libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libssl-dev
  libasio-dev libcpp-httplib-dev prometheus-cpp-dev libyaml-cpp-dev libcli11-dev nlohmann-json3-dev
  python3
)
PACKAGE=(dpkg-dev file)
TEST=(
  libgtest-dev libgmock-dev libbenchmark-dev python3-grpcio python3-protobuf python3-yaml openssl
  kcat librdkafka-dev python3-kafka python3-confluent-kafka
  python3-setuptools python3-crc32c python3-lz4 python3-snappy
  "${PACKAGE[@]}" debootstrap systemd
)
# npm comes with Node.js where that is not Debian's, and excludes Debian's package then.
command -v npm >/dev/null || TEST+=(nodejs npm)
# So do the headers that its native packages compile against; Debian has them apart.
has_node_headers() {
  [ -f /usr/include/node/node.h ] && return
  local node
  node=$(command -v node) && [ -f "$(dirname "$(readlink -f "$node")")/../include/node/node.h" ]
}
has_node_headers || TEST+=(libnode-dev)
EXTENDED=()
command -v javac >/dev/null || EXTENDED+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || EXTENDED+=(maven)
CHECK=(clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev)

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; }

[ $# -gt 0 ] || { usage; exit 2; }
wanted=()
for group in "$@"; do
  case $group in
    build) wanted+=("${BUILD[@]}") ;;
    package) wanted+=("${PACKAGE[@]}") ;;
    test) wanted+=("${TEST[@]}") ;;
    extended) wanted+=("${EXTENDED[@]}") ;;
    check) wanted+=("${CHECK[@]}") ;;
    *) echo "install-deps: unknown group '$group' (expected build, package, test, extended, check)" >&2; usage; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps: missing packages: ${missing[*]}" >&2
    echo "install-deps: run as root or install sudo" >&2
    exit 1
  }
  as_root=(sudo)
fi

echo "install-deps: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
