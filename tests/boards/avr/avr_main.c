/* SPDX-License-Identifier: Apache-2.0 */
/* flashfarm-sim-avr: real AVR bootloaders on simulated chips. What it is called and
 * which options are its own.
 *
 * This is the only program of flashfarm that is linked with libsimavr, which is under the GPL, version 3: as
 * a whole, the program may be passed on under that licence only. Its sources here are Apache-2.0, as all
 * others, and nothing else of flashfarm is linked with it. */
#include "avr_farm.h"
#include "loader.h"

#include <fcntl.h>
#include <getopt.h>
#include <sim_avr.h>
#include <stdio.h>
#include <unistd.h>

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
    OPTION_FIRST = OPTION_OWN,
    OPTION_PREFIX,
    OPTION_LOADER,
};

static const struct option known[] = {
    {.name = "first", .has_arg = required_argument, .val = OPTION_FIRST},
    {.name = "prefix", .has_arg = required_argument, .val = OPTION_PREFIX},
    {.name = "loader", .has_arg = required_argument, .val = OPTION_LOADER},
    {.name = NULL},
};

static int take(struct options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_FIRST:
        return options_number("first", text, 0, 10000, &options->first);
    case OPTION_PREFIX:
        return options->prefix = text, 0;
    case OPTION_LOADER:
        return options->loader = text, 0;
    default:
        return -1;
    }
}

static void list_chips(FILE *file, const char *indent)
{
    const struct loader *loader;

    for (size_t i = 0; (loader = loader_at(i)); i++)
        (void)fprintf(file, "%s%s:%s\n", indent, loader->chip, loader->name);
}

/* simavr prints on stdout what has to do with cores; whoever waits for "ready" must not read that. Returns
 * what was stdout. */
static int divert_stdout(void)
{
    int out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)fflush(stdout);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDOUT_FILENO);
        (void)close(null_fd);
    }
    return out_fd;
}

/* What simavr has to say of the firmware is not for the line that flashfarm-sim waits for. */
static void log_nothing(struct avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr;
    (void)level;
    (void)format;
    (void)arguments;
}

/* simavr keeps the names and hooks of its interrupt requests for ever. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:avr_init_irq\nleak:avr_alloc_irq\nleak:avr_irq_register_notify\nleak:libsimavr\n";
}

static const struct program flashfarm_sim_avr = {
    .name = "flashfarm-sim-avr",
    .usage = usage,
    .options = known,
    .take = take,
    .list_chips = list_chips,
    .control = "avr-control",
    .conf = "avr.conf",
    .boards_max = 256,
    .operations = &avr_operations,
    .add = avr_farm_add,
    .free_board = avr_farm_free_board,
    .write_conf = avr_farm_write_conf,
    .open_output = divert_stdout,
};

int main(int count, char **arguments)
{
    avr_global_logger_set(log_nothing);
    return program_run(&flashfarm_sim_avr, count, arguments);
}
