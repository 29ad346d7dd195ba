/* SPDX-License-Identifier: Apache-2.0 */
/* Follows one job from its submission to its end, drawing bars, and passes Ctrl-C on to the daemon. */
#ifndef FLASHFARM_CLIENT_FOLLOW_H
#define FLASHFARM_CLIENT_FOLLOW_H

#include "bars.h"
#include "events.h"
#include "http.h"

#include <stdbool.h>

struct follow {
    struct server *server;
    struct bars *bars;
    struct events *events;
    int signals; /* a signalfd for Ctrl-C; from here on it no longer kills */
    int64_t job; /* 0 until follow_job() */
    unsigned seen_connections;
    char state[16]; /* of the job: "running", "held", "done", "cancelled" */
    char reason[200];
    bool cancelled; /* Ctrl-C was passed on */
};

/* Listens before the job exists, so that nothing of it is missed. */
int follow_open(struct follow *follow, struct server *server, struct bars *bars, struct error *error);
void follow_close(struct follow *follow);

/* Returns 0 when the job has ended, or is held and nothing runs any more; -EINTR when a second Ctrl-C came
 * (the job may then still be ending), or an error of events_wait() or http_call(). */
int follow_job(struct follow *follow, int64_t job, struct error *error);

#endif
