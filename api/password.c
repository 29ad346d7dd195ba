/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include "alloc.h"
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 16

struct hashing {
    struct list node;
    uv_work_t work;
    struct passwords *passwords;
    char *password; /* sodium_malloc() */
    char hash[crypto_pwhash_STRBYTES];
    bool check, good;
    password_done *done;
    void *context;
};

struct passwords {
    uv_loop_t *loop;
    struct list waiting;
    size_t count;
    bool busy;
    char nobody[crypto_pwhash_STRBYTES];
};

/* A well-formed hash that no known password has. */
static void make_nobody(char hash[crypto_pwhash_STRBYTES])
{
    unsigned char bytes[48];
    char salt[32], rest[64];

    randombytes_buf(bytes, sizeof bytes);
    (void)sodium_bin2base64(salt, sizeof salt, bytes, 16, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    (void)sodium_bin2base64(rest, sizeof rest, bytes + 16, 32, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    (void)snprintf(hash, crypto_pwhash_STRBYTES, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s",
                   (unsigned)(crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024),
                   (unsigned)crypto_pwhash_OPSLIMIT_INTERACTIVE, salt, rest);
}

struct passwords *passwords_new(uv_loop_t *loop)
{
    struct passwords *passwords = allocate(1, sizeof *passwords);

    passwords->loop = loop;
    list_init(&passwords->waiting);
    make_nobody(passwords->nobody);
    return passwords;
}

void passwords_free(struct passwords *passwords)
{
    free(passwords);
}

static void on_work(uv_work_t *work)
{
    struct hashing *hashing = work->data;
    size_t length = strlen(hashing->password);

    if (hashing->check)
        hashing->good = !crypto_pwhash_str_verify(hashing->hash, hashing->password, length);
    else
        hashing->good =
            !crypto_pwhash_str(hashing->hash, hashing->password, length, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                               crypto_pwhash_MEMLIMIT_INTERACTIVE);
}

static void start_next(struct passwords *passwords);

static void on_done(uv_work_t *work, int status)
{
    struct hashing *hashing = work->data;
    struct passwords *passwords = hashing->passwords;

    sodium_free(hashing->password); /* wipes it */
    passwords->busy = false;
    passwords->count--;
    start_next(passwords);
    hashing->done(hashing->context, !status && hashing->good, hashing->hash);
    sodium_memzero(hashing->hash, sizeof hashing->hash);
    free(hashing);
}

static void start_next(struct passwords *passwords)
{
    struct hashing *hashing;

    if (passwords->busy || list_empty(&passwords->waiting))
        return;
    hashing = LIST_ENTRY(passwords->waiting.next, struct hashing, node);
    list_remove(&hashing->node);
    passwords->busy = true;
    (void)uv_queue_work(passwords->loop, &hashing->work, on_work, on_done);
}

static bool enqueue(struct passwords *passwords, const char *password, const char *hash, password_done *done,
                    void *context)
{
    size_t size = strlen(password) + 1;
    struct hashing *hashing;

    if (passwords->count == WAITING_MAX)
        return false;
    hashing = allocate(1, sizeof *hashing);
    hashing->password = sodium_malloc(size);
    if (!hashing->password) {
        free(hashing);
        return false;
    }
    memcpy(hashing->password, password, size);
    hashing->passwords = passwords;
    hashing->work.data = hashing;
    hashing->check = hash != NULL;
    (void)snprintf(hashing->hash, sizeof hashing->hash, "%s", hash ? hash : "");
    hashing->done = done;
    hashing->context = context;
    passwords->count++;
    list_append(&passwords->waiting, &hashing->node);
    start_next(passwords);
    return true;
}

bool passwords_check(struct passwords *passwords, const char *password, const char *hash, password_done *done,
                     void *context)
{
    return enqueue(passwords, password, hash ? hash : passwords->nobody, done, context);
}

bool passwords_hash(struct passwords *passwords, const char *password, password_done *done, void *context)
{
    return enqueue(passwords, password, NULL, done, context);
}
