/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to SQLite with its prepared statements and the project's settings, and SQLite's errors in
 * the words of ours. A connection is used by one thread at a time. */
#ifndef FLASHFARM_STORE_DATABASE_H
#define FLASHFARM_STORE_DATABASE_H

#include "queries.h"
#include "result.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database {
    sqlite3 *handle;
    sqlite3_stmt *statements[QUERY_COUNT]; /* prepared when first asked for */
};

/* Leaves nothing open on failure. */
int database_open(struct database *database, const char *path, bool writable, struct error *error);
void database_close(struct database *database);

/* The statement, reset and without values; NULL with the error. */
sqlite3_stmt *database_statement(struct database *database, enum query query, struct error *error);

/* Runs a statement that takes no values and gives no rows. */
int database_run(struct database *database, enum query query, struct error *error);

/* Runs a text of several statements. */
int database_script(struct database *database, const char *sql, struct error *error);

/* A column that holds 32 bytes, as such or as 64 hexadecimal digits; false when it does not. */
bool database_hash(sqlite3_stmt *row, int column, uint8_t hash[32]);

/* What the connection's last call died of: sets and returns the code (store.h lists them). */
int database_fail(struct database *database, struct error *error);

#endif
