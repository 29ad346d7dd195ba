/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include "alloc.h"
#include "context.h"
#include "identify.h"
#include "reply.h"
#include "upload.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Each check answers with a problem and returns false when the request does not pass. */

static bool check_framing(struct request *request)
{
    struct reply reply = {.close = true};
    struct error error;

    if (!framing_check(&request->framing, &error))
        return true;
    reply_problem_with(request, PROBLEM_BAD_REQUEST, error.text, NULL, &reply);
    return false;
}

static bool check_target(struct request *request)
{
    struct error error;

    if (!strcmp(request->method, "OPTIONS") && !strcmp(request->address, "*")) {
        struct reply reply = {.status = 0};

        reply_add_header(&reply, "Allow", "GET, HEAD, POST, OPTIONS");
        reply_empty(request, 204, &reply);
        return false;
    }
    if (!target_parse(&request->target, request->address, &error))
        return true;
    reply_problem(request, PROBLEM_BAD_REQUEST, "%s", error.text);
    return false;
}

static bool host_is_ours(const struct api *api, const char *host)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};

    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        if (!strcasecmp(host, loopback[i]))
            return true;
    for (size_t i = 0; i < api->host_count; i++)
        if (!strcasecmp(host, api->hosts[i]))
            return true;
    return false;
}

/* A web page can make the browser of somebody at this host send requests to us by a name that it has bent to
 * 127.0.0.1; but it cannot make it lie about that name. */
static bool check_host(struct request *request)
{
    const struct api *api = request->context;
    const char *header = request_header(request, "Host");
    char host[256];

    if (!header || !api->loopback)
        return true;
    if (parse_host(header, host, sizeof host) && host_is_ours(api, host))
        return true;
    reply_problem(request, PROBLEM_MISDIRECTED, "Host is '%s', which is not a name of this daemon", header);
    return false;
}

static bool find_route(struct request *request)
{
    struct reply reply = {.status = 0};

    router_match(api_routes, api_route_count, request->method, &request->target, &request->match);
    if (request->match.route)
        return true;
    if (!request->match.allow[0]) {
        reply_problem(request, PROBLEM_NOT_FOUND, "there is nothing at this address; see /openapi.json");
        return false;
    }
    reply_add_header(&reply, "Allow", "%s", request->match.allow);
    if (!strcmp(request->method, "OPTIONS"))
        reply_empty(request, 204, &reply);
    else
        reply_problem_with(request, PROBLEM_METHOD, "this address does not take this method", NULL, &reply);
    return false;
}

enum order_right request_order_right(const struct request *request)
{
    return request->roles & ROLE_ENGINEER ? ORDER_ANY : ORDER_RELEASED;
}

static bool check_query(struct request *request)
{
    const char *accepted = request->match.route->query ? request->match.route->query : "";
    const char *unknown = target_unknown_parameter(&request->target, accepted);

    if (!unknown)
        return true;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "unknown parameter '%s'; expected %s%s", unknown,
                  accepted[0] ? "one of: " : "none", accepted);
    return false;
}

static int64_t body_limit(enum body_kind kind)
{
    switch (kind) {
    case BODY_FILE:
        return UPLOAD_MAX_BYTES;
    case BODY_TEXT:
        return TEXT_BODY_MAX_BYTES;
    case BODY_JSON:
    case BODY_NONE:
        break;
    }
    return JSON_BODY_MAX_BYTES;
}

static bool check_body(struct request *request)
{
    enum body_kind kind = request->match.route->body;
    const char *type = request_header(request, "Content-Type");
    const char *wanted = kind == BODY_JSON ? "application/json" : kind == BODY_TEXT ? "text/plain" : NULL;

    if (request->framing.length > body_limit(kind)) {
        reply_problem(request, PROBLEM_TOO_LARGE, "the body has %lld bytes; expected at most %lld",
                      (long long)request->framing.length, (long long)body_limit(kind));
        return false;
    }
    if (wanted && !(type && media_type_is(type, wanted))) {
        reply_problem(request, PROBLEM_MEDIA_TYPE, "Content-Type is '%s'; expected %s", type ? type : "",
                      wanted);
        return false;
    }
    return true;
}

void gate_begin(struct request *request)
{
    if (check_framing(request) && check_target(request) && check_host(request) && find_route(request) &&
        identify(request) && check_query(request) && check_body(request) &&
        request->match.route->body == BODY_FILE)
        upload_begin(request);
}

static void collect(struct request *request, const char *data, size_t size)
{
    if (request->body_size + size > (size_t)body_limit(request->match.route->body)) {
        request->body_too_large = true;
        return;
    }
    if (request->body_size + size > request->body_room) {
        request->body_room = (request->body_size + size) * 2;
        request->body = reallocate(request->body, request->body_room, 1);
    }
    memcpy(request->body + request->body_size, data, size);
    request->body_size += size;
}

void gate_body(struct request *request, const char *data, size_t size)
{
    switch (request->match.route->body) {
    case BODY_NONE:
        break;
    case BODY_JSON:
    case BODY_TEXT:
        collect(request, data, size);
        break;
    case BODY_FILE:
        upload_write(request, data, size);
        break;
    }
}

static bool body_fits(struct request *request)
{
    if (request->body_too_large)
        reply_problem(request, PROBLEM_TOO_LARGE, "the body has more than %lld bytes",
                      (long long)body_limit(request->match.route->body));
    return !request->body_too_large;
}

static bool read_text(struct request *request)
{
    if (!body_fits(request))
        return false;
    request->body = reallocate(request->body, request->body_size + 1, 1);
    request->body[request->body_size] = '\0';
    return true;
}

static bool read_json(struct request *request)
{
    struct error error;
    int line, column;

    if (!body_fits(request))
        return false;
    request->json =
        parse_json_body(request->body ? request->body : "", request->body_size, &error, &line, &column);
    if (request->json)
        return true;
    reply_problem_with(request, PROBLEM_MALFORMED, error.text,
                       line ? json_pack("{s:i, s:i}", "line", line, "column", column) : NULL, NULL);
    return false;
}

void gate_end(struct request *request)
{
    const struct route *route = request->match.route;

    if (route->body == BODY_JSON && !read_json(request))
        return;
    if (route->body == BODY_TEXT && !read_text(request))
        return;
    if (route->body == BODY_FILE && !upload_end(request))
        return;
    call_handler(request);
}

void gate_clear(struct request *request)
{
    upload_discard(request);
    target_clear(&request->target);
    json_decref(request->json);
    free(request->body);
}
