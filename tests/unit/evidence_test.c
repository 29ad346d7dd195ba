/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints as the store makes them: when, over what, signed with what; proofs from it; and a record that
 * has gone back in time. What comes out is checked with the auditor's code, which shares none with the store.
 */
#include "audit_note.h"
#include "audit_walk.h"
#include "bytes.h"

#include "store_scene.h"

#include <errno.h>
#include <fcntl.h>

static const uint8_t seed[32] = {1, 2, 3};

struct heard {
    int64_t last;
    int checkpoints, others;
    int64_t size; /* that the newest checkpoint covers */
};

static void hear(void *context, const struct store_record *record)
{
    struct heard *heard = context;

    CHECK(heard->last == 0 || record->sequence == heard->last + 1); /* in order, none left out */
    heard->last = record->sequence;
    if (strcmp(record->kind, "ledger.checkpoint") == 0) {
        json_t *body = parse(record->body);

        heard->checkpoints++;
        heard->size = json_integer_value(json_object_get(body, "size"));
        CHECK(heard->size == record->sequence - 1);
        json_decref(body);
    } else {
        heard->others++;
    }
}

static int open_signed(struct scene *scene, int records, int seconds, const char *restored)
{
    scene->error = ERROR_NONE;
    return store_open(&scene->store,
                      &(struct store_options){.path = scene->path,
                                              .loop = &scene->loop,
                                              .clock = &scene->clock,
                                              .log = log_named(&scene->output, "store"),
                                              .signing_seed = seed,
                                              .origin = "flashfarm/test",
                                              .checkpoint_every_records = records,
                                              .checkpoint_every_s = seconds,
                                              .restored = restored},
                      &scene->error);
}

static char *beside(const struct scene *scene, const char *name)
{
    static char path[100];

    (void)snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    return path;
}

static void end_signed(struct scene *scene)
{
    scene_close(scene);
    (void)unlink(beside(scene, "flashfarm.mark"));
    (void)unlink(beside(scene, "flashfarm.pub"));
    scene_end(scene);
}

static void append_states(struct scene *scene, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(scene_append(scene, "station.state", parse("{\"name\":\"A1\",\"state\":\"ready\"}")) == 0);
}

static void ignore_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the listener has heard of that many checkpoints. */
static void await_checkpoints(struct scene *scene, const struct heard *heard, int count)
{
    uint64_t until = uv_now(&scene->loop) + 20000;
    uv_timer_t timer;

    (void)uv_timer_init(&scene->loop, &timer);
    (void)uv_timer_start(&timer, ignore_timer, 20000, 0); /* so that the loop comes back */
    while (heard->checkpoints < count && uv_now(&scene->loop) < until)
        (void)uv_run(&scene->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&timer);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    CHECK(heard->checkpoints == count);
}

/* The whole ledger by the auditor's walk: every checkpoint's root, tiles and signature. */
static int64_t walk_file(const struct scene *scene, struct audit_report *report)
{
    struct audit_walk walk = {.key = &report->key};
    struct error error = ERROR_NONE;
    sqlite3 *raw = scene_raw(scene);
    sqlite3_stmt *rows = NULL;

    *report = (struct audit_report){.path = scene->path};
    CHECK(audit_key_find(&report->key, beside(scene, "flashfarm.pub"), &error) == 0);
    CHECK(
        sqlite3_prepare_v2(raw,
                           "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM ledger "
                           "ORDER BY sequence",
                           -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct audit_record record = {.sequence = sqlite3_column_int64(rows, 0),
                                      .utc_us = sqlite3_column_int64(rows, 1),
                                      .monotonic_us = sqlite3_column_int64(rows, 2),
                                      .hash = sqlite3_column_blob(rows, 7)};

        for (int i = 0; i < AUDIT_TEXTS; i++)
            record.texts[i] = (struct audit_text){.text = (const char *)sqlite3_column_text(rows, 3 + i),
                                                  .size = (size_t)sqlite3_column_bytes(rows, 3 + i)};
        audit_walk_take(&walk, &record);
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(raw);
    audit_walk_join(&walk, 1, report);
    audit_walk_clear(&walk);
    if (!CHECK(report->findings.found == 0))
        (void)json_dumpf(report->findings.list, stderr, JSON_INDENT(1));
    audit_findings_clear(&report->findings);
    return report->covered;
}

/* After so many records, at the end, and at no other time; over several tiles and several openings. */
static void test_by_count(void)
{
    struct scene scene;
    struct heard heard = {.last = 0};
    struct audit_report report;

    scene_prepare(&scene);
    CHECK(open_signed(&scene, 10, 3600, NULL) == 0);
    store_set_listener(scene.store, hear, &heard);
    append_states(&scene, 9);
    CHECK(heard.checkpoints == 0);
    append_states(&scene, 1);
    await_checkpoints(&scene, &heard, 1);
    CHECK(heard.size == 10 && heard.last == 11);
    append_states(&scene, 3);
    scene_close(&scene);
    CHECK(heard.checkpoints == 2 && heard.last == 15 && heard.size == 14);
    CHECK(walk_file(&scene, &report) == 14 && report.checkpoints == 2);

    for (int round = 0; round < 5; round++) {
        heard = (struct heard){.last = 0};
        CHECK(open_signed(&scene, 97, 3600, NULL) == 0);
        store_set_listener(scene.store, hear, &heard);
        append_states(&scene, 131);
        scene_close(&scene);
        CHECK(heard.checkpoints == 2);
        CHECK(walk_file(&scene, &report) == report.records - 1);
    }
    end_signed(&scene);
}

static void test_by_time(void)
{
    struct scene scene;
    struct heard heard = {.last = 0};
    struct audit_report report;

    scene_prepare(&scene);
    CHECK(open_signed(&scene, 1000, 1, NULL) == 0);
    store_set_listener(scene.store, hear, &heard);
    append_states(&scene, 2);
    CHECK(heard.checkpoints == 0);
    await_checkpoints(&scene, &heard, 1);
    CHECK(heard.size == 2);
    scene_close(&scene);
    CHECK(heard.checkpoints == 1); /* there was nothing left to cover */
    CHECK(walk_file(&scene, &report) == 2);
    end_signed(&scene);
}

/* What a daemon that died left uncovered is covered when the next one starts; a record from before there were
 * checkpoints as well. */
static void test_at_start(void)
{
    struct scene scene;
    struct heard heard = {.last = 0};
    struct audit_report report;

    scene_begin(&scene); /* without a key: no checkpoints */
    append_states(&scene, 600);
    scene_close(&scene);
    CHECK(access(beside(&scene, "flashfarm.mark"), F_OK) != 0);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0);
    store_set_listener(scene.store, hear, &heard);
    await_checkpoints(&scene, &heard, 1);
    CHECK(heard.last == 601 && heard.size == 600);
    scene_close(&scene);
    CHECK(walk_file(&scene, &report) == 600);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0); /* all is covered: nothing to say */
    scene_close(&scene);
    CHECK(walk_file(&scene, &report) == 600 && report.records == 601);
    end_signed(&scene);
}

