/* SPDX-License-Identifier: Apache-2.0 */
/* `flashfarm`, the command line: finds the daemon and runs one command against its REST interface. Data goes
 * to standard output, everything else to standard error. */
#include "commands.h"

#include <errno.h>
#include <locale.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
    {.name = "program",
     .operands = "FILE...",
     .most = 64,
     .takes = FOR_PROGRAM,
     .run = command_program,
     .help = "program boards, show bars and a result table"},
    {.name = "submit",
     .operands = "JOBS.json",
     .least = 1,
     .most = 1,
     .run = command_submit,
     .help = "all jobs of a file at once, bars and result tables"},
    {.name = "stations", .operands = "", .run = command_stations, .help = "stations and what they do"},
    {.name = "station",
     .operands = "NAME [start|identify|enable|disable]",
     .least = 1,
     .most = 2,
     .run = command_station,
     .help = "one station"},
    {.name = "record",
     .operands = "STATION",
     .least = 1,
     .most = 1,
     .takes = FOR_RECORD,
     .run = command_record,
     .help = "keep what is said in its next run, for a bug report"},
    {.name = "ports", .operands = "", .run = command_ports, .help = "ports of the daemon's host"},
    {.name = "chips", .operands = "", .run = command_chips, .help = "chips that can be programmed"},
    {.name = "images",
     .operands = "",
     .takes = FOR_LISTS,
     .run = command_images,
     .help = "uploaded firmware"},
    {.name = "upload",
     .operands = "FILE...",
     .least = 1,
     .most = 64,
     .takes = FOR_UPLOAD,
     .run = command_upload,
     .help = "upload firmware without programming it"},
    {.name = "jobs",
     .operands = "",
     .takes = FOR_JOBS | FOR_LISTS | FOR_STATE,
     .run = command_jobs,
     .help = "orders, newest first"},
    {.name = "job",
     .operands = "NUMBER [show|runs|cancel|hold|resume]",
     .least = 1,
     .most = 2,
     .takes = FOR_LISTS,
     .run = command_job,
     .help = "one order"},
    {.name = "runs",
     .operands = "",
     .takes = FOR_RUNS | FOR_LISTS,
     .run = command_runs,
     .help = "attempts, newest first"},
    {.name = "recipes",
     .operands = "",
     .takes = FOR_LISTS | FOR_STATE,
     .run = command_recipes,
     .help = "recipes and their versions"},
    {.name = "recipe",
     .operands = "NAME[/VERSION] [show|save FILE|lint|release|retire]",
     .least = 1,
     .most = 3,
     .takes = FOR_REASON,
     .run = command_recipe,
     .help = "a draft is saved, checked, released, at last retired"},
    {.name = "sign",
     .operands = "IMAGE FILE.minisig",
     .least = 2,
     .most = 2,
     .run = command_sign,
     .help = "give an image its signature"},
    {.name = "pools",
     .operands = "",
     .takes = FOR_LISTS,
     .run = command_pools,
     .help = "serial pools, with a count per state"},
    {.name = "pool",
     .operands = "NAME [show|create|serials|open|close|burn]",
     .least = 1,
     .most = 2,
     .takes = FOR_POOL | FOR_REASON | FOR_LISTS | FOR_STATE,
     .run = command_pool,
     .help = "one pool of serial numbers, addresses or keys"},
    {.name = "serial",
     .operands = "SERIAL [settle STATE]",
     .least = 1,
     .most = 3,
     .takes = FOR_REASON,
     .run = command_serial,
     .help = "one number; decide on one that is in doubt"},
    {.name = "scan",
     .operands = "STATION CODE",
     .least = 2,
     .most = 2,
     .takes = FOR_SCAN,
     .run = command_scan,
     .help = "a code was read from the board at a station"},
    {.name = "backups",
     .operands = "",
     .takes = FOR_LISTS,
     .run = command_backups,
     .help = "copies of the record"},
    {.name = "backup",
     .operands = "",
     .takes = FOR_BACKUP,
     .run = command_backup,
     .help = "copy the record while it is in use"},
    {.name = "whoami", .operands = "", .run = command_whoami, .help = "who the daemon takes you for"},
    {.name = "keys", .operands = "", .run = command_keys, .help = "API keys"},
    {.name = "key",
     .operands = "NAME create | ID revoke",
     .least = 2,
     .most = 2,
     .takes = FOR_KEY,
     .run = command_key,
     .help = "make a key, shown once; or end one"},
    {.name = "users", .operands = "", .run = command_users, .help = "people who can log in"},
    {.name = "user",
     .operands = "NAME add|roles|password|remove",
     .least = 2,
     .most = 2,
     .takes = FOR_USER,
     .run = command_user,
     .help = "one of them"},
    {.name = "webhooks", .operands = "", .run = command_webhooks, .help = "who is told of facts"},
    {.name = "webhook",
     .operands = "URL add | ID remove",
     .least = 2,
     .most = 2,
     .takes = FOR_WEBHOOK,
     .run = command_webhook,
     .help = "tell facts to an address"},
    {.name = "watch",
     .operands = "",
     .takes = FOR_WATCH,
     .run = command_watch,
     .help = "what happens, as it happens"},
    {.name = "trace",
     .operands = "SERIAL|UID",
     .least = 1,
     .most = 1,
     .run = command_trace,
     .help = "the whole history of one board"},
    {.name = "where-used",
     .operands = "IMAGE",
     .least = 1,
     .most = 1,
     .takes = FOR_LISTS,
     .run = command_where_used,
     .help = "every run of an image: file, id, its start, or name"},
    {.name = "audit",
     .operands = "verify|check|export|prove|key|checkpoint",
     .least = 1,
     .most = 3,
     .takes = FOR_AUDIT,
     .offline = true,
     .run = command_audit,
     .help =
         "verify DATABASE, or check a bundle or a proof, offline;\n"
         "export [DATABASE] BUNDLE: the whole record as one signed file (without DATABASE: the daemon's);\n"
         "prove SERIAL [PROOF]: what the record says of one serial, with the proof;\n"
         "key [FILE], checkpoint [FILE]: what an auditor keeps, to check with later"},
};
const size_t command_count = sizeof commands / sizeof commands[0];

