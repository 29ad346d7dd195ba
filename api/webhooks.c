/* SPDX-License-Identifier: Apache-2.0 */
#include "webhooks.h"

#include "reply.h"
#include "webhook_file.h"
#include "webhook_parts.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_DELAY_MS 2000
#define BY_DAEMON     "daemon"

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

static void start_saving(struct webhooks *webhooks, char *text);

static void on_saved(uv_work_t *work, int status)
{
    struct saving *saving = work->data;
    struct webhooks *webhooks = saving->webhooks;

    (void)status;
    webhooks->saving = false;
    if (saving->status) {
        log_warning(webhooks_log(webhooks), "webhooks: %s", saving->error.text);
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
        webhooks_save(webhooks);
    }
    webhooks_release(webhooks);
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
    webhooks_hold(webhooks);
    (void)uv_queue_work(webhooks->options.api->loop, &saving->work, save_file, on_saved);
}

void webhooks_save(struct webhooks *webhooks)
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
    webhooks_save(timer->data);
}

/* Soon, together with what else changes: a cursor that is too old only repeats what the receiver then drops.
 */
void webhooks_save_soon(struct webhooks *webhooks)
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

void hook_free_when_quiet(struct hook *hook)
{
    struct webhooks *webhooks = hook->webhooks;

    if (hook->state != HOOK_REMOVED || hook->asking || hook->changes || !hook->timer_closed)
        return;
    hook_free(hook);
    webhooks_release(webhooks);
}

static void on_retry_closed(uv_handle_t *handle)
{
    struct hook *hook = handle->data;

    hook->timer_closed = true;
    hook_free_when_quiet(hook);
}

/* Takes it out of the list; it is freed once nothing comes back to it any more. */
void hook_remove(struct hook *hook)
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

struct hook *hook_new(struct webhooks *webhooks, const char *url, const json_t *topics, const char *by)
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
    webhooks_hold(webhooks);
    return hook;
}

struct hook *hook_find(const struct webhooks *webhooks, const char *id)
{
    LIST_EACH (node, &webhooks->hooks) {
        struct hook *hook = LIST_ENTRY(node, struct hook, node);

        if (!strcmp(hook->id, id))
            return hook;
    }
    return NULL;
}

bool hook_set_secret(struct hook *hook, const char *base64)
{
    return sodium_base642bin(hook->secret, sizeof hook->secret, base64, strlen(base64), NULL,
                             &hook->secret_size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           hook->secret_size >= SECRET_MIN_BYTES;
}

json_t *hook_describe(const struct hook *hook)
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

struct change *hook_change_new(struct hook *hook, struct request *request, const char *state,
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
    webhooks_hold(hook->webhooks);
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
    hook_free_when_quiet(hook);
    webhooks_release(webhooks);
}

static void answer_created(const struct hook *hook, struct request *request)
{
    char secret[sizeof SECRET_PREFIX +
                sodium_base64_ENCODED_LEN(SECRET_MAX_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    json_t *body = hook_describe(hook);

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
        hook_go_on(hook);
    } else if (!strcmp(change->state, "removed")) {
        if (change->request)
            reply_empty(change->request, 204, &reply);
        webhooks_save_soon(hook->webhooks);
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
        log_error(webhooks_log(webhooks), "webhook %s: that it is %s cannot be recorded: %s", hook->id,
                  change->state, error->text);
        if (change->request)
            reply_error(change->request, error);
        hook->removing = false;
        if (hook->state == HOOK_NEW)
            hook_remove(hook);
    }
    change_free(change);
}

void hook_record(struct change *change)
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
            hook_record(change);
        } else {
            if (change->request)
                reply_error(change->request, error);
            hook_remove(change->hook);
            change_free(change);
        }
    }
}

void hook_disable(struct hook *hook, const char *reason)
{
    log_warning(webhooks_log(hook->webhooks), "webhook %s (%s) is disabled: %s", hook->id, hook->url, reason);
    hook->state = HOOK_DISABLED;
    hook_set_text(&hook->reason, reason);
    webhooks_save_soon(hook->webhooks);
    hook_record(hook_change_new(hook, NULL, "disabled", reason, BY_DAEMON));
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
        log_warning(webhooks_log(hook->webhooks),
                    "webhook %s: the record went back; facts after %lld are sent", hook->id, (long long)head);
        hook->delivered = head;
    }
    if (hook->state != HOOK_ACTIVE)
        return;
    if (!secret || !hook_set_secret(hook, secret))
        hook_disable(hook, "its secret is not in webhooks.json any more");
    else if (outgoing_check_url(hook->url, webhooks_hosts(hook->webhooks), &error))
        hook_disable(hook, error.text);
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
    hook_set_text(&hook->reason, reason ? reason : "");
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
        log_error(webhooks_log(webhooks), "webhooks: the record cannot be asked: %s", error->text);
    else if (!file)
        log_error(webhooks_log(webhooks), "webhooks: %s; put it right and start again: nothing is sent",
                  trouble.text);
    webhooks->loaded = answer && file;
    webhooks->load_failed = !webhooks->loaded;
    if (webhooks->loaded && !webhooks->stopping) {
        json_array_foreach (json_object_get(answer, "items"), i, recorded) {
            take_up(webhooks, recorded, file);
        }
        if (json_array_size(json_object_get(file, "webhooks")) > webhooks->hook_count)
            webhooks_save_soon(webhooks); /* without the secrets of those that are no more */
        webhooks_wake(webhooks);
    }
    json_decref(file);
    json_decref(answer);
    webhooks_handle_waiting(webhooks);
    webhooks_release(webhooks);
}

struct webhooks *webhooks_new(const struct webhooks_options *options)
{
    struct webhooks *webhooks = allocate(1, sizeof *webhooks);
    struct api *api = options->api;

    webhooks->options = *options;
    list_init(&webhooks->hooks);
    list_init(&webhooks->changes);
    list_init(&webhooks->waiting);
    webhooks->path = api->state ? format_text("%s/webhooks.json", api->state) : NULL;
    webhooks->outgoing = outgoing_new(api->loop);
    (void)uv_timer_init(api->loop, &webhooks->save);
    webhooks->save.data = webhooks;
    webhooks_hold(webhooks); /* for outgoing */
    webhooks_hold(webhooks); /* for the timer */
    webhooks_hold(webhooks); /* for the answer */
    store_webhooks(api->store, on_webhooks, webhooks);
    return webhooks;
}

/* --- Stop ----------------------------------------------------------------------------------------------- */

static void on_over(void *context)
{
    webhooks_release(context);
}

static void on_save_closed(uv_handle_t *handle)
{
    webhooks_release(handle->data);
}

void webhooks_stop(struct webhooks *webhooks)
{
    if (webhooks->saving && webhooks->unsaved)
        webhooks->last_text = write_out(webhooks);
    else if (webhooks->unsaved)
        webhooks_save(webhooks);
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

void webhooks_wake(struct webhooks *webhooks)
{
    LIST_EACH (node, &webhooks->hooks)
        hook_go_on(LIST_ENTRY(node, struct hook, node));
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
