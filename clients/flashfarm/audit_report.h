/* SPDX-License-Identifier: Apache-2.0 */
/* What an audit found, and how it is told. */
#ifndef FLASHFARM_CLIENTS_AUDIT_REPORT_H
#define FLASHFARM_CLIENTS_AUDIT_REPORT_H

#include "audit_note.h"

#include <jansson.h>
#include <stdio.h>

struct audit_findings {
    json_t *list; /* NULL until the first; the rest is counted */
    int found;
};

/* `key` and `column` may be NULL. */
void audit_find(struct audit_findings *findings, const char *table, const char *key, const char *column,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void audit_find_record(struct audit_findings *findings, int64_t sequence, const char *column,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts those of `from` behind those of `to`, and leaves none. */
void audit_findings_move(struct audit_findings *from, struct audit_findings *to);
void audit_findings_clear(struct audit_findings *findings);

/* One audit: of a database, a bundle or a proof. */
struct audit_report {
    const char *path;
    const char *what;      /* "database", "bundle", "proof" */
    int64_t records, head; /* how many; the last one's sequence */
    uint8_t hash[AUDIT_HASH];
    int64_t checkpoints, covered; /* how many; what the last one covers */
    struct audit_key key;
    const char *key_from; /* where it is from, when it was not given */
    const char *tables;   /* "compared", or why not; NULL: there are none */
    json_t *history;      /* of a proof: what its runs were; else NULL */
    struct audit_findings findings;
};

void audit_report_print(const struct audit_report *report, FILE *out, bool json);
void audit_report_clear(struct audit_report *report);

#endif
