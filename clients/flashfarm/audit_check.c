/* SPDX-License-Identifier: Apache-2.0 */
/* What all audits share: what was given, and which audit a file wants. */
#include "alloc.h"
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_witness(struct audit_options *options, struct error *error)
{
    FILE *file = fopen(options->witness, "re");
    const struct audit_key *key = options->key.text[0] ? &options->key : NULL;
    char text[2048] = "";
    int code;

    if (!file)
        return error_set_errno(error, errno, "%s", options->witness);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    code = audit_note_read(&options->note, text, key, error);
    return code ? error_prefix(error, "%s", options->witness) : 0;
}

int audit_options_read(struct audit_options *options, struct error *error)
{
    int code = 0;

    if (options->public_key)
        code = audit_key_find(&options->key, options->public_key, error);
    if (!code && options->witness)
        code = read_witness(options, error);
    return code;
}

void audit_report_begin(struct audit_report *report, const char *path, const char *what,
                        const struct audit_options *options)
{
    *report = (struct audit_report){.path = path, .what = what};
    if (options->public_key)
        report->key = options->key;
}

char *audit_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    return slash ? format_text("%.*s/%s", (int)(slash - path), path, name) : copy_text(name);
}

int audit_check(const char *path, const struct audit_options *options, struct audit_report *report,
                struct error *error)
{
    FILE *file = fopen(path, "re");
    char first[20] = "";

    if (!file)
        return error_set_errno(error, errno, "%s", path);
    first[fread(first, 1, sizeof first - 1, file)] = '\0';
    (void)fclose(file);
    if (strncmp(first, "SQLite format 3", 15) == 0)
        return audit_verify(path, options, report, error);
    if (strncmp(first, "flashfarm-proof", 15) == 0)
        return audit_check_proof(path, options, report, error);
    return audit_check_bundle(path, options, report, error);
}
