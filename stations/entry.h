/* SPDX-License-Identifier: Apache-2.0 */
/* How to get a board into its bootloader, and out of it, as data: steps of modem lines, breaks, switches,
 * power and waits. What a fixture wires is said in the configuration:
 *
 *     entry = dtr-rts                       a named pattern
 *     entry = power-cycle, break:500        several, played one after the other
 *     entry = gpio:gpiochip0/17             a line held active while the board is reset by …
 *     entry = command:/usr/local/bin/to-boot A1
 *     power = gpio:gpiochip0/4 | usb-hub:1-1.4/3 | command:/usr/local/bin/power A1
 *
 * entry.c knows no protocol and no job. */
#ifndef FLASHFARM_STATIONS_ENTRY_H
#define FLASHFARM_STATIONS_ENTRY_H

#include "clock.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fibers;
struct session;
struct entry;

/* Reads the configuration's words. `power` is what `power-cycle` switches; "": there is none; NULL: it is not
 * known yet and not judged. -EINVAL with a sentence that says what was expected. Opens nothing.
 * entry_free() accepts NULL. */
int entry_parse(struct entry **entry, const char *text, const char *power, struct error *error);
void entry_free(struct entry *entry);

/* Every pattern with its summary, for help texts. */
void entry_print_patterns(FILE *out);

/* True when entering resets the board: a loader that listens only for a moment after a reset can then be
 * awaited, and a conversation that was cut off needs no filler. False for `none` and an entry that leaves
 * that to people. */
bool entry_resets(const struct entry *entry);

/* Plays the steps on the session's port; each wait ends early with -ECANCELED. The words of an error name the
 * step. -ENOTSUP when the port has no such lines. */
int entry_enter(struct session *session, struct error *error);
int entry_leave(struct session *session, struct error *error);

#endif
