#!/bin/sh
# drills.sh BUILD_DIR DIR [DURATION]: the same soak with a leak on purpose, each kind of it side by
# side. Every one must fail, and its report must name what holds the leak: a soak that cannot fail
# proves nothing.
#
#     plain.sh --drill KIND ──> DIR/KIND/report.json: exit 1, a finding CODE of WHAT
#
# Exit: 0 all were found and named; 1 one was not.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1 folder=$2 duration=${3:-45s}
missed=0

# KIND, and the finding that names it
kinds() {
    cat <<'EOF'
global_list pool_grew drills
growing_cache pool_grew drills
listener pool_grew drills
cycle heap_grew heap
request_arena pool_not_empty growth
EOF
}

run() {
    mkdir -p "$folder/$1"
    code=0
    sh "$here/plain.sh" "$build" "$folder/$1" --duration "$duration" --rate 10 --hostile 1 \
        --drill "$1" >"$folder/$1/out" 2>&1 || code=$?
    echo $code >"$folder/$1/exit"
}

# named KIND CODE WHAT
named() {
    python3 - "$folder/$1/report.json" "$2" "$3" <<'EOF'
import json, sys
named = [(finding["code"], finding["what"]) for finding in json.load(open(sys.argv[1]))["findings"]]
sys.exit((sys.argv[2], sys.argv[3]) not in named)
EOF
}

rm -rf "$folder"
for kind in $(kinds | cut -d ' ' -f 1); do
    run "$kind" &
done
wait
while read -r kind code what; do
    if [ "$(cat "$folder/$kind/exit")" = 1 ] && named "$kind" "$code" "$what"; then
        echo "ok    $kind: $code of $what"
    else
        missed=1
        echo "FAIL  $kind: exit $(cat "$folder/$kind/exit"), and not $code of $what:"
        tail -n 30 "$folder/$kind/out"
    fi
done <<EOF
$(kinds)
EOF
exit $missed
