/* SPDX-License-Identifier: Apache-2.0 */
/* See options.h. */
#include "options.h"

#include "common.h"
#include "program.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum choice {
    OPTION_BOARDS = 256,
    OPTION_DIR,
    OPTION_PACE,
    OPTION_TURNAROUND,
    OPTION_FAULT,
    OPTION_SEED,
    OPTION_DUMP_DIR,
    OPTION_REALTIME,
    OPTION_WITH_PARENT,
    OPTION_REMOTE,
    OPTION_CHIPS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option common[] = {
    {.name = "boards", .has_arg = required_argument, .val = OPTION_BOARDS},
    {.name = "dir", .has_arg = required_argument, .val = OPTION_DIR},
    {.name = "pace", .val = OPTION_PACE},
    {.name = "turnaround", .has_arg = required_argument, .val = OPTION_TURNAROUND},
    {.name = "fault", .has_arg = required_argument, .val = OPTION_FAULT},
    {.name = "seed", .has_arg = required_argument, .val = OPTION_SEED},
    {.name = "dump-dir", .has_arg = required_argument, .val = OPTION_DUMP_DIR},
    {.name = "realtime", .val = OPTION_REALTIME},
    {.name = "with-parent", .val = OPTION_WITH_PARENT},
    {.name = "remote", .has_arg = optional_argument, .val = OPTION_REMOTE},
    {.name = "chips", .val = OPTION_CHIPS},
    {.name = "help", .val = OPTION_HELP},
    {.name = "version", .val = OPTION_VERSION},
};

enum { COMMON_COUNT = sizeof common / sizeof common[0] };

int options_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value)
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

static int take_value(struct options *options, int option, const char *text)
{
    switch (option) {
    case OPTION_BOARDS:
        return options->boards = text, 0;
    case OPTION_DIR:
        return options->dir = text, 0;
    case OPTION_DUMP_DIR:
        return options->dump_dir = text, 0;
    case OPTION_FAULT:
        return add_fault(options, text);
    case OPTION_TURNAROUND:
        return options_number("turnaround", text, 0, 10000000, &options->turnaround_us);
    case OPTION_SEED:
        return options_number("seed", text, 0, UINT64_MAX, &options->seed);
    default: /* unknown: getopt has said so */
        return -1;
    }
}

static int take(struct options *options, const struct program *program, int option, const char *text)
{
    if (option >= OPTION_OWN)
        return program->take(options, option, text);
    switch (option) {
    case OPTION_PACE:
        return !(options->pace = true);
    case OPTION_REMOTE:
        return options->remote = text ? text : "", 0;
    case OPTION_REALTIME:
        return !(options->realtime = true);
    case OPTION_WITH_PARENT:
        return !(options->with_parent = true);
    case OPTION_CHIPS:
        return program->list_chips(stdout, ""), 1;
    case OPTION_HELP:
        return (void)fputs(program->usage, stdout), 1;
    case OPTION_VERSION:
        return (void)printf("%s " FLASHFARM_VERSION "\n", program->name), 1;
    default:
        return take_value(options, option, text);
    }
}

/* Both tables in one, as getopt wants them. */
static struct option *all_known(const struct program *program)
{
    struct option *all;
    size_t own = 0;

    while (program->options[own].name)
        own++;
    all = sim_allocate(COMMON_COUNT + own + 1, sizeof *all);
    memcpy(all, common, sizeof common);
    memcpy(all + COMMON_COUNT, program->options, own * sizeof *all);
    return all;
}

int options_parse(struct options *options, const struct program *program, int count, char **arguments)
{
    struct option *known = all_known(program);
    int option, result = 0;

    *options = (struct options){.listen = "127.0.0.1:8470", .prefix = ""};
    while (!result && (option = getopt_long(count, arguments, "", known, NULL)) != -1)
        result = take(options, program, option, optarg);
    free(known);
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
