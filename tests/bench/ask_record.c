/* SPDX-License-Identifier: Apache-2.0 */
/* An auditor's questions to a long record, through the store as the API asks it: whole answers, page by page,
 * with rows as JSON. The record is one of make_record.c, whose units, orders and days are known.
 *
 *     bench_ask_record FILE RUNS [--check]
 *
 * Prints how long opening takes, and median and p99 of each question; --check fails when a goal is missed. */
#include "alloc.h"
#include "store.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATIONS = 64, RUN_S = 12, ORDER_UNITS = 5000, IMAGE_RUNS = 100000, FAILS_EVERY = 50, PAGE = 1000 };

#define BEGIN_US INT64_C(1795263900000000) /* as make_record.c begins */
#define DAY_US   INT64_C(86400000000)

struct asker {
    uv_loop_t loop;
    struct store *store;
    int64_t runs, units;
    json_t *answer;
    bool done, brief;
    char cursor[32];
    uint64_t random;
};

static int64_t draw(struct asker *asker, int64_t below)
{
    asker->random ^= asker->random << 13;
    asker->random ^= asker->random >> 7;
    asker->random ^= asker->random << 17;
    return (int64_t)(asker->random % (uint64_t)below);
}

static void take(void *context, json_t *answer, const struct error *error)
{
    struct asker *asker = context;

    if (error) {
        (void)fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
    asker->answer = answer;
    asker->done = true;
}

static void await_answer(struct asker *asker)
{
    while (!asker->done)
        (void)uv_run(&asker->loop, UV_RUN_ONCE);
    asker->done = false;
}

/* All pages of a list; how many rows. */
static int64_t ask_runs(struct asker *asker, const struct store_run_filter *filter)
{
    struct store_page page = {.limit = PAGE};
    struct store_run_filter asked = *filter;
    int64_t rows = 0;

    asked.brief = asker->brief;

    do {
        const char *next;

        store_runs(asker->store, &asked, &page, take, asker);
        await_answer(asker);
        rows += asker->brief ? json_integer_value(json_object_get(asker->answer, "count"))
                             : (int64_t)json_array_size(json_object_get(asker->answer, "items"));
        next = json_string_value(json_object_get(asker->answer, "next"));
        page.cursor = next ? strcpy(asker->cursor, next) : NULL;
        json_decref(asker->answer);
    } while (page.cursor);
    return rows;
}

static int64_t ask_unit(struct asker *asker, const char *serial_or_uid)
{
    int64_t rows = 0;

    store_unit(asker->store, serial_or_uid, take, asker);
    await_answer(asker);
    rows = (int64_t)json_array_size(json_object_get(asker->answer, "runs"));
    json_decref(asker->answer);
    return rows;
}

/* The questions --------------------------------------------------------------------------------------------
 */

static int64_t by_serial(struct asker *asker)
{
    char serial[24];

    (void)snprintf(serial, sizeof serial, "SN%08" PRId64, 1 + draw(asker, asker->units));
    return ask_unit(asker, serial);
}

static int64_t by_uid(struct asker *asker)
{
    uint64_t mixed = (uint64_t)(1 + draw(asker, asker->units)) * UINT64_C(0x9e3779b97f4a7c15);
    char uid[27];

    (void)snprintf(uid, sizeof uid, "0x%016" PRIx64 "%08" PRIx64, mixed ^ mixed >> 29,
                   mixed >> 17 & 0xffffffff);
    return ask_unit(asker, uid);
}

static int64_t by_work_order(struct asker *asker)
{
    char order[24];

    (void)snprintf(order, sizeof order, "WO-%06" PRId64, 1 + draw(asker, asker->units / ORDER_UNITS));
    return ask_runs(asker, &(struct store_run_filter){.work_order = order});
}

static int64_t by_image(struct asker *asker)
{
    int64_t number = 1 + draw(asker, asker->runs / IMAGE_RUNS);
    uint8_t hash[crypto_hash_sha256_BYTES];
    char id[2 * sizeof hash + 1];

    (void)crypto_hash_sha256(hash, (const uint8_t *)&number, sizeof number);
    (void)sodium_bin2hex(id, sizeof id, hash, sizeof hash);
    return ask_runs(asker, &(struct store_run_filter){.image = id});
}

static int64_t in_time(struct asker *asker, struct store_run_filter *filter, int64_t length_us)
{
    int64_t all_us = asker->runs * RUN_S * 1000000 / STATIONS;
    int64_t first_us = BEGIN_US + (all_us > length_us ? draw(asker, all_us - length_us) : 0);
    char from[28], to[28];

    clock_format_utc(first_us, from);
    clock_format_utc(first_us + length_us, to);
    filter->from = from;
    filter->to = to;
    return ask_runs(asker, filter);
}

static int64_t by_station_day(struct asker *asker)
{
    char station[8];

    (void)snprintf(station, sizeof station, "S%02d", (int)draw(asker, STATIONS));
    return in_time(asker, &(struct store_run_filter){.station = station}, DAY_US);
}

static int64_t by_operator_shift(struct asker *asker)
{
    char by[16];

    (void)snprintf(by, sizeof by, "operator%02d", (int)draw(asker, 40));
    return in_time(asker, &(struct store_run_filter){.by = by}, DAY_US / 3);
}

static int64_t failures_of_an_hour(struct asker *asker)
{
    return in_time(asker, &(struct store_run_filter){.outcome = "fail"}, DAY_US / 24);
}

static int64_t newest_page(struct asker *asker)
{
    int64_t rows = 0;

    store_runs(asker->store, &(struct store_run_filter){.job = 0}, &(struct store_page){.limit = 100}, take,
               asker);
    await_answer(asker);
    rows = (int64_t)json_array_size(json_object_get(asker->answer, "items"));
    json_decref(asker->answer);
    return rows;
}

static const struct {
    const char *name;
    int64_t (*ask)(struct asker *asker);
    int samples;
    double goal_ms; /* 0: for comparison */
    bool brief;
} questions[] = {
    {"by serial, whole history", by_serial, 2000, 20, false},
    {"by chip UID, whole history", by_uid, 2000, 20, false},
    {"work order of 5,000", by_work_order, 50, 50, true},
    {"where-used of an image, 100,000 runs", by_image, 5, 1000, true},
    {"station x one day", by_station_day, 50, 100, true},
    {"operator x 8 h", by_operator_shift, 50, 100, true},
    {"failures of one hour", failures_of_an_hour, 50, 100, true},
    {"the newest 100 runs, all of each", newest_page, 500, 100, false},
    {"work order of 5,000, all of each", by_work_order, 10, 0, false},
};

static int by_size(const void *a, const void *b)
{
    const double *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* One question many times; the processor's time is the mean. True when the goal is met. */
static bool measure(struct asker *asker, size_t number)
{
    int samples = questions[number].samples;
    double *times_ms = allocate((size_t)samples, sizeof *times_ms);
    int64_t rows = 0;
    double p99, processor_ms;
    clock_t begun;

    asker->brief = questions[number].brief;
    (void)questions[number].ask(asker); /* warm */
    begun = clock();
    for (int i = 0; i < samples; i++) {
        uint64_t begun_ns = uv_hrtime();

        rows = questions[number].ask(asker);
        times_ms[i] = (double)(uv_hrtime() - begun_ns) / 1e6;
    }
    processor_ms = (double)(clock() - begun) * 1e3 / CLOCKS_PER_SEC / samples;
    qsort(times_ms, (size_t)samples, sizeof *times_ms, by_size);
    p99 = times_ms[(samples * 99 + 99) / 100 - 1];
    (void)printf("%-38s %8" PRId64 " rows  processor %8.2f  median %9.2f  p99 %9.2f  goal %6.0f ms%s\n",
                 questions[number].name, rows, processor_ms, times_ms[samples / 2], p99,
                 questions[number].goal_ms,
                 questions[number].goal_ms > 0 && p99 > questions[number].goal_ms ? "  MISSED" : "");
    (void)fflush(stdout);
    free(times_ms);
    return questions[number].goal_ms <= 0 || p99 <= questions[number].goal_ms;
}

int main(int argc, char **argv)
{
    struct asker *asker = allocate(1, sizeof *asker);
    struct log_output output = log_output_stderr(LOG_WARNING);
    struct error error = ERROR_NONE;
    uint64_t begun_ns = uv_hrtime();
    bool good = true, check = argc == 4 && strcmp(argv[3], "--check") == 0;

    if (argc < 3 || sodium_init() < 0) {
        (void)fprintf(stderr, "usage: %s FILE RUNS [--check]\n", argv[0]);
        return 2;
    }
    asker->runs = strtoll(argv[2], NULL, 10);
    asker->units = asker->runs - asker->runs / FAILS_EVERY;
    asker->random = 20261121;
    (void)uv_loop_init(&asker->loop);
    if (store_open(&asker->store,
                   &(struct store_options){.path = argv[1],
                                           .loop = &asker->loop,
                                           .clock = &clock_system,
                                           .log = log_named(&output, "store")},
                   &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    (void)printf("opened at record %" PRId64 " in %.1f ms\n", store_head_sequence(asker->store),
                 (double)(uv_hrtime() - begun_ns) / 1e6);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        good = measure(asker, i) && good;
    store_close(asker->store);
    (void)uv_run(&asker->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&asker->loop);
    free(asker);
    return check && !good ? 1 : 0;
}
