/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events. Facts go to everybody, in ledger order, each exactly once: from a ring in memory, and
 * from the ledger for whoever is behind it (a client that comes back with Last-Event-ID, or a slow one).
 * Progress is told last-wins per station and may be skipped. */
#ifndef FLASHFARM_API_EVENTS_H
#define FLASHFARM_API_EVENTS_H

#include <stddef.h>
#include <stdint.h>

struct api;
struct events;
struct farm_event;

struct events_options {
    struct api *api;
    int64_t head; /* the newest fact when it starts */
    size_t clients, ring;
    int heartbeat_ms, stall_s;
};

struct events *events_new(const struct events_options *options);
/* Closes what it has on the loop, and holds the http until that is done. */
void events_stop(struct events *events);
/* After http_stop() is done: no stream is left then. */
void events_free(struct events *events);
void events_publish(struct events *events, const struct farm_event *event);

struct events_statistics {
    size_t clients;
    int64_t accepted, refused, replays;
};
struct events_statistics events_statistics(const struct events *events);

#endif
