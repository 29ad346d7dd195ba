/* SPDX-License-Identifier: Apache-2.0 */
/* The program beside ours that simulates AVRs (libsimavr is GPL-3 and stays out of this one): started for
 * chips that are not our own, asked what is asked of its boards, ended with us. It knows only its command
 * line, its control socket and the configuration that it writes. */
#ifndef SIM_HELPER_H
#define SIM_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct farm;
struct helper;

bool helper_knows(const char *kind); /* CHIP[:LOADER][=COUNT] */

/* What it is to be started with; the first call makes it. */
void helper_want(struct helper **helper, const char *kind);
void helper_want_fault(struct helper *helper, const char *request);

/* Starts it for boards behind those of the farm, and waits until it is ready. */
int helper_start(struct helper *helper, const struct farm *farm);
void helper_free(struct helper *helper); /* ends it; NULL is fine */

size_t helper_boards(const struct helper *helper);
int helper_append_conf(const struct helper *helper, FILE *file);

/* One command line to its control socket, its answer without the newline; false when it does not answer. */
bool helper_ask(const struct helper *helper, const char *line, char *answer, size_t size);

#endif
