/* SPDX-License-Identifier: Apache-2.0 */
/* What flashfarm-sim has beside its boards: their cables, and the program with the boards that it does not
 * know itself. */
#ifndef SIM_OWN_H
#define SIM_OWN_H

#include "cable.h"
#include "farm.h"

struct helper;

struct own {
    struct cable **cables;
    size_t cable_count;
    struct helper *helper; /* NULL: all chips are our own */
};

/* For struct program. */
int own_add(struct farm *farm, const char *chip, size_t count, const char *kind);
void own_free_board(void *board);
bool own_refer_fault(struct farm *farm, const char *request);
int own_start(struct farm *farm);
size_t own_others(const struct farm *farm);
bool own_ask(const struct farm *farm, const char *line, char *answer, size_t size);
void own_close(struct farm *farm);

/* conf.c */
int own_write_conf(const struct farm *farm, FILE *file);

/* operator.c */
extern const struct operations own_operations;

#endif