/* Questions -----------------------------------------------------------------------------------------------
 */

struct asked {
    json_t *answer;
    int code;
    bool done;
};

static void take_answer(void *context, json_t *answer, const struct error *error)
{
    struct asked *asked = context;

    *asked = (struct asked){.answer = answer, .code = error ? error->code : 0, .done = true};
}

static void take_done(void *context, int status, const struct error *error)
{
    struct asked *asked = context;

    (void)error;
    *asked = (struct asked){.code = status, .done = true};
}

static void await_asked(struct scene *scene, const struct asked *asked)
{
    while (!asked->done)
        (void)uv_run(&scene->loop, UV_RUN_ONCE);
}

static void check_proof(struct scene *scene, int64_t sequence, const struct audit_key *key)
{
    struct asked asked = {.done = false};
    struct audit_note note;
    struct error error = ERROR_NONE;
    uint8_t path[AUDIT_LEVELS][AUDIT_HASH], hash[AUDIT_HASH];
    const json_t *list, *record;

    store_proof(scene->store, sequence, take_answer, &asked);
    await_asked(scene, &asked);
    if (!CHECK(asked.answer != NULL))
        return;
    list = json_object_get(asked.answer, "hashes");
    record = json_object_get(asked.answer, "record");
    CHECK(audit_note_read(&note, json_string_value(json_object_get(asked.answer, "note")), key, &error) == 0);
    CHECK(json_integer_value(json_object_get(asked.answer, "size")) == note.size);
    CHECK(json_integer_value(json_object_get(record, "sequence")) == sequence);
    CHECK(bytes_from_hex(json_string_value(json_object_get(record, "hash")), hash, AUDIT_HASH));
    for (size_t i = 0; i < json_array_size(list); i++)
        CHECK(bytes_from_hex(json_string_value(json_array_get(list, i)), path[i], AUDIT_HASH));
    CHECK(audit_tree_includes(hash, sequence - 1, note.size, path, (int)json_array_size(list), note.root));
    CHECK(json_integer_value(json_object_get(asked.answer, "index")) == sequence - 1);
    json_decref(asked.answer);
}

