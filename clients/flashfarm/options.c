/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *value; /* what stands for its value in the help; NULL: it takes none */
    unsigned takers;
    const char *help;
} table[OPTION_COUNT] = {
    [OPTION_HELP] = {.name = "help", .takers = FOR_ALL, .help = "show this help"},
    [OPTION_VERSION] = {.name = "version", .takers = FOR_ALL, .help = "show the version"},
    [OPTION_SERVER] = {.name = "server",
                       .value = "URL",
                       .takers = FOR_ALL,
                       .help = "the daemon (FLASHFARM_SERVER)"},
    [OPTION_KEY_FILE] = {.name = "key-file",
                         .value = "FILE",
                         .takers = FOR_ALL,
                         .help = "holds the API key (FLASHFARM_KEY_FILE)"},
    [OPTION_CONFIG] = {.name = "config",
                       .value = "FILE",
                       .takers = FOR_ALL,
                       .help = "the daemon's own configuration, to find URL, key and certificate in"},
    [OPTION_CA] = {.name = "ca",
                   .value = "FILE",
                   .takers = FOR_ALL,
                   .help = "PEM file: who vouches for an https daemon (FLASHFARM_CA)"},
    [OPTION_CERTIFICATE] = {.name = "certificate",
                            .value = "FILE",
                            .takers = FOR_ALL,
                            .help = "PEM file: your own certificate, where it opens instead of a key"},
    [OPTION_CERTIFICATE_KEY] = {.name = "certificate-key",
                                .value = "FILE",
                                .takers = FOR_ALL,
                                .help = "PEM file: its private key"},
    [OPTION_JSON] = {.name = "json", .takers = FOR_ALL, .help = "print what the API answers"},
    [OPTION_QUIET] = {.name = "quiet", .takers = FOR_ALL, .help = "no progress"},
    [OPTION_CHIP] = {.name = "chip",
                     .value = "NAME",
                     .takers = FOR_PROGRAM,
                     .help = "as `flashfarm chips` lists it; needed without --recipe"},
    [OPTION_STATIONS] = {.name = "stations",
                         .value = "all|A1,A2",
                         .takers = FOR_PROGRAM,
                         .help = "where to program (all)"},
    [OPTION_QUANTITY] = {.name = "quantity",
                         .value = "N",
                         .takers = FOR_PROGRAM,
                         .help = "how many units (one per station)"},
    [OPTION_TRIGGER] = {.name = "trigger",
                        .value = "WHEN",
                        .takers = FOR_PROGRAM,
                        .help = "immediate, on_insert or on_start (immediate: once per station)"},
    [OPTION_WORK_ORDER] = {.name = "work-order",
                           .value = "TEXT",
                           .takers = FOR_PROGRAM | FOR_RUNS | FOR_JOBS,
                           .help = "for the record"},
    [OPTION_ADDRESS] = {.name = "address",
                        .value = "ADDRESS",
                        .takers = FOR_PROGRAM | FOR_UPLOAD,
                        .help = "where a raw binary goes: 0x08000000"},
    [OPTION_UNPROTECT] = {.name = "unprotect",
                          .takers = FOR_PROGRAM,
                          .help = "lift the read-out protection of protected chips, which erases them"},
    [OPTION_RUN] = {.name = "run", .takers = FOR_PROGRAM, .help = "start the firmware when all is done"},
    [OPTION_HOLD_AFTER_FAILURES] = {.name = "hold-after-failures",
                                    .value = "N",
                                    .takers = FOR_PROGRAM,
                                    .help = "hold the job when N units have failed"},
    [OPTION_OPTION_BYTES] = {.name = "option-bytes",
                             .value = "ADDRESS=HEX",
                             .takers = FOR_PROGRAM,
                             .help = "write option bytes after the check; may be repeated"},
    [OPTION_PROTECT] =
        {.name = "protect",
         .value = "LEVEL",
         .takers = FOR_PROGRAM,
         .help = "none, read (no read-out; also rdp1) or write (pages of the image), as the last step"},
    [OPTION_KEEP] = {.name = "keep",
                     .value = "ADDRESS+SIZE",
                     .takers = FOR_PROGRAM,
                     .help = "flash that must survive; may be repeated"},
    [OPTION_TIMEOUT] = {.name = "timeout",
                        .value = "SECONDS",
                        .takers = FOR_PROGRAM,
                        .help = "the longest that one unit may take"},
    [OPTION_SERIAL] = {.name = "serial", .value = "SERIAL", .takers = FOR_RUNS, .help = "only this unit"},
    [OPTION_UID] = {.name = "uid",
                    .value = "UID",
                    .takers = FOR_RUNS,
                    .help = "only the chip with this unique id"},
    [OPTION_IMAGE] = {.name = "image",
                      .value = "IMAGE",
                      .takers = FOR_RUNS,
                      .help = "only this image: file, id or start of an id"},
    [OPTION_BY] = {.name = "by",
                   .value = "NAME",
                   .takers = FOR_RUNS,
                   .help = "only what this person or key has ordered"},
    [OPTION_POOL] = {.name = "pool",
                     .value = "POOL",
                     .takers = FOR_RUNS,
                     .help = "only units with a number of this pool"},
    [OPTION_STATION] = {.name = "station", .value = "NAME", .takers = FOR_RUNS, .help = "only this station"},
    [OPTION_OUTCOME] = {.name = "outcome",
                        .value = "WORD",
                        .takers = FOR_RUNS,
                        .help = "only pass, fail, aborted or unknown"},
    [OPTION_FROM] = {.name = "from",
                     .value = "TIME",
                     .takers = FOR_RUNS,
                     .help = "started at or after: 2026-11-21T06:00:00Z"},
    [OPTION_TO] = {.name = "to", .value = "TIME", .takers = FOR_RUNS, .help = "started before"},
    [OPTION_STATE] = {.name = "state",
                      .value = "WORD",
                      .takers = FOR_STATE,
                      .help =
                          "only in this state: a job running, held, …, a number unknown, a recipe released"},
    [OPTION_LIMIT] = {.name = "limit",
                      .value = "N",
                      .takers = FOR_LISTS,
                      .help = "at most N of the newest; 0: all (100)"},
    [OPTION_CSV] = {.name = "csv",
                    .takers = FOR_RUNS,
                    .help = "print CSV, all of it unless --limit says less"},
    [OPTION_TOPICS] = {.name = "topics",
                       .value = "A,B",
                       .takers = FOR_WATCH | FOR_WEBHOOK,
                       .help = "only these kinds: run.ended,progress"},
    [OPTION_OUTPUT] = {.name = "output",
                       .value = "FILE",
                       .takers = FOR_RECORD | FOR_BACKUP | FOR_KEY | FOR_WEBHOOK,
                       .help = "where to (record: STATION-RUN.dialogue; key, webhook: the secret is shown)"},
    [OPTION_RECIPE] =
        {.name = "recipe",
         .value = "NAME[/VERSION]",
         .takers = FOR_PROGRAM | FOR_RUNS,
         .help = "a released recipe says what to do, in place of FILE and --chip; runs: only of it"},
    [OPTION_SERIAL_POOL] = {.name = "serial-pool",
                            .value = "POOL",
                            .takers = FOR_PROGRAM,
                            .help = "where each unit gets its serial number from"},
    [OPTION_REWORK] = {.name = "rework",
                       .value = "REASON",
                       .takers = FOR_PROGRAM,
                       .help = "units that have shipped may be programmed again, and keep their serials"},
    [OPTION_DRY_RUN] = {.name = "dry-run",
                        .takers = FOR_PROGRAM,
                        .help = "show plan, floor and findings; touch nothing"},
    [OPTION_REASON] = {.name = "reason",
                       .value = "TEXT",
                       .takers = FOR_REASON,
                       .help = "why, for the record"},
    [OPTION_KIND] = {.name = "kind",
                     .value = "WORD",
                     .takers = FOR_POOL,
                     .help = "serial, eui48 or key (serial)"},
    [OPTION_FIRST] = {.name = "first",
                      .value = "N",
                      .takers = FOR_POOL,
                      .help = "the first number (1), or address"},
    [OPTION_LAST] = {.name = "last", .value = "N", .takers = FOR_POOL, .help = "the last one, included"},
    [OPTION_STEP] = {.name = "step",
                     .value = "N",
                     .takers = FOR_POOL,
                     .help = "consecutive addresses for one unit (1)"},
    [OPTION_PREFIX] = {.name = "prefix", .value = "TEXT", .takers = FOR_POOL, .help = "before the digits"},
    [OPTION_SUFFIX] = {.name = "suffix", .value = "TEXT", .takers = FOR_POOL, .help = "behind them"},
    [OPTION_BASE] = {.name = "base",
                     .value = "N",
                     .takers = FOR_POOL,
                     .help = "of the digits: 10, 16 or 36 (10)"},
    [OPTION_DIGITS] = {.name = "digits", .value = "N", .takers = FOR_POOL, .help = "how many (10)"},
    [OPTION_DATE] = {.name = "date",
                     .value = "FORM",
                     .takers = FOR_POOL,
                     .help = "before the digits: YYMMDD, YYYYMMDD, YYWW, YYMM or YYYY"},
    [OPTION_CHECK] = {.name = "check",
                      .value = "WORD",
                      .takers = FOR_POOL,
                      .help = "check digits: mod10, mod11 or mod97"},
    [OPTION_LOCAL] = {.name = "local",
                      .takers = FOR_POOL,
                      .help = "eui48: locally administered addresses are meant"},
    [OPTION_SEPARATOR] = {.name = "separator",
                          .value = "CHARACTER",
                          .takers = FOR_POOL,
                          .help = "eui48: between the digits, : or - or nothing (\"\")"},
    [OPTION_KEYS] = {.name = "keys",
                     .value = "FOLDER",
                     .takers = FOR_POOL,
                     .help = "key: the daemon's key_store, or a copy; only names and SHA-256 are sent"},
    [OPTION_WARN] = {.name = "warn",
                     .value = "A,B,C",
                     .takers = FOR_POOL,
                     .help = "percent used up at which to warn (70,85,95)"},
    [OPTION_NUMBERS] = {.name = "count",
                        .value = "N",
                        .takers = FOR_POOL,
                        .help = "burn: how many numbers never to use"},
    [OPTION_POSITION] = {.name = "position",
                         .value = "TEXT",
                         .takers = FOR_SCAN,
                         .help = "the board's place in the panel whose code was read"},
    [OPTION_ROLE] = {.name = "role",
                     .value = "WORD",
                     .takers = FOR_KEY | FOR_USER,
                     .help = "operator, engineer, auditor, admin or mes; may be repeated"},
    [OPTION_EXPIRES] = {.name = "expires",
                        .value = "TIME",
                        .takers = FOR_KEY,
                        .help = "until when: 2027-01-01T00:00:00Z (never)"},
    [OPTION_PASSWORD_FILE] = {.name = "password-file",
                              .value = "FILE",
                              .takers = FOR_USER,
                              .help = "first line is the password; - is standard input (asks)"},
    [OPTION_OLD_PASSWORD_FILE] = {.name = "old-password-file",
                                  .value = "FILE",
                                  .takers = FOR_USER,
                                  .help =
                                      "your own name: what the password is now; - is standard input (asks)"},
    [OPTION_PUBLIC_KEY] = {.name = "public-key",
                           .value = "FILE|KEY",
                           .takers = FOR_AUDIT,
                           .help =
                               "ORIGIN+KEYID+KEY that you know from elsewhere; else the one that is found"},
    [OPTION_WITNESS] =
        {.name = "witness",
         .value = "FILE",
         .takers = FOR_AUDIT,
         .help = "an older checkpoint (GET /v1/ledger/checkpoint): shows whether the end was cut off"},
    [OPTION_PROJECTIONS] =
        {.name = "projections",
         .value = "yes|no",
         .takers = FOR_AUDIT,
         .help = "replay a database's ledger and compare every table (yes up to a million records)"},
};

