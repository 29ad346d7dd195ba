/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle: the whole record as text, to be checked on another machine, now or in fifteen years. It explains
 * itself, begins with the first record and ends with a checkpoint that covers all others. */
#ifndef FLASHFARM_CLIENTS_AUDIT_BUNDLE_H
#define FLASHFARM_CLIENTS_AUDIT_BUNDLE_H

#include "audit_walk.h"

#include <stdio.h>

struct audit_bundle {
    FILE *out;
    int64_t records;
};

/* Begins with the public key, so that a reader who has it from elsewhere sees at once whether it is the one.
 */
int audit_bundle_begin(struct audit_bundle *bundle, FILE *out, const char *key, struct error *error);
int audit_bundle_add(struct audit_bundle *bundle, const struct audit_record *record, struct error *error);
int audit_bundle_end(struct audit_bundle *bundle, struct error *error);

/* A database as a bundle, up to its newest checkpoint; `left` is how many records stand behind that, which no
 * one has signed. */
int audit_bundle_of_database(const char *path, const char *key, FILE *out, int64_t *left,
                             struct error *error);

#endif
