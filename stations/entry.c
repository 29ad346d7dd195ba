/* SPDX-License-Identifier: Apache-2.0 */
/* Ways into a bootloader, as data. */
#include "protocol.h"

#include <errno.h>
#include <string.h>

/* A board in a fixture with its boot pin strapped, or one that somebody resets by hand. */
static const struct entry entry_none = {
    .name = "none",
    .summary = "the board is in its bootloader already",
};

/* RTS drives BOOT0 and DTR drives NRST, both asserted = active, as download cables for STM32 boards are
 * wired. The waits are the cable's: RC of the reset line and the start-up of the chip's oscillator. */
static const struct entry entry_dtr_rts = {
    .name = "dtr-rts",
    .summary = "DTR resets the board while RTS holds its boot pin",
    .enter_count = 2,
    .enter = {{.dtr = true, .rts = true, .wait_us = 10000}, {.dtr = false, .rts = true, .wait_us = 20000}},
    .leave_count = 2,
    .leave = {{.dtr = true, .rts = false, .wait_us = 10000}, {.dtr = false, .rts = false, .wait_us = 0}},
};

const struct entry *const entries[] = {&entry_none, &entry_dtr_rts, NULL};

const struct entry *entry_find(const char *name)
{
    for (size_t i = 0; entries[i]; i++)
        if (strcmp(entries[i]->name, name) == 0)
            return entries[i];
    return NULL;
}

static int play(struct session *session, const struct entry_step *steps, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        int status = port_set_modem(session->port, steps[i].dtr, steps[i].rts, error);

        if (status < 0)
            return error_prefix(error, "entry %s", session->entry->name);
        if (port_sleep(session->port, steps[i].wait_us) == -ECANCELED)
            return error_set(error, -ECANCELED, "cancelled");
    }
    return 0;
}

int entry_enter(struct session *session, struct error *error)
{
    return play(session, session->entry->enter, session->entry->enter_count, error);
}

int entry_leave(struct session *session, struct error *error)
{
    return play(session, session->entry->leave, session->entry->leave_count, error);
}
