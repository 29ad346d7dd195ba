/* SPDX-License-Identifier: Apache-2.0 */
/* How it proceeds: open the file for reading; compare its schema with the migrations that are part of this
 * program; walk the ledger once in several parts at once: chain, tree and signatures. Then, since it takes
 * far longer, the tables: insert every record into a second, empty database, whose triggers make the other
 * tables from it, and compare those. */
#include "audit.h"

#include "alloc.h"
#include "audit_database.h"
#include "audit_text.h"
#include "embedded.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    PER_TABLE = 10,   /* differences of one table that are listed */
    KEY_COLUMNS = 5,  /* of a primary key, at most */
    FULL_DETAIL = 60, /* characters of a value that are shown */
};

struct audit {
    struct audit_database file; /* the record as it is */
    sqlite3 *replay;            /* what its ledger makes of an empty database */
    int version;
    bool schema_differs;
    const struct audit_options *options;
    struct audit_report report;
};

/* Opening ------------------------------------------------------------------------------------------------ */

static const struct embedded_file *find_migration(int version)
{
    char prefix[32];

    (void)snprintf(prefix, sizeof prefix, "migrations/%04d_", version);
    for (const struct embedded_file *file = schema_files; file->name; file++)
        if (strncmp(file->name, prefix, strlen(prefix)) == 0)
            return file;
    return NULL;
}

static int check_version(struct audit *audit, struct error *error)
{
    int64_t version = 0;
    int code = audit_integer(audit->file.handle, "PRAGMA user_version", &version, error);

    audit->version = (int)version;
    if (!code && !find_migration(audit->version))
        code = error_set(error, -EINVAL, "%s has version %d, which this program does not know",
                         audit->file.path, audit->version);
    return code;
}

/* A file of its own that is gone when it is closed, so that a record larger than memory can be replayed. */
static int open_replay(struct audit *audit, struct error *error)
{
    static const char settings[] =
        "PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA journal_mode = OFF;"
        "PRAGMA cache_size = -131072; PRAGMA foreign_keys = ON; BEGIN";

    if (sqlite3_open_v2("", &audit->replay, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) ||
        sqlite3_exec(audit->replay, settings, NULL, NULL, NULL))
        return audit_sqlite_fail(audit->replay, "replay", error);
    for (int version = 1; version <= audit->version; version++)
        if (sqlite3_exec(audit->replay, (const char *)find_migration(version)->bytes, NULL, NULL, NULL))
            return audit_sqlite_fail(audit->replay, find_migration(version)->name, error);
    return 0;
}

/* Once the schemas are compared, the replay can do without what only the daemon needs: indexes to look things
 * up, and the rules against writing by hand (BEFORE). That is a third of the time. What is left is what the
 * triggers themselves look things up by. */
