/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over many runs. The schema keeps them by five minutes and by hours; a question reads the rows of its
 * window once, and adds them up here: SQLite would sort them first. Where nothing finer is wanted it reads
 * hours, and the parts of the last hour, which has no rows of its own yet. */
#include "statistics.h"

#include "alloc.h"
#include "inside.h"
#include "rfc3339.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const statistics_first_pass_yield =
    "First-pass yield is the share of units whose first run in their job passed, with no run of an unknown "
    "board held against them. A unit is known by its chip UID, else by its serial; a run that failed without "
    "either is held against the next unit at that station in that job. Cancelled runs do not count.";
const char *const statistics_final_yield = "Final yield is the share of units that passed in their job, at "
                                           "whichever attempt. Each unit counts once, "
                                           "and so do units that never passed; cancelled runs do not count.";

enum {
    FIELDS = 17,
    PART_S = 300,
    HOUR_S = 3600,
    DAY_S = 86400,
    MOST_BUCKETS = 2000,
    BUCKETS_CHOSEN = 500,
    BUCKETS_CHOSEN_BY_STATION = 100,
    MOST_FINE_DAYS = 14,
    MOST_DAYS = 366,
    PARETO_ROWS = 200,
    CLASSES = 32, /* more than there are words */
    TAKT_PASSES = 21,
};

/* In the order of the statement's columns. */
static const char *const fields[FIELDS] = {"runs",       "pass",    "fail",       "aborted",      "unknown",
                                           "cancelled",  "units",   "first_pass", "passed_units", "us",
                                           "floor_us",   "wire_us", "target_us",  "host_us",      "retry_us",
                                           "timed_runs", "bytes"};

struct sums {
    int64_t of[FIELDS];
};

struct failures {
    char *class;
    int64_t count;
};

struct place {
    char *name;
    struct sums totals, *buckets; /* buckets only when the series is by station */
    struct failures failures[CLASSES];
    size_t failure_count;
};

struct counting {
    int64_t from_s, to_s, bucket_s, span_s;
    int64_t open_s; /* the hour that has no rows of its own yet */
    size_t bucket_count;
    bool by_station;
    struct sums totals, *buckets;
    struct place *places;
    size_t place_count, last_place;
};

/* The window -----------------------------------------------------------------------------------------------
 */

static int64_t floor_to(int64_t value, int64_t step)
{
    return value - value % step;
}

static int64_t ceil_to(int64_t value, int64_t step)
{
    return floor_to(value + step - 1, step);
}

/* Of a text as the store writes them. */
static int64_t utc_us(const char *utc)
{
    int us = 0;
    struct tm parts = {.tm_isdst = 0};
    char *rest = strptime(utc, "%Y-%m-%dT%H:%M:%S", &parts);

    if (rest && *rest == '.')
        us = (int)strtol(rest + 1, NULL, 10);
    return (int64_t)timegm(&parts) * 1000000 + us;
}

/* `round_up`: the first whole second that is not before it. */
static int64_t given_s(const struct request *request, const char *name, bool round_up)
{
    const char *text = request_given(request, name);

    return text ? (utc_us(text) + (round_up ? 999999 : 0)) / 1000000 : 0;
}

/* From the first run of a job or a work order to its last one; 0 and 0 when it has none. */
static int ends_of(struct database *database, const struct request *request, int64_t *from_s, int64_t *to_s,
                   struct error *error)
{
    sqlite3_stmt *statement = request_statement(
        database, request_value(request, ":job") ? QUERY_TALLY_ENDS_OF_JOB : QUERY_TALLY_ENDS_OF_WORK_ORDER,
        request, error);
    int code = 0;

    if (!statement)
        return error->code;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *from_s = sqlite3_column_int64(statement, 0);
        *to_s = sqlite3_column_int64(statement, 1);
    } else {
        code = database_fail(database, error);
    }
    (void)sqlite3_reset(statement);
    return code;
}

static bool has_job(const struct request *request)
{
    return request_value(request, ":job") || request_given(request, ":work_order");
}

/* What is not given, but follows from the job or from now. */
static int find_window(struct counting *counting, struct database *database, const struct request *request,
                       struct error *error)
{
    int64_t now_s = utc_us(request_given(request, ":now")) / 1000000, first_s = 0, last_s = 0;
    bool from = request_given(request, ":from"), to = request_given(request, ":to");

