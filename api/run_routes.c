/* SPDX-License-Identifier: Apache-2.0 */
/* The record: runs, the history of a unit, the ledger. */
#include "context.h"
#include "handlers.h"
#include "reply.h"
#include "run_list.h"

void get_runs(struct request *request)
{
    run_list_answer(request, 0);
}

void get_run(struct request *request)
{
    const struct api *api = request->context;
    int64_t id;

    if (parse_integer(request->match.parts[0], 1, INT64_MAX, &id))
        store_run(api->store, id, reply_with_answer, request);
    else
        reply_problem(request, PROBLEM_NOT_FOUND, "no run has the number '%s'", request->match.parts[0]);
}

void get_run_dialogue(struct request *request)
{
    const struct api *api = request->context;
    int64_t id;

    if (parse_integer(request->match.parts[0], 1, INT64_MAX, &id))
        farm_dialogue(api->farm, id, reply_with_answer, request);
    else
        reply_problem(request, PROBLEM_NOT_FOUND, "no run has the number '%s'", request->match.parts[0]);
}

void get_unit(struct request *request)
{
    const struct api *api = request->context;

    store_unit(api->store, request->match.parts[0], reply_with_answer, request);
}

void get_ledger(struct request *request)
{
    const struct api *api = request->context;
    const char *text = target_parameter(&request->target, "from");
    struct store_page page;
    int64_t from = 1;

    if (text && !parse_integer(text, 1, INT64_MAX, &from)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "from is '%s'; expected a sequence number from 1",
                      text);
        return;
    }
    if (reply_page(request, &page))
        store_ledger(api->store, from, page.limit, reply_with_answer, request);
}

void get_ledger_head(struct request *request)
{
    const struct api *api = request->context;
    const char *hash = store_head_hash(api->store);

    reply_json(
        request, 200,
        json_pack("{s:I, s:s?}", "sequence", (json_int_t)store_head_sequence(api->store), "hash", hash));
}
