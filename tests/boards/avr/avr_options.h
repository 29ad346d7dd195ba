/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of flashfarm-sim-avr. */
#ifndef SIM_AVR_OPTIONS_H
#define SIM_AVR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct avr_options {
    const char *boards, *dir, *dump_dir, *prefix, *loader;
    const char **faults; /* NAME=KIND[@N], to be set on the boards in this order */
    size_t fault_count;
    const char *remote; /* NULL: none, "": all, else names or how many of the first */
    uint64_t first, seed, turnaround_us;
    bool pace, realtime, with_parent;
};

/* 0 = go on, 1 = everything is said, -1 = complained. */
int avr_options_parse(struct avr_options *options, int count, char **arguments);
void avr_options_free(struct avr_options *options);

#endif
