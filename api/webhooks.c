/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks.h"

#include "alloc.h"
#include "context.h"
#include "frame.h"
#include "outgoing.h"
#include "reply.h"
#include "webhook_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEBHOOKS_MAX     32
#define PAGE_RECORDS     50
#define SAVE_DELAY_MS    2000
#define DELAY_MAX_MS     3600000
#define SECRET_MIN_BYTES 24
#define SECRET_MAX_BYTES 64
#define SECRET_PREFIX    "whsec_"
#define TOPICS_MAX       32
#define URL_MAX_BYTES    1000
#define BY_DAEMON        "daemon"

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
    size_t hook_count;
    char *path; /* NULL: nothing survives */
    bool loaded, stopping;
    uv_timer_t save;
    bool unsaved; /* what the file should say has changed since it was begun last */
    bool saving, save_again;
    char *last_text;    /* what is still to be written when all the rest has stopped */
    int64_t generation; /* of the newest file that was begun */
    int64_t sent, failed;
};

static void go_on(struct hook *hook);

/* The http waits for whatever comes back to us; the last release may be the end of `webhooks`. */
static void hold(struct webhooks *webhooks)
{
    http_hold(webhooks->options.api->http);
}

static void release(struct webhooks *webhooks)
{
    http_release(webhooks->options.api->http);
}

static struct log *log_of(struct webhooks *webhooks)
{
    return &webhooks->options.api->log;
}

static const char *hosts_of(const struct webhooks *webhooks)
{
    const char *hosts = webhooks->options.api->webhook_hosts;

    return hosts ? hosts : "";
}

static void set_text(char **place, const char *text)
{
    free(*place);
    *place = text ? copy_text(text) : NULL;
}

/* --- The file: secrets and cursors ---------------------------------------------------------------------- */

struct saving {
    uv_work_t work;
    struct webhooks *webhooks;
    char *path, *text;
    int64_t generation;
    int status;
    struct error error;
};

