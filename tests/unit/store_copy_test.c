/* SPDX-License-Identifier: Apache-2.0 */
/* The record made again: replayed into an empty database, migrated from what an older program wrote, and
 * copied while it is being written. Each time the tables must be the same as those that grew by themselves.
 */
#include "store_scene.h"

#include "chain.h"
#include "database.h"
#include "embedded.h"
#include "migrate.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define IMAGE "0000000000000000000000000000000000000000000000000000000000000001"
#define SHA   "00000000000000000000000000000000000000000000000000000000000000ab"
#define NOON  "2026-11-21T12:00:00.000000Z"

/* All there is to compare -------------------------------------------------------------------------------- */

static void dump_rows(sqlite3 *raw, const char *table, FILE *out)
{
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table);
    sqlite3_stmt *rows = NULL;

    CHECK(sqlite3_prepare_v2(raw, sql, -1, &rows, NULL) == SQLITE_OK);
    sqlite3_free(sql);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        (void)fprintf(out, "%s", table);
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const char *text = (const char *)sqlite3_column_text(rows, i);

            if (strcmp(sqlite3_column_name(rows, i), "hash") != 0 || strcmp(table, "ledger") != 0)
                (void)fprintf(out, " %s=%s", sqlite3_column_name(rows, i), text ? text : "null");
        }
        (void)fputc('\n', out);
    }
    (void)sqlite3_finalize(rows);
}

/* Every row of every table, in the order of their keys; freed by the caller. */
static char *dump(sqlite3 *raw)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sqlite3_stmt *tables = NULL;

    CHECK(sqlite3_prepare_v2(raw, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1,
                             &tables, NULL) == SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW)
        dump_rows(raw, (const char *)sqlite3_column_text(tables, 0), out);
    (void)sqlite3_finalize(tables);
    (void)fclose(out);
    return text;
}

/* Where two dumps first differ, for whoever has to find out why. */
static void check_same(const char *got, const char *want)
{
    size_t at = 0;

    if (CHECK(strcmp(got, want) == 0))
        return;
    while (got[at] == want[at])
        at++;
    while (at > 0 && want[at - 1] != '\n')
        at--;
    (void)fprintf(stderr, "  got:  %.400s\n  want: %.400s\n", got + at, want + at);
}

static struct database empty_database(void)
{
    struct database database;
    struct error error = ERROR_NONE;
    struct log_output quiet = log_output_stderr(LOG_WARNING);
    struct log log = log_named(&quiet, "replay");

    CHECK(database_open(&database, ":memory:", true, &error) == 0);
    CHECK(migrate(&database, &log, &error) == 0);
    return database;
}

