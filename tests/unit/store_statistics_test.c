/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of the record: thousands of runs at random, counted by the schema's triggers and once more here,
 * by the words of daemon/store/statistics.h and nothing else. */
#include "store_scene.h"

#include "chain.h"
#include "database.h"
#include "embedded.h"
#include "migrate.h"
#include "statistics.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { RUNS = 2500, STATIONS = 5, JOBS = 3, FIELDS = 17, UNITS = 40 };

static const char *const fields[FIELDS] = {"runs",       "pass",    "fail",       "aborted",      "unknown",
                                           "cancelled",  "units",   "first_pass", "passed_units", "us",
                                           "floor_us",   "wire_us", "target_us",  "host_us",      "retry_us",
                                           "timed_runs", "bytes"};

enum outcome { PASS, FAIL, ABORTED, UNKNOWN };
static const char *const outcomes[] = {"pass", "fail", "aborted", "unknown"};

/* One run as the test made it; "" is no UID and no serial. */
struct made {
    int64_t id, ended_us, us, floor_us, bytes;
    int job, station;
    enum outcome outcome;
    const char *class; /* NULL: none */
    char uid[12], serial[12];
    double wire;
    bool timed;
    bool silent; /* its end says no UID: what counts is what its start said */
};

struct play {
    struct scene scene;
    struct made open[STATIONS]; /* id 0: none */
    struct made *ended;         /* in the order in which they ended */
    size_t count;
    int64_t last_id, now_us;
    uint64_t seed;
};

static int64_t pick(struct play *play, int64_t below)
{
    play->seed = play->seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (int64_t)(play->seed >> 33) % below;
}

/* Playing --------------------------------------------------------------------------------------------------
 */

