#!/usr/bin/env bash
# TalosMQ and Apache Kafka (KRaft mode, one node) on this machine, in turn, under Kafka's own clients.
#
#   bench/peers/kafka.sh [--rounds N] [--bin DIR] [--records-100 N] [--records-1024 N] [--seconds N]
#
# Fetches Kafka from Maven Central into build/peers, starts both servers with their defaults, and prints the
# table of docs/benchmarks.md. Needs Java 17, Maven, and the preset release with -DTALOSMQ_BENCHMARKS=ON. DIR
# defaults to build/release/bin. Data goes to a folder below the working directory.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
case ${1:-} in -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

built=$root/build/peers
mkdir -p "$built"
[ -s "$built/classpath" ] && [ "$built/classpath" -nt "$here/pom.xml" ] ||
  mvn -q -B -f "$here/pom.xml" dependency:build-classpath "-Dmdep.outputFile=$built/classpath"
exec /usr/bin/python3 "$here/kafka.py" --classpath "$built/classpath" "$@"
