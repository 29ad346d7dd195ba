/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of the record: made while work goes on, kept beside it until somebody fetches them. */
#include "alloc.h"
#include "context.h"
#include "handlers.h"
#include "reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_MAX_BYTES    64
#define SEND_STALL_S      60
#define SEND_BUFFER_BYTES (256 << 10)
#define SEND_PIECE_BYTES  (128 << 10)

void get_backups(struct request *request)
{
    const struct api *api = request->context;
    struct store_page page;

    if (reply_page(request, &page))
        store_backups(api->store, &page, reply_with_answer, request);
}

/* One backup on its way. It outlives its request's connection, and the api waits for it. */
struct backup {
    struct request *request;
    struct api *api;
    char *name, *path, *by;
    json_t *answer;
};

static void backup_end(struct backup *backup)
{
    struct http *http = backup->api->http;

    backup->api->backing_up = false;
    json_decref(backup->answer);
    free(backup->by);
    free(backup->name);
    free(backup->path);
    free(backup);
    http_release(http);
}

static void on_recorded(void *context, int status, const struct error *error)
{
    struct backup *backup = context;
    struct reply reply = {.status = 201};

    if (status) {
        /* A copy that the record does not know would be there for nobody. */
        (void)unlink(backup->path);
        reply_error(backup->request, error);
    } else {
        reply_add_location(&reply, "/v1/backups/", backup->name, "");
        reply_json_with(backup->request, json_incref(backup->answer), &reply);
    }
    backup_end(backup);
}

static void on_copied(void *context, json_t *answer, const struct error *error)
{
    struct backup *backup = context;
    struct store_fact fact = {.kind = "backup.made"};

    if (!answer) {
        (void)unlink(backup->path);
        reply_error(backup->request, error);
        backup_end(backup);
        return;
    }
    backup->answer = json_pack("{s:s, s:O, s:O, s:O, s:s}", "name", backup->name, "size",
                               json_object_get(answer, "size"), "sha256", json_object_get(answer, "sha256"),
                               "sequence", json_object_get(answer, "sequence"), "by", backup->by);
    json_decref(answer);
    fact.body = json_incref(backup->answer);
    store_append(backup->api->store, &fact, 1, on_recorded, backup);
}

static void on_checkpoint(void *context, int status, const struct error *error)
{
    struct backup *backup = context;

    if (status) {
        reply_error(backup->request, error);
        backup_end(backup);
    } else {
        store_backup(backup->api->store, backup->path, on_copied, backup);
    }
}

/* "20261121T122500Z-812.db": when, and which record was the newest. */
static char *name_backup(const struct api *api)
{
    time_t now = (time_t)(clock_utc_us(api->clock) / 1000000);
    char stamp[32];
    struct tm broken;

    (void)gmtime_r(&now, &broken);
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &broken);
    return format_text("%s-%lld.db", stamp, (long long)store_head_sequence(api->store));
}

static int make_directory(const struct api *api, struct error *error)
{
    char *path = format_text("%s/backups", api->state);
    int status = 0;

    if (mkdir(path, 0700) && errno != EEXIST)
        status = error_set_errno(error, errno, "cannot make %s", path);
    free(path);
    return status;
}

void post_backup(struct request *request)
{
    struct api *api = request->context;
    struct backup *backup;
    struct error error;

    if (api->backing_up) {
        reply_problem(request, PROBLEM_BUSY, "a backup is being made; wait until it is there");
        return;
    }
    if (!api->state) {
        reply_problem(request, PROBLEM_UNAVAILABLE, "this daemon has no directory for backups");
        return;
    }
    if (make_directory(api, &error)) {
        reply_error(request, &error);
        return;
    }
    backup = allocate(1, sizeof *backup);
    backup->request = request;
    backup->api = api;
    backup->by = copy_text(request->by);
    backup->name = name_backup(api);
    backup->path = format_text("%s/backups/%s", api->state, backup->name);
    api->backing_up = true;
    http_hold(api->http);
    /* First a checkpoint, so that the copy has no record at its end that nobody has signed. */
    if (store_verifier_key(api->store))
        store_checkpoint_now(api->store, on_checkpoint, backup);
    else
        on_checkpoint(backup, 0, NULL);
}

