/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_report.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 20 };

/* What was tampered with need not be UTF-8; it is shown with its odd bytes replaced. */
static json_t *text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    char *shown;

    if (value)
        return value;
    shown = strdup(text);
    for (char *byte = shown; byte && *byte; byte++)
        if (*byte < ' ' || *byte > '~')
            *byte = '?';
    value = json_string(shown ? shown : "");
    free(shown);
    return value;
}

static void add(struct audit_findings *findings, const char *table, const char *key, const char *column,
                const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

static void add(struct audit_findings *findings, const char *table, const char *key, const char *column,
                const char *format, va_list arguments)
{
    char message[400];

    findings->found++;
    if (!findings->list)
        findings->list = json_array();
    if (json_array_size(findings->list) >= LISTED)
        return;
    (void)vsnprintf(message, sizeof message, format, arguments);
    (void)json_array_append_new(findings->list,
                                json_pack("{s:s, s:o, s:o, s:o}", "table", table, "key", text_or_null(key),
                                          "column", text_or_null(column), "message", text_or_null(message)));
}

void audit_find(struct audit_findings *findings, const char *table, const char *key, const char *column,
                const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(findings, table, key, column, format, arguments);
    va_end(arguments);
}

void audit_find_record(struct audit_findings *findings, int64_t sequence, const char *column,
                       const char *format, ...)
{
    va_list arguments;
    char key[24];

    (void)snprintf(key, sizeof key, "%" PRId64, sequence);
    va_start(arguments, format);
    add(findings, "ledger", key, column, format, arguments);
    va_end(arguments);
}

void audit_findings_move(struct audit_findings *from, struct audit_findings *to)
{
    json_t *finding;
    size_t index;

    if (!to->list)
        to->list = json_array();
    json_array_foreach (from->list, index, finding)
        if (json_array_size(to->list) < LISTED)
            (void)json_array_append(to->list, finding);
    to->found += from->found;
    audit_findings_clear(from);
}

void audit_findings_clear(struct audit_findings *findings)
{
    json_decref(findings->list);
    *findings = (struct audit_findings){.list = NULL};
}

/* Printing ------------------------------------------------------------------------------------------------
 */

static void hash_text(const struct audit_report *report, char text[2 * AUDIT_HASH + 1])
{
    (void)sodium_bin2hex(text, 2 * AUDIT_HASH + 1, report->hash, AUDIT_HASH);
}

static void print_json(const struct audit_report *report, FILE *out)
{
    char hash[2 * AUDIT_HASH + 1];
    json_t *body, *findings = report->findings.list ? json_incref(report->findings.list) : json_array();

    hash_text(report, hash);
    body = json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:s?, s:s?, s:s?, s:O?, s:o, s:i, s:b}", "file",
                     report->path, "what", report->what, "records", (json_int_t)report->records, "head",
                     (json_int_t)report->head, "hash", hash, "checkpoints", (json_int_t)report->checkpoints,
                     "covered", (json_int_t)report->covered, "key",
                     report->key.text[0] ? report->key.text : NULL, "key_from", report->key_from, "tables",
                     report->tables, "history", report->history, "findings", findings, "found",
                     report->findings.found, "ok", report->findings.found == 0);
    (void)json_dumpf(body, out, JSON_INDENT(2));
    (void)fputc('\n', out);
    json_decref(body);
}

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void print_finding(const json_t *finding, FILE *out)
{
    (void)fprintf(out, "%s", member(finding, "table"));
    if (*member(finding, "key"))
        (void)fprintf(out, " %s", member(finding, "key"));
    if (*member(finding, "column"))
        (void)fprintf(out, ", %s", member(finding, "column"));
    (void)fprintf(out, ": %s\n", member(finding, "message"));
}

static void print_history(const struct audit_report *report, FILE *out)
{
    const json_t *run;
    size_t index;

    json_array_foreach (report->history, index, run)
        (void)fprintf(out, "  run %" PRId64 "  %s  station %s  %s  %s\n",
                      (int64_t)json_integer_value(json_object_get(run, "id")), member(run, "started"),
                      member(run, "station"), *member(run, "outcome") ? member(run, "outcome") : "open",
                      member(run, "uid"));
}

static void print_signatures(const struct audit_report *report, FILE *out)
{
    if (report->checkpoints == 0)
        (void)fputs("  no checkpoint: nothing is signed\n", out);
    else
        (void)fprintf(out, "  %" PRId64 " checkpoints, the last covers records 1 to %" PRId64 "\n",
                      report->checkpoints, report->covered);
    if (report->checkpoints == 0)
        return;
    if (!report->key.text[0])
        (void)fputs("  signatures were NOT checked: no public key (--public-key FILE|KEY)\n", out);
    else
        (void)fprintf(out, "  checked with %s%s%s%s\n", report->key.text, report->key_from ? " from " : "",
                      report->key_from ? report->key_from : "",
                      report->key_from ? ": know it from elsewhere, or it proves nothing" : "");
}

static void print_lines(const struct audit_report *report, FILE *out)
{
    const json_t *finding;
    char hash[2 * AUDIT_HASH + 1];
    size_t index, listed = json_array_size(report->findings.list);

    hash_text(report, hash);
    json_array_foreach (report->findings.list, index, finding)
        print_finding(finding, out);
    if ((size_t)report->findings.found > listed)
        (void)fprintf(out, "and %zu findings more\n", (size_t)report->findings.found - listed);
    (void)fprintf(out, "%s: %s, %" PRId64 " records, the last is %" PRId64 "\n  hash %s\n", report->path,
                  report->what, report->records, report->head, hash);
    print_signatures(report, out);
    print_history(report, out);
    if (report->tables)
        (void)fprintf(out, "  tables: %s\n", report->tables);
    if (report->findings.found)
        (void)fprintf(out, "NOT in order: %d findings\n", report->findings.found);
    else
        (void)fputs("in order\n", out);
}

void audit_report_print(const struct audit_report *report, FILE *out, bool json)
{
    if (json)
        print_json(report, out);
    else
        print_lines(report, out);
}

void audit_report_clear(struct audit_report *report)
{
    json_decref(report->history);
    audit_findings_clear(&report->findings);
}
