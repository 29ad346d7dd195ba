/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of records outside of a database, which bundles and proofs share: lines of UTF-8, each a word
 * and its values, with one tab between them. A line has one spelling only, so that every byte counts.
 *
 *     record SEQUENCE UTC_US MONOTONIC_US CLOCK BOOT KIND HASH BODY
 *
 * with the columns of the ledger's table (schema/README.md), the hash in hexadecimal digits, and the body as
 * it was hashed. */
#ifndef FLASHFARM_CLIENTS_AUDIT_LINES_H
#define FLASHFARM_CLIENTS_AUDIT_LINES_H

#include "audit_walk.h"

#include <stdio.h>

struct audit_lines {
    FILE *file;
    char *line; /* the newest, without its end */
    size_t room, length;
    int64_t number; /* of the newest */
    bool whole;     /* it ended with a line feed */
};

/* False at the end of the file. */
bool audit_lines_next(struct audit_lines *lines);
/* What stands behind `word` and a tab in the newest line; NULL when it is another kind of line, or holds a
 * zero byte. */
const char *audit_lines_value(const struct audit_lines *lines, const char *word);
void audit_lines_clear(struct audit_lines *lines);

/* Takes a record line apart; texts point into the line, `hash` is filled and pointed to. */
bool audit_lines_record(const struct audit_lines *lines, struct audit_record *record,
                        uint8_t hash[AUDIT_HASH]);
/* -EINVAL when a text of the record has a tab or a line feed where none may be. */
int audit_lines_write_record(FILE *out, const struct audit_record *record, struct error *error);

#endif
