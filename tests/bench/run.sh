#!/bin/sh
# run.sh: mayfly, the bare libmicrohttpd server and the peers that are installed, side by side.
#
#     tests/bench/run.sh [BUILD] [--quick]        BUILD: build/release; it must have been built
#
# Every server is started on free loopback ports and stays up; each workload then runs three times,
# the servers taking turns, and the median counts. CPU time of the server's process, not wall time:
# server and generator share the cores.
#
#     W1      50,000 pushes of one sample, 16 connections, 100 series        us a request
#     W2      batches of 1,000 samples, 4 connections, 10,000 series         ns a sample
#     scrape  200 GETs of all series, one connection, plain and gzip         ms a scrape
#     stream  mayfly: a chunked body of 2 GiB (--quick: 512 MiB)             is memory flat?
#     memory  mayfly: GET /memory                                            bytes a series
#     summary mayfly: POST /v1/summarize, 3,000,000 rows of CSV              ns a value
#     windows bench-windows: sealing, queries, cells, range, holds           asked and got
#     trace   bench-trace: pushes without and with `trace`                   times
#
# A run that takes long is cut short: nothing is begun after some seconds. That changes how many
# requests an average is over, nothing else. --quick: mayfly and bare only, and short runs: about a minute.
# Needs python3 for GET /memory alone.
#
# Exit: 0; 1 when mayfly is not there, or mayfly or bare left a request without a 2xx.
set -eu

build=build/release
quick=no
for argument in "$@"; do
    case $argument in
    --quick) quick=yes ;;
    -*) echo "usage: $0 [BUILD] [--quick]" >&2; exit 2 ;;
    *) build=$argument ;;
    esac
done

bench=$build/tests/bench
mayfly=$build/server/mayfly
work=$(mktemp -d)
servers=""
failed=no
seconds=6 # for one run
stream=2GiB
if [ $quick = yes ]; then
    seconds=2
    stream=512MiB
fi

# A process that nobody has waited for yet stays as a zombie.
ended() {
    [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# Nothing of ours may outlive us: who does not end within 10 s of being asked is ended.
stop() {
    trap - EXIT INT TERM
    for signal in TERM KILL; do
        attempts=100
        for file in "$work"/*.pid; do
            [ -e "$file" ] || continue
            ended "$(cat "$file")" || kill -$signal "$(cat "$file")" 2>/dev/null || true
        done
        for file in "$work"/*.pid; do
            [ -e "$file" ] || continue
            while ! ended "$(cat "$file")" && [ $attempts -gt 0 ]; do
                attempts=$((attempts - 1))
                sleep 0.1
            done
        done
    done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM

# ---- servers: start_NAME leaves NAME.pid and NAME.target in $work

# The first port from $1 on which nobody listens.
free_port() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$1" '
        { split($2, address, ":"); used[address[2]] = 1 }
        END { while (sprintf("%04X", port) in used) port++; print port }'
}

# launch NAME COMMAND...
launch() {
    name=$1
    shift
    : >"$work/$name.log"
    "$@" >"$work/$name.out" 2>>"$work/$name.log" &
    echo $! >"$work/$name.pid"
}

# The value of a key in the line that says that a server is ready.
ready_value() {
    sed -n "s/.*msg=listening.* $2=\([0-9.:]*\).*/\1/p" "$work/$1.log" | head -n 1
}

start_bare() {
    launch bare "$bench/bench-bare"
}

start_mayfly() {
    launch mayfly "$mayfly" --listen 127.0.0.1:0 --operator-listen 127.0.0.1:0
}

# Debian's would keep what it holds in /var/lib, and begin with what the last one held.
launch_pushgateway() {
    gateway=$1
    port=$(free_port "$2")
    shift 2
    launch "$gateway" prometheus-pushgateway --web.listen-address=127.0.0.1:"$port" \
        --log.level=error --persistence.file= "$@"
    echo 127.0.0.1:"$port" >"$work/$gateway.target"
}

start_pushgateway() {
    launch_pushgateway pushgateway 21091
}

start_nocheck() {
    launch_pushgateway nocheck 21191 --push.disable-consistency-check
}

start_victoria() {
    port=$(free_port 21428)
    launch victoria victoria-metrics -storageDataPath="$work/victoria" \
        -httpListenAddr=127.0.0.1:"$port" -loggerLevel=ERROR
    echo 127.0.0.1:"$port" >"$work/victoria.target"
}

# Pushgateway replaces what a group held: one group for single samples is its best case, and ten
# groups make it hold the 10,000 series that the others hold.
path_of() {
    case $1:$2 in
    victoria:scrape*) echo '/federate?match[]=%7B__name__%3D~%22.%2B_total%22%7D' ;;
    *:scrape*) echo /metrics ;;
    victoria:*) echo /api/v1/import/prometheus ;;
    pushgateway:W1 | nocheck:W1) echo /metrics/job/bench ;;
    pushgateway:* | nocheck:*) echo '/metrics/job/batch/group/{}' ;;
    *) echo /v1/push ;;
    esac
}

