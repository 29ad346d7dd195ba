/* SPDX-License-Identifier: Apache-2.0 */
/* flashfarm-sim: simulated boards on ptys and TCP ports. Starts, waits for a signal, tidies up. */
#include "common.h"
#include "control.h"
#include "farm.h"
#include "helper.h"

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
        char *path = sim_text("%s/%s.bin", dir, farm->boards[i]->name);

        if (farm_dump(farm->boards[i], path))
            result = sim_complain("%s: %s", path, strerror(errno));
        free(path);
    }
    return result;
}

static int serve(struct farm *farm, struct control *control, struct loop *loop)
{
    if (control_open(control, farm))
        return -1;
    (void)printf("ready %zu boards in %s\n", farm->count + helper_boards(farm->helper), farm->dir);
    (void)fflush(stdout);
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

static int simulate(const struct options *options, pid_t parent)
{
    struct loop loop;
    struct signals signals;
    struct farm farm = {.count = 0};
    struct control control = {.source = {.fd = -1}};
    int result = -1;

    if (loop_open(&loop))
        return -1;
    take_priority(options);
    if (!open_signals(&signals, &loop)) {
        if (!farm_open(&farm, &loop, options) && !orphaned(options, parent))
            result = serve(&farm, &control, &loop);
        control_close(&control);
        farm_close(&farm);
        (void)close(signals.source.fd);
    }
    loop_close(&loop);
    return result;
}

int main(int count, char **arguments)
{
    struct options options;
    pid_t parent = getppid();
    int result;

    if (count > 1 && !strcmp(arguments[1], "ctl"))
        return control_client(count - 2, arguments + 2);
    result = options_parse(&options, count, arguments);
    if (!result)
        result = simulate(&options, parent);
    options_free(&options);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