static json_t *describe_for_file(const struct hook *hook)
{
    char secret[sodium_base64_ENCODED_LEN(SECRET_MAX_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    json_t *object;

    (void)sodium_bin2base64(secret, sizeof secret, hook->secret, hook->secret_size,
                            sodium_base64_VARIANT_ORIGINAL);
    object = json_pack("{s:s, s:s, s:I, s:I, s:I}", "id", hook->id, "secret", secret, "delivered",
                       (json_int_t)hook->delivered, "failures", (json_int_t)hook->failures,
                       "failing_since_us", (json_int_t)hook->failing_since_us);
    sodium_memzero(secret, sizeof secret);
    return object;
}

static char *write_out(const struct webhooks *webhooks)
{
    json_t *items = json_array(), *all;
    char *text;

    LIST_EACH (node, &webhooks->hooks) {
        const struct hook *hook = LIST_ENTRY(node, struct hook, node);

        if (hook->state != HOOK_REMOVED)
            (void)json_array_append_new(items, describe_for_file(hook));
    }
    all = json_pack("{s:o}", "webhooks", items);
    text = json_dumps(all, JSON_INDENT(1));
    json_decref(all);
    return text;
}

static void save_file(uv_work_t *work)
{
    struct saving *saving = work->data;

    saving->status = webhook_file_write(saving->path, saving->text, &saving->error);
}

static void on_saved_up_to(struct webhooks *webhooks, int64_t generation, const struct error *error);

static void begin_save(struct webhooks *webhooks);
static void start_saving(struct webhooks *webhooks, char *text);

static void on_saved(uv_work_t *work, int status)
{
    struct saving *saving = work->data;
    struct webhooks *webhooks = saving->webhooks;

    (void)status;
    webhooks->saving = false;
    if (saving->status) {
        log_warning(log_of(webhooks), "webhooks: %s", saving->error.text);
        webhooks->unsaved = true;
    }
    on_saved_up_to(webhooks, saving->generation, saving->status ? &saving->error : NULL);
    sodium_memzero(saving->text, strlen(saving->text));
    free(saving->text);
    free(saving->path);
    free(saving);
    if (webhooks->last_text) {
        start_saving(webhooks, webhooks->last_text);
        webhooks->last_text = NULL;
    } else if (webhooks->save_again && !webhooks->stopping) {
        begin_save(webhooks);
    }
    release(webhooks);
}

/* Takes the text. */
static void start_saving(struct webhooks *webhooks, char *text)
{
    struct saving *saving = allocate(1, sizeof *saving);

    saving->work.data = saving;
    saving->webhooks = webhooks;
    saving->path = copy_text(webhooks->path);
    saving->text = text;
    saving->generation = ++webhooks->generation;
    webhooks->saving = true;
    webhooks->unsaved = webhooks->save_again = false;
    hold(webhooks);
    (void)uv_queue_work(webhooks->options.api->loop, &saving->work, save_file, on_saved);
}

static void begin_save(struct webhooks *webhooks)
{
    if (!webhooks->path)
        on_saved_up_to(webhooks, ++webhooks->generation, NULL);
    else if (webhooks->saving)
        webhooks->save_again = true;
    else
        start_saving(webhooks, write_out(webhooks));
}

static void on_save_time(uv_timer_t *timer)
{
    begin_save(timer->data);
}

/* Soon, together with what else changes: a cursor that is too old only repeats what the receiver then drops.
 */
static void save_soon(struct webhooks *webhooks)
{
    webhooks->unsaved = true;
    if (!webhooks->stopping && !uv_is_active((uv_handle_t *)&webhooks->save))
        (void)uv_timer_start(&webhooks->save, on_save_time, SAVE_DELAY_MS, 0);
}

/* --- One webhook ---------------------------------------------------------------------------------------- */

static void hook_free(struct hook *hook)
{
    sodium_memzero(hook->secret, sizeof hook->secret);
    json_decref(hook->topics);
    json_decref(hook->page);
    free(hook->filter);
    free(hook->url);
    free(hook->by);
    free(hook->reason);
    free(hook->last_error);
    free(hook);
}

static void free_when_quiet(struct hook *hook)
{
    struct webhooks *webhooks = hook->webhooks;

    if (hook->state != HOOK_REMOVED || hook->asking || hook->changes || !hook->timer_closed)
        return;
    hook_free(hook);
    release(webhooks);
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct hook *hook = handle->data;

    hook->timer_closed = true;
    free_when_quiet(hook);
}

/* Takes it out of the list; it is freed once nothing comes back to it any more. */
static void hook_remove(struct hook *hook)
{
    if (hook->state == HOOK_REMOVED)
        return;
    hook->state = HOOK_REMOVED;
    list_remove(&hook->node);
    hook->webhooks->hook_count--;
    if (hook->call)
        outgoing_cancel(hook->call);
    hook->call = NULL;
    uv_close((uv_handle_t *)&hook->retry, on_retry_closed);
}

static char *join_topics(const json_t *topics)
{
    char *text = copy_text("");
    const json_t *topic;
    size_t i;

    json_array_foreach (topics, i, topic) {
        char *longer = format_text("%s%s%s", text, i ? "," : "", json_string_value(topic));

        free(text);
        text = longer;
    }
    return text;
}

static struct hook *hook_new(struct webhooks *webhooks, const char *url, const json_t *topics, const char *by)
{
    struct hook *hook = allocate(1, sizeof *hook);

    hook->webhooks = webhooks;
    hook->url = copy_text(url);
    hook->by = copy_text(by);
    hook->reason = copy_text("");
    hook->topics = topics ? json_deep_copy(topics) : json_array();
    hook->filter = join_topics(hook->topics);
    (void)uv_timer_init(webhooks->options.api->loop, &hook->retry);
    hook->retry.data = hook;
    list_append(&webhooks->hooks, &hook->node);
    webhooks->hook_count++;
    hold(webhooks);
    return hook;
}

static struct hook *find_hook(const struct webhooks *webhooks, const char *id)
{
    LIST_EACH (node, &webhooks->hooks) {
        struct hook *hook = LIST_ENTRY(node, struct hook, node);

        if (!strcmp(hook->id, id))
            return hook;
    }
    return NULL;
}

static bool set_secret(struct hook *hook, const char *base64)
{
    return sodium_base642bin(hook->secret, sizeof hook->secret, base64, strlen(base64), NULL,
                             &hook->secret_size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           hook->secret_size >= SECRET_MIN_BYTES;
}

static json_t *describe(const struct hook *hook)
{
    return json_pack("{s:s, s:s, s:O, s:s, s:s, s:s, s:I, s:I, s:s?}", "id", hook->id, "url", hook->url,
                     "topics", hook->topics, "state", hook->state == HOOK_ACTIVE ? "active" : "disabled",
                     "reason", hook->reason, "by", hook->by, "delivered", (json_int_t)hook->delivered,
                     "failures", (json_int_t)hook->failures, "last_error", hook->last_error);
}

static json_t *describe_for_record(const struct hook *hook, const char *state, const char *reason,
                                   const char *by)
{
    return json_pack("{s:s, s:s, s:O, s:s, s:s, s:s}", "id", hook->id, "url", hook->url, "topics",
                     hook->topics, "state", state, "reason", reason, "by", by);
}

/* --- Changes, each of them a fact ----------------------------------------------------------------------- */

static struct change *change_new(struct hook *hook, struct request *request, const char *state,
                                 const char *reason, const char *by)
{
    struct change *change = allocate(1, sizeof *change);

    list_init(&change->node);
    change->hook = hook;
    change->request = request;
    change->state = state;
    change->reason = copy_text(reason);
    change->by = copy_text(by);
    hook->changes++;
    hold(hook->webhooks);
    return change;
}

static void change_free(struct change *change)
{
    struct hook *hook = change->hook;
    struct webhooks *webhooks = hook->webhooks;

    list_remove(&change->node);
    free(change->reason);
    free(change->by);
    free(change);
    hook->changes--;
    free_when_quiet(hook);
    release(webhooks);
}

static void answer_created(const struct hook *hook, struct request *request)
{
    char secret[sizeof SECRET_PREFIX +
                sodium_base64_ENCODED_LEN(SECRET_MAX_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    json_t *body = describe(hook);

    memcpy(secret, SECRET_PREFIX, sizeof SECRET_PREFIX);
    (void)sodium_bin2base64(secret + sizeof SECRET_PREFIX - 1, sizeof secret - sizeof SECRET_PREFIX + 1,
                            hook->secret, hook->secret_size, sodium_base64_VARIANT_ORIGINAL);
    (void)json_object_set_new(body, "secret", json_string(secret));
    sodium_memzero(secret, sizeof secret);
    reply_json(request, 201, body);
}

static void apply(struct change *change)
{
    struct hook *hook = change->hook;
    struct reply reply = {.status = 204};

    if (!strcmp(change->state, "active")) {
        if (hook->state == HOOK_NEW)
            hook->state = HOOK_ACTIVE;
        if (change->request)
            answer_created(hook, change->request);
        go_on(hook);
    } else if (!strcmp(change->state, "removed")) {
        if (change->request)
            reply_empty(change->request, 204, &reply);
        save_soon(hook->webhooks);
        hook_remove(hook);
    }
}

static void on_recorded(void *context, int status, const struct error *error)
{
    struct change *change = context;
    struct hook *hook = change->hook;
    struct webhooks *webhooks = hook->webhooks;

    if (!status) {
        apply(change);
    } else {
        log_error(log_of(webhooks), "webhook %s: that it is %s cannot be recorded: %s", hook->id,
                  change->state, error->text);
        if (change->request)
            reply_error(change->request, error);
        hook->removing = false;
        if (hook->state == HOOK_NEW)
            hook_remove(hook);
    }
    change_free(change);
}

static void record(struct change *change)
{
    struct hook *hook = change->hook;
    struct store_fact fact = {.kind = "webhook.state",
                              .body = describe_for_record(hook, change->state, change->reason, change->by)};

    store_append(hook->webhooks->options.api->store, &fact, 1, on_recorded, change);
}

/* Secrets first: a webhook of the record without its secret could send nothing. */
static void on_saved_up_to(struct webhooks *webhooks, int64_t generation, const struct error *error)
{
    LIST_EACH (node, &webhooks->changes) {
        struct change *change = LIST_ENTRY(node, struct change, node);

        if (change->generation > generation)
            continue;
        list_remove(&change->node);
        if (!error) {
            record(change);
        } else {
            if (change->request)
                reply_error(change->request, error);
            hook_remove(change->hook);
            change_free(change);
        }
    }
}

static void disable(struct hook *hook, const char *reason)
{
    log_warning(log_of(hook->webhooks), "webhook %s (%s) is disabled: %s", hook->id, hook->url, reason);
    hook->state = HOOK_DISABLED;
    set_text(&hook->reason, reason);
    save_soon(hook->webhooks);
    record(change_new(hook, NULL, "disabled", reason, BY_DAEMON));
}

/* --- Sending -------------------------------------------------------------------------------------------- */

int64_t webhook_delay_ms(int retry_ms, unsigned failures, uint32_t random)
{
    int64_t delay_ms = retry_ms;

    for (unsigned i = 1; i < failures && delay_ms < DELAY_MAX_MS; i++)
        delay_ms *= 2;
    if (delay_ms > DELAY_MAX_MS)
        delay_ms = DELAY_MAX_MS;
    /* Many that were cut off together shall not all come back together. */
    return delay_ms - delay_ms / 4 * (random % 1000) / 1000;
}

void webhook_sign(const uint8_t *secret, size_t secret_size, const char *id, int64_t timestamp_s,
                  const char *body, char text[48])
{
    crypto_auth_hmacsha256_state state;
    uint8_t hash[crypto_auth_hmacsha256_BYTES];
    char head[64];

    (void)snprintf(head, sizeof head, "%s.%lld.", id, (long long)timestamp_s);
    (void)crypto_auth_hmacsha256_init(&state, secret, secret_size);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)head, strlen(head));
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)body, strlen(body));
    (void)crypto_auth_hmacsha256_final(&state, hash);
    memcpy(text, "v1,", 4);
    (void)sodium_bin2base64(text + 3, 45, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(&state, sizeof state);
}

static void on_retry(uv_timer_t *timer)
{
    go_on(timer->data);
}

static void wait_and_retry(struct hook *hook, int64_t delay_ms)
{
    (void)uv_timer_start(&hook->retry, on_retry, (uint64_t)delay_ms, 0);
}

static void fail(struct hook *hook, unsigned status, const char *trouble)
{
    const struct webhooks_options *options = &hook->webhooks->options;
    int64_t now_us = clock_utc_us(options->api->clock);
    char text[300];

    if (status)
        (void)snprintf(text, sizeof text, "fact %lld: the receiver answered %u", (long long)hook->sending,
                       status);
    else
        (void)snprintf(text, sizeof text, "fact %lld: %s", (long long)hook->sending, trouble);
    set_text(&hook->last_error, text);
    if (!hook->failures++) {
        hook->failing_since_us = now_us;
        log_warning(log_of(hook->webhooks), "webhook %s (%s) fails, and will be tried again: %s", hook->id,
                    hook->url, text);
    }
    save_soon(hook->webhooks);
    if (status == 410)
        disable(hook, "the receiver answered 410: gone");
    else if (now_us - hook->failing_since_us >= options->give_up_s * INT64_C(1000000))
        disable(hook, "the receiver has taken nothing for too long");
    else
        wait_and_retry(hook, webhook_delay_ms(options->retry_ms, hook->failures, randombytes_random()));
}

static void on_sent(void *context, unsigned status, const char *trouble)
{
    struct hook *hook = context;

    hook->call = NULL;
    if (status < 200 || status > 299) {
        hook->webhooks->failed++;
        fail(hook, status, trouble);
        return;
    }
    hook->webhooks->sent++;
    if (hook->failures)
        log_notice(log_of(hook->webhooks), "webhook %s (%s) is reached again", hook->id, hook->url);
    hook->delivered = hook->sending;
    hook->index++;
    hook->failures = 0;
    hook->failing_since_us = 0;
    set_text(&hook->last_error, NULL);
    save_soon(hook->webhooks);
    go_on(hook);
}

static void send_fact(struct hook *hook, const json_t *fact)
{
    const struct webhooks *webhooks = hook->webhooks;
    int64_t now_s = clock_utc_us(webhooks->options.api->clock) / 1000000;
    char id[24], id_header[48], time_header[48], signature[48], signature_header[80];
    const char *const headers[] = {"Content-Type: application/json",
                                   "User-Agent: flashfarm",
                                   "Expect:",
                                   id_header,
                                   time_header,
                                   signature_header,
                                   NULL};
    char *body;

    hook->sending = json_integer_value(json_object_get(fact, "sequence"));
    body = format_text("{\"sequence\":%lld,\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":%s}",
                       (long long)hook->sending, json_string_value(json_object_get(fact, "kind")),
                       json_string_value(json_object_get(fact, "utc")),
                       json_string_value(json_object_get(fact, "canonical")));
    (void)snprintf(id, sizeof id, "%lld", (long long)hook->sending);
    webhook_sign(hook->secret, hook->secret_size, id, now_s, body, signature);
    (void)snprintf(id_header, sizeof id_header, "webhook-id: %s", id);
    (void)snprintf(time_header, sizeof time_header, "webhook-timestamp: %lld", (long long)now_s);
    (void)snprintf(signature_header, sizeof signature_header, "webhook-signature: %s", signature);
    hook->call = outgoing_post(
        webhooks->outgoing,
        &(struct outgoing_request){.url = hook->url, .headers = headers, .body = body, .size = strlen(body)},
        on_sent, hook);
    free(body);
}

static void on_ledger(void *context, json_t *answer, const struct error *error)
{
    struct hook *hook = context;
    struct webhooks *webhooks = hook->webhooks;

    hold(webhooks); /* `hook` may be freed, and its hold with it */
    hook->asking = false;
    if (hook->state == HOOK_REMOVED) {
        json_decref(answer);
        free_when_quiet(hook);
    } else {
        json_decref(hook->page);
        hook->page = answer ? json_incref(json_object_get(answer, "items")) : NULL;
        hook->index = 0;
        json_decref(answer);
        if (json_array_size(hook->page)) {
            go_on(hook);
        } else if (!webhooks->stopping) {
            log_warning(log_of(webhooks), "webhook %s: the ledger does not show what follows %lld: %s",
                        hook->id, (long long)hook->delivered, error ? error->text : "nothing there");
            wait_and_retry(hook, webhooks->options.retry_ms);
        }
    }
    release(webhooks);
}

/* The next fact that it wants, NULL at the end of the page. Passes over those it does not. */
static const json_t *next_fact(struct hook *hook)
{
    for (; hook->index < json_array_size(hook->page); hook->index++) {
        const json_t *fact = json_array_get(hook->page, hook->index);

        if (topic_wanted(hook->filter, json_string_value(json_object_get(fact, "kind"))))
            return fact;
        hook->delivered = json_integer_value(json_object_get(fact, "sequence"));
        save_soon(hook->webhooks);
    }
    return NULL;
}

/* Does the next thing, unless one is being done. */
static void go_on(struct hook *hook)
{
    struct webhooks *webhooks = hook->webhooks;
    struct store *store = webhooks->options.api->store;
    const json_t *fact;

    if (webhooks->stopping || hook->state != HOOK_ACTIVE || hook->asking || hook->call ||
        uv_is_active((uv_handle_t *)&hook->retry))
        return;
    fact = next_fact(hook);
    if (fact) {
        send_fact(hook, fact);
    } else if (hook->delivered < store_head_sequence(store)) {
        hook->asking = true;
        store_ledger(store, hook->delivered + 1, PAGE_RECORDS, on_ledger, hook);
    }
}

void webhooks_wake(struct webhooks *webhooks)
{
    LIST_EACH (node, &webhooks->hooks)
        go_on(LIST_ENTRY(node, struct hook, node));
}

/* --- Start ---------------------------------------------------------------------------------------------- */

static const json_t *find_in_file(const json_t *file, const char *id)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(file, "webhooks"), i, item) {
        const char *text = json_string_value(json_object_get(item, "id"));

        if (text && !strcmp(text, id))
            return item;
    }
    return NULL;
}

