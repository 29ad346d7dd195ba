/* SPDX-License-Identifier: Apache-2.0 */
/* One webhook at work: reads on in the ledger from its cursor, sends one fact after the other, waits where a
 * receiver fails. */
#include "frame.h"
#include "webhook_parts.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PAGE_RECORDS 50
#define DELAY_MAX_MS 3600000

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
    hook_go_on(timer->data);
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
    hook_set_text(&hook->last_error, text);
    if (!hook->failures++) {
        hook->failing_since_us = now_us;
        log_warning(webhooks_log(hook->webhooks), "webhook %s (%s) fails, and will be tried again: %s",
                    hook->id, hook->url, text);
    }
    webhooks_save_soon(hook->webhooks);
    if (status == 410)
        hook_disable(hook, "the receiver answered 410: gone");
    else if (now_us - hook->failing_since_us >= options->give_up_s * INT64_C(1000000))
        hook_disable(hook, "the receiver has taken nothing for too long");
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
        log_notice(webhooks_log(hook->webhooks), "webhook %s (%s) is reached again", hook->id, hook->url);
    hook->delivered = hook->sending;
    hook->index++;
    hook->failures = 0;
    hook->failing_since_us = 0;
    hook_set_text(&hook->last_error, NULL);
    webhooks_save_soon(hook->webhooks);
    hook_go_on(hook);
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

    webhooks_hold(webhooks); /* `hook` may be freed, and its hold with it */
    hook->asking = false;
    if (hook->state == HOOK_REMOVED) {
        json_decref(answer);
        hook_free_when_quiet(hook);
    } else {
        json_decref(hook->page);
        hook->page = answer ? json_incref(json_object_get(answer, "items")) : NULL;
        hook->index = 0;
        json_decref(answer);
        if (json_array_size(hook->page)) {
            hook_go_on(hook);
        } else if (!webhooks->stopping) {
            log_warning(webhooks_log(webhooks), "webhook %s: the ledger does not show what follows %lld: %s",
                        hook->id, (long long)hook->delivered, error ? error->text : "nothing there");
            wait_and_retry(hook, webhooks->options.retry_ms);
        }
    }
    webhooks_release(webhooks);
}

/* The next fact that it wants, NULL at the end of the page. Passes over those it does not. */
static const json_t *next_fact(struct hook *hook)
{
    for (; hook->index < json_array_size(hook->page); hook->index++) {
        const json_t *fact = json_array_get(hook->page, hook->index);

        if (topic_wanted(hook->filter, json_string_value(json_object_get(fact, "kind"))))
            return fact;
        hook->delivered = json_integer_value(json_object_get(fact, "sequence"));
        webhooks_save_soon(hook->webhooks);
    }
    return NULL;
}

/* Does the next thing, unless one is being done. */
void hook_go_on(struct hook *hook)
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