# Up to 10 s for a server to answer anything at all.
ready() {
    attempts=100
    while [ $attempts -gt 0 ]; do
        case $1 in
        bare | mayfly)
            ready_value "$1" listen >"$work/$1.target"
            [ -s "$work/$1.target" ] && return 0
            ;;
        *)
            "$bench/bench-load" --target "$(cat "$work/$1.target")" --scrape --path / \
                --requests 1 --json 2>/dev/null | grep -q '"answered":1,' && return 0
            ;;
        esac
        ended "$(cat "$work/$1.pid")" && break
        attempts=$((attempts - 1))
        sleep 0.1
    done
    echo "$1 did not start:" >&2
    tail -n 5 "$work/$1.log" >&2
    return 1
}

start() {
    "start_$1"
    if ready "$1"; then
        servers="$servers $1"
        rss_note "$1" idle
    else
        rm -f "$work/$1.pid"
        case $1 in bare | mayfly) failed=yes ;; esac
    fi
}

start_all() {
    start bare
    if [ -x "$mayfly" ]; then
        start mayfly
    else
        echo "mayfly is not built: no $mayfly" >&2
        failed=yes
    fi
    [ $quick = yes ] && return 0
    if command -v prometheus-pushgateway >/dev/null; then
        start pushgateway
        start nocheck
    fi
    command -v victoria-metrics >/dev/null && start victoria
    return 0
}

has() {
    case " $servers " in *" $1 "*) return 0 ;; esac
    return 1
}

# ---- measuring: lines of "WORKLOAD SERVER VALUE" in results, "SERVER WHEN KIB" in rss

number() {
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$2"
}

rss_note() {
    awk -v server="$1" -v when="$2" '
        $1 == "VmRSS:" { print server, when, $2 }
        $1 == "VmHWM:" { print server, "hwm", $2 }' \
        "/proc/$(cat "$work/$1.pid")/status" >>"$work/rss"
}

# What went wrong with the last run, told at the end; a peer's failure does not fail the benchmark.
remark() {
    echo "! $1 $2: $(cut -c 1-400 "$work/run.json" "$work/run.err")" >>"$work/remarks"
    case $2 in bare | mayfly) failed=yes ;; esac
}

# measure WORKLOAD SERVER FIGURE [OPTION...]: one run
measure() {
    workload=$1 server=$2 figure=$3
    shift 3
    if ! "$bench/bench-load" --target "$(cat "$work/$server.target")" \
        --pid "$(cat "$work/$server.pid")" --path "$(path_of "$server" "$workload")" \
        --seconds $seconds --json "$@" >"$work/run.json" 2>"$work/run.err"; then
        remark "$workload" "$server"
        return 0
    fi
    {
        echo "$workload $server $(number "$figure" "$work/run.json")"
        echo "$workload.p99 $server $(number latency_p99_ms "$work/run.json")"
        echo "$workload.bytes $server $(($(number reply_body_bytes "$work/run.json") / \
            $(number answered "$work/run.json")))"
    } >>"$work/results"
}

# rounds WORKLOAD SERVERS FIGURE [OPTION...]: three runs, the servers taking turns
rounds() {
    round_workload=$1 round_servers=$2 round_figure=$3
    shift 3
    for _ in 1 2 3; do
        for round_server in $round_servers; do
            has "$round_server" && measure "$round_workload" "$round_server" "$round_figure" "$@"
        done
    done
    return 0
}

note_all() {
    for noted in $servers; do
        rss_note "$noted" "$1"
    done
}