static void print_exit_codes(FILE *out)
{
    (void)fputs(
        "\nExit codes:\n"
        "  0  done; for program: every unit that was asked for passed\n"
        "  1  units failed, or fewer than asked for were programmed; dry run, lint: an error is found\n"
        "  2  the command line, a local file or a key cannot be used\n"
        "  3  the daemon cannot be reached\n"
        "  4  the daemon refused\n"
        "  5  the record did not pass its verification\n",
        out);
}

static void print_help(FILE *out)
{
    (void)fputs("flashfarm " FLASHFARM_VERSION ": programs boards with flashfarmd\n\n"
                "  flashfarm program firmware.hex --chip stm32f103xb --stations all\n"
                "  flashfarm runs --work-order WO-4711 --outcome fail\n"
                "  flashfarm trace SN0000018\n\n"
                "Commands (flashfarm COMMAND --help says more):\n",
                out);
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(out, "  %-11s %-51s %s\n", commands[i].name, commands[i].operands, commands[i].help);
    (void)fputs("\nOptions of every command:\n", out);
    options_print_help(out, FOR_ALL);
    (void)fputs("Without --server and --config, /etc/flashfarm/flashfarm.conf tells where the daemon is.\n",
                out);
    print_exit_codes(out);
}

static void print_command_help(FILE *out, const struct command *command)
{
    (void)fprintf(out, "flashfarm %s %s [options]\n%s\n\n", command->name, command->operands, command->help);
    options_print_help(out, command->takes);
    options_print_help(out, FOR_ALL);
    print_exit_codes(out);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int check_operands(const struct command *command, const struct options *options, struct error *error)
{
    size_t count = options->word_count - 1;

    if (count < command->least || count > command->most)
        return error_set(error, -EINVAL, "expected: flashfarm %s %s", command->name, command->operands);
    return options_require(options, command->takes, command->name, error);
}

static int run_command(const struct command *command, const struct options *options, struct error *error)
{
    struct server server = {.url = NULL};
    int status = check_operands(command, options, error);

    if (status == 0 && !command->offline)
        status = server_find(&server, options, error);
    if (status == 0)
        status = command->run(&server, options, error);
    server_clear(&server);
    return status;
}

static int exit_code_of(int status)
{
    if (status >= 0)
        return status;
    switch (status) {
    case -EHOSTUNREACH:
        return EXIT_UNREACHABLE;
    case -EPERM:
        return EXIT_REFUSED;
    default:
        return EXIT_USAGE;
    }
}

static int dispatch(const struct options *options, struct error *error)
{
    const struct command *command = options->word_count ? find_command(options->words[0]) : NULL;

    if (options_value(options, OPTION_VERSION)) {
        (void)puts("flashfarm " FLASHFARM_VERSION);
        return EXIT_OK;
    }
    if (options->word_count && !command)
        return error_set(error, -EINVAL, "unknown command '%s'; flashfarm --help lists them",
                         options->words[0]);
    if (options_value(options, OPTION_HELP)) {
        if (command)
            print_command_help(stdout, command);
        else
            print_help(stdout);
        return EXIT_OK;
    }
    if (!command) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    return run_command(command, options, error);
}

int main(int argc, char **argv)
{
    struct options options;
    struct error error = ERROR_NONE;
    int status;

    (void)setlocale(LC_CTYPE, "");
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT)) {
        (void)fputs("flashfarm: libsodium or libcurl does not start\n", stderr);
        return EXIT_USAGE;
    }
    status = options_parse(&options, argc, argv, &error);
    if (status == 0)
        status = dispatch(&options, &error);
    if (status < 0)
        (void)fprintf(stderr, "flashfarm: %s\n", error.text);
    options_clear(&options);
    curl_global_cleanup();
    /* A full disk behind `flashfarm runs >file` must not look like success. */
    if (fflush(stdout) || ferror(stdout)) {
        (void)fputs("flashfarm: cannot write the output\n", stderr);
        return EXIT_USAGE;
    }
    return exit_code_of(status);
}
