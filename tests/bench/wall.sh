#!/bin/sh
# wall.sh: the same churn and the same hostile clients against mayfly and its peers, each behind the same wall of memory,
# one after the other.
#
#     tests/bench/wall.sh [BUILD] [OUT_DIR]        build/release, build/wall; BUILD must have been built
#
#     mayfly-soak run ──> walled 128 MiB: mayfly, pushgateway, victoria-metrics ──> OUT_DIR/*/record.ndjson
#                                                        OUT_DIR/wall.svg, a table <──┘
#
# mayfly and pushgateway are sent the same bytes from the same seed, to Pushgateway's paths; victoria-metrics the same
# pods' samples to its import path. Pushgateway runs once as it comes and once with GOMEMLIMIT=100MiB, by which Go collects
# its garbage earlier; victoria-metrics once as it comes (it does not see a cgroup v1 that is not a container's, and
# plans with the whole machine) and once with -memory.allowedBytes at 60 % of the wall, which is the share it would take by
# itself. mayfly has 100 MiB of the 128. A peer that is not installed is left out (sh config/install-packages.sh bench).
#
# SOAK_DURATION (10m) is the time for each; SOAK_HOSTILE=0 leaves churn alone; SOAK_RATE, SOAK_PODS, SOAK_SEED as
# `mayfly-soak run` has them. Servers and load share the machine, and nothing else should run on it.
#
# Exit: 0; 1 when mayfly did not see the end; 2 when something is not built.
set -eu

build=${1:-build/release}
out=${2:-build/wall}
here=$(dirname "$0")
mayfly=$build/server/mayfly
soak=$build/tests/soak/mayfly-soak
wall=$((128 * 1048576))
export SOAK_DURATION="${SOAK_DURATION:-10m}"
server=

for program in "$mayfly" "$soak"; do
    [ -x "$program" ] || { echo "not built: $program" >&2; exit 2; }
done

stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() {
    curl -s -o /dev/null --max-time 2 "http://$1/metrics"
}

# end_server: asks it to end, and leaves its code in $code: 137 when the wall had killed it, `deaf` when it did not end
# within 20 s and we did.
end_server() {
    kill $server 2>/dev/null || true
    attempts=200 deaf=no
    while kill -0 $server 2>/dev/null && ! grep -q '^State:.*Z' /proc/$server/status 2>/dev/null; do
        attempts=$((attempts - 1))
        [ $attempts -gt 0 ] || { deaf=yes; kill -KILL $server; }
        sleep 0.1
    done
    code=0
    wait $server 2>/dev/null || code=$?
    [ $deaf = no ] || code=deaf
    server=
}

# try NAME LABEL VERSION DIALECT TARGET OPERATOR COMMAND…: one server from start to end.
try() {
    name=$1 label=$2 version=$3 dialect=$4 target=$5 operator=$6
    shift 6
    rm -rf "${out:?}/$name"
    mkdir -p "$out/$name"
    echo "$label: $SOAK_DURATION" >&2
    sh "$here/../soak/walled" $wall "$@" >"$out/$name/server.log" 2>&1 &
    server=$!
    attempts=100
    until answers "$target" || [ $attempts = 0 ]; do
        attempts=$((attempts - 1))
        sleep 0.1
    done
    "$soak" run "$out/$name" --target "$target" --operator "$operator" --pid $server --dialect "$dialect" \
        --commit "$version" >&2 || true
    end_server
    printf '%s\n' "$label" "$version" "$code" "$(sed -n 's/^walled: .* by //p' "$out/$name/server.log")" \
        >"$out/$name/server"
}

try_mayfly() {
    port=$(free_port)
    operator_port=$(free_port)
    try mayfly mayfly "$("$mayfly" --version | awk '{ print $NF }')" pushgateway \
        127.0.0.1:"$port" 127.0.0.1:"$operator_port" \
        "$mayfly" --memory 100MiB --listen 127.0.0.1:"$port" --operator-listen 127.0.0.1:"$operator_port"
}

debians() {
    dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown
}

# try_pushgateway NAME LABEL VARIABLE…; Debian's would keep what it holds in /var/lib
try_pushgateway() {
    command -v prometheus-pushgateway >/dev/null || return 0
    name=$1 label=$2
    shift 2
    port=$(free_port)
    try "$name" "$label" "$(debians prometheus-pushgateway)" pushgateway \
        127.0.0.1:"$port" 127.0.0.1:"$port" \
        env "$@" prometheus-pushgateway --web.listen-address=127.0.0.1:"$port" --log.level=error --persistence.file=
}

# try_victoria NAME LABEL OPTION…; what it says on its log is what clients sent it: it would be all that is there
try_victoria() {
    command -v victoria-metrics >/dev/null || return 0
    name=$1 label=$2
    shift 2
    port=$(free_port)
    storage=$(mktemp -d)
    try "$name" "$label" "$(debians victoria-metrics)" victoria-metrics 127.0.0.1:"$port" 127.0.0.1:"$port" \
        victoria-metrics -storageDataPath="$storage" -httpListenAddr=127.0.0.1:"$port" -loggerLevel=FATAL "$@"
    rm -rf "$storage"
}

mkdir -p "$out"
try_mayfly
try_pushgateway pushgateway pushgateway
try_pushgateway pushgateway-gomemlimit "with GOMEMLIMIT: pushgateway" GOMEMLIMIT=100MiB
try_victoria victoria-metrics victoria-metrics
try_victoria victoria-metrics-allowed "with 60 %: victoria-metrics" -memory.allowedBytes=$((wall * 6 / 10))

runs=
for name in mayfly pushgateway pushgateway-gomemlimit victoria-metrics victoria-metrics-allowed; do
    [ -e "$out/$name/server" ] && runs="$runs $out/$name"
done
# shellcheck disable=SC2086 # words
python3 "$here/wall.py" $wall $runs | tee "$out/wall.txt"
set --
for run in $runs; do
    set -- "$@" "$(sed -n 1p "$run/server") $(sed -n '2{s/[-+].*//;p;}' "$run/server")=$run"
done
"$soak" wall "$out/wall.svg" --wall 128MiB --title "The same load behind the same wall" \
    --subtitle "$(sed -n 1p "$out/wall.txt")" "$@"
[ "$(sed -n 3p "$out/mayfly/server")" = 0 ] && grep -q '"what":"finished"' "$out/mayfly/record.ndjson"
