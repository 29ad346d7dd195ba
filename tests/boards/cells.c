/* SPDX-License-Identifier: Apache-2.0 */
/* See cells.h. */
#include "cells.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

void cells_open(struct cells *cells, uint32_t count)
{
    *cells = (struct cells){.cleared = sim_allocate(count, 1), .count = count};
}

void cells_close(struct cells *cells)
{
    free(cells->cleared);
}

uint8_t cells_get(const struct cells *cells, uint32_t at)
{
    return (uint8_t)~cells->cleared[at];
}

bool cells_blank(const struct cells *cells, uint32_t at, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (cells->cleared[at + i])
            return false;
    return true;
}

void cells_erase(struct cells *cells, uint32_t at, uint32_t count)
{
    memset(cells->cleared + at, 0, count);
}

void cells_program(struct cells *cells, uint32_t at, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cells->cleared[at + i] |= (uint8_t)~bytes[i];
        if (cells->bad && at + i == cells->bad_at)
            cells->cleared[at + i] = (uint8_t)((cells->cleared[at + i] & 0xFE) | (bytes[i] & 1));
    }
}

void cells_spoil(struct cells *cells, uint64_t address, uint32_t usual)
{
    if (address >= cells->count)
        return;
    cells->bad = true;
    cells->bad_at = address ? (uint32_t)address : usual;
}

void cells_renew(struct cells *cells)
{
    cells_erase(cells, 0, cells->count);
    cells->bad = false;
}

int cells_fill(struct cells *cells, int byte, FILE *content)
{
    for (uint32_t at = 0; at < cells->count; at++) {
        int next = content ? getc(content) : byte;

        if (next == EOF)
            break;
        cells->cleared[at] = (uint8_t)~next;
    }
    return content && ferror(content) ? -1 : 0;
}

int cells_dump(const struct cells *cells, FILE *file)
{
    for (uint32_t at = 0; at < cells->count; at++)
        (void)putc(cells_get(cells, at), file);
    return ferror(file) ? -1 : 0;
}
