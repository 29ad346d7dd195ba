/* SPDX-License-Identifier: Apache-2.0 */
/* The offline verifier: a record that the store wrote is in order, and one that anybody touched is not. */
#include "audit.h"
#include "store.h"

#include "store_scene.h"
#include "test.h"

#include <errno.h>
#include <sodium.h>

/* What a tamperer and the test say of a record: how many findings, and the report. */
static int verify(const struct scene *scene, json_t **report, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const struct audit_options options = {.projections = AUDIT_PROJECTIONS_YES};
    struct audit_report audited;
    int found = audit_verify(scene->path, &options, &audited, error);

    if (found == 0) {
        found = audited.findings.found;
        audit_report_print(&audited, out, true);
    }
    audit_report_clear(&audited);
    (void)fclose(out);
    *report = found >= 0 ? json_loads(text, 0, NULL) : NULL;
    CHECK(found < 0 || *report != NULL);
    free(text);
    return found;
}

/* The record has exactly one finding, at the place and in words like these; NULL is anything. */
static void check_finding(const struct scene *scene, const char *table, const char *key, const char *column,
                          const char *words)
{
    struct error error = ERROR_NONE;
    json_t *report = NULL, *finding;
    int found = verify(scene, &report, &error);
    bool good = CHECK(found > 0);
    const char *said;

    finding = json_array_get(json_object_get(report, "findings"), 0);
    said = json_string_value(json_object_get(finding, "message"));
    good = good && CHECK(strcmp(json_string_value(json_object_get(finding, "table")), table) == 0);
    good = good && (!key || CHECK(strcmp(json_string_value(json_object_get(finding, "key")), key) == 0));
    good = good &&
           (!column || CHECK(strcmp(json_string_value(json_object_get(finding, "column")), column) == 0));
    good = good && CHECK(strstr(said, words) != NULL);
    if (!good) {
        (void)fprintf(stderr, "  wanted %s %s %s: %s\n  got %d: ", table, key ? key : "",
                      column ? column : "", words, found);
        (void)json_dumpf(report, stderr, JSON_INDENT(1));
    }
    json_decref(report);
}

/* Not durable one by one: that is a wait for the disk each time. */
static void queue(struct scene *scene, const char *kind, json_t *body)
{
    store_append(scene->store, &(struct store_fact){.kind = kind, .body = body}, 1, NULL, NULL);
}

/* Something in every table: runs that passed, failed, are open; jobs with and without a key. */
static void tell_a_shift(struct scene *scene)
{
    json_t *job = job_submitted(1, 1, 0, "WO-1");

    (void)json_object_set_new(job, "idempotency", parse("{\"key\":\"order-7\",\"body_sha256\":\"abc\"}"));
    queue(scene, "daemon.started", parse("{\"version\":\"0.1.0\",\"clean\":true}"));
    queue(scene, "image.added", image_added(1));
    queue(scene, "image.added", image_added(2));
    queue(scene, "job.submitted", job);
    queue(scene, "job.submitted", job_submitted(2, 2, 0, NULL));
    queue(scene, "station.state", parse("{\"name\":\"A1\",\"state\":\"ready\"}"));
    queue(scene, "station.enabled", parse("{\"name\":\"A2\",\"enabled\":false,\"by\":\"local\"}"));
    for (int id = 1; id <= 40; id++) {
        queue(scene, "run.started",
              run_started(id, 1 + id % 2, 1 + id % 2, "A1", "2026-11-21T12:25:00.123456Z"));
        queue(scene, "run.ended", id % 5 ? run_ended(id, "pass", NULL) : run_ended(id, "fail", "verify"));
    }
    queue(scene, "run.started", run_started(41, 1, 1, "A1", "2026-11-21T12:26:00.000000Z"));
    queue(scene, "job.state", parse("{\"id\":2,\"state\":\"held\",\"reason\":\"3 failures\"}"));
    CHECK(store_append_wait(scene->store, NULL, NULL, 0, &scene->error) == 0);
    CHECK(store_head_sequence(scene->store) == 89);
}

static void begin_shift(struct scene *scene)
{
    scene_begin(scene);
    tell_a_shift(scene);
    scene_close(scene);
}

static bool beside(const struct scene *scene, const char *suffix)
{
    char path[80];

    (void)snprintf(path, sizeof path, "%s%s", scene->path, suffix);
    return access(path, F_OK) == 0;
}

