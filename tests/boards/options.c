/* SPDX-License-Identifier: Apache-2.0 */
/* See options.h. */
#include "options.h"

#include "common.h"
#include "model.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: flashfarm-sim --boards CHIP=COUNT[,...] --dir DIR [option...]\n"
    "       flashfarm-sim ctl DIR COMMAND...\n"
    "Simulated boards on ptys: DIR/A1, DIR/A2, ... and DIR/flashfarm.conf to use them with flashfarmd.\n"
    "Chips are listed by --chips; atmega... go to flashfarm-sim-avr, which is started.\n\n"
    "  --remote[=A1,A2|=N] these boards, the first N or all get a port with modem lines and breaks instead "
    "of "
    "a\n                      pty: RFC 2217 on 127.0.0.1; boards that are wired start in their application\n"
    "  --pace              bytes take their time on the wire, flash takes datasheet times\n"
    "  --turnaround US     every answer reaches the client this much later (default 0)\n"
    "  --fault NAME=KIND[@N]  a board with a fault; may be repeated\n"
    "  --baud N            baud rate in flashfarm.conf (default: by protocol)\n"
    "  --listen ADDRESS    listen address in flashfarm.conf (default 127.0.0.1:8470)\n"
    "  --max-baud N        fastest rate that the bootloaders follow (default: by family)\n"
    "  --checksum          bootloaders of version 3 know Get Checksum\n"
    "  --seed N            other UIDs\n"
    "  --echo              the master of an RS-485 line hears itself\n"
    "  --wakeup KIND       how RS-485 units know address frames: parity or escape (default: parity where "
    "the\n"
    "                      port is remote, escape on a pty, which has no mark and space)\n"
    "  --strict-parity     STM32: only even parity is understood\n"
    "  --strict-sync       a first byte other than 0x7F, or a rate too high, spoils the bootloader until "
    "reset\n"
    "  --reset-on-open     boards restart into their bootloader when their port is opened\n"
    "  --dump-dir DIR      at the end the flash of every board is written to DIR/NAME.bin\n"
    "  --realtime          real-time priority, so that --pace stays true on a busy host (needs the right to "
    "it)\n"
    "  --with-parent       ends when its parent process does\n"
    "  --chips             lists the chips\n";

enum choice {
    OPTION_BOARDS = 256,
    OPTION_DIR,
    OPTION_PACE,
    OPTION_TURNAROUND,
    OPTION_FAULT,
    OPTION_BAUD,
    OPTION_LISTEN,
    OPTION_MAX_BAUD,
    OPTION_CHECKSUM,
    OPTION_SEED,
    OPTION_STRICT_PARITY,
    OPTION_STRICT_SYNC,
    OPTION_RESET_ON_OPEN,
    OPTION_DUMP_DIR,
    OPTION_REALTIME,
    OPTION_WITH_PARENT,
    OPTION_REMOTE,
    OPTION_ECHO,
    OPTION_WAKEUP,
    OPTION_CHIPS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option known[] = {
    {.name = "boards", .has_arg = required_argument, .val = OPTION_BOARDS},
    {.name = "dir", .has_arg = required_argument, .val = OPTION_DIR},
    {.name = "pace", .val = OPTION_PACE},
    {.name = "turnaround", .has_arg = required_argument, .val = OPTION_TURNAROUND},
    {.name = "fault", .has_arg = required_argument, .val = OPTION_FAULT},
    {.name = "baud", .has_arg = required_argument, .val = OPTION_BAUD},
    {.name = "listen", .has_arg = required_argument, .val = OPTION_LISTEN},
    {.name = "max-baud", .has_arg = required_argument, .val = OPTION_MAX_BAUD},
    {.name = "checksum", .val = OPTION_CHECKSUM},
    {.name = "seed", .has_arg = required_argument, .val = OPTION_SEED},
    {.name = "strict-parity", .val = OPTION_STRICT_PARITY},
    {.name = "strict-sync", .val = OPTION_STRICT_SYNC},
    {.name = "reset-on-open", .val = OPTION_RESET_ON_OPEN},
    {.name = "dump-dir", .has_arg = required_argument, .val = OPTION_DUMP_DIR},
    {.name = "realtime", .val = OPTION_REALTIME},
    {.name = "with-parent", .val = OPTION_WITH_PARENT},
    {.name = "remote", .has_arg = optional_argument, .val = OPTION_REMOTE},
    {.name = "echo", .val = OPTION_ECHO},
    {.name = "wakeup", .has_arg = required_argument, .val = OPTION_WAKEUP},
    {.name = "chips", .val = OPTION_CHIPS},
    {.name = "help", .val = OPTION_HELP},
    {.name = "version", .val = OPTION_VERSION},
    {.name = NULL},
};

static int list_chips(void)
{
    models_list_chips(stdout, "");
    return 1;
}

static int number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    if (sim_number(text, low, high, value))
        return sim_complain("--%s %s: not a number from %llu to %llu", option, text, (unsigned long long)low,
                            (unsigned long long)high);
    return 0;
}

static int add_fault(struct options *options, const char *text)
{
    options->faults = sim_reallocate(options->faults, (options->fault_count + 1) * sizeof *options->faults);
    options->faults[options->fault_count++] = text;
    return 0;
}

static int take_wakeup(struct options *options, const char *text)
{
    options->escape = !strcmp(text, "escape");
    options->parity = !strcmp(text, "parity");
    if (!options->escape && !options->parity)
        return sim_complain("--wakeup %s: parity or escape is needed", text);
    return 0;
}

static int take_value(struct options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_BOARDS:
        return options->boards = text, 0;
    case OPTION_DIR:
        return options->dir = text, 0;
    case OPTION_LISTEN:
        return options->listen = text, 0;
    case OPTION_DUMP_DIR:
        return options->dump_dir = text, 0;
    case OPTION_WAKEUP:
        return take_wakeup(options, text);
    case OPTION_FAULT:
        return add_fault(options, text);
    case OPTION_TURNAROUND:
        return number("turnaround", text, 0, 10000000, &options->turnaround_us);
    case OPTION_BAUD:
        return number("baud", text, 1200, 12000000, &options->baud);
    case OPTION_MAX_BAUD:
        return number("max-baud", text, 1200, 12000000, &options->max_baud);
    case OPTION_SEED:
        return number("seed", text, 0, UINT64_MAX, &options->seed);
    default: /* unknown: getopt has said so */
        return -1;
    }
}

static int take(struct options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_PACE:
        return !(options->pace = true);
    case OPTION_REMOTE:
        return options->remote = text ? text : "", 0;
    case OPTION_ECHO:
        return !(options->echo = true);
    case OPTION_CHECKSUM:
        return !(options->checksum = true);
    case OPTION_STRICT_PARITY:
        return !(options->strict_parity = true);
    case OPTION_STRICT_SYNC:
        return !(options->strict_sync = true);
    case OPTION_RESET_ON_OPEN:
        return !(options->reset_on_open = true);
    case OPTION_REALTIME:
        return !(options->realtime = true);
    case OPTION_WITH_PARENT:
        return !(options->with_parent = true);
    case OPTION_CHIPS:
        return list_chips();
    case OPTION_HELP:
        return (void)fputs(usage, stdout), 1;
    case OPTION_VERSION:
        return (void)puts("flashfarm-sim " FLASHFARM_VERSION), 1;
    default:
        return take_value(options, option, text);
    }
}

int options_parse(struct options *options, int count, char **arguments)
{
    int option, result = 0;

    *options = (struct options){.listen = "127.0.0.1:8470"};
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

void options_free(struct options *options)
{
    free(options->faults);
}
