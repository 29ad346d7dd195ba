/* SPDX-License-Identifier: Apache-2.0 */
/* The REST interface and the event stream of one farm, on the loop. This is all that main.c knows of api/:
 * it starts it, hands it every event of the farm, and stops it. What the interface offers is written in
 * schema/openapi.yaml. It knows no port, no protocol and no SQL. */
#ifndef FLASHFARM_API_API_H
#define FLASHFARM_API_API_H

#include "clock.h"
#include "log.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

struct api;
struct farm;
struct farm_event;
struct store;

/* Who may call: `name` is what goes into the record as `by`, `key` the secret text. */
struct api_key {
    const char *name, *key;
    unsigned roles; /* of roles.h; 0: all of them */
    bool local;     /* made by the daemon itself: it opens only to who calls from this host */
};

/* How late the loop was, counted by main: counts[i] are lags of at most api_lag_bounds_us[i], the last one
 * those above every bound. */
#define API_LAG_BOUNDS 8
extern const int64_t api_lag_bounds_us[API_LAG_BOUNDS];
struct api_lag {
    int64_t counts[API_LAG_BOUNDS + 1];
    int64_t sum_us;
};
void api_lag_add(struct api_lag *lag, int64_t lag_us);

/* Everything is borrowed: the texts and keys until api_start() returns, the objects until api_stop() is done.
 */
struct api_options {
    uv_loop_t *loop;
    struct farm *farm;
    struct store *store;
    const struct clock *clock;
    const struct log_output *log;
    const char *listen;  /* "127.0.0.1:8470", "[::1]:8470"; port 0 takes a free one */
    const char *version; /* of the daemon */
    const struct api_key *keys;
    size_t key_count;         /* at least one */
    bool keys_are_generated;  /* by the daemon itself, not given by a person: enough on loopback only */
    const char *const *hosts; /* further names that may stand in Host: on a loopback address */
    size_t host_count;
    const struct api_lag *lag; /* for /metrics; may be NULL */

    /* Directory of what is neither record nor image: access.json (keys and users made through the interface),
     * webhooks, backups. NULL: keys, users and sessions live as long as the api. */
    const char *state;
    const char *origin;                    /* who signs checkpoints: "flashfarm/HOST"; may be NULL */
    const char *tls_certificate, *tls_key; /* PEM files; NULL or empty: plain HTTP, on loopback only */
    const char *tls_client_ca;             /* PEM file; NULL or empty: clients show no certificate */
    const char *webhook_hosts;             /* blank-separated HOST or HOST:PORT; NULL or empty: none */

    /* 0: what is usual. Tests make them small. */
    int webhook_retry_ms;  /* the first wait for a receiver that fails; then twice as long each time: 1000 */
    int webhook_give_up_s; /* one that takes nothing for so long is given up: three days */
    int heartbeat_ms;      /* comment on a silent event stream: 15 000 */
    int stall_s;           /* a client that reads nothing for so long is dropped: 30 */
    size_t event_clients;  /* at most so many event streams: 600 */
    size_t event_ring;     /* facts kept in memory for them: 1024 */
    int idle_s;            /* a silent connection is closed: 30 */
    int header_s, body_s;  /* a request's header and body may take: 10, 300 */
    unsigned connections;  /* at most so many: 4096 */
    int rate_per_s,
        rate_burst;  /* requests of one key or address: 200 and 400; the daemon's own key is free */
    int session_s;   /* a log-in holds so long: 8 hours */
    int lock_out_ms; /* the first lock-out after 5 failures; each further one doubles it: 2000 */
};

/* Listens and answers from now on. -EINVAL with a sentence for options that make no sense, else a negative
 * errno of the socket. */
int api_start(struct api **api, const struct api_options *options, struct error *error);

/* The port it listens on, and "http://127.0.0.1:8470". */
int api_bound_port(const struct api *api);
const char *api_url(const struct api *api);

/* Tells the event streams. Facts must come in ledger order; the event is borrowed for the call. */
void api_publish(struct api *api, const struct farm_event *event);

/* Takes no new connections, ends event streams, answers what waits with 503, and calls `done` when nothing
 * of it is left: after that neither farm nor store will be called, and the api is gone. Farm and store must
 * still call back what they owe. */
typedef void api_done(void *context);
void api_stop(struct api *api, api_done *done, void *context);

/* One line per route: method, blank, path template. */
void api_print_routes(FILE *file);

#endif
