/* SPDX-License-Identifier: Apache-2.0 */
/* What a client sends, taken apart and checked: request target, framing headers, Host, Accept, keys, JSON
 * bodies. Pure functions on bytes, apart from any connection, so that a fuzzer can call them. */
#ifndef FLASHFARM_API_PARSE_H
#define FLASHFARM_API_PARSE_H

#include "result.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_SEGMENTS   8
#define TARGET_PARAMETERS 32
#define TARGET_MAX_BYTES  8192

/* "/v1/jobs/7?limit=5": segments v1, jobs, 7 and parameter limit. Percent-decoded UTF-8 without control
 * characters; an encoded slash is data of its segment. */
struct target {
    char *memory; /* holds the texts */
    size_t segment_count, parameter_count;
    const char *segments[TARGET_SEGMENTS];
    struct {
        const char *name, *value;
    } parameters[TARGET_PARAMETERS];
};

/* -EINVAL: not in origin form, badly encoded, a parameter twice; -E2BIG: too long or too many parts. */
int target_parse(struct target *target, const char *text, struct error *error);
void target_clear(struct target *target);
/* NULL when it was not given. */
const char *target_parameter(const struct target *target, const char *name);
/* True when `word` is one of the blank-separated `words`. */
bool is_word_of(const char *word, const char *words);
/* The first parameter that is not one of the blank-separated `accepted` words; NULL when all are. */
const char *target_unknown_parameter(const struct target *target, const char *accepted);

/* What the header says about where the body ends. Two opinions are how requests get smuggled past a proxy,
 * so more than one Content-Length, or one beside Transfer-Encoding, is refused whatever the values. */
struct framing {
    int lengths, encodings;
    int64_t length; /* -1: unknown (chunked) or nonsense; 0 without a body */
};

void framing_add(struct framing *framing, const char *name, const char *value);
int framing_check(const struct framing *framing, struct error *error);

/* A decimal integer within bounds and nothing else. */
bool parse_integer(const char *text, int64_t minimum, int64_t maximum, int64_t *value);
/* As above for an address: decimal, or hexadecimal after 0x. */
bool parse_address(const char *text, uint32_t *address);

/* The host part of a Host header, without port and brackets, into `host`; false when it is malformed. */
bool parse_host(const char *header, char *host, size_t size);

/* The token of "Bearer TOKEN"; NULL when the header is another thing. */
const char *parse_bearer(const char *header);

/* True for the media type `type`, whatever its parameters. */
bool media_type_is(const char *header, const char *type);
/* True when Accept asks for CSV and does not ask for JSON at least as much. */
bool accepts_csv(const char *accept);
/* True when Accept-Encoding takes gzip: "gzip;q=0" says that it does not. */
bool accepts_gzip(const char *accept_encoding);
/* If-None-Match: `etag` comes with its quotes. */
bool etag_matches(const char *if_none_match, const char *etag);

#define JSON_BODY_MAX_BYTES (1u << 20)
#define JSON_BODY_MAX_DEPTH 32
#define TEXT_BODY_MAX_BYTES (16u << 10)

/* A JSON object without duplicate members, no deeper than JSON_BODY_MAX_DEPTH; NULL with the sentence, and
 * line and column (from 1, else 0). */
json_t *parse_json_body(const char *text, size_t size, struct error *error, int *line, int *column);

#endif
