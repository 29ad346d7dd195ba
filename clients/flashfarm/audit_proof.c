/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_proof.h"

#include "alloc.h"
#include "audit.h"
#include "audit_lines.h"
#include "audit_text.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char preface[] =
    "flashfarm-proof 1\n"
    "# What the record of a daemon that programs boards says of one serial, with proof that it says so.\n"
    "# Lines are a word and its values with one tab between them:\n"
    "#   serial    of the unit\n"
    "#   key       ORIGIN+KEYID+KEY of the Ed25519 key that signs (C2SP signed-note, a verifier key)\n"
    "#   record    sequence, UTC and monotonic time in microseconds, clock, boot id, kind, hash, body\n"
    "#   previous  the hash of the record before it\n"
    "#   path      a hash of the way from the record to the root, the lowest first (RFC 6962, 2.1.1)\n"
    "#   note      behind it stands the signed checkpoint (C2SP tlog-checkpoint)\n"
    "# hash = SHA-256(previous, sequence LF utc LF monotonic LF clock LF boot LF kind LF body), in "
    "hexadecimal\n"
    "# digits here and 32 bytes there. It is the data of leaf (sequence - 1) of the tree.\n"
    "# `flashfarm audit check FILE --public-key KEY` checks all of this.\n";

/* Writing -------------------------------------------------------------------------------------------------
 */

static int written(bool good, struct error *error)
{
    return good ? 0 : error_set_errno(error, errno, "writing");
}

int audit_proof_begin(struct audit_proof *proof, FILE *out, const char *serial, const char *key,
                      struct error *error)
{
    *proof = (struct audit_proof){.out = out};
    return written(fprintf(out, "%sserial\t%s\nkey\t%s\n", preface, serial, key) > 0, error);
}

static bool write_hash(FILE *out, const char *word, const uint8_t hash[AUDIT_HASH])
{
    char text[2 * AUDIT_HASH + 1];

    (void)sodium_bin2hex(text, sizeof text, hash, AUDIT_HASH);
    return fprintf(out, "%s\t%s\n", word, text) > 0;
}

int audit_proof_add(struct audit_proof *proof, const struct audit_record *record,
                    const uint8_t previous[AUDIT_HASH], uint8_t (*path)[AUDIT_HASH], int count,
                    struct error *error)
{
    int code = audit_lines_write_record(proof->out, record, error);
    bool good = !code && write_hash(proof->out, "previous", previous);

    for (int i = 0; good && i < count; i++)
        good = write_hash(proof->out, "path", path[i]);
    return code ? code : written(good, error);
}

int audit_proof_end(struct audit_proof *proof, const char *note, struct error *error)
{
    return written(fprintf(proof->out, "note\n%s", note) > 0 && fflush(proof->out) == 0, error);
}

/* Checking ------------------------------------------------------------------------------------------------
 */

/* One record and its way; the note comes last, so that the ways are kept until then. */
struct proven {
    int64_t sequence, line;
    uint8_t hash[AUDIT_HASH];
    uint8_t path[AUDIT_LEVELS][AUDIT_HASH];
    int count;
    bool whole; /* its previous hash was there, and fits */
};

struct checking {
    struct audit_lines lines;
    struct audit_report *report;
    char *serial;
    struct proven *records;
    size_t count;
    char note[2048];
};

static void find(struct checking *checking, const char *message)
{
    char key[24];

    (void)snprintf(key, sizeof key, "%" PRId64, checking->lines.number);
    audit_find(&checking->report->findings, "line", key, NULL, "%s", message);
}

static bool check_preface(struct checking *checking)
{
    for (const char *line = preface; *line; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");

        if (!audit_lines_next(&checking->lines) || !checking->lines.whole || checking->lines.length != size ||
            memcmp(checking->lines.line, line, size) != 0) {
            find(checking, "is not what stands at the beginning of a proof");
            return false;
        }
    }
    return true;
}

static bool check_head(struct checking *checking)
{
    struct audit_report *report = checking->report;
    const char *text =
        audit_lines_next(&checking->lines) ? audit_lines_value(&checking->lines, "serial") : NULL;
    struct audit_key key;
    struct error error = ERROR_NONE;

    if (!text) {
        find(checking, "is not the line of the serial");
        return false;
    }
    checking->serial = copy_text(text);
    text = audit_lines_next(&checking->lines) ? audit_lines_value(&checking->lines, "key") : NULL;
    if (!text || audit_key_parse(&key, text, &error)) {
        find(checking, text ? error.text : "is not the line of the public key");
        return false;
    }
    if (report->key.text[0] && strcmp(report->key.text, key.text) != 0) {
        find(checking, "is another public key than the one that was given");
        return false;
    }
    if (!report->key.text[0])
        report->key_from = "the proof itself";
    report->key = key;
    return true;
}

bool audit_proof_names(const json_t *body, const char *serial)
{
    const char *text = json_string_value(json_object_get(body, "serial"));
    const json_t *number;
    size_t index;

    if (text && strcmp(text, serial) == 0)
        return true;
    json_array_foreach (json_object_get(body, "numbers"), index, number) {
        text = json_string_value(json_object_get(number, "text"));
        if (text && strcmp(text, serial) == 0)
            return true;
    }
    return false;
}

static json_t *find_run(const json_t *history, json_int_t id)
{
    json_t *run;
    size_t index;

    json_array_foreach (history, index, run)
        if (json_integer_value(json_object_get(run, "id")) == id)
            return run;
    return NULL;
}

static void copy_member(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (json_is_string(value) || json_is_integer(value))
        (void)json_object_set(to, key, value);
}

