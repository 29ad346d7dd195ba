/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "alloc.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX  1024
#define SESSIONS_EACH 32 /* of one name */

struct sessions {
    size_t count;
    struct session items[SESSIONS_MAX]; /* oldest first */
};

struct sessions *sessions_new(void)
{
    return allocate(1, sizeof(struct sessions));
}

void sessions_free(struct sessions *sessions)
{
    if (sessions)
        sodium_memzero(sessions->items, sizeof sessions->items);
    free(sessions);
}

static void drop(struct sessions *sessions, size_t at)
{
    sessions->count--;
    memmove(&sessions->items[at], &sessions->items[at + 1],
            (sessions->count - at) * sizeof sessions->items[0]);
}

uint64_t sessions_make_room(struct sessions *sessions, const char *name)
{
    size_t oldest = 0, count = 0;
    uint64_t credential;

    for (size_t i = sessions->count; i-- > 0;)
        if (!strcmp(sessions->items[i].name, name)) {
            oldest = i;
            count++;
        }
    if (count < SESSIONS_EACH)
        oldest = 0;
    if (count < SESSIONS_EACH && sessions->count < SESSIONS_MAX)
        return 0;
    credential = sessions->items[oldest].credential;
    drop(sessions, oldest);
    return credential;
}

struct session *session_admit(struct sessions *sessions, const unsigned char hash[SESSION_HASH_BYTES],
                              const char *name, uint64_t credential, int64_t expires_us)
{
    struct session *session;

    if (sessions->count == SESSIONS_MAX)
        drop(sessions, 0);
    session = &sessions->items[sessions->count++];
    *session = (struct session){.credential = credential, .expires_us = expires_us};
    memcpy(session->hash, hash, SESSION_HASH_BYTES);
    (void)snprintf(session->name, sizeof session->name, "%s", name);
    return session;
}

static void hash_token(const char *token, unsigned char hash[SESSION_HASH_BYTES])
{
    (void)crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
}

struct session *session_open(struct sessions *sessions, const char *name, uint64_t credential,
                             int64_t expires_us, char token[SESSION_TOKEN_MAX])
{
    unsigned char secret[32], hash[SESSION_HASH_BYTES];

    randombytes_buf(secret, sizeof secret);
    (void)sodium_bin2base64(token, SESSION_TOKEN_MAX, secret, sizeof secret,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
    hash_token(token, hash);
    return session_admit(sessions, hash, name, credential, expires_us);
}

struct session *session_of_hash(struct sessions *sessions, const unsigned char hash[SESSION_HASH_BYTES],
                                int64_t now_us)
{
    struct session *found = NULL;

    for (size_t i = 0; i < sessions->count; i++)
        if (!sodium_memcmp(sessions->items[i].hash, hash, SESSION_HASH_BYTES))
            found = &sessions->items[i];
    return found && found->expires_us > now_us ? found : NULL;
}

const struct session *session_of_credential(const struct sessions *sessions, uint64_t credential)
{
    for (size_t i = 0; i < sessions->count; i++)
        if (sessions->items[i].credential == credential)
            return &sessions->items[i];
    return NULL;
}

struct session *session_of_token(struct sessions *sessions, const char *token, int64_t now_us)
{
    unsigned char hash[SESSION_HASH_BYTES];

    hash_token(token, hash);
    return session_of_hash(sessions, hash, now_us);
}

void sessions_end(struct sessions *sessions, session_test *which, const void *what, session_ended *ended,
                  void *context)
{
    for (size_t i = sessions->count; i-- > 0;) {
        uint64_t credential = sessions->items[i].credential;

        if (!which(&sessions->items[i], what))
            continue;
        drop(sessions, i);
        if (ended)
            ended(context, credential);
    }
}

void sessions_each(const struct sessions *sessions,
                   void (*each)(void *context, const struct session *session), void *context)
{
    for (size_t i = 0; i < sessions->count; i++)
        each(context, &sessions->items[i]);
}
