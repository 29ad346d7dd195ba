/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask of webhooks. */
#include "handlers.h"
#include "reply.h"
#include "webhook_parts.h"

#include <sodium.h>
#include <string.h>

#define WEBHOOKS_MAX  32
#define TOPICS_MAX    32
#define URL_MAX_BYTES 1000

/* --- Requests that come while file and record are read ---------------------------------------------------
 */

typedef void handler(struct webhooks *webhooks, struct request *request);

struct waiting {
    struct list node;
    struct request *request;
    handler *handle;
};

/* True when it can be handled now; else it waits, or was answered. */
static bool is_ready(struct webhooks *webhooks, struct request *request, handler *handle)
{
    struct reply reply = {.status = 0};
    struct waiting *waiting;

    if (webhooks->loaded && !webhooks->stopping)
        return true;
    if (!webhooks->load_failed && !webhooks->stopping) {
        waiting = allocate(1, sizeof *waiting);
        waiting->request = request;
        waiting->handle = handle;
        list_append(&webhooks->waiting, &waiting->node);
        return false;
    }
    reply_add_header(&reply, "Retry-After", "5");
    reply_problem_with(request, PROBLEM_UNAVAILABLE,
                       webhooks->stopping ? "the daemon stops"
                                          : "webhooks.json or the record cannot be read; see the log",
                       NULL, &reply);
    return false;
}

void webhooks_handle_waiting(struct webhooks *webhooks)
{
    LIST_EACH (node, &webhooks->waiting) {
        struct waiting *waiting = LIST_ENTRY(node, struct waiting, node);

        list_remove(node);
        waiting->handle(webhooks, waiting->request);
        free(waiting);
    }
}

/* --- Requests ------------------------------------------------------------------------------------------- */

static void list(struct webhooks *webhooks, struct request *request)
{
    json_t *items;

    if (!is_ready(webhooks, request, list))
        return;
    items = json_array();
    LIST_EACH (node, &webhooks->hooks) {
        const struct hook *hook = LIST_ENTRY(node, struct hook, node);

        if (hook->state != HOOK_NEW)
            (void)json_array_append_new(items, hook_describe(hook));
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
    else if (outgoing_check_url(url, webhooks_hosts(webhooks), &error))
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
               hook_set_secret(hook, given + sizeof SECRET_PREFIX - 1);
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

static void create(struct webhooks *webhooks, struct request *request)
{
    const json_t *secret = json_object_get(request->json, "secret");
    struct change *change;
    struct hook *hook;
    int64_t delivered;

    if (!is_ready(webhooks, request, create) || !check_order(webhooks, request) ||
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
    change = hook_change_new(hook, request, "active", "", request->by);
    change->generation = webhooks->generation + 1;
    webhooks->unsaved = true;
    list_append(&webhooks->changes, &change->node);
    webhooks_save(webhooks);
}

static void remove_one(struct webhooks *webhooks, struct request *request)
{
    const char *id = request->match.parts[0];
    struct hook *hook;

    if (!is_ready(webhooks, request, remove_one))
        return;
    hook = hook_find(webhooks, id);
    if (!hook || hook->state == HOOK_NEW || hook->removing) {
        reply_problem(request, PROBLEM_NOT_FOUND, "no webhook is named '%s'", id);
        return;
    }
    hook->removing = true;
    hook_record(hook_change_new(hook, request, "removed", "", request->by));
}

void get_webhooks(struct request *request)
{
    const struct api *api = request->context;

    list(api->webhooks, request);
}

void post_webhook(struct request *request)
{
    const struct api *api = request->context;

    create(api->webhooks, request);
}

void delete_webhook(struct request *request)
{
    const struct api *api = request->context;

    remove_one(api->webhooks, request);
}
