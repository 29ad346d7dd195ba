/* SPDX-License-Identifier: Apache-2.0 */
/* How to get a board into its bootloader, and out of it, as data: steps of modem lines, breaks, switches,
 * power and waits. What a fixture wires is said in the configuration:
 *
 *     entry = dtr-rts                       a named pattern
 *     entry = power-cycle, break:500        several, played one after the other
 *     entry = gpio:gpiochip0/17, pulse:gpiochip0/18/low    a boot pin held while the board is reset
 *     entry = leave-pulse:gpiochip0/18, gpio:gpiochip0/17, pulse:gpiochip0/18   and reset again at the end
 *     entry = command:/usr/local/bin/to-boot A1    run with "enter" or "leave" added
 *     power = gpio:gpiochip0/4 | usb-hub:1-1.4/3 | command:/usr/local/bin/power A1
 *
 * Leaving plays the leaving part of every step in reverse order of the list. switch.h says how lines, hub
 * ports and commands are written. entry.c knows no protocol and no job. */
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
struct switch_host;

/* Reads the configuration's words. `power` is what `power-cycle` switches; "": there is none; NULL: it is not
 * known yet and not judged. -EINVAL with a sentence that says what was expected. Opens nothing.
 * entry_free() accepts NULL; it lets go of GPIO lines, which stay driven until then. */
int entry_parse(struct entry **entry, const char *text, const char *power, struct error *error);
void entry_free(struct entry *entry);

/* The same for switches of another host than this one, which must outlive the entry. */
int entry_parse_on(struct entry **entry, const char *text, const char *power, const struct switch_host *host,
                   struct error *error);

/* Every pattern with its summary, for help texts. */
void entry_print_patterns(FILE *out);

/* True when entering resets the board: a loader that listens only for a moment after a reset can then be
 * awaited, and a conversation that was cut off needs no filler. False for `none` and an entry that leaves
 * that to people. */
bool entry_resets(const struct entry *entry);

/* Plays the steps on the session's port; each wait ends early with -ECANCELED, and no break, pulse or power
 * is left half-way. The words of an error name the step. -ENOTSUP when the port has no such lines;
 * FAILURE_POWER when the power could not be switched, -EREMOTEIO when another switch or a command failed. */
int entry_enter(struct session *session, struct error *error);

/* The way out, in full, whatever fails and whenever it is cancelled: the first error is returned at the end.
 * It may be called without entry_enter(), or after one that was cut off. */
int entry_leave(struct session *session, struct error *error);

#endif
