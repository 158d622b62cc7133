#!/bin/sh
# Runs each fuzzer for a while, from its corpus, as many at once as there are processors.
#
#     tests/fuzz/run.sh BUILD SECONDS [TARGET...]       BUILD: of CC=clang meson setup
#
# A line for each target; what was found stays in a temporary folder, and the line says how to
# replay it.
set -u

if [ $# -lt 2 ]; then
    echo "usage: $0 BUILD SECONDS [TARGET...]" >&2
    exit 2
fi
build=$1
seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- $(cd "$here/corpus" && ls)
work=$(mktemp -d "${TMPDIR:-/tmp}/mayfly-fuzz.XXXXXX") || exit 2
passed=0
failed=0

programs=
for target in "$@"; do
    programs="$programs tests/fuzz/fuzz-$target"
done
# shellcheck disable=SC2086 # a list of words
if ! ninja -C "$build" $programs >"$work/ninja.log" 2>&1; then
    tail -n 20 "$work/ninja.log" >&2
    echo "cannot build the fuzzers; $build must be a build with clang" >&2
    exit 2
fi

# Leaks are off: what a target keeps for its next input is reachable, and the scan costs more than
# the input.
start() {
    mkdir -p "$work/$1/new" "$work/$1/found"
    ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:${ASAN_OPTIONS:-}" \
        "$build/tests/fuzz/fuzz-$1" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$work/$1/found/" \
        "$work/$1/new" "$here/corpus/$1" >"$work/$1/log" 2>&1 &
    echo $! >"$work/$1/pid"
}

finish() {
    log=$work/$1/log
    if wait "$(cat "$work/$1/pid")"; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        fresh=$(ls "$work/$1/new" | wc -l)
        echo "ok      $1: $runs inputs, $fresh of them new"
        return
    fi
    failed=$((failed + 1))
    why=$(grep -m 1 -E 'REQUIRE failed|ENSURE failed|ERROR: |runtime error|SUMMARY' "$log" |
        cut -c 1-160)
    echo "FAILED  $1: $why"
    for found in "$work/$1/found"/*; do
        [ -e "$found" ] && echo "        $build/tests/fuzz/fuzz-$1 $found"
    done
    echo "        log: $log"
}

at_once=$(nproc)
running=
count=0
for target in "$@"; do
    start "$target"
    running="$running $target"
    count=$((count + 1))
    [ "$count" -lt "$at_once" ] && continue
    for each in $running; do finish "$each"; done
    running=
    count=0
done
for each in $running; do finish "$each"; done

[ "$failed" -eq 0 ] && rm -rf "$work"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
