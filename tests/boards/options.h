/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what both programs know. Each adds options of its own by struct program. */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program;

enum { OPTION_OWN = 512 }; /* the first value that a program's own options may have */

struct options {
    const char *boards, *dir, *dump_dir;
    const char **faults; /* NAME=KIND[@N], to be set on the boards in this order */
    size_t fault_count;
    const char *remote; /* NULL: none, "": all, else names or how many of the first */
    uint64_t seed, turnaround_us;
    bool pace, realtime, with_parent;

    /* flashfarm-sim */
    const char *listen;
    uint64_t baud, max_baud;
    bool strict_parity, strict_sync, reset_on_open, checksum, echo, escape, parity;

    /* flashfarm-sim-avr */
    const char *prefix, *loader;
    uint64_t first;
};

/* 0 = go on, 1 = everything is said, -1 = complained. */
int options_parse(struct options *options, const struct program *program, int count, char **arguments);
void options_free(struct options *options);

/* The value of an option; 0, or -1 with a complaint. */
int options_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif
