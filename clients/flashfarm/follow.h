/* SPDX-License-Identifier: Apache-2.0 */
/* Follows jobs from their submission to their end, drawing bars, and passes Ctrl-C on to the daemon. */
#ifndef FLASHFARM_CLIENT_FOLLOW_H
#define FLASHFARM_CLIENT_FOLLOW_H

#include "bars.h"
#include "events.h"
#include "http.h"

#include <stdbool.h>

#define FOLLOW_JOBS 64

struct followed {
    int64_t id;
    char state[16]; /* "running", "held", "done", "cancelled" */
};

struct follow {
    struct server *server;
    struct bars *bars;
    struct events *events;
    int signals;      /* a signalfd for Ctrl-C; from here on it no longer kills */
    size_t job_count; /* 0 until follow_add() */
    struct followed jobs[FOLLOW_JOBS];
    unsigned seen_connections;
    bool cancelled; /* Ctrl-C was passed on */
};

/* Listens before the job exists, so that nothing of it is missed. */
int follow_open(struct follow *follow, struct server *server, struct bars *bars, struct error *error);
void follow_close(struct follow *follow);

/* Another job to follow; at most FOLLOW_JOBS. */
void follow_add(struct follow *follow, int64_t job);

/* Returns 0 when every job has ended, or is held and nothing runs any more; -EINTR when a second Ctrl-C came
 * (jobs may then still be ending), or an error of events_wait() or http_call(). */
int follow_jobs(struct follow *follow, struct error *error);

#endif
