/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `flashfarm`: one table of options, each with the commands that take it. */
#ifndef FLASHFARM_CLIENT_OPTIONS_H
#define FLASHFARM_CLIENT_OPTIONS_H

#include "result.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum option {
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_SERVER,
    OPTION_KEY_FILE,
    OPTION_CONFIG,
    OPTION_CA,
    OPTION_CERTIFICATE,
    OPTION_CERTIFICATE_KEY,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_CHIP,
    OPTION_STATIONS,
    OPTION_QUANTITY,
    OPTION_TRIGGER,
    OPTION_WORK_ORDER,
    OPTION_ADDRESS,
    OPTION_UNPROTECT,
    OPTION_RUN,
    OPTION_HOLD_AFTER_FAILURES,
    OPTION_OPTION_BYTES,
    OPTION_PROTECT,
    OPTION_KEEP,
    OPTION_TIMEOUT,
    OPTION_SERIAL,
    OPTION_UID,
    OPTION_IMAGE,
    OPTION_BY,
    OPTION_POOL,
    OPTION_STATION,
    OPTION_OUTCOME,
    OPTION_FROM,
    OPTION_TO,
    OPTION_STATE,
    OPTION_LIMIT,
    OPTION_CSV,
    OPTION_TOPICS,
    OPTION_OUTPUT,
    OPTION_RECIPE,
    OPTION_SERIAL_POOL,
    OPTION_REWORK,
    OPTION_DRY_RUN,
    OPTION_REASON,
    OPTION_KIND,
    OPTION_FIRST,
    OPTION_LAST,
    OPTION_STEP,
    OPTION_PREFIX,
    OPTION_SUFFIX,
    OPTION_BASE,
    OPTION_DIGITS,
    OPTION_DATE,
    OPTION_CHECK,
    OPTION_SEPARATOR,
    OPTION_KEYS,
    OPTION_WARN,
    OPTION_LOCAL,
    OPTION_NUMBERS,
    OPTION_POSITION,
    OPTION_ROLE,
    OPTION_EXPIRES,
    OPTION_PASSWORD_FILE,
    OPTION_OLD_PASSWORD_FILE,
    OPTION_PUBLIC_KEY,
    OPTION_WITNESS,
    OPTION_PROJECTIONS,
    OPTION_COUNT
};

/* Who takes an option: a set of commands. */
enum {
    FOR_ALL = 1 << 0,
    FOR_PROGRAM = 1 << 1,
    FOR_RUNS = 1 << 2,
    FOR_JOBS = 1 << 3,
    FOR_LISTS = 1 << 4, /* every list that has pages */
    FOR_WATCH = 1 << 5,
    FOR_RECORD = 1 << 6,
    FOR_POOL = 1 << 7,
    FOR_REASON = 1 << 8, /* what goes into the record with why */
    FOR_SCAN = 1 << 9,
    FOR_KEY = 1 << 10,
    FOR_USER = 1 << 11,
    FOR_BACKUP = 1 << 12,
    FOR_WEBHOOK = 1 << 13,
    FOR_STATE = 1 << 14, /* lists of things that have states */
    FOR_UPLOAD = 1 << 15,
    FOR_AUDIT = 1 << 20,
};

struct options {
    char **words; /* the command and its operands, in order */
    size_t word_count;
    struct {
        enum option option;
        const char *value; /* NULL: it takes none */
    } * given;             /* in order, repetitions included */
    size_t given_count;
};

/* Takes argv apart; options and operands may be mixed, "--" ends options. -EINVAL with a sentence. */
int options_parse(struct options *options, int argc, char **argv, struct error *error);
void options_clear(struct options *options);

/* -EINVAL when an option was given that this kind of command does not take. */
int options_require(const struct options *options, unsigned takes, const char *command, struct error *error);

/* The last value given, or NULL. For an option without value, "" when given. */
const char *options_value(const struct options *options, enum option option);
/* A number (decimal or 0x…) into `number`, which keeps its value when the option was not given. */
int options_number(const struct options *options, enum option option, int64_t least, int64_t most,
                   int64_t *number, struct error *error);
const char *options_name(enum option option);

/* Lists the options that one of `takes` has. */
void options_print_help(FILE *out, unsigned takes);

/* A whole number, decimal or hexadecimal with 0x. False when it is not one. */
bool options_read_number(const char *text, int64_t least, int64_t most, int64_t *number);

#endif