static void add_word(struct options *options, char *word)
{
    options->words = reallocate(options->words, options->word_count + 1, sizeof *options->words);
    options->words[options->word_count++] = word;
}

static void add_option(struct options *options, enum option option, const char *value)
{
    options->given = reallocate(options->given, options->given_count + 1, sizeof *options->given);
    options->given[options->given_count].option = option;
    options->given[options->given_count++].value = value;
}

/* An option by its name up to "=", or by one letter for the two that everybody types. */
static enum option find_option(const char *argument)
{
    size_t size = strcspn(argument + 2, "=");
    int i = 0;

    if (strcmp(argument, "-h") == 0)
        return OPTION_HELP;
    if (strcmp(argument, "-V") == 0)
        return OPTION_VERSION;
    if (argument[1] != '-')
        return OPTION_COUNT;
    while (i < OPTION_COUNT &&
           (strlen(table[i].name) != size || strncmp(table[i].name, argument + 2, size) != 0))
        i++;
    return (enum option)i;
}

/* Takes argv[i], and its value when it has one; returns how many arguments that were. */
static int take_option(struct options *options, char **argv, struct error *error)
{
    enum option option = find_option(argv[0]);
    const char *equals = strchr(argv[0], '=');

    if (option == OPTION_COUNT)
        return error_set(error, -EINVAL, "unknown option %s", argv[0]);
    if (!table[option].value) {
        if (equals)
            return error_set(error, -EINVAL, "--%s takes no value", table[option].name);
        add_option(options, option, NULL);
        return 1;
    }
    if (equals) {
        add_option(options, option, equals + 1);
        return 1;
    }
    if (!argv[1])
        return error_set(error, -EINVAL, "--%s needs a value: --%s %s", table[option].name,
                         table[option].name, table[option].value);
    add_option(options, option, argv[1]);
    return 2;
}

