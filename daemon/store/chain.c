/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(CHAIN_HASH_SIZE == crypto_hash_sha256_BYTES, "the chain is made of SHA-256");

static void add_text(crypto_hash_sha256_state *state, const char *text, const char *end)
{
    (void)crypto_hash_sha256_update(state, (const unsigned char *)text, strlen(text));
    (void)crypto_hash_sha256_update(state, (const unsigned char *)end, strlen(end));
}

void chain_extend(struct chain *chain, const struct chain_record *record)
{
    crypto_hash_sha256_state state;
    char numbers[64];

    (void)snprintf(numbers, sizeof numbers, "%" PRId64 "\n%" PRId64 "\n%" PRId64, record->sequence,
                   record->utc_us, record->monotonic_us);
    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, chain->hash, sizeof chain->hash);
    add_text(&state, numbers, "\n");
    add_text(&state, record->clock, "\n");
    add_text(&state, record->boot, "\n");
    add_text(&state, record->kind, "\n");
    add_text(&state, record->body, "");
    (void)crypto_hash_sha256_final(&state, chain->hash);
    chain->sequence = record->sequence;
}
