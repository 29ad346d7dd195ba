/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_bundle.h"

#include "audit.h"
#include "audit_database.h"
#include "audit_lines.h"
#include "audit_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char preface[] =
    "flashfarm-bundle 1\n"
    "# The record of a daemon that programs boards, each fact of it in the order in which it was written.\n"
    "# Lines are a word and its values with one tab between them:\n"
    "#   key     ORIGIN+KEYID+KEY of the Ed25519 key that signs (C2SP signed-note, a verifier key)\n"
    "#   record  sequence, UTC and monotonic time in microseconds, clock, boot id, kind, hash, body\n"
    "#   end     how many records\n"
    "# hash = SHA-256(hash before it, sequence LF utc LF monotonic LF clock LF boot LF kind LF body), in\n"
    "# hexadecimal digits here and 32 bytes there; 32 zero bytes come before the first.\n"
    "# A record of kind ledger.checkpoint has in its body the root of the RFC 6962 tree whose leaves are "
    "the\n"
    "# hashes of all records before it, and a note with that root and the signature (C2SP tlog-checkpoint).\n"
    "# The last record is one. `flashfarm audit check FILE --public-key KEY` checks all of this.\n";

int audit_bundle_begin(struct audit_bundle *bundle, FILE *out, const char *key, struct error *error)
{
    *bundle = (struct audit_bundle){.out = out};
    if (fprintf(out, "%skey\t%s\n", preface, key) < 0)
        return error_set_errno(error, errno, "writing");
    return 0;
}

int audit_bundle_add(struct audit_bundle *bundle, const struct audit_record *record, struct error *error)
{
    bundle->records++;
    return audit_lines_write_record(bundle->out, record, error);
}

int audit_bundle_end(struct audit_bundle *bundle, struct error *error)
{
    if (fprintf(bundle->out, "end\t%" PRId64 "\n", bundle->records) < 0 || fflush(bundle->out))
        return error_set_errno(error, errno, "writing");
    return 0;
}

/* From a database -----------------------------------------------------------------------------------------
 */

static int copy_records(sqlite3 *handle, int64_t last, struct audit_bundle *bundle, struct error *error)
{
    sqlite3_stmt *rows = NULL;
    int code = 0, step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(handle,
                           "SELECT " AUDIT_COLUMNS " FROM ledger WHERE sequence <= ?1 ORDER BY sequence", -1,
                           &rows, NULL) == SQLITE_OK)
        (void)sqlite3_bind_int64(rows, 1, last);
    while (!code && rows && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct audit_record record;

        audit_record_of(rows, &record);
        code = audit_bundle_add(bundle, &record, error);
    }
    if (!code && step != SQLITE_DONE)
        code = audit_sqlite_fail(handle, "ledger", error);
    (void)sqlite3_finalize(rows);
    return code;
}

int audit_bundle_of_database(const char *path, const char *key, FILE *out, int64_t *left, struct error *error)
{
    struct audit_database database;
    struct audit_bundle bundle;
    int64_t last = 0, head = 0;
    int code = audit_database_open(&database, path, error);

    if (!code)
        code = audit_integer(database.handle, "SELECT coalesce(max(fact), 0) FROM checkpoint", &last, error);
    if (!code)
        code = audit_integer(database.handle, "SELECT coalesce(max(sequence), 0) FROM ledger", &head, error);
    if (!code && last == 0)
        code = error_set(error, -EINVAL, "%s has no checkpoint: nothing in it is signed", path);
    if (!code)
        code = audit_bundle_begin(&bundle, out, key, error);
    if (!code)
        code = copy_records(database.handle, last, &bundle, error);
    if (!code)
        code = audit_bundle_end(&bundle, error);
    if (!code)
        code = audit_database_settled(&database, error);
    audit_database_close(&database);
    *left = head - last;
    return code;
}

/* Checking ------------------------------------------------------------------------------------------------
 */

static void find_line(struct audit_report *report, const struct audit_lines *lines, const char *message)
{
    char key[24];

    (void)snprintf(key, sizeof key, "%" PRId64, lines->number);
    audit_find(&report->findings, "line", key, NULL, "%s", message);
}

/* Word for word: what a reader is told of the rest must be what the writer has told. */
static bool check_preface(struct audit_lines *lines, struct audit_report *report)
{
    for (const char *line = preface; *line; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");

        if (!audit_lines_next(lines) || !lines->whole || lines->length != size ||
            memcmp(lines->line, line, size) != 0) {
            find_line(report, lines, "is not what stands at the beginning of a bundle");
            return false;
        }
    }
    return true;
}

static bool check_key(struct audit_lines *lines, struct audit_report *report)
{
    const char *text = audit_lines_next(lines) ? audit_lines_value(lines, "key") : NULL;
    struct audit_key key;
    struct error error = ERROR_NONE;

    if (!text || audit_key_parse(&key, text, &error)) {
        find_line(report, lines, text ? error.text : "is not the line of the public key");
        return false;
    }
    if (report->key.text[0] && strcmp(report->key.text, key.text) != 0) {
        find_line(report, lines, "is another public key than the one that was given");
        return false;
    }
    if (!report->key.text[0])
        report->key_from = "the bundle itself";
    report->key = key;
    return true;
}

/* False when the rest cannot be read. */
static bool check_line(const struct audit_lines *lines, struct audit_walk *walk, bool *ended,
                       struct audit_report *report)
{
    const char *count = audit_lines_value(lines, "end");
    struct audit_record record;
    uint8_t hash[AUDIT_HASH];
    int64_t records;

    if (*ended) {
        find_line(report, lines, "stands behind the end");
        return false;
    }
    if (count) {
        *ended = true;
        if (audit_number(count, strlen(count), &records) && records == walk->records)
            return true;
        find_line(report, lines, "does not count the records that are there");
        return false;
    }
    if (!audit_lines_record(lines, &record, hash)) {
        find_line(report, lines, "is neither a record nor the end");
        return false;
    }
    audit_walk_take(walk, &record);
    return true;
}

static void check_lines(struct audit_lines *lines, struct audit_walk *walk, struct audit_report *report)
{
    bool ended = false, good = true;

    while (good && audit_lines_next(lines))
        good = check_line(lines, walk, &ended, report);
    if (good && !ended)
        find_line(report, lines, "is the last one: the end is missing");
    walk->broken = walk->broken || !good;
}

int audit_check_bundle(const char *path, const struct audit_options *options, struct audit_report *report,
                       struct error *error)
{
    struct audit_lines lines = {.file = fopen(path, "re")};
    struct audit_walk walk = {.witness = options->witness ? &options->note : NULL};

    audit_report_begin(report, path, "bundle", options);
    if (!lines.file)
        return error_set_errno(error, errno, "%s", path);
    if (check_preface(&lines, report) && check_key(&lines, report)) {
        walk.key = &report->key;
        check_lines(&lines, &walk, report);
        audit_walk_join(&walk, 1, report);
        if (!walk.broken && (report->checkpoints == 0 || report->covered + 1 != report->head))
            audit_find_record(&report->findings, report->head, "checkpoint",
                              "is the last record, and not a checkpoint that covers all others");
    }
    audit_walk_clear(&walk);
    audit_lines_clear(&lines);
    (void)fclose(lines.file);
    return 0;
}
