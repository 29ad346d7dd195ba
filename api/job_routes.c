/* SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "gate.h"
#include "handlers.h"
#include "reply.h"
#include "run_list.h"

#include <string.h>

/* The row of the record, with what the farm knows of a job that has not ended. */
static void add_live(const struct api *api, json_t *job)
{
    json_t *live = farm_job_live(api->farm, json_integer_value(json_object_get(job, "id")));

    if (live)
        (void)json_object_update(job, live);
    json_decref(live);
}

static void on_job(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;

    if (answer)
        add_live(request->context, answer);
    reply_with_answer(request, answer, error);
}

static void on_jobs(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    size_t i;
    json_t *job;

    if (answer) {
        json_array_foreach (json_object_get(answer, "items"), i, job) {
            add_live(request->context, job);
        }
    }
    reply_with_answer(request, answer, error);
}

static void on_job_submitted(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 202};

    if (!answer) {
        reply_error(request, error);
        return;
    }
    if (json_is_true(json_object_get(answer, "dry_run"))) {
        reply_json(request, 200, answer);
        return;
    }
    reply_add_header(&reply, "Location", "/v1/jobs/%" JSON_INTEGER_FORMAT,
                     json_integer_value(json_object_get(answer, "id")));
    if (json_is_true(json_object_get(answer, "repeated")))
        reply_add_header(&reply, "Idempotent-Replayed", "true");
    (void)json_object_del(answer, "repeated");
    reply_json_with(request, answer, &reply);
}

static bool is_idempotency_key(const char *key)
{
    size_t length = strlen(key);

    if (!length || length > 255)
        return false;
    for (; *key; key++)
        if (*key < 0x20 || *key > 0x7e)
            return false;
    return true;
}

void post_job(struct request *request)
{
    const struct api *api = request->context;
    const char *key = request_header(request, "Idempotency-Key");

    if (key && !is_idempotency_key(key)) {
        reply_problem(request, PROBLEM_BAD_REQUEST,
                      "Idempotency-Key has %zu characters; expected 1 to 255 printable ones", strlen(key));
        return;
    }
    if (!key && !json_is_true(json_object_get(request->json, "dry_run"))) {
        reply_problem(
            request, PROBLEM_KEY_MISSING,
            "an order needs an Idempotency-Key of its own, so that it is not made twice when it is sent "
            "again; a dry run (\"dry_run\": true) needs none");
        return;
    }
    farm_job_submit(api->farm, request->json, key, request_order_right(request), request->by,
                    on_job_submitted, request);
}

void get_jobs(struct request *request)
{
    static const char *const states = "running held done cancelled";
    const struct api *api = request->context;
    const char *state;
    struct store_page page;

    if (reply_state(request, states, &state) && reply_page(request, &page))
        store_jobs(api->store, state, target_parameter(&request->target, "work_order"), &page, on_jobs,
                   request);
}

/* The number in the address; 0 when it is none, which has been answered then. */
static int64_t job_of(struct request *request)
{
    const char *text = request->match.parts[0];
    int64_t id;

    if (parse_integer(text, 1, INT64_MAX, &id))
        return id;
    reply_problem(request, PROBLEM_NOT_FOUND, "no job has the number '%s'", text);
    return 0;
}

void get_job(struct request *request)
{
    const struct api *api = request->context;
    int64_t id = job_of(request);

    if (id)
        store_job(api->store, id, on_job, request);
}

static void on_job_exists(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;

    if (!answer) {
        reply_error(request, error);
        return;
    }
    run_list_answer(request, json_integer_value(json_object_get(answer, "id")));
    json_decref(answer);
}

/* A job without runs is an empty list, an unknown job is not. */
void get_job_runs(struct request *request)
{
    const struct api *api = request->context;
    int64_t id = job_of(request);

    if (id)
        store_job(api->store, id, on_job_exists, request);
}

static void command(struct request *request, enum job_command what)
{
    const struct api *api = request->context;
    int64_t id = job_of(request);

    if (id)
        farm_job_command(api->farm, id, what, request->by, on_job, request);
}

/* A manufacturing system ends its own jobs, not those of another one or of people. */
static void on_job_to_cancel(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const char *by = json_string_value(json_object_get(answer, "by"));

    if (!answer)
        reply_error(request, error);
    else if (!by || strcmp(by, request->by) != 0)
        reply_problem(request, PROBLEM_FORBIDDEN, "this job was ordered by somebody else");
    else
        command(request, JOB_CANCEL);
    json_decref(answer);
}

void post_job_cancel(struct request *request)
{
    const struct api *api = request->context;
    int64_t id = job_of(request);

    if (!id)
        return;
    if (request->roles & (ROLE_OPERATOR | ROLE_ENGINEER))
        command(request, JOB_CANCEL);
    else
        store_job(api->store, id, on_job_to_cancel, request);
}

void post_job_hold(struct request *request)
{
    command(request, JOB_HOLD);
}

void post_job_resume(struct request *request)
{
    command(request, JOB_RESUME);
}
