/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: facts sent to other systems, signed as Standard Webhooks describe it.
 *
 * The ledger is the outbox. Each webhook has a cursor into it, reads on from there, and sends one fact after
 * the other until it was taken: in ledger order, at least once, whatever happens to the daemon or the
 * receiver. What a webhook is stands in the ledger (webhook.state); its secret and its cursor, which must
 * not, in <state>/webhooks.json. Each waits for itself only: a deaf receiver is nobody else's trouble. */
#ifndef FLASHFARM_API_WEBHOOKS_H
#define FLASHFARM_API_WEBHOOKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct webhooks;

struct webhooks_options {
    struct api *api;
    int retry_ms;  /* the first wait; each further one is twice as long, up to an hour */
    int give_up_s; /* a receiver that takes nothing for so long is given up */
};

/* Takes up what file and record say; holds the http until it has stopped. */
struct webhooks *webhooks_new(const struct webhooks_options *options);
void webhooks_stop(struct webhooks *webhooks);
/* After http_stop() is done. */
void webhooks_free(struct webhooks *webhooks);
/* There is a new fact. */
void webhooks_wake(struct webhooks *webhooks);

/* How long to wait after so many failures in a row: exponential, with jitter of a quarter down. `random` is
 * any number. */
int64_t webhook_delay_ms(int retry_ms, unsigned failures, uint32_t random);
/* "v1," and base64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY" into `text` (at least 48 bytes). */
void webhook_sign(const uint8_t *secret, size_t secret_size, const char *id, int64_t timestamp_s,
                  const char *body, char text[48]);

struct webhooks_statistics {
    size_t active, disabled;
    int64_t sent, failed; /* requests since the start */
    int64_t behind;       /* facts that the slowest active one has still to look at */
};
struct webhooks_statistics webhooks_statistics(const struct webhooks *webhooks);

#endif
