/* SPDX-License-Identifier: Apache-2.0 */
/* What a stranger can send before any key is looked at, and what a friend's programming error can: request
 * targets, headers, JSON bodies. The input is lines: method, target, then headers "Name: value" up to an
 * empty line, then the body. */
#include "../fuzz/fuzz.h"

#include "alloc.h"
#include "csv.h"
#include "listen.h"
#include "parse.h"
#include "router.h"

#include <string.h>

/* Takes the next line out of `text`; NULL at its end. */
static char *next_line(char **text)
{
    char *line = *text, *end;

    if (!line)
        return NULL;
    end = strchr(line, '\n');
    if (end)
        *end = '\0';
    *text = end ? end + 1 : NULL;
    return line;
}

static void try_target(const char *method, const char *text)
{
    struct error error = ERROR_NONE;
    struct route_match match;
    struct target target;

    if (target_parse(&target, text, &error)) {
        /* A refusal has a sentence, and leaves nothing behind. */
        FUZZ_CHECK(error.text[0] && !target.memory);
        return;
    }
    router_match(api_routes, api_route_count, method, &target, &match);
    FUZZ_CHECK(!match.route || match.allow[0]);
    for (size_t i = 0; i < target.parameter_count; i++) {
        int64_t number;
        uint32_t address;

        (void)parse_integer(target.parameters[i].value, 1, 1000, &number);
        (void)parse_address(target.parameters[i].value, &address);
    }
    (void)target_unknown_parameter(&target, match.route && match.route->query ? match.route->query : "");
    target_clear(&target);
}

static void try_header(struct framing *framing, char *line)
{
    char *value = strchr(line, ':');
    struct error error = ERROR_NONE;
    struct listener listener;
    char host[64];

    if (!value)
        return;
    *value++ = '\0';
    framing_add(framing, line, value);
    (void)parse_host(value, host, sizeof host);
    (void)parse_bearer(value);
    (void)media_type_is(value, "application/json");
    (void)accepts_csv(value);
    (void)etag_matches(value, "\"0123456789abcdef\"");
    (void)listen_parse(value, &listener, &error);
}

static void try_body(const char *text)
{
    struct error error = ERROR_NONE;
    struct csv csv = {.text = NULL};
    int line, column;
    json_t *body = parse_json_body(text, strlen(text), &error, &line, &column);

    FUZZ_CHECK(body || error.text[0]);
    csv_run(&csv, body);
    csv_clear(&csv);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = allocate(size + 1, 1), *rest = text;
    struct framing framing = {.length = 0};
    struct error error = ERROR_NONE;
    const char *method, *target;
    char *line;

    memcpy(text, data, size);
    method = next_line(&rest);
    target = next_line(&rest);
    if (target)
        try_target(method, target);
    while ((line = next_line(&rest)) && *line)
        try_header(&framing, line);
    FUZZ_CHECK(framing_check(&framing, &error) || !framing.lengths || framing.length >= 0);
    if (rest)
        try_body(rest);
    free(text);
    return 0;
}
