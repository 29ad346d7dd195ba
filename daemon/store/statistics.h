/* SPDX-License-Identifier: Apache-2.0 */
/* How well and how fast it goes: yield, failures, time beyond the floor, pace, and what stations measured
 * last. Answers come from what the schema counts as runs end (tables tally and tally_class), or by
 * index from the last runs: never from all of them. Asked in the readers' pool, as store.h says.
 *
 * A unit is known by its chip UID, else by its serial; a run that passed without either is a unit of its own.
 * A run without either that did not pass is held against the next unit at that station in that job. Runs of
 * class "cancelled" do not count. Everything counts in the job that it happened in, at the time when the run
 * ended. */
#ifndef FLASHFARM_STORE_STATISTICS_H
#define FLASHFARM_STORE_STATISTICS_H

#include "store.h"

/* How the two yields are meant, in a sentence each, for whoever shows them. */
extern const char *const statistics_first_pass_yield, *const statistics_final_yield;

/* What to count; NULL or 0 means any. */
struct store_tally_query {
    int64_t job;
    const char *work_order, *station;
    const char *recipe; /* "NAME" or "NAME/VERSION" */
    /* RFC 3339 times of the runs' ends, from included, to excluded; widened to whole buckets of 300 s, or of
     * an hour when bucket_s is a multiple of that. Left out: with a job or a work order from its first run to
     * its last one; otherwise the 24 hours before `to`, and until now. */
    const char *from, *to;
    int bucket_s;    /* of the series, a multiple of 300 from 300 to 86400; 0: chosen for at most 500 buckets,
                      * 100    with by_station */
    bool by_station; /* the series for each station */
};

/* {from, to, bucket_s, totals: Tally, by_station: [{station, …Tally}], series: [{start, station: null or
 * name, …Tally}], pareto: [{station, class, count}], pace: {passed_last_hour, takt_us: n or null, since}}
 * Tally: runs, pass, fail, aborted, unknown, cancelled, units, first_pass, passed_units, us, floor_us,
 * wire_us, target_us, host_us, retry_us, timed_runs, bytes; runs is the sum of the four outcomes, without
 * cancelled; times and bytes are of the timed_runs: those that passed and say their times. from, to and start
 * are UTC texts of fixed width. Stations by name; the series by start, then station, without buckets in which
 * nothing ended; pareto most first, at most 200, its class the outcome where the record names none. takt_us
 * is the median gap between the ends of the last 21 passes of the last hour, whatever from and to say.
 * -EINVAL: a time or bucket_s that cannot be; from not before to; more than 2000 buckets; more than 14 days
 * in buckets that are no whole hours; more than 366 days without job and work order. */
void store_tally(struct store *store, const struct store_tally_query *query, store_answer *answer,
                 void *context);

/* {station: [{run, outcome, class, serial, ended}]}: the last `count` (1..20) runs that ended at each station
 * that ever had one, newest first. */
void store_recent(struct store *store, int count, store_answer *answer, void *context);

/* {items: [{station, chip, runs, passed, measures: {contact_attempts, naks, retries, excess_us,
 * contact_us}}], next: null}: means over the last `runs` (1..200) runs that ended at each station, without
 * those that were cancelled or on another chip than the newest (`chip`); a measure is null where none of them
 * tells. excess_us is the time beyond the floor of those that passed. */
void store_station_measures(struct store *store, int runs, store_answer *answer, void *context);

#endif
