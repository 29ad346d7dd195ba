/* SPDX-License-Identifier: Apache-2.0 */
/* Ways into a bootloader, as data. */
#include "entry.h"

#include "alloc.h"
#include "protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_STEPS 4

struct entry_step {
    bool dtr, rts;
    int64_t wait_us;
};

struct pattern {
    const char *name, *summary;
    size_t enter_count, leave_count;
    struct entry_step enter[ENTRY_STEPS], leave[ENTRY_STEPS];
};

static const struct pattern patterns[] = {
    /* A board in a fixture with its boot pin strapped, or one that somebody resets by hand. */
    {.name = "none", .summary = "the board is in its bootloader already"},
    /* RTS drives BOOT0 and DTR drives NRST, both asserted = active, as download cables for STM32 boards are
     * wired. The waits are the cable's: RC of the reset line and the start-up of the chip's oscillator. */
    {.name = "dtr-rts",
     .summary = "DTR resets the board while RTS holds its boot pin",
     .enter_count = 2,
     .enter = {{.dtr = true, .rts = true, .wait_us = 10000}, {.dtr = false, .rts = true, .wait_us = 20000}},
     .leave_count = 2,
     .leave = {{.dtr = true, .rts = false, .wait_us = 10000}, {.dtr = false, .rts = false, .wait_us = 0}}},
};

struct entry {
    const struct pattern *pattern;
};

int entry_parse(struct entry **entry, const char *text, const char *power, struct error *error)
{
    (void)power;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (strcmp(patterns[i].name, text) == 0) {
            *entry = allocate(1, sizeof **entry);
            (*entry)->pattern = &patterns[i];
            return 0;
        }
    return error_set(error, -EINVAL, "expected one of none, dtr-rts");
}

void entry_free(struct entry *entry)
{
    free(entry);
}

void entry_print_patterns(FILE *out)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        (void)fprintf(out, "  %-20s %s\n", patterns[i].name, patterns[i].summary);
}

bool entry_resets(const struct entry *entry)
{
    return entry->pattern->enter_count > 0;
}

static int play(struct session *session, const struct entry_step *steps, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        int status = port_set_modem(session->port, steps[i].dtr, steps[i].rts, error);

        if (status < 0)
            return error_prefix(error, "entry %s", session->entry->pattern->name);
        if (port_sleep(session->port, steps[i].wait_us) == -ECANCELED)
            return error_set(error, -ECANCELED, "cancelled");
    }
    return 0;
}

int entry_enter(struct session *session, struct error *error)
{
    const struct pattern *pattern = session->entry->pattern;

    return play(session, pattern->enter, pattern->enter_count, error);
}

int entry_leave(struct session *session, struct error *error)
{
    const struct pattern *pattern = session->entry->pattern;

    return play(session, pattern->leave, pattern->leave_count, error);
}
