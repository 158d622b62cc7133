#!/bin/sh
# soak.sh [OUT_DIR]: a soak behind a wall of memory, from building the images to the verdict. OUT_DIR: soak-report.
#
#     SOAK_DURATION=3d sh docker/soak.sh                       three days
#     SOAK_DURATION=45m sh docker/soak.sh                      a first look at the same
#     SOAK_DURATION=45m SOAK_DRILL=cycle sh docker/soak.sh     the same with a leak on purpose: must end in 1
#
#     build ── start ── wait ──┬─ the load is through ──┬── stop ── ask the engine ── report ──> OUT_DIR, exit code
#                              └─ mayfly died ──────────┘
#
# Everything is by environment, as in soak.compose.yaml: SOAK_DURATION (3d), SOAK_WALL (80m), SOAK_NETWORK (none: mayfly
# and the load have a loopback of their own; host: the page is on 127.0.0.1:8081), DATA_PORT, OPERATOR_PORT, MAYFLY_MEMORY
# (64MiB), SOAK_RATE and all that `mayfly-soak run` has. SOAK_PROJECT (mayfly-soak) names the containers and the volume.
#
# It may be interrupted: the containers go on, and the same command waits for them again. A load that was stopped goes on
# where the record ends. mayfly itself is tried in one life: once it has ended, the machine's restart included, the same
# command reports on the run so far. OUT_DIR/report.html is there from the first minutes, and grows.
#
# Needs docker, and docker compose or docker-compose; BUILD_NETWORK=host where the engine has no bridge to fetch packages
# by. Exit: the report's; 0 nothing was found in the whole run, 1 something was, 2 unfinished, or nothing to report on.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-soak-report}
project=${SOAK_PROJECT:-mayfly-soak}
duration=${SOAK_DURATION:-3d}
poll=5      # seconds
refresh=600 # seconds between copies of the report so far

say() {
    echo "soak: $*" >&2
}

give_up() {
    say "$*"
    exit 2
}

seconds_of() {
    case $1 in
    *d) echo $((${1%d} * 86400)) ;;
    *h) echo $((${1%h} * 3600)) ;;
    *m) echo $((${1%m} * 60)) ;;
    *) echo $((${1%s})) ;;
    esac
}

# A verdict on slow growth takes 12 blocks; in three days they are of 6 hours. Four a day of the load's, as there.
settings_export() {
    block=$(($(seconds_of "$duration") / 16))
    [ $block -lt 21600 ] || block=21600
    [ $block -ge 20 ] || block=20 # two of windows.fine
    export MAYFLY_TREND_BLOCK="${MAYFLY_TREND_BLOCK:-${block}s}"
    [ -z "${SOAK_DRILL:-}" ] || export MAYFLY_DRILLS=true MAYFLY_TRACE=true
    COMMIT=${COMMIT:-$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)}
    # images of its own: another build of the same tree meanwhile is not this run's
    export COMMIT SOAK_DURATION="$duration" SOAK_PROJECT="$project"
}

compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose -p "$project" -f "$root/docker/soak.compose.yaml" "$@"
    else
        docker-compose -p "$project" -f "$root/docker/soak.compose.yaml" "$@"
    fi
}

# ---- the containers, asked of the engine itself

container() {
    docker ps -q -n 1 --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1"
}

# state SERVICE FIELD: as docker inspect has it; nothing when there is no such container
state() {
    id=$(container "$1")
    [ -z "$id" ] || docker inspect -f "{{.$2}}" "$id"
}

running() {
    [ "$(state "$1" State.Running)" = true ]
}

# So says the engine: one that is away for a moment says nothing, and must not end a run of days.
ended() {
    [ "$(state "$1" State.Running 2>/dev/null)" = false ]
}

# The kernel's own figure, while the container is there; nothing where the engine's files are not ours to read (an
# engine in a virtual machine, Linux before 5.19 with cgroup v2).
peak_read() {
    id=$(state mayfly Id 2>/dev/null) || return 0
    groups=/proc/$(state mayfly State.Pid 2>/dev/null)/cgroup
    [ -n "$id" ] && grep -q "$id" "$groups" 2>/dev/null || return 0
    for file in "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "$groups")/memory.max_usage_in_bytes" \
        "/sys/fs/cgroup$(sed -n 's/^0:://p' "$groups")/memory.peak"; do
        [ ! -r "$file" ] || cat "$file"
    done
}

