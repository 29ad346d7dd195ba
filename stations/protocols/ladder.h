/* SPDX-License-Identifier: Apache-2.0 */
/* What protocols share that do not know at which rate a board will answer. Knows no protocol. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_LADDER_H
#define FLASHFARM_STATIONS_PROTOCOLS_LADDER_H

#include "protocol.h"

/* How much is done for contact at one rate. */
enum effort {
    EFFORT_PROBE,    /* does anything answer? */
    EFFORT_CONNECT,  /* and does it know commands, and the rate prove itself? */
    EFFORT_THOROUGH, /* even when somebody left a command half-way */
};

/* Rates from the highest down, and how contact is tried at one of them: -EAGAIN when nothing answers. */
struct ladder {
    const uint32_t *rates;
    size_t count;
    uint32_t top; /* in baud: where it begins unless the station says otherwise */
    int (*try_rate)(struct session *session, uint32_t baud, enum effort effort, struct error *error);
};

/* Errors that another try, or another rate, may cure; the rest (port gone, cancelled, deadline) are final. */
bool rate_to_blame(const struct session *session, int status);

/* The highest rate that may be tried here; and the one to begin with, which proved itself here before or else
 * is the highest. */
uint32_t ladder_top(const struct session *session, const struct ladder *ladder);
uint32_t ladder_first(const struct session *session, const struct ladder *ladder);

/* Contact at the first rate, or at the next lower one that is right. -EAGAIN: nothing answers at any. */
int ladder_descend(struct session *session, const struct ladder *ladder, enum effort effort,
                   struct error *error);

#endif
