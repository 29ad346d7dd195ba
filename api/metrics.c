/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for Prometheus. Labels are bounded: stations, classes, states, pools; never a serial. */
#include "alloc.h"
#include "context.h"
#include "events.h"
#include "handlers.h"
#include "reply.h"
#include "run_times.h"
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int64_t api_lag_bounds_us[API_LAG_BOUNDS] = {100, 500, 1000, 2000, 5000, 10000, 50000, 250000};

void api_lag_add(struct api_lag *lag, int64_t lag_us)
{
    size_t i = 0;

    while (i < API_LAG_BOUNDS && lag_us > api_lag_bounds_us[i])
        i++;
    lag->counts[i]++;
    lag->sum_us += lag_us;
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP flashfarm_%s %s\n# TYPE flashfarm_%s %s\n", name, help, name, type);
}

static void number(FILE *out, const char *name, const char *type, const char *help, int64_t value)
{
    head(out, name, type, help);
    (void)fprintf(out, "flashfarm_%s %lld\n", name, (long long)value);
}

static void seconds(FILE *out, const char *name, const char *type, const char *help, int64_t us)
{
    head(out, name, type, help);
    (void)fprintf(out, "flashfarm_%s %lld.%06lld\n", name, (long long)(us / 1000000),
                  (long long)(us % 1000000));
}

/* One line for each station, not one for each state that it is not in. */
static void print_states(FILE *out, const json_t *stations)
{
    const json_t *station;
    size_t i;

    head(out, "station_state", "gauge", "1 for the state that the station is in.");
    json_array_foreach (stations, i, station) {
        const char *name = json_string_value(json_object_get(station, "name"));
        const char *state = json_string_value(json_object_get(station, "state"));

        if (name && state)
            (void)fprintf(out, "flashfarm_station_state{station=\"%s\",state=\"%s\"} 1\n", name, state);
    }
}

static void print_stations(FILE *out, const struct farm *farm)
{
    json_t *counts = json_object(), *stations = farm_stations(farm);
    const char *state;
    const json_t *station;
    json_t *count;
    size_t i;

    json_array_foreach (stations, i, station) {
        state = json_string_value(json_object_get(station, "state"));
        if (state)
            (void)json_object_set_new(counts, state,
                                      json_integer(json_integer_value(json_object_get(counts, state)) + 1));
    }
    head(out, "stations", "gauge", "Stations by state.");
    json_object_foreach (counts, state, count) {
        (void)fprintf(out, "flashfarm_stations{state=\"%s\"} %" JSON_INTEGER_FORMAT "\n", state,
                      json_integer_value(count));
    }
    print_states(out, stations);
    json_decref(counts);
    json_decref(stations);
}

static void print_failure(void *context, const char *station, const char *class_word, int64_t count)
{
    (void)fprintf(context, "flashfarm_failures_total{station=\"%s\",class=\"%s\"} %lld\n", station,
                  class_word, (long long)count);
}

static void print_farm(FILE *out, const struct farm *farm)
{
    static const char *const outcomes[] = {"pass", "fail", "aborted", "unknown"};
    struct farm_statistics statistics = farm_statistics(farm);

    print_stations(out, farm);
    number(out, "jobs_open", "gauge", "Jobs that have not ended.", (int64_t)statistics.jobs_open);
    head(out, "runs_total", "counter", "Runs that have ended since the daemon started.");
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        (void)fprintf(out, "flashfarm_runs_total{outcome=\"%s\"} %lld\n", outcomes[i],
                      (long long)statistics.runs_by_outcome[i]);
    head(out, "failures_total", "counter", "Failed runs by station and class.");
    farm_failures(farm, print_failure, out);
    number(out, "written_bytes_total", "counter", "Bytes written to chips.", statistics.bytes_written);
}

static void print_store(FILE *out, const struct store *store)
{
    struct store_statistics statistics = store_statistics(store);

    number(out, "ledger_sequence", "gauge", "The newest record of the ledger.", store_head_sequence(store));
    number(out, "records_total", "counter", "Records committed.", statistics.records);
    number(out, "records_refused_total", "counter", "Facts that could not be recorded.", statistics.refused);
    head(out, "commit_seconds", "summary", "Time that commits took.");
    (void)fprintf(out, "flashfarm_commit_seconds_sum %lld.%06lld\nflashfarm_commit_seconds_count %lld\n",
                  (long long)(statistics.commit_us_sum / 1000000),
                  (long long)(statistics.commit_us_sum % 1000000), (long long)statistics.commits);
    seconds(out, "commit_seconds_max", "gauge", "The longest commit.", statistics.commit_us_max);
}

