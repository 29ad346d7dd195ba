/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events from the daemon, with reconnection: after a break the stream goes on behind the last
 * fact that was heard (Last-Event-ID). Progress that fell into the break is lost, as it may be. */
#ifndef FLASHFARM_CLIENT_EVENTS_H
#define FLASHFARM_CLIENT_EVENTS_H

#include "http.h"

struct events;

struct event {
    const char *id;   /* of a fact: its ledger sequence; NULL for progress */
    const char *name; /* "run.ended", "progress", … */
    json_t *data;     /* borrowed */
};

typedef void events_listener(void *context, const struct event *event);

/* `topics` as the API takes them (NULL: all). `from` is the Last-Event-ID to start behind, NULL: now. */
struct events *events_new(const struct server *server, const char *topics, const char *from,
                          events_listener *listener, void *context);
void events_free(struct events *events);

/* Hears for up to `timeout_ms`, or until `fd` is readable (-1: none). Reconnects by itself. -EHOSTUNREACH
 * when the daemon has been away for longer than `patience_ms`, -EPERM when it refuses. */
int events_wait(struct events *events, int timeout_ms, int fd, int64_t patience_ms, struct error *error);

/* How often the stream has been opened, first bytes and all; 0: not yet. After a change there may be facts
 * that the stream does not tell. */
unsigned events_connections(const struct events *events);

#endif
