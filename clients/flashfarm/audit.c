/* SPDX-License-Identifier: Apache-2.0 */
/* How it proceeds: open the file for reading; make a second, empty database of the same version from the
 * migrations that are part of this program; compare the two schemas; walk the ledger once, hashing each
 * record and inserting it into the second database, whose triggers make the other tables from it; compare
 * those. */
#include "audit.h"

#include "embedded.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    APPLICATION_ID = 0x666c6672,
    LISTED = 20,    /* findings that are listed; the rest is counted */
    PER_TABLE = 10, /* differences of one table that are listed */
    HASH_SIZE = 32,
    KEY_COLUMNS = 4,  /* of a primary key, at most */
    FULL_DETAIL = 60, /* characters of a value that are shown */
};

enum { SEQUENCE, UTC_US, MONOTONIC_US, CLOCK, BOOT, KIND, BODY, HASH, LEDGER_COLUMNS };

struct audit {
    const char *path;
    sqlite3 *file;   /* the record as it is */
    sqlite3 *replay; /* what its ledger makes of an empty database */
    struct stat before;
    bool immutable;
    int version;
    bool schema_differs, replaying;
    int64_t records, head;
    unsigned char hash[HASH_SIZE];
    json_t *findings;
    int found;
};

/* Findings ----------------------------------------------------------------------------------------------- */

/* What was tampered with need not be UTF-8; it is shown with its odd bytes replaced. */
static json_t *text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    char *shown;

    if (value)
        return value;
    shown = sqlite3_mprintf("%s", text);
    for (char *byte = shown; byte && *byte; byte++)
        if (*byte < ' ' || *byte > '~')
            *byte = '?';
    value = json_string(shown ? shown : "");
    sqlite3_free(shown);
    return value;
}

/* `key` and `column` may be NULL. Beyond what is listed, findings are only counted. */
static void find(struct audit *audit, const char *table, const char *key, const char *column,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

static void find(struct audit *audit, const char *table, const char *key, const char *column,
                 const char *format, ...)
{
    char message[400];
    va_list arguments;

    audit->found++;
    if (json_array_size(audit->findings) >= LISTED)
        return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)json_array_append_new(audit->findings,
                                json_pack("{s:s, s:o, s:o, s:o}", "table", table, "key", text_or_null(key),
                                          "column", text_or_null(column), "message", text_or_null(message)));
}

static void find_in_ledger(struct audit *audit, int64_t sequence, const char *column, const char *message)
{
    char key[24];

    (void)snprintf(key, sizeof key, "%" PRId64, sequence);
    find(audit, "ledger", key, column, "%s", message);
}

static int fail(sqlite3 *database, struct error *error, const char *what)
{
    return error_set(error, -EIO, "%s: %s", what, sqlite3_errmsg(database));
}

/* Opening ------------------------------------------------------------------------------------------------ */

static int read_integer(sqlite3 *database, const char *sql, int *value, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = 0;

    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) || sqlite3_step(statement) != SQLITE_ROW)
        code = fail(database, error, sql);
    else
        *value = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return code;
}

