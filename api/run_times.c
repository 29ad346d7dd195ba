/* SPDX-License-Identifier: Apache-2.0 */
#include "run_times.h"

#include "alloc.h"
#include "farm.h"

#include <stdlib.h>
#include <string.h>

static const char *const outcomes[] = {"pass", "fail", "aborted", "unknown"};
#define OUTCOMES (sizeof outcomes / sizeof outcomes[0])

/* From a small bootloader at full speed to a large flash over a slow line. */
static const int bounds_ms[] = {250,   500,   1000,  2000,   4000,   8000,
                                15000, 30000, 60000, 120000, 240000, 600000};
#define BOUNDS (sizeof bounds_ms / sizeof bounds_ms[0])

struct station_time {
    char *name;
    int64_t us, floor_us; /* of runs that passed: what one that failed would have needed nobody knows */
};

/* What run.ended does not say again: where the run is. */
struct open_run {
    int64_t id;
    size_t station;
};

struct run_times {
    int64_t counts[OUTCOMES][BOUNDS + 1];
    int64_t sum_us[OUTCOMES];
    struct station_time *stations;
    struct open_run *open;
    size_t station_count, open_count;
};

struct run_times *run_times_new(void)
{
    return allocate(1, sizeof(struct run_times));
}

void run_times_free(struct run_times *times)
{
    for (size_t i = 0; i < times->station_count; i++)
        free(times->stations[i].name);
    free(times->stations);
    free(times->open);
    free(times);
}

static size_t find_station(struct run_times *times, const char *name)
{
    size_t i = 0;

    while (i < times->station_count && strcmp(times->stations[i].name, name) != 0)
        i++;
    if (i < times->station_count)
        return i;
    times->stations = reallocate(times->stations, i + 1, sizeof *times->stations);
    times->stations[i] = (struct station_time){.name = copy_text(name)};
    times->station_count++;
    return i;
}

static void run_started(struct run_times *times, const json_t *body)
{
    const char *station = json_string_value(json_object_get(body, "station"));

    if (!station)
        return;
    times->open = reallocate(times->open, times->open_count + 1, sizeof *times->open);
    times->open[times->open_count++] = (struct open_run){
        .id = json_integer_value(json_object_get(body, "id")), .station = find_station(times, station)};
}

/* The station of a run that has ended; NULL for one that was begun by an earlier daemon. */
static struct station_time *close_run(struct run_times *times, int64_t id)
{
    for (size_t i = 0; i < times->open_count; i++)
        if (times->open[i].id == id) {
            struct station_time *station = &times->stations[times->open[i].station];

            times->open[i] = times->open[--times->open_count];
            return station;
        }
    return NULL;
}

static void count(struct run_times *times, size_t outcome, int64_t us)
{
    size_t bound = 0;

    while (bound < BOUNDS && us > bounds_ms[bound] * INT64_C(1000))
        bound++;
    times->counts[outcome][bound]++;
    times->sum_us[outcome] += us;
}

/* A run without phases, whose daemon died, took nobody knows how long: it is not in the times. */
static void run_ended(struct run_times *times, const json_t *body)
{
    struct station_time *station = close_run(times, json_integer_value(json_object_get(body, "id")));
    const char *word = json_string_value(json_object_get(body, "outcome"));
    const json_t *phases = json_object_get(body, "phases"), *phase;
    int64_t us = 0;
    size_t i, outcome = 0;

    while (word && outcome < OUTCOMES && strcmp(word, outcomes[outcome]) != 0)
        outcome++;
    if (!word || outcome == OUTCOMES || !json_array_size(phases))
        return;
    json_array_foreach (phases, i, phase)
        us += json_integer_value(json_object_get(phase, "us"));
    count(times, outcome, us);
    if (station && outcome == 0) {
        station->us += us;
        station->floor_us += json_integer_value(json_object_get(body, "floor_us"));
    }
}

void run_times_hear(struct run_times *times, const struct farm_event *event)
{
    bool started = !strcmp(event->topic, "run.started"), ended = !strcmp(event->topic, "run.ended");
    json_t *body = started || ended ? json_loads(event->json, 0, NULL) : NULL;

    if (started)
        run_started(times, body);
    else if (ended)
        run_ended(times, body);
    json_decref(body);
}

/* --- Printing ------------------------------------------------------------------------------------------- */

static void print_outcome(const struct run_times *times, size_t outcome, FILE *out)
{
    int64_t total = 0;

    for (size_t i = 0; i < BOUNDS; i++) {
        total += times->counts[outcome][i];
        (void)fprintf(out, "flashfarm_run_seconds_bucket{outcome=\"%s\",le=\"%d.%03d\"} %lld\n",
                      outcomes[outcome], bounds_ms[i] / 1000, bounds_ms[i] % 1000, (long long)total);
    }
    total += times->counts[outcome][BOUNDS];
    (void)fprintf(out,
                  "flashfarm_run_seconds_bucket{outcome=\"%s\",le=\"+Inf\"} %lld\n"
                  "flashfarm_run_seconds_sum{outcome=\"%s\"} %lld.%06lld\n"
                  "flashfarm_run_seconds_count{outcome=\"%s\"} %lld\n",
                  outcomes[outcome], (long long)total, outcomes[outcome],
                  (long long)(times->sum_us[outcome] / 1000000),
                  (long long)(times->sum_us[outcome] % 1000000), outcomes[outcome], (long long)total);
}

static void print_station(const char *name, const char *station, int64_t us, FILE *out)
{
    (void)fprintf(out, "flashfarm_station_%s_seconds_total{station=\"%s\"} %lld.%06lld\n", name, station,
                  (long long)(us / 1000000), (long long)(us % 1000000));
}

void run_times_print(const struct run_times *times, FILE *out)
{
    (void)fprintf(out, "# HELP flashfarm_run_seconds Time that runs took, by outcome.\n"
                       "# TYPE flashfarm_run_seconds histogram\n");
    for (size_t i = 0; i < OUTCOMES; i++)
        print_outcome(times, i, out);
    (void)fprintf(out, "# HELP flashfarm_station_run_seconds_total Time of runs that passed.\n"
                       "# TYPE flashfarm_station_run_seconds_total counter\n");
    for (size_t i = 0; i < times->station_count; i++)
        print_station("run", times->stations[i].name, times->stations[i].us, out);
    (void)fprintf(out,
                  "# HELP flashfarm_station_floor_seconds_total What wire and chip need at least for these.\n"
                  "# TYPE flashfarm_station_floor_seconds_total counter\n");
    for (size_t i = 0; i < times->station_count; i++)
        print_station("floor", times->stations[i].name, times->stations[i].floor_us, out);
}