    if (has_job(request) && !(from && to) && ends_of(database, request, &first_s, &last_s, error))
        return error->code;
    counting->to_s = to ? given_s(request, ":to", true) : last_s ? last_s : now_s + 1;
    counting->from_s = from      ? given_s(request, ":from", false)
                       : first_s ? first_s
                                 : (counting->to_s > DAY_S ? counting->to_s - DAY_S : 0);
    if (from && to && counting->from_s >= counting->to_s)
        return error_set(error, -EINVAL, "from is not before to");
    if (counting->to_s <= counting->from_s) /* nothing of that job ended then */
        counting->to_s = counting->from_s + 1;
    return 0;
}

static size_t buckets_in(const struct counting *counting, int64_t bucket_s)
{
    int64_t step = bucket_s % HOUR_S ? PART_S : HOUR_S;

    return (size_t)((ceil_to(counting->to_s, step) - floor_to(counting->from_s, step) + bucket_s - 1) /
                    bucket_s);
}

static int64_t choose_bucket(const struct counting *counting)
{
    static const int good[] = {300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200};
    size_t most = counting->by_station ? BUCKETS_CHOSEN_BY_STATION : BUCKETS_CHOSEN;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (buckets_in(counting, good[i]) <= most)
            return good[i];
    return DAY_S;
}

/* What may be asked, so that no answer is made of more rows than a month of a large line has. */
static int check_window(const struct counting *counting, bool has_job, struct error *error)
{
    int64_t window_s = counting->to_s - counting->from_s;

    if (counting->bucket_s < PART_S || counting->bucket_s > DAY_S || counting->bucket_s % PART_S)
        return error_set(error, -EINVAL, "bucket_s is a multiple of %d from %d to %d", PART_S, PART_S, DAY_S);
    if (!has_job && window_s > (int64_t)MOST_DAYS * DAY_S)
        return error_set(error, -EINVAL, "more than %d days at once are for a job or a work order",
                         MOST_DAYS);
    if (window_s > (int64_t)MOST_FINE_DAYS * DAY_S && counting->bucket_s % HOUR_S)
        return error_set(error, -EINVAL, "over more than %d days bucket_s is a multiple of %d",
                         MOST_FINE_DAYS, HOUR_S);
    if (buckets_in(counting, counting->bucket_s) > MOST_BUCKETS)
        return error_set(error, -EINVAL, "from, to and bucket_s make more than %d buckets", MOST_BUCKETS);
    return 0;
}

static int set_window(struct counting *counting, struct database *database, const struct request *request,
                      struct error *error)
{
    int code = find_window(counting, database, request, error);

    if (code)
        return code;
    counting->by_station = request_value(request, ":by_station");
    counting->bucket_s = request_value(request, ":bucket_s");
    if (counting->bucket_s == 0)
        counting->bucket_s = choose_bucket(counting);
    code = check_window(counting, has_job(request), error);
    if (code)
        return code;
    counting->span_s = counting->bucket_s % HOUR_S ? PART_S : HOUR_S;
    counting->bucket_count = buckets_in(counting, counting->bucket_s);
    counting->from_s = floor_to(counting->from_s, counting->span_s);
    counting->to_s = ceil_to(counting->to_s, counting->span_s);
    counting->buckets = allocate(counting->bucket_count, sizeof *counting->buckets);
    return 0;
}

/* Adding up ------------------------------------------------------------------------------------------------
 */

static struct place *add_place(struct counting *counting, const char *name)
{
    struct place *place;

    if (counting->place_count % 16 == 0)
        counting->places = reallocate(counting->places, counting->place_count + 16, sizeof *counting->places);
    place = &counting->places[counting->place_count++];
    memset(place, 0, sizeof *place);
    place->name = copy_text(name);
    if (counting->by_station)
        place->buckets = allocate(counting->bucket_count, sizeof *place->buckets);
    return place;
}

/* Rows come by time, and then by station: the one that is wanted is mostly the next. */
static struct place *find_place(struct counting *counting, const char *name)
{
    for (size_t i = 0; i < counting->place_count; i++) {
        size_t at = (counting->last_place + 1 + i) % counting->place_count;

        if (strcmp(counting->places[at].name, name) == 0) {
            counting->last_place = at;
            return &counting->places[at];
        }
    }
    counting->last_place = counting->place_count;
    return add_place(counting, name);
}