static void lighten_replay(struct audit *audit)
{
    sqlite3_str *drops = sqlite3_str_new(audit->replay);
    sqlite3_stmt *rows = NULL;
    char *sql;

    if (sqlite3_prepare_v2(audit->replay,
                           "SELECT format('DROP %s \"%w\";', type, name) FROM sqlite_schema "
                           "WHERE (type = 'index' AND tbl_name = 'run' AND sql LIKE 'CREATE INDEX %' "
                           "AND name NOT IN ('run_job', 'run_uid', 'run_serial')) "
                           "OR (type = 'trigger' AND tbl_name <> 'ledger' AND sql LIKE '% BEFORE %')",
                           -1, &rows, NULL) == SQLITE_OK)
        while (sqlite3_step(rows) == SQLITE_ROW)
            sqlite3_str_appendall(drops, (const char *)sqlite3_column_text(rows, 0));
    (void)sqlite3_finalize(rows);
    sql = sqlite3_str_finish(drops);
    (void)sqlite3_exec(audit->replay, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
}

/* Rows side by side -------------------------------------------------------------------------------------- */

/* Both sides of a comparison, in the same order of keys. */
struct pair {
    const char *table;
    sqlite3_stmt *file, *replay;
    int keys[KEY_COLUMNS], key_count;
    int differences;
};

static int sign(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* In the order in which SQLite sorts: by type, then by value, text byte by byte. */
static int compare_values(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    static const int rank[] = {
        [SQLITE_NULL] = 0, [SQLITE_INTEGER] = 1, [SQLITE_FLOAT] = 2, [SQLITE_TEXT] = 3, [SQLITE_BLOB] = 4};
    int type = sqlite3_column_type(a, column), order = sign(rank[type], rank[sqlite3_column_type(b, column)]);
    const void *bytes_a, *bytes_b;
    int size_a, size_b;

    if (order || type == SQLITE_NULL)
        return order;
    if (type == SQLITE_INTEGER)
        return sign(sqlite3_column_int64(a, column), sqlite3_column_int64(b, column));
    bytes_a = sqlite3_column_blob(a, column);
    bytes_b = sqlite3_column_blob(b, column);
    size_a = sqlite3_column_bytes(a, column);
    size_b = sqlite3_column_bytes(b, column);
    if (size_a > 0 && size_b > 0)
        order = memcmp(bytes_a, bytes_b, (size_t)(size_a < size_b ? size_a : size_b));
    return order ? order : sign(size_a, size_b);
}

static int compare_keys(const struct pair *pair)
{
    int order = 0;

    for (int i = 0; !order && i < pair->key_count; i++)
        order = compare_values(pair->file, pair->replay, pair->keys[i]);
    return order;
}

static const char *value_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text ? (const char *)text : "nothing";
}

static void key_text(const struct pair *pair, sqlite3_stmt *row, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < pair->key_count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", value_text(row, pair->keys[i]));
}

static void differ(struct audit *audit, struct pair *pair, sqlite3_stmt *row, const char *column,
                   const char *message)
{
    char key[160];

    if (++pair->differences > PER_TABLE) {
        audit->report.findings.found++;
        return;
    }
    key_text(pair, row, key, sizeof key);
    audit_find(&audit->report.findings, pair->table, key, column, "%s", message);
}

static void compare_columns(struct audit *audit, struct pair *pair)
{
    char message[4 * FULL_DETAIL];

    for (int column = 0; column < sqlite3_column_count(pair->file); column++) {
        if (compare_values(pair->file, pair->replay, column) == 0)
            continue;
        (void)snprintf(message, sizeof message, "is %.*s, but the ledger makes it %.*s", FULL_DETAIL,
                       value_text(pair->file, column), FULL_DETAIL, value_text(pair->replay, column));
        differ(audit, pair, pair->file, sqlite3_column_name(pair->file, column), message);
    }
}

/* Walks both in step, as one merges two sorted lists. */
static int compare_rows(struct audit *audit, struct pair *pair, const char *missing, const char *surplus)
{
    int file = sqlite3_step(pair->file), replay = sqlite3_step(pair->replay);

    while (file == SQLITE_ROW || replay == SQLITE_ROW) {
        int order = file != SQLITE_ROW ? 1 : replay != SQLITE_ROW ? -1 : compare_keys(pair);

        if (order < 0)
            differ(audit, pair, pair->file, NULL, surplus);
        else if (order > 0)
            differ(audit, pair, pair->replay, NULL, missing);
        else
            compare_columns(audit, pair);
        if (order <= 0)
            file = sqlite3_step(pair->file);
        if (order >= 0)
            replay = sqlite3_step(pair->replay);
    }
    return file == SQLITE_DONE && replay == SQLITE_DONE ? 0 : -EIO;
}

static int open_pair(struct audit *audit, struct pair *pair, const char *sql)
{
    if (sqlite3_prepare_v2(audit->file.handle, sql, -1, &pair->file, NULL) ||
        sqlite3_prepare_v2(audit->replay, sql, -1, &pair->replay, NULL))
        return -EIO;
    return 0;
}

static void close_pair(struct pair *pair)
{
    (void)sqlite3_finalize(pair->file);
    (void)sqlite3_finalize(pair->replay);
}

/* A damaged file can stop answering in the middle: that is a finding like others. */
static void find_damage(struct audit *audit, const char *table)
{
    audit_find(&audit->report.findings, table, NULL, NULL, "cannot be read: %s",
               sqlite3_errmsg(audit->file.handle));
}

/* Schema ------------------------------------------------------------------------------------------------- */

static void compare_schema(struct audit *audit)
{
    struct pair pair = {.table = "sqlite_schema", .keys = {0, 1}, .key_count = 2};
    int found = audit->report.findings.found;

    if (open_pair(audit, &pair, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name") ||
        compare_rows(audit, &pair, "is missing from the schema", "does not belong to the schema"))
        find_damage(audit, pair.table);
    close_pair(&pair);
    audit->schema_differs = audit->report.findings.found > found;
}

/* A view or a virtual table under the name of a table could answer anything, for ever. */
static bool only_tables(struct audit *audit)
{
    struct error ignored;
    int64_t strangers = 1;

    return audit_integer(
               audit->file.handle,
               "SELECT count(*) FROM sqlite_schema WHERE type = 'view' OR (type = 'table' AND rootpage = 0)",
               &strangers, &ignored) == 0 &&
           strangers == 0;
}

static void check_integrity(struct audit *audit)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(audit->file.handle, "PRAGMA integrity_check(10)", -1, &rows, NULL) == SQLITE_OK)
        while ((step = sqlite3_step(rows)) == SQLITE_ROW)
            if (strcmp(value_text(rows, 0), "ok") != 0)
                audit_find(&audit->report.findings, "database", NULL, NULL, "%s", value_text(rows, 0));
    if (step != SQLITE_DONE)
        find_damage(audit, "database");
    (void)sqlite3_finalize(rows);
}

