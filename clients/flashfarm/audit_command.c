/* SPDX-License-Identifier: Apache-2.0 */
/* `flashfarm audit`: what the words of the command line ask of audit.h, audit_bundle.h and audit_fetch.h. */
#include "commands.h"

#include "alloc.h"
#include "audit.h"
#include "audit_bundle.h"
#include "audit_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_options(const struct options *options, struct audit_options *audit, struct error *error)
{
    const char *projections = options_value(options, OPTION_PROJECTIONS);

    *audit = (struct audit_options){.public_key = options_value(options, OPTION_PUBLIC_KEY),
                                    .witness = options_value(options, OPTION_WITNESS)};
    if (projections && strcmp(projections, "yes") == 0)
        audit->projections = AUDIT_PROJECTIONS_YES;
    else if (projections && strcmp(projections, "no") == 0)
        audit->projections = AUDIT_PROJECTIONS_NO;
    else if (projections)
        return error_set(error, -EINVAL, "--projections is '%s'; expected yes or no", projections);
    return audit_options_read(audit, error);
}

/* `verify` or `check`. */
static int run_check(const struct options *options, bool only_database, struct error *error)
{
    struct audit_options audit;
    struct audit_report report = {.path = NULL};
    const char *path = options->words[2];
    int code = read_options(options, &audit, error);

    if (!code && only_database)
        code = audit_verify(path, &audit, &report, error);
    else if (!code)
        code = audit_check(path, &audit, &report, error);
    if (!code) {
        audit_report_print(&report, stdout, options_value(options, OPTION_JSON) != NULL);
        code = report.findings.found ? EXIT_NOT_VERIFIED : EXIT_OK;
    }
    audit_report_clear(&report);
    return code;
}

/* Evidence does not replace evidence: the file must be new. One that could not be finished is no evidence. */
static FILE *create(const char *path, struct error *error)
{
    FILE *file = fopen(path, "wxe");

    if (!file)
        (void)error_set_errno(error, errno, "%s", path);
    return file;
}

static int finish(FILE *file, const char *path, int code, struct error *error)
{
    if (fclose(file) && !code)
        code = error_set_errno(error, errno, "%s", path);
    if (code < 0)
        (void)unlink(path);
    else
        (void)fprintf(stderr, "%s is written\n", path);
    return code;
}

static int export_database(const struct options *options, FILE *out, struct error *error)
{
    const char *given = options_value(options, OPTION_PUBLIC_KEY), *database = options->words[2];
    char *beside = audit_beside(database, "flashfarm.pub");
    struct audit_key key;
    int64_t left = 0;
    int code = audit_key_find(&key, given ? given : beside, error);

    if (code)
        (void)error_prefix(error, "the public key is to go into the bundle (--public-key FILE|KEY)");
    else
        code = audit_bundle_of_database(database, key.text, out, &left, error);
    if (!code && left > 0)
        (void)fprintf(
            stderr, "the last %" PRId64 " records are not in the bundle: no checkpoint covers them\n", left);
    free(beside);
    return code;
}

static int run_export(struct server *server, const struct options *options, struct error *error)
{
    bool from_file = options->word_count == 4;
    const char *path = options->words[options->word_count - 1];
    int code = from_file ? 0 : server_find(server, options, error);
    FILE *out = code ? NULL : create(path, error);

    if (!out)
        return error->code;
    code = from_file ? export_database(options, out, error) : audit_fetch_bundle(server, out, error);
    return finish(out, path, code, error);
}

static int run_prove(struct server *server, const struct options *options, struct error *error)
{
    const char *serial = options->words[2];
    char *path = options->word_count == 4 ? copy_text(options->words[3]) : format_text("%s.proof", serial);
    int code = server_find(server, options, error);
    FILE *out = NULL;

    for (char *c = options->word_count == 4 ? NULL : strchr(path, '/'); c; c = strchr(c, '/'))
        *c = '_';
    if (!code)
        out = create(path, error);
    if (out)
        code = finish(out, path, audit_fetch_proof(server, serial, out, error), error);
    free(path);
    return out ? code : error->code;
}

/* `key` or `checkpoint`: what an auditor writes down to compare with later; into a new file, or to be seen.
 */
static int run_note(struct server *server, const struct options *options, bool key, struct error *error)
{
    const char *path = options->word_count == 3 ? options->words[2] : NULL;
    int code = server_find(server, options, error);
    FILE *out = path && !code ? create(path, error) : stdout;

    if (!out)
        return error->code;
    if (!code)
        code = audit_fetch_note(server, key, out, error);
    return path && out != stdout ? finish(out, path, code, error) : code;
}

int command_audit(struct server *server, const struct options *options, struct error *error)
{
    const char *verb = options->words[1];

    if (options->word_count >= 3 && strcmp(verb, "export") == 0)
        return run_export(server, options, error);
    if (options->word_count >= 3 && strcmp(verb, "prove") == 0)
        return run_prove(server, options, error);
    if (options->word_count <= 3 && (strcmp(verb, "key") == 0 || strcmp(verb, "checkpoint") == 0))
        return run_note(server, options, strcmp(verb, "key") == 0, error);
    if (options->word_count == 3 && strcmp(verb, "verify") == 0)
        return run_check(options, true, error);
    if (options->word_count == 3 && strcmp(verb, "check") == 0)
        return run_check(options, false, error);
    return error_set(
        error, -EINVAL,
        "cannot audit '%s' like that; expected: audit verify DATABASE, audit check FILE, audit export "
        "[DATABASE] BUNDLE, audit prove SERIAL [PROOF], audit key [FILE] or audit checkpoint [FILE]",
        verb);
}
