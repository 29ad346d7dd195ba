/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: JSON, and problems as RFC 9457 describes them. Each function answers the request. */
#ifndef FLASHFARM_API_REPLY_H
#define FLASHFARM_API_REPLY_H

#include "http.h"

/* The word is part of the contract: "urn:flashfarm:problem:WORD". */
#define PROBLEMS(X)                                                                                          \
    X(BAD_REQUEST, 400, "bad-request", "Bad request")                                                        \
    X(BAD_PARAMETER, 400, "bad-parameter", "Bad query parameter")                                            \
    X(MALFORMED, 400, "malformed-json", "Malformed JSON")                                                    \
    X(KEY_MISSING, 400, "idempotency-key-missing", "Idempotency-Key needed")                                 \
    X(UNAUTHORIZED, 401, "unauthorized", "Key needed")                                                       \
    X(FORBIDDEN, 403, "forbidden", "Not allowed")                                                            \
    X(NOT_FOUND, 404, "not-found", "Not found")                                                              \
    X(METHOD, 405, "method-not-allowed", "Method not allowed")                                               \
    X(EXISTS, 409, "exists", "Already exists")                                                               \
    X(BUSY, 409, "busy", "Not now")                                                                          \
    X(IN_PROGRESS, 409, "in-progress", "Still in progress")                                                  \
    X(CHANGED, 412, "precondition-failed", "It has changed")                                                 \
    X(TOO_LARGE, 413, "too-large", "Too large")                                                              \
    X(MEDIA_TYPE, 415, "media-type", "Unsupported media type")                                               \
    X(MISDIRECTED, 421, "misdirected", "Misdirected request")                                                \
    X(INVALID, 422, "invalid", "Invalid request")                                                            \
    X(KEY_REUSED, 422, "idempotency-key-reused", "Idempotency-Key used before")                              \
    X(SIGNATURE, 422, "signature", "Not a good signature")                                                   \
    X(NO_IF_MATCH, 428, "precondition-required", "If-Match needed")                                          \
    X(TOO_MANY, 429, "too-many", "Too many requests")                                                        \
    X(INTERNAL, 500, "internal", "Internal error")                                                           \
    X(BOARD, 502, "board", "The board did not do it")                                                        \
    X(UNAVAILABLE, 503, "unavailable", "Service unavailable")                                                \
    X(NO_ROOM, 507, "no-room", "No room for the record")

enum problem {
#define X(name, status, word, title) PROBLEM_##name,
    PROBLEMS(X)
#undef X
        PROBLEM_COUNT
};

unsigned problem_status(enum problem problem);
/* What an error of the farm or the store is to a client. */
enum problem problem_of(int code);

/* {type, title, status, detail, instance}; new reference. */
json_t *problem_new(const struct request *request, enum problem problem, const char *detail);

void reply_problem(struct request *request, enum problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As above, and more: `more` (taken) has further members of the body; `reply` (or NULL) further headers. */
void reply_problem_with(struct request *request, enum problem problem, const char *detail, json_t *more,
                        struct reply *reply);
void reply_error(struct request *request, const struct error *error);

/* Takes the reference. */
void reply_json(struct request *request, unsigned status, json_t *body);
void reply_json_with(struct request *request, json_t *body, struct reply *reply);
/* A body that lives as long as the api. */
void reply_lasting(struct request *request, const char *type, const void *body, size_t size,
                   struct reply *reply);
void reply_empty(struct request *request, unsigned status, struct reply *reply);

/* `name` is a literal. */
void reply_add_header(struct reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Location: the collection's path, the name percent-encoded, and what follows. */
void reply_add_location(struct reply *reply, const char *collection, const char *name, const char *rest);

/* A farm_answer and store_answer: 200 with the answer, or the error. `context` is the request. */
void reply_with_answer(void *context, json_t *answer, const struct error *error);

/* Reads `limit` and `cursor`; false when a problem was answered. */
struct store_page;
bool reply_page(struct request *request, struct store_page *page);
/* Reads the parameter `state`, one of blank-separated words; NULL when it is not given. False as above. */
bool reply_state(struct request *request, const char *words, const char **state);

/* False, and answered, when the JSON body has a member that is none of the blank-separated `words`. */
bool body_members(struct request *request, const char *words);
/* The body's `reason`; NULL when it is none and a problem was answered. Where it is not required, it may be
 * missing or empty: "". */
const char *body_reason(struct request *request, bool required);

#endif
