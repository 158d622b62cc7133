#!/bin/sh
# run.sh [ARGS…]: installs what is missing, builds release, and runs mayfly with ARGS.
# run.sh --build: only installs and builds, and prints the binary's path as its last line.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
sh "$root/config/install-packages.sh" build
[ -f "$build/build.ninja" ] || meson setup "$build" "$root" --buildtype=release >&2
ninja -C "$build" server/mayfly >&2
if [ "${1:-}" = --build ]; then
    echo "$build/server/mayfly"
    exit 0
fi
exec "$build/server/mayfly" "$@"
