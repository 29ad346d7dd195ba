/* SPDX-License-Identifier: Apache-2.0 */
/* The record: what goes in comes out, in order and once; what must not go in is refused by the schema itself;
 * and what was acknowledged is there after anything.
 *
 * `store_test --schema` prints what the migrations add up to, which is how schema/schema.sql is made;
 * `store_test --rate` prints how many boards a second the record takes. */
#include "store.h"

#include "alloc.h"
#include "database.h"
#include "embedded.h"
#include "fiber.h"
#include "migrate.h"
#include "rfc3339.h"
#include "store_scene.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>

/* Answers ------------------------------------------------------------------------------------------------ */

static json_t *get_run(struct scene *scene, int64_t id)
{
    struct reply reply = {.done = false};

    store_run(scene->store, id, on_answer, &reply);
    return await(scene, &reply);
}

static json_t *get_job(struct scene *scene, int64_t id)
{
    struct reply reply = {.done = false};

    store_job(scene->store, id, on_answer, &reply);
    return await(scene, &reply);
}

static json_t *get_runs(struct scene *scene, const struct store_run_filter *filter,
                        const struct store_page *page, struct error *error)
{
    struct reply reply = {.done = false};

    store_runs(scene->store, filter, page, on_answer, &reply);
    await(scene, &reply);
    *error = reply.error;
    return reply.answer;
}

/* One board, and all that is said of it ------------------------------------------------------------------ */

