/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program of the user's to its end, on a fiber or blocking. Internal to switch.c; knows nothing of
 * what the program switches. */
#ifndef FLASHFARM_STATIONS_SWITCH_RUN_H
#define FLASHFARM_STATIONS_SWITCH_RUN_H

#include "fiber.h"
#include "result.h"
#include "switch.h"

/* `arguments` ends with NULL; the first is the program's path. 0 when it ended with status 0; -ECANCELED;
 * -ETIMEDOUT when there was no time to start it; else -EREMOTEIO, and the sentence ends with the first line
 * it said. A program that is late or not wanted any more is killed with all it started. */
int switch_run(char **arguments, const struct clock *clock, const struct switch_call *call,
               struct error *error);

#endif
