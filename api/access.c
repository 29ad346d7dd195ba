/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, who is who, and how a change is made. Logging in is in access_login.c, keys and users as the
 * interface offers them in access_change.c. */
#include "access.h"

#include "access_parts.h"
#include "alloc.h"
#include "tls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FALLBACK(value, usual) ((value) ? (value) : (usual))
#define TIMER_MS               2000 /* how late a stream notices that its key has expired */
#define USED_STEP_US           INT64_C(60000000)

static int64_t monotonic(const struct access *access)
{
    return clock_monotonic_us(access->api->clock);
}

static int64_t utc(const struct access *access)
{
    return clock_utc_us(access->api->clock);
}

bool is_name(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@";
    size_t length = strlen(text);

    return length && length < 32 && text[strspn(text, letters)] == '\0';
}

/* --- Tables -------------------------------------------------------------------------------------------- */

/* Revoked keys stay in the list, so that it tells what there was, until there are too many. */
static void forget_revoked(struct access *access)
{
    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->revoked) {
            free(access->keys[i]);
            access->key_count--;
            memmove(&access->keys[i], &access->keys[i + 1], (access->key_count - i) * sizeof(struct key *));
            return;
        }
}

struct key *key_add(struct access *access)
{
    struct key *key = allocate(1, sizeof *key);

    if (access->key_count >= KEYS_MAX)
        forget_revoked(access);
    key->credential = ++access->last_credential;
    key->expires_us = CLOCK_NEVER;
    access->keys = reallocate(access->keys, access->key_count + 1, sizeof(struct key *));
    access->keys[access->key_count++] = key;
    return key;
}

struct key *key_find(const struct access *access, const char *id)
{
    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->id[0] && !strcmp(access->keys[i]->id, id))
            return access->keys[i];
    return NULL;
}

struct user *user_add(struct access *access)
{
    struct user *user = allocate(1, sizeof *user);

    access->users = reallocate(access->users, access->user_count + 1, sizeof(struct user *));
    access->users[access->user_count++] = user;
    return user;
}

struct user *user_find(const struct access *access, const char *name)
{
    for (size_t i = 0; i < access->user_count; i++)
        if (!strcmp(access->users[i]->name, name))
            return access->users[i];
    return NULL;
}

unsigned user_roles(const struct user *user)
{
    return user->pending || user->leaving ? 0 : user->roles & ~user->withheld;
}

void user_drop(struct access *access, const char *name)
{
    for (size_t i = 0; i < access->user_count; i++)
        if (!strcmp(access->users[i]->name, name)) {
            sodium_memzero(access->users[i], sizeof(struct user));
            free(access->users[i]);
            access->user_count--;
            memmove(&access->users[i], &access->users[i + 1],
                    (access->user_count - i) * sizeof(struct user *));
            return;
        }
}

void credential_end(struct access *access, uint64_t credential)
{
    if (access->api->http)
        http_drop(access->api->http, credential);
}

static void on_session_ended(void *context, uint64_t credential)
{
    credential_end(context, credential);
}

static bool is_of_user(const struct session *session, const void *name)
{
    return !strcmp(session->name, name);
}

void user_sessions_end(struct access *access, const char *name)
{
    sessions_end(access->sessions, is_of_user, name, on_session_ended, access);
    sessions_save(access);
}

static bool has_expired(const struct session *session, const void *now_us)
{
    return session->expires_us <= *(const int64_t *)now_us;
}

/* --- The file ------------------------------------------------------------------------------------------ */

struct saving {
    uv_work_t work;
    struct access *access;
    char *text;
    int status;
    struct error error;
};

static void save(struct access *access);

static void write_in_pool(uv_work_t *work)
{
    struct saving *saving = work->data;

    saving->status = access_write(saving->access->path, saving->text, &saving->error);
}

static void deed_end(struct deed *deed)
{
    list_remove(&deed->node);
    if (!deed->answer && !deed->error.code)
        error_set(&deed->error, -ENOENT, "%s was removed meanwhile", deed->name);
    if (deed->error.code) {
        json_decref(deed->answer);
        deed->answer = NULL;
    }
    deed->done(deed->context, deed->answer, &deed->error);
    sodium_memzero(deed->hash, sizeof deed->hash);
    free(deed);
}

/* They are in the file, or could not be written. */
static void end_all(struct list *deeds, const struct error *error)
{
    LIST_EACH (node, deeds) {
        struct deed *deed = LIST_ENTRY(node, struct deed, node);
        json_t *body = deed->body;

        deed->body = NULL;
        if (body && !error->code) {
            list_remove(&deed->node);
            deed_begin(deed, deed->kind, body);
            continue;
        }
        json_decref(body);
        deed->error = *error;
        deed_end(deed);
    }
}

