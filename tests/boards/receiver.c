/* SPDX-License-Identifier: Apache-2.0 */
/* See receiver.h. */
#include "receiver.h"

void receiver_restart(struct receiver *receiver, uint64_t at_ns)
{
    receiver->now_ns = at_ns;
    receiver->busy_ns = at_ns;
    receiver->held = 0;
}

bool receiver_hears(struct receiver *receiver, uint64_t at_ns)
{
    if (at_ns >= receiver->busy_ns) {
        receiver->now_ns = at_ns;
        receiver->held = 0;
        return true;
    }
    if (receiver->held == receiver->depth) {
        receiver->board->counters.overrun_bytes++;
        return false;
    }
    receiver->held++;
    receiver->now_ns = receiver->busy_ns;
    return true;
}

/* What was held is read now; the FIFO is empty when the next work starts. */
void receiver_spends(struct receiver *receiver, uint64_t ns)
{
    receiver->now_ns += ns;
    receiver->busy_ns = receiver->now_ns;
    receiver->held = 0;
}

void receiver_spends_flash(struct receiver *receiver, uint64_t datasheet_ns)
{
    receiver_spends(receiver, board_flash_ns(receiver->board, datasheet_ns));
}

void receiver_says(struct receiver *receiver, const uint8_t *bytes, size_t count)
{
    (void)board_send(receiver->board, bytes, count, receiver->now_ns);
}

enum fate next_fate(struct board *board)
{
    uint64_t write = ++board->counters.writes;
    struct fault *faults = board->faults;

    if (fault_holds(&faults[FAULT_NACK_WRITE], write) || fault_strikes(&faults[FAULT_NACK_ONCE], write))
        return FATE_REFUSED;
    if (fault_strikes(&faults[FAULT_UNPLUG], write))
        return FATE_TORN;
    if (fault_strikes(&faults[FAULT_HANG], write))
        return FATE_HANGS;
    if (fault_strikes(&faults[FAULT_CORRUPT], write))
        return FATE_CORRUPTED;
    return fault_strikes(&faults[FAULT_DROP_ACK], write) ? FATE_UNANSWERED : FATE_LANDS;
}

uint32_t fate_applied(enum fate fate, uint8_t *bytes, uint32_t count)
{
    switch (fate) {
    case FATE_REFUSED:
    case FATE_HANGS:
        return 0;
    case FATE_TORN:
        return count / 2;
    case FATE_CORRUPTED:
        bytes[count / 2] ^= 0x10;
        return count;
    case FATE_LANDS:
    case FATE_UNANSWERED:
        break;
    }
    return count;
}

bool receiver_dies(const struct receiver *receiver, enum fate fate)
{
    if (fate == FATE_TORN)
        board_vanish(receiver->board, receiver->now_ns);
    return fate == FATE_TORN || fate == FATE_HANGS;
}
