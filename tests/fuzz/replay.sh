#!/bin/sh
# Replays each target's corpus with the plain programs of a build folder: tests/fuzz/replay.sh BUILD
set -u
if [ $# -ne 1 ]; then
    echo "usage: $0 BUILD" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
passed=0
failed=0
for corpus in "$here"/corpus/*; do
    target=$(basename "$corpus")
    if "$1/tests/fuzz/replay-$target" "$corpus"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $target"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
