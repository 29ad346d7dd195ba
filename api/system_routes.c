/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no key: health, the contract, a page that says what this is. */
#include "alloc.h"
#include "context.h"
#include "handlers.h"
#include "reply.h"

#include <string.h>

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

void get_page(struct request *request)
{
    const struct api *api = request->context;
    struct reply reply = {.status = 200, .type = "text/html; charset=utf-8"};

    reply.body = format_text(
        "<!doctype html>\n<html lang=\"en\"><head><meta "
        "charset=\"utf-8\"><title>flashfarm</title></head><body>\n"
        "<h1>flashfarm %s</h1>\n"
        "<p>This daemon programs boards on many stations at once. It is used through its REST "
        "interface:</p>\n"
        "<ul>\n"
        "<li><a href=\"/openapi.json\">/openapi.json</a>: the whole interface, as OpenAPI 3.1</li>\n"
        "<li><a href=\"/healthz\">/healthz</a>: whether it is up</li>\n"
        "<li>/v1/stations, /v1/jobs, /v1/runs, /v1/events, /metrics: with a key, as "
        "<code>Authorization: Bearer KEY</code></li>\n"
        "</ul>\n"
        "<p>On the command line: <code>flashfarm stations</code>, <code>flashfarm program FILE --chip "
        "CHIP</code>, "
        "<code>flashfarm watch</code>.</p>\n"
        "</body></html>\n",
        api->version);
    reply.size = strlen(reply.body);
    reply_add_header(&reply, "Content-Security-Policy",
                     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    reply_add_header(&reply, "Referrer-Policy", "no-referrer");
    request_answer(request, &reply);
}
