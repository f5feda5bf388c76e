#!/usr/bin/env bash
# From nothing to a working queue: installs what is missing, builds both programs, starts a server,
# loads the Debian package index into a topic, reads it back, dumps it to files and compares counts
# and contents. On Debian 12, as root or with sudo.
#
#   scripts/quickstart.sh                 everything, then stops the server; the files stay
#   scripts/quickstart.sh --keep          leaves the server running and says how to stop it
#   scripts/quickstart.sh --input FILE    takes the lines of FILE instead of the package index
#
# All files lie below build/quickstart, which the next run empties.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
wrong_usage() { echo "quickstart: $*" >&2; usage >&2; exit 2; }

keep=
input=
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes; shift ;;
    --input)
      [ $# -ge 2 ] || wrong_usage "--input needs a file"
      [ -r "$2" ] || wrong_usage "cannot read '$2'"
      input=$(realpath "$2"); shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) wrong_usage "unknown argument '$1'" ;;
  esac
done

bin=$root/build/release/bin
work=$root/build/quickstart
log=$work/server.log
topic=quickstart
server=
doing="starting"

# Whatever ends the script, this says what it was doing, why it failed and where the files are, and
# leaves nothing running.
finish() {
  local status=$?
  trap - EXIT
  if [ "$status" -eq 0 ] && [ -n "$keep" ]; then exit 0; fi
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  [ "$status" -eq 0 ] && exit 0
  echo >&2
  echo "quickstart: failed (status $status) while $doing" >&2
  if [ -s "$log" ]; then
    echo "quickstart: the server's last words:" >&2
    tail -n 15 "$log" | sed 's/^/  /' >&2
  fi
  [ ! -d "$work" ] || echo "quickstart: the files are below $work" >&2
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() { echo "quickstart: $*" >&2; exit 1; }
step() { doing=$1; printf '\n== %s\n' "$1"; }
now() { echo "${EPOCHREALTIME/,/.}"; }
pause() { read -rt 0.1 <> <(:) || true; }

# figure NAME RECORDS BYTES BEGAN: one line of what a step moved and how fast, and keeps it for the end.
figures=()
figure() {
  figures+=("$(awk -v name="$1" -v records="$2" -v bytes="$3" -v began="$4" -v ended="$(now)" 'BEGIN {
    seconds = ended - began; if (seconds <= 0) seconds = 0.000001
    printf "%-12s %10d records %9.1f MB %8.2f s %12d records/s %8.1f MB/s", name, records,
      bytes / 1e6, seconds, records / seconds, bytes / 1e6 / seconds }')")
  echo "${figures[-1]}"
}

json_field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
checksum() { LC_ALL=C sort "$1" | sha256sum | cut -d' ' -f1; }
count_lines() { grep -ac '' "$1" || true; }
expect_count() { [ "$2" -eq "$3" ] || fail "$1: expected $2 records, found $3"; }

install_and_build() {
  step "installing what is missing"
  "$root/scripts/install-deps.sh" build
  step "building preset release"
  cd "$root"
  local began build_log=$root/build/quickstart-build.log
  began=$(now)
  mkdir -p "$root/build"
  if ! { cmake --preset release && cmake --build --preset release --target talosmq talosmqd \
      -j "$(nproc)"; } >"$build_log" 2>&1; then
    grep -aE 'error|Error' "$build_log" | head -n 20 >&2 || true
    fail "the build failed; all of it is in $build_log"
  fi
  rm -f "$build_log"
  awk -v began="$began" -v ended="$(now)" 'BEGIN { printf "built in %.0f s\n", ended - began }'
}

start_server() {
  step "starting the server"
  # With --keep it outlives the terminal and the pipe that this script may write to.
  nohup "$bin/talosmqd" --data-dir "$work/data" \
    --set grpc.listen=127.0.0.1:0 --set http.listen=127.0.0.1:0 --set kafka.listen=127.0.0.1:0 </dev/null >"$log" 2>&1 &
  server=$!
  local tries=300
  until [ -s "$work/data/listeners.json" ]; do
    kill -0 "$server" 2>/dev/null || fail "the server ended as soon as it was started"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "the server is not ready after 30 s"
    pause
  done
  TALOSMQ_SERVER=$(json_field grpc <"$work/data/listeners.json")
  export TALOSMQ_SERVER
  echo "talosmqd $server listens on $TALOSMQ_SERVER, data in $work/data"
}

make_data_set() {
  step "making the data set"
  if [ -n "$input" ]; then
    data_set=$input
    records=$(count_lines "$data_set")
    [ "$records" -gt 0 ] || fail "$input holds no line"
  else
    data_set=$work/packages.jsonl
    local index=$work/dumpavail.txt stanzas
    apt-cache dumpavail >"$index"
    if [ ! -s "$index" ]; then
      echo "the package index is empty; asking the mirrors for it"
      if [ "$(id -u)" -eq 0 ]; then apt-get update -qq; else sudo apt-get update -qq; fi
      apt-cache dumpavail >"$index"
    fi
    stanzas=$(grep -ac '^Package: ' "$index" || true)
    [ "$stanzas" -gt 0 ] || fail "the package index is empty, also after apt-get update"
    python3 "$root/scripts/packages_to_json.py" <"$index" >"$data_set"
    rm -f "$index"
    records=$(count_lines "$data_set")
    [ "$records" -eq "$stanzas" ] || fail "$stanzas packages, but $records JSON objects"
  fi
  bytes=$(stat -Lc %s "$data_set")
  echo "$records records, $bytes bytes in $data_set"
}

load() {
  step "loading it with talosmq produce"
  "$bin/talosmq" topic create "$topic"
  local began
  began=$(now)
  "$bin/talosmq" produce "$topic" -f "$data_set"
  figure load "$records" "$bytes" "$began"
}

read_back() {
  step "reading it back with talosmq consume"
  local began
  began=$(now)
  "$bin/talosmq" consume "$topic" -e >"$work/consumed.txt"
  figure "read back" "$records" "$bytes" "$began"
  expect_count "read back" "$records" "$(count_lines "$work/consumed.txt")"
  [ "$(checksum "$data_set")" = "$(checksum "$work/consumed.txt")" ] ||
    fail "what was read back differs from what was loaded; compare $data_set"
  echo "same count and same contents (sha256 of the sorted lines)"
  rm -f "$work/consumed.txt"
}

dump_lag() { "$bin/talosmq" dump describe "$topic" -o json | json_field lag_records; }

dump() {
  step "dumping it to files"
  local began lag_before=-1 lag idle=0
  began=$(now)
  "$bin/talosmq" dump create "$topic" --topic "$topic" --to "file://$work/dump" --format json \
    -c roll.ms=1000
  until lag=$(dump_lag) && [ "$lag" -eq 0 ]; do
    # It is the standstill that is suspicious, however long the whole takes.
    if [ "$lag" = "$lag_before" ]; then idle=$((idle + 1)); else idle=0; fi
    [ "$idle" -lt 600 ] || {
      "$bin/talosmq" dump describe "$topic" >&2
      fail "the dump job stands still with $lag records to go"
    }
    lag_before=$lag
    pause
  done
  "$bin/talosmq" dump pause "$topic"
  figure dump "$records" "$bytes" "$began"
  find "$work/dump" -type f -name '*.json' -exec cat {} + >"$work/dumped.txt"
  expect_count "files of the dump" "$records" "$(count_lines "$work/dumped.txt")"
  rm -f "$work/dumped.txt"
  echo "$(find "$work/dump" -type f -name '*.json' | wc -l) files with all $records records"
}

report() {
  step "done"
  printf '%s\n' "${figures[@]}"
  echo
  echo "dump files: $work/dump"
  echo "data directory: $work/data"
  echo "programs: $bin"
  if [ -n "$keep" ]; then
    echo "the server goes on: export TALOSMQ_SERVER=$TALOSMQ_SERVER; stop it with: kill $server"
  fi
}

install_and_build
rm -rf "$work"
mkdir -p "$work"
make_data_set
start_server
load
read_back
dump
report