measure_all() {
    peers="pushgateway nocheck victoria"
    rounds W1 "bare mayfly $peers" cpu_us_per_request --samples 1 --requests 50000 --connections 16
    note_all W1
    rounds W2 bare cpu_ns_per_sample --requests 10000 # some 25 us each: the clock wants more
    rounds W2 mayfly cpu_ns_per_sample --requests 5000
    rounds W2 "$peers" cpu_ns_per_sample --requests 1000
    note_all W2
    has victoria && sleep 2 # it shows what it was sent a second later
    rounds scrape "mayfly $peers" cpu_us_per_request --scrape
    rounds scrape.gzip "mayfly $peers" cpu_us_per_request --scrape --gzip
    note_all scrape
    rounds W2.unsorted mayfly cpu_ns_per_sample --unsorted
    rounds W2.ndjson mayfly cpu_ns_per_sample --format ndjson
    rounds W2.gzip mayfly cpu_ns_per_sample --gzip
}

# ---- telling

here=$(dirname "$0")

table_print() {
    "$bench/bench-floor" --json >"$work/run.json"
    awk -v servers="$servers" -v floor="$(number cpu_ns_per_sample "$work/run.json")" \
        -f "$here/table.awk" "$work/rss" "$work/results"
}

memory_print() {
    command -v python3 >/dev/null || return 0
    python3 "$here/memory.py" "http://$(ready_value mayfly operator_listen)/memory" \
        2>"$work/run.err" || remark memory mayfly
}

stream_print() {
    "$bench/bench-load" --target "$(cat "$work/mayfly.target")" --pid "$(cat "$work/mayfly.pid")" \
        --stream $stream --seconds 40 --json >"$work/run.json" 2>"$work/run.err" ||
        remark stream mayfly
    awk -v size=$stream -v seconds="$(number seconds "$work/run.json")" \
        -v ns="$(number cpu_ns_per_sample "$work/run.json")" \
        -v before="$(number rss_before_bytes "$work/run.json")" \
        -v after="$(number rss_after_bytes "$work/run.json")" \
        -v most="$(number rss_max_bytes "$work/run.json")" \
        -v arena="$(number arena_peak_bytes "$work/run.json")" 'BEGIN {
            printf "\nmayfly, a stream of %s in %.1f s, %.0f ns CPU a sample\n", size, seconds, ns
            printf "  RSS %.2f -> %.2f MiB, most while it ran %.2f; request arena peak %d bytes\n",
                before / 1048576, after / 1048576, most / 1048576, arena }'
}

# Clock ticks of CPU that a process has taken, user and system.
ticks_of() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

# The same file three times over: it is the server's CPU time that is looked at.
summary_print() {
    pid=$(cat "$work/mayfly.pid")
    awk 'BEGIN { srand(1); print "time,route,code,seconds"
        for (i = 0; i < 1000000; i++)
            printf "2026-11-22T10:00:00Z,/items/%d,200,%.6f\n", rand() * 20, -0.05 * log(1 - rand()) }' \
        >"$work/values.csv"
    before=$(ticks_of "$pid")
    for _ in 1 2 3; do
        curl -sS -X POST -T "$work/values.csv" -H 'Content-Type: text/csv' \
            "http://$(cat "$work/mayfly.target")/v1/summarize?value=seconds&by=route" >"$work/summary.json" ||
            remark summary mayfly
    done
    rows=$(grep -o '"rows": [0-9]*' "$work/summary.json" | grep -o '[0-9]*$')
    awk -v ticks=$(($(ticks_of "$pid") - before)) -v rate="$(getconf CLK_TCK)" -v rows="${rows:-0}" 'BEGIN {
        ns = ticks / rate * 1e9 / (3 * (rows > 0 ? rows : 1))
        printf "\nmayfly, a summary of CSV: %d rows each, %.0f ns CPU a value, %.1f million a second\n",
            rows, ns, 1000 / (ns > 0 ? ns : 1) }'
}

# In a process of its own; the servers idle by now.
windows_print() {
    if [ $quick = yes ]; then
        "$bench/bench-windows" --quick || failed=yes
    else
        "$bench/bench-windows" || failed=yes
    fi
}

trace_print() {
    if [ $quick = yes ]; then
        "$bench/bench-trace" --quick || failed=yes
    else
        "$bench/bench-trace" || failed=yes
    fi
}

for program in bench-load bench-bare bench-floor bench-windows bench-trace; do
    [ -x "$bench/$program" ] || { echo "not built: $bench/$program" >&2; exit 1; }
done
: >"$work/results"
: >"$work/rss"
: >"$work/remarks"
start_all
measure_all
table_print
if has mayfly; then
    stream_print
    memory_print
    summary_print
fi
windows_print
trace_print
cat "$work/remarks"
[ $failed = no ]
