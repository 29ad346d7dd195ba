/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the route of a request: most specific first, whatever the order of the table. */
#ifndef FLASHFARM_API_ROUTER_H
#define FLASHFARM_API_ROUTER_H

#include "parse.h"

#include <stdbool.h>
#include <stddef.h>

struct request;

enum body_kind {
    BODY_NONE, /* what comes is read and thrown away */
    BODY_JSON, /* one object, in request->json */
    BODY_TEXT, /* a short text/plain, in request->body with an ending 0 */
    BODY_FILE, /* streamed to disk, in request->upload */
};

struct route {
    const char *method, *path; /* a part in braces takes any text: "/v1/jobs/{id}" */
    void (*handler)(struct request *request);
    const char *query; /* the parameters it knows, blank-separated; NULL: none */
    enum body_kind body;
    bool open; /* answered without a key */
};

#define ROUTE_PARTS 2 /* at most so many parts in braces */

struct route_match {
    const struct route *route;      /* NULL: no route for this method and path */
    const char *parts[ROUTE_PARTS]; /* what stood in place of the braces */
    char allow[64];                 /* the methods of this path, for Allow; empty: unknown path */
};

/* HEAD is answered by the route of GET. */
void router_match(const struct route *routes, size_t count, const char *method, const struct target *target,
                  struct route_match *match);

/* The table of this daemon. */
extern const struct route api_routes[];
extern const size_t api_route_count;

#endif
