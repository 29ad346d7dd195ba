/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the webhooks share: webhooks.c (what they are, file and record), webhook_sender.c
 * (sending), webhook_routes.c (what clients ask). Nobody else includes it. */
#ifndef FLASHFARM_API_WEBHOOK_PARTS_H
#define FLASHFARM_API_WEBHOOK_PARTS_H

#include "alloc.h"
#include "context.h"
#include "outgoing.h"
#include "webhooks.h"

#include <stdlib.h>

#define SECRET_MIN_BYTES 24
#define SECRET_MAX_BYTES 64
#define SECRET_PREFIX    "whsec_"

enum hook_state {
    HOOK_NEW, /* not yet in the record */
    HOOK_ACTIVE,
    HOOK_DISABLED,
    HOOK_REMOVED, /* waits for its callbacks, then it is gone */
};

struct hook {
    struct list node; /* in webhooks->hooks */
    struct webhooks *webhooks;
    enum hook_state state;
    char id[24];
    char *url, *by, *reason;
    json_t *topics;
    char *filter; /* the topics, as topic_wanted() takes them */
    uint8_t secret[SECRET_MAX_BYTES];
    size_t secret_size;

    int64_t delivered; /* every fact up to this one was taken, or was not asked for */
    json_t *page;      /* of the ledger, behind it */
    size_t index;      /* of the next record in it */
    bool asking;       /* the ledger has been asked */
    struct outgoing_call *call;
    int64_t sending; /* the fact that is on its way */
    uv_timer_t retry;
    bool timer_closed;
    unsigned changes;         /* that still point here */
    bool removing;            /* one of them is its end */
    unsigned failures;        /* in a row */
    int64_t failing_since_us; /* UTC; 0: it is not failing */
    char *last_error;
};

/* A request that waits for file and record. */
struct change {
    struct list node; /* in webhooks->changes while it waits for the file */
    struct hook *hook;
    struct request *request; /* NULL: nobody waits */
    int64_t generation;      /* of the file that has it */
    const char *state;       /* for the record */
    char *reason, *by;
};

struct webhooks {
    struct webhooks_options options;
    struct outgoing *outgoing;
    struct list hooks, changes;
    struct list waiting; /* requests, until file and record are read */
    size_t hook_count;
    char *path; /* NULL: nothing survives */
    bool loaded, load_failed, stopping;
    uv_timer_t save;
    bool unsaved; /* what the file should say has changed since it was begun last */
    bool saving, save_again;
    char *last_text;    /* what is still to be written when all the rest has stopped */
    int64_t generation; /* of the newest file that was begun */
    int64_t sent, failed;
};

/* The http waits for whatever comes back to us; the last release may be the end of `webhooks`. */
static inline void webhooks_hold(struct webhooks *webhooks)
{
    http_hold(webhooks->options.api->http);
}

static inline void webhooks_release(struct webhooks *webhooks)
{
    http_release(webhooks->options.api->http);
}

static inline struct log *webhooks_log(struct webhooks *webhooks)
{
    return &webhooks->options.api->log;
}

static inline const char *webhooks_hosts(const struct webhooks *webhooks)
{
    const char *hosts = webhooks->options.api->webhook_hosts;

    return hosts ? hosts : "";
}

static inline void hook_set_text(char **place, const char *text)
{
    free(*place);
    *place = text ? copy_text(text) : NULL;
}

/* --- webhooks.c */
struct hook *hook_new(struct webhooks *webhooks, const char *url, const json_t *topics, const char *by);
/* Takes it out of the list; it is freed once nothing comes back to it any more. */
void hook_remove(struct hook *hook);
void hook_free_when_quiet(struct hook *hook);
struct hook *hook_find(const struct webhooks *webhooks, const char *id);
/* False when it is no base64 of an acceptable length. */
bool hook_set_secret(struct hook *hook, const char *base64);
/* As clients see it. */
json_t *hook_describe(const struct hook *hook);
/* A state that the record shall have, and who waits for that (or NULL). */
struct change *hook_change_new(struct hook *hook, struct request *request, const char *state,
                               const char *reason, const char *by);
void hook_record(struct change *change);
void hook_disable(struct hook *hook, const char *reason);
/* Now, or soon, together with what else changes. */
void webhooks_save(struct webhooks *webhooks);
void webhooks_save_soon(struct webhooks *webhooks);

/* --- webhook_sender.c: does the next thing, unless one is being done */
void hook_go_on(struct hook *hook);

/* --- webhook_routes.c: requests that came before file and record were read */
void webhooks_handle_waiting(struct webhooks *webhooks);

#endif