/* Replaying ---------------------------------------------------------------------------------------------- */

/* False when the record could not have been appended: then nothing behind it can be, either. */
static bool replay_record(struct audit *audit, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    bool done;

    for (int column = 0; column < sqlite3_column_count(row); column++)
        (void)sqlite3_bind_value(insert, column + 1, sqlite3_column_value(row, column));
    done = sqlite3_step(insert) == SQLITE_DONE;
    if (!done)
        audit_find_record(&audit->report.findings, sqlite3_column_int64(row, 0), "kind",
                          "could not have been appended: %.150s", sqlite3_errmsg(audit->replay));
    (void)sqlite3_reset(insert);
    return done;
}

static bool replay_ledger(struct audit *audit)
{
    sqlite3_stmt *rows = NULL, *insert = NULL;
    int step = SQLITE_ERROR;
    bool good = true;

    if (sqlite3_prepare_v2(audit->file.handle, "SELECT " AUDIT_COLUMNS " FROM ledger ORDER BY sequence", -1,
                           &rows, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(audit->replay,
                           "INSERT INTO ledger (" AUDIT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                           -1, &insert, NULL) == SQLITE_OK)
        while (good && (step = sqlite3_step(rows)) == SQLITE_ROW)
            good = replay_record(audit, rows, insert);
    if (good && step != SQLITE_DONE)
        find_damage(audit, "ledger");
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(insert);
    return good && step == SQLITE_DONE;
}

/* The other tables --------------------------------------------------------------------------------------- */

/* "SELECT * FROM run ORDER BY id", with the places of the key's columns in the row; freed by the caller. */
static char *select_in_order(struct audit *audit, struct pair *pair)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_stmt *keys = NULL;

    sqlite3_str_appendf(sql, "SELECT * FROM \"%w\" ORDER BY ", pair->table);
    if (sqlite3_prepare_v2(audit->replay, "SELECT name, cid FROM pragma_table_info(?1) WHERE pk ORDER BY pk",
                           -1, &keys, NULL) == SQLITE_OK)
        (void)sqlite3_bind_text(keys, 1, pair->table, -1, SQLITE_STATIC);
    while (keys && pair->key_count < KEY_COLUMNS && sqlite3_step(keys) == SQLITE_ROW) {
        sqlite3_str_appendf(sql, "%s\"%w\"", pair->key_count ? ", " : "", value_text(keys, 0));
        pair->keys[pair->key_count++] = sqlite3_column_int(keys, 1);
    }
    (void)sqlite3_finalize(keys);
    return sqlite3_str_finish(sql);
}

static void compare_table(struct audit *audit, const char *table)
{
    struct pair pair = {.table = table};
    char *sql = select_in_order(audit, &pair);

    if (open_pair(audit, &pair, sql) || compare_rows(audit, &pair, "is missing, but the ledger has it",
                                                     "is there, but the ledger does not have it"))
        find_damage(audit, table);
    close_pair(&pair);
    sqlite3_free(sql);
}

