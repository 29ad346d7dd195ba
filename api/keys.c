/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include "alloc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct keys {
    size_t count;
    struct holder {
        char *name;
        unsigned char hash[crypto_hash_sha256_BYTES];
    } holders[];
};

struct keys *keys_new(const struct api_key *keys, size_t count)
{
    struct keys *new = allocate(1, sizeof *new + count * sizeof new->holders[0]);

    new->count = count;
    for (size_t i = 0; i < count; i++) {
        new->holders[i].name = copy_text(keys[i].name);
        (void)crypto_hash_sha256(new->holders[i].hash, (const unsigned char *)keys[i].key,
                                 strlen(keys[i].key));
    }
    return new;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        free(keys->holders[i].name);
    sodium_memzero(keys->holders, keys->count * sizeof keys->holders[0]);
    free(keys);
}

const char *keys_find(const struct keys *keys, const char *token)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    const char *name = NULL;

    if (!token)
        return NULL;
    (void)crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
    /* All of them, whichever matches: the time taken must not tell which. */
    for (size_t i = 0; i < keys->count; i++)
        if (!sodium_memcmp(hash, keys->holders[i].hash, sizeof hash))
            name = keys->holders[i].name;
    return name;
}
