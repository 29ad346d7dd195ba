/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a record of as many runs as a factory has after years, to ask an auditor's questions of
 * (ask_record.c) and to verify. Everything goes through the real schema and its triggers, the real chain and
 * the real tree; only the durable commit is left out, so that it takes minutes and not days.
 *
 *     bench_make_record [--fast] FILE RUNS
 *
 * With --fast the rows that runs make in other tables are written by this program and not by the triggers,
 * and indexes are made at the end. That it comes to the same is for `flashfarm audit verify --projections
 * yes` to prove on a small one, which replays the ledger through the triggers and compares every table.
 *
 * 64 stations, a run of 12 s each; work orders of 5,000 units; 100,000 runs per image; a serial from a pool
 * for each unit; every 50th run fails and its unit passes at the next attempt; a checkpoint after 256
 * records. */
#include "alloc.h"
#include "bytes.h"
#include "checkpoint.h"
#include "clock.h"
#include "database.h"
#include "migrate.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    STATIONS = 64,
    RUN_S = 12,
    ORDER_UNITS = 5000,
    IMAGE_RUNS = 100000,
    FAILS_EVERY = 50,
    CHECKPOINT_EVERY = 256,
    COMMIT_EVERY = 200000,
    JOBS_AT_ONCE = 8, /* that runs of one hour belong to, at most */
    SPANS = 2,
};

#define BEGIN_US INT64_C(1795263900000000) /* 2026-11-21T12:25:00Z */

/* What the schema counts of the runs of a job at a station in a span of time. */
struct counted {
    int64_t job, pass, fail, units, first_pass, fact, fail_fact;
};

struct span {
    int64_t seconds, start;
    struct counted of[STATIONS][JOBS_AT_ONCE];
};

struct maker {
    char body[1600]; /* of the fact that is being written */
    struct database database;
    struct chain chain;
    struct tree tree;
    struct tree_hash tiles[4];
    size_t tile_count;
    int64_t uncovered, utc_us;
    struct signer *signer;
    /* with --fast */
    bool fast;
    sqlite3_stmt *run, *run_image, *run_pool, *serial, *job, *made, *tally, *tally_class;
    struct span spans[SPANS];
    char *restore; /* the schema that was taken away */
    int64_t runs, job_started, job_passed, job_failed, image_passed, passed, image_fact, run_fact;
    char updated[28];
};

static void stop(const char *what, const struct error *error)
{
    (void)fprintf(stderr, "%s: %s\n", what, error->text);
    exit(1);
}