/* The tables that the ledger of `raw` makes out of nothing; freed by the caller. */
static char *replay(sqlite3 *raw)
{
    struct database database = empty_database();
    sqlite3_stmt *rows = NULL, *insert = NULL;
    char *text;

    CHECK(
        sqlite3_prepare_v2(raw,
                           "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM ledger "
                           "ORDER BY sequence",
                           -1, &rows, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(database.handle, queries[QUERY_APPEND], -1, &insert, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < 8; i++)
            (void)sqlite3_bind_value(insert, i + 1, sqlite3_column_value(rows, i));
        if (!CHECK(sqlite3_step(insert) == SQLITE_DONE))
            (void)fprintf(stderr, "  %s: %s\n", (const char *)sqlite3_column_text(rows, 5),
                          sqlite3_errmsg(database.handle));
        (void)sqlite3_reset(insert);
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(insert);
    text = dump(database.handle);
    database_close(&database);
    return text;
}

static void check_replay(sqlite3 *raw)
{
    char *grown = dump(raw), *replayed = replay(raw);

    CHECK(strstr(grown, "ledger sequence=1") != NULL);
    check_same(replayed, grown);
    free(grown);
    free(replayed);
}

/* Something of every kind -------------------------------------------------------------------------------- */

static int start(struct scene *scene, int run, int chip, int number, const char *more)
{
    return say(scene, "run.started",
               "{'id':%d,'job':2,'station':'A%d','chip':'c','images':['" IMAGE "'],'started':'" NOON
               "','by':'olga','uid':'u%d','recipe':{'name':'R','version':1,'hash':'" SHA
               "'},'numbers':[{'pool':'P','number':%d,'text':'S%d'}]%s}",
               run, run, chip, number, number, more);
}

static int end(struct scene *scene, int run, const char *outcome)
{
    return say(scene, "run.ended", "{'id':%d,'outcome':'%s','ended':'" NOON "','verify':{'method':'crc'}}",
               run, outcome);
}

static void prepare_factory(struct scene *scene)
{
    CHECK(scene_append(scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(scene, "job.submitted", job_submitted(1, 1, 0, "WO-1")) == 0);
    CHECK(say(scene, "image.signed", "{'image':'" IMAGE "','key_id':'1','signature':'s','by':'eva'}") == 0);
    CHECK(say(scene, "pool.created",
              "{'name':'P','kind':'serial','first':1,'last':100,'step':1,'by':'eva'}") == 0);
    CHECK(say(scene, "recipe.saved",
              "{'name':'R','version':1,'hash':'" SHA "','content':{'a':[1]},'by':'eva'}") == 0);
    CHECK(say(scene, "recipe.state",
              "{'name':'R','version':1,'hash':'" SHA "','state':'released','by':'adam'}") == 0);
    CHECK(say(scene, "job.submitted",
              "{'id':2,'chip':'c','images':['" IMAGE
              "'],'stations':['A'],'trigger':'on_start','serial_pool':'P',"
              "'recipe':{'name':'R','version':1,'hash':'" SHA "'}}") == 0);
}

/* Twenty chips whose runs end in every way, some tried again, some settled. */
static void work_through_numbers(struct scene *scene)
{
    static const char *const ends[] = {"pass", "fail", "unknown", "aborted"};

    for (int i = 1; i <= 20; i++) {
        CHECK(start(scene, i, i, i + i / 7, "") == 0);
        CHECK(end(scene, i, ends[i % 4]) == 0);
    }
    for (int i = 1; i <= 20; i += 3)
        CHECK(start(scene, 20 + i, i, i + i / 7, ",'rework':'again','fixture':'F'") == 0);
    for (int i = 1; i <= 16; i += 3)
        CHECK(end(scene, 20 + i, ends[(i / 3) % 4]) == 0);
    CHECK(say(scene, "serial.settled",
              "{'serial':'S7','state':'pass','reason':'r','by':'e','how':'person'}") < 0);
    CHECK(say(scene, "serial.settled",
              "{'serial':'S2','state':'burned','reason':'r','by':'e','how':'person'}") == 0);
}

static void checkpoint(struct scene *scene, const char *tiles)
{
    CHECK(say(scene, "ledger.checkpoint", "{'size':%" PRId64 ",'root':'" SHA "','note':'n','tiles':[%s]}",
              store_head_sequence(scene->store), tiles) == 0);
}

static void fill(struct scene *scene)
{
    CHECK(say(scene, "daemon.started", "{'version':'1'}") == 0);
    prepare_factory(scene);
    work_through_numbers(scene);
    CHECK(say(scene, "pool.burned", "{'name':'P','first':60,'last':70,'reason':'r','by':'eva'}") == 0);
    checkpoint(scene, "");
    for (int i = 0; i < 300; i++)
        CHECK(say(scene, "access.logout", "{'name':'somebody'}") == 0);
    checkpoint(scene, "'" SHA "'");
    checkpoint(scene, "");
    CHECK(say(scene, "webhook.state", "{'id':'w','url':'u','topics':['*'],'state':'active','by':'eva'}") ==
          0);
    CHECK(say(scene, "backup.made", "{'name':'b','size':1,'sha256':'" SHA "','sequence':3,'by':'eva'}") == 0);
    CHECK(say(scene, "access.login", "{'name':'eva','result':'granted'}") == 0);
    CHECK(say(scene, "record.restored", "{'sequence':3,'reason':'r','by':'eva'}") == 0);
}

static void test_replay(void)
{
    struct scene scene;
    sqlite3 *raw;

    scene_begin(&scene);
    fill(&scene);
    raw = scene_raw(&scene);
    CHECK(raw_integer(raw, "SELECT count(DISTINCT state) FROM serial") == 6);
    check_replay(raw);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* What an older program left behind -----------------------------------------------------------------------
 */

static void apply_migration(sqlite3 *raw, const char *name)
{
    const struct embedded_file *file = embedded_find(schema_files, name);

    if (CHECK(file != NULL))
        CHECK(sqlite3_exec(raw, (const char *)file->bytes, NULL, NULL, NULL) == SQLITE_OK);
}

static void append_raw(sqlite3 *raw, struct chain *chain, const char *kind, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    struct chain_record record = {.sequence = chain->sequence + 1,
                                  .utc_us = SCENE_BEGIN_US + chain->sequence,
                                  .clock = "free",
                                  .boot = "old",
                                  .kind = kind,
                                  .body = text};
    sqlite3_stmt *insert = NULL;

    chain_extend(chain, &record);
    CHECK(sqlite3_prepare_v2(raw, queries[QUERY_APPEND], -1, &insert, NULL) == SQLITE_OK);
    (void)sqlite3_bind_int64(insert, 1, record.sequence);
    (void)sqlite3_bind_int64(insert, 2, record.utc_us);
    (void)sqlite3_bind_int64(insert, 3, 0);
    (void)sqlite3_bind_text(insert, 4, record.clock, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 5, record.boot, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 6, record.kind, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 7, record.body, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(insert, 8, chain->hash, sizeof chain->hash, SQLITE_STATIC);
    if (!CHECK(sqlite3_step(insert) == SQLITE_DONE))
        (void)fprintf(stderr, "  %s: %s\n", kind, sqlite3_errmsg(raw));
    (void)sqlite3_finalize(insert);
    free(text);
    json_decref(body);
}

/* A database of version 2 with forty runs in it, one still open, and chips that passed more than once under a
 * serial that was only a text then. */
static void make_old(struct scene *scene)
{
    sqlite3 *raw = scene_raw(scene);
    struct chain chain = {.sequence = 0};

    CHECK(sqlite3_exec(raw, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
    apply_migration(raw, "migrations/0001_initial.sql");
    apply_migration(raw, "migrations/0002_taught_sums.sql");
    CHECK(sqlite3_exec(raw, "PRAGMA user_version = 2; COMMIT; PRAGMA journal_mode = WAL", NULL, NULL, NULL) ==
          SQLITE_OK);
    append_raw(raw, &chain, "daemon.started", quick("{'version':'0.1.0','clean':true}"));
    append_raw(raw, &chain, "image.added", image_added(1));
    append_raw(raw, &chain, "image.added", image_added(2));
    append_raw(raw, &chain, "job.submitted", job_submitted(1, 1, 0, "WO-1"));
    append_raw(raw, &chain, "job.submitted", job_submitted(2, 2, 0, NULL));
    for (int run = 1; run <= 40; run++) {
        append_raw(raw, &chain, "run.started", run_started(run, 1 + run % 2, 1 + run % 2, "A1", NOON));
        append_raw(raw, &chain, "run.ended",
                   run % 5 ? run_ended(run, "pass", NULL) : run_ended(run, "fail", "verify"));
    }
    append_raw(raw, &chain, "run.started", run_started(41, 1, 1, "A1", NOON));
    (void)sqlite3_close(raw);
}

static void test_migration(void)
{
    struct scene scene;
    struct reply made = {.done = false};
    sqlite3 *raw;

    scene_prepare(&scene);
    make_old(&scene);
    CHECK(scene_open(&scene) == 0);
    CHECK(store_head_sequence(scene.store) == 86);
    raw = scene_raw(&scene);
    CHECK(raw_integer(raw, "PRAGMA user_version") >= 3);
    check_replay(raw);
    store_units_made(scene.store, IMAGE, 0, on_answer, &made);
    CHECK(json_integer_value(json_object_get(await(&scene, &made), "count")) == 16);
    json_decref(made.answer);
    /* it goes on: the run that was open, then pools and numbers */
    CHECK(scene_append(&scene, "run.ended", run_ended(41, "pass", NULL)) == 0);
    CHECK(say(&scene, "pool.created", "{'name':'P','kind':'serial','first':1,'last':9,'step':1}") == 0);
    CHECK(say(&scene, "run.started",
              "{'id':42,'job':1,'station':'A1','chip':'c','images':['" IMAGE "'],'started':'" NOON
              "','uid':'new','numbers':[{'pool':'P','number':1,'text':'1'}]}") == 0);
    CHECK(end(&scene, 42, "pass") == 0);
    check_replay(raw);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* Backups ------------------------------------------------------------------------------------------------ */

static void backup_path(const struct scene *scene, const char *name, char path[96])
{
    (void)snprintf(path, 96, "%s/%s", scene->folder, name);
}

static json_t *make_backup(struct scene *scene, const char *path, struct error *error)
{
    struct reply reply = {.done = false};

    store_backup(scene->store, path, on_answer, &reply);
    await(scene, &reply);
    *error = reply.error;
    return reply.answer;
}

static void hash_of_file(const char *path, char hex[65])
{
    unsigned char hash[32];
    crypto_hash_sha256_state state;
    char chunk[4096];
    size_t got;
    FILE *file = fopen(path, "re");

    (void)crypto_hash_sha256_init(&state);
    while (file && (got = fread(chunk, 1, sizeof chunk, file)) > 0)
        (void)crypto_hash_sha256_update(&state, (const unsigned char *)chunk, got);
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(hex, 65, hash, sizeof hash);
    if (CHECK(file != NULL))
        (void)fclose(file);
}

/* The copy is whole, is what the answer says, and is the record as it was at that sequence. */
static void check_backup(const struct scene *scene, const char *path, const json_t *answer)
{
    char hex[65], *sql;
    struct stat state = {.st_size = 0};
    sqlite3 *copy = NULL, *raw = scene_raw(scene);
    int64_t sequence = json_integer_value(json_object_get(answer, "sequence"));

    hash_of_file(path, hex);
    CHECK_TEXT(text_of(answer, "sha256"), hex);
    CHECK(stat(path, &state) == 0 && state.st_size == json_integer_value(json_object_get(answer, "size")));
    CHECK(sqlite3_open(path, &copy) == SQLITE_OK);
    CHECK(raw_integer(copy, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1);
    CHECK(raw_integer(copy, "SELECT max(sequence) FROM ledger") == sequence);
    sql = sqlite3_mprintf("SELECT lower(hex(hash)) = '%q' FROM ledger WHERE sequence = %lld",
                          text_of(answer, "hash"), (long long)sequence);
    CHECK(raw_integer(copy, sql) == 1 && raw_integer(raw, sql) == 1);
    sqlite3_free(sql);
    check_replay(copy);
    (void)sqlite3_close(copy);
    (void)sqlite3_close(raw);
}

/* A writer that has something to write until it is told to stop. */
struct busy {
    struct scene *scene;
    struct reply *backup;
    int64_t written, refused;
    int outstanding;
};

static void write_on(struct busy *busy);

static void on_written(void *context, int status, const struct error *error)
{
    struct busy *busy = context;

    (void)error;
    busy->outstanding--;
    if (status)
        busy->refused++;
    else
        busy->written++;
    if (!busy->backup->done)
        write_on(busy);
}

static void write_on(struct busy *busy)
{
    struct store_fact fact = {.kind = "station.state", .body = quick("{'name':'A1','state':'ready'}")};

    busy->outstanding++;
    store_append(busy->scene->store, &fact, 1, on_written, busy);
}

static void test_backup_under_a_writer(void)
{
    struct scene scene;
    struct reply reply = {.done = false};
    struct busy busy = {.scene = &scene, .backup = &reply};
    char path[96];

    scene_begin(&scene);
    fill(&scene);
    for (int i = 0; i < 5000; i++) {
        struct store_fact fact = {.kind = "access.logout",
                                  .body = quick("{'name':'somebody with a long name'}")};

        store_append(scene.store, &fact, 1, NULL, NULL);
    }
    CHECK(store_append_wait(scene.store, NULL, NULL, 0, &scene.error) == 0);
    backup_path(&scene, "copy.db", path);
    for (int i = 0; i < 4; i++)
        write_on(&busy);
    store_backup(scene.store, path, on_answer, &reply);
    await(&scene, &reply);
    while (busy.outstanding)
        (void)uv_run(&scene.loop, UV_RUN_ONCE);
    CHECK(busy.written > 10 && busy.refused == 0);
    CHECK(json_integer_value(json_object_get(reply.answer, "sequence")) <= store_head_sequence(scene.store));
    check_backup(&scene, path, reply.answer);
    json_decref(reply.answer);
    (void)unlink(path);
    scene_end(&scene);
}

/* It can be put where the record was, and work goes on from it. */
static void test_backup_is_a_record(void)
{
    struct scene scene;
    struct error error;
    char path[96];
    json_t *answer;

    scene_begin(&scene);
    fill(&scene);
    backup_path(&scene, "copy.db", path);
    answer = make_backup(&scene, path, &error);
    CHECK(json_integer_value(json_object_get(answer, "sequence")) == store_head_sequence(scene.store));
    CHECK_TEXT(text_of(answer, "hash"), store_head_hash(scene.store));
    CHECK(say(&scene, "access.logout", "{'name':'eva'}") == 0);
    scene_close(&scene);
    scene_unlink(&scene, "-wal");
    scene_unlink(&scene, "-shm");
    CHECK(rename(path, scene.path) == 0);
    CHECK(scene_open(&scene) == 0);
    CHECK(store_head_sequence(scene.store) == json_integer_value(json_object_get(answer, "sequence")));
    CHECK(say(&scene, "pool.state", "{'name':'P','state':'open','reason':'r','by':'eva'}") == 0);
    json_decref(answer);
    scene_end(&scene);
}

static void test_backup_of_nothing(void)
{
    struct scene scene;
    struct error error;
    char path[96];
    json_t *answer;

    scene_begin(&scene);
    backup_path(&scene, "copy.db", path);
    answer = make_backup(&scene, path, &error);
    CHECK(json_integer_value(json_object_get(answer, "sequence")) == 0);
    CHECK_TEXT(text_of(answer, "hash"), "");
    json_decref(answer);
    (void)unlink(path);
    scene_end(&scene);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* Nothing is overwritten, nothing half made is left behind, and the record itself does not suffer. */
static void test_backup_fails(void)
{
    struct scene scene;
    struct error error;
    char path[96], part[128], nowhere[96];
    json_t *answer;

    scene_begin(&scene);
    fill(&scene);
    backup_path(&scene, "copy.db", path);
    (void)snprintf(part, sizeof part, "%s.part", path);
    backup_path(&scene, "no/such/folder.db", nowhere);
    CHECK(make_backup(&scene, nowhere, &error) == NULL && error.code == -ENOENT);
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(100000);
    CHECK(make_backup(&scene, path, &error) == NULL);
    if (!CHECK(error.code == -ENOSPC))
        (void)fprintf(stderr, "  %d: %s\n", error.code, error.text);
    limit_files(RLIM_INFINITY);
    CHECK(access(path, F_OK) != 0 && access(part, F_OK) != 0);
    answer = make_backup(&scene, path, &error);
    CHECK(answer != NULL);
    CHECK(make_backup(&scene, path, &error) == NULL && error.code == -EEXIST);
    check_backup(&scene, path, answer);
    json_decref(answer);
    CHECK(access(part, F_OK) != 0);
    CHECK(say(&scene, "access.logout", "{'name':'eva'}") == 0);
    (void)unlink(path);
    scene_end(&scene);
}

static const struct test tests[] = {
    {"replay makes the same tables", test_replay},
    {"a database of version 2", test_migration},
    {"a backup while there is writing", test_backup_under_a_writer},
    {"a backup is a record", test_backup_is_a_record},
    {"a backup of nothing", test_backup_of_nothing},
    {"a backup that cannot be made", test_backup_fails},
};

TEST_MAIN(tests)
