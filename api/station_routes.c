/* SPDX-License-Identifier: Apache-2.0 */
/* Chips, ports and stations: what is here, and commands to it. */
#include "context.h"
#include "handlers.h"
#include "reply.h"
#include "statistics.h"

#include <string.h>

/* Takes the list of everything there is; it has no further page. */
static void reply_list(struct request *request, json_t *items)
{
    reply_json(request, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

void get_chips(struct request *request)
{
    json_t *chips = farm_chips();

    (void)json_object_set_new(chips, "next", json_null());
    reply_json(request, 200, chips);
}

void get_chip(struct request *request)
{
    json_t *chip = farm_chip(request->match.parts[0]);

    if (chip)
        reply_json(request, 200, chip);
    else
        reply_problem(request, PROBLEM_NOT_FOUND, "no chip is named '%s'; see /v1/chips",
                      request->match.parts[0]);
}

static void on_ports(void *context, json_t *answer, const struct error *error)
{
    if (answer)
        (void)json_object_set_new(answer, "next", json_null());
    reply_with_answer(context, answer, error);
}

void get_ports(struct request *request)
{
    const struct api *api = request->context;

    farm_ports(api->farm, on_ports, request);
}

#define RECENT_MAX 20

static void on_recent(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;
    json_t *station, *stations;
    size_t i;

    if (!answer) {
        reply_error(request, error);
        return;
    }
    stations = farm_stations(api->farm);
    json_array_foreach (stations, i, station) {
        json_t *recent = json_object_get(answer, json_string_value(json_object_get(station, "name")));

        (void)json_object_set_new(station, "recent", recent ? json_incref(recent) : json_array());
    }
    json_decref(answer);
    reply_list(request, stations);
}

void get_stations(struct request *request)
{
    const struct api *api = request->context;
    const char *text = target_parameter(&request->target, "recent");
    int64_t recent;

    if (!text)
        reply_list(request, farm_stations(api->farm));
    else if (!parse_integer(text, 1, RECENT_MAX, &recent))
        reply_problem(request, PROBLEM_BAD_PARAMETER, "recent is '%s'; expected a number from 1 to %d", text,
                      RECENT_MAX);
    else
        store_recent(api->store, (int)recent, on_recent, request);
}

void get_station(struct request *request)
{
    const struct api *api = request->context;
    json_t *station = farm_station(api->farm, request->match.parts[0]);

    if (station)
        reply_json(request, 200, station);
    else
        reply_problem(request, PROBLEM_NOT_FOUND, "no station is named '%s'", request->match.parts[0]);
}

static void on_command_done(void *context, int status, const struct error *error)
{
    struct request *request = context;

    if (status)
        reply_error(request, error);
    else
        get_station(request);
}

static void command(struct request *request, enum station_command what)
{
    const struct api *api = request->context;

    farm_station_command(api->farm, request->match.parts[0], what, request->by, on_command_done, request);
}

void post_station_start(struct request *request)
{
    command(request, STATION_START);
}

void post_station_enable(struct request *request)
{
    command(request, STATION_ENABLE);
}

void post_station_disable(struct request *request)
{
    command(request, STATION_DISABLE);
}

void post_station_record(struct request *request)
{
    command(request, STATION_RECORD);
}

void post_station_identify(struct request *request)
{
    const struct api *api = request->context;

    farm_station_identify(api->farm, request->match.parts[0], reply_with_answer, request);
}

#define CODE_MAX_BYTES     127
#define POSITION_MAX_BYTES 127

/* The body's `code`; NULL when it is none and a problem was answered. */
static const char *body_code(struct request *request)
{
    const char *code = json_string_value(json_object_get(request->json, "code"));

    if (code && *code && strlen(code) <= CODE_MAX_BYTES)
        return code;
    reply_problem(request, PROBLEM_INVALID, "code: expected a text of 1 to %d bytes", CODE_MAX_BYTES);
    return NULL;
}

void post_station_scan(struct request *request)
{
    const struct api *api = request->context;
    const json_t *place = json_object_get(request->json, "position");
    const char *position = json_string_value(place), *code;

    if (!body_members(request, "code position"))
        return;
    code = body_code(request);
    if (!code)
        return;
    if (place && !json_is_null(place) && (!position || strlen(position) > POSITION_MAX_BYTES))
        reply_problem(request, PROBLEM_INVALID, "position: expected a text of at most %d bytes",
                      POSITION_MAX_BYTES);
    else
        farm_station_scan(api->farm, request->match.parts[0], code, position, request->by, on_command_done,
                          request);
}

/* --- Many stations at once ------------------------------------------------------------------------------ */

#define NAMES_MAX 256

static bool are_names(const json_t *value)
{
    const json_t *name;
    size_t i;

    json_array_foreach (value, i, name)
        if (!json_is_string(name))
            return false;
    return json_is_array(value) && json_array_size(value) <= NAMES_MAX;
}

/* Whether `skip` is missing or a list of names; false when a problem was answered. */
static bool read_skip(struct request *request, const json_t **skip)
{
    *skip = json_object_get(request->json, "skip");
    if (!*skip || are_names(*skip))
        return true;
    reply_problem(request, PROBLEM_INVALID, "skip: expected a list of at most %d names of stations",
                  NAMES_MAX);
    return false;
}

void post_scan(struct request *request)
{
    const struct api *api = request->context;
    const json_t *dry_run = json_object_get(request->json, "dry_run"), *skip;
    const char *code;

    if (!body_members(request, "code skip dry_run"))
        return;
    code = body_code(request);
    if (!code || !read_skip(request, &skip))
        return;
    if (dry_run && !json_is_boolean(dry_run))
        reply_problem(request, PROBLEM_INVALID, "dry_run: expected true or false");
    else
        farm_scan(api->farm, code, skip, json_is_true(dry_run), request->by, reply_with_answer, request);
}

void post_start(struct request *request)
{
    const struct api *api = request->context;
    const json_t *names = json_object_get(request->json, "stations"), *skip;
    const char *word = json_string_value(names);
    bool all = word && !strcmp(word, "all");

    if (!body_members(request, "stations skip"))
        return;
    if (!all && (!are_names(names) || !json_array_size(names)))
        reply_problem(request, PROBLEM_INVALID,
                      "stations: expected a list of 1 to %d names of stations, or \"all\"", NAMES_MAX);
    else if (read_skip(request, &skip))
        farm_start_stations(api->farm, all ? NULL : names, skip, request->by, reply_with_answer, request);
}