static void add_to(struct sums *sums, const struct sums *more)
{
    for (int i = 0; i < FIELDS; i++)
        sums->of[i] += more->of[i];
}

static void add_tally(struct counting *counting, sqlite3_stmt *row)
{
    size_t bucket = (size_t)((sqlite3_column_int64(row, 0) - counting->from_s) / counting->bucket_s);
    struct place *place = find_place(counting, (const char *)sqlite3_column_text(row, 1));
    struct sums sums;

    for (int i = 0; i < FIELDS; i++)
        sums.of[i] = sqlite3_column_int64(row, 2 + i);
    add_to(&place->totals, &sums);
    add_to(counting->by_station ? &place->buckets[bucket] : &counting->buckets[bucket], &sums);
}

static void add_class(struct counting *counting, sqlite3_stmt *row)
{
    struct place *place = find_place(counting, (const char *)sqlite3_column_text(row, 1));
    const char *class = (const char *)sqlite3_column_text(row, 2);
    size_t i = 0;

    while (i < place->failure_count && strcmp(place->failures[i].class, class) != 0)
        i++;
    if (i == CLASSES)
        return;
    if (i == place->failure_count)
        place->failures[place->failure_count++].class = copy_text(class);
    place->failures[i].count += sqlite3_column_int64(row, 3);
}

typedef void add_row(struct counting *counting, sqlite3_stmt *row);

static void bind_value(sqlite3_stmt *statement, const char *name, int64_t value)
{
    (void)sqlite3_bind_int64(statement, sqlite3_bind_parameter_index(statement, name), value);
}

/* The rows of one span that start in [first_s, last_s). */
static int add_span(struct counting *counting, struct database *database, const struct request *request,
                    enum query by_time, add_row *add, const int64_t span[3], struct error *error)
{
    int way = request_value(request, ":job") ? 1 : request_given(request, ":work_order") ? 2 : 0;
    sqlite3_stmt *statement = request_statement(database, (enum query)((int)by_time + way), request, error);
    int step, code = 0;

    if (!statement)
        return error->code;
    bind_value(statement, ":span", span[0]);
    bind_value(statement, ":first", span[1]);
    bind_value(statement, ":last", span[2]);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW)
        add(counting, statement);
    if (step != SQLITE_DONE)
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code;
}

static int add_rows(struct counting *counting, struct database *database, const struct request *request,
                    enum query by_time, add_row *add, struct error *error)
{
    int64_t split_s = counting->span_s == PART_S            ? counting->from_s
                      : counting->open_s < counting->from_s ? counting->from_s
                      : counting->open_s < counting->to_s   ? counting->open_s
                                                            : counting->to_s;
    int code = add_span(counting, database, request, by_time, add,
                        (const int64_t[]){HOUR_S, counting->from_s, split_s}, error);

    return code ? code
                : add_span(counting, database, request, by_time, add,
                           (const int64_t[]){PART_S, split_s, counting->to_s}, error);
}

/* The last hour that anything ended in; parts of all others are in rows of hours as well. */
static int find_open_hour(struct counting *counting, struct database *database, struct error *error)
{
    sqlite3_stmt *statement = database_statement(database, QUERY_TALLY_LAST_HOUR, error);
    int code = 0;

    if (!statement)
        return error->code;
    if (sqlite3_step(statement) == SQLITE_ROW)
        counting->open_s = sqlite3_column_int64(statement, 0);
    else
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->name, ((const struct place *)b)->name);
}

static int count(struct counting *counting, struct database *database, const struct request *request,
                 struct error *error)
{
    int code = find_open_hour(counting, database, error);

    if (!code)
        code = add_rows(counting, database, request, QUERY_TALLY_BY_TIME, add_tally, error);
    if (!code)
        code = add_rows(counting, database, request, QUERY_CLASSES_BY_TIME, add_class, error);
    if (counting->place_count)
        qsort(counting->places, counting->place_count, sizeof *counting->places, by_name);
    for (size_t i = 0; i < counting->place_count; i++)
        add_to(&counting->totals, &counting->places[i].totals);
    return code;
}

/* The pace -------------------------------------------------------------------------------------------------
 */

