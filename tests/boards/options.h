/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
    const char *boards, *dir, *listen, *dump_dir;
    const char **faults; /* NAME=KIND[@N], to be set on the boards in this order */
    size_t fault_count;
    const char *remote; /* NULL: none, "": all, else names or how many of the first */
    uint64_t seed, turnaround_us, baud, max_baud;
    bool pace, strict_parity, strict_sync, reset_on_open, checksum, realtime, with_parent, echo, escape,
        parity;
};

/* 0 = go on, 1 = everything is said, -1 = complained. */
int options_parse(struct options *options, int count, char **arguments);
void options_free(struct options *options);

#endif