/* What a record says of a run: a start that names the serial, or the end of such a run. */
static const char *tell_run(struct checking *checking, const char *kind, size_t size, const json_t *body)
{
    static const char *const members[] = {"id", "started", "station", "uid", "ended", "outcome", "class"};
    json_t *history = checking->report->history;
    json_t *run = find_run(history, json_integer_value(json_object_get(body, "id")));
    bool starts = size == 11 && memcmp(kind, "run.started", 11) == 0;

    if (!starts && (size != 9 || memcmp(kind, "run.ended", 9) != 0))
        return "is a record of something else than a run";
    if (starts && (run || !audit_proof_names(body, checking->serial)))
        return "is a record of another serial, or of a run that is told already";
    if (!starts && (!run || json_object_get(run, "outcome")))
        return "is the end of a run whose start is not there";
    if (starts) {
        run = json_object();
        (void)json_array_append_new(history, run);
    }
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        copy_member(run, body, members[i]);
    return NULL;
}

/* The record, and the hash before it in the line behind. */
static bool take_record(struct checking *checking)
{
    struct audit_record record;
    struct proven *proven;
    uint8_t hash[AUDIT_HASH], previous[AUDIT_HASH], made[AUDIT_HASH];
    const char *text, *trouble;
    struct audit_lines line = checking->lines; /* the record's texts stand in it */
    json_t *body;

    if (!audit_lines_record(&line, &record, hash)) {
        find(checking, "is neither a record nor the note");
        return false;
    }
    body = json_loadb(record.texts[AUDIT_BODY].text, record.texts[AUDIT_BODY].size, 0, NULL);
    trouble = tell_run(checking, record.texts[AUDIT_KIND].text, record.texts[AUDIT_KIND].size, body);
    json_decref(body);
    if (trouble)
        find(checking, trouble);
    checking->records = reallocate(checking->records, checking->count + 1, sizeof *checking->records);
    proven = &checking->records[checking->count++];
    *proven = (struct proven){.sequence = record.sequence, .line = line.number};
    memcpy(proven->hash, hash, AUDIT_HASH);
    /* A buffer of its own for the next line, as the record still points into this one. */
    checking->lines.line = NULL;
    checking->lines.room = 0;
    text = audit_lines_next(&checking->lines) ? audit_lines_value(&checking->lines, "previous") : NULL;
    if (text && strlen(text) == AUDIT_DIGITS && audit_hex(text, AUDIT_DIGITS, previous)) {
        audit_record_hash(&record, previous, made);
        proven->whole = memcmp(made, hash, AUDIT_HASH) == 0;
    }
    free(line.line);
    if (!proven->whole)
        audit_find_record(&checking->report->findings, proven->sequence, "hash",
                          "the record is not the one that was hashed on top of the one before");
    return text != NULL;
}

static bool take_path(struct checking *checking, const char *text)
{
    struct proven *proven = checking->count ? &checking->records[checking->count - 1] : NULL;

    if (!proven || proven->count == AUDIT_LEVELS || strlen(text) != AUDIT_DIGITS ||
        !audit_hex(text, AUDIT_DIGITS, proven->path[proven->count])) {
        find(checking, "is not a hash of a way to the root");
        return false;
    }
    proven->count++;
    return true;
}

static bool take_note(struct checking *checking)
{
    size_t size = fread(checking->note, 1, sizeof checking->note - 1, checking->lines.file);

    checking->note[size] = '\0';
    return strlen(checking->note) == size && feof(checking->lines.file);
}

static bool check_lines(struct checking *checking)
{
    while (audit_lines_next(&checking->lines)) {
        const char *path = audit_lines_value(&checking->lines, "path");

        if (checking->lines.whole && strcmp(checking->lines.line, "note") == 0)
            return take_note(checking);
        if (path ? !take_path(checking, path) : !take_record(checking))
            return false;
    }
    find(checking, "is the last one: the note is missing");
    return false;
}

static void check_ways(struct checking *checking)
{
    struct audit_report *report = checking->report;
    struct audit_note note;
    struct error error = ERROR_NONE;

    if (audit_note_read(&note, checking->note, &report->key, &error)) {
        audit_find(&report->findings, "note", NULL, NULL, "%s", error.text);
        return;
    }
    report->checkpoints = 1;
    report->covered = note.size;
    for (size_t i = 0; i < checking->count; i++) {
        struct proven *proven = &checking->records[i];

        report->records++;
        report->head = proven->sequence;
        memcpy(report->hash, proven->hash, AUDIT_HASH);
        if (!audit_tree_includes(proven->hash, proven->sequence - 1, note.size, proven->path, proven->count,
                                 note.root))
            audit_find_record(&report->findings, proven->sequence, "path",
                              "the way does not lead to the root that is signed");
    }
    if (checking->count == 0)
        audit_find(&report->findings, "note", NULL, NULL, "no record is proven");
}

int audit_check_proof(const char *path, const struct audit_options *options, struct audit_report *report,
                      struct error *error)
{
    struct checking checking = {.lines = {.file = fopen(path, "re")}, .report = report};

    audit_report_begin(report, path, "proof", options);
    if (!checking.lines.file)
        return error_set_errno(error, errno, "%s", path);
    report->history = json_array();
    if (check_preface(&checking) && check_head(&checking) && check_lines(&checking))
        check_ways(&checking);
    else if (report->findings.found == 0)
        find(&checking, "is not as it should be");
    free(checking.serial);
    free(checking.records);
    audit_lines_clear(&checking.lines);
    (void)fclose(checking.lines.file);
    return 0;
}
