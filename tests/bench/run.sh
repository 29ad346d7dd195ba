#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a release out of tree and prints the bench's tables.
#
#     run.sh [--short] [--json FILE] [--only TABLE]...     with BUILD=folder for another build folder; --help names the tables
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}

log=$build/bench-build.log
quietly() {
    "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
}

mkdir -p "$build"
quietly cmake -S "$root" --preset release -B "$build"
quietly cmake --build "$build" --target flashfarmd flashfarm flashfarm-sim \
    bench_thin_client bench_thin_avr bench_record_load bench_http_load
# Needs packages that not every machine has; without it the table of AVR loaders is left out.
if cmake --build "$build" --target help | grep -q flashfarm-sim-avr; then
    quietly cmake --build "$build" --target flashfarm-sim-avr
fi
exec python3 "$root/tests/bench/bench.py" --build "$build" "$@"
