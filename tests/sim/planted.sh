#!/bin/sh
# planted.sh: can the simulation find what it is there to find?
#
#   tests/sim/planted.sh [PATCH…]     all of tests/sim/planted/*.patch, or these
#
# Each patch is a bug. It is applied to a copy of the tree, the simulation is built there, and seeds
# run until one of them fails: within 20, or the script fails. So it does when a patch does not
# apply any more.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
first=1 most=20 hours=72
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT INT TERM
missed=0

# What went wrong in a step is shown, and ends it all.
must() {
    "$@" >"$copy.log" 2>&1 && rm -f "$copy.log" && return
    cat "$copy.log"
    rm -f "$copy.log"
    echo "planted: failed: $*"
    exit 1
}

build() {
    must ninja -C "$copy/build" tests/sim/sim
}

# The first seed that fails, and what it says; nothing when none does.
search() {
    seed=$first
    while [ "$seed" -lt $((first + most)) ]; do
        said=$("$copy/build/tests/sim/sim" "$seed" "$hours" 2>&1 >/dev/null) || {
            echo "seed $seed ($((seed - first + 1)) of $most): sim${said#*/tests/sim/sim}"
            return
        }
        seed=$((seed + 1))
    done
}

[ $# -gt 0 ] || set -- "$root"/tests/sim/planted/*.patch
(cd "$root" && tar -cf - --exclude=./build --exclude=./.git .) | tar -xf - -C "$copy" || exit 1
# compiled in a third of the time, and fast enough
must env CC=gcc meson setup "$copy/build" "$copy" --buildtype=release -Doptimization=1

for patch in "$@"; do
    name=$(basename "$patch" .patch)
    must patch -d "$copy" -p1 --fuzz=0 --no-backup-if-mismatch -i "$patch"
    build
    found=$(search)
    must patch -d "$copy" -p1 --fuzz=0 --no-backup-if-mismatch -R -i "$patch"
    if [ -n "$found" ]; then
        echo "$name: $found"
    else
        echo "$name: not found by $most seeds"
        missed=$((missed + 1))
    fi
done
[ "$missed" = 0 ]
