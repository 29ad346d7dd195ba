/* SPDX-License-Identifier: Apache-2.0 */
/* A number is in doubt when the host stopped while its board was in work. What the board itself holds says
 * whether it ever got there. */
#include "unit_data.h"

#include "alloc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* 1: the chip has these bytes; 0: it has others; or the error of the read. */
static int compare_span(struct session *session, const struct order *order, const struct chip_span *span,
                        struct error *error)
{
    uint32_t most = plan_transfer_size(order, session->protocol);
    uint8_t *found = allocate(2, most);
    uint8_t *wanted = found + most;
    int status = 1;

    for (uint32_t done = 0; status == 1 && done < span->size;) {
        uint32_t size = span->size - done < most ? span->size - done : most;

        status = session->protocol->read(session, span->address + done, found, size, error);
        (void)image_read(order->image, span->address + done, wanted, size, 0);
        if (status == 0)
            status = memcmp(found, wanted, size) == 0;
        done += size;
    }
    sodium_memzero(found, (size_t)2 * most);
    free(found);
    return status;
}

int readback_check(struct session *session, const struct order *order, struct error *error)
{
    int status = 1;

    if (!session->protocol->read || session->board.read_protected || order->variable_count == 0)
        return 0;
    for (size_t i = 0; status == 1 && i < order->variable_count; i++)
        status = compare_span(session, order, &order->variable[i], error);
    if (status >= 0)
        return status;
    /* Not worth more than one try: the run that follows needs the dialogue in step, and nothing else. */
    *error = ERROR_NONE;
    return session->protocol->resync(session, error);
}