static void print_http(FILE *out, const struct api *api)
{
    struct events_statistics events = events_statistics(api->events);

    head(out, "http_requests_total", "counter", "Requests answered, by status.");
    for (unsigned status = 100; status < 600; status++)
        if (http_answered(api->http, status))
            (void)fprintf(out, "flashfarm_http_requests_total{code=\"%u\"} %lld\n", status,
                          (long long)http_answered(api->http, status));
    number(out, "http_connections", "gauge", "Open connections.", (int64_t)http_connections(api->http));
    number(out, "event_clients", "gauge", "Open event streams.", (int64_t)events.clients);
    number(out, "event_clients_refused_total", "counter", "Event streams refused for want of room.",
           events.refused);
    number(out, "event_replays_total", "counter", "Pages of the ledger read for clients that were behind.",
           events.replays);
}

static void print_webhooks(FILE *out, const struct webhooks *webhooks)
{
    struct webhooks_statistics statistics = webhooks_statistics(webhooks);

    head(out, "webhooks", "gauge", "Webhooks by state.");
    (void)fprintf(out,
                  "flashfarm_webhooks{state=\"active\"} %zu\nflashfarm_webhooks{state=\"disabled\"} %zu\n",
                  statistics.active, statistics.disabled);
    number(out, "webhook_facts_sent_total", "counter", "Facts that receivers have taken.", statistics.sent);
    number(out, "webhook_failures_total", "counter", "Facts that had to be sent again.", statistics.failed);
    number(out, "webhook_facts_behind", "gauge",
           "Facts that the slowest active webhook has still to come to.", statistics.behind);
}

static void print_lag(FILE *out, const struct api_lag *lag)
{
    int64_t count = 0;

    head(out, "loop_lag_seconds", "histogram", "How late the loop was.");
    for (size_t i = 0; i < API_LAG_BOUNDS; i++) {
        count += lag->counts[i];
        (void)fprintf(out, "flashfarm_loop_lag_seconds_bucket{le=\"%lld.%06lld\"} %lld\n",
                      (long long)(api_lag_bounds_us[i] / 1000000),
                      (long long)(api_lag_bounds_us[i] % 1000000), (long long)count);
    }
    count += lag->counts[API_LAG_BOUNDS];
    (void)fprintf(out,
                  "flashfarm_loop_lag_seconds_bucket{le=\"+Inf\"} %lld\n"
                  "flashfarm_loop_lag_seconds_sum %lld.%06lld\nflashfarm_loop_lag_seconds_count %lld\n",
                  (long long)count, (long long)(lag->sum_us / 1000000), (long long)(lag->sum_us % 1000000),
                  (long long)count);
}

/* The name of a pool is free text. */
static void print_label(FILE *out, const char *text)
{
    for (; *text; text++)
        if (*text == '\n')
            (void)fputs("\\n", out);
        else
            (void)fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
}

static void print_pool(FILE *out, const char *pool, const char *state, const json_t *value)
{
    (void)fprintf(out, "flashfarm_pool_numbers{pool=\"");
    print_label(out, pool);
    (void)fprintf(out, "\",state=\"%s\"} %" JSON_INTEGER_FORMAT "\n", state, json_integer_value(value));
}

static void print_pools(FILE *out, const json_t *pools)
{
    const json_t *pool;
    json_t *count;
    const char *state;
    size_t i;

    head(out, "pool_numbers", "gauge",
         "Numbers of the newest pools by state; left: those that were not given out.");
    json_array_foreach (pools, i, pool) {
        const char *name = json_string_value(json_object_get(pool, "name"));

        if (!name)
            continue;
        print_pool(out, name, "left", json_object_get(pool, "left"));
        json_object_foreach (json_object_get(pool, "counts"), state, count)
            print_pool(out, name, state, count);
    }
}

static void print_all(FILE *out, const struct api *api, const json_t *pools)
{
    head(out, "info", "gauge", "The daemon's version.");
    (void)fprintf(out, "flashfarm_info{version=\"%s\"} 1\n", api->version);
    seconds(out, "uptime_seconds", "gauge", "Since the daemon started to answer.",
            clock_monotonic_us(api->clock) - api->started_us);
    print_farm(out, api->farm);
    run_times_print(api->run_times, out);
    print_pools(out, pools);
    print_store(out, api->store);
    print_http(out, api);
    print_webhooks(out, api->webhooks);
    if (api->lag)
        print_lag(out, api->lag);
}

/* Also without the pools: it is when the store has trouble that the other numbers are wanted. */
static void on_pools(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;
    struct reply reply = {.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8"};
    FILE *out = open_memstream(&reply.body, &reply.size);

    (void)error;
    if (out) {
        print_all(out, api, json_object_get(answer, "items"));
        (void)fclose(out);
        request_answer(request, &reply);
    } else {
        reply_problem(request, PROBLEM_INTERNAL, "no memory");
    }
    json_decref(answer);
}

#define POOLS_MAX 100

void get_metrics(struct request *request)
{
    const struct api *api = request->context;

    store_pools(api->store, &(struct store_page){.limit = POOLS_MAX}, on_pools, request);
}
