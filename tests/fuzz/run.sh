#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzzer for a time each (default 60 s), in a clang build of its own. The inputs that reach new
# code are kept for the next run; the first failure ends it, names its file and fails.
#
#     run.sh [SECONDS [NAME...]]      with BUILD=folder for another build folder
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/fuzz}
seconds=${1:-60}
[ $# -eq 0 ] || shift

cd "$root"
cmake --preset fuzz -B "$build" >/dev/null
cmake --build "$build" --target fuzzers
[ $# -gt 0 ] || set -- $(cd "$build/fuzzers" && ls)
for name in "$@"; do
    found=$build/found/$name
    log=$build/found/$name.log
    mkdir -p "$found"
    echo "$name: $seconds s"
    if ! "$build/fuzzers/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/found/$name-" \
        "$found" "$root/tests/fuzz/corpus/$name" >"$log" 2>&1; then
        tail -n 40 "$log"
        echo "$name: a finding, see $build/found" >&2
        exit 1
    fi
    grep -E 'number_of_executed_units|new_units_added' "$log"
done
