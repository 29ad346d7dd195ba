/* SPDX-License-Identifier: Apache-2.0 */
/* What can be wrong with a board. Only names, numbers and counting; what a fault does is with whom it happens
 * to: the wire, the board or its bootloader. */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
    FAULT_SILENT,
    FAULT_WRONG_ID,
    FAULT_NACK_WRITE,
    FAULT_NACK_ERASE,
    FAULT_NACK_ONCE,
    FAULT_BAD_CELL,
    FAULT_HANG,
    FAULT_UNPLUG,
    FAULT_GARBAGE,
    FAULT_CORRUPT,
    FAULT_DROP_ACK,
    FAULT_SLOW,
    FAULT_PROTECTED,
    FAULT_DUPLICATE_UID,
    FAULT_MARGINAL,
    FAULT_NONE, /* takes all others away */
    FAULT_KINDS
};

struct fault {
    bool set;
    uint64_t number;      /* what stood behind @ */
    uint64_t since_write; /* writes the board had seen when the fault was set */
};

struct fault_request {
    enum fault_kind kind;
    uint64_t number;
    char other[32]; /* duplicate-uid */
};

/* "hang@3", "duplicate-uid=A1". On -1, why says what is wrong. */
int fault_parse(const char *text, struct fault_request *request, char *why, size_t size);

/* Is it the write that the fault waits for (once), or one from it on? write counts from 1. */
bool fault_strikes(struct fault *fault, uint64_t write);
bool fault_holds(const struct fault *fault, uint64_t write);

#endif
