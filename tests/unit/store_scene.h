/* SPDX-License-Identifier: Apache-2.0 */
/* A record in a folder of its own, a clock that ticks when it is read, and facts in few words: what the tests
 * of the store and of the audit share. */
#ifndef FLASHFARM_TESTS_STORE_SCENE_H
#define FLASHFARM_TESTS_STORE_SCENE_H

#include "alloc.h"
#include "store.h"
#include "test.h"

#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* 2026-11-21T12:25:00Z; every reading is 1.000001 s after the one before. */
#define SCENE_BEGIN_US INT64_C(1795263900000000)

struct scene {
    char folder[32], path[64];
    uv_loop_t loop;
    struct clock clock;
    int64_t now_us;
    struct log_output output;
    struct store *store;
    struct error error; /* of the last call */
};

static inline int64_t scene_tick(void *context)
{
    struct scene *scene = context;

    return scene->now_us += 1000001;
}

static inline int64_t scene_monotonic(void *context)
{
    return scene_tick(context) - SCENE_BEGIN_US;
}

static inline bool scene_synchronised(void *context)
{
    return ((struct scene *)context)->now_us % 3 != 0;
}

static inline int scene_open(struct scene *scene)
{
    scene->error = ERROR_NONE;
    return store_open(&scene->store,
                      &(struct store_options){.path = scene->path,
                                              .loop = &scene->loop,
                                              .clock = &scene->clock,
                                              .log = log_named(&scene->output, "store")},
                      &scene->error);
}

static inline void scene_close(struct scene *scene)
{
    if (scene->store)
        store_close(scene->store);
    scene->store = NULL;
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
}

/* A folder, a loop, a clock, and no store yet. In memory where that can be had: what a slow disk would add is
 * time. */
static inline void scene_prepare(struct scene *scene)
{
    *scene = (struct scene){.now_us = SCENE_BEGIN_US};
    (void)snprintf(scene->folder, sizeof scene->folder, "%s/flashfarm-test-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    scene->clock = (struct clock){.monotonic_us = scene_monotonic,
                                  .utc_us = scene_tick,
                                  .synchronised = scene_synchronised,
                                  .context = scene};
    scene->output = log_output_stderr(LOG_WARNING);
    CHECK(mkdtemp(scene->folder) != NULL);
    (void)snprintf(scene->path, sizeof scene->path, "%s/record.db", scene->folder);
    (void)uv_loop_init(&scene->loop);
}

static inline void scene_begin(struct scene *scene)
{
    scene_prepare(scene);
    CHECK(scene_open(scene) == 0);
}

static inline void scene_unlink(const struct scene *scene, const char *suffix)
{
    char path[80];

    (void)snprintf(path, sizeof path, "%s%s", scene->path, suffix);
    (void)unlink(path);
}

static inline void scene_end(struct scene *scene)
{
    scene_close(scene);
    CHECK(uv_loop_close(&scene->loop) == 0);
    scene_unlink(scene, "");
    scene_unlink(scene, "-wal");
    scene_unlink(scene, "-shm");
    CHECK(rmdir(scene->folder) == 0);
}

/* Facts -------------------------------------------------------------------------------------------------- */

static inline int scene_append(struct scene *scene, const char *kind, json_t *body)
{
    scene->error = ERROR_NONE;
    return store_append_wait(scene->store, NULL, &(struct store_fact){.kind = kind, .body = body}, 1,
                             &scene->error);
}

static inline json_t *parse(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

    if (!CHECK(value != NULL))
        (void)fprintf(stderr, "  %s: %s\n", text, error.text);
    return value;
}

/* A body in few signs: ' stands for ". */
static inline json_t *quick(const char *text)
{
    char *copy = copy_text(text);
    json_t *value;

    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    value = parse(copy);
    free(copy);
    return value;
}