static void take_from_file(struct hook *hook, const json_t *kept)
{
    int64_t head = store_head_sequence(hook->webhooks->options.api->store);
    const char *secret = json_string_value(json_object_get(kept, "secret"));
    struct error error;

    hook->delivered = json_integer_value(json_object_get(kept, "delivered"));
    hook->failures = (unsigned)json_integer_value(json_object_get(kept, "failures"));
    hook->failing_since_us = json_integer_value(json_object_get(kept, "failing_since_us"));
    if (hook->delivered > head) {
        log_warning(log_of(hook->webhooks), "webhook %s: the record went back; facts after %lld are sent",
                    hook->id, (long long)head);
        hook->delivered = head;
    }
    if (hook->state != HOOK_ACTIVE)
        return;
    if (!secret || !set_secret(hook, secret))
        disable(hook, "its secret is not in webhooks.json any more");
    else if (outgoing_check_url(hook->url, hosts_of(hook->webhooks), &error))
        disable(hook, error.text);
}

static void take_up(struct webhooks *webhooks, const json_t *recorded, const json_t *file)
{
    const char *id = json_string_value(json_object_get(recorded, "id"));
    const char *state = json_string_value(json_object_get(recorded, "state"));
    const char *url = json_string_value(json_object_get(recorded, "url"));
    const char *by = json_string_value(json_object_get(recorded, "by"));
    const char *reason = json_string_value(json_object_get(recorded, "reason"));
    struct hook *hook;

    if (!id || !state || !url || !strcmp(state, "removed"))
        return;
    hook = hook_new(webhooks, url, json_object_get(recorded, "topics"), by ? by : "");
    (void)snprintf(hook->id, sizeof hook->id, "%s", id);
    hook->state = strcmp(state, "active") ? HOOK_DISABLED : HOOK_ACTIVE;
    set_text(&hook->reason, reason ? reason : "");
    take_from_file(hook, find_in_file(file, id));
}