static void test_in_order(void)
{
    struct scene scene;
    struct error error = ERROR_NONE;
    json_t *report = NULL;
    char hash[65];

    scene_begin(&scene);
    tell_a_shift(&scene);
    (void)snprintf(hash, sizeof hash, "%s", store_head_hash(scene.store));
    CHECK(beside(&scene, "-wal"));
    CHECK(verify(&scene, &report, &error) == 0); /* while the daemon has it open */
    CHECK(json_is_true(json_object_get(report, "ok")));
    json_decref(report);
    scene_close(&scene);
    CHECK(!beside(&scene, "-wal"));
    CHECK(verify(&scene, &report, &error) == 0); /* and at rest */
    CHECK(!beside(&scene, "-wal") && !beside(&scene, "-shm"));
    CHECK(json_is_true(json_object_get(report, "ok")));
    CHECK(json_integer_value(json_object_get(report, "records")) == 89);
    CHECK(json_integer_value(json_object_get(report, "head")) == 89);
    CHECK_TEXT(json_string_value(json_object_get(report, "hash")), hash);
    CHECK(json_array_size(json_object_get(report, "findings")) == 0);
    json_decref(report);
    scene_end(&scene);
}

static void test_lines(void)
{
    struct scene scene;
    struct error error = ERROR_NONE;
    struct audit_report audited;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    begin_shift(&scene);
    CHECK(audit_verify(scene.path, &(struct audit_options){.witness = NULL}, &audited, &error) == 0);
    CHECK(audited.findings.found == 0);
    audit_report_print(&audited, out, false);
    audit_report_clear(&audited);
    (void)fclose(out);
    CHECK(strstr(text, "89 records, the last is 89") != NULL);
    CHECK(strstr(text, "in order") != NULL && strstr(text, "NOT") == NULL);
    free(text);
    scene_end(&scene);
}

/* Nobody can tell from the file alone that a whole record was put back to what it was: the head tells it to
 * whoever has noted a later one. */
static void test_older_copy(void)
{
    struct scene scene;
    struct error error = ERROR_NONE;
    json_t *before = NULL, *after = NULL;

    begin_shift(&scene);
    CHECK(verify(&scene, &before, &error) == 0);
    CHECK(scene_open(&scene) == 0);
    CHECK(scene_append(&scene, "run.ended", run_ended(41, "unknown", NULL)) == 0);
    scene_close(&scene);
    CHECK(verify(&scene, &after, &error) == 0);
    CHECK(json_integer_value(json_object_get(after, "head")) ==
          json_integer_value(json_object_get(before, "head")) + 1);
    CHECK(!json_equal(json_object_get(after, "hash"), json_object_get(before, "hash")));
    json_decref(before);
    json_decref(after);
    scene_end(&scene);
}

/* With the rules out of the way ---------------------------------------------------------------------------
 */

/* Runs `sql` with the triggers away and no constraint checked, and puts the triggers back word for word, so
 * that the schema does not tell. False when SQLite itself would not. */
