/* SPDX-License-Identifier: Apache-2.0 */
#include "limit.h"

#include "alloc.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4096

struct door {
    int tries;
    bool told;
    int64_t until_us;
};

struct limits {
    unsigned char key[crypto_shorthash_KEYBYTES]; /* nobody can choose with whom he shares */
    int64_t buckets[SLOTS];
    struct door doors[SLOTS];
};

int64_t rate_take(const struct rate *rate, int64_t *arrival_us, int64_t now_us)
{
    int64_t arrival = *arrival_us > now_us ? *arrival_us : now_us;
    int64_t wait_us = arrival + rate->every_us - now_us - rate->depth_us;

    if (wait_us > 0)
        return wait_us;
    *arrival_us = arrival + rate->every_us;
    return 0;
}

struct limits *limits_new(void)
{
    struct limits *limits = allocate(1, sizeof *limits);

    randombytes_buf(limits->key, sizeof limits->key);
    return limits;
}

void limits_free(struct limits *limits)
{
    free(limits);
}

static size_t slot_of(const struct limits *limits, const char *name)
{
    unsigned char hash[crypto_shorthash_BYTES];

    (void)crypto_shorthash(hash, (const unsigned char *)name, strlen(name), limits->key);
    return (hash[0] | (size_t)hash[1] << 8) % SLOTS;
}

int64_t *limits_bucket(struct limits *limits, const char *name)
{
    return &limits->buckets[slot_of(limits, name)];
}

int64_t lock_out_left_us(struct limits *limits, const char *name, int64_t now_us, bool *first)
{
    struct door *door = &limits->doors[slot_of(limits, name)];

    *first = false;
    if (door->until_us <= now_us)
        return 0;
    *first = !door->told;
    door->told = true;
    return door->until_us - now_us;
}

void lock_out_try(struct limits *limits, const char *name, int64_t now_us, int64_t lock_us)
{
    struct door *door = &limits->doors[slot_of(limits, name)];

    if (now_us - door->until_us > LOCK_FORGET_US)
        door->tries = 0;
    door->tries++;
    door->until_us = now_us;
    if (door->tries < TRIES_FREE)
        return;
    for (int i = TRIES_FREE; i < door->tries && lock_us < LOCK_MAX_US; i++)
        lock_us *= 2;
    door->until_us = now_us + (lock_us < LOCK_MAX_US ? lock_us : LOCK_MAX_US);
    door->told = false;
}

void lock_out_clear(struct limits *limits, const char *name)
{
    limits->doors[slot_of(limits, name)] = (struct door){.tries = 0};
}