static void on_webhooks(void *context, json_t *answer, const struct error *error)
{
    struct webhooks *webhooks = context;
    struct error trouble;
    json_t *file = webhooks->path ? webhook_file_read(webhooks->path, &trouble) : json_object();
    const json_t *recorded;
    size_t i;

    if (!answer)
        log_error(log_of(webhooks), "webhooks: the record cannot be asked: %s", error->text);
    else if (!file)
        log_error(log_of(webhooks), "webhooks: %s; put it right and start again: nothing is sent",
                  trouble.text);
    webhooks->loaded = answer && file;
    if (webhooks->loaded && !webhooks->stopping) {
        json_array_foreach (json_object_get(answer, "items"), i, recorded) {
            take_up(webhooks, recorded, file);
        }
        if (json_array_size(json_object_get(file, "webhooks")) > webhooks->hook_count)
            save_soon(webhooks); /* without the secrets of those that are no more */
        webhooks_wake(webhooks);
    }
    json_decref(file);
    json_decref(answer);
    release(webhooks);
}

struct webhooks *webhooks_new(const struct webhooks_options *options)
{
    struct webhooks *webhooks = allocate(1, sizeof *webhooks);
    struct api *api = options->api;

    webhooks->options = *options;
    list_init(&webhooks->hooks);
    list_init(&webhooks->changes);
    webhooks->path = api->state ? format_text("%s/webhooks.json", api->state) : NULL;
    webhooks->outgoing = outgoing_new(api->loop);
    (void)uv_timer_init(api->loop, &webhooks->save);
    webhooks->save.data = webhooks;
    hold(webhooks); /* for outgoing */
    hold(webhooks); /* for the timer */
    hold(webhooks); /* for the answer */
    store_webhooks(api->store, on_webhooks, webhooks);
    return webhooks;
}

