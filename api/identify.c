/* SPDX-License-Identifier: Apache-2.0 */
#include "identify.h"

#include "access.h"
#include "alloc.h"
#include "context.h"
#include "reply.h"
#include "tls.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COOKIE "flashfarm_session"

unsigned *roles_of_routes(void)
{
    unsigned *roles = allocate(api_route_count, sizeof *roles);

    for (size_t i = 0; i < api_route_count; i++)
        for (size_t j = 0; j < api_operation_count; j++)
            if (!strcmp(api_routes[i].method, api_operations[j].method) &&
                !strcmp(api_routes[i].path, api_operations[j].path))
                roles[i] = api_operations[j].roles;
    return roles;
}

/* --- Answers: each returns false ------------------------------------------------------------------------ */

static bool refuse_unknown(struct request *request, bool shown, const char *detail)
{
    struct reply reply = {.status = 0};

    reply_add_header(&reply, "WWW-Authenticate", "Bearer realm=\"flashfarm\"%s",
                     shown ? ", error=\"invalid_token\"" : "");
    reply_problem_with(request, PROBLEM_UNAUTHORIZED, detail, NULL, &reply);
    return false;
}

static bool refuse_for_now(struct request *request, int64_t wait_us)
{
    struct reply reply = {.status = 0};

    reply_add_header(&reply, "Retry-After", "%lld", (long long)((wait_us + 999999) / 1000000));
    reply_problem_with(request, PROBLEM_TOO_MANY, "too many requests of this key or address", NULL, &reply);
    return false;
}

static bool refuse_role(struct request *request, unsigned needed)
{
    char may[ROLES_MAX], has[ROLES_MAX];

    reply_problem(request, PROBLEM_FORBIDDEN, "this is for the roles %s; %s has %s",
                  needed ? roles_text(needed, may) : "that nobody holds", request->by,
                  request->roles ? roles_text(request->roles, has) : "none");
    return false;
}

static bool refuse_site(struct request *request)
{
    reply_problem(
        request, PROBLEM_FORBIDDEN,
        "a session changes nothing on behalf of another site: expected Sec-Fetch-Site: same-origin, or "
        "Origin to be this daemon");
    return false;
}

/* --- Which site a browser speaks for ---------------------------------------------------------------------
 */

static bool changes_nothing(const struct request *request)
{
    return !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
}

static bool is_own_origin(const struct request *request, const char *origin)
{
    const struct api *api = request->context;
    const char *host = request_header(request, "Host");
    const char *scheme = api->tls ? "https://" : "http://";

    return host && !strncasecmp(origin, scheme, strlen(scheme)) && !strcasecmp(origin + strlen(scheme), host);
}

/* Browsers say where a request comes from; `missing` is what holds when nothing is said. */
static bool is_same_site(const struct request *request, bool missing)
{
    const char *site = request_header(request, "Sec-Fetch-Site");
    const char *origin = request_header(request, "Origin");

    if (site)
        return !strcmp(site, "same-origin") || !strcmp(site, "none");
    return origin ? is_own_origin(request, origin) : missing;
}

/* --- Who it is --------------------------------------------------------------------------------------------
 */

/* The cookie's value, into `token`; false: there is none. */
static bool read_cookie(const struct request *request, char *token, size_t size)
{
    const char *text = request_header(request, "Cookie");

    while (text && *text) {
        size_t length = strcspn(text, ";");

        if (!strncmp(text, COOKIE "=", sizeof COOKIE))
            return snprintf(token, size, "%.*s", (int)(length - sizeof COOKIE), text + sizeof COOKIE) <
                   (int)size;
        text += length;
        text += strspn(text, "; ");
    }
    return false;
}

/* Whoever passes on what others send is not where it comes from. */
static bool is_from_here(const struct request *request)
{
    static const char *const passed_on[] = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP",
                                            "Via"};

    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        if (request_header(request, passed_on[i]))
            return false;
    return request->from_loopback;
}

static void take_caller(struct request *request, const struct caller *caller)
{
    memcpy(request->caller, caller->name, sizeof request->caller);
    request->by = request->caller;
    request->roles = caller->roles;
    request->how = caller->how;
    request->credential = caller->credential;
    request->unrecorded = caller->unrecorded;
}

enum shown { SHOWN_NOTHING, SHOWN_WRONG, SHOWN_GOOD };

static enum shown by_key(struct request *request, const char *header, struct caller *caller, const char **why)
{
    const struct api *api = request->context;
    const char *token = parse_bearer(header);
    enum verdict verdict =
        token ? access_by_key(api->access, token, is_from_here(request), caller) : CALLER_UNKNOWN;