static inline int say(struct scene *scene, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline int say(struct scene *scene, const char *kind, const char *format, ...)
{
    char text[2000];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return scene_append(scene, kind, quick(text));
}

/* An id that looks like a SHA-256: the number in hexadecimal, 64 digits. */
static inline const char *image_id(int number, char id[65])
{
    (void)snprintf(id, 65, "%064x", (unsigned)number);
    return id;
}

static inline json_t *image_added(int number)
{
    char id[65];

    return json_pack("{s:s, s:s, s:s, s:i, s:[{s:I, s:i, s:I}], s:s}", "id", image_id(number, id), "name",
                     "fw.hex", "format", "intel-hex", "size", 4096 + number, "ranges", "address",
                     (json_int_t)0x08000000, "size", 4096, "crc32", (json_int_t)0xcafebabe, "by", "local");
}

static inline json_t *job_submitted(int id, int image, int quantity, const char *work_order)
{
    char image_text[65];

    return json_pack("{s:i, s:s, s:[s], s:[s,s], s:i, s:s, s:s?, s:i, s:{s:b}, s:s}", "id", id, "chip",
                     "stm32f103xb", "images", image_id(image, image_text), "stations", "A1", "A2", "quantity",
                     quantity, "trigger", "on_insert", "work_order", work_order, "hold_after_failures", 3,
                     "options", "unprotect", 0, "by", "mes");
}

static inline json_t *run_started(int64_t id, int job, int image, const char *station, const char *started)
{
    char image_text[65], serial[24];

    (void)snprintf(serial, sizeof serial, "SN%05" PRId64, id);
    return json_pack("{s:I, s:i, s:s, s:s, s:s, s:[s], s:s?, s:s?, s:s, s:s, s:s, s:s, s:s}", "id",
                     (json_int_t)id, "job", job, "station", station, "port", "serial:/dev/null", "chip",
                     "stm32f103xb", "images", image_id(image, image_text), "work_order", NULL, "uid", NULL,
                     "chip_id", "0x410", "started", started, "serial", serial, "by", "mes", "version",
                     "0.1.0");
}

static inline json_t *run_ended(int64_t id, const char *outcome, const char *class)
{
    json_t *body = json_pack(
        "{s:I, s:s, s:s?, s:s?, s:s, s:s, s:i, s:i, s:i, s:[{s:s, s:i, s:i, s:i}], s:i, s:{s:f, s:f}}", "id",
        (json_int_t)id, "outcome", outcome, "class", class, "message",
        class ? "write at 0x08004100: no ACK within 500 ms" : NULL, "ended", "2026-11-21T12:26:00.000000Z",
        "uid", "0x1122334455667788", "flash_size", 65536, "baud", 115200, "retries", 0, "phases", "name",
        "write", "us", 1200, "floor_us", 1100, "bytes", 4096, "floor_us", 1100, "shares", "wire", 0.97,
        "target", 0.03);

    if (strcmp(outcome, "pass") == 0)
        (void)json_object_set_new(body, "verify",
                                  json_pack("{s:s, s:s}", "method", "read-back", "digest", "crc32:cafebabe"));
    return body;
}

/* Answers ------------------------------------------------------------------------------------------------ */

struct reply {
    json_t *answer;
    struct error error;
    bool done;
};

static inline void on_answer(void *context, json_t *answer, const struct error *error)
{
    struct reply *reply = context;

    CHECK(!reply->done);
    CHECK((answer == NULL) == (error != NULL));
    reply->done = true;
    reply->answer = answer;
    if (error)
        reply->error = *error;
}

static inline json_t *await(struct scene *scene, struct reply *reply)
{
    while (!reply->done)
        (void)uv_run(&scene->loop, UV_RUN_ONCE);
    return reply->answer;
}

/* `json` must be `text`, whatever the order of keys. Takes the reference. */
static inline void check_json(json_t *json, const char *text)
{
    json_t *want = parse(text);

    if (!CHECK(json_equal(json, want))) {
        char *got = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : copy_text("nothing");

        (void)fprintf(stderr, "  got:  %s\n  want: %s\n", got, text);
        free(got);
    }
    json_decref(want);
    json_decref(json);
}

static inline const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "(null)";
}

/* Raw access --------------------------------------------------------------------------------------------- */

static inline sqlite3 *scene_raw(const struct scene *scene)
{
    sqlite3 *raw = NULL;

    CHECK(sqlite3_open(scene->path, &raw) == SQLITE_OK);
    (void)sqlite3_busy_timeout(raw, 5000);
    return raw;
}

static inline int64_t raw_integer(sqlite3 *raw, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = INT64_MIN;

    if (CHECK(sqlite3_prepare_v2(raw, sql, -1, &statement, NULL) == SQLITE_OK) &&
        CHECK(sqlite3_step(statement) == SQLITE_ROW))
        value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return value;
}

#endif
