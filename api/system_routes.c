/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no key: health and the contract. */
#include "context.h"
#include "handlers.h"
#include "reply.h"

void get_health(struct request *request)
{
    const struct api *api = request->context;

    reply_json(request, 200, json_pack("{s:s, s:s}", "status", "ok", "version", api->version));
}

void get_contract(struct request *request)
{
    const struct api *api = request->context;
    const char *if_none_match = request_header(request, "If-None-Match");
    struct reply reply = {.status = 200};

    reply_add_header(&reply, "ETag", "%s", api->contract_etag);
    reply_add_header(&reply, "Cache-Control", "no-cache");
    if (if_none_match && etag_matches(if_none_match, api->contract_etag))
        reply_empty(request, 304, &reply);
    else
        reply_lasting(request, "application/json", api_contract, api_contract_size, &reply);
}