/* --- Stop ----------------------------------------------------------------------------------------------- */

static void on_over(void *context)
{
    release(context);
}

static void on_save_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void webhooks_stop(struct webhooks *webhooks)
{
    if (webhooks->saving && webhooks->unsaved)
        webhooks->last_text = write_out(webhooks);
    else if (webhooks->unsaved)
        begin_save(webhooks);
    webhooks->stopping = true;
    LIST_EACH (node, &webhooks->hooks)
        hook_remove(LIST_ENTRY(node, struct hook, node));
    outgoing_stop(webhooks->outgoing, on_over, webhooks);
    uv_close((uv_handle_t *)&webhooks->save, on_save_closed);
}

void webhooks_free(struct webhooks *webhooks)
{
    free(webhooks->path);
    free(webhooks);
}

struct webhooks_statistics webhooks_statistics(const struct webhooks *webhooks)
{
    struct webhooks_statistics statistics = {.sent = webhooks->sent, .failed = webhooks->failed};
    int64_t head = store_head_sequence(webhooks->options.api->store);

    LIST_EACH (node, &webhooks->hooks) {
        const struct hook *hook = LIST_ENTRY(node, struct hook, node);

        statistics.active += hook->state == HOOK_ACTIVE;
        statistics.disabled += hook->state == HOOK_DISABLED;
        if (hook->state == HOOK_ACTIVE && head - hook->delivered > statistics.behind)
            statistics.behind = head - hook->delivered;
    }
    return statistics;
}

