/* SPDX-License-Identifier: Apache-2.0 */
/* The boards of flashfarm-sim-avr, in the words of struct program. */
#ifndef SIM_AVR_FARM_H
#define SIM_AVR_FARM_H

#include "farm.h"

int avr_farm_add(struct farm *farm, const char *chip, size_t count, const char *kind);
void avr_farm_free_board(void *board);
int avr_farm_write_conf(const struct farm *farm, FILE *file);

/* avr_operator.c */
extern const struct operations avr_operations;

#endif