static bool has_log(const struct audit *audit)
{
    char *path = sqlite3_mprintf("%s-wal", audit->path);
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
static int open_file(struct audit *audit, struct error *error)
{
    char *uri;
    int code;

    if (stat(audit->path, &audit->before))
        return error_set_errno(error, errno, "%s", audit->path);
    audit->immutable = !has_log(audit);
    uri = uri_of(audit->path);
    code = sqlite3_open_v2(audit->immutable ? uri : audit->path, &audit->file,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_free(uri);
    if (code)
        return fail(audit->file, error, audit->path);
    (void)sqlite3_busy_timeout(audit->file, 5000);
    (void)sqlite3_db_config(audit->file, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_exec(audit->file, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; BEGIN", NULL, NULL,
                     NULL))
        return fail(audit->file, error, audit->path);
    return 0;
}

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
    int application = 0, code = read_integer(audit->file, "PRAGMA application_id", &application, error);

    if (!code && application != APPLICATION_ID)
        code = error_set(error, -EINVAL, "%s is not a record of flashfarm", audit->path);
    if (!code)
        code = read_integer(audit->file, "PRAGMA user_version", &audit->version, error);
    if (!code && !find_migration(audit->version))
        code = error_set(error, -EINVAL, "%s has version %d, which this program does not know", audit->path,
                         audit->version);
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
        return fail(audit->replay, error, "replay");
    for (int version = 1; version <= audit->version; version++)
        if (sqlite3_exec(audit->replay, (const char *)find_migration(version)->bytes, NULL, NULL, NULL))
            return fail(audit->replay, error, find_migration(version)->name);
    audit->replaying = true;
    return 0;
}

/* Once the schemas are compared, the replay can do without what only the daemon needs: indexes to look things
 * up, and the rules against writing by hand. That is a third of the time. */
static void lighten_replay(struct audit *audit)
{
    sqlite3_str *drops = sqlite3_str_new(audit->replay);
    sqlite3_stmt *rows = NULL;
    char *sql;

    if (sqlite3_prepare_v2(audit->replay,
                           "SELECT format('DROP %s \"%w\";', type, name) FROM sqlite_schema "
                           "WHERE (type = 'index' AND sql LIKE 'CREATE INDEX %') "
                           "OR (type = 'trigger' AND tbl_name <> 'ledger')",
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
        audit->found++;
        return;
    }
    key_text(pair, row, key, sizeof key);
    find(audit, pair->table, key, column, "%s", message);
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
    if (sqlite3_prepare_v2(audit->file, sql, -1, &pair->file, NULL) ||
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
    find(audit, table, NULL, NULL, "cannot be read: %s", sqlite3_errmsg(audit->file));
}

/* Schema ------------------------------------------------------------------------------------------------- */

static void compare_schema(struct audit *audit)
{
    struct pair pair = {.table = "sqlite_schema", .keys = {0, 1}, .key_count = 2};
    int found = audit->found;

    if (open_pair(audit, &pair, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name") ||
        compare_rows(audit, &pair, "is missing from the schema", "does not belong to the schema"))
        find_damage(audit, pair.table);
    close_pair(&pair);
    audit->schema_differs = audit->found > found;
}

/* A view or a virtual table under the name of a table could answer anything, for ever. */
static bool only_tables(struct audit *audit)
{
    struct error ignored;
    int strangers = 1;

    return read_integer(
               audit->file,
               "SELECT count(*) FROM sqlite_schema WHERE type = 'view' OR (type = 'table' AND rootpage = 0)",
               &strangers, &ignored) == 0 &&
           strangers == 0;
}

static void check_integrity(struct audit *audit)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(audit->file, "PRAGMA integrity_check(10)", -1, &rows, NULL) == SQLITE_OK)
        while ((step = sqlite3_step(rows)) == SQLITE_ROW)
            if (strcmp(value_text(rows, 0), "ok") != 0)
                find(audit, "database", NULL, NULL, "%s", value_text(rows, 0));
    if (step != SQLITE_DONE)
        find_damage(audit, "database");
    (void)sqlite3_finalize(rows);
}

/* The ledger --------------------------------------------------------------------------------------------- */

static void hash_record(sqlite3_stmt *row, unsigned char hash[HASH_SIZE])
{
    crypto_hash_sha256_state state;
    char numbers[72];
    int length =
        snprintf(numbers, sizeof numbers, "%" PRId64 "\n%" PRId64 "\n%" PRId64 "\n",
                 (int64_t)sqlite3_column_int64(row, SEQUENCE), (int64_t)sqlite3_column_int64(row, UTC_US),
                 (int64_t)sqlite3_column_int64(row, MONOTONIC_US));

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, hash, HASH_SIZE);
    (void)crypto_hash_sha256_update(&state, (const unsigned char *)numbers, (unsigned long long)length);
    for (int column = CLOCK; column <= BODY; column++) {
        const unsigned char *text = sqlite3_column_text(row, column);
        int size = sqlite3_column_bytes(row, column);

        (void)crypto_hash_sha256_update(&state, text, (unsigned long long)size);
        if (column != BODY)
            (void)crypto_hash_sha256_update(&state, (const unsigned char *)"\n", 1);
    }
    (void)crypto_hash_sha256_final(&state, hash);
}

/* After a break the chain is taken up again from what is stored, so that each break is told once. */
static void check_hash(struct audit *audit, sqlite3_stmt *row)
{
    hash_record(row, audit->hash);
    if (sqlite3_column_bytes(row, HASH) == HASH_SIZE &&
        memcmp(sqlite3_column_blob(row, HASH), audit->hash, HASH_SIZE) == 0)
        return;
    find_in_ledger(audit, audit->head, "hash",
                   "the record is not the one that was hashed on top of the one before");
    if (sqlite3_column_bytes(row, HASH) == HASH_SIZE)
        memcpy(audit->hash, sqlite3_column_blob(row, HASH), HASH_SIZE);
}

static void check_sequence(struct audit *audit, sqlite3_stmt *row)
{
    int64_t sequence = sqlite3_column_int64(row, SEQUENCE);
    char message[96];

    if (sequence != audit->head + 1) {
        (void)snprintf(message, sizeof message, "the record before it is %" PRId64 ": there is a gap",
                       audit->head);
        find_in_ledger(audit, sequence, "sequence", message);
        audit->replaying = false;
    }
    audit->head = sequence;
}

static void replay_record(struct audit *audit, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    char message[200];

    for (int column = 0; column < LEDGER_COLUMNS; column++)
        (void)sqlite3_bind_value(insert, column + 1, sqlite3_column_value(row, column));
    if (sqlite3_step(insert) != SQLITE_DONE) {
        (void)snprintf(message, sizeof message, "could not have been appended: %.150s",
                       sqlite3_errmsg(audit->replay));
        find_in_ledger(audit, audit->head, "kind", message);
        audit->replaying = false;
    }
    (void)sqlite3_reset(insert);
}

static void check_record(struct audit *audit, sqlite3_stmt *row, sqlite3_stmt *insert)
{
    audit->records++;
    check_sequence(audit, row);
    if (audit->replaying)
        replay_record(audit, row, insert);
    check_hash(audit, row);
}

static void walk_ledger(struct audit *audit)
{
    sqlite3_stmt *rows = NULL, *insert = NULL;
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(audit->file,
                           "SELECT sequence, utc_us, monotonic_us, clock, boot, kind, body, hash FROM ledger "
                           "ORDER BY sequence",
                           -1, &rows, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(
            audit->replay,
            "INSERT INTO ledger (sequence, utc_us, monotonic_us, clock, boot, kind, body, hash) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            -1, &insert, NULL) == SQLITE_OK)
        while ((step = sqlite3_step(rows)) == SQLITE_ROW)
            check_record(audit, rows, insert);
    if (step != SQLITE_DONE) {
        find_damage(audit, "ledger");
        audit->replaying = false;
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(insert);
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

/* Report ------------------------------------------------------------------------------------------------- */

static void hash_text(const struct audit *audit, char text[2 * HASH_SIZE + 1])
{
    (void)sodium_bin2hex(text, 2 * HASH_SIZE + 1, audit->hash, HASH_SIZE);
}

static void print_json(const struct audit *audit, FILE *out)
{
    char hash[2 * HASH_SIZE + 1];
    json_t *report;

    hash_text(audit, hash);
    report = json_pack("{s:s, s:I, s:I, s:s, s:O, s:i, s:b}", "file", audit->path, "records",
                       (json_int_t)audit->records, "head", (json_int_t)audit->head, "hash", hash, "findings",
                       audit->findings, "found", audit->found, "ok", audit->found == 0);
    (void)json_dumpf(report, out, JSON_INDENT(2));
    (void)fputc('\n', out);
    json_decref(report);
}

static const char *member(const json_t *finding, const char *key)
{
    const char *text = json_string_value(json_object_get(finding, key));

    return text ? text : "";
}

static void print_lines(const struct audit *audit, FILE *out)
{
    const json_t *finding;
    char hash[2 * HASH_SIZE + 1];
    size_t index;

    hash_text(audit, hash);
    json_array_foreach (audit->findings, index, finding) {
        (void)fprintf(out, "%s", member(finding, "table"));
        if (*member(finding, "key"))
            (void)fprintf(out, " %s", member(finding, "key"));
        if (*member(finding, "column"))
            (void)fprintf(out, ", %s", member(finding, "column"));
        (void)fprintf(out, ": %s\n", member(finding, "message"));
    }
    if ((size_t)audit->found > json_array_size(audit->findings))
        (void)fprintf(out, "and %zu findings more\n",
                      (size_t)audit->found - json_array_size(audit->findings));
    (void)fprintf(out, "%s: %" PRId64 " records, the last is %" PRId64 "\n  hash %s\n", audit->path,
                  audit->records, audit->head, hash);
    if (audit->found)
        (void)fprintf(out, "NOT in order: %d findings\n", audit->found);
    else
        (void)fputs(
            "in order: chain, schema and every table agree. A record that was cut off at its end shows only\n"
            "against a sequence and hash that were noted earlier.\n",
            out);
}

/* The whole ---------------------------------------------------------------------------------------------- */

static void compare_contents(struct audit *audit)
{
    if (!audit->schema_differs)
        check_integrity(audit);
    lighten_replay(audit);
    walk_ledger(audit);
    if (audit->replaying)
        compare_tables(audit);
    else
        find(audit, "database", NULL, NULL,
             "the other tables were not compared, since the ledger cannot be replayed");
}

static int verify(struct audit *audit, struct error *error)
{
    struct stat after;
    int code = open_file(audit, error);

    if (!code)
        code = check_version(audit, error);
    if (!code)
        code = open_replay(audit, error);
    if (code)
        return code;
    compare_schema(audit);
    if (only_tables(audit))
        compare_contents(audit);
    if (audit->immutable && (stat(audit->path, &after) || after.st_mtime != audit->before.st_mtime ||
                             after.st_size != audit->before.st_size || has_log(audit)))
        return error_set(error, -EAGAIN, "%s was being written meanwhile; verify once more", audit->path);
    return 0;
}

int audit_verify(const char *path, FILE *out, bool json, struct error *error)
{
    struct audit audit = {.path = path, .findings = json_array()};
    int code =
        sodium_init() < 0 ? error_set(error, -EIO, "libsodium cannot be initialised") : verify(&audit, error);

    if (!code && json)
        print_json(&audit, out);
    else if (!code)
        print_lines(&audit, out);
    json_decref(audit.findings);
    (void)sqlite3_close(audit.file);
    (void)sqlite3_close(audit.replay);
    return code ? code : audit.found;
}
