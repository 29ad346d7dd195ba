/* SPDX-License-Identifier: Apache-2.0 */
#include "router.h"

#include <stdio.h>
#include <string.h>

/* Compares one part of the template with one of the path; a part in braces takes any but an empty text. */
static bool part_matches(const char *part, size_t length, const char *text, bool *literal)
{
    *literal = part[0] != '{';
    return *literal ? strlen(text) == length && !memcmp(part, text, length) : *text != '\0';
}

/* How well a path fits a template: 0 not at all; else a number that grows with literal parts, early ones
 * counting more than late ones. */
static unsigned path_matches(const char *path, const struct target *target, const char *parts[ROUTE_PARTS])
{
    unsigned score = 1;
    size_t segment = 0, taken = 0;

    for (; *path == '/' && path[1]; segment++) {
        size_t length = strcspn(path + 1, "/");
        bool literal;

        if (segment == target->segment_count ||
            !part_matches(path + 1, length, target->segments[segment], &literal))
            return 0;
        if (!literal && taken < ROUTE_PARTS)
            parts[taken++] = target->segments[segment];
        score = score << 1 | literal;
        path += 1 + length;
    }
    return segment == target->segment_count ? score : 0;
}

static void add_allowed(char *allow, size_t size, const char *method)
{
    size_t used = strlen(allow);

    if (!strcmp(method, "GET"))
        method = "GET, HEAD";
    (void)snprintf(allow + used, size - used, "%s%s", used ? ", " : "", method);
}

void router_match(const struct route *routes, size_t count, const char *method, const struct target *target,
                  struct route_match *match)
{
    const char *wanted = strcmp(method, "HEAD") ? method : "GET";
    unsigned best = 0;

    *match = (struct route_match){.route = NULL};
    for (size_t i = 0; i < count; i++) {
        const char *parts[ROUTE_PARTS] = {NULL};
        unsigned score = path_matches(routes[i].path, target, parts);

        if (!score || score < best)
            continue;
        if (score > best) {
            /* A more specific path hides the methods of those it is an instance of. */
            match->route = NULL;
            match->allow[0] = '\0';
            best = score;
        }
        add_allowed(match->allow, sizeof match->allow, routes[i].method);
        if (!strcmp(routes[i].method, wanted)) {
            match->route = &routes[i];
            memcpy(match->parts, parts, sizeof parts);
        }
    }
    if (match->allow[0])
        add_allowed(match->allow, sizeof match->allow, "OPTIONS");
}