/* --- Requests ------------------------------------------------------------------------------------------- */

static bool is_ready(struct webhooks *webhooks, struct request *request)
{
    struct reply reply = {.status = 0};

    if (webhooks->loaded && !webhooks->stopping)
        return true;
    reply_add_header(&reply, "Retry-After", "2");
    reply_problem_with(request, PROBLEM_UNAVAILABLE, "webhooks.json and the record are not read yet", NULL,
                       &reply);
    return false;
}

void webhooks_list(struct webhooks *webhooks, struct request *request)
{
    json_t *items;

    if (!is_ready(webhooks, request))
        return;
    items = json_array();
    LIST_EACH (node, &webhooks->hooks) {
        const struct hook *hook = LIST_ENTRY(node, struct hook, node);

        if (hook->state != HOOK_NEW)
            (void)json_array_append_new(items, describe(hook));
    }
    reply_json(request, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

static bool topics_are_good(const json_t *topics)
{
    const json_t *topic;
    size_t i;

    if (!json_is_array(topics) || !json_array_size(topics) || json_array_size(topics) > TOPICS_MAX)
        return false;
    json_array_foreach (topics, i, topic) {
        const char *text = json_string_value(topic);
        size_t length = text ? strlen(text) : 0;

        if (!length || length > 32 || strspn(text, "abcdefghijklmnopqrstuvwxyz.-_") != length)
            return false;
    }
    return true;
}

static bool check_order(struct webhooks *webhooks, struct request *request)
{
    const char *url = json_string_value(json_object_get(request->json, "url"));
    const json_t *topics = json_object_get(request->json, "topics");
    struct error error;

    if (!body_members(request, "url topics secret from"))
        return false;
    if (!url || strlen(url) > URL_MAX_BYTES)
        reply_problem(request, PROBLEM_INVALID, "url: expected an address of at most %d bytes",
                      URL_MAX_BYTES);
    else if (outgoing_check_url(url, hosts_of(webhooks), &error))
        reply_problem(request, PROBLEM_INVALID, "url: %s", error.text);
    else if (topics && !topics_are_good(topics))
        reply_problem(request, PROBLEM_INVALID,
                      "topics: expected a list of 1 to %d beginnings of kinds of facts, such as \"run.\"",
                      TOPICS_MAX);
    else if (webhooks->hook_count >= WEBHOOKS_MAX)
        reply_problem(request, PROBLEM_INVALID, "there are %d webhooks already; remove one", WEBHOOKS_MAX);
    else
        return true;
    return false;
}

/* Where it begins; false when a problem was answered. */
static bool read_from(struct webhooks *webhooks, struct request *request, int64_t *delivered)
{
    const json_t *from = json_object_get(request->json, "from");
    int64_t head = store_head_sequence(webhooks->options.api->store);

    *delivered = from ? json_integer_value(from) - 1 : head;
    if (!from || (json_is_integer(from) && *delivered >= 0 && *delivered <= head))
        return true;
    reply_problem(request, PROBLEM_INVALID, "from: expected a sequence number from 1 to %lld",
                  (long long)head + 1);
    return false;
}

static bool make_secret(struct hook *hook, const char *given)
{
    if (given)
        return !strncmp(given, SECRET_PREFIX, sizeof SECRET_PREFIX - 1) &&
               set_secret(hook, given + sizeof SECRET_PREFIX - 1);
    hook->secret_size = 32;
    randombytes_buf(hook->secret, hook->secret_size);
    return true;
}

static void name_hook(struct hook *hook)
{
    uint8_t random[6];

    randombytes_buf(random, sizeof random);
    memcpy(hook->id, "wh_", 3);
    (void)sodium_bin2hex(hook->id + 3, sizeof hook->id - 3, random, sizeof random);
}

void webhooks_create(struct webhooks *webhooks, struct request *request)
{
    const json_t *secret = json_object_get(request->json, "secret");
    struct change *change;
    struct hook *hook;
    int64_t delivered;

    if (!is_ready(webhooks, request) || !check_order(webhooks, request) ||
        !read_from(webhooks, request, &delivered))
        return;
    hook = hook_new(webhooks, json_string_value(json_object_get(request->json, "url")),
                    json_object_get(request->json, "topics"), request->by);
    hook->delivered = delivered;
    name_hook(hook);
    if ((secret && !json_is_string(secret)) || !make_secret(hook, json_string_value(secret))) {
        reply_problem(request, PROBLEM_INVALID, "secret: expected \"%s\" and the base64 of %d to %d bytes",
                      SECRET_PREFIX, SECRET_MIN_BYTES, SECRET_MAX_BYTES);
        hook_remove(hook);
        return;
    }
    change = change_new(hook, request, "active", "", request->by);
    change->generation = webhooks->generation + 1;
    webhooks->unsaved = true;
    list_append(&webhooks->changes, &change->node);
    begin_save(webhooks);
}

void webhooks_remove(struct webhooks *webhooks, struct request *request)
{
    const char *id = request->match.parts[0];
    struct hook *hook;

    if (!is_ready(webhooks, request))
        return;
    hook = find_hook(webhooks, id);
    if (!hook || hook->state == HOOK_NEW || hook->removing) {
        reply_problem(request, PROBLEM_NOT_FOUND, "no webhook is named '%s'", id);
        return;
    }
    hook->removing = true;
    record(change_new(hook, request, "removed", "", request->by));
}
