/* SPDX-License-Identifier: Apache-2.0 */
/* Flash or EEPROM cells of the plain kind: erased they read 0xFF, programming only clears bits. Knows no
 * address map, no controller and no time. */
#ifndef SIM_CELLS_H
#define SIM_CELLS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cells {
    uint8_t *cleared; /* a 1 for each cleared bit, so that untouched flash costs the host nothing */
    uint32_t count, bad_at;
    bool bad; /* bit 0 at bad_at keeps the opposite of what is programmed */
};

void cells_open(struct cells *cells, uint32_t count);
void cells_close(struct cells *cells);

uint8_t cells_get(const struct cells *cells, uint32_t at);
bool cells_blank(const struct cells *cells, uint32_t at, uint32_t count);
void cells_erase(struct cells *cells, uint32_t at, uint32_t count);
void cells_program(struct cells *cells, uint32_t at, const uint8_t *bytes, uint32_t count);

/* The cell at address goes bad, where there is one; for 0 that at usual. */
void cells_spoil(struct cells *cells, uint64_t address, uint32_t usual);

/* As delivered: erased, sound. */
void cells_renew(struct cells *cells);

/* An operator's way in and out, past all rules. */
int cells_fill(struct cells *cells, int byte, FILE *content);
int cells_dump(const struct cells *cells, FILE *file);

#endif