static void tell_one_board(struct scene *scene)
{
    CHECK(scene_append(scene, "daemon.started", parse("{\"version\":\"0.1.0\",\"clean\":true}")) == 0);
    CHECK(scene_append(scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(scene, "job.submitted", job_submitted(1, 1, 2, "WO-1")) == 0);
    CHECK(scene_append(scene, "station.state", parse("{\"name\":\"A1\",\"state\":\"ready\"}")) == 0);
    CHECK(scene_append(scene, "run.started", run_started(1, 1, 1, "A1", "2026-11-21T12:25:00.123456Z")) == 0);
    CHECK(scene_append(scene, "run.ended", run_ended(1, "pass", NULL)) == 0);
}

#define IMAGE_1 "0000000000000000000000000000000000000000000000000000000000000001"

static void test_read_back(void)
{
    struct scene scene;
    struct reply reply = {.done = false};

    scene_begin(&scene);
    tell_one_board(&scene);
    check_json(
        get_run(&scene, 1),
        "{\"id\":1,\"job\":1,\"station\":\"A1\",\"port\":\"serial:/dev/"
        "null\",\"outcome\":\"pass\",\"class\":null,"
        "\"message\":null,\"serial\":\"SN00001\",\"uid\":\"0x1122334455667788\",\"chip\":\"stm32f103xb\","
        "\"chip_id\":\"0x410\",\"image\":\"" IMAGE_1 "\",\"images\":[\"" IMAGE_1 "\"],\"work_order\":null,"
        "\"started\":\"2026-11-21T12:25:00.123456Z\",\"ended\":\"2026-11-21T12:26:00.000000Z\",\"by\":"
        "\"mes\","
        "\"version\":\"0.1.0\",\"verify\":{\"method\":\"read-back\",\"digest\":\"crc32:cafebabe\"},"
        "\"baud\":115200,\"retries\":0,\"flash_size\":65536,"
        "\"phases\":[{\"name\":\"write\",\"us\":1200,\"floor_us\":1100,\"bytes\":4096}],\"floor_us\":1100,"
        "\"shares\":{\"wire\":0.97,\"target\":0.03},\"link\":null,\"recipe\":null,\"fixture\":null,"
        "\"numbers\":null,"
        "\"unit\":null,\"unit_data_sha256\":null,\"rework\":null,\"code\":null,\"records\":[5,6]}");
    check_json(
        get_job(&scene, 1),
        "{\"id\":1,\"state\":\"running\",\"reason\":null,\"chip\":\"stm32f103xb\",\"images\":[\"" IMAGE_1
        "\"],"
        "\"stations\":[\"A1\",\"A2\"],\"quantity\":2,\"trigger\":\"on_insert\",\"work_order\":\"WO-1\","
        "\"hold_after_failures\":3,\"options\":{\"unprotect\":false},\"units\":null,\"by\":\"mes\","
        "\"submitted\":\"2026-11-21T12:25:05.000005Z\","
        "\"counts\":{\"started\":1,\"passed\":1,\"failed\":0,\"aborted\":0,\"unknown\":0},"
        "\"recipe\":null,\"serial_pool\":null}");
    store_image(scene.store, IMAGE_1, on_answer, &reply);
    check_json(await(&scene, &reply),
               "{\"id\":\"" IMAGE_1
               "\",\"name\":\"fw.hex\",\"format\":\"intel-hex\",\"size\":4097,\"base\":null,"
               "\"ranges\":[{\"address\":134217728,\"size\":4096,\"crc32\":3405691582}],"
               "\"added\":\"2026-11-21T12:25:03.000003Z\",\"by\":\"local\"}");
    scene_end(&scene);
}

/* A run that has not ended has the same keys, and null for what is not known yet. */
static void test_running_has_the_same_form(void)
{
    struct scene scene;
    json_t *open, *ended;

    scene_begin(&scene);
    tell_one_board(&scene);
    CHECK(scene_append(&scene, "run.started", run_started(2, 1, 1, "A2", "2026-11-21T12:25:00.123456Z")) ==
          0);
    ended = get_run(&scene, 1);
    open = get_run(&scene, 2);
    CHECK(json_object_size(open) == json_object_size(ended));
    CHECK(json_is_null(json_object_get(open, "outcome")));
    CHECK(json_is_null(json_object_get(open, "verify")));
    json_decref(open);
    json_decref(ended);
    scene_end(&scene);
}

static void test_what_is_not_there(void)
{
    struct scene scene;
    struct reply run = {.done = false}, image = run, unit = run, key = run;

    scene_begin(&scene);
    store_run(scene.store, 7, on_answer, &run);
    store_image(scene.store, "nothing", on_answer, &image);
    store_unit(scene.store, "SN1", on_answer, &unit);
    store_idempotency(scene.store, "k", on_answer, &key);
    await(&scene, &run);
    await(&scene, &image);
    await(&scene, &unit);
    await(&scene, &key);
    CHECK(run.error.code == -ENOENT && image.error.code == -ENOENT);
    CHECK(unit.error.code == -ENOENT && key.error.code == -ENOENT);
    CHECK_TEXT(run.error.text, "run 7 is unknown");
    CHECK_TEXT(unit.error.text, "unit SN1 is unknown");
    scene_end(&scene);
}

/* The chain, by the words of schema/README.md and no code of the store's --------------------------------- */

static size_t hash_row(sqlite3_stmt *row, unsigned char hash[32])
{
    static char text[65536];
    int length;

    memcpy(text, hash, 32);
    length = snprintf(text + 32, sizeof text - 32, "%s\n%s\n%s\n%s\n%s\n%s\n%s",
                      (const char *)sqlite3_column_text(row, 0), (const char *)sqlite3_column_text(row, 1),
                      (const char *)sqlite3_column_text(row, 2), (const char *)sqlite3_column_text(row, 3),
                      (const char *)sqlite3_column_text(row, 4), (const char *)sqlite3_column_text(row, 5),
                      (const char *)sqlite3_column_text(row, 6));
    return (size_t)crypto_hash_sha256(hash, (const unsigned char *)text, 32 + (unsigned)length);
}

/* Returns the number of records, all of them good, or -1. */
static int64_t check_chain(const struct scene *scene)
{
    sqlite3 *raw = scene_raw(scene);
    sqlite3_stmt *rows = NULL;
    unsigned char hash[32] = {0};
    int64_t records = 0;

    CHECK(
        sqlite3_prepare_v2(raw,
                           "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM ledger "
                           "ORDER BY sequence",
                           -1, &rows, NULL) == SQLITE_OK);
    while (records >= 0 && sqlite3_step(rows) == SQLITE_ROW) {
        (void)hash_row(rows, hash);
        records++;
        if (!CHECK(sqlite3_column_int64(rows, 0) == records) ||
            !CHECK(memcmp(sqlite3_column_blob(rows, 7), hash, 32) == 0))
            records = -1;
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(raw);
    return records;
}

static void test_chain(void)
{
    struct scene scene;
    struct reply reply = {.done = false};
    json_t *last;

    scene_begin(&scene);
    tell_one_board(&scene);
    CHECK(check_chain(&scene) == 6);
    store_ledger(scene.store, 3, 2, on_answer, &reply);
    await(&scene, &reply);
    CHECK(json_array_size(json_object_get(reply.answer, "items")) == 2);
    CHECK_TEXT(text_of(reply.answer, "next"), "5");
    last = json_array_get(json_object_get(reply.answer, "items"), 1);
    CHECK_TEXT(text_of(last, "kind"), "station.state");
    CHECK_TEXT(text_of(last, "canonical"), "{\"name\":\"A1\",\"state\":\"ready\"}");
    CHECK_TEXT(text_of(last, "utc"), "2026-11-21T12:25:07.000007Z");
    CHECK_TEXT(text_of(json_object_get(last, "body"), "state"), "ready");
    CHECK(strlen(text_of(last, "hash")) == 64);
    json_decref(reply.answer);
    reply = (struct reply){.done = false};
    store_ledger(scene.store, 6, 1, on_answer, &reply);
    await(&scene, &reply);
    last = json_array_get(json_object_get(reply.answer, "items"), 0);
    CHECK_TEXT(text_of(last, "hash"), store_head_hash(scene.store));
    CHECK(json_integer_value(json_object_get(last, "sequence")) == store_head_sequence(scene.store));
    CHECK(json_is_null(json_object_get(reply.answer, "next")));
    json_decref(reply.answer);
    scene_end(&scene);
}

/* What the schema refuses -------------------------------------------------------------------------------- */

#define RUN_2_A2 "\"id\":2,\"job\":1,\"station\":\"A2\",\"chip\":\"c\",\"images\":[\"" IMAGE_1 "\"]"
#define AT_NOON  "\"started\":\"2026-11-21T12:00:00.000000Z\""
#define ENDED_1  "\"id\":1,\"ended\":\"2026-11-21T12:00:00.000000Z\""
#define JOB_2    "\"id\":2,\"chip\":\"c\",\"images\":[],\"stations\":[\"A1\"],\"trigger\":\"on_start\""

/* Run 1 of job 1 is open at station A1; job 10 is done. */
static const struct {
    const char *kind, *body;
    int code;
    const char *words; /* in the error's sentence */
} refusals[] = {
    {"run.finished", "{}", -EPROTO, "kind of fact is unknown"},
    {"daemon.stopped", "[]", -EPROTO, "body is a JSON object"},
    {"daemon.started", "{}", -EPROTO, "daemon.version"},
    {"image.added", "{\"id\":\"" IMAGE_1 "\",\"format\":\"elf\",\"size\":1,\"ranges\":[]}", -EEXIST,
     "image.id"},
    {"image.added", "{\"id\":\"abc\",\"format\":\"elf\",\"size\":1,\"ranges\":[]}", -EPROTO, "SHA-256"},
    {"job.submitted", "{\"id\":1,\"chip\":\"c\",\"images\":[],\"stations\":[],\"trigger\":\"on_start\"}",
     -EEXIST, "job.id"},
    {"job.submitted", "{\"id\":2,\"chip\":\"c\",\"images\":[\"x\"],\"stations\":[],\"trigger\":\"on_start\"}",
     -EPROTO, "image that is unknown"},
    {"job.submitted", "{\"id\":2,\"chip\":\"c\",\"images\":[],\"stations\":\"all\",\"trigger\":\"on_start\"}",
     -EPROTO, "stations is an array"},
    {"job.submitted", "{\"id\":2,\"chip\":\"c\",\"images\":[],\"stations\":[],\"trigger\":\"never\"}",
     -EPROTO, "trigger of a job"},
    {"job.submitted", "{" JOB_2 ",\"quantity\":\"many\"}", -EPROTO, "job.quantity"},
    {"job.submitted", "{" JOB_2 ",\"idempotency\":{\"key\":\"k\",\"body_sha256\":\"x\"}}", -EEXIST,
     "idempotency.key"},
    {"job.submitted", "{" JOB_2 ",\"idempotency\":{\"key\":\"l\"}}", -EPROTO, "idempotency.body_sha256"},
    {"job.state", "{\"id\":5,\"state\":\"held\"}", -EPROTO, "job is unknown"},
    {"job.state", "{\"id\":1,\"state\":\"paused\"}", -EPROTO, "state of a job"},
    {"job.state", "{\"id\":10,\"state\":\"running\"}", -EPROTO, "job has ended"},
    {"run.started", "{\"id\":1,\"job\":1,\"station\":\"A2\",\"chip\":\"c\",\"images\":[]," AT_NOON "}",
     -EEXIST, "run.id"},
    {"run.started", "{\"id\":2,\"job\":5,\"station\":\"A2\",\"chip\":\"c\",\"images\":[]," AT_NOON "}",
     -EPROTO, "job of the run is unknown"},
    {"run.started", "{\"id\":2,\"job\":10,\"station\":\"A2\",\"chip\":\"c\",\"images\":[]," AT_NOON "}",
     -EPROTO, "job has ended"},
    {"run.started", "{\"id\":2,\"job\":11,\"station\":\"A1\",\"chip\":\"c\",\"images\":[]," AT_NOON "}",
     -EPROTO, "station has a run"},
    {"run.started", "{" RUN_2_A2 "," AT_NOON "}", -EPROTO, "needs no more boards"},
    {"run.started", "{\"id\":2,\"job\":11,\"station\":\"A2\",\"chip\":\"c\",\"images\":[\"x\"]," AT_NOON "}",
     -EPROTO, "FOREIGN KEY"},
    {"run.started",
     "{\"id\":2,\"job\":11,\"station\":\"A2\",\"chip\":\"c\",\"images\":[],\"started\":\"2026-11-21T12:00:"
     "00Z\"}",
     -EPROTO, "fixed width"},
    {"run.ended", "{\"id\":2,\"outcome\":\"fail\",\"ended\":\"2026-11-21T12:00:00.000000Z\"}", -EPROTO,
     "not open"},
    {"run.ended", "{" ENDED_1 "}", -EPROTO, "ends with an outcome"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"good\"}", -EPROTO, "outcome of a run"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"fail\",\"class\":\"bad-luck\"}", -EPROTO, "class of failure"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"pass\"}", -EPROTO, "how it was verified"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"pass\",\"verify\":{\"method\":\"none\"}}", -EPROTO,
     "how it was verified"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"pass\",\"verify\":{\"method\":\"crc\"},\"class\":\"verify\"}",
     -EPROTO, "no class of failure"},
    {"run.ended", "{" ENDED_1 ",\"outcome\":\"pass\",\"verify\":{\"method\":\"crc\"},\"uid\":\"other\"}",
     -EPROTO, "chip it started on"},
    {"run.ended", "{\"id\":1,\"outcome\":\"fail\"}", -EPROTO, "has its time"},
    {"station.state", "{\"name\":\"A1\",\"state\":\"asleep\"}", -EPROTO, "state of a station"},
    {"station.state", "{\"state\":\"ready\"}", -EPROTO, "station.name"},
    {"station.enabled", "{\"name\":\"A1\"}", -EPROTO, "station.enabled"},
    {"station.enabled", "{\"name\":\"A1\",\"enabled\":2}", -EPROTO, "true or false"},
};

static void prepare_refusals(struct scene *scene)
{
    json_t *with_key = job_submitted(1, 1, 1, NULL), *with_uid;

    (void)json_object_set_new(with_key, "idempotency", parse("{\"key\":\"k\",\"body_sha256\":\"abc\"}"));
    CHECK(scene_append(scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(scene, "job.submitted", with_key) == 0);
    with_uid = run_started(1, 1, 1, "A1", "2026-11-21T12:00:00.000000Z");
    (void)json_object_set_new(with_uid, "uid", json_string("this"));
    CHECK(scene_append(scene, "run.started", with_uid) == 0);
    CHECK(scene_append(scene, "job.submitted", job_submitted(10, 1, 0, NULL)) == 0);
    CHECK(scene_append(scene, "job.state", parse("{\"id\":10,\"state\":\"done\"}")) == 0);
    CHECK(scene_append(scene, "job.submitted", job_submitted(11, 1, 0, NULL)) == 0);
}

static void check_refusal(struct scene *scene, size_t row)
{
    int64_t head = store_head_sequence(scene->store);
    int code = scene_append(scene, refusals[row].kind, parse(refusals[row].body));

    if (!CHECK(code == refusals[row].code) || !CHECK(strstr(scene->error.text, refusals[row].words) != NULL))
        (void)fprintf(stderr, "  %s %s\n  gave %d: %s\n", refusals[row].kind, refusals[row].body, code,
                      scene->error.text);
    CHECK(scene->error.code == code);
    CHECK(strncmp(scene->error.text, refusals[row].kind, strlen(refusals[row].kind)) == 0);
    CHECK(store_head_sequence(scene->store) == head);
}

static void test_refusals(void)
{
    struct scene scene;

    scene_begin(&scene);
    prepare_refusals(&scene);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refusal(&scene, i);
    CHECK(check_chain(&scene) == 6);
    CHECK(store_statistics(scene.store).refused == sizeof refusals / sizeof refusals[0]);
    /* and what is right still goes through */
    CHECK(scene_append(&scene, "run.ended", run_ended(1, "fail", "write")) == 0);
    scene_end(&scene);
}

static void test_all_or_none(void)
{
    struct scene scene;
    struct store_fact facts[] = {
        {.kind = "image.added", .body = image_added(1)},
        {.kind = "job.submitted", .body = job_submitted(1, 1, 1, NULL)},
        {.kind = "job.state", .body = parse("{\"id\":2,\"state\":\"held\"}")},
    };
    struct reply reply = {.done = false};

    scene_begin(&scene);
    CHECK(store_append_wait(scene.store, NULL, facts, 3, &scene.error) == -EPROTO);
    CHECK(check_chain(&scene) == 0);
    store_image(scene.store, IMAGE_1, on_answer, &reply);
    await(&scene, &reply);
    CHECK(reply.error.code == -ENOENT);
    facts[0].body = image_added(1);
    facts[1].body = job_submitted(1, 1, 1, NULL);
    CHECK(store_append_wait(scene.store, NULL, facts, 2, &scene.error) == 0);
    CHECK(check_chain(&scene) == 2);
    scene_end(&scene);
}

static void test_idempotency(void)
{
    struct scene scene;
    json_t *job = job_submitted(1, 1, 1, NULL);
    struct reply reply = {.done = false};

    scene_begin(&scene);
    (void)json_object_set_new(job, "idempotency", parse("{\"key\":\"order-7\",\"body_sha256\":\"abc\"}"));
    CHECK(scene_append(&scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(&scene, "job.submitted", json_deep_copy(job)) == 0);
    store_idempotency(scene.store, "order-7", on_answer, &reply);
    check_json(await(&scene, &reply), "{\"key\":\"order-7\",\"body_sha256\":\"abc\",\"job\":1}");
    (void)json_object_set_new(job, "id", json_integer(2));
    CHECK(scene_append(&scene, "job.submitted", job) == -EEXIST);
    CHECK(get_job(&scene, 2) == NULL);
    scene_end(&scene);
}

/* By hand ------------------------------------------------------------------------------------------------ */

static const char *const by_hand[] = {
    "UPDATE ledger SET body = '{}' WHERE sequence = 6",
    "DELETE FROM ledger",
    "DELETE FROM ledger WHERE sequence = 6",
    "INSERT OR REPLACE INTO ledger SELECT sequence, utc_us, monotonic_us, clock, boot, kind, '{}', hash FROM "
    "ledger",
    "REPLACE INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
    "SELECT 6, 0, 0, clock, boot, kind, body, hash FROM ledger WHERE sequence = 6",
    "INSERT INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
    "SELECT sequence, utc_us, 0, clock, boot, kind, body, hash FROM ledger WHERE sequence = 6 "
    "ON CONFLICT (sequence) DO UPDATE SET body = '{}'",
    "INSERT OR IGNORE INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
    "SELECT 8, utc_us, 0, clock, boot, kind, body, hash FROM ledger WHERE sequence = 6",
    "INSERT INTO ledger (utc_us, monotonic_us, clock, boot, kind, body, hash) "
    "SELECT utc_us, 0, clock, boot, kind, body, hash FROM ledger WHERE sequence = 1",
    "UPDATE run SET outcome = 'fail'",
    "UPDATE run SET outcome = 'fail', fact = 6",
    "DELETE FROM run",
    "INSERT OR REPLACE INTO run (id, job, station, chip, images, started, fact) "
    "VALUES (1, 1, 'A1', 'c', '[]', '2026-11-21T12:00:00.000000Z', 5)",
    "UPDATE job SET passed = 0",
    "DELETE FROM job",
    "UPDATE image SET name = 'other'",
    "DELETE FROM image",
    "INSERT INTO station VALUES ('A7', 'ready', NULL, '', 1, NULL, 5)",
    "UPDATE station SET state = 'disabled'",
    "DELETE FROM station",
    "UPDATE daemon SET stopped = 'now'",
    "DELETE FROM daemon",
    "DELETE FROM run_image",
    "INSERT INTO idempotency VALUES ('k', 'x', 1, 5)",
};

static void test_by_hand(void)
{
    struct scene scene;
    sqlite3 *raw;

    scene_begin(&scene);
    tell_one_board(&scene);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++)
        if (!CHECK(sqlite3_exec(raw, by_hand[i], NULL, NULL, NULL) == SQLITE_CONSTRAINT))
            (void)fprintf(stderr, "  %s: %s\n", by_hand[i], sqlite3_errmsg(raw));
    (void)sqlite3_close(raw);
    CHECK(check_chain(&scene) == 6);
    scene_end(&scene);
}

/* Many at once ------------------------------------------------------------------------------------------- */

enum { PRODUCERS = 64, ROUNDS = 40 };

struct crowd {
    struct scene scene;
    struct fibers *fibers;
    size_t next;                /* the number of the next callback, in the order of calls */
    int64_t heard, heard_after; /* records the listener has had */
    size_t refused, ended;
};

/* What a record says of its order, in a station's reason. */
static json_t *numbered(size_t number)
{
    return json_pack("{s:o, s:s, s:I}", "name", json_sprintf("S%zu", number % 7), "state", "ready", "reason",
                     (json_int_t)number);
}

struct ticket {
    struct crowd *crowd;
    size_t number;
    bool bad;
};

static void on_ticket(void *context, int status, const struct error *error)
{
    struct ticket *ticket = context;
    struct crowd *crowd = ticket->crowd;

    CHECK(crowd->next++ == ticket->number);
    CHECK(status == (ticket->bad ? -EPROTO : 0));
    CHECK((error != NULL) == ticket->bad);
    CHECK(crowd->heard == crowd->heard_after);
    if (ticket->bad)
        crowd->refused++;
    else
        crowd->heard_after += 2;
    free(ticket);
}

static void on_record(void *context, const struct store_record *record)
{
    struct crowd *crowd = context;

    CHECK(record->sequence == ++crowd->heard);
    CHECK(crowd->heard <= crowd->heard_after);
    CHECK(record->sequence <= store_head_sequence(crowd->scene.store));
    CHECK(strlen(record->hash) == 64 && strlen(record->utc) == 27);
}

/* 5,000 appends of two facts each, one in ten of them refused at its second. */
static void test_order(void)
{
    struct crowd crowd = {.next = 0};
    int64_t appends = 5000;

    scene_begin(&crowd.scene);
    store_set_listener(crowd.scene.store, on_record, &crowd);
    for (size_t i = 0; i < (size_t)appends; i++) {
        struct ticket *ticket = allocate(1, sizeof *ticket);
        struct store_fact facts[2] = {{.kind = "station.state", .body = numbered(i)},
                                      {.kind = "station.state", .body = numbered(i)}};

        *ticket = (struct ticket){.crowd = &crowd, .number = i, .bad = i % 10 == 3};
        if (ticket->bad)
            (void)json_object_set_new(facts[1].body, "state", json_string("asleep"));
        store_append(crowd.scene.store, facts, 2, on_ticket, ticket);
    }
    (void)uv_run(&crowd.scene.loop, UV_RUN_DEFAULT); /* ends by itself when nothing is outstanding */
    CHECK(crowd.next == (size_t)appends && crowd.refused == 500);
    CHECK(crowd.heard == 9000 && crowd.heard == crowd.heard_after);
    CHECK(store_statistics(crowd.scene.store).records == 9000);
    CHECK(store_statistics(crowd.scene.store).refused == 500);
    CHECK(store_statistics(crowd.scene.store).commits < 500);
    CHECK(check_chain(&crowd.scene) == 9000);
    scene_end(&crowd.scene);
}

static void produce(void *argument)
{
    struct crowd *crowd = argument;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct store_fact fact = {.kind = "station.state", .body = numbered(i)};
        struct error error = ERROR_NONE;

        CHECK(store_append_wait(crowd->scene.store, crowd->fibers, &fact, 1, &error) == 0);
    }
    crowd->ended++;
}

/* Every station waits for its own record, as the farm does; they share commits. */
static void test_group_commit(void)
{
    struct crowd crowd = {.next = 0};
    struct store_statistics statistics;

    scene_begin(&crowd.scene);
    crowd.fibers = fibers_new(&crowd.scene.loop, &clock_system);
    for (int i = 0; i < PRODUCERS; i++)
        CHECK(fiber_start(crowd.fibers, "producer", produce, NULL, &crowd) != NULL);
    (void)uv_run(&crowd.scene.loop, UV_RUN_DEFAULT);
    CHECK(crowd.ended == PRODUCERS);
    statistics = store_statistics(crowd.scene.store);
    CHECK(statistics.records == PRODUCERS * ROUNDS);
    CHECK(statistics.commits < statistics.records / 4);
    CHECK(statistics.commit_us_max > 0 && statistics.commit_us_sum >= statistics.commit_us_max);
    CHECK(check_chain(&crowd.scene) == PRODUCERS * ROUNDS);
    fibers_free(crowd.fibers);
    scene_end(&crowd.scene);
}

static void count_call(void *context, int status, const struct error *error)
{
    (void)error;
    CHECK(status == 0);
    ++*(size_t *)context;
}

/* An append of nothing comes back behind all that was appended before it. */
static void test_barrier(void)
{
    struct scene scene;
    size_t calls = 0;
    struct store_fact fact;

    scene_begin(&scene);
    for (size_t i = 0; i < 300; i++) {
        fact = (struct store_fact){.kind = "station.state", .body = numbered(i)};
        store_append(scene.store, &fact, 1, count_call, &calls);
    }
    CHECK(store_append_wait(scene.store, NULL, NULL, 0, &scene.error) == 0);
    CHECK(calls == 300);
    CHECK(store_head_sequence(scene.store) == 300);
    scene_end(&scene);
}

static void on_cancelled_or_not(void *context, json_t *answer, const struct error *error)
{
    CHECK((answer == NULL) == (error != NULL));
    CHECK(!error || error->code == -ECANCELED);
    json_decref(answer);
    ++*(size_t *)context;
}

/* What is outstanding when the store closes is committed or answered, and each callback runs once. */
static void test_close_with_work_outstanding(void)
{
    struct scene scene;
    size_t appends = 0, answers = 0;
    struct store_fact fact;

    scene_begin(&scene);
    tell_one_board(&scene);
    for (size_t i = 0; i < 500; i++) {
        fact = (struct store_fact){.kind = "station.state", .body = numbered(i)};
        store_append(scene.store, &fact, 1, count_call, &appends);
        store_runs(scene.store, &(struct store_run_filter){.job = 1}, &(struct store_page){.limit = 10},
                   on_cancelled_or_not, &answers);
    }
    store_close(scene.store);
    scene.store = NULL;
    CHECK(appends == 500 && answers == 500);
    CHECK(check_chain(&scene) == 506);
    scene_end(&scene);
}

/* Starting again ----------------------------------------------------------------------------------------- */

static void test_restart(void)
{
    struct scene scene;
    json_t *state = NULL;
    char hash[65];

    scene_begin(&scene);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    check_json(state, "{\"jobs\":[],\"runs\":[],\"stations\":[],\"last_job\":0,\"last_run\":0,\"clean\":true,"
                      "\"pools\":[],\"doubt\":[]}");
    tell_one_board(&scene);
    CHECK(scene_append(&scene, "run.started", run_started(2, 1, 1, "A1", "2026-11-21T12:27:00.000000Z")) ==
          0);
    CHECK(scene_append(&scene, "job.submitted", job_submitted(2, 1, 1, NULL)) == 0);
    CHECK(scene_append(&scene, "job.state", parse("{\"id\":2,\"state\":\"done\"}")) == 0);
    CHECK(scene_append(&scene, "station.enabled",
                       parse("{\"name\":\"A2\",\"enabled\":false,\"by\":\"mes\"}")) == 0);
    CHECK(scene_append(&scene, "station.state", parse("{\"name\":\"A2\",\"state\":\"stopped\"}")) == 0);
    (void)snprintf(hash, sizeof hash, "%s", store_head_hash(scene.store));
    scene_close(&scene);

    CHECK(scene_open(&scene) == 0);
    CHECK(store_head_sequence(scene.store) == 11);
    CHECK_TEXT(store_head_hash(scene.store), hash);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    CHECK(json_array_size(json_object_get(state, "jobs")) == 1);
    CHECK(json_integer_value(json_object_get(
              json_object_get(json_array_get(json_object_get(state, "jobs"), 0), "counts"), "started")) == 2);
    CHECK(json_array_size(json_object_get(state, "runs")) == 1);
    CHECK_TEXT(text_of(json_array_get(json_object_get(state, "runs"), 0), "serial"), "SN00002");
    CHECK(json_integer_value(json_object_get(state, "last_job")) == 2);
    CHECK(json_integer_value(json_object_get(state, "last_run")) == 2);
    CHECK(json_is_false(json_object_get(state, "clean")));
    check_json(json_incref(json_object_get(state, "stations")),
               "[{\"name\":\"A1\",\"enabled\":true,\"served_job\":null,\"served_uid\":null},"
               "{\"name\":\"A2\",\"enabled\":false,\"served_job\":null,\"served_uid\":null}]");
    check_json(json_incref(json_object_get(json_array_get(json_object_get(state, "jobs"), 0), "served")),
               "[\"A1\"]");
    json_decref(state);
    /* the run that was in flight, and a stop in good order */
    CHECK(scene_append(&scene, "run.ended", run_ended(2, "unknown", NULL)) == 0);
    CHECK(scene_append(&scene, "daemon.stopped", json_object()) == 0);
    scene_close(&scene);
    CHECK(scene_open(&scene) == 0);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    CHECK(json_is_true(json_object_get(state, "clean")));
    CHECK(json_array_size(json_object_get(state, "runs")) == 0);
    json_decref(state);
    /* the board that a station served last, for a job that goes on */
    CHECK(scene_append(&scene, "run.started", run_started(3, 1, 1, "A1", "2026-11-21T12:28:00.000000Z")) ==
          0);
    CHECK(scene_append(&scene, "run.ended", run_ended(3, "fail", "verify")) == 0);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    check_json(json_incref(json_array_get(json_object_get(state, "stations"), 0)),
               "{\"name\":\"A1\",\"enabled\":true,\"served_job\":1,\"served_uid\":\"0x1122334455667788\"}");
    json_decref(state);
    CHECK(check_chain(&scene) == 15);
    scene_end(&scene);
}

/* Runs `sql` on the closed database, and expects the next opening to fail with `code` and `words`. */
static void check_not_opened(const char *sql, int code, const char *words)
{
    struct scene scene;
    sqlite3 *raw;

    scene_begin(&scene);
    tell_one_board(&scene);
    scene_close(&scene);
    raw = scene_raw(&scene);
    CHECK(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(raw);
    CHECK(scene_open(&scene) == code);
    if (!CHECK(strstr(scene.error.text, words) != NULL))
        (void)fprintf(stderr, "  %s\n", scene.error.text);
    CHECK(scene.store == NULL);
    scene_end(&scene);
}

static void test_newer_database(void)
{
    check_not_opened("PRAGMA user_version = 9999", -EPROTO, "version 9999");
}

static void test_broken_chain(void)
{
    check_not_opened("DROP TRIGGER ledger_no_update; UPDATE ledger SET monotonic_us = 0 WHERE sequence = 6",
                     -EBADMSG, "record 6 does not continue the chain");
}

/* Somebody else's file is not touched: it does not even become a write-ahead one. */
static void test_foreign_database(void)
{
    struct scene scene;
    sqlite3 *raw;
    sqlite3_stmt *mode = NULL;

    scene_prepare(&scene);
    raw = scene_raw(&scene);
    CHECK(sqlite3_exec(raw, "CREATE TABLE notes (text)", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(scene_open(&scene) == -EPROTO);
    CHECK(strstr(scene.error.text, "another program") != NULL);
    CHECK(sqlite3_prepare_v2(raw, "PRAGMA journal_mode", -1, &mode, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(mode) == SQLITE_ROW);
    CHECK_TEXT((const char *)sqlite3_column_text(mode, 0), "delete");
    (void)sqlite3_finalize(mode);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

static void test_second_daemon(void)
{
    struct scene scene;
    struct store *first;

    scene_begin(&scene);
    first = scene.store;
    CHECK(scene_open(&scene) == -EBUSY);
    scene.store = first;
    CHECK(scene_append(&scene, "daemon.started", parse("{\"version\":\"1\"}")) == 0);
    scene_end(&scene);
}

static void test_unopenable(void)
{
    struct scene scene;

    scene_prepare(&scene);
    (void)snprintf(scene.path, sizeof scene.path, "%s/missing/record.db", scene.folder);
    CHECK(scene_open(&scene) == -ENOENT);
    scene_end(&scene);
}

/* No room ------------------------------------------------------------------------------------------------ */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

struct fill {
    size_t stored, refused;
    bool order_kept; /* once there is no room there is none for those behind */
};

static void on_filled(void *context, int status, const struct error *error)
{
    struct fill *fill = context;

    CHECK(status == 0 || status == -ENOSPC);
    CHECK((status == 0) == (error == NULL));
    if (status == 0)
        fill->stored++;
    else
        fill->refused++;
}

/* Every append that was acknowledged is there, none that was refused is; and work goes on by itself. */
static void test_no_room(void)
{
    struct scene scene;
    struct fill fill = {.stored = 0};
    size_t late = 0;

    scene_begin(&scene);
    tell_one_board(&scene);
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(700000);
    for (size_t i = 0; i < 5000; i++) {
        struct store_fact fact = {.kind = "station.state", .body = numbered(i)};

        store_append(scene.store, &fact, 1, on_filled, &fill);
        if (i % 500 == 499)
            (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    }
    CHECK(fill.refused > 500 && fill.stored > 0 && fill.stored + fill.refused == 5000);
    /* Where many at once had no room, a few alone may still have. */
    while (late < 1000 && scene_append(&scene, "station.state", numbered(late)) == 0)
        late++;
    CHECK(scene.error.code == -ENOSPC && strstr(scene.error.text, "not written") != NULL);
    json_decref(get_run(&scene, 1)); /* reading goes on */
    limit_files(RLIM_INFINITY);
    CHECK(scene_append(&scene, "daemon.stopped", json_object()) == 0);
    CHECK(store_head_sequence(scene.store) == (int64_t)(6 + fill.stored + late + 1));
    CHECK(check_chain(&scene) == (int64_t)(6 + fill.stored + late + 1));
    scene_end(&scene);
}

/* Migrations --------------------------------------------------------------------------------------------- */

/* What an empty database has become: tables, indexes, triggers, each in the order of names. */
static char *dump_schema(void)
{
    struct database database;
    struct error error = ERROR_NONE;
    struct log_output quiet = log_output_stderr(LOG_WARNING);
    struct log log = log_named(&quiet, "schema");
    char *dump = copy_text(
        "-- What the migrations add up to; made by store_test --schema, compared by store_test.\n\n");
    sqlite3_stmt *rows = NULL;

    CHECK(database_open(&database, ":memory:", true, &error) == 0);
    CHECK(migrate(&database, &log, &error) == 0);
    CHECK(sqlite3_prepare_v2(
              database.handle,
              "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'trigger', "
              "type = 'index', tbl_name, name",
              -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        char *grown = format_text("%s%s\n\n", dump, (const char *)sqlite3_column_text(rows, 0));

        free(dump);
        dump = grown;
    }
    (void)sqlite3_finalize(rows);
    database_close(&database);
    return dump;
}

static void test_golden_schema(void)
{
    const struct embedded_file *golden = embedded_find(schema_files, "schema.sql");
    char *dump = dump_schema();

    if (CHECK(golden != NULL))
        CHECK(strcmp((const char *)golden->bytes, dump) == 0);
    free(dump);
}

/* What durability and the rules of the schema hang on, asked of a connection made as the writer makes its
 * own. */
static void test_settings(void)
{
    static const struct {
        const char *pragma;
        int64_t value;
    } settings[] = {
        {"PRAGMA synchronous", 2}, /* FULL */
        {"PRAGMA foreign_keys", 1},
        {"PRAGMA recursive_triggers", 1},
        {"PRAGMA busy_timeout", 5000},
        {"PRAGMA application_id", 0x666c6672},
        {"SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1},
    };
    struct scene scene;
    struct database database;
    struct log log;

    scene_prepare(&scene);
    log = log_named(&scene.output, "store");
    CHECK(database_open(&database, scene.path, true, &scene.error) == 0);
    CHECK(migrate(&database, &log, &scene.error) == 0);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (!CHECK(raw_integer(database.handle, settings[i].pragma) == settings[i].value))
            (void)fprintf(stderr, "  %s\n", settings[i].pragma);
    database_close(&database);
    scene_end(&scene);
}

/* Looking for runs --------------------------------------------------------------------------------------- */

enum { RUNS = 2000 };

static const char *const outcomes[] = {"pass", "pass", "pass", "pass", "fail", "aborted", "unknown"};

/* What run number `id` is like, so that the test can say by itself which ones a filter must find. */
struct trait {
    int job, image;
    char station[8], serial[16], uid[24], started[28];
    const char *outcome, *work_order; /* NULL: running; none */
};

static struct trait trait_of(int id)
{
    struct trait trait = {.job = 1 + id % 3, .image = 1 + id % 5};

    (void)snprintf(trait.station, sizeof trait.station, "S%d",
                   id > RUNS - 8 ? 100 + id - (RUNS - 8) : id % 16);
    (void)snprintf(trait.serial, sizeof trait.serial, "SN%d", id / 2);
    (void)snprintf(trait.uid, sizeof trait.uid, "uid-%d", id % 900);
    /* four runs share an instant, and every hundredth comes from a clock that was behind */
    clock_format_utc(SCENE_BEGIN_US + (int64_t)(id / 4 - (id % 100 == 0 ? 50 : 0)) * 60000000, trait.started);
    trait.outcome = id > RUNS - 8 ? NULL : outcomes[id % 7];
    trait.work_order = id % 11 == 0 ? "WO-11" : id % 2 ? "WO-2" : NULL;
    return trait;
}

static json_t *trait_started(int id, const struct trait *trait)
{
    json_t *body = run_started(id, trait->job, trait->image, trait->station, trait->started);

    (void)json_object_set_new(body, "serial", json_string(trait->serial));
    (void)json_object_set_new(body, "uid", json_string(trait->uid));
    (void)json_object_set_new(body, "work_order",
                              trait->work_order ? json_string(trait->work_order) : json_null());
    return body;
}

static void no_refusal(void *context, int status, const struct error *error)
{
    (void)context;
    if (!CHECK(status == 0))
        (void)fprintf(stderr, "  %s\n", error->text);
}

static void append_trait(struct scene *scene, int id)
{
    struct trait trait = trait_of(id);
    struct store_fact facts[2] = {{.kind = "run.started", .body = trait_started(id, &trait)}};

    if (trait.outcome) {
        facts[1] = (struct store_fact){.kind = "run.ended", .body = run_ended(id, trait.outcome, NULL)};
        (void)json_object_set_new(facts[1].body, "uid", json_string(trait.uid));
    }
    store_append(scene->store, facts, trait.outcome ? 2 : 1, no_refusal, NULL);
}

static void fill_with_runs(struct scene *scene)
{
    for (int image = 1; image <= 5; image++)
        CHECK(scene_append(scene, "image.added", image_added(image)) == 0);
    for (int job = 1; job <= 3; job++)
        CHECK(scene_append(scene, "job.submitted", job_submitted(job, job, 0, job == 2 ? "WO-2" : NULL)) ==
              0);
    for (int id = 1; id <= RUNS; id++)
        append_trait(scene, id);
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
}

static bool fits(const char *wanted, const char *has)
{
    return !wanted || (has && strcmp(wanted, has) == 0);
}

static bool matches(const struct store_run_filter *filter, int id)
{
    struct trait trait = trait_of(id);
    char image[65];

    return (!filter->job || filter->job == trait.job) && fits(filter->serial, trait.serial) &&
           fits(filter->uid, trait.uid) && fits(filter->image, image_id(trait.image, image)) &&
           fits(filter->work_order, trait.work_order) && fits(filter->station, trait.station) &&
           fits(filter->outcome, trait.outcome ? trait.outcome : "running") &&
           (!filter->from || strcmp(trait.started, filter->from) >= 0) &&
           (!filter->to || strcmp(trait.started, filter->to) < 0);
}

/* Newest first: by id, or where time is the way in by start and then by id. */
static bool in_order(bool by_time, int previous, int id)
{
    struct trait before = trait_of(previous), here = trait_of(id);
    int later = strcmp(here.started, before.started);

    return by_time ? later < 0 || (later == 0 && id < previous) : id < previous;
}

/* Walks all pages of `limit`: every run that matches comes once, and no other. */
static void walk(struct scene *scene, const struct store_run_filter *filter, int limit)
{
    static bool seen[RUNS + 1];
    bool by_time = !filter->serial && !filter->uid && !filter->job && !filter->work_order && !filter->image &&
                   (filter->station || filter->from || filter->to);
    struct store_page page = {.limit = limit};
    char cursor[32];
    int previous = 0, pages = 0;
    struct error error;

    memset(seen, 0, sizeof seen);
    do {
        json_t *answer = get_runs(scene, filter, &page, &error), *items = json_object_get(answer, "items"),
               *run;
        size_t index;

        if (!CHECK(answer != NULL))
            return;
        CHECK(json_array_size(items) <= (size_t)limit);
        json_array_foreach (items, index, run) {
            int id = (int)json_integer_value(json_object_get(run, "id"));

            CHECK(!previous || in_order(by_time, previous, id));
            CHECK(!seen[id]);
            seen[id] = true;
            previous = id;
        }
        (void)snprintf(cursor, sizeof cursor, "%s", text_of(answer, "next"));
        page.cursor = json_is_null(json_object_get(answer, "next")) ? NULL : cursor;
        json_decref(answer);
    } while (page.cursor && CHECK(++pages < RUNS));
    for (int id = 1; id <= RUNS; id++)
        if (!CHECK(seen[id] == matches(filter, id)))
            return;
}

#define IMAGE_3   "0000000000000000000000000000000000000000000000000000000000000003"
#define TIME_FROM "2026-11-21T14:00:00.000000Z"
#define TIME_TO   "2026-11-21T15:30:00.000000Z"

static void test_filters(void)
{
    static const struct store_run_filter filters[] = {
        {.job = 0},
        {.job = 2},
        {.job = 77},
        {.serial = "SN17"},
        {.uid = "uid-17"},
        {.image = IMAGE_3},
        {.work_order = "WO-11"},
        {.station = "S3"},
        {.outcome = "pass"},
        {.outcome = "fail"},
        {.outcome = "running"},
        {.from = TIME_FROM},
        {.to = TIME_TO},
        {.from = TIME_FROM, .to = TIME_TO},
        {.station = "S4", .from = TIME_FROM, .to = TIME_TO},
        {.station = "S4", .outcome = "fail"},
        {.outcome = "fail", .from = TIME_FROM, .to = TIME_TO},
        {.outcome = "running", .from = TIME_FROM},
        {.job = 1, .image = IMAGE_3, .outcome = "pass"},
        {.image = IMAGE_3, .station = "S7", .from = TIME_FROM},
        {.work_order = "WO-2", .outcome = "unknown", .to = TIME_TO},
        {.serial = "SN500", .uid = "uid-100", .job = 2, .image = IMAGE_1},
    };
    struct scene scene;

    scene_begin(&scene);
    fill_with_runs(&scene);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        walk(&scene, &filters[i], 1000);
        walk(&scene, &filters[i], 7 + (int)i);
    }
    walk(&scene, &(struct store_run_filter){.station = "S2"}, 1);
    scene_end(&scene);
}

static size_t count_items(json_t *answer)
{
    size_t count = json_array_size(json_object_get(answer, "items"));

    json_decref(answer);
    return count;
}

static void test_jobs_images_units(void)
{
    struct scene scene;
    struct store_page page = {.limit = 2};
    struct reply jobs = {.done = false}, held = jobs, order = jobs, images = jobs, serial = jobs, uid = jobs;

    scene_begin(&scene);
    fill_with_runs(&scene);
    store_jobs(scene.store, NULL, NULL, &page, on_answer, &jobs);
    store_jobs(scene.store, "held", NULL, &page, on_answer, &held);
    store_jobs(scene.store, "running", "WO-2", &page, on_answer, &order);
    store_images(scene.store, &page, on_answer, &images);
    store_unit(scene.store, "SN17", on_answer, &serial);
    store_unit(scene.store, "uid-17", on_answer, &uid);
    CHECK_TEXT(text_of(await(&scene, &jobs), "next"), "2");
    CHECK(count_items(jobs.answer) == 2);
    CHECK(count_items(await(&scene, &held)) == 0);
    CHECK(count_items(await(&scene, &order)) == 1);
    CHECK_TEXT(text_of(await(&scene, &images), "next"), "4");
    CHECK_TEXT(text_of(json_array_get(json_object_get(images.answer, "items"), 1), "id"),
               "0000000000000000000000000000000000000000000000000000000000000004");
    json_decref(images.answer);
    CHECK_TEXT(text_of(await(&scene, &serial), "uid"), "uid-35");
    CHECK(json_array_size(json_object_get(serial.answer, "runs")) == 2);
    json_decref(serial.answer);
    CHECK_TEXT(text_of(await(&scene, &uid), "serial"), "SN908");
    CHECK(json_array_size(json_object_get(uid.answer, "runs")) == 3);
    json_decref(uid.answer);
    scene_end(&scene);
}

static void check_bad_request(struct scene *scene, const struct store_run_filter *filter,
                              const struct store_page *page, const char *words)
{
    struct error error;

    CHECK(get_runs(scene, filter, page, &error) == NULL);
    CHECK(error.code == -EINVAL);
    CHECK(strstr(error.text, words) != NULL);
}

static void test_bad_requests(void)
{
    struct scene scene;
    struct store_run_filter all = {.job = 0};

    scene_begin(&scene);
    check_bad_request(&scene, &all, &(struct store_page){.cursor = "abc"}, "not a cursor");
    check_bad_request(&scene, &all, &(struct store_page){.cursor = "12x"}, "not a cursor");
    check_bad_request(&scene, &all, &(struct store_page){.cursor = ""}, "not a cursor");
    check_bad_request(&scene, &all, &(struct store_page){.cursor = "-1"}, "not a cursor");
    check_bad_request(&scene, &all, &(struct store_page){.cursor = "99999999999999999999"}, "not a cursor");
    check_bad_request(&scene, &all, &(struct store_page){.limit = 1001}, "1 to 1000");
    check_bad_request(&scene, &all, &(struct store_page){.limit = -1}, "1 to 1000");
    check_bad_request(&scene, &(struct store_run_filter){.from = "yesterday"},
                      &(struct store_page){.limit = 1}, "RFC 3339");
    scene_end(&scene);
}

/* Every list has its way in: an index, or the rows in the order they are wanted, and no sorting of all. */
static void test_query_plans(void)
{
    static const struct {
        enum query query;
        const char *way;
    } plans[] = {
        {QUERY_RUN, "SEARCH run USING INTEGER PRIMARY KEY (rowid=?)"},
        {QUERY_RUNS, "SEARCH run USING INTEGER PRIMARY KEY (rowid<?)"},
        {QUERY_RUNS_BY_SERIAL, "SEARCH run USING INDEX run_serial (serial=? AND rowid<?)"},
        {QUERY_RUNS_BY_UID, "SEARCH run USING INDEX run_uid (uid=? AND rowid<?)"},
        {QUERY_RUNS_BY_IMAGE, "SEARCH used USING PRIMARY KEY (image=? AND run<?)"},
        {QUERY_RUNS_BY_WORK_ORDER, "SEARCH run USING INDEX run_work_order (work_order=? AND rowid<?)"},
        {QUERY_RUNS_BY_JOB, "SEARCH run USING INDEX run_job (job=? AND rowid<?)"},
        {QUERY_RUNS_BY_STATION, "SEARCH run USING INDEX run_station (station=? AND started>? AND started<?)"},
        {QUERY_RUNS_BY_TIME, "SEARCH run USING INDEX run_started (started>? AND started<?)"},
        {QUERY_RUNS_BY_OUTCOME, "SEARCH run USING INDEX run_outcome (outcome=? AND rowid<?)"},
        {QUERY_JOBS, "SEARCH job USING INTEGER PRIMARY KEY (rowid<?)"},
        {QUERY_JOBS_BY_STATE, "SEARCH job USING INDEX job_state (state=? AND rowid<?)"},
        {QUERY_JOBS_BY_WORK_ORDER, "SEARCH job USING INDEX job_work_order (work_order=? AND rowid<?)"},
        {QUERY_IMAGES, "SEARCH image USING INTEGER PRIMARY KEY (rowid<?)"},
        {QUERY_LEDGER, "SEARCH ledger USING INTEGER PRIMARY KEY (rowid>?)"},
        {QUERY_LOAD_RUNS, "SEARCH run USING INDEX run_outcome (outcome=?)"},
    };
    struct scene scene;
    sqlite3 *raw;

    scene_begin(&scene);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        char *sql = format_text("EXPLAIN QUERY PLAN %s", queries[plans[i].query]), *plan = copy_text("");
        sqlite3_stmt *rows = NULL;

        CHECK(sqlite3_prepare_v2(raw, sql, -1, &rows, NULL) == SQLITE_OK);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            char *grown = format_text("%s  %s\n", plan, (const char *)sqlite3_column_text(rows, 3));

            free(plan);
            plan = grown;
        }
        if (!CHECK(strstr(plan, plans[i].way) != NULL) || !CHECK(strstr(plan, "TEMP B-TREE") == NULL))
            (void)fprintf(stderr, "  wanted %s\n%s", plans[i].way, plan);
        (void)sqlite3_finalize(rows);
        free(sql);
        free(plan);
    }
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

static void test_times(void)
{
    static const struct {
        const char *text, *utc; /* NULL: no time */
    } times[] = {
        {"2026-11-21T12:25:00Z", "2026-11-21T12:25:00.000000Z"},
        {"2026-11-21t12:25:00.5z", "2026-11-21T12:25:00.500000Z"},
        {"2026-11-21T14:25:00.1234567+02:00", "2026-11-21T12:25:00.123456Z"},
        {"2026-11-20T23:55:00-12:30", "2026-11-21T12:25:00.000000Z"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"},
        {"2025-02-29T00:00:00Z", NULL},
        {"2026-04-31T00:00:00Z", NULL},
        {"2026-13-01T00:00:00Z", NULL},
        {"2026-11-21T24:00:00Z", NULL},
        {"2026-11-21T12:25Z", NULL},
        {"2026-11-21T12:25:00", NULL},
        {"2026-11-21T12:25:00.Z", NULL},
        {"2026-11-21 12:25:00Z", NULL},
        {"2026-11-21T12:25:00Z ", NULL},
        {"2026-11-21T12:25:00+0200", NULL},
        {"2026-11-21", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char utc[28] = "";
        bool good = rfc3339_to_utc(times[i].text, utc);

        if (!CHECK(good == (times[i].utc != NULL)))
            (void)fprintf(stderr, "  %s\n", times[i].text);
        if (good && times[i].utc)
            CHECK_TEXT(utc, times[i].utc);
    }
}

/* How fast -------------------------------------------------------------------------------------------- */

struct line {
    struct scene *scene;
    struct fibers *fibers;
    int *next, last;
    size_t station;
};

/* One station: start, wait for it to be durable, end, wait, as the farm does but without a board. */
static void work_off(void *argument)
{
    struct line *line = argument;
    char station[24];

    (void)snprintf(station, sizeof station, "S%zu", line->station);
    while (*line->next < line->last) {
        int id = ++*line->next;
        struct error error = ERROR_NONE;
        struct store_fact started = {.kind = "run.started",
                                     .body = run_started(id, 1, 1, station, "2026-11-21T12:25:00.123456Z")},
                          ended = {.kind = "run.ended"};

        CHECK(store_append_wait(line->scene->store, line->fibers, &started, 1, &error) == 0);
        ended.body = run_ended(id, "pass", NULL);
        CHECK(store_append_wait(line->scene->store, line->fibers, &ended, 1, &error) == 0);
    }
}

static void print_rate(size_t stations, int boards)
{
    struct line *lines = allocate(stations, sizeof *lines);
    struct scene scene;
    struct store_statistics statistics;
    struct fibers *fibers;
    int next = 0;
    uint64_t begun_ns;
    double seconds;

    scene_begin(&scene);
    CHECK(scene_append(&scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(&scene, "job.submitted", job_submitted(1, 1, 0, NULL)) == 0);
    fibers = fibers_new(&scene.loop, &clock_system);
    begun_ns = uv_hrtime();
    for (size_t i = 0; i < stations; i++) {
        lines[i] =
            (struct line){.scene = &scene, .fibers = fibers, .next = &next, .last = boards, .station = i};
        (void)fiber_start(fibers, "line", work_off, NULL, &lines[i]);
    }
    (void)uv_run(&scene.loop, UV_RUN_DEFAULT);
    seconds = (double)(uv_hrtime() - begun_ns) / 1e9;
    statistics = store_statistics(scene.store);
    (void)printf(
        "%4zu stations: %7.0f boards/s, %7.0f records/s, %5.1f records a commit, commit %6.2f ms mean, "
        "%6.2f ms longest\n",
        stations, boards / seconds, 2 * boards / seconds,
        (double)statistics.records / (double)statistics.commits,
        (double)statistics.commit_us_sum / (double)statistics.commits / 1000,
        (double)statistics.commit_us_max / 1000);
    fibers_free(fibers);
    scene_end(&scene);
    free(lines);
}

static int print_rates(void)
{
    static const size_t stations[] = {1, 16, 64, 256};

    for (size_t i = 0; i < sizeof stations / sizeof stations[0]; i++)
        print_rate(stations[i], stations[i] == 1 ? 2000 : 20000);
    return test_failures;
}

static const struct test tests[] = {
    {"what is appended is read back", test_read_back},
    {"a run that is open has the same form", test_running_has_the_same_form},
    {"what is not there", test_what_is_not_there},
    {"chain recomputed from its description", test_chain},
    {"refused facts", test_refusals},
    {"an append is all or none", test_all_or_none},
    {"idempotency key", test_idempotency},
    {"by hand, nothing is written", test_by_hand},
    {"order of callbacks and listener", test_order},
    {"group commit", test_group_commit},
    {"an append of nothing waits for the rest", test_barrier},
    {"close with work outstanding", test_close_with_work_outstanding},
    {"restart", test_restart},
    {"newer database", test_newer_database},
    {"broken chain", test_broken_chain},
    {"another program's database", test_foreign_database},
    {"second daemon", test_second_daemon},
    {"path that cannot be opened", test_unopenable},
    {"no room, then room again", test_no_room},
    {"golden schema", test_golden_schema},
    {"settings of the writer", test_settings},
    {"filters and pages", test_filters},
    {"jobs, images, units", test_jobs_images_units},
    {"bad requests", test_bad_requests},
    {"query plans", test_query_plans},
    {"times", test_times},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--schema") == 0) {
        char *dump = dump_schema();

        (void)fputs(dump, stdout);
        free(dump);
        return test_failures;
    }
    if (argc == 2 && strcmp(argv[1], "--rate") == 0)
        return print_rates();
    return test_main(tests, sizeof tests / sizeof tests[0]);
}