struct pace {
    int64_t passed, ends_us[TAKT_PASSES]; /* the last ones, in a ring */
};

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static json_t *takt_of(const struct pace *pace)
{
    int64_t kept = pace->passed < TAKT_PASSES ? pace->passed : TAKT_PASSES, gaps[TAKT_PASSES];
    int64_t count = kept - 1;

    if (count < 1)
        return json_null();
    for (int64_t i = 0; i < count; i++) {
        int64_t at = pace->passed - kept + i;

        gaps[i] = pace->ends_us[(at + 1) % TAKT_PASSES] - pace->ends_us[at % TAKT_PASSES];
    }
    qsort(gaps, (size_t)count, sizeof *gaps, by_value);
    return json_integer((gaps[(count - 1) / 2] + gaps[count / 2]) / 2);
}

static json_t *pace_of(struct database *database, const struct request *request, struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, QUERY_PACE, request, error);
    struct pace pace = {.passed = 0};
    int step;

    if (!statement)
        return NULL;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW)
        pace.ends_us[pace.passed++ % TAKT_PASSES] = utc_us((const char *)sqlite3_column_text(statement, 0));
    if (step != SQLITE_DONE)
        (void)database_fail(database, error);
    (void)sqlite3_reset(statement);
    if (error->code)
        return NULL;
    return json_pack("{s:I, s:o, s:s}", "passed_last_hour", (json_int_t)pace.passed, "takt_us",
                     takt_of(&pace), "since", request_given(request, ":since"));
}

/* The answer -----------------------------------------------------------------------------------------------
 */

static json_t *json_utc(int64_t utc_s)
{
    char text[28];

    clock_format_utc(utc_s * 1000000, text);
    return json_string(text);
}

static json_t *set_sums(json_t *object, const struct sums *sums)
{
    for (int i = 0; i < FIELDS; i++)
        (void)json_object_set_new_nocheck(object, fields[i], json_integer(sums->of[i]));
    return object;
}

static void add_bucket(json_t *series, const struct counting *counting, size_t bucket,
                       const struct sums *sums, const char *station)
{
    static const struct sums none;

    if (memcmp(sums, &none, sizeof none) != 0)
        (void)json_array_append_new(
            series, set_sums(json_pack("{s:o, s:s?}", "start",
                                       json_utc(counting->from_s + (int64_t)bucket * counting->bucket_s),
                                       "station", station),
                             sums));
}

static json_t *series_of(const struct counting *counting)
{
    json_t *series = json_array();

    for (size_t bucket = 0; bucket < counting->bucket_count; bucket++) {
        if (!counting->by_station)
            add_bucket(series, counting, bucket, &counting->buckets[bucket], NULL);
        for (size_t i = 0; counting->by_station && i < counting->place_count; i++)
            add_bucket(series, counting, bucket, &counting->places[i].buckets[bucket],
                       counting->places[i].name);
    }
    return series;
}

struct bar {
    const char *station;
    const struct failures *failures;
};

static int most_first(const void *a, const void *b)
{
    const struct bar *left = a, *right = b;
    int64_t more = right->failures->count - left->failures->count;

    if (more)
        return more > 0 ? 1 : -1;
    return strcmp(left->station, right->station) ? strcmp(left->station, right->station)
                                                 : strcmp(left->failures->class, right->failures->class);
}

static json_t *pareto_of(const struct counting *counting)
{
    struct bar *bars = allocate(counting->place_count * CLASSES + 1, sizeof *bars);
    json_t *pareto = json_array();
    size_t count = 0;

    for (size_t i = 0; i < counting->place_count; i++)
        for (size_t j = 0; j < counting->places[i].failure_count; j++)
            bars[count++] = (struct bar){.station = counting->places[i].name,
                                         .failures = &counting->places[i].failures[j]};
    qsort(bars, count, sizeof *bars, most_first);
    for (size_t i = 0; i < count && i < PARETO_ROWS; i++)
        (void)json_array_append_new(pareto, json_pack("{s:s, s:s, s:I}", "station", bars[i].station, "class",
                                                      bars[i].failures->class, "count",
                                                      (json_int_t)bars[i].failures->count));
    free(bars);
    return pareto;
}

