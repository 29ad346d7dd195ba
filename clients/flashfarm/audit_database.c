/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_database.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x666c6672, MOST_PARTS = 16, SHORTEST_PART = 64 * AUDIT_TILE };

int audit_sqlite_fail(sqlite3 *handle, const char *what, struct error *error)
{
    return error_set(error, -EIO, "%s: %s", what, sqlite3_errmsg(handle));
}

int audit_integer(sqlite3 *handle, const char *sql, int64_t *value, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;

    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) || sqlite3_step(statement) != SQLITE_ROW)
        code = audit_sqlite_fail(handle, sql, error);
    else
        *value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code;
}

/* Opening -------------------------------------------------------------------------------------------------
 */

static bool has_log(const char *database)
{
    char *path = sqlite3_mprintf("%s-wal", database);
    struct stat state;
    bool has = path && stat(path, &state) == 0;

    sqlite3_free(path);
    return has;
}

/* The path as part of a URI: what has a meaning there is written as its code. */
static char *uri_of(const char *path)
{
    sqlite3_str *uri = sqlite3_str_new(NULL);

    sqlite3_str_appendall(uri, "file:");
    for (; *path; path++)
        if (strchr("?#%", *path))
            sqlite3_str_appendf(uri, "%%%02x", (unsigned)*path);
        else
            sqlite3_str_appendchar(uri, 1, *path);
    sqlite3_str_appendall(uri, "?immutable=1");
    return sqlite3_str_finish(uri);
}

/* A file with its log beside it may be in use, and is read as it is at this moment. One without is a copy at
 * rest: read as such it needs no lock and nothing is left beside it. */
