/* SPDX-License-Identifier: Apache-2.0 */
/* How long runs take, for /metrics: counted from the facts as they are told, since the daemon started. */
#ifndef FLASHFARM_API_RUN_TIMES_H
#define FLASHFARM_API_RUN_TIMES_H

#include <stdio.h>

struct run_times;
struct farm_event;

struct run_times *run_times_new(void);
void run_times_free(struct run_times *times);
/* Every fact of the farm, in ledger order; most are none of its business. */
void run_times_hear(struct run_times *times, const struct farm_event *event);
/* flashfarm_run_seconds by outcome; flashfarm_station_run_seconds_total and _floor_seconds_total. */
void run_times_print(const struct run_times *times, FILE *out);

#endif
