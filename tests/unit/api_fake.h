/* SPDX-License-Identifier: Apache-2.0 */
/* A farm and a store small enough to see through, and a client that speaks to the api in the same thread. The
 * fake answers at a later turn of the loop, as the real ones do, or at once when asked to. */
#ifndef FLASHFARM_TESTS_API_FAKE_H
#define FLASHFARM_TESTS_API_FAKE_H

#include "api.h"
#include "farm.h"
#include "store.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct farm {
    struct fake *fake;
};
struct store {
    struct fake *fake;
};

struct fake {
    uv_loop_t loop;
    struct farm farm;
    struct store store;
    struct api *api;
    struct log_output log;
    char directory[64]; /* of uploads */
    json_t *ledger, *runs, *station;
    struct error refusal; /* code not 0: every answer is this */
    bool at_once;         /* answer before returning */
    bool mute;            /* never answer, until it is false again */
    int owed;             /* answers under way */
    int ledger_queries;   /* asked so far */
    int stops;            /* calls of api_stop()'s done */
    bool repeated;        /* the next job is a repetition */
    char by[32], key[300], upload_name[300];
    char uploaded[128]; /* what the last upload held */
    int64_t uploaded_size;
    bool has_base;
    uint32_t base;
    char said[200];      /* the last command of api_fake_factory.c */
    int64_t recipe_fact; /* of its recipe */
};

#define FAKE_KEY "correct-horse-battery-staple"
#define AUTH     "Host: localhost\r\nAuthorization: Bearer " FAKE_KEY "\r\n"

/* Fills in what every test uses; the caller changes what it likes before fake_start(). */
void fake_init(struct fake *fake, struct api_options *options);
void fake_start(struct fake *fake, const struct api_options *options);
/* Stops the api, runs the loop until nothing is left, and checks that. */
void fake_stop(struct fake *fake);

/* Appends to the ledger and publishes. */
void fake_fact(struct fake *fake, const char *kind, json_t *body);
/* Only to the ledger, as before the daemon was started. */
void fake_old_fact(struct fake *fake, const char *kind, json_t *body);
void fake_progress(struct fake *fake, const char *station, int percent);
void fake_add_run(struct fake *fake, json_t *run);

/* What the fake's own files answer with: a value (taken; NULL is -ENOENT), or that it is done. */
void fake_answer(struct fake *fake, json_t *value, farm_answer *answer, void *context);
void fake_done(struct fake *fake, farm_done *done, void *context);

/* Connects; the socket does not block. */
int client_open(const struct fake *fake);
void client_send(struct fake *fake, int fd, const char *text, size_t size);
/* Runs the loop until `want` is in what was received since the buffer's start, the connection is closed, or
 * ten seconds have passed. Returns the number of bytes in `buffer`, which is kept terminated. */
size_t client_receive(struct fake *fake, int fd, char *buffer, size_t size, const char *want);
/* Runs the loop for a while. */
void client_idle(struct fake *fake, int ms);
/* True when the other side has closed. */
bool client_closed(struct fake *fake, int fd);

/* One request on a connection of its own; `head` is request line and headers with CRLF each. Returns the
 * whole answer, which the caller frees. */
char *fake_ask(struct fake *fake, const char *head, const char *body);
/* As above with the usual headers: "GET /v1/chips". */
char *fake_get(struct fake *fake, const char *request);
int answer_status(const char *answer);
/* What follows the empty line. */
const char *answer_body(const char *answer);
/* True when there is such a header with this value. */
bool answer_has(const char *answer, const char *header);

#endif
