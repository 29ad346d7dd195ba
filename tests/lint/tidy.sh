#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the product, with the flags of a build.
# tidy.sh SOURCE_DIRECTORY BUILD_DIRECTORY
set -eu
cd "$1"
log=$2/clang-tidy.log
status=0
run-clang-tidy -quiet -p "$2" -j "$(nproc)" -extra-arg=-Wno-unknown-warning-option \
    "^$1/(daemon|stations|api|clients)/" >"$log" 2>&1 || status=$?
printf 'clang-tidy: %s files\n' "$(grep -c '^clang-tidy' "$log")"
[ "$status" = 0 ] || sed "s/$(printf '\033')\[[0-9;]*m//g" "$log" | grep -vE '^clang-tidy|warnings? generated'
exit "$status"