static void test_questions(void)
{
    struct scene scene;
    struct asked asked = {.done = false};
    struct audit_key key;
    struct error error = ERROR_NONE;

    scene_prepare(&scene);
    CHECK(open_signed(&scene, 10000, 3600, NULL) == 0);
    CHECK(audit_key_parse(&key, store_verifier_key(scene.store), &error) == 0);
    CHECK(memcmp(key.key, store_public_key(scene.store), 32) == 0);
    store_checkpoint(scene.store, take_answer, &asked);
    await_asked(&scene, &asked);
    CHECK(asked.code == -ENOENT);
    append_states(&scene, 700);
    asked.done = false;
    store_proof(scene.store, 5, take_answer, &asked);
    await_asked(&scene, &asked);
    CHECK(asked.code == -ENOENT);             /* not covered */
    for (int twice = 0; twice < 2; twice++) { /* the second has nothing to cover */
        asked.done = false;
        store_checkpoint_now(scene.store, take_done, &asked);
        await_asked(&scene, &asked);
        CHECK(asked.code == 0);
        CHECK(store_head_sequence(scene.store) == 701);
    }
    for (int64_t sequence = 1; sequence <= 700; sequence += 1 + sequence % 41)
        check_proof(&scene, sequence, &key);
    check_proof(&scene, 700, &key);
    for (int64_t sequence = 701; sequence <= 702; sequence++) {
        asked.done = false;
        store_proof(scene.store, sequence, take_answer, &asked);
        await_asked(&scene, &asked);
        CHECK(asked.code == -ENOENT);
    }
    asked.done = false;
    store_checkpoint(scene.store, take_answer, &asked);
    await_asked(&scene, &asked);
    CHECK(json_integer_value(json_object_get(asked.answer, "size")) == 700);
    CHECK(json_integer_value(json_object_get(asked.answer, "sequence")) == 701);
    json_decref(asked.answer);
    end_signed(&scene);
}

/* Back in time ---------------------------------------------------------------------------------------------
 */

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t size;

    while (CHECK(in >= 0 && out >= 0) && (size = read(in, bytes, sizeof bytes)) > 0)
        CHECK(write(out, bytes, (size_t)size) == size);
    (void)close(in);
    (void)close(out);
}

static void test_back_in_time(void)
{
    struct scene scene;
    char old[120];
    sqlite3 *raw;

    scene_prepare(&scene);
    (void)snprintf(old, sizeof old, "%s/old.db", scene.folder);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0);
    append_states(&scene, 20);
    scene_close(&scene);
    copy_file(scene.path, old);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0);
    append_states(&scene, 20);
    scene_close(&scene);
    copy_file(old, scene.path);
    CHECK(open_signed(&scene, 0, 0, NULL) == -EBADMSG);
    CHECK(strstr(scene.error.text, "ends at 21") && strstr(scene.error.text, "--restored"));
    scene.output.level = LOG_ERROR;
    CHECK(open_signed(&scene, 0, 0, "the disk was replaced") == 0);
    scene_close(&scene);
    raw = scene_raw(&scene);
    CHECK(raw_integer(raw, "SELECT count(*) FROM ledger WHERE sequence = 22 AND kind = 'record.restored' AND "
                           "body ->> 'reason' = 'the disk was replaced' AND body ->> 'sequence' = 21") == 1);
    (void)sqlite3_close(raw);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0); /* from here on it is the record again */
    append_states(&scene, 20);
    scene_close(&scene);
    /* As long as it was, but not what it was. */
    copy_file(old, scene.path);
    (void)rename(beside(&scene, "flashfarm.mark"), old);
    CHECK(open_signed(&scene, 0, 0, NULL) == -EBADMSG); /* a copy that comes without its mark */
    CHECK(strstr(scene.error.text, "is a copy") != NULL);
    CHECK(open_signed(&scene, 0, 0, "moved to another host") == 0);
    append_states(&scene, 60);
    scene_close(&scene);
    (void)rename(old, beside(&scene, "flashfarm.mark"));
    CHECK(open_signed(&scene, 0, 0, NULL) == -EBADMSG);
    CHECK(strstr(scene.error.text, "is another") != NULL);
    end_signed(&scene);
}

/* The mark is whole or not there; what is in it and is no mark is a reason to look. */
static void test_odd_mark(void)
{
    static const char *const odd[] = {"", "12\n", "0 00\n", "5 zz\n", "-4 aa"};
    struct scene scene;

    scene_prepare(&scene);
    CHECK(open_signed(&scene, 0, 0, NULL) == 0);
    scene_close(&scene);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        FILE *file = fopen(beside(&scene, "flashfarm.mark"), "w");

        (void)fputs(odd[i], file);
        (void)fclose(file);
        CHECK(open_signed(&scene, 0, 0, NULL) == -EBADMSG);
    }
    end_signed(&scene);
}

static void test_bad_origin(void)
{
    struct scene scene;

    scene_prepare(&scene);
    CHECK(store_open(&scene.store,
                     &(struct store_options){.path = scene.path,
                                             .loop = &scene.loop,
                                             .clock = &scene.clock,
                                             .log = log_named(&scene.output, "store"),
                                             .signing_seed = seed,
                                             .origin = "two words"},
                     &scene.error) == -EINVAL);
    (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    end_signed(&scene);
}

static const struct test tests[] = {
    {"after so many records", test_by_count},
    {"after some time", test_by_time},
    {"at the start", test_at_start},
    {"questions", test_questions},
    {"back in time", test_back_in_time},
    {"odd marks", test_odd_mark},
    {"an origin that is no name", test_bad_origin},
};

TEST_MAIN(tests)