static void on_written(uv_work_t *work, int status)
{
    struct saving *saving = work->data;
    struct access *access = saving->access;

    (void)status;
    access->saving = false;
    access->used |= saving->status < 0; /* then the timer tries again */
    if (saving->status < 0)
        log_error(&access->log, "%s", saving->error.text);
    end_all(&access->in_file, &saving->error);
    free(saving->text);
    free(saving);
    if (!list_empty(&access->unsaved))
        save(access);
    http_release(access->api->http);
}

/* One file at a time is written; what comes meanwhile goes into the next. */
static void save(struct access *access)
{
    struct saving *saving;

    if (access->saving)
        return;
    LIST_EACH (node, &access->unsaved) {
        list_remove(node);
        list_append(&access->in_file, node);
    }
    if (!access->path) {
        end_all(&access->in_file, &ERROR_NONE);
        return;
    }
    saving = allocate(1, sizeof *saving);
    saving->access = access;
    saving->work.data = saving;
    saving->text = access_text(access);
    access->saving = true;
    access->used = false;
    http_hold(access->api->http);
    (void)uv_queue_work(access->api->loop, &saving->work, write_in_pool, on_written);
}

static void on_timer(uv_timer_t *timer)
{
    struct access *access = timer->data;
    int64_t now_us = monotonic(access), utc_us = utc(access);

    sessions_end(access->sessions, has_expired, &now_us, on_session_ended, access);
    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->expires_us <= utc_us && !access->keys[i]->ended) {
            access->keys[i]->ended = true;
            credential_end(access, access->keys[i]->credential);
        }
    if (access->used && access->path && !http_stopping(access->api->http))
        save(access);
}

/* --- Changes ------------------------------------------------------------------------------------------- */

struct deed *deed_new(struct access *access, access_answer *done, void *context)
{
    struct deed *deed = allocate(1, sizeof *deed);

    list_init(&deed->node);
    deed->access = access;
    deed->done = done;
    deed->context = context;
    return deed;
}

void deed_refuse(struct deed *deed, int code, const char *format, ...)
{
    char text[sizeof deed->error.text];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(&deed->error, code, "%s", text);
    deed_end(deed);
}

static void on_recorded(void *context, int status, const struct error *error)
{
    struct deed *deed = context;

    list_remove(&deed->node);
    if (status < 0) {
        if (deed->undo)
            deed->undo(deed);
        deed->error = *error;
        deed_end(deed);
        return;
    }
    deed->apply(deed);
    list_append(&deed->access->unsaved, &deed->node);
    save(deed->access);
}

void deed_begin(struct deed *deed, const char *kind, json_t *body)
{
    const struct store_fact fact = {.kind = kind, .body = body};

    list_append(&deed->access->recorded, &deed->node);
    store_append(deed->access->api->store, &fact, 1, on_recorded, deed);
}

void deed_begin_in_file(struct deed *deed, const char *kind, json_t *body)
{
    deed->kind = kind;
    deed->body = body;
    list_append(&deed->access->unsaved, &deed->node);
    save(deed->access);
}

/* --- Who is it? ---------------------------------------------------------------------------------------- */

static void describe(struct caller *caller, const char *name, unsigned roles, const char *how,
                     uint64_t credential)
{
    *caller = (struct caller){.roles = roles, .how = how, .credential = credential};
    (void)snprintf(caller->name, sizeof caller->name, "%s", name);
}

static void note_use(struct access *access, struct key *key, int64_t now_us)
{
    if (key->id[0] && now_us - key->used_us > USED_STEP_US) {
        key->used_us = now_us;
        access->used = true;
    }
}

enum verdict access_by_key(struct access *access, const char *token, bool from_loopback,
                           struct caller *caller)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct key *key = NULL;
    int64_t now_us = utc(access);

    (void)crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
    /* All of them, whichever matches: the time taken must not tell which. */
    for (size_t i = 0; i < access->key_count; i++)
        if (!sodium_memcmp(hash, access->keys[i]->hash, sizeof hash))
            key = access->keys[i];
    if (!key || key->revoked)
        return CALLER_UNKNOWN;
    if (key->local && !from_loopback)
        return CALLER_NOT_LOCAL;
    if (key->expires_us <= now_us)
        return CALLER_EXPIRED;
    note_use(access, key, now_us);
    describe(caller, key->name, key->roles, "key", key->credential);
    caller->unlimited = key->local;
    return CALLER_KNOWN;
}

enum verdict access_by_session(struct access *access, const char *token, struct caller *caller)
{
    const struct session *session = session_of_token(access->sessions, token, monotonic(access));
    const struct user *user = session && !session->certificate ? user_find(access, session->name) : NULL;

