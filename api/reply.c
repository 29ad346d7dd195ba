/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include "alloc.h"
#include "failure.h"
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    unsigned status;
    const char *word, *title;
} problems[] = {
#define X(name, number, text, line) [PROBLEM_##name] = {.status = (number), .word = (text), .title = (line)},
    PROBLEMS(X)
#undef X
};

unsigned problem_status(enum problem problem)
{
    return problems[problem].status;
}

enum problem problem_of(int code)
{
    static const struct {
        int code;
        enum problem problem;
    } table[] = {
        {.code = -EINVAL, .problem = PROBLEM_INVALID},
        {.code = -ENOENT, .problem = PROBLEM_NOT_FOUND},
        {.code = -EEXIST, .problem = PROBLEM_EXISTS},
        {.code = -EBUSY, .problem = PROBLEM_BUSY},
        {.code = -EAGAIN, .problem = PROBLEM_IN_PROGRESS},
        {.code = -EPERM, .problem = PROBLEM_KEY_REUSED},
        {.code = -E2BIG, .problem = PROBLEM_TOO_LARGE},
        {.code = -ENOSPC, .problem = PROBLEM_NO_ROOM},
        {.code = -EACCES, .problem = PROBLEM_FORBIDDEN},
        {.code = -ESTALE, .problem = PROBLEM_CHANGED},
        {.code = -EKEYREJECTED, .problem = PROBLEM_SIGNATURE},
    };

    if (code <= -ERROR_CLASS_BASE)
        return PROBLEM_BOARD;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code)
            return table[i].problem;
    return PROBLEM_INTERNAL;
}

json_t *problem_new(const struct request *request, enum problem problem, const char *detail)
{
    json_t *body = json_object();
    char type[64];

    (void)snprintf(type, sizeof type, "urn:flashfarm:problem:%s", problems[problem].word);
    (void)json_object_set_new(body, "type", json_string(type));
    (void)json_object_set_new(body, "title", json_string(problems[problem].title));
    (void)json_object_set_new(body, "status", json_integer(problems[problem].status));
    /* Both may have bytes that are not UTF-8, which json_string() refuses: then they are left out. */
    (void)json_object_set_new(body, "detail", json_string(detail));
    (void)json_object_set_new(body, "instance", json_string(request->address));
    return body;
}

/* Digits that a double keeps, so that 0.1 is not told as 0.10000000000000001. */
#define REAL_DIGITS 15

static void answer_json(struct request *request, struct reply *reply, json_t *body)
{
    reply->body = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    json_decref(body);
    if (!reply->body) {
        reply->status = 500;
        reply->body = copy_text("{\"title\":\"Internal error\",\"status\":500}");
        reply->type = "application/problem+json";
    }
    reply->size = strlen(reply->body);
    request_answer(request, reply);
}

void reply_problem_with(struct request *request, enum problem problem, const char *detail, json_t *more,
                        struct reply *reply)
{
    struct reply plain = {.status = 0};
    json_t *body = problem_new(request, problem, detail);

    if (!reply)
        reply = &plain;
    if (more)
        (void)json_object_update_new(body, more);
    reply->status = problems[problem].status;
    reply->type = "application/problem+json";
    answer_json(request, reply, body);
}

void reply_problem(struct request *request, enum problem problem, const char *format, ...)
{
    char detail[600];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    reply_problem_with(request, problem, detail, NULL, NULL);
}

void reply_error(struct request *request, const struct error *error)
{
    enum problem problem = problem_of(error->code);
    json_t *more = NULL;

    /* Without a body, only the address can make no sense. */
    if (problem == PROBLEM_INVALID && request->match.route->body == BODY_NONE &&
        strcmp(request->method, "POST") != 0)
        problem = PROBLEM_BAD_PARAMETER;
    if (problem == PROBLEM_BOARD)
        more = json_pack("{s:s}", "class", failure_word(failure_of(error->code)));
    reply_problem_with(request, problem, error->text, more, NULL);
}

void reply_json_with(struct request *request, json_t *body, struct reply *reply)
{
    reply->type = "application/json";
    answer_json(request, reply, body);
}

void reply_json(struct request *request, unsigned status, json_t *body)
{
    struct reply reply = {.status = status};

    reply_json_with(request, body, &reply);
}

void reply_lasting(struct request *request, const char *type, const void *body, size_t size,
                   struct reply *reply)
{
    reply->status = 200;
    reply->type = type;
    reply->lasting = body;
    reply->size = size;
    request_answer(request, reply);
}

void reply_empty(struct request *request, unsigned status, struct reply *reply)
{
    reply->status = status;
    request_answer(request, reply);
}

void reply_add_header(struct reply *reply, const char *name, const char *format, ...)
{
    char value[768];
    va_list arguments;

    if (reply->header_count == REPLY_HEADERS)
        return;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    reply->headers[reply->header_count].name = name;
    reply->headers[reply->header_count++].value = copy_text(value);
}

void reply_with_answer(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;

    if (answer)
        reply_json(request, 200, answer);
    else
        reply_error(request, error);
}

bool reply_page(struct request *request, struct store_page *page)
{
    const char *limit = target_parameter(&request->target, "limit");
    int64_t number = 100;

    if (limit && !parse_integer(limit, 1, 1000, &number)) {
        reply_problem(request, PROBLEM_BAD_PARAMETER, "limit is '%s'; expected a number from 1 to 1000",
                      limit);
        return false;
    }
    page->limit = (int)number;
    page->cursor = target_parameter(&request->target, "cursor");
    return true;
}

void reply_add_location(struct reply *reply, const char *collection, const char *name, const char *rest)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char encoded[3 * 128 + 1] = "";
    size_t used = 0;

    for (; *name && used + 4 < sizeof encoded; name++)
        if (strchr(plain, *name))
            encoded[used++] = *name;
        else
            used += (size_t)snprintf(encoded + used, 4, "%%%02X", (unsigned char)*name);
    encoded[used] = '\0';
    reply_add_header(reply, "Location", "%s%s%s", collection, encoded, rest);
}

bool body_members(struct request *request, const char *words)
{
    const char *name;
    const json_t *value;

    json_object_foreach (request->json, name, value) {
        if (!is_word_of(name, words)) {
            reply_problem(request, PROBLEM_INVALID, "\"%s\" is not a member of this request; expected: %s",
                          name, words);
            return false;
        }
    }
    return true;
}

#define REASON_MAX_BYTES 1000

const char *body_reason(struct request *request, bool required)
{
    const json_t *value = json_object_get(request->json, "reason");
    const char *reason = value ? json_string_value(value) : "";

    if (reason && strlen(reason) <= REASON_MAX_BYTES && (*reason || !required))
        return reason;
    reply_problem(request, PROBLEM_INVALID, "reason: expected a text of %s%d bytes that says why",
                  required ? "1 to " : "at most ", REASON_MAX_BYTES);
    return NULL;
}

bool reply_state(struct request *request, const char *words, const char **state)
{
    *state = target_parameter(&request->target, "state");
    if (!*state || is_word_of(*state, words))
        return true;
    reply_problem(request, PROBLEM_BAD_PARAMETER, "state is '%s'; expected one of: %s", *state, words);
    return false;
}