static void compare_tables(struct audit *audit)
{
    sqlite3_stmt *tables = NULL;

    if (sqlite3_prepare_v2(
            audit->replay,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'ledger' ORDER BY name", -1,
            &tables, NULL) == SQLITE_OK)
        while (sqlite3_step(tables) == SQLITE_ROW)
            compare_table(audit, value_text(tables, 0));
    (void)sqlite3_finalize(tables);
}

/* The whole ---------------------------------------------------------------------------------------------- */

static void compare_contents(struct audit *audit)
{
    if (!audit->schema_differs)
        check_integrity(audit);
    lighten_replay(audit);
    if (replay_ledger(audit)) {
        compare_tables(audit);
        audit->report.tables = "compared with what the ledger makes of an empty database";
    } else {
        audit->report.tables = "NOT compared, since the ledger cannot be replayed";
        audit_find(&audit->report.findings, "database", NULL, NULL,
                   "the other tables were not compared, since the ledger cannot be replayed");
    }
}

/* What the daemon wrote beside the database when it made its newest checkpoint, as of before the database was
 * opened. */
struct mark {
    int64_t sequence; /* 0: none */
    uint8_t hash[AUDIT_HASH];
};

static void read_mark(const char *database, struct mark *mark)
{
    char *path = audit_beside(database, "flashfarm.mark"), hash[2 * AUDIT_HASH + 1];
    FILE *file = fopen(path, "re");

    *mark = (struct mark){.sequence = 0};
    if (file && (fscanf(file, "%" SCNd64 " %64[0-9a-f]", &mark->sequence, hash) != 2 ||
                 !audit_hex(hash, strlen(hash), mark->hash)))
        mark->sequence = 0;
    if (file)
        (void)fclose(file);
    free(path);
}

static void check_mark(struct audit *audit, const struct mark *mark)
{
    struct audit_record record = {.hash = NULL};
    sqlite3_stmt *row = NULL;

    if (mark->sequence == 0)
        return;
    if (sqlite3_prepare_v2(audit->file.handle, "SELECT " AUDIT_COLUMNS " FROM ledger WHERE sequence = ?1", -1,
                           &row, NULL) == SQLITE_OK) {
        (void)sqlite3_bind_int64(row, 1, mark->sequence);
        if (sqlite3_step(row) == SQLITE_ROW)
            audit_record_of(row, &record);
    }
    if (!record.hash || memcmp(record.hash, mark->hash, AUDIT_HASH) != 0)
        audit_find_record(
            &audit->report.findings, mark->sequence, "mark",
            "the mark beside the database knows another record there: it has gone back in time");
    (void)sqlite3_finalize(row);
}

static bool wants_tables(const struct audit *audit)
{
    switch (audit->options->projections) {
    case AUDIT_PROJECTIONS_YES:
        return true;
    case AUDIT_PROJECTIONS_NO:
        return false;
    case AUDIT_PROJECTIONS_IF_SMALL:
        break;
    }
    return audit->report.records <= AUDIT_SMALL;
}

static int verify(struct audit *audit, const struct mark *mark, struct error *error)
{
    const struct audit_options *options = audit->options;
    int code = check_version(audit, error);

    if (!code)
        code = open_replay(audit, error);
    if (code)
        return code;
    compare_schema(audit);
    if (!only_tables(audit))
        return 0;
    audit_database_walk(&audit->file, audit->report.key.text[0] ? &audit->report.key : NULL,
                        options->witness ? &options->note : NULL, &audit->report);
    check_mark(audit, mark);
    if (wants_tables(audit))
        compare_contents(audit);
    else
        audit->report.tables = "NOT compared with the ledger (--projections yes)";
    return audit_database_settled(&audit->file, error);
}

int audit_verify(const char *path, const struct audit_options *options, struct audit_report *report,
                 struct error *error)
{
    struct audit audit = {.options = options};
    char *key = audit_beside(path, "flashfarm.pub");
    struct mark mark;
    int code;

    read_mark(path, &mark);
    audit_report_begin(&audit.report, path, "database", options);
    if (!options->public_key && audit_key_find(&audit.report.key, key, error) == 0)
        audit.report.key_from = "flashfarm.pub beside it";
    code = audit_database_open(&audit.file, path, error);
    if (!code)
        code = verify(&audit, &mark, error);
    audit_database_close(&audit.file);
    (void)sqlite3_close(audit.replay);
    free(key);
    *report = audit.report;
    return code;
}