# ---- the run

images_build() {
    say "building the images of $COMMIT"
    compose build mayfly load >"$out/build.log" 2>&1 || {
        tail -n 20 "$out/build.log" >&2
        give_up "the images were not built, see $out/build.log"
    }
}

# Containers that are there are started as they were, whatever was built since.
go_on() {
    say "going on with the run that was cut short"
    compose up -d --no-build --no-recreate mayfly load report >"$out/up.log" 2>&1 || {
        cat "$out/up.log" >&2
        give_up "the containers did not start"
    }
}

begin() {
    images_build
    compose up -d --no-build mayfly load report >"$out/up.log" 2>&1 || {
        cat "$out/up.log" >&2
        docker logs "$(container mayfly)" >&2 || true
        compose down -v >"$out/down.log" 2>&1 || true # nothing was recorded yet
        give_up "the containers did not start"
    }
}

start() {
    if [ -z "$(container load)" ]; then
        begin
    elif ! running mayfly; then
        say "mayfly has ended before; this is about that run"
    elif running load; then
        say "it runs already; waiting for it"
    else
        go_on
    fi
}

report_copy() {
    docker cp "$(container load)":/soak/report.html "$out/report.html" >/dev/null 2>&1
}

# Containers that somebody took away will never end.
watch() {
    found=$(container load 2>/dev/null) || return 0
    [ -n "$found" ] || give_up "the containers of $project are gone"
}

# Leaves the last figure of the peak in $peak.
wait_for_the_end() {
    say "$duration behind ${SOAK_WALL:-80m}; the report so far is $out/report.html"
    refreshed=0 peak=
    until ended load || ended mayfly; do
        watch
        now=$(date +%s)
        if [ $((now - refreshed)) -ge $refresh ]; then
            report_copy && refreshed=$now # there is none in the first minute
        fi
        read_now=$(peak_read)
        peak=${read_now:-$peak}
        sleep $poll
    done
}

# A clean stop is a test as well: mayfly ends in 3 when a request's memory is still live.
stop() {
    for service in report load mayfly; do
        id=$(container $service)
        docker stop -t 60 "$id" >/dev/null || give_up "$service was not stopped; the same command tries again"
        docker logs "$id" >"$out/$service.log" 2>&1
    done
}

engine_ask() {
    printf '{"oom_killed":%s,"restarts":%s,"exit_code":%s,"memory_peak":%s,"engine":"docker %s"}\n' \
        "$(state mayfly State.OOMKilled)" "$(state mayfly RestartCount)" "$(state mayfly State.ExitCode)" \
        "${peak:-null}" "$(docker version -f '{{.Server.Version}}')" >"$out/docker.json"
}

# With what the engine says, from within the volume; then the volume has told all it knows.
report() {
    load=$(container load)
    load_code=$(state load State.ExitCode)
    docker cp "$out/docker.json" "$load":/soak/docker.json >/dev/null || give_up "the volume cannot be written"
    code=0
    docker run --rm --network none --read-only --cap-drop ALL --volumes-from "$load" \
        "$(state load Image)" report /soak --docker /soak/docker.json || code=$?
    docker cp "$load":/soak/. "$out" >/dev/null || give_up "the record cannot be copied; the same command tries again"
    [ $code -le 2 ] || give_up "the report did not run"
    [ "$(state mayfly State.ExitCode)" = 0 ] || {
        say "mayfly's last words, of $out/mayfly.log:"
        tail -n 5 "$out/mayfly.log" >&2
    }
    if [ $code = 0 ] && [ "$load_code" != 0 ]; then
        say "the load ended with $load_code before its time, see $out/load.log"
        code=1
    fi
}

command -v docker >/dev/null || give_up "docker is not installed"
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null ||
    give_up "neither docker compose nor docker-compose is installed"
docker version >/dev/null || give_up "the docker engine does not answer"
mkdir -p "$out"
settings_export
start
trap 'say "the soak goes on without me: the same command waits for it again; docker stop \
$(container load) pauses it"; exit 130' INT TERM HUP
wait_for_the_end
trap - INT TERM HUP
stop
engine_ask
report
compose down -v >"$out/down.log" 2>&1 || say "containers are left, see $out/down.log"
say "the report: $out/report.html"
exit $code
