/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from the daemon as text for people: values by path, and tables. What comes from outside never
 * reaches a terminal with control characters in it. */
#ifndef FLASHFARM_CLIENT_VALUE_H
#define FLASHFARM_CLIENT_VALUE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum format {
    AS_TEXT,
    AS_HEX,      /* a number: 0x08000000 */
    AS_BYTES,    /* a number: 64 KiB */
    AS_DIGEST,   /* the first 12 digits */
    AS_TIME,     /* UTC without fraction */
    AS_SECONDS,  /* a number of microseconds: 0.485 s */
    AS_DURATION, /* of a run: from `started` to `ended` */
    AS_FLOOR,    /* of a run: what its phases took, in percent of their floor */
};

struct column {
    const char *title;
    const char *path; /* "last.outcome"; a "|" tries another: "image|images" */
    enum format format;
};

/* The value at a path, borrowed; NULL when it is not there or null. */
const json_t *value_at(const json_t *object, const char *path);
/* Text of a member, or "" when it is no text. */
const char *value_text(const json_t *object, const char *path);
int64_t value_number(const json_t *object, const char *path);

/* One cell's text, "-" for nothing; the caller frees it. */
char *value_format(const json_t *object, const struct column *column);

/* A table of an array; says `none` when it is empty. */
void value_print_table(FILE *out, const json_t *array, const struct column *columns, size_t count,
                       const char *none);
/* Every member on a line of its own. */
void value_print_object(FILE *out, json_t *object);
/* The API's own body. */
void value_print_json(FILE *out, const json_t *body);

/* Replaces control characters in place; returns `text`. */
char *value_clean(char *text);

#endif
