/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include "bytes.h"

#include <errno.h>
#include <string.h>

/* Whether the last write to the log or to the database failed for want of room. sqlite3_system_errno() is
 * errno itself, which has moved on by then; the files remember theirs. */
static bool out_of_room(sqlite3 *handle)
{
    static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    bool found = false;

    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        sqlite3_file *file = NULL;
        int last_errno = 0;

        if (sqlite3_file_control(handle, "main", pointers[i], &file) == SQLITE_OK && file && file->pMethods)
            (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &last_errno);
        found = found || last_errno == ENOSPC || last_errno == EDQUOT || last_errno == EFBIG;
    }
    return found;
}

static int code_of(sqlite3 *handle)
{
    int code = sqlite3_extended_errcode(handle);

    if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE ||
        code == SQLITE_CONSTRAINT_ROWID)
        return -EEXIST;
    switch (code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_IOERR:
        return out_of_room(handle) ? -ENOSPC : -EIO;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_ERROR: /* a JSON function of a trigger did not like its argument */
        return -EPROTO;
    case SQLITE_INTERRUPT:
        return -ECANCELED;
    default:
        return -EIO;
    }
}

int database_fail(struct database *database, struct error *error)
{
    return error_set(error, code_of(database->handle), "%s", sqlite3_errmsg(database->handle));
}

int database_script(struct database *database, const char *sql, struct error *error)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) ? database_fail(database, error) : 0;
}

/* Trusted schema stays on: Debian's SQLite counts the JSON functions of our own triggers as untrusted. */
static int configure(struct database *database, struct error *error)
{
    (void)sqlite3_extended_result_codes(database->handle, 1);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return database_script(database, queries_settings, error);
}

int database_open(struct database *database, const char *path, bool writable, struct error *error)
{
    int flags =
        SQLITE_OPEN_NOMUTEX | (writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    int code;

    memset(database, 0, sizeof *database);
    if (sqlite3_open_v2(path, &database->handle, flags, NULL))
        code = database_fail(database, error);
    else
        code = configure(database, error);
    if (code) {
        (void)error_prefix(error, "database %s", path);
        database_close(database);
    }
    return code;
}

void database_close(struct database *database)
{
    for (int i = 0; i < QUERY_COUNT; i++)
        (void)sqlite3_finalize(database->statements[i]);
    (void)sqlite3_close(database->handle);
    memset(database, 0, sizeof *database);
}

sqlite3_stmt *database_statement(struct database *database, enum query query, struct error *error)
{
    sqlite3_stmt **statement = &database->statements[query];

    if (!*statement && sqlite3_prepare_v3(database->handle, queries[query], -1, SQLITE_PREPARE_PERSISTENT,
                                          statement, NULL)) {
        (void)database_fail(database, error);
        return NULL;
    }
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
    return *statement;
}

int database_run(struct database *database, enum query query, struct error *error)
{
    sqlite3_stmt *statement = database_statement(database, query, error);
    int code = 0;

    if (!statement)
        return error->code;
    if (sqlite3_step(statement) != SQLITE_DONE)
        code = database_fail(database, error);
    (void)sqlite3_reset(statement);
    return code;
}

bool database_hash(sqlite3_stmt *row, int column, uint8_t hash[32])
{
    bool is_text = sqlite3_column_type(row, column) == SQLITE_TEXT;
    int size = sqlite3_column_bytes(row, column);

    if (is_text)
        return size == 64 && bytes_from_hex((const char *)sqlite3_column_text(row, column), hash, 32);
    if (size != 32)
        return false;
    memcpy(hash, sqlite3_column_blob(row, column), 32);
    return true;
}
