/* SPDX-License-Identifier: Apache-2.0 */
/* flashfarm-sim-avr: real AVR bootloaders on simulated chips. Starts, waits for a signal, tidies up.
 *
 * This is the only program of flashfarm that is linked with libsimavr, which is under the GPL, version 3: as
 * a whole, the program may be passed on under that licence only. Its sources here are Apache-2.0, as all
 * others, and nothing else of flashfarm is linked with it. */
#include "avr_control.h"
#include "avr_farm.h"
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sim_avr.h>
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

static int dump_all(const struct avr_farm *farm, const char *dir)
{
    int result = 0;

    for (size_t i = 0; dir && i < farm->count; i++) {
        char *path = sim_text("%s/%s.bin", dir, farm->boards[i]->name);

        if (avr_board_dump(farm->boards[i], path, false))
            result = sim_complain("%s: %s", path, strerror(errno));
        free(path);
    }
    return result;
}

static int serve(struct avr_farm *farm, struct avr_control *control, struct loop *loop, int out_fd)
{
    if (avr_control_open(control, farm))
        return -1;
    (void)dprintf(out_fd, "ready %zu boards in %s\n", farm->count, farm->dir);
    if (loop_run(loop))
        return -1;
    return dump_all(farm, farm->options->dump_dir);
}

/* The parent may have died before the kernel was asked to tell of it. */
static bool orphaned(const struct avr_options *options, pid_t parent)
{
    if (!options->with_parent)
        return false;
    (void)prctl(PR_SET_PDEATHSIG, (unsigned long)SIGTERM);
    return getppid() != parent;
}

/* Without the right to it the farm runs all the same, only less evenly. */
static void take_priority(const struct avr_options *options)
{
    const struct sched_param lowest = {.sched_priority = 1};

    if (options->realtime && sched_setscheduler(0, SCHED_RR, &lowest))
        (void)sim_complain("no real-time priority: %s", strerror(errno));
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

static int simulate(const struct avr_options *options, pid_t parent)
{
    struct loop loop;
    struct signals signals;
    struct avr_farm farm = {.count = 0};
    struct avr_control control = {.source = {.fd = -1}};
    int result = -1, out_fd;

    if (loop_open(&loop))
        return -1;
    out_fd = divert_stdout();
    take_priority(options);
    if (!open_signals(&signals, &loop)) {
        if (!avr_farm_open(&farm, &loop, options) && !orphaned(options, parent))
            result = serve(&farm, &control, &loop, out_fd);
        avr_control_close(&control);
        avr_farm_close(&farm);
        (void)close(signals.source.fd);
    }
    (void)close(out_fd);
    loop_close(&loop);
    return result;
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

int main(int count, char **arguments)
{
    struct avr_options options;
    pid_t parent = getppid();
    int result;

    avr_global_logger_set(log_nothing);
    result = avr_options_parse(&options, count, arguments);
    if (!result)
        result = simulate(&options, parent);
    avr_options_free(&options);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
