#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file is as clang-format lays it out.
# format.sh SOURCE_DIRECTORY
set -eu
cd "$1"
find daemon stations schema api clients tests -name node_modules -prune -o -name '*.[ch]' -print |
    xargs clang-format --dry-run -Werror
