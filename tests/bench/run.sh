#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a release out of tree and prints the bench's tables.
#
#     run.sh [--short] [--json FILE] [--only one-board|gang|load|record]...     with BUILD=folder for another build folder
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}

cmake -S "$root" --preset release -B "$build" >/dev/null
cmake --build "$build" --target flashfarmd flashfarm flashfarm-sim \
    bench_thin_client bench_record_load bench_http_load >/dev/null
exec python3 "$root/tests/bench/bench.py" --build "$build" "$@"
