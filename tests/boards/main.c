/* SPDX-License-Identifier: Apache-2.0 */
/* flashfarm-sim: simulated boards on ptys and TCP ports. What it is called and which options are its own. */
#include "common.h"
#include "control.h"
#include "model.h"
#include "own.h"

#include <getopt.h>
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
    OPTION_BAUD = OPTION_OWN,
    OPTION_LISTEN,
    OPTION_MAX_BAUD,
    OPTION_CHECKSUM,
    OPTION_STRICT_PARITY,
    OPTION_STRICT_SYNC,
    OPTION_RESET_ON_OPEN,
    OPTION_ECHO,
    OPTION_WAKEUP,
};

static const struct option known[] = {
    {.name = "baud", .has_arg = required_argument, .val = OPTION_BAUD},
    {.name = "listen", .has_arg = required_argument, .val = OPTION_LISTEN},
    {.name = "max-baud", .has_arg = required_argument, .val = OPTION_MAX_BAUD},
    {.name = "checksum", .val = OPTION_CHECKSUM},
    {.name = "strict-parity", .val = OPTION_STRICT_PARITY},
    {.name = "strict-sync", .val = OPTION_STRICT_SYNC},
    {.name = "reset-on-open", .val = OPTION_RESET_ON_OPEN},
    {.name = "echo", .val = OPTION_ECHO},
    {.name = "wakeup", .has_arg = required_argument, .val = OPTION_WAKEUP},
    {.name = NULL},
};

static int take_wakeup(struct options *options, const char *text)
{
    options->escape = !strcmp(text, "escape");
    options->parity = !strcmp(text, "parity");
    if (!options->escape && !options->parity)
        return sim_complain("--wakeup %s: parity or escape is needed", text);
    return 0;
}

static int take(struct options *options, int option, const char *text)
{
    switch (option) {
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
    case OPTION_LISTEN:
        return options->listen = text, 0;
    case OPTION_WAKEUP:
        return take_wakeup(options, text);
    case OPTION_BAUD:
        return options_number("baud", text, 1200, 12000000, &options->baud);
    case OPTION_MAX_BAUD:
        return options_number("max-baud", text, 1200, 12000000, &options->max_baud);
    default:
        return -1;
    }
}

static const struct program flashfarm_sim = {
    .name = "flashfarm-sim",
    .usage = usage,
    .options = known,
    .take = take,
    .list_chips = models_list_chips,
    .control = "control",
    .conf = "flashfarm.conf",
    .owns_folder = true,
    .boards_max = 1664, /* as many as there are names: A1 to CZ16 */
    .operations = &own_operations,
    .add = own_add,
    .free_board = own_free_board,
    .write_conf = own_write_conf,
    .refer_fault = own_refer_fault,
    .start = own_start,
    .others = own_others,
    .ask = own_ask,
    .close = own_close,
};

int main(int count, char **arguments)
{
    if (count > 1 && !strcmp(arguments[1], "ctl"))
        return control_client(count - 2, arguments + 2);
    return program_run(&flashfarm_sim, count, arguments);
}
