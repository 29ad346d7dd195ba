/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bootloader is in time, and what its UART keeps while it looks elsewhere; and what a fault makes of
 * a block that it is about to write. For models whose bootloader takes bytes from a FIFO. */
#ifndef SIM_RECEIVER_H
#define SIM_RECEIVER_H

#include "board.h"

struct receiver {
    struct board *board;
    uint64_t now_ns, busy_ns;
    unsigned depth, held; /* bytes that the FIFO can keep, and keeps, until busy_ns */
};

void receiver_restart(struct receiver *receiver, uint64_t at_ns);

/* A byte has come; false: the FIFO was full and it is lost. */
bool receiver_hears(struct receiver *receiver, uint64_t at_ns);
void receiver_spends(struct receiver *receiver, uint64_t ns);
/* What flash needs by the datasheet, where time is asked for. */
void receiver_spends_flash(struct receiver *receiver, uint64_t datasheet_ns);
void receiver_says(struct receiver *receiver, const uint8_t *bytes, size_t count);

enum fate {
    FATE_LANDS,
    FATE_REFUSED,    /* an error instead; nothing lands */
    FATE_HANGS,      /* nothing lands, nothing is answered any more */
    FATE_TORN,       /* half of it lands, then the port is gone */
    FATE_CORRUPTED,  /* one bit flips on the way */
    FATE_UNANSWERED, /* it lands, nobody is told */
};

/* Counts the block. */
enum fate next_fate(struct board *board);

/* How many of the bytes land by that fate; may flip one of their bits. */
uint32_t fate_applied(enum fate fate, uint8_t *bytes, uint32_t count);

/* Torn: takes the port away. True: nothing is answered any more. */
bool receiver_dies(const struct receiver *receiver, enum fate fate);

#endif
