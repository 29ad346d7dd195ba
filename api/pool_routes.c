/* SPDX-License-Identifier: Apache-2.0 */
/* Serial pools and their numbers. */
#include "context.h"
#include "handlers.h"
#include "reply.h"

void get_pools(struct request *request)
{
    const struct api *api = request->context;
    struct store_page page;

    if (reply_page(request, &page))
        store_pools(api->store, &page, reply_with_answer, request);
}

void get_pool(struct request *request)
{
    const struct api *api = request->context;

    store_pool(api->store, request->match.parts[0], reply_with_answer, request);
}

static void on_pool_created(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 201};

    if (!answer) {
        reply_error(request, error);
        return;
    }
    reply_add_location(&reply, "/v1/serial-pools/", json_string_value(json_object_get(answer, "name")), "");
    reply_json_with(request, answer, &reply);
}

void post_pool(struct request *request)
{
    const struct api *api = request->context;

    farm_pool_create(api->farm, request->json, request->by, on_pool_created, request);
}

static void command(struct request *request, enum pool_command what, int64_t count)
{
    const struct api *api = request->context;
    const char *reason = body_reason(request, true);

    if (reason)
        farm_pool_command(api->farm, request->match.parts[0], what, count, reason, request->by,
                          reply_with_answer, request);
}

void post_pool_open(struct request *request)
{
    if (body_members(request, "reason"))
        command(request, POOL_OPEN, 0);
}

void post_pool_close(struct request *request)
{
    if (body_members(request, "reason"))
        command(request, POOL_CLOSE, 0);
}

void post_pool_burn(struct request *request)
{
    const json_t *count = json_object_get(request->json, "count");

    if (!body_members(request, "count reason"))
        return;
    if (json_is_integer(count) && json_integer_value(count) > 0)
        command(request, POOL_BURN, json_integer_value(count));
    else
        reply_problem(request, PROBLEM_INVALID, "count: expected how many numbers, a whole number from 1");
}

static void on_pool_exists(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;
    struct store_page page;

    if (!answer) {
        reply_error(request, error);
        return;
    }
    json_decref(answer);
    if (reply_page(request, &page))
        store_serials(api->store, request->match.parts[0], target_parameter(&request->target, "state"), &page,
                      reply_with_answer, request);
}

/* A pool that has given out nothing is an empty list, an unknown pool is not. */
void get_pool_serials(struct request *request)
{
    static const char *const states = "reserved bound pass fail unknown burned returned";
    const struct api *api = request->context;
    const char *state;

    if (reply_state(request, states, &state))
        store_pool(api->store, request->match.parts[0], on_pool_exists, request);
}

void get_serial(struct request *request)
{
    const struct api *api = request->context;

    store_serial(api->store, request->match.parts[0], reply_with_answer, request);
}

void post_serial_settle(struct request *request)
{
    const struct api *api = request->context;
    const char *state = json_string_value(json_object_get(request->json, "state"));
    const char *reason;

    if (!body_members(request, "state reason"))
        return;
    if (!state || !is_word_of(state, "pass fail burned")) {
        reply_problem(request, PROBLEM_INVALID, "state: expected \"pass\", \"fail\" or \"burned\"");
        return;
    }
    reason = body_reason(request, true);
    if (reason)
        farm_serial_settle(api->farm, request->match.parts[0], state, reason, request->by, reply_with_answer,
                           request);
}
