#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cppcheck over the product. It does not see the libraries' headers, so jansson's loops are told to it. What is
# suppressed: functions that are called obsolete or not reentrant and are neither here (readdir() of a directory
# of one's own; ucontext as the fall-back); mmap(…, -1, 0), which is how anonymous memory is asked for.
# cppcheck.sh SOURCE_DIRECTORY
set -eu
cd "$1"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
    --library=posix --suppress=missingInclude --suppress=missingIncludeSystem -D_GNU_SOURCE \
    --suppress=swapcontextCalled --suppress=getcontextCalled --suppress=readdirCalled \
    --suppress=invalidFunctionArg:daemon/base/fiber_switch.c \
    --library=tests/lint/jansson.cfg \
    '-DFLASHFARM_VERSION="0"' -I daemon/base -I stations -I stations/chips -I stations/protocols -I schema \
    -I daemon/store -I daemon/jobs -I api -I daemon -I clients/flashfarm daemon stations schema api clients