/* --- The file ------------------------------------------------------------------------------------------ */

/* It may be large and not in memory, so that the pool reads it: nothing waits for a disk on the loop. */
struct sending {
    struct api *api;
    struct stream *stream;
    int fd;
    uv_fs_t work;
    int64_t offset;
    size_t size, sent; /* of the buffer */
    bool reading, broken, over;
    bool ended; /* nobody takes it any more */
    char buffer[SEND_PIECE_BYTES];
};

static void sending_free(struct sending *sending)
{
    (void)close(sending->fd);
    free(sending);
}

static void on_read(uv_fs_t *work)
{
    struct sending *sending = work->data;
    struct http *http = sending->api->http;

    sending->reading = false;
    sending->broken = work->result < 0;
    sending->over = work->result == 0;
    sending->sent = 0;
    sending->size = work->result > 0 ? (size_t)work->result : 0;
    sending->offset += (int64_t)sending->size;
    uv_fs_req_cleanup(work);
    if (sending->ended)
        sending_free(sending);
    else
        stream_wake(sending->stream);
    http_release(http);
}

static void read_on(struct sending *sending)
{
    uv_buf_t buffer = uv_buf_init(sending->buffer, sizeof sending->buffer);

    sending->reading = true;
    sending->work.data = sending;
    http_hold(sending->api->http);
    (void)uv_fs_read(sending->api->loop, &sending->work, sending->fd, &buffer, 1, sending->offset, on_read);
}

static ssize_t read_file(void *context, char *buffer, size_t size)
{
    struct sending *sending = context;
    size_t left = sending->size - sending->sent;

    if (left && !sending->reading) {
        left = left < size ? left : size;
        memcpy(buffer, sending->buffer + sending->sent, left);
        sending->sent += left;
        return (ssize_t)left;
    }
    if (sending->broken)
        return STREAM_BROKEN;
    if (sending->over)
        return STREAM_END;
    if (!sending->reading)
        read_on(sending);
    return 0;
}

static void end_file(void *context)
{
    struct sending *sending = context;

    sending->ended = true;
    if (!sending->reading)
        sending_free(sending);
}

/* The names that name_backup() gives, so that no address leads out of the directory. */
static bool is_backup_name(const char *name)
{
    size_t stem = strspn(name, "0123456789TZ-");

    return stem && stem < NAME_MAX_BYTES && !strcmp(name + stem, ".db");
}

static int open_backup(const struct api *api, const char *name)
{
    char *path;
    int fd;

    if (!api->state || !is_backup_name(name))
        return -1;
    path = format_text("%s/backups/%s", api->state, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    return fd;
}

void get_backup(struct request *request)
{
    struct api *api = request->context;
    const char *name = request->match.parts[0];
    struct reply reply = {.status = 200, .type = "application/vnd.sqlite3"};
    struct sending *sending;
    int fd = open_backup(api, name);

    if (fd < 0) {
        reply_problem(request, PROBLEM_NOT_FOUND, "no backup is named '%s', or its file was taken away",
                      name);
        return;
    }
    sending = allocate(1, sizeof *sending);
    sending->api = api;
    sending->fd = fd;
    reply.stream = sending->stream =
        stream_new(api->http, &(struct stream_source){.read = read_file,
                                                      .end = end_file,
                                                      .context = sending,
                                                      .send_buffer_bytes = SEND_BUFFER_BYTES,
                                                      .stall_s = SEND_STALL_S});
    reply_add_header(&reply, "Content-Disposition", "attachment; filename=\"%s\"", name);
    request_answer(request, &reply);
}