static json_t *answer_of(const struct counting *counting, json_t *pace)
{
    json_t *by_station = json_array();

    for (size_t i = 0; i < counting->place_count; i++)
        (void)json_array_append_new(
            by_station,
            set_sums(json_pack("{s:s}", "station", counting->places[i].name), &counting->places[i].totals));
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "from", json_utc(counting->from_s), "to",
                     json_utc(counting->to_s), "bucket_s", (json_int_t)counting->bucket_s, "totals",
                     set_sums(json_object(), &counting->totals), "by_station", by_station, "series",
                     series_of(counting), "pareto", pareto_of(counting), "pace", pace);
}

static void free_counting(struct counting *counting)
{
    for (size_t i = 0; i < counting->place_count; i++) {
        struct place *place = &counting->places[i];

        for (size_t j = 0; j < place->failure_count; j++)
            free(place->failures[j].class);
        free(place->buckets);
        free(place->name);
    }
    free(counting->places);
    free(counting->buckets);
    free(counting);
}

/* On a thread of the pool. */
static int answer_tally(struct database *database, struct request *request, struct error *error)
{
    struct counting *counting = allocate(1, sizeof *counting);
    int code = database_run(database, QUERY_BEGIN_READING, error); /* all of it as of one moment */
    struct error ignored;
    json_t *pace;

    if (code) {
        free_counting(counting);
        return code;
    }
    code = set_window(counting, database, request, error);
    if (!code)
        code = count(counting, database, request, error);
    pace = code ? NULL : pace_of(database, request, error);
    if (pace)
        request_result(request, answer_of(counting, pace));
    free_counting(counting);
    (void)database_run(database, QUERY_ROLLBACK, &ignored);
    return error->code;
}

static void request_now(struct request *request, const struct clock *clock)
{
    int64_t now_us = clock_utc_us(clock);
    char text[28];

    clock_format_utc(now_us, text);
    request_text(request, ":now", text);
    clock_format_utc(now_us - (int64_t)HOUR_S * 1000000, text);
    request_text(request, ":since", text);
}

void store_tally(struct store *store, const struct store_tally_query *query, store_answer *answer,
                 void *context)
{
    struct request *request = request_new(store->reader, QUERY_TALLY_BY_TIME, answer_tally, answer, context);

    if (query->job)
        request_integer(request, ":job", query->job);
    request_text(request, ":work_order", query->work_order);
    request_text(request, ":station", query->station);
    store_request_recipe(request, query->recipe);
    request_time(request, ":from", query->from, NULL);
    request_time(request, ":to", query->to, NULL);
    request_integer(request, ":bucket_s", query->bucket_s);
    request_integer(request, ":by_station", query->by_station);
    request_now(request, store->options.clock);
    request_submit(request);
}

/* What each station did last -------------------------------------------------------------------------------
 */

/* A row is a name and a text of JSON. */
static int take_places(struct database *database, const struct request *request, enum query query,
                       json_t *answer, struct error *error)
{
    sqlite3_stmt *statement = request_statement(database, query, request, error);
    int step, code = 0;

    if (!statement)
        return error->code;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        json_t *value = text ? json_loads(text, 0, NULL) : NULL;

        if (json_is_array(answer))
            (void)json_array_append_new(answer, value ? value : json_null());
        else
            (void)json_object_set_new(answer, name, value ? value : json_null());
    }
    if (step != SQLITE_DONE)
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code;
}

static int answer_recent(struct database *database, struct request *request, struct error *error)
{
    json_t *stations = json_object();

    if (take_places(database, request, QUERY_RECENT, stations, error))
        json_decref(stations);
    else
        request_result(request, stations);
    return error->code;
}

static int answer_measures(struct database *database, struct request *request, struct error *error)
{
    json_t *items = json_array();

    if (take_places(database, request, QUERY_STATION_MEASURES, items, error))
        json_decref(items);
    else
        request_result(request, json_pack("{s:o, s:n}", "items", items, "next"));
    return error->code;
}

void store_recent(struct store *store, int count, store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, QUERY_RECENT, answer_recent, answer, context);

    request_integer(request, ":count", count);
    request_submit(request);
}

void store_station_measures(struct store *store, int runs, store_answer *answer, void *context)
{
    struct request *request =
        request_new(store->reader, QUERY_STATION_MEASURES, answer_measures, answer, context);

    request_integer(request, ":count", runs);
    request_submit(request);
}