int options_parse(struct options *options, int argc, char **argv, struct error *error)
{
    bool only_words = false;

    *options = (struct options){.word_count = 0};
    for (int i = 1, taken = 1; i < argc; i += taken) {
        taken = 1;
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (only_words || argv[i][0] != '-' || !argv[i][1])
            add_word(options, argv[i]);
        else
            taken = take_option(options, argv + i, error);
        if (taken < 0) {
            options_clear(options);
            return taken;
        }
    }
    return 0;
}

void options_clear(struct options *options)
{
    free(options->words);
    free(options->given);
    *options = (struct options){.word_count = 0};
}

int options_require(const struct options *options, unsigned takes, const char *command, struct error *error)
{
    for (size_t i = 0; i < options->given_count; i++) {
        enum option option = options->given[i].option;

        if (!(table[option].takers & (takes | FOR_ALL)))
            return error_set(error, -EINVAL, "%s takes no --%s", command, table[option].name);
    }
    return 0;
}

const char *options_value(const struct options *options, enum option option)
{
    for (size_t i = options->given_count; i-- > 0;)
        if (options->given[i].option == option)
            return options->given[i].value ? options->given[i].value : "";
    return NULL;
}

bool options_read_number(const char *text, int64_t least, int64_t most, int64_t *number)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end;
    int64_t value;

    errno = 0;
    value = strtoll(text, &end, hexadecimal ? 16 : 10);
    if (!isdigit((unsigned char)*text) || (hexadecimal && !isxdigit((unsigned char)text[2])) || *end ||
        errno || value < least || value > most)
        return false;
    *number = value;
    return true;
}

int options_number(const struct options *options, enum option option, int64_t least, int64_t most,
                   int64_t *number, struct error *error)
{
    const char *text = options_value(options, option);

    if (text && !options_read_number(text, least, most, number))
        return error_set(error, -EINVAL, "--%s is '%s'; expected a number from %" PRId64 " to %" PRId64,
                         table[option].name, text, least, most);
    return 0;
}

const char *options_name(enum option option)
{
    return table[option].name;
}

void options_print_help(FILE *out, unsigned takes)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[48];

        if (!(table[i].takers & takes))
            continue;
        (void)snprintf(left, sizeof left, "--%s%s%s", table[i].name, table[i].value ? " " : "",
                       table[i].value ? table[i].value : "");
        (void)fprintf(out, "  %-26s %s\n", left, table[i].help);
    }
}