static void name_of(int station, char name[8])
{
    (void)snprintf(name, 8, "S%d", station);
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static void start_one(struct play *play, struct made *run)
{
    char station[8], image[65], started[28];
    int unit = (int)pick(play, UNITS);

    *run = (struct made){.id = ++play->last_id, .job = 1 + (int)pick(play, JOBS), .station = run->station};
    if (pick(play, 4) > 0)
        (void)snprintf(run->uid, sizeof run->uid, "u%d", unit);
    if (pick(play, 3) == 0)
        (void)snprintf(run->serial, sizeof run->serial, "s%d", unit);
    name_of(run->station, station);
    clock_format_utc(play->now_us, started);
    CHECK(scene_append(&play->scene, "run.started",
                       json_pack("{s:I, s:i, s:s, s:s, s:[s], s:s, s:o, s:o}", "id", (json_int_t)run->id,
                                 "job", run->job, "station", station, "chip", "c", "images",
                                 image_id(1, image), "started", started, "uid",
                                 pick(play, 2) ? text_or_null(run->uid) : json_null(), "serial",
                                 text_or_null(run->serial))) == 0);
}

/* How it ends: mostly well, sometimes cancelled, sometimes without a word of what it took. */
static void choose_end(struct play *play, struct made *run)
{
    static const char *const classes[] = {"verify", "no-contact", "cancelled", "write", NULL};

    run->outcome = pick(play, 3) ? PASS : (enum outcome)(1 + pick(play, 3));
    run->class = run->outcome == PASS ? NULL : classes[pick(play, 5)];
    run->silent = run->outcome != PASS && pick(play, 3) == 0;
    run->timed = run->outcome == PASS && pick(play, 5) > 0;
    run->us = 1000 + pick(play, 20000000);
    run->floor_us = run->us / 2;
    run->bytes = pick(play, 70000);
    run->wire = (double)pick(play, 1001) / 1000;
    play->now_us += pick(play, 60) * 1000000 + pick(play, 1000000);
    if (pick(play, 200) == 0)
        play->now_us -= INT64_C(7000) * 1000000; /* the clock was wrong */
    if (pick(play, 300) == 0)
        play->now_us += INT64_C(30000) * 1000000; /* a night */
    run->ended_us = play->now_us;
}

static json_t *body_of(const struct made *run)
{
    char ended[28];
    json_t *body;

    clock_format_utc(run->ended_us, ended);
    body =
        json_pack("{s:I, s:s, s:s?, s:s, s:o, s:{s:s}, s:I, s:{s:i,s:i,s:i}, s:i}", "id", (json_int_t)run->id,
                  "outcome", outcomes[run->outcome], "class", run->class, "ended", ended, "uid",
                  text_or_null(run->uid), "verify", "method", "crc", "bytes", (json_int_t)run->bytes, "link",
                  "attempts", (int)(run->id % 4), "naks", 1, "resends", 0, "retries", 2);
    if (run->timed || run->outcome != PASS) {
        (void)json_object_set_new(body, "phases",
                                  json_pack("[{s:s, s:I}, {s:s, s:I}]", "name", "connect", "us",
                                            (json_int_t)(run->us / 10), "name", "write", "us",
                                            (json_int_t)(run->us - run->us / 10)));
        (void)json_object_set_new(body, "floor_us", json_integer(run->floor_us));
        (void)json_object_set_new(body, "shares",
                                  json_pack("{s:f, s:f, s:f, s:f}", "wire", run->wire, "target", 0.25, "host",
                                            0.004, "retry", 0.0));
    }
    return body;
}

static void end_one(struct play *play, struct made *run)
{
    choose_end(play, run);
    if (CHECK(scene_append(&play->scene, "run.ended", body_of(run)) == 0)) {
        sqlite3 *raw = scene_raw(&play->scene);
        char *sql = format_text("SELECT uid IS NOT NULL FROM run WHERE id = %" PRId64, run->id);

        if (raw_integer(raw, sql) == 0)
            run->uid[0] = '\0';
        free(sql);
        (void)sqlite3_close(raw);
    }
    play->ended[play->count++] = *run;
    run->id = 0;
}

static void play_runs(struct play *play, size_t runs)
{
    while (play->count < runs) {
        struct made *run = &play->open[pick(play, STATIONS)];

        run->station = (int)(run - play->open);
        if (run->id)
            end_one(play, run);
        else
            start_one(play, run);
    }
}

static void begin_play(struct play *play)
{
    memset(play, 0, sizeof *play);
    scene_begin(&play->scene);
    play->ended = allocate(RUNS, sizeof *play->ended);
    play->seed = 7;
    play->now_us = SCENE_BEGIN_US;
    CHECK(scene_append(&play->scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(&play->scene, "job.submitted", job_submitted(1, 1, 0, "WO-1")) == 0);
    CHECK(scene_append(&play->scene, "job.submitted", job_submitted(2, 1, 0, "WO-2")) == 0);
    CHECK(scene_append(&play->scene, "job.submitted", job_submitted(3, 1, 0, "WO-2")) == 0);
}

static void end_play(struct play *play)
{
    free(play->ended);
    scene_end(&play->scene);
}

/* Counting naively -----------------------------------------------------------------------------------------
 */

static bool cancelled(const struct made *run)
{
    return run->class && strcmp(run->class, "cancelled") == 0;
}

static bool nameless(const struct made *run)
{
    return !*run->uid && !*run->serial;
}

static bool one_unit(const struct made *a, const struct made *b)
{
    if (*a->uid && *b->uid)
        return strcmp(a->uid, b->uid) == 0;
    return *a->serial && strcmp(a->serial, b->serial) == 0;
}

/* What the runs before this one mean for it. */
struct before {
    bool again, passed, held;
};

static struct before look_back(const struct made *runs, size_t at)
{
    const struct made *run = &runs[at];
    struct before before = {.held = false};

    for (size_t i = 0; i < at; i++) {
        const struct made *other = &runs[i];

        if (other->job != run->job || cancelled(other))
            continue;
        if (other->station == run->station)
            before.held = nameless(other) && other->outcome != PASS;
        if (one_unit(run, other)) {
            before.again = true;
            before.passed |= other->outcome == PASS;
        }
    }
    return before;
}

static void add_run(int64_t sums[FIELDS], const struct made *runs, size_t at)
{
    const struct made *run = &runs[at];
    struct before before = look_back(runs, at);
    bool pass = run->outcome == PASS, unit = nameless(run) ? pass : !before.again;

    if (cancelled(run)) {
        sums[5]++;
        return;
    }
    sums[0]++;
    sums[1 + (int)run->outcome]++;
    sums[6] += unit;
    sums[7] += unit && pass && !before.held;
    sums[8] += pass && !before.passed;
    if (!run->timed)
        return;
    sums[9] += run->us;
    sums[10] += run->floor_us;
    sums[11] += llround((double)run->us * run->wire);
    sums[12] += llround((double)run->us * 0.25);
    sums[13] += llround((double)run->us * 0.004);
    sums[15]++;
    sums[16] += run->bytes;
}

/* Which runs: 0 and NULL are any. */
struct wanted {
    int job, station; /* station from 0; -1: any */
    const char *work_order;
    int64_t from_us, to_us;
};

static bool is_wanted(const struct made *run, const struct wanted *wanted)
{
    return (!wanted->job || run->job == wanted->job) &&
           (wanted->station < 0 || run->station == wanted->station) &&
           (!wanted->work_order || (strcmp(wanted->work_order, "WO-1") == 0) == (run->job == 1)) &&
           run->ended_us >= wanted->from_us && run->ended_us < wanted->to_us;
}

static bool sums_are(const json_t *object, const struct play *play, const struct wanted *wanted)
{
    int64_t sums[FIELDS] = {0};
    bool good = true;

    for (size_t i = 0; i < play->count; i++)
        if (is_wanted(&play->ended[i], wanted))
            add_run(sums, play->ended, i);
    for (int i = 0; i < FIELDS; i++) {
        int64_t got = json_integer_value(json_object_get(object, fields[i]));

        if (got != sums[i])
            (void)fprintf(stderr, "  %s: got %" PRId64 ", want %" PRId64 "\n", fields[i], got, sums[i]);
        good = good && got == sums[i];
    }
    return good;
}

/* Asking ---------------------------------------------------------------------------------------------------
 */

static json_t *ask(struct play *play, const struct store_tally_query *query)
{
    struct reply reply = {.done = false};

    store_tally(play->scene.store, query, on_answer, &reply);
    (void)await(&play->scene, &reply);
    play->scene.error = reply.error;
    return reply.answer;
}

static int64_t us_of(const char *utc)
{
    struct tm parts = {.tm_isdst = 0};
    const char *rest = strptime(utc, "%Y-%m-%dT%H:%M:%S", &parts);

    return (int64_t)timegm(&parts) * 1000000 + (rest ? strtol(rest + 1, NULL, 10) : 0);
}

static void check_stations(const json_t *answer, const struct play *play, struct wanted wanted)
{
    const json_t *item;
    const char *last = "";
    int64_t runs = 0;
    size_t index;

    json_array_foreach (json_object_get(answer, "by_station"), index, item) {
        wanted.station = atoi(text_of(item, "station") + 1);
        CHECK(sums_are(item, play, &wanted));
        CHECK(strcmp(last, text_of(item, "station")) < 0);
        last = text_of(item, "station");
        runs += json_integer_value(json_object_get(item, "runs"));
    }
    CHECK(runs == json_integer_value(json_object_get(json_object_get(answer, "totals"), "runs")));
}

/* A few of its buckets, and the sum of all. */
static void check_series(const json_t *answer, const struct play *play, const struct wanted *wanted)
{
    int64_t bucket_us = json_integer_value(json_object_get(answer, "bucket_s")) * 1000000, runs = 0;
    const json_t *item;
    size_t index;

    json_array_foreach (json_object_get(answer, "series"), index, item) {
        struct wanted bucket = *wanted;

        runs += json_integer_value(json_object_get(item, "runs"));
        bucket.from_us = us_of(text_of(item, "start"));
        CHECK((bucket.from_us - wanted->from_us) % bucket_us == 0);
        bucket.to_us =
            bucket.from_us + bucket_us < wanted->to_us ? bucket.from_us + bucket_us : wanted->to_us;
        if (json_is_string(json_object_get(item, "station")))
            bucket.station = atoi(text_of(item, "station") + 1);
        if (index % 16 == 0)
            CHECK(sums_are(item, play, &bucket));
    }
    CHECK(runs == json_integer_value(json_object_get(json_object_get(answer, "totals"), "runs")));
}

static void check_pareto(const json_t *answer, const struct play *play, const struct wanted *wanted)
{
    int64_t last = INT64_MAX, sum = 0, failures = 0;
    const json_t *item;
    size_t index;

    json_array_foreach (json_object_get(answer, "pareto"), index, item) {
        int64_t count = json_integer_value(json_object_get(item, "count")), naive = 0;

        for (size_t i = 0; i < play->count; i++) {
            const struct made *run = &play->ended[i];
            const char *class = run->class ? run->class : outcomes[run->outcome];

            naive += is_wanted(run, wanted) && run->outcome != PASS &&
                     strcmp(class, text_of(item, "class")) == 0 &&
                     run->station == atoi(text_of(item, "station") + 1);
        }
        CHECK(count == naive && count <= last);
        CHECK(strcmp(text_of(item, "class"), "cancelled") != 0);
        last = count;
        sum += count;
    }
    for (size_t i = 0; i < play->count; i++)
        failures += is_wanted(&play->ended[i], wanted) && play->ended[i].outcome != PASS &&
                    !cancelled(&play->ended[i]);
    CHECK(sum == failures);
}

static int by_time(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void check_pace(const json_t *answer, const struct play *play, struct wanted wanted)
{
    const json_t *pace = json_object_get(answer, "pace");
    int64_t since_us = us_of(text_of(pace, "since")), *ends = allocate(RUNS, sizeof *ends), gaps[20];
    size_t count = 0, last;

    wanted.from_us = since_us + 1;
    wanted.to_us = since_us + INT64_C(3600000001);
    for (size_t i = 0; i < play->count; i++)
        if (is_wanted(&play->ended[i], &wanted) && play->ended[i].outcome == PASS)
            ends[count++] = play->ended[i].ended_us;
    CHECK(json_integer_value(json_object_get(pace, "passed_last_hour")) == (int64_t)count);
    qsort(ends, count, sizeof *ends, by_time);
    last = count > 21 ? 20 : count - 1;
    if (count < 2) {
        CHECK(json_is_null(json_object_get(pace, "takt_us")));
    } else {
        for (size_t i = 0; i < last; i++)
            gaps[i] = ends[count - 1 - i] - ends[count - 2 - i];
        qsort(gaps, last, sizeof *gaps, by_time);
        CHECK(json_integer_value(json_object_get(pace, "takt_us")) ==
              (gaps[(last - 1) / 2] + gaps[last / 2]) / 2);
    }
    free(ends);
}

/* A question at random, and the whole of its answer. */
static void ask_and_check(struct play *play)
{
    struct wanted wanted = {.job = (int)pick(play, JOBS + 1), .station = (int)pick(play, STATIONS + 1) - 1};
    int64_t first_us = SCENE_BEGIN_US + pick(play, play->now_us - SCENE_BEGIN_US);
    int64_t last_us = first_us + 1000000 + pick(play, 5 * INT64_C(86400000000));
    static const int buckets[] = {0, 300, 1500, 3600, 10800, 86400};
    char from[28], to[28], station[8];
    struct store_tally_query query = {
        .job = wanted.job, .bucket_s = buckets[pick(play, 6)], .by_station = pick(play, 2)};
    json_t *answer;

    if (!wanted.job && pick(play, 2))
        query.work_order = wanted.work_order = pick(play, 2) ? "WO-2" : "WO-1";
    if (wanted.station >= 0) {
        name_of(wanted.station, station);
        query.station = station;
    }
    clock_format_utc(first_us, from);
    clock_format_utc(last_us, to);
    query.from = from;
    query.to = to;
    play->scene.now_us = play->now_us;
    answer = ask(play, &query);
    if (!CHECK(answer != NULL))
        return;
    wanted.from_us = us_of(text_of(answer, "from"));
    wanted.to_us = us_of(text_of(answer, "to"));
    CHECK(wanted.from_us <= first_us && wanted.to_us >= last_us);
    CHECK(first_us - wanted.from_us < INT64_C(3600000000) && wanted.to_us - last_us < INT64_C(3600000000));
    CHECK(sums_are(json_object_get(answer, "totals"), play, &wanted));
    check_stations(answer, play, wanted);
    check_series(answer, play, &wanted);
    check_pareto(answer, play, &wanted);
    check_pace(answer, play, wanted);
    json_decref(answer);
}

static void test_random(void)
{
    struct play *play = allocate(1, sizeof *play);

    begin_play(play);
    for (int round = 1; round <= 5; round++) {
        play_runs(play, (size_t)(RUNS / 5 * round));
        for (int i = 0; i < 6; i++)
            ask_and_check(play);
    }
    end_play(play);
    free(play);
}

/* A version of the database before there were statistics ---------------------------------------------------
 */

static char *dump(sqlite3 *raw)
{
    static const char *const tables[] = {"tally", "tally_class", "held", "run", "job"};
    char *text = copy_text("");

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *sql = format_text("SELECT * FROM %s", tables[i]), *grown;
        sqlite3_str *rows = sqlite3_str_new(NULL);
        sqlite3_stmt *row = NULL;

        CHECK(sqlite3_prepare_v2(raw, sql, -1, &row, NULL) == SQLITE_OK);
        while (sqlite3_step(row) == SQLITE_ROW) {
            sqlite3_str_appendf(rows, "%s", tables[i]);
            for (int column = 0; column < sqlite3_column_count(row); column++)
                sqlite3_str_appendf(rows, " %s=%s", sqlite3_column_name(row, column),
                                    sqlite3_column_text(row, column));
            sqlite3_str_appendchar(rows, 1, '\n');
        }
        (void)sqlite3_finalize(row);
        free(sql);
        sql = sqlite3_str_finish(rows);
        grown = format_text("%s%s", text, sql ? sql : "");
        sqlite3_free(sql);
        free(text);
        text = grown;
    }
    return text;
}

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

/* The ledger of `raw` in a database of version 3, which is then brought up to date. */
static char *migrated(sqlite3 *raw)
{
    static const char *const files[] = {"migrations/0001_initial.sql", "migrations/0002_taught_sums.sql",
                                        "migrations/0003_factory.sql", "migrations/0004_statistics.sql"};
    sqlite3_stmt *rows = NULL, *insert = NULL;
    sqlite3 *old = NULL;
    char *text;

    CHECK(sqlite3_open(":memory:", &old) == SQLITE_OK);
    for (int i = 0; i < 3; i++)
        CHECK(sqlite3_exec(old, (const char *)embedded_find(schema_files, files[i])->bytes, NULL, NULL,
                           NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(raw,
                             "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash "
                             "FROM ledger ORDER BY sequence",
                             -1, &rows, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(old, queries[QUERY_APPEND], -1, &insert, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        for (int i = 0; i < 8; i++)
            (void)sqlite3_bind_value(insert, i + 1, sqlite3_column_value(rows, i));
        CHECK(sqlite3_step(insert) == SQLITE_DONE);
        (void)sqlite3_reset(insert);
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(insert);
    if (!CHECK(sqlite3_exec(old, (const char *)embedded_find(schema_files, files[3])->bytes, NULL, NULL,
                            NULL) == SQLITE_OK))
        (void)fprintf(stderr, "  %s\n", sqlite3_errmsg(old));
    text = dump(old);
    (void)sqlite3_close(old);
    return text;
}

static void test_migration(void)
{
    struct play *play = allocate(1, sizeof *play);
    sqlite3 *raw;

    begin_play(play);
    raw = scene_raw(&play->scene);
    for (int round = 1; round <= 3; round++) {
        char *grown, *made;

        play_runs(play, (size_t)(round * round * 60));
        grown = dump(raw);
        made = migrated(raw);
        CHECK(strstr(grown, "held station=") != NULL && strstr(grown, "span=3600") != NULL);
        check_same(made, grown);
        free(grown);
        free(made);
    }
    (void)sqlite3_close(raw);
    end_play(play);
    free(play);
}

/* Windows, and what cannot be asked ------------------------------------------------------------------------
 */

static void check_refused(struct play *play, const struct store_tally_query *query, const char *words)
{
    json_t *answer = ask(play, query);

    CHECK(answer == NULL && play->scene.error.code == -EINVAL);
    if (!CHECK(strstr(play->scene.error.text, words) != NULL))
        (void)fprintf(stderr, "  %s\n", play->scene.error.text);
    json_decref(answer);
}

static void check_window(struct play *play, const struct store_tally_query *query, const char *from,
                         const char *to, int bucket_s)
{
    json_t *answer = ask(play, query);

    CHECK_TEXT(text_of(answer, "from"), from);
    CHECK_TEXT(text_of(answer, "to"), to);
    CHECK(json_integer_value(json_object_get(answer, "bucket_s")) == bucket_s);
    json_decref(answer);
}

#define T(time) "2026-11-" time ":00.000000Z"

static void test_windows(void)
{
    struct play *play = allocate(1, sizeof *play);

    begin_play(play);
    play->scene.now_us = SCENE_BEGIN_US;
    check_window(play, &(struct store_tally_query){.bucket_s = 0}, T("20T12:25"), T("21T12:30"), 300);
    check_window(play, &(struct store_tally_query){.job = 1}, T("20T12:25"), T("21T12:30"), 300);
    play->now_us = SCENE_BEGIN_US;
    play_runs(play, 1);
    check_window(play, &(struct store_tally_query){.job = play->ended[0].job}, T("21T12:25"), T("21T12:30"),
                 300);
    check_window(play,
                 &(struct store_tally_query){.from = "2026-11-01T00:10:00Z", .to = "2026-11-21T00:10:00Z"},
                 T("01T00:00"), T("21T01:00"), 3600);
    check_window(play,
                 &(struct store_tally_query){
                     .from = "2026-11-01T00:10:00Z", .to = "2026-11-01T20:10:01+00:00", .by_station = true},
                 T("01T00:10"), T("01T20:15"), 900);
    check_refused(play, &(struct store_tally_query){.from = "soon"}, "not a time");
    check_refused(play,
                  &(struct store_tally_query){.from = "2026-11-02T00:00:00Z", .to = "2026-11-02T00:00:00Z"},
                  "not before");
    check_refused(play, &(struct store_tally_query){.bucket_s = 299}, "multiple of 300");
    check_refused(play, &(struct store_tally_query){.bucket_s = -300}, "multiple of 300");
    check_refused(play, &(struct store_tally_query){.bucket_s = 86700}, "multiple of 300");
    check_refused(play, &(struct store_tally_query){.from = "2025-11-02T00:00:00Z", .bucket_s = 300},
                  "366 days");
    check_refused(play, &(struct store_tally_query){.from = "2026-11-02T00:00:00Z", .bucket_s = 300},
                  "14 days");
    check_refused(play, &(struct store_tally_query){.from = "2026-07-02T00:00:00Z", .bucket_s = 3600},
                  "2000 buckets");
    end_play(play);
    free(play);
}

/* By hand, and by the way ----------------------------------------------------------------------------------
 */

static void test_by_hand(void)
{
    static const char *const changes[] = {
        "INSERT INTO tally SELECT span, start, 'other', job, runs, pass, fail, aborted, unknown, cancelled, "
        "units, first_pass, passed_units, us, floor_us, wire_us, target_us, host_us, retry_us, timed_runs, "
        "bytes, 1 FROM tally LIMIT 1",
        "UPDATE tally SET pass = pass + 1, fail = fail - 1",
        "DELETE FROM tally",
        "INSERT INTO tally_class VALUES (300, 0, 'x', 1, 'x', 1, 1)",
        "UPDATE tally_class SET count = count + 1",
        "DELETE FROM tally_class",
        "INSERT INTO held VALUES ('x', 1, 1, 1)",
        "UPDATE held SET runs = 0",
        "DELETE FROM held",
    };
    struct play *play = allocate(1, sizeof *play);
    sqlite3 *raw;

    begin_play(play);
    play_runs(play, 200);
    CHECK(say(&play->scene, "access.logout", "{'name':'eva'}") == 0);
    raw = scene_raw(&play->scene);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (!CHECK(sqlite3_exec(raw, changes[i], NULL, NULL, NULL) == SQLITE_CONSTRAINT) ||
            !CHECK(strstr(sqlite3_errmsg(raw), "is made from the ledger") != NULL))
            (void)fprintf(stderr, "  %s: %s\n", changes[i], sqlite3_errmsg(raw));
    (void)sqlite3_close(raw);
    end_play(play);
    free(play);
}

/* No way may go through all runs; a tally is entered by its key or by its job. */
static void test_ways(void)
{
    static const struct {
        enum query query;
        const char *way;
    } ways[] = {
        {QUERY_TALLY_BY_TIME, "SEARCH one USING PRIMARY KEY (span=? AND start>? AND start<?)"},
        {QUERY_TALLY_BY_JOB, "SEARCH one USING INDEX tally_job (job=? AND span=? AND start>? AND start<?)"},
        {QUERY_TALLY_BY_WORK_ORDER, "SEARCH job USING COVERING INDEX job_work_order (work_order=?)"},
        {QUERY_TALLY_BY_WORK_ORDER,
         "SEARCH one USING INDEX tally_job (job=? AND span=? AND start>? AND start<?)"},
        {QUERY_CLASSES_BY_TIME, "SEARCH one USING PRIMARY KEY (span=? AND start>? AND start<?)"},
        {QUERY_CLASSES_BY_JOB,
         "SEARCH one USING INDEX tally_class_job (job=? AND span=? AND start>? AND start<?)"},
        {QUERY_PACE, "SEARCH run USING COVERING INDEX run_passed (ended>? AND ended<?)"},
        {QUERY_RECENT, "SEARCH run USING INDEX run_station (station=?)"},
        {QUERY_STATION_MEASURES, "SEARCH run USING INDEX run_station (station=?)"},
    };
    struct play *play = allocate(1, sizeof *play);
    sqlite3 *raw;

    begin_play(play);
    raw = scene_raw(&play->scene);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char *sql = format_text("EXPLAIN QUERY PLAN %s", queries[ways[i].query]), *plan = copy_text("");
        sqlite3_stmt *rows = NULL;

        CHECK(sqlite3_prepare_v2(raw, sql, -1, &rows, NULL) == SQLITE_OK);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            char *grown = format_text("%s  %s\n", plan, (const char *)sqlite3_column_text(rows, 3));

            free(plan);
            plan = grown;
        }
        (void)sqlite3_finalize(rows);
        if (!CHECK(strstr(plan, ways[i].way) != NULL) || !CHECK(strstr(plan, "SCAN run") == NULL) ||
            !CHECK(strstr(plan, "TEMP B-TREE") == NULL))
            (void)fprintf(stderr, "  wanted %s\n%s", ways[i].way, plan);
        free(plan);
        free(sql);
    }
    (void)sqlite3_close(raw);
    end_play(play);
    free(play);
}

/* The last runs of each station ----------------------------------------------------------------------------
 */

static void check_recent_of(const struct play *play, int station, const json_t *runs, size_t most)
{
    size_t index = 0;

    for (size_t i = play->count; i-- > 0 && index < most;) {
        const struct made *run = &play->ended[i];
        const json_t *item = json_array_get(runs, index);

        if (run->station != station)
            continue;
        CHECK(json_integer_value(json_object_get(item, "run")) == run->id);
        CHECK_TEXT(text_of(item, "outcome"), outcomes[run->outcome]);
        CHECK_TEXT(text_of(item, "class"), run->class ? run->class : "(null)");
        CHECK_TEXT(text_of(item, "serial"), *run->serial ? run->serial : "(null)");
        CHECK(us_of(text_of(item, "ended")) == run->ended_us);
        index++;
    }
    CHECK(json_array_size(runs) == index);
}

static void check_measures_of(const struct play *play, int station, const json_t *item, size_t most)
{
    const json_t *measures = json_object_get(item, "measures");
    double attempts = 0, excess = 0, contact = 0;
    int seen = 0, runs = 0, passed = 0, timed = 0, contacts = 0;

    for (size_t i = play->count; i-- > 0 && seen < (int)most;) {
        const struct made *run = &play->ended[i];

        if (run->station != station)
            continue;
        seen++;
        if (cancelled(run))
            continue;
        runs++;
        passed += run->outcome == PASS;
        attempts += (double)(run->id % 4);
        if (run->timed) {
            timed++;
            excess += (double)(run->us - run->floor_us);
        }
        if (run->timed || run->outcome != PASS) {
            contacts++;
            contact += (double)(run->us / 10);
        }
    }
    CHECK_TEXT(text_of(item, "chip"), "c");
    CHECK(json_integer_value(json_object_get(item, "runs")) == runs);
    CHECK(json_integer_value(json_object_get(item, "passed")) == passed);
    CHECK(fabs(json_number_value(json_object_get(measures, "contact_attempts")) - attempts / runs) < 0.001);
    CHECK(json_number_value(json_object_get(measures, "naks")) == 1.0);
    CHECK(json_number_value(json_object_get(measures, "retries")) == 2.0);
    CHECK(json_integer_value(json_object_get(measures, "excess_us")) == llround(excess / timed));
    CHECK(json_integer_value(json_object_get(measures, "contact_us")) == llround(contact / contacts));
}

static void test_last_runs(void)
{
    struct play *play = allocate(1, sizeof *play);
    struct reply recent = {.done = false}, measures = {.done = false};
    const json_t *items;

    begin_play(play);
    play->seed = 11;
    while (play->count <
           300) { /* without a clock that is put back: a station's runs are in order of starts */
        int64_t before_us = play->now_us;

        play_runs(play, play->count + 1);
        if (play->now_us < before_us)
            play->now_us = before_us + 1;
        play->now_us += 1000;
    }
    store_recent(play->scene.store, 7, on_answer, &recent);
    (void)await(&play->scene, &recent);
    store_station_measures(play->scene.store, 50, on_answer, &measures);
    items = json_object_get(await(&play->scene, &measures), "items");
    CHECK(json_object_size(recent.answer) == STATIONS && json_array_size(items) == STATIONS);
    for (int i = 0; i < STATIONS; i++) {
        char name[8];

        name_of(i, name);
        check_recent_of(play, i, json_object_get(recent.answer, name), 7);
        CHECK_TEXT(text_of(json_array_get(items, (size_t)i), "station"), name);
        check_measures_of(play, i, json_array_get(items, (size_t)i), 50);
    }
    json_decref(recent.answer);
    json_decref(measures.answer);
    end_play(play);
    free(play);
}

static const struct test tests[] = {
    {"runs at random, counted twice", test_random},
    {"a database of version 3", test_migration},
    {"windows", test_windows},
    {"by hand, nothing is written", test_by_hand},
    {"ways of the questions", test_ways},
    {"the last runs of each station", test_last_runs},
};

TEST_MAIN(tests)
