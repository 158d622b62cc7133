#!/bin/sh
# run.sh: installs what is missing, builds release, sanitized and fuzzing variants, and runs every suite but the long
# ones. Each step's output goes to build/test-logs/; what fails is printed. The last line counts.
#
#   tests/run.sh            all steps
#   tests/run.sh http …     the steps whose names contain one of these
#
# The long ones are run by hand:
#
#   /usr/bin/python3 tests/real/query.py build/release/server/mayfly [SECONDS]
#                           five minutes: pushes each second, asks each window, and compares with what was pushed
#   /usr/bin/python3 tests/real/leaks.py build/release/server/mayfly --healthy [SECONDS] [--faster N]
#                           ten minutes of a mixed load without a drill, or an hour in six: nothing may be flagged
#   /usr/bin/python3 tests/real/run.py build/release/server/mayfly 120
#                           prometheus scrapes for two minutes
#   build/release/tests/sim/sim --cover 1 1000
#                           a thousand simulations of three days: a quarter of an hour of one CPU
#   /usr/bin/python3 tests/docker/run.py
#                           the images, their walls and compose files, on a Docker engine: ten minutes
#   SOAK_DURATION=3d sh docker/soak.sh
#                           days behind a wall, with a report
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
logs=build/test-logs
release=build/release asan=build/asan tsan=build/tsan fuzz=build/fuzz
python=/usr/bin/python3 # Debian's, which has python3-prometheus-client
passed=0 failed=0 wanted="$*"
mkdir -p "$logs"

is_wanted() {
    [ -n "$wanted" ] || return 0
    for word in $wanted; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

# step NAME COMMAND…
step() {
    name=$1
    shift
    is_wanted "$name" || return 0
    began=$(date +%s)
    if "$@" >"$logs/$name.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok    $name ($(($(date +%s) - began)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL  $name ($(($(date +%s) - began)) s), see $logs/$name.log:"
        tail -n 40 "$logs/$name.log" | sed 's/^/      /'
    fi
}

# build DIRECTORY COMPILER MESON-OPTIONS…
build() {
    directory=$1 compiler=$2
    shift 2
    # a directory that server/run.sh made before the test packages were there knows of no tests: look again
    again=
    [ ! -f "$directory/build.ninja" ] || again=--reconfigure
    CC=$compiler meson setup $again "$directory" "$@" || return 1
    ninja -C "$directory"
}

# suites DIRECTORY: what meson knows of: unit, corpora, torture, tidy, preload. None at all is a failure.
suites() {
    [ "$(meson test -C "$1" --list 2>/dev/null | grep -c ' / ')" -ge 10 ] || {
        echo "$1 has no tests: were the test packages missing when it was configured?"
        return 1
    }
    meson test -C "$1" --no-rebuild --print-errorlogs
}

# soak BUILD DIRECTORY OPTIONS…: a whole one, behind a wall; it would go on with a run that is there
soak() {
    rm -rf "$2"
    sh tests/soak/plain.sh "$@"
}

# Nothing is built once a build has failed, and nothing is run that was not built.
need() {
    step "$@"
    [ "$failed" = 0 ] && return
    echo "$passed passed, $failed failed"
    exit 1
}

need packages sh config/install-packages.sh build unit test
wanted_builds=$wanted
wanted=
need build-release build $release gcc --buildtype=release
need build-asan build $asan gcc --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
need build-tsan build $tsan gcc --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
need build-fuzz build $fuzz clang --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
wanted=$wanted_builds

export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
step suites-release suites $release
step suites-asan suites $asan
step fuzz sh tests/fuzz/run.sh $fuzz 10
step http-release $python tests/http/run.py $release/server/mayfly
step http-asan env MAYFLY_SANITIZED=1 $python tests/http/run.py $asan/server/mayfly
step http-tsan env MAYFLY_SANITIZED=1 $python tests/http/run.py $tsan/server/mayfly
step real $python tests/real/run.py $release/server/mayfly
step leaks $python tests/real/leaks.py $release/server/mayfly
step healthy $python tests/real/leaks.py $release/server/mayfly --healthy 60
step soak soak $release build/soak --duration 2m
step soak-drills sh tests/soak/drills.sh $release build/soak-drills
step sim sh tests/sim/run.sh $release/tests/sim/sim
step planted sh tests/sim/planted.sh
step browser $python tests/browser/run.py $release/server/mayfly

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
