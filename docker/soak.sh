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
# It may be interrupted: the containers go on, and the same command waits for them again. After a restart of the machine
# the same command goes on where the record ends. OUT_DIR/report.html is there from the first minutes, and grows.
#
# Needs docker, and docker compose or docker-compose. Exit: the report's; 0 nothing was found, 1 something was, 2 nothing
# to report on.
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
    docker ps -aq --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1" | head -n 1
}

# state SERVICE FIELD: as docker inspect has it; nothing when there is no such container
state() {
    id=$(container "$1")
    [ -z "$id" ] || docker inspect -f "{{.$2}}" "$id"
}

running() {
    [ "$(state "$1" State.Running)" = true ]
}

# Whether an earlier run of this script missed the end: what died must not be started again. 0 and 255 are of a machine
# that was switched off.
is_over() {
    running mayfly && return 1
    case $(state mayfly State.ExitCode) in '' | 0 | 255) return 1 ;; esac
}

# The kernel's own figure, while the container is there; nothing where the engine's files are not ours to read (an
# engine in a virtual machine, Linux before 5.19 with cgroup v2).
peak_read() {
    id=$(state mayfly Id)
    groups=/proc/$(state mayfly State.Pid)/cgroup
    grep -q "$id" "$groups" 2>/dev/null || return 0
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

start() {
    if is_over; then
        say "mayfly died before; this is about that run"
        return
    fi
    if running load; then
        say "it runs already; waiting for it"
        return
    fi
    if [ -n "$(container load)" ]; then
        say "going on with the run that was cut short"
    else
        images_build
    fi
    compose up -d --no-build mayfly load report >"$out/up.log" 2>&1 || {
        cat "$out/up.log" >&2
        give_up "the containers did not start"
    }
}

report_copy() {
    docker cp "$(container load)":/soak/report.html "$out/report.html" >/dev/null 2>&1
}

# Leaves the last figure of the peak in $peak.
wait_for_the_end() {
    say "$duration behind ${SOAK_WALL:-80m}; the report so far is $out/report.html"
    refreshed=0 peak=
    while running load && running mayfly; do
        now=$(date +%s)
        if [ $((now - refreshed)) -ge $refresh ] && report_copy; then
            refreshed=$now
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
        docker stop -t 30 "$id" >/dev/null
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
    docker cp "$out/docker.json" "$load":/soak/docker.json >/dev/null
    code=0
    docker run --rm --network none --read-only --cap-drop ALL --volumes-from "$load" \
        "$(state load Image)" report /soak --docker /soak/docker.json || code=$?
    docker cp "$load":/soak/. "$out" >/dev/null
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
$(container load) $(container mayfly) pauses it"; exit 130' INT TERM HUP
wait_for_the_end
trap - INT TERM HUP
stop
engine_ask
report
compose down -v >"$out/down.log" 2>&1
say "the report: $out/report.html"
exit $code
