/* SPDX-License-Identifier: Apache-2.0 */
/* <state>/sessions.json: who is logged in, so that a restart of the daemon throws nobody out in mid-shift. Of
 * a cookie only the SHA-256 is kept. Each session also names the password that opened it (a hash of its
 * hash), so that one which outlives its password, whatever happened to this file, opens nothing. Certificates
 * show themselves anew. */
#include "access_parts.h"
#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_BYTES     8
#define FILE_BYTES_MAX (1 << 20) /* more than all the sessions that there can be */

struct session_save {
    uv_work_t work;
    struct access *access; /* NULL: gone meanwhile */
    char *path, *text;
    struct error error;
};

/* Which password of a user it is. */
static void mark_of(const struct user *user, char mark[2 * MARK_BYTES + 1])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(hash, (const unsigned char *)user->hash, strlen(user->hash));
    bytes_to_hex(hash, MARK_BYTES, mark);
}

/* --- Writing ------------------------------------------------------------------------------------------- */

struct telling {
    struct access *access;
    json_t *items;
    int64_t offset_us; /* from the monotonic clock to UTC */
};

static void tell_session(void *context, const struct session *session)
{
    const struct telling *telling = context;
    const struct user *user = user_find(telling->access, session->name);
    json_int_t expires_us = session->expires_us + telling->offset_us;
    char hash[2 * SESSION_HASH_BYTES + 1], mark[2 * MARK_BYTES + 1];

    if (session->certificate || !user)
        return;
    bytes_to_hex(session->hash, sizeof session->hash, hash);
    mark_of(user, mark);
    (void)json_array_append_new(telling->items,
                                json_pack("{s:s, s:s, s:s, s:I}", "sha256", hash, "name", session->name,
                                          "password", mark, "expires_us", expires_us));
}

static char *text_of(struct access *access)
{
    const struct clock *clock = access->api->clock;
    struct telling telling = {.access = access,
                              .items = json_array(),
                              .offset_us = clock_utc_us(clock) - clock_monotonic_us(clock)};
    json_t *file;
    char *text;

    sessions_each(access->sessions, tell_session, &telling);
    file = json_pack("{s:i, s:o}", "version", 1, "sessions", telling.items);
    text = json_dumps(file, JSON_INDENT(1));
    json_decref(file);
    return text;
}

static void write_sessions(uv_work_t *work)
{
    struct session_save *save = work->data;

    (void)access_write(save->path, save->text, &save->error);
}

struct wait {
    struct list node;
    void (*done)(void *context);
    void *context;
};

static void end_waits(struct access *access)
{
    LIST_EACH (node, &access->session_waits) {
        struct wait *wait = LIST_ENTRY(node, struct wait, node);

        list_remove(&wait->node);
        wait->done(wait->context);
        free(wait);
        http_release(access->api->http);
    }
}

static void on_written(uv_work_t *work, int status)
{
    struct session_save *save = work->data;
    struct access *access = save->access;

    (void)status; /* nobody cancels it */
    if (access) {
        access->session_save = NULL;
        if (save->error.code)
            log_warning(&access->log, "%s; a restart may throw people out", save->error.text);
        if (access->sessions_changed)
            sessions_save(access);
        else
            end_waits(access);
    }
    free(save->path);
    free(save->text);
    free(save);
}

void sessions_save(struct access *access)
{
    struct session_save *save;

    access->sessions_changed = access->path != NULL;
    if (!access->path || access->session_save)
        return;
    save = allocate(1, sizeof *save);
    access->sessions_changed = false;
    access->session_save = save;
    save->work.data = save;
    save->access = access;
    save->path = format_text("%s/sessions.json", access->api->state);
    save->text = text_of(access);
    (void)uv_queue_work(access->api->loop, &save->work, write_sessions, on_written);
}

void sessions_saved(struct access *access, void (*done)(void *context), void *context)
{
    struct wait *wait;

    if (!access->session_save) {
        done(context);
        return;
    }
    wait = allocate(1, sizeof *wait);
    wait->done = done;
    wait->context = context;
    list_append(&access->session_waits, &wait->node);
    http_hold(access->api->http);
}

void sessions_leave(struct access *access)
{
    if (access->session_save)
        access->session_save->access = NULL;
}

/* --- Reading ------------------------------------------------------------------------------------------- */

/* A clock that was set back, or a setting that is shorter now, makes no session longer than a new one. */
static int64_t lasts_us(const struct access *access, int64_t left_us)
{
    int64_t most_us = access->session_s * INT64_C(1000000);

    return left_us < most_us ? left_us : most_us;
}

static bool load_session(struct access *access, json_t *item, int64_t utc_us)
{
    const char *hash, *name, *mark;
    char now[2 * MARK_BYTES + 1];
    unsigned char bytes[SESSION_HASH_BYTES];
    json_int_t expires_us;
    const struct user *user;

    if (json_unpack(item, "{s:s, s:s, s:s, s:I !}", "sha256", &hash, "name", &name, "password", &mark,
                    "expires_us", &expires_us) ||
        strlen(hash) != 2 * sizeof bytes || !bytes_from_hex(hash, bytes, sizeof bytes))
        return false;
    user = user_find(access, name);
    if (!user || !user->hash[0] || expires_us <= utc_us)
        return true;
    mark_of(user, now);
    if (strcmp(now, mark) != 0)
        return true;
    (void)sessions_make_room(access->sessions, user->name);
    (void)session_admit(access->sessions, bytes, user->name, ++access->last_credential,
                        clock_monotonic_us(access->api->clock) + lasts_us(access, expires_us - utc_us));
    return true;
}

static bool load_sessions(struct access *access, json_t *file)
{
    int64_t utc_us = clock_utc_us(access->api->clock);
    json_t *items, *item;
    int version;
    size_t i;

    if (json_unpack(file, "{s:i, s:o !}", "version", &version, "sessions", &items) || version != 1 ||
        !json_is_array(items))
        return false;
    json_array_foreach (items, i, item) {
        if (!load_session(access, item, utc_us))
            return false;
    }
    return true;
}

/* People can log in again: a file that makes no sense is no reason not to start. */
void sessions_load(struct access *access)
{
    char *path = format_text("%s/sessions.json", access->api->state);
    json_error_t where = {.line = -1};
    struct stat info;
    json_t *file = NULL;

    if (!lstat(path, &info)) {
        if (S_ISREG(info.st_mode) && !(info.st_mode & (S_IRWXG | S_IRWXO)) && info.st_size <= FILE_BYTES_MAX)
            file = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
        if (!file || !load_sessions(access, file))
            log_warning(&access->log, "%s is damaged, or others can read it: people have to log in again",
                        path);
    }
    json_decref(file);
    free(path);
}
