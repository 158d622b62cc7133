#!/bin/sh
# run.sh: 20 seeds that never change, and 20 that each commit brings anew.
#
#   tests/sim/run.sh build/release/tests/sim/sim [HOURS]
#
# In the fixed ones everything that can happen must have happened.
set -u
sim=$1 hours=${2:-72}
fixed=0x5eed41
root=$(cd "$(dirname "$0")/../.." && pwd)

if commit=$(git -C "$root" rev-parse HEAD 2>/dev/null); then
    echo "seeds of commit $commit"
else
    commit=5eed42
    echo "no git here: seeds of the text $commit"
fi
first=0x$(printf %.12s "$commit")

"$sim" --cover "$fixed" 20 "$hours" || exit 1
"$sim" --seeds "$first" 20 "$hours"
