/* SPDX-License-Identifier: Apache-2.0 */
/* A database that is being audited: opened for reading and never written to, and its ledger walked by as many
 * threads as there are cores. */
#ifndef FLASHFARM_CLIENTS_AUDIT_DATABASE_H
#define FLASHFARM_CLIENTS_AUDIT_DATABASE_H

#include "audit_walk.h"

#include <sqlite3.h>
#include <sys/stat.h>

struct audit_database {
    const char *path;
    sqlite3 *handle; /* in a transaction: what it reads is one moment */
    struct stat before;
    bool immutable; /* a copy at rest, without a log beside it */
};

/* -EINVAL when it is not a record of flashfarm. */
int audit_database_open(struct audit_database *database, const char *path, struct error *error);
/* -EAGAIN when a copy at rest was written to meanwhile. */
int audit_database_settled(const struct audit_database *database, struct error *error);
void audit_database_close(struct audit_database *database);

/* The first column of the first row. */
int audit_integer(sqlite3 *handle, const char *sql, int64_t *value, struct error *error);
int audit_sqlite_fail(sqlite3 *handle, const char *what, struct error *error);

/* The columns in which audit_record_of() wants the ledger's rows. */
#define AUDIT_COLUMNS "sequence, utc_us, monotonic_us, clock, boot, kind, body, hash"
void audit_record_of(sqlite3_stmt *row, struct audit_record *record);

/* Chain, tree and signatures: the numbers and the findings of the report. `key` and `witness` may be NULL.
 * -EIO when the ledger cannot be read at all. */
void audit_database_walk(const struct audit_database *database, const struct audit_key *key,
                         const struct audit_note *witness, struct audit_report *report);

#endif
