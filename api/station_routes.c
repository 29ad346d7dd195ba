/* SPDX-License-Identifier: Apache-2.0 */
/* Chips, ports and stations: what is here, and commands to it. */
#include "context.h"
#include "handlers.h"
#include "reply.h"

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

void get_stations(struct request *request)
{
    const struct api *api = request->context;

    reply_list(request, farm_stations(api->farm));
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

void post_station_scan(struct request *request)
{
    const struct api *api = request->context;
    const char *code = json_string_value(json_object_get(request->json, "code"));
    const json_t *place = json_object_get(request->json, "position");
    const char *position = json_string_value(place);

    if (!body_members(request, "code position"))
        return;
    if (!code || !*code || strlen(code) > CODE_MAX_BYTES)
        reply_problem(request, PROBLEM_INVALID, "code: expected a text of 1 to %d bytes", CODE_MAX_BYTES);
    else if (place && !json_is_null(place) && (!position || strlen(position) > POSITION_MAX_BYTES))
        reply_problem(request, PROBLEM_INVALID, "position: expected a text of at most %d bytes",
                      POSITION_MAX_BYTES);
    else
        farm_station_scan(api->farm, request->match.parts[0], code, position, request->by, on_command_done,
                          request);
}