static int connect(const struct audit_database *database, sqlite3 **handle, struct error *error)
{
    char *uri = uri_of(database->path);
    int code = sqlite3_open_v2(database->immutable ? uri : database->path, handle,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);

    sqlite3_free(uri);
    if (code)
        return audit_sqlite_fail(*handle, database->path, error);
    (void)sqlite3_busy_timeout(*handle, 5000);
    (void)sqlite3_db_config(*handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_exec(*handle, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; BEGIN", NULL, NULL, NULL))
        return audit_sqlite_fail(*handle, database->path, error);
    return 0;
}

int audit_database_open(struct audit_database *database, const char *path, struct error *error)
{
    int64_t application = 0;
    int code;

    *database = (struct audit_database){.path = path};
    if (stat(path, &database->before))
        return error_set_errno(error, errno, "%s", path);
    database->immutable = !has_log(path);
    code = connect(database, &database->handle, error);
    if (!code)
        code = audit_integer(database->handle, "PRAGMA application_id", &application, error);
    if (!code && application != APPLICATION_ID)
        code = error_set(error, -EINVAL, "%s is not a record of flashfarm", path);
    return code;
}

int audit_database_settled(const struct audit_database *database, struct error *error)
{
    struct stat after;

    if (database->immutable && (stat(database->path, &after) || after.st_mtime != database->before.st_mtime ||
                                after.st_size != database->before.st_size || has_log(database->path)))
        return error_set(error, -EAGAIN, "%s was being written meanwhile; verify once more", database->path);
    return 0;
}

void audit_database_close(struct audit_database *database)
{
    (void)sqlite3_close(database->handle);
    database->handle = NULL;
}

/* Walking -------------------------------------------------------------------------------------------------
 */

void audit_record_of(sqlite3_stmt *row, struct audit_record *record)
{
    record->sequence = sqlite3_column_int64(row, 0);
    record->utc_us = sqlite3_column_int64(row, 1);
    record->monotonic_us = sqlite3_column_int64(row, 2);
    for (int i = 0; i < AUDIT_TEXTS; i++) {
        const char *text = (const char *)sqlite3_column_text(row, 3 + i);

        record->texts[i] =
            (struct audit_text){.text = text ? text : "", .size = (size_t)sqlite3_column_bytes(row, 3 + i)};
    }
    record->hash = sqlite3_column_bytes(row, 7) == AUDIT_HASH ? sqlite3_column_blob(row, 7) : NULL;
}

/* One thread's share: the records after `from` up to `to`. */
struct part {
    const struct audit_database *database;
    struct audit_walk *walk;
    int64_t from, to;
    pthread_t thread;
    bool started;
};

static sqlite3_stmt *select_records(sqlite3 *handle, int64_t from, int64_t to)
{
    sqlite3_stmt *rows = NULL;

    if (sqlite3_prepare_v2(handle,
                           "SELECT " AUDIT_COLUMNS " FROM ledger WHERE sequence > ?1 AND sequence <= ?2 "
                           "ORDER BY sequence",
                           -1, &rows, NULL) == SQLITE_OK) {
        (void)sqlite3_bind_int64(rows, 1, from);
        (void)sqlite3_bind_int64(rows, 2, to);
    }
    return rows;
}

/* The hash before a part is that of the record before it, which another part checks. */
static int begin_part(const struct part *part, sqlite3 *handle)
{
    sqlite3_stmt *row = select_records(handle, part->from - 1, part->from);
    struct audit_record record = {.hash = NULL};
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;

    if (step == SQLITE_ROW)
        audit_record_of(row, &record);
    audit_walk_begin(part->walk, part->from, record.hash);
    (void)sqlite3_finalize(row);
    return step == SQLITE_ROW || step == SQLITE_DONE ? SQLITE_OK : step;
}

static void walk_rows(const struct part *part, sqlite3 *handle)
{
    sqlite3_stmt *rows = select_records(handle, part->from, part->to);
    struct audit_record record;
    int step = SQLITE_ERROR;

    while (rows && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        audit_record_of(rows, &record);
        audit_walk_take(part->walk, &record);
    }
    if (step != SQLITE_DONE) {
        audit_find(&part->walk->findings, "ledger", NULL, NULL, "cannot be read: %s", sqlite3_errmsg(handle));
        part->walk->broken = true;
    }
    (void)sqlite3_finalize(rows);
}

/* That the next part begins where this one ends. */
static void check_end(const struct part *part)
{
    if (part->walk->head < part->to && !part->walk->broken) {
        audit_find_record(&part->walk->findings, part->walk->head + 1, "sequence", "the record is missing");
        part->walk->broken = true;
    }
}

static void *walk_part(void *argument)
{
    const struct part *part = argument;
    struct error error = ERROR_NONE;
    sqlite3 *handle = NULL;

    if (connect(part->database, &handle, &error) == 0 && begin_part(part, handle) == SQLITE_OK) {
        walk_rows(part, handle);
        check_end(part);
    } else {
        audit_find(&part->walk->findings, "ledger", NULL, NULL, "cannot be read: %s", sqlite3_errmsg(handle));
        part->walk->broken = true;
    }
    (void)sqlite3_close(handle);
    return NULL;
}

/* Parts begin where tiles do. */
static size_t divide(struct part *parts, int64_t head)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = cores < 1 ? 1 : cores > MOST_PARTS ? MOST_PARTS : (size_t)cores;
    int64_t each;

    if (head / SHORTEST_PART + 1 < (int64_t)count)
        count = (size_t)(head / SHORTEST_PART + 1);
    each = head / (int64_t)count / AUDIT_TILE * AUDIT_TILE;
    for (size_t i = 0; i < count; i++) {
        parts[i].from = each * (int64_t)i;
        parts[i].to = i + 1 < count ? parts[i].from + each : head;
    }
    return count;
}

void audit_database_walk(const struct audit_database *database, const struct audit_key *key,
                         const struct audit_note *witness, struct audit_report *report)
{
    struct part parts[MOST_PARTS] = {0};
    struct audit_walk *walks = allocate(MOST_PARTS, sizeof *walks);
    struct error error = ERROR_NONE;
    int64_t head = 0;
    size_t count;

    if (audit_integer(database->handle, "SELECT coalesce(max(sequence), 0) FROM ledger", &head, &error))
        audit_find(&report->findings, "ledger", NULL, NULL, "cannot be read: %s", error.text);
    count = divide(parts, head);
    for (size_t i = 0; i < count; i++) {
        walks[i].key = key;
        walks[i].witness = witness;
        parts[i].database = database;
        parts[i].walk = &walks[i];
        parts[i].started = i > 0 && pthread_create(&parts[i].thread, NULL, walk_part, &parts[i]) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].started)
            (void)pthread_join(parts[i].thread, NULL);
        else
            (void)walk_part(&parts[i]);
    }
    audit_walk_join(walks, count, report);
    for (size_t i = 0; i < count; i++)
        audit_walk_clear(&walks[i]);
    free(walks);
}
