/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence: signed checkpoints of the ledger, the key they are signed with, proofs that a record is in one.
 */
#include "alloc.h"
#include "context.h"
#include "handlers.h"
#include "reply.h"

#include <errno.h>
#include <string.h>

static void reply_text(struct request *request, char *text)
{
    struct reply reply = {.status = 200, .type = "text/plain; charset=utf-8", .body = text};

    reply.size = strlen(text);
    request_answer(request, &reply);
}

static void on_checkpoint(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const char *note = json_string_value(json_object_get(answer, "note"));

    if (note)
        reply_text(request, copy_text(note));
    else if (error->code == -ENOENT)
        reply_problem(request, PROBLEM_NOT_FOUND,
                      "there is no checkpoint yet; the first is made within a minute");
    else
        reply_error(request, error);
    json_decref(answer);
}

void get_checkpoint(struct request *request)
{
    const struct api *api = request->context;

    store_checkpoint(api->store, on_checkpoint, request);
}

static void on_checkpoint_made(void *context, int status, const struct error *error)
{
    if (status)
        reply_error(context, error);
    else
        get_checkpoint(context);
}

void post_checkpoint(struct request *request)
{
    const struct api *api = request->context;

    store_checkpoint_now(api->store, on_checkpoint_made, request);
}

void get_ledger_key(struct request *request)
{
    const struct api *api = request->context;
    const char *key = store_verifier_key(api->store);

    if (key)
        reply_text(request, format_text("%s\n", key));
    else
        reply_problem(request, PROBLEM_NOT_FOUND, "this daemon signs no checkpoints");
}

static void on_proof(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;

    if (!answer && error->code == -ENOENT)
        reply_problem(request, PROBLEM_NOT_FOUND, "%s; POST /v1/ledger/checkpoint makes one that covers all",
                      error->text);
    else
        reply_with_answer(request, answer, error);
}

static void on_serial(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;

    if (answer)
        store_proof(api->store, json_integer_value(json_object_get(answer, "fact")), on_proof, request);
    else
        reply_error(request, error);
    json_decref(answer);
}

void get_proof(struct request *request)
{
    const struct api *api = request->context;
    const char *sequence = target_parameter(&request->target, "sequence");
    const char *serial = target_parameter(&request->target, "serial");
    int64_t number;

    if (!sequence == !serial)
        reply_problem(request, PROBLEM_BAD_PARAMETER, "expected either sequence or serial");
    else if (serial)
        store_serial(api->store, serial, on_serial, request);
    else if (parse_integer(sequence, 1, INT64_MAX, &number))
        store_proof(api->store, number, on_proof, request);
    else
        reply_problem(request, PROBLEM_BAD_PARAMETER, "sequence is '%s'; expected a number from 1", sequence);
}
