#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, and runs every test: under the address and undefined-behaviour sanitizers, under
# the thread sanitizer, with clang and its fuzzers, and last as plain debug build, with the linters and the
# package; that last run prints the count. A stage that fails does not keep the others from running.
#
#     sh tests/run.sh [STAGE...]      of: asan tsan fuzz valgrind debug
set -eu

cd "$(dirname "$0")/.."
. tests/packages.sh
cores=$(nproc)

# What takes long, measures time, or tests the simulator itself says nothing more under a sanitizer.
slow='lint|package|demo|slow|long|boards|browser|bench|tsan-only'

build() {
    mkdir -p "build/$1"
    log=build/$1/build.log
    if ! { cmake --preset "$1" && cmake --build --preset "$1"; } >"$log" 2>&1; then
        tail -n 60 "$log"
        return 1
    fi
}

run_asan() {
    build asan && ctest --preset asan -j "$cores" -LE "$slow"
}

run_tsan() {
    build tsan && ctest --preset tsan -j "$cores"
}

# clang's warnings are errors here, and the fuzzers are those of libFuzzer.
run_fuzz() {
    build fuzz && ctest --preset fuzz -j "$cores"
}

# One unit test in valgrind; its output is shown when something is wrong with it.
check_memory() {
    log=build/debug/valgrind-$(basename "$1").log
    valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "$1" >"$log" 2>&1 || {
        echo "valgrind: $1 failed"
        cat "$log"
        return 1
    }
}

# The tests of bulk data take minutes in valgrind, and the sanitizers have seen them.
run_valgrind() {
    build debug || return 1
    for test in build/debug/tests/unit/*_test; do
        case $test in */image_random_test | */audit_test | */store_test | */store_statistics_test) continue ;; esac
        echo "$test"
    done | xargs -P "$cores" -n 1 sh tests/run.sh --check-memory
}

run_debug() {
    build debug && ctest --preset debug -j "$cores" -LE 'slow|bench'
}

if [ "${1-}" = --check-memory ]; then # of run_valgrind()
    check_memory "$2"
    exit
fi
# shellcheck disable=SC2086
need_packages $packages_build $packages_demo $packages_test
[ $# -gt 0 ] || set -- asan tsan fuzz valgrind debug
failed=
for stage in "$@"; do
    started=$(date +%s)
    printf '\n== %s\n' "$stage"
    "run_$stage" || failed="$failed $stage"
    printf '== %s: %s s\n' "$stage" $(($(date +%s) - started))
done
[ -z "$failed" ] || {
    echo "failed:$failed" >&2
    exit 1
}
