/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_options.h. */
#include "avr_options.h"

#include "common.h"
#include "loader.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: flashfarm-sim-avr --boards CHIP[:LOADER]=COUNT[,...] --dir DIR [option...]\n"
    "Real AVR bootloaders on simulated chips, on ptys: DIR/A1, DIR/A2, ... and the stations for them in\n"
    "DIR/avr.conf. flashfarm-sim starts this program for the chips that it does not know itself.\n\n"
    "  --pace              bytes take their time on the wire, flash and EEPROM take datasheet times\n"
    "  --remote[=LIST]     ports are RFC 2217 on 127.0.0.1 instead of ptys: all, those named, or the first "
    "N\n"
    "  --turnaround US     every answer reaches the client this much later (default 0)\n"
    "  --fault NAME=KIND[@N]  a board with a fault; may be repeated\n"
    "  --first N           index of the first board (default 0: A1)\n"
    "  --prefix TEXT       stands before every name\n"
    "  --loader FILE       another bootloader than the chips' own, Intel HEX\n"
    "  --seed N            other noise\n"
    "  --dump-dir DIR      at the end the flash of every board is written to DIR/NAME.bin\n"
    "  --realtime          real-time priority (needs the right to it)\n"
    "  --with-parent       ends when its parent process does\n"
    "  --chips             lists the chips and their bootloaders\n";

enum choice {
    OPTION_BOARDS = 256,
    OPTION_DIR,
    OPTION_PACE,
    OPTION_REMOTE,
    OPTION_TURNAROUND,
    OPTION_FAULT,
    OPTION_FIRST,
    OPTION_PREFIX,
    OPTION_LOADER,
    OPTION_SEED,
    OPTION_DUMP_DIR,
    OPTION_REALTIME,
    OPTION_WITH_PARENT,
    OPTION_CHIPS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option known[] = {
    {.name = "boards", .has_arg = required_argument, .val = OPTION_BOARDS},
    {.name = "dir", .has_arg = required_argument, .val = OPTION_DIR},
    {.name = "pace", .val = OPTION_PACE},
    {.name = "remote", .has_arg = optional_argument, .val = OPTION_REMOTE},
    {.name = "turnaround", .has_arg = required_argument, .val = OPTION_TURNAROUND},
    {.name = "fault", .has_arg = required_argument, .val = OPTION_FAULT},
    {.name = "first", .has_arg = required_argument, .val = OPTION_FIRST},
    {.name = "prefix", .has_arg = required_argument, .val = OPTION_PREFIX},
    {.name = "loader", .has_arg = required_argument, .val = OPTION_LOADER},
    {.name = "seed", .has_arg = required_argument, .val = OPTION_SEED},
    {.name = "dump-dir", .has_arg = required_argument, .val = OPTION_DUMP_DIR},
    {.name = "realtime", .val = OPTION_REALTIME},
    {.name = "with-parent", .val = OPTION_WITH_PARENT},
    {.name = "chips", .val = OPTION_CHIPS},
    {.name = "help", .val = OPTION_HELP},
    {.name = "version", .val = OPTION_VERSION},
    {.name = NULL},
};

static int list_chips(void)
{
    const struct loader *loader;

    for (size_t i = 0; (loader = loader_at(i)); i++)
        (void)printf("%s:%s\n", loader->chip, loader->name);
    return 1;
}

static int number(const char *option, const char *text, uint64_t high, uint64_t *value)
{
    if (sim_number(text, 0, high, value))
        return sim_complain("--%s %s: not a number up to %llu", option, text, (unsigned long long)high);
    return 0;
}

static int add_fault(struct avr_options *options, const char *text)
{
    options->faults = sim_reallocate(options->faults, (options->fault_count + 1) * sizeof *options->faults);
    options->faults[options->fault_count++] = text;
    return 0;
}

static int take_value(struct avr_options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_BOARDS:
        return options->boards = text, 0;
    case OPTION_DIR:
        return options->dir = text, 0;
    case OPTION_REMOTE:
        return options->remote = text ? text : "", 0;
    case OPTION_PREFIX:
        return options->prefix = text, 0;
    case OPTION_LOADER:
        return options->loader = text, 0;
    case OPTION_DUMP_DIR:
        return options->dump_dir = text, 0;
    case OPTION_FAULT:
        return add_fault(options, text);
    case OPTION_TURNAROUND:
        return number("turnaround", text, 10000000, &options->turnaround_us);
    case OPTION_FIRST:
        return number("first", text, 10000, &options->first);
    case OPTION_SEED:
        return number("seed", text, UINT64_MAX, &options->seed);
    default: /* unknown: getopt has said so */
        return -1;
    }
}

static int take(struct avr_options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_PACE:
        return !(options->pace = true);
    case OPTION_REALTIME:
        return !(options->realtime = true);
    case OPTION_WITH_PARENT:
        return !(options->with_parent = true);
    case OPTION_CHIPS:
        return list_chips();
    case OPTION_HELP:
        return (void)fputs(usage, stdout), 1;
    case OPTION_VERSION:
        return (void)puts("flashfarm-sim-avr " FLASHFARM_VERSION), 1;
    default:
        return take_value(options, option, text);
    }
}

int avr_options_parse(struct avr_options *options, int count, char **arguments)
{
    int option, result = 0;

    *options = (struct avr_options){.prefix = ""};
    while (!result && (option = getopt_long(count, arguments, "", known, NULL)) != -1)
        result = take(options, option, optarg);
    if (result)
        return result;
    if (optind < count)
        return sim_complain("'%s' is not understood; see --help", arguments[optind]);
    if (!options->boards || !options->dir)
        return sim_complain("--boards and --dir are needed; see --help");
    return 0;
}

void avr_options_free(struct avr_options *options)
{
    free(options->faults);
}