static bool tamper(sqlite3 *raw, const char *sql)
{
    sqlite3_str *restore = sqlite3_str_new(raw), *drop = sqlite3_str_new(raw);
    sqlite3_stmt *triggers = NULL;
    char *text;
    bool done;

    CHECK(sqlite3_exec(raw, "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; BEGIN", NULL,
                       NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(raw, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", -1, &triggers,
                             NULL) == SQLITE_OK);
    while (sqlite3_step(triggers) == SQLITE_ROW) {
        sqlite3_str_appendf(drop, "DROP TRIGGER %s;", (const char *)sqlite3_column_text(triggers, 0));
        sqlite3_str_appendf(restore, "%s;", (const char *)sqlite3_column_text(triggers, 1));
    }
    (void)sqlite3_finalize(triggers);
    text = sqlite3_str_finish(drop);
    CHECK(sqlite3_exec(raw, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(text);
    done = sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_total_changes(raw) > 0;
    text = sqlite3_str_finish(restore);
    CHECK(sqlite3_exec(raw, text, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(text);
    CHECK(sqlite3_exec(raw, done ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    return done;
}

static void tamper_with_file(const struct scene *scene, const char *sql)
{
    sqlite3 *raw = scene_raw(scene);

    CHECK(tamper(raw, sql));
    (void)sqlite3_close(raw);
}

/* Each of these alone, on a fresh record. */
static const struct {
    const char *sql, *table, *key, *column, *words;
} tampered[] = {
    {"UPDATE run SET outcome = 'pass', class = NULL WHERE id = 5", "run", "5", "outcome",
     "is pass, but the ledger makes it fail"},
    {"UPDATE run SET serial = 'SN99999' WHERE id = 7", "run", "7", "serial", "the ledger makes it SN00007"},
    {"DELETE FROM run WHERE id = 9", "run", "9", NULL, "is missing"},
    {"UPDATE job SET failed = failed - 1, passed = passed + 1 WHERE id = 1", "job", "1", "passed",
     "makes it"},
    {"DELETE FROM run_image WHERE run = 3", "run_image", NULL, NULL, "is missing"},
    {"INSERT INTO station VALUES ('A9', 'ready', NULL, '2026-11-21T12:26:00.000000Z', 1, NULL, 89)",
     "station", "A9", NULL, "the ledger does not have it"},
    {"UPDATE ledger SET body = replace(body, 'fail', 'pass') WHERE sequence = 17", "ledger", "17", NULL, ""},
    {"UPDATE ledger SET utc_us = utc_us + 1 WHERE sequence = 30", "ledger", "30", "hash",
     "not the one that was hashed"},
    {"UPDATE ledger SET clock = 'free' WHERE sequence = (SELECT max(sequence) FROM ledger WHERE clock = "
     "'synchronised')",
     "ledger", NULL, "hash", "not the one that was hashed"},
    {"DELETE FROM ledger WHERE sequence = 50", "ledger", "51", "sequence", "gap"},
    {"DELETE FROM ledger WHERE sequence = 89", "job", "2", NULL, "the ledger makes it"},
    {"DELETE FROM ledger", "daemon", "1", NULL, "does not have it"},
    {"UPDATE ledger SET sequence = sequence + 1000 WHERE sequence = 89", "ledger", "1089", "sequence", "gap"},
};

static void test_named_tamperings(void)
{
    for (size_t i = 0; i < sizeof tampered / sizeof tampered[0]; i++) {
        struct scene scene;

        begin_shift(&scene);
        tamper_with_file(&scene, tampered[i].sql);
        check_finding(&scene, tampered[i].table, tampered[i].key, tampered[i].column, tampered[i].words);
        scene_end(&scene);
    }
}

static const struct {
    const char *sql, *key, *words;
} schemas[] = {
    {"DROP TRIGGER ledger_no_update", "trigger, ledger_no_update", "is missing"},
    {"DROP INDEX run_open", "index, run_open", "is missing"},
    {"CREATE TABLE notes (text)", "table, notes", "does not belong"},
    {"CREATE TRIGGER quiet AFTER UPDATE ON run BEGIN SELECT 1; END", "trigger, quiet", "does not belong"},
    {"ALTER TABLE run ADD COLUMN extra TEXT", "table, run", "the ledger makes it"},
};

static void test_schema(void)
{
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct scene scene;
        sqlite3 *raw;

        begin_shift(&scene);
        raw = scene_raw(&scene);
        CHECK(sqlite3_exec(raw, schemas[i].sql, NULL, NULL, NULL) == SQLITE_OK);
        (void)sqlite3_close(raw);
        check_finding(&scene, "sqlite_schema", schemas[i].key, NULL, schemas[i].words);
        scene_end(&scene);
    }
}

/* An endless view in the place of a table must not hold the auditor up. */
static void test_endless_view(void)
{
    struct scene scene;
    sqlite3 *raw;

    begin_shift(&scene);
    raw = scene_raw(&scene);
    CHECK(sqlite3_exec(
              raw,
              "DROP TABLE ledger; CREATE VIEW ledger AS WITH RECURSIVE n (sequence) AS "
              "(SELECT 1 UNION ALL SELECT sequence + 1 FROM n) SELECT sequence, 0 AS utc_us, "
              "0 AS monotonic_us, '' AS clock, '' AS boot, '' AS kind, '' AS body, x'00' AS hash FROM n",
              NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(raw);
    check_finding(&scene, "sqlite_schema", NULL, NULL, "");
    scene_end(&scene);
}

static void run_on_file(const struct scene *scene, const char *sql)
{
    sqlite3 *raw = scene_raw(scene);

    CHECK(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(raw);
}

/* Every table is as it should be, but a look-up would find something else: two indexes have changed places.
 */
static void test_wrong_index(void)
{
    struct scene scene;
    sqlite3 *raw;
    char sql[200];

    begin_shift(&scene);
    raw = scene_raw(&scene);
    (void)snprintf(
        sql, sizeof sql,
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = %" PRId64
        " - rootpage WHERE name IN ('run_uid', 'run_serial')",
        raw_integer(raw, "SELECT sum(rootpage) FROM sqlite_schema WHERE name IN ('run_uid', 'run_serial')"));
    (void)sqlite3_close(raw);
    run_on_file(&scene, sql);
    check_finding(&scene, "database", NULL, NULL, "run_");
    scene_end(&scene);
}

/* A number as text hashes the same and is another value to every query. */
static void test_wrong_type(void)
{
    struct scene scene;

    begin_shift(&scene);
    run_on_file(
        &scene,
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', "
        "')'), 'utc_us       INTEGER', 'utc_us       BLOB') WHERE name = 'ledger'");
    tamper_with_file(&scene, "UPDATE ledger SET utc_us = CAST(utc_us AS TEXT) WHERE sequence = 20");
    run_on_file(&scene, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, "
                        "'utc_us       BLOB', 'utc_us       INTEGER') || ' STRICT' WHERE name = 'ledger'");
    check_finding(&scene, "database", NULL, NULL, "utc_us");
    scene_end(&scene);
}

/* Somebody who knows how the chain is made appends a record that replaces what a run was. */
static void test_forged_record(void)
{
    struct scene scene;
    unsigned char text[2048], hash[32];
    sqlite3 *raw;
    sqlite3_stmt *statement = NULL;
    int size;

    begin_shift(&scene);
    raw = scene_raw(&scene);
    CHECK(sqlite3_prepare_v2(raw, "SELECT hash FROM ledger WHERE sequence = 89", -1, &statement, NULL) ==
          SQLITE_OK);
    CHECK(sqlite3_step(statement) == SQLITE_ROW);
    memcpy(text, sqlite3_column_blob(statement, 0), 32);
    (void)sqlite3_finalize(statement);
    size = snprintf((char *)text + 32, sizeof text - 32,
                    "90\n1\n1\nfree\nforged\nrun.started\n{\"chip\":\"c\",\"id\":1,\"images\":[],\"job\":1,"
                    "\"started\":\"2026-11-21T12:26:00.000000Z\",\"station\":\"A7\"}");
    (void)crypto_hash_sha256(hash, text, 32 + (unsigned)size);
    CHECK(
        sqlite3_prepare_v2(raw,
                           "INSERT OR REPLACE INTO ledger VALUES (90, 1, 1, 'free', 'forged', 'run.started', "
                           "'{\"chip\":\"c\",\"id\":1,\"images\":[],\"job\":1,"
                           "\"started\":\"2026-11-21T12:26:00.000000Z\",\"station\":\"A7\"}', ?1)",
                           -1, &statement, NULL) == SQLITE_OK);
    (void)sqlite3_bind_blob(statement, 1, hash, sizeof hash, SQLITE_STATIC);
    CHECK(sqlite3_step(statement) == SQLITE_DONE); /* nothing in SQLite stops it */
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(raw);
    check_finding(&scene, "ledger", "90", "kind", "could not have been appended");
    scene_end(&scene);
}

/* At random ---------------------------------------------------------------------------------------------- */

enum { TRIALS = 300 };

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

static const struct {
    const char *name, *columns[28];
} tables[] = {
    {"ledger", {"sequence", "utc_us", "monotonic_us", "clock", "boot", "kind", "body", "hash"}},
    {"run", {"id",     "job",        "station", "port",    "chip",    "chip_id", "image",
             "images", "work_order", "uid",     "serial",  "started", "ended",   "outcome",
             "class",  "message",    "by",      "version", "details", "fact"}},
    {"job",
     {"id",
      "state",
      "reason",
      "chip",
      "images",
      "stations",
      "quantity",
      "trigger",
      "work_order",
      "by",
      "hold_after_failures",
      "options",
      "submitted",
      "updated",
      "started",
      "passed",
      "failed",
      "aborted",
      "unknown",
      "fact"}},
    {"image", {"fact", "id", "name", "format", "size", "base", "ranges", "added", "by"}},
    {"run_image", {"image", "run"}},
    {"station", {"name", "state", "reason", "since", "enabled", "by", "fact"}},
    {"idempotency", {"key", "body_sha256", "job", "fact"}},
    {"daemon", {"id", "version", "started", "stopped", "fact"}},
};

enum { TABLES = sizeof tables / sizeof tables[0] };

/* flip(value, n): the value with one bit the other way; a value from nothing. */
static void flip(sqlite3_context *context, int count, sqlite3_value **values)
{
    unsigned bit = (unsigned)sqlite3_value_int(values[1]);
    int type = sqlite3_value_type(values[0]), size;
    unsigned char bytes[4096];

    (void)count;
    if (type == SQLITE_INTEGER) {
        sqlite3_result_int64(context, sqlite3_value_int64(values[0]) ^ ((sqlite3_int64)1 << bit % 40));
        return;
    }
    size = sqlite3_value_bytes(values[0]);
    if (type == SQLITE_NULL || size == 0) {
        sqlite3_result_text(context, "1", -1, SQLITE_TRANSIENT);
        return;
    }
    memcpy(bytes, sqlite3_value_blob(values[0]), (size_t)size);
    bytes[bit / 8 % (unsigned)size] ^= (unsigned char)(1U << bit % 8);
    if (type == SQLITE_BLOB)
        sqlite3_result_blob(context, bytes, size, SQLITE_TRANSIENT);
    else
        sqlite3_result_text(context, (char *)bytes, size, SQLITE_TRANSIENT);
}

static size_t count_columns(size_t table)
{
    size_t count = 0;

    while (tables[table].columns[count])
        count++;
    return count;
}

/* One change to one row, or two rows of the ledger in each other's place. */
static char *random_change(sqlite3 *raw, uint32_t *state)
{
    size_t table = draw(state, 3) ? draw(state, TABLES) : 0;
    char *count = sqlite3_mprintf("SELECT count(*) FROM %s", tables[table].name);
    uint32_t rows = (uint32_t)raw_integer(raw, count), row = draw(state, rows), bit = draw(state, 32768);
    const char *name = tables[table].name,
               *column = tables[table].columns[draw(state, (uint32_t)count_columns(table))];
    char *where;

    sqlite3_free(count);
    if (table == 0 && draw(state, 6) == 0) /* the contents of two neighbours; the bodies are never the same */
        return sqlite3_mprintf("UPDATE ledger SET sequence = -1 WHERE sequence = %u; UPDATE ledger SET "
                               "sequence = %u WHERE sequence = %u;"
                               "UPDATE ledger SET sequence = %u WHERE sequence = -1",
                               1 + row % (rows - 1), 1 + row % (rows - 1), 2 + row % (rows - 1),
                               2 + row % (rows - 1));
    where = table == 4
                ? sqlite3_mprintf("(image, run) = (SELECT image, run FROM run_image LIMIT 1 OFFSET %u)", row)
            : table == 5 ? sqlite3_mprintf("name = (SELECT name FROM station LIMIT 1 OFFSET %u)", row)
            : table == 6 ? sqlite3_mprintf("true")
                         : sqlite3_mprintf("rowid = (SELECT rowid FROM %s LIMIT 1 OFFSET %u)", name, row);
    count = draw(state, 5) == 0 ? sqlite3_mprintf("DELETE FROM %s WHERE %s", name, where)
                                : sqlite3_mprintf("UPDATE %s SET \"%w\" = flip(\"%w\", %u) WHERE %s", name,
                                                  column, column, bit, where);
    sqlite3_free(where);
    return count;
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t size;

    while (CHECK(in && out) && (size = fread(bytes, 1, sizeof bytes, in)) > 0)
        CHECK(fwrite(bytes, 1, size, out) == size);
    (void)fclose(in);
    (void)fclose(out);
}

/* True when the trial was a change at all: a flip can collide with another row, and is then refused. */
static bool try_tampering(const struct scene *copy, uint32_t *state, size_t trial)
{
    sqlite3 *raw = scene_raw(copy);
    struct error error = ERROR_NONE;
    json_t *report = NULL;
    char *sql;
    bool done;

    CHECK(sqlite3_create_function(raw, "flip", 2, SQLITE_UTF8, NULL, flip, NULL, NULL) == SQLITE_OK);
    sql = random_change(raw, state);
    done = tamper(raw, sql);
    (void)sqlite3_close(raw);
    if (done && !CHECK(verify(copy, &report, &error) != 0))
        (void)fprintf(stderr, "  trial %zu was not found: %s\n", trial, sql);
    json_decref(report);
    sqlite3_free(sql);
    return done;
}

static void test_random_tamperings(void)
{
    struct scene scene, copy;
    uint32_t state = 20261121;
    size_t trials = 0;

    begin_shift(&scene);
    copy = scene;
    (void)snprintf(copy.path, sizeof copy.path, "%s/copy.db", scene.folder);
    while (trials < TRIALS) {
        copy_file(scene.path, copy.path);
        trials += try_tampering(&copy, &state, trials);
    }
    scene_unlink(&copy, "");
    scene_unlink(&copy, "-wal");
    scene_unlink(&copy, "-shm");
    scene_end(&scene);
}

/* A bit of the file itself, anywhere but in what SQLite leaves unused: whatever comes, the auditor says so or
 * says nothing wrong, and does not die. */
static void test_damaged_file(void)
{
    struct scene scene, copy;
    uint32_t state = 77;

    begin_shift(&scene);
    copy = scene;
    (void)snprintf(copy.path, sizeof copy.path, "%s/copy.db", scene.folder);
    for (int trial = 0; trial < 100; trial++) {
        struct error error = ERROR_NONE;
        json_t *report = NULL;
        FILE *file;

        copy_file(scene.path, copy.path);
        file = fopen(copy.path, "r+b");
        for (int i = 0; i < 8; i++) {
            (void)fseek(file, (long)draw(&state, 200000), SEEK_SET);
            (void)fputc((int)draw(&state, 256), file);
        }
        (void)fclose(file);
        CHECK(verify(&copy, &report, &error) >= 0 || error.text[0]);
        json_decref(report);
    }
    scene_unlink(&copy, "");
    scene_end(&scene);
}

/* Not a record at all ------------------------------------------------------------------------------------ */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    (void)fputs(text, file);
    (void)fclose(file);
}

static void check_unreadable(const struct scene *scene, int code, const char *words)
{
    struct error error = ERROR_NONE;
    json_t *report = NULL;

    CHECK(verify(scene, &report, &error) == code);
    if (!CHECK(strstr(error.text, words) != NULL))
        (void)fprintf(stderr, "  %s\n", error.text);
}

static void test_unreadable(void)
{
    struct scene scene;
    sqlite3 *raw;

    scene_prepare(&scene);
    check_unreadable(&scene, -ENOENT, "No such file");
    write_text(scene.path, "");
    check_unreadable(&scene, -EINVAL, "not a record of flashfarm");
    write_text(scene.path,
               "this is a text of some length that is certainly not a database of any kind, and goes on "
               "beyond the hundred bytes of the header that such a file begins with.\n");
    check_unreadable(&scene, -EIO, "not a database");
    CHECK(unlink(scene.path) == 0);
    raw = scene_raw(&scene);
    CHECK(sqlite3_exec(raw, "CREATE TABLE notes (text)", NULL, NULL, NULL) == SQLITE_OK);
    check_unreadable(&scene, -EINVAL, "not a record of flashfarm");
    CHECK(sqlite3_exec(raw, "PRAGMA application_id = 1718380146; PRAGMA user_version = 9999", NULL, NULL,
                       NULL) == SQLITE_OK);
    check_unreadable(&scene, -EINVAL, "version 9999");
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* A path may have any character. */
static void test_odd_path(void)
{
    struct scene scene, copy;
    struct error error = ERROR_NONE;
    json_t *report = NULL;

    begin_shift(&scene);
    copy = scene;
    (void)snprintf(copy.path, sizeof copy.path, "%s/100%%?#a.db", scene.folder);
    copy_file(scene.path, copy.path);
    CHECK(verify(&copy, &report, &error) == 0);
    CHECK(json_integer_value(json_object_get(report, "records")) == 89);
    json_decref(report);
    CHECK(unlink(copy.path) == 0);
    scene_end(&scene);
}

static const struct test tests[] = {
    {"a record in order", test_in_order},
    {"lines for people", test_lines},
    {"an older copy", test_older_copy},
    {"named tamperings", test_named_tamperings},
    {"schema", test_schema},
    {"endless view", test_endless_view},
    {"index of another column", test_wrong_index},
    {"value of another type", test_wrong_type},
    {"forged record", test_forged_record},
    {"random tamperings", test_random_tamperings},
    {"damaged file", test_damaged_file},
    {"not a record", test_unreadable},
    {"odd path", test_odd_path},
};

TEST_MAIN(tests)
