/* SPDX-License-Identifier: Apache-2.0 */
/* See program.h: starts, waits for a signal, tidies up. */
#include "program.h"

#include "common.h"
#include "control.h"
#include "farm.h"
#include "options.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    struct source source;
    struct loop *loop;
};

static void on_signal(struct source *source)
{
    struct signals *signals = (struct signals *)((char *)source - offsetof(struct signals, source));

    signals->loop->stop = true;
}

static int open_signals(struct signals *signals, struct loop *loop)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    *signals = (struct signals){.loop = loop};
    signals->source =
        (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = on_signal};
    if (signals->source.fd < 0)
        return sim_complain("signals: %s", strerror(errno));
    return loop_add(loop, &signals->source);
}

static int dump_all(const struct farm *farm, const char *dir)
{
    int result = 0;

    for (size_t i = 0; dir && i < farm->count; i++) {
        char *path = sim_text("%s/%s.bin", dir, farm_name(farm, i));

        if (farm_dump(farm->boards[i], farm->program->operations->dump, path))
            result = sim_complain("%s: %s", path, strerror(errno));
        free(path);
    }
    return result;
}

static int serve(struct farm *farm, struct control *control, struct loop *loop, int out_fd)
{
    if (control_open(control, farm))
        return -1;
    (void)dprintf(out_fd, "ready %zu boards in %s\n", farm->count + farm_others(farm), farm->dir);
    if (loop_run(loop))
        return -1;
    return dump_all(farm, farm->options->dump_dir);
}

/* The parent may have died before the kernel was asked to tell of it. */
static bool orphaned(const struct options *options, pid_t parent)
{
    if (!options->with_parent)
        return false;
    (void)prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM);
    return getppid() != parent;
}

/* Without the right to it the farm runs all the same, only less evenly. */
static void take_priority(const struct options *options)
{
    const struct sched_param lowest = {.sched_priority = 1};

    if (options->realtime && sched_setscheduler(0, SCHED_RR, &lowest))
        (void)sim_complain("no real-time priority: %s", strerror(errno));
}

static int simulate(const struct program *program, const struct options *options, pid_t parent)
{
    struct loop loop;
    struct signals signals;
    struct farm farm = {.count = 0};
    struct control control = {.source = {.fd = -1}};
    int result = -1, out_fd;

    if (loop_open(&loop))
        return -1;
    out_fd = program->open_output ? program->open_output() : STDOUT_FILENO;
    take_priority(options);
    if (!open_signals(&signals, &loop)) {
        if (!farm_open(&farm, program, &loop, options) && !orphaned(options, parent))
            result = serve(&farm, &control, &loop, out_fd);
        control_close(&control);
        farm_close(&farm);
        (void)close(signals.source.fd);
    }
    if (program->open_output)
        (void)close(out_fd);
    loop_close(&loop);
    return result;
}

int program_run(const struct program *program, int count, char **arguments)
{
    struct options options;
    pid_t parent = getppid();
    int result = options_parse(&options, program, count, arguments);

    if (!result)
        result = simulate(program, &options, parent);
    options_free(&options);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
