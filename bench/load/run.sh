#!/usr/bin/env bash
# The figures of docs/benchmarks.md: ceiling, produce and consume in turn, so that what else the
# machine does hits all alike; prints medians, spreads and the ratios to the ceiling.
#
#   bench/load/run.sh [--rounds N] [--bin DIR]
# DIR defaults to build/release/bin. Data goes to a folder below the working directory.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

rounds=5
bin=$root/build/release/bin
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --bin) bin=$2; shift 2 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d "$PWD/bench.XXXXXX")
server=
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT

"$bin/talosmqd" --data-dir "$work/data" --set grpc.listen=127.0.0.1:0 --set http.listen=127.0.0.1:0 --set kafka.listen=127.0.0.1:0 \
  >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 200); do
  [ -s "$work/data/listeners.json" ] && break
  kill -0 "$server" 2>/dev/null || { tail "$work/server.log" >&2; exit 1; }
  read -rt 0.05 <> <(:) || true
done
address=$(/usr/bin/python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["grpc"])' "$work/data/listeners.json")
idle_kb=$(awk '/VmRSS/{print $2}' "/proc/$server/status")

measure() { "$bin/talosmq" --server "$address" -o json bench "$@" >>"$work/$1-$2.json"; }
cd "$work"
for size in 100 1024; do
  records=$((size == 100 ? 10000000 : 1500000))
  for _ in $(seq "$rounds"); do
    "$bin/talosmq" -o json bench ceiling --size "$size" --records "$records" >>"ceiling-$size.json"
    "$bin/talosmq" --server "$address" -o json bench produce --partitions 1 --size "$size" --records "$records" >>"produce-$size.json"
    "$bin/talosmq" --server "$address" -o json bench consume --partitions 1 --size "$size" --records "$records" >>"consume-$size.json"
  done
done
"$bin/talosmq" --server "$address" -o json bench latency --size 100 --records 20000 >latency.json

echo "machine: $(nproc) cores, $(awk -F: '/model name/{print $2; exit}' /proc/cpuinfo | xargs), $(awk '/MemTotal/{printf "%.0f GiB", $2/1048576}' /proc/meminfo)"
echo "idle server: $idle_kb kB resident"
/usr/bin/python3 "$root/bench/load/summary.py" "$work"