    if (!user || user->leaving)
        return CALLER_UNKNOWN;
    describe(caller, user->name, user_roles(user), "password", session->credential);
    return CALLER_KNOWN;
}

/* A user of that name says which roles it has, else the certificate itself does. */
static unsigned roles_of_peer(const struct access *access, const struct tls_peer *peer)
{
    const struct user *user = user_find(access, peer->name);

    return user && !user->pending ? user_roles(user) : peer->roles;
}

void access_by_certificate(struct access *access, const struct tls_peer *peer, struct caller *caller)
{
    const struct session *session = session_of_hash(access->sessions, peer->hash, monotonic(access));

    describe(caller, peer->name, roles_of_peer(access, peer), "certificate",
             session ? session->credential : 0);
    caller->unrecorded = !session;
}

static int64_t *bucket_of(struct access *access, const struct caller *caller)
{
    char name[ROLE_NAME_MAX + 8];

    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->credential == caller->credential)
            return &access->keys[i]->arrival_us;
    (void)snprintf(name, sizeof name, "caller %s", caller->name);
    return limits_bucket(access->limits, name);
}

int64_t access_rate_us(struct access *access, const struct caller *caller)
{
    if (caller->unlimited)
        return 0;
    return rate_take(&access->rate, bucket_of(access, caller), monotonic(access));
}

int64_t access_rate_of_address_us(struct access *access, const char *from)
{
    char name[64];

    (void)snprintf(name, sizeof name, "address %s", from);
    return rate_take(&access->rate, limits_bucket(access->limits, name), monotonic(access));
}

bool access_has_admin(const struct access *access)
{
    for (size_t i = 0; i < access->user_count; i++)
        if (user_roles(access->users[i]) & ROLE_ADMIN && access->users[i]->hash[0])
            return true;
    for (size_t i = 0; i < access->key_count; i++)
        if (access->keys[i]->roles & ROLE_ADMIN && !access->keys[i]->local && !access->keys[i]->revoked)
            return true;
    return false;
}

/* --- Start and end ------------------------------------------------------------------------------------- */

static void take_given_keys(struct access *access, const struct api_options *options)
{
    for (size_t i = 0; i < options->key_count; i++) {
        const struct api_key *given = &options->keys[i];
        struct key *key = key_add(access);

        (void)snprintf(key->name, sizeof key->name, "%s", given->name);
        key->roles = FALLBACK(given->roles, ROLES_ALL);
        key->local = given->local;
        (void)crypto_hash_sha256(key->hash, (const unsigned char *)given->key, strlen(given->key));
    }
}

static void access_free(struct access *access)
{
    for (size_t i = 0; i < access->key_count; i++)
        free(access->keys[i]);
    while (access->user_count)
        user_drop(access, access->users[0]->name);
    free(access->keys);
    free(access->users);
    sessions_free(access->sessions);
    limits_free(access->limits);
    passwords_free(access->passwords);
    free(access->path);
    free(access);
}

int access_open(struct access **access, struct api *api, const struct api_options *options,
                struct error *error)
{
    struct access *new = allocate(1, sizeof *new);
    int64_t every_us = 1000000 / FALLBACK(options->rate_per_s, 200);
    int status = 0;

    new->api = api;
    new->log = api->log;
    new->path = options->state ? format_text("%s/access.json", options->state) : NULL;
    new->sessions = sessions_new();
    new->limits = limits_new();
    new->passwords = passwords_new(api->loop);
    new->rate =
        (struct rate){.every_us = every_us, .depth_us = every_us * FALLBACK(options->rate_burst, 400)};
    new->session_s = FALLBACK(options->session_s, 8 * 3600);
    new->lock_out_ms = FALLBACK(options->lock_out_ms, 2000);
    list_init(&new->recorded);
    list_init(&new->unsaved);
    list_init(&new->in_file);
    list_init(&new->session_waits);
    take_given_keys(new, options);
    if (new->path)
        status = access_load(new, error);
    if (status < 0) {
        access_free(new);
        return status;
    }
    new->timer.data = new;
    (void)uv_timer_init(api->loop, &new->timer);
    (void)uv_timer_start(&new->timer, on_timer, TIMER_MS, TIMER_MS);
    if (new->path)
        sessions_load(new);
    *access = new;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    access_free(handle->data);
}

void access_close(struct access *access)
{
    struct error error = ERROR_NONE;
    char *text;

    if (access->used && access->path) {
        text = access_text(access);
        if (access_write(access->path, text, &error) < 0)
            log_warning(&access->log, "%s", error.text);
        free(text);
    }
    sessions_leave(access);
    uv_close((uv_handle_t *)&access->timer, on_timer_closed);
}

int access_session_s(const struct access *access)
{
    return access->session_s;
}
