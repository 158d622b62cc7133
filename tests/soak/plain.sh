#!/bin/sh
# plain.sh [--memory 64MiB] [--wall 80MiB] BUILD_DIR DIR [run options...]: a whole soak, without
# Docker: mayfly behind a wall, the run, the report. Exits with the report's code; with 1 where that
# is 0 but the run or mayfly itself ended badly. DIR is one run's: begin with a new one.
#
#     walled BYTES mayfly <── load, questions ── mayfly-soak run ──> DIR/record.ndjson ──> report
#
# --wall none leaves the wall away: a build with sanitizers needs more than any.
# With --drill KIND among the run's options the service is started with drills, traced, and its
# trend in blocks of seconds. SOAK_SETTINGS may hold further flags for mayfly.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
memory=64MiB
wall=80MiB

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --memory | --wall)
        [ $# -ge 2 ] || usage
        [ "$1" = --memory ] && memory=$2 || wall=$2
        shift 2
        ;;
    --*) usage ;;
    *) break ;;
    esac
done
[ $# -ge 2 ] || usage
build=$1
folder=$2
shift 2
mkdir -p "$folder"

# bytes_of 80MiB
bytes_of() {
    case $1 in
    *KiB) echo $((${1%KiB} * 1024)) ;;
    *MiB) echo $((${1%MiB} * 1048576)) ;;
    *GiB) echo $((${1%GiB} * 1073741824)) ;;
    *) echo $(($1)) ;;
    esac
}

# A drill is to be seen within a minute: blocks of seconds, and all else as in life.
settings=${SOAK_SETTINGS:-}
drills=${SOAK_DRILL:-}
for argument in "$@"; do
    case $argument in --drill) drills=yes ;; esac
done
[ -z "$drills" ] || settings="--drills true --trace true --trend-block 3s --windows-fine 1s
    --windows-middle 5s --windows-coarse 50s $settings"

server=
driver=
stop() {
    trap - EXIT INT TERM
    for process in $driver $server; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'stop; exit 1' INT TERM

: >"$folder/mayfly.log" # to be read from before it is written
walled=
[ "$wall" = none ] || walled="sh $here/walled $(bytes_of "$wall")"
# unquoted: words
$walled "$build/server/mayfly" --memory "$memory" --listen 127.0.0.1:0 \
    --operator-listen 127.0.0.1:0 $settings 2>"$folder/mayfly.log" &
server=$!

# ready_value KEY: of the line that says that the service listens; nothing before.
ready_value() {
    sed -n "s/.*msg=listening.* $1=\([0-9.:]*\).*/\1/p" "$folder/mayfly.log" | head -n 1
}
attempts=300
while [ -z "$(ready_value operator_listen)" ]; do
    attempts=$((attempts - 1))
    [ $attempts -gt 0 ] && kill -0 "$server" 2>/dev/null || {
        cat "$folder/mayfly.log" >&2
        echo "plain.sh: mayfly did not start" >&2
        exit 1
    }
    sleep 0.1
done
grep '^walled: ' "$folder/mayfly.log" >&2 || true

"$build/tests/soak/mayfly-soak" run "$folder" --target "$(ready_value listen)" \
    --operator "$(ready_value operator_listen)" --pid "$server" "$@" &
driver=$!
run=0
wait "$driver" || run=$?
driver=
# Its own last word on its ledger: 3 when memory of a request was still live.
kill "$server" 2>/dev/null || true
code=0
wait "$server" || code=$?
server=
[ "$code" = 0 ] || echo "plain.sh: mayfly ended with $code" >&2
report=0
"$build/tests/soak/mayfly-soak" report "$folder" || report=$?
[ "$report" != 0 ] || [ "$run$code" = 00 ] || report=1
exit "$report"
