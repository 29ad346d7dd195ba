/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate.h"

#include "alloc.h"
#include "embedded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char folder[] = "migrations/";

/* The migration that makes `version`, or NULL. */
static const struct embedded_file *find_migration(int version)
{
    char prefix[sizeof folder + 16];

    (void)snprintf(prefix, sizeof prefix, "%s%04d_", folder, version);
    for (const struct embedded_file *file = schema_files; file->name; file++)
        if (strncmp(file->name, prefix, strlen(prefix)) == 0)
            return file;
    return NULL;
}

static int read_pragma(struct database *database, const char *sql, int *value, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;

    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) ||
        sqlite3_step(statement) != SQLITE_ROW)
        code = database_fail(database, error);
    else
        *value = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return code;
}

/* The file, its number, and nothing in between that a crash could leave behind. */
static int apply(struct database *database, const struct embedded_file *file, int version,
                 struct error *error)
{
    char *script = format_text("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT;",
                               (const char *)file->bytes, version);
    int code = database_script(database, script, error);
    struct error ignored;

    free(script);
    if (code) {
        if (!sqlite3_get_autocommit(database->handle))
            (void)database_run(database, QUERY_ROLLBACK, &ignored);
        (void)error_prefix(error, "%s", file->name);
    }
    return code;
}

/* A file that has tables and no number was never ours. */
static int refuse_stranger(struct database *database, struct error *error)
{
    int tables = 0, code = read_pragma(database, "SELECT count(*) FROM sqlite_schema", &tables, error);

    if (!code && tables > 0)
        code = error_set(error, -EPROTO, "the file is the database of another program");
    return code;
}

int migrate(struct database *database, const struct log *log, struct error *error)
{
    const struct embedded_file *file;
    int version = 0, code = read_pragma(database, "PRAGMA user_version", &version, error);

    if (!code && version == 0)
        code = refuse_stranger(database, error);
    if (!code && version > 0 && !find_migration(version))
        code = error_set(error, -EPROTO, "the database has version %d, which this program does not know",
                         version);
    if (!code) /* only now: they change the file, and it is ours */
        code = database_script(database, queries_writer_settings, error);
    while (!code && (file = find_migration(version + 1))) {
        code = apply(database, file, ++version, error);
        if (!code)
            log_info(log, "database is now at version %d (%s)", version, file->name);
    }
    return code;
}