    switch (verdict) {
    case CALLER_KNOWN:
        return SHOWN_GOOD;
    case CALLER_UNKNOWN:
        *why = "this key is not known here";
        break;
    case CALLER_EXPIRED:
        *why = "this key has expired";
        break;
    case CALLER_NOT_LOCAL:
        *why = "this key opens only to who calls from the daemon's own host";
        break;
    }
    return SHOWN_WRONG;
}

static enum shown by_cookie(struct request *request, struct caller *caller, const char **why)
{
    const struct api *api = request->context;
    char token[64];

    if (!read_cookie(request, token, sizeof token))
        return SHOWN_NOTHING;
    *why = "this session has ended; log in again";
    return access_by_session(api->access, token, caller) == CALLER_KNOWN ? SHOWN_GOOD : SHOWN_WRONG;
}

static enum shown find_caller(struct request *request, struct caller *caller, const char **why)
{
    const struct api *api = request->context;
    const char *header = request_header(request, "Authorization");
    const struct tls_peer *peer;
    enum shown shown;

    if (header)
        return by_key(request, header, caller, why);
    shown = by_cookie(request, caller, why);
    if (shown != SHOWN_NOTHING)
        return shown;
    peer = request_peer(request);
    if (peer)
        access_by_certificate(api->access, peer, caller);
    return peer ? SHOWN_GOOD : SHOWN_NOTHING;
}

/* What needs no key is free for this host, whose monitors may ask it as often as they like. */
static bool identify_nobody(struct request *request)
{
    const struct api *api = request->context;
    int64_t wait_us = request->from_loopback ? 0 : access_rate_of_address_us(api->access, request->from);

    if (wait_us)
        return refuse_for_now(request, wait_us);
    return changes_nothing(request) || is_same_site(request, true) || refuse_site(request);
}

static bool identify_stranger(struct request *request, bool shown, const char *why)
{
    const struct api *api = request->context;
    int64_t wait_us = access_rate_of_address_us(api->access, request->from);

    return wait_us ? refuse_for_now(request, wait_us) : refuse_unknown(request, shown, why);
}

bool identify(struct request *request)
{
    const struct api *api = request->context;
    const char *why = "this address needs a key: Authorization: Bearer KEY, or a session";
    unsigned needed = api->roles[request->match.route - api_routes];
    struct caller caller = {.name = ""};
    int64_t wait_us;
    enum shown shown;

    if (request->match.route->open)
        return identify_nobody(request);
    shown = find_caller(request, &caller, &why);
    if (shown != SHOWN_GOOD)
        return identify_stranger(request, shown == SHOWN_WRONG, why);
    take_caller(request, &caller);
    wait_us = access_rate_us(api->access, &caller);
    if (wait_us)
        return refuse_for_now(request, wait_us);
    if (!strcmp(request->how, "password") && !changes_nothing(request) && !is_same_site(request, false))
        return refuse_site(request);
    return request->roles & needed || refuse_role(request, needed);
}

/* Between the header and the end of the body there is time for a key to be revoked or a role to be taken
 * away: what counts is who it is when something is done. */
static bool is_still_allowed(struct request *request)
{
    const struct api *api = request->context;
    const char *why = "";
    unsigned needed = api->roles[request->match.route - api_routes];
    struct caller caller = {.name = ""};

    if (request->match.route->open)
        return true;
    if (find_caller(request, &caller, &why) != SHOWN_GOOD)
        return refuse_unknown(request, true, why);
    take_caller(request, &caller);
    return request->roles & needed || refuse_role(request, needed);
}

static void on_admitted(void *context, const struct error *error)
{
    struct request *request = context;
    const struct api *api = request->context;
    const struct tls_peer *peer = request_peer(request);
    struct caller caller = {.name = ""};

    if (error) {
        reply_error(request, error);
        return;
    }
    if (peer) { /* still there: now it has a session that can be ended */
        access_by_certificate(api->access, peer, &caller);
        take_caller(request, &caller);
    }
    request->match.route->handler(request);
}

void call_handler(struct request *request)
{
    const struct api *api = request->context;
    const struct tls_peer *peer;

    if (!is_still_allowed(request))
        return;
    peer = request->unrecorded ? request_peer(request) : NULL;
    if (peer)
        access_admit(api->access, peer, request->from, on_admitted, request);
    else
        request->match.route->handler(request);
}