static void say(struct maker *maker, const char *kind, const char *body)
{
    struct error error = ERROR_NONE;
    sqlite3_stmt *insert = database_statement(&maker->database, QUERY_APPEND, &error);
    const struct chain_record record = {.sequence = maker->chain.sequence + 1,
                                        .utc_us = maker->utc_us,
                                        .monotonic_us = maker->utc_us - BEGIN_US,
                                        .clock = "synchronised",
                                        .boot = "6f1d9c40-5b4e-4a3c-9d7a-1f2e3d4c5b6a",
                                        .kind = kind,
                                        .body = body};
    struct tree_hash leaf;

    if (!insert)
        stop("prepare", &error);
    chain_extend(&maker->chain, &record);
    (void)sqlite3_bind_int64(insert, 1, record.sequence);
    (void)sqlite3_bind_int64(insert, 2, record.utc_us);
    (void)sqlite3_bind_int64(insert, 3, record.monotonic_us);
    (void)sqlite3_bind_text(insert, 4, record.clock, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 5, record.boot, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 6, kind, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(insert, 7, body, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(insert, 8, maker->chain.hash, CHAIN_HASH_SIZE, SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE) {
        (void)database_fail(&maker->database, &error);
        stop(body, &error);
    }
    (void)sqlite3_reset(insert);
    tree_leaf(maker->chain.hash, CHAIN_HASH_SIZE, &leaf);
    maker->tile_count += tree_append(&maker->tree, &leaf, &maker->tiles[maker->tile_count]);
    maker->uncovered++;
}

static void sign(struct maker *maker)
{
    char *body = checkpoint_body(maker->signer, &maker->tree, maker->tiles, maker->tile_count);

    maker->tile_count = 0;
    say(maker, "ledger.checkpoint", body);
    maker->uncovered = 0;
    free(body);
}

static void image_id(int64_t number, char text[65])
{
    uint8_t hash[32];

    (void)crypto_hash_sha256(hash, (const uint8_t *)&number, sizeof number);
    bytes_to_hex(hash, sizeof hash, text);
}

/* What no index is sorted by: chip ids come in no order. */
static void unit_uid(int64_t unit, char text[27])
{
    uint64_t mixed = (uint64_t)unit * UINT64_C(0x9e3779b97f4a7c15);

    (void)snprintf(text, 27, "0x%016" PRIx64 "%08" PRIx64, mixed ^ mixed >> 29, mixed >> 17 & 0xffffffff);
}

static void add_image(struct maker *maker, int64_t number)
{
    char id[65], *body = maker->body;

    image_id(number, id);
    (void)snprintf(body, sizeof maker->body,
                   "{\"by\":\"meier\",\"format\":\"intel-hex\",\"id\":\"%s\",\"name\":\"controller-%" PRId64
                   ".hex\",\"ranges\":[{\"address\":134217728,\"crc32\":3405691582,\"size\":65536}],"
                   "\"size\":184320}",
                   id, number);
    say(maker, "image.added", body);
}

static void add_job(struct maker *maker, int64_t job, int64_t image)
{
    char id[65], *body = maker->body;

    image_id(image, id);
    (void)snprintf(body, sizeof maker->body,
                   "{\"by\":\"mes\",\"chip\":\"stm32f103xb\",\"hold_after_failures\":500,\"id\":%" PRId64
                   ",\"images\":[\"%s\"],\"options\":{\"verify\":\"read-back\"},\"quantity\":%d,"
                   "\"serial_pool\":\"units\",\"stations\":[\"S01\",\"S02\"],\"trigger\":\"on_insert\","
                   "\"work_order\":\"WO-%06" PRId64 "\"}",
                   job, id, ORDER_UNITS, job);
    say(maker, "job.submitted", body);
}

struct run {
    int64_t id, unit, job, image, attempt;
    bool fails;
};

#define PORT "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2.%d:1.0-port0"
#define PHASES                                                                                               \
    "[{\"bytes\":0,\"floor_us\":2000,\"name\":\"connect\",\"us\":2310},"                                     \
    "{\"bytes\":0,\"floor_us\":40000,\"name\":\"erase\",\"us\":40211},"                                      \
    "{\"bytes\":65536,\"floor_us\":6100000,\"name\":\"write\",\"us\":6144031},"                              \
    "{\"bytes\":65536,\"floor_us\":5700000,\"name\":\"verify\",\"us\":5733410}]"
#define SHARES  "\"shares\":{\"host\":0.004,\"retry\":0.0,\"target\":0.021,\"wire\":0.975}"
#define VERIFY  "\"verify\":{\"digest\":\"crc32:cafebabe\",\"method\":\"read-back\"}"
#define MESSAGE "verify at 0x08004100: read 0xff, expected 0x3c"

static void start_run(struct maker *maker, const struct run *run)
{
    char image[65], uid[27], started[28], *body = maker->body;

    image_id(run->image, image);
    unit_uid(run->unit, uid);
    clock_format_utc(maker->utc_us, started);
    (void)snprintf(body, sizeof maker->body,
                   "{\"by\":\"operator%02d\",\"chip\":\"stm32f103xb\",\"chip_id\":\"0x410\",\"id\":%" PRId64
                   ",\"images\":[\"%s\"],\"job\":%" PRId64 ",\"numbers\":[{\"number\":%" PRId64
                   ",\"pool\":\"units\",\"text\":\"SN%08" PRId64 "\"}],"
                   "\"port\":\"serial:/dev/serial/by-path/"
                   "pci-0000:00:14.0-usb-0:2.%d:1.0-port0\",\"serial\":\"SN%08" PRId64
                   "\",\"started\":\"%s\",\"station\":\"S%02d\",\"uid\":\"%s\",\"version\":\"0.1.0\","
                   "\"work_order\":\"WO-%06" PRId64 "\"}",
                   (int)(run->id / 2400 % 40), run->id, image, run->job, run->unit, run->unit,
                   (int)(run->id % STATIONS), run->unit, started, (int)(run->id % STATIONS), uid, run->job);
    say(maker, "run.started", body);
}

static void end_run(struct maker *maker, const struct run *run)
{
    char ended[28], *body = maker->body;

    clock_format_utc(maker->utc_us + INT64_C(11) * 1000000, ended);
    if (run->fails)
        (void)snprintf(body, sizeof maker->body,
                       "{\"baud\":115200,\"class\":\"verify\",\"ended\":\"%s\",\"flash_size\":131072,"
                       "\"floor_us\":11842000,\"id\":%" PRId64 ",\"message\":\"" MESSAGE
                       "\",\"outcome\":\"fail\","
                       "\"phases\":" PHASES ",\"retries\":0," SHARES "}",
                       ended, run->id);
    else
        (void)snprintf(
            body, sizeof maker->body,
            "{\"baud\":115200,\"ended\":\"%s\",\"flash_size\":131072,\"floor_us\":11842000,\"id\":%" PRId64
            ",\"outcome\":\"pass\",\"phases\":" PHASES ",\"retries\":0," SHARES "," VERIFY "}",
            ended, run->id);
    say(maker, "run.ended", body);
}

/* What the triggers would have made ------------------------------------------------------------------------
 */

static void execute(struct maker *maker, const char *sql)
{
    if (sqlite3_exec(maker->database.handle, sql, NULL, NULL, NULL)) {
        (void)fprintf(stderr, "%.200s: %s\n", sql, sqlite3_errmsg(maker->database.handle));
        exit(1);
    }
}

static sqlite3_stmt *prepare(struct maker *maker, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v3(maker->database.handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL)) {
        (void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(maker->database.handle));
        exit(1);
    }
    return statement;
}

/* Values in the order of the statement: 'i' an integer, 't' a text, 'n' nothing. */
static void write_row(struct maker *maker, sqlite3_stmt *statement, const char *types, ...)
{
    va_list values;

    va_start(values, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i')
            (void)sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        else if (types[i] == 't')
            (void)sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_STATIC);
    }
    va_end(values);
    if (sqlite3_step(statement) != SQLITE_DONE) {
        (void)fprintf(stderr, "%s: %s\n", sqlite3_sql(statement), sqlite3_errmsg(maker->database.handle));
        exit(1);
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* Triggers that runs set off, those that guard what they make, and indexes that are quicker made at once. */
static void take_away(struct maker *maker)
{
    static const char which[] =
        "FROM sqlite_schema WHERE (type = 'trigger' AND (name GLOB 'fact_run_*' OR tbl_name IN ('run', "
        "'run_image', 'run_pool', 'serial', 'job', 'pool', 'units_made', 'tally', 'tally_class'))) OR (type "
        "= 'index' AND sql IS NOT "
        "NULL AND tbl_name IN ('run', 'serial'))";
    char *text = sqlite3_mprintf("SELECT format('DROP %%s \"%%w\";', type, name), sql || ';' %s", which);
    sqlite3_stmt *rows = prepare(maker, text);
    sqlite3_str *drop = sqlite3_str_new(NULL), *restore = sqlite3_str_new(NULL);

    while (sqlite3_step(rows) == SQLITE_ROW) {
        sqlite3_str_appendall(drop, (const char *)sqlite3_column_text(rows, 0));
        sqlite3_str_appendall(restore, (const char *)sqlite3_column_text(rows, 1));
    }
    (void)sqlite3_finalize(rows);
    sqlite3_free(text);
    text = sqlite3_str_finish(drop);
    execute(maker, text);
    sqlite3_free(text);
    maker->restore = sqlite3_str_finish(restore);
}

static void prepare_rows(struct maker *maker)
{
    maker->run =
        prepare(maker, "INSERT INTO run (id, job, station, port, chip, chip_id, image, images, "
                       "work_order, uid, serial, started, ended, outcome, class, message, \"by\", "
                       "version, details, fact, numbers, opened) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                       "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    maker->run_image = prepare(maker, "INSERT INTO run_image (image, run) VALUES (?, ?)");
    maker->run_pool = prepare(maker, "INSERT INTO run_pool (pool, run) VALUES ('units', ?)");
    maker->serial =
        prepare(maker, "INSERT INTO serial (id, text, pool, number, state, run, uid, attempts, job, "
                       "\"by\", updated, fact) VALUES (?1, ?2, 'units', ?1, ?3, ?4, ?5, ?6, ?7, ?8, "
                       "?9, ?10)");
    maker->job =
        prepare(maker, "UPDATE job SET started = ?, passed = ?, failed = ?, updated = ?, fact = ? WHERE "
                       "id = ?");
    maker->tally = prepare(
        maker, "INSERT INTO tally (span, start, station, job, runs, pass, fail, aborted, unknown, "
               "cancelled, units, first_pass, passed_units, us, floor_us, wire_us, target_us, "
               "host_us, retry_us, timed_runs, bytes, fact) VALUES (?1, ?2, ?3, ?4, ?5 + ?6, ?5, ?6, "
               "0, 0, 0, ?7, ?8, ?5, ?5 * ?9, ?5 * ?10, ?5 * ?11, ?5 * ?12, ?5 * ?13, 0, ?5, 0, ?14)");
    maker->tally_class =
        prepare(maker, "INSERT INTO tally_class (span, start, station, job, class, count, fact) "
                       "VALUES (?, ?, ?, ?, 'verify', ?, ?)");
    maker->made = prepare(maker, "INSERT INTO units_made (thing, version, count, fact) VALUES (?, 0, ?, ?)");
}

/* What a run that passed says of its time (PHASES, SHARES). */
#define RUN_US    INT64_C(11919962)
#define FLOOR_US  INT64_C(11842000)
#define WIRE_US   INT64_C(11621963)
#define TARGET_US INT64_C(250319)
#define HOST_US   INT64_C(47680)

static void write_counted(struct maker *maker, const struct span *span, int station,
                          const struct counted *counted, int64_t closing_fact)
{
    char name[8];

    (void)snprintf(name, sizeof name, "S%02d", station);
    if (span->seconds == 300 || closing_fact)
        write_row(maker, maker->tally, "iitiiiiiiiiiii", span->seconds, span->start, name, counted->job,
                  counted->pass, counted->fail, counted->units, counted->first_pass, RUN_US, FLOOR_US,
                  WIRE_US, TARGET_US, HOST_US, closing_fact ? closing_fact : counted->fact);
    if (counted->fail)
        write_row(maker, maker->tally_class, "iitiii", span->seconds, span->start, name, counted->job,
                  counted->fail, counted->fail_fact);
}

/* `closing_fact`: of an hour, the first run in a later one; 0 for the last hour, which has no rows of its own
 * yet, and for parts of an hour. */
static void write_span(struct maker *maker, struct span *span, int64_t closing_fact)
{
    for (int station = 0; station < STATIONS; station++)
        for (int i = 0; i < JOBS_AT_ONCE; i++)
            if (span->of[station][i].job)
                write_counted(maker, span, station, &span->of[station][i], closing_fact);
    memset(span->of, 0, sizeof span->of);
}

static void count_run(struct maker *maker, struct span *span, const struct run *run)
{
    int64_t ended_s = maker->utc_us / 1000000 + 11, fact = maker->chain.sequence;
    struct counted *counted = span->of[run->id % STATIONS];

    if (span->start != ended_s - ended_s % span->seconds) {
        write_span(maker, span, span->seconds == 300 ? 0 : fact);
        span->start = ended_s - ended_s % span->seconds;
    }
    while (counted->job && counted->job != run->job)
        counted++;
    counted->job = run->job;
    counted->pass += !run->fails;
    counted->fail += run->fails;
    counted->units += run->attempt == 1;
    counted->first_pass += run->attempt == 1 && !run->fails;
    counted->fact = fact;
    if (run->fails)
        counted->fail_fact = fact;
}

/* The facts of the run are the two newest records. */
static void write_run(struct maker *maker, const struct run *run)
{
    char image[65], uid[27], at[28], ended[28], images[80], serial[24], numbers[100], port[100], station[8],
        by[16], order[16], details[800];
    int64_t fact = maker->chain.sequence;

    image_id(run->image, image);
    unit_uid(run->unit, uid);
    clock_format_utc(maker->utc_us, at);
    clock_format_utc(maker->utc_us + INT64_C(11) * 1000000, ended);
    (void)snprintf(images, sizeof images, "[\"%s\"]", image);
    (void)snprintf(serial, sizeof serial, "SN%08" PRId64, run->unit);
    (void)snprintf(numbers, sizeof numbers, "[{\"number\":%" PRId64 ",\"pool\":\"units\",\"text\":\"%s\"}]",
                   run->unit, serial);
    (void)snprintf(port, sizeof port, PORT, (int)(run->id % STATIONS));
    (void)snprintf(station, sizeof station, "S%02d", (int)(run->id % STATIONS));
    (void)snprintf(by, sizeof by, "operator%02d", (int)(run->id / 2400 % 40));
    (void)snprintf(order, sizeof order, "WO-%06" PRId64, run->job);
    (void)snprintf(
        details, sizeof details,
        "{\"baud\":115200,\"flash_size\":131072,\"floor_us\":11842000,\"phases\":%s,\"retries\":0,%s%s}",
        PHASES, SHARES, run->fails ? "" : "," VERIFY);
    write_row(maker, maker->run, "iitttttttttttttttttiti", run->id, run->job, station, port, "stm32f103xb",
              "0x410", image, images, order, uid, serial, at, ended, run->fails ? "fail" : "pass",
              run->fails ? "verify" : NULL, run->fails ? MESSAGE : NULL, by, "0.1.0", details, fact, numbers,
              fact - 1);
    write_row(maker, maker->run_image, "ti", image, run->id);
    write_row(maker, maker->run_pool, "i", run->id);
    if (!run->fails || run->id == maker->runs) /* one that failed is written with its second attempt */
        write_row(maker, maker->serial, "ittitiitti", run->unit, serial, run->fails ? "fail" : "pass",
                  run->id, uid, run->attempt, run->job, by, at, fact);
    for (int i = 0; i < SPANS; i++)
        count_run(maker, &maker->spans[i], run);
    maker->job_started++;
    maker->job_failed += run->fails;
    maker->job_passed += !run->fails;
    maker->passed += !run->fails;
    maker->image_passed += !run->fails;
    if (!run->fails)
        maker->image_fact = fact;
    clock_format_utc(maker->utc_us, maker->updated);
    maker->run_fact = fact;
}

static void close_job(struct maker *maker, int64_t job)
{
    if (!maker->fast || maker->job_started == 0)
        return;
    write_row(maker, maker->job, "iiitii", maker->job_started, maker->job_passed, maker->job_failed,
              maker->updated, maker->run_fact, job);
    maker->job_started = maker->job_passed = maker->job_failed = 0;
}

static void close_image(struct maker *maker, int64_t image)
{
    char id[65];

    if (!maker->fast || maker->image_passed == 0)
        return;
    image_id(image, id);
    write_row(maker, maker->made, "tii", id, maker->image_passed, maker->image_fact);
    maker->image_passed = 0;
}

/* The pool at its end, and the schema as it was. */
static void give_back(struct maker *maker, const struct run *last)
{
    sqlite3_stmt *pool =
        prepare(maker, "UPDATE pool SET issued = ?1, next = ?1 + 1, gapless = ?1 + 1, pass = ?2, "
                       "fail = ?1 - ?2, fact = ?3");

    write_row(maker, pool, "iii", last->unit, maker->passed, maker->run_fact);
    (void)sqlite3_finalize(pool);
    for (int i = 0; i < SPANS; i++)
        write_span(maker, &maker->spans[i], 0);
    for (size_t i = 0; i < 8; i++)
        (void)sqlite3_finalize((sqlite3_stmt *[]){maker->run, maker->run_image, maker->run_pool,
                                                  maker->serial, maker->job, maker->made, maker->tally,
                                                  maker->tally_class}[i]);
    execute(maker, "COMMIT; BEGIN");
    execute(maker, maker->restore);
    sqlite3_free(maker->restore);
}

static void next_job(struct maker *maker, struct run *run)
{
    close_job(maker, run->job);
    run->job = maker->passed / ORDER_UNITS + 1;
    add_job(maker, run->job, run->image);
}

static void make_run(struct maker *maker, struct run *run)
{
    maker->utc_us = BEGIN_US + run->id * RUN_S * 1000000 / STATIONS;
    if ((run->id - 1) % IMAGE_RUNS == 0) {
        close_image(maker, run->image);
        add_image(maker, ++run->image);
    }
    if (maker->passed % ORDER_UNITS == 0 && run->job != maker->passed / ORDER_UNITS + 1)
        next_job(maker, run);
    run->attempt = run->fails ? 2 : 1; /* a unit that failed comes again */
    run->unit = maker->passed + 1;
    run->fails = run->id % FAILS_EVERY == 0;
    start_run(maker, run);
    end_run(maker, run);
    if (maker->fast)
        write_run(maker, run);
    else
        maker->passed += !run->fails;
}

/* One after the other for the ledger, STATIONS at a time for the clock. */
static void make_runs(struct maker *maker)
{
    struct run *run = allocate(1, sizeof *run); /* with its texts too large for a frame */

    for (run->id = 1; run->id <= maker->runs; run->id++) {
        make_run(maker, run);
        if (maker->uncovered >= CHECKPOINT_EVERY)
            sign(maker);
        if (run->id % COMMIT_EVERY == 0) {
            execute(maker, "COMMIT; BEGIN");
            (void)fprintf(stderr, "%" PRId64 " runs, %ld s of processor time\n", run->id,
                          (long)(clock() / CLOCKS_PER_SEC));
        }
    }
    run->id--;
    close_job(maker, run->job);
    close_image(maker, run->image);
    if (maker->fast)
        give_back(maker, run);
    free(run);
}

static void make(struct maker *maker, const char *path)
{
    static const uint8_t seed[SIGNER_SEED_SIZE] = {'b', 'e', 'n', 'c', 'h'};
    struct log_output output = log_output_stderr(LOG_WARNING);
    struct log log = log_named(&output, "make_record");
    struct error error = ERROR_NONE;

    if (signer_new(&maker->signer, seed, "flashfarm/bench", &error) ||
        database_open(&maker->database, path, true, &error) || migrate(&maker->database, &log, &error) ||
        signer_publish(maker->signer, path, &error))
        stop(path, &error);
    execute(maker, "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                   "PRAGMA cache_size = -2000000; PRAGMA temp_store = FILE");
    execute(maker, maker->fast ? "PRAGMA foreign_keys = OFF; BEGIN" : "BEGIN");
    maker->utc_us = BEGIN_US;
    say(maker, "daemon.started", "{\"clean\":true,\"version\":\"0.1.0\"}");
    say(maker, "pool.created",
        "{\"by\":\"meier\",\"first\":1,\"format\":{\"base\":10,\"digits\":8,\"prefix\":\"SN\"},\"kind\":"
        "\"serial\","
        "\"last\":99999999,\"name\":\"units\",\"step\":1,\"warn_percent\":[70,85,95]}");
    if (maker->fast) {
        take_away(maker);
        prepare_rows(maker);
        maker->spans[0].seconds = 300;
        maker->spans[1].seconds = 3600;
    }
    make_runs(maker);
    sign(maker);
    execute(maker, "COMMIT; PRAGMA journal_mode = WAL");
    database_close(&maker->database);
    signer_free(maker->signer);
}

int main(int argc, char **argv)
{
    struct maker *maker = allocate(1, sizeof *maker);
    const char *path = argv[argc > 2 ? argc - 2 : 0];
    struct stat state;

    maker->fast = argc == 4 && strcmp(argv[1], "--fast") == 0;
    maker->runs = argc == 3 || maker->fast ? strtoll(argv[argc - 1], NULL, 10) : 0;
    if (maker->runs < 1 || sodium_init() < 0) {
        (void)fprintf(stderr, "usage: %s [--fast] FILE RUNS\n", argv[0]);
        return 2;
    }
    if (stat(path, &state) == 0) {
        (void)fprintf(stderr, "%s is there already\n", path);
        return 2;
    }
    make(maker, path);
    (void)printf("%" PRId64 " runs, %" PRId64 " records\n", maker->runs, maker->chain.sequence);
    free(maker);
    return 0;
}
