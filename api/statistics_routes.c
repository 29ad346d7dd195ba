/* SPDX-License-Identifier: Apache-2.0 */
/* What the record adds up to: yield and times, and how well each station works. The store has the sums ready;
 * here they get the words that people read beside them. */
#include "context.h"
#include "handlers.h"
#include "odd.h"
#include "reply.h"
#include "statistics.h"

#include <string.h>

#define BUCKET_MIN_S 300 /* what the store keeps */
#define BUCKET_MAX_S 86400

/* Beside every number that a customer is shown stands what it is. */
static json_t *definitions(void)
{
    return json_pack("{s:s, s:s}", "first_pass_yield", statistics_first_pass_yield, "final_yield",
                     statistics_final_yield);
}

static void on_tallies(void *context, json_t *answer, const struct error *error)
{
    if (answer)
        (void)json_object_set_new(answer, "definitions", definitions());
    reply_with_answer(context, answer, error);
}

static bool read_numbers(struct request *request, struct store_tally_query *query)
{
    const char *job = target_parameter(&request->target, "job");
    const char *bucket = target_parameter(&request->target, "bucket_s");
    int64_t seconds = 0;

    if (job && !parse_integer(job, 1, INT64_MAX, &query->job)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "job is '%s'; expected a number from 1", job);
        return false;
    }
    if (bucket && (!parse_integer(bucket, BUCKET_MIN_S, BUCKET_MAX_S, &seconds) || seconds % BUCKET_MIN_S)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER,
                      "bucket_s is '%s'; expected a multiple of %d from %d to %d", bucket, BUCKET_MIN_S,
                      BUCKET_MIN_S, BUCKET_MAX_S);
        return false;
    }
    query->bucket_s = (int)seconds;
    return true;
}

static bool read_query(struct request *request, struct store_tally_query *query)
{
    const struct target *target = &request->target;
    const char *by = target_parameter(target, "by");

    if (!read_numbers(request, query))
        return false;
    if (by && strcmp(by, "station") != 0) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "by is '%s'; expected station", by);
        return false;
    }
    query->by_station = by != NULL;
    query->work_order = target_parameter(target, "work_order");
    query->station = target_parameter(target, "station");
    query->recipe = target_parameter(target, "recipe");
    query->from = target_parameter(target, "from");
    query->to = target_parameter(target, "to");
    return true;
}

void get_statistics(struct request *request)
{
    const struct api *api = request->context;
    struct store_tally_query query = {.job = 0};

    if (read_query(request, &query))
        store_tally(api->store, &query, on_tallies, request);
}

/* --- How well each station works ------------------------------------------------------------------------ */

#define HEALTH_RUNS     50
#define HEALTH_MAX_RUNS 200

static json_t *nothing_measured(const char *name)
{
    return json_pack("{s:s, s:n, s:i, s:i, s:{s:n, s:n, s:n, s:n, s:n}}", "station", name, "chip", "runs", 0,
                     "passed", 0, "measures", "contact_attempts", "naks", "retries", "excess_us",
                     "contact_us");
}

static json_t *find_measured(const json_t *measured, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach (measured, i, item) {
        const char *station = json_string_value(json_object_get(item, "station"));

        if (station && !strcmp(station, name))
            return json_incref(item);
    }
    return nothing_measured(name);
}

/* What the store knows of the stations that there are now; those that have gone are no peers. */
static json_t *health_of(const struct farm *farm, const json_t *measured)
{
    json_t *items = json_array(), *stations = farm_stations(farm);
    const json_t *station;
    size_t i;

    json_array_foreach (stations, i, station) {
        json_t *item = find_measured(measured, json_string_value(json_object_get(station, "name")));

        (void)json_object_set(item, "protocol", json_object_get(station, "protocol"));
        (void)json_array_append_new(items, item);
    }
    json_decref(stations);
    return items;
}

static void on_health(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;
    json_t *items;

    if (!answer) {
        reply_error(request, error);
        return;
    }
    items = health_of(api->farm, json_object_get(answer, "items"));
    json_decref(answer);
    odd_mark(items);
    reply_json(request, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

void get_station_health(struct request *request)
{
    const struct api *api = request->context;
    const char *text = target_parameter(&request->target, "runs");
    int64_t runs = HEALTH_RUNS;

    if (text && !parse_integer(text, 1, HEALTH_MAX_RUNS, &runs))
        reply_problem(request, PROBLEM_BAD_PARAMETER, "runs is '%s'; expected a number from 1 to %d", text,
                      HEALTH_MAX_RUNS);
    else
        store_station_measures(api->store, (int)runs, on_health, request);
}
