/* SPDX-License-Identifier: Apache-2.0 */
/* See helper.h. */
#include "helper.h"

#include "common.h"
#include "farm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_TIMEOUT_MS = 30000, ANSWER_TIMEOUT_S = 10 };

struct helper {
    char *kinds; /* as for --boards */
    char **arguments;
    size_t argument_count;
    char *dir;
    pid_t pid; /* 0: not running */
    int output_fd;
    size_t boards;
};

bool helper_knows(const char *kind)
{
    return !strncmp(kind, "at", 2);
}

static void add_argument(struct helper *helper, char *text)
{
    helper->arguments =
        sim_reallocate(helper->arguments, (helper->argument_count + 2) * sizeof *helper->arguments);
    helper->arguments[helper->argument_count++] = text;
    helper->arguments[helper->argument_count] = NULL;
}

void helper_want(struct helper **helper, const char *kind)
{
    char *longer;

    if (!*helper) {
        *helper = sim_allocate(1, sizeof **helper);
        (*helper)->output_fd = -1;
        add_argument(*helper, sim_text("flashfarm-sim-avr"));
    }
    longer = (*helper)->kinds ? sim_text("%s,%s", (*helper)->kinds, kind) : sim_text("%s", kind);
    free((*helper)->kinds);
    (*helper)->kinds = longer;
}

void helper_want_fault(struct helper *helper, const char *request)
{
    add_argument(helper, sim_text("--fault"));
    add_argument(helper, sim_text("%s", request));
}

static void add_common_options(struct helper *helper, const struct options *options)
{
    if (options->pace)
        add_argument(helper, sim_text("--pace"));
    if (options->realtime)
        add_argument(helper, sim_text("--realtime"));
    if (options->remote)
        add_argument(helper, sim_text("--remote%s%s", *options->remote ? "=" : "", options->remote));
    if (options->turnaround_us)
        add_argument(helper, sim_text("--turnaround=%llu", (unsigned long long)options->turnaround_us));
    if (options->seed)
        add_argument(helper, sim_text("--seed=%llu", (unsigned long long)options->seed));
    if (options->dump_dir)
        add_argument(helper, sim_text("--dump-dir=%s", options->dump_dir));
    add_argument(helper, sim_text("--with-parent"));
}

/* In the build tree it has a folder of its own. */
static char *find_program(void)
{
    char own[4096], *path;
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);

    if (length < 0)
        return NULL;
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    path = sim_text("%s/flashfarm-sim-avr", own);
    if (access(path, X_OK)) {
        free(path);
        path = sim_text("%s/avr/flashfarm-sim-avr", own);
    }
    if (!access(path, X_OK))
        return path;
    free(path);
    return NULL;
}

static int spawn(struct helper *helper, const char *program)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int ends[2], status;
    sigset_t none;

    if (pipe2(ends, O_CLOEXEC))
        return sim_complain("pipe: %s", strerror(errno));
    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    status = posix_spawn(&helper->pid, program, &actions, &attributes, helper->arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(ends[1]);
    helper->output_fd = ends[0];
    if (status) {
        helper->pid = 0;
        return sim_complain("%s: %s", program, strerror(status));
    }
    return 0;
}

/* "ready 8 boards in DIR" */
static int await_ready(struct helper *helper)
{
    struct pollfd output = {.fd = helper->output_fd, .events = POLLIN};
    char line[256] = "";
    size_t used = 0;

    while (!strchr(line, '\n') && used < sizeof line - 1) {
        ssize_t count = poll(&output, 1, READY_TIMEOUT_MS) > 0
                            ? read(helper->output_fd, line + used, sizeof line - 1 - used)
                            : 0;

        if (count <= 0)
            return sim_complain("flashfarm-sim-avr did not get ready");
        used += (size_t)count;
    }
    helper->boards = strncmp(line, "ready ", 6) ? 0 : strtoul(line + 6, NULL, 10);
    return helper->boards ? 0 : sim_complain("flashfarm-sim-avr says: %s", line);
}

int helper_start(struct helper *helper, const struct farm *farm)
{
    char *program = find_program();
    int result;

    if (!program)
        return sim_complain("%s: flashfarm-sim-avr is not beside this program (built without libsimavr?)",
                            helper->kinds);
    helper->dir = sim_text("%s", farm->dir);
    add_argument(helper, sim_text("--boards=%s", helper->kinds));
    add_argument(helper, sim_text("--dir=%s", farm->dir));
    add_argument(helper, sim_text("--first=%zu", farm->count));
    add_common_options(helper, farm->options);
    result = spawn(helper, program) || await_ready(helper) ? -1 : 0;
    free(program);
    return result;
}

void helper_free(struct helper *helper)
{
    if (!helper)
        return;
    if (helper->pid > 0 && !kill(helper->pid, SIGTERM))
        (void)waitpid(helper->pid, NULL, 0);
    if (helper->output_fd >= 0)
        (void)close(helper->output_fd);
    for (size_t i = 0; i < helper->argument_count; i++)
        free(helper->arguments[i]);
    free(helper->arguments);
    free(helper->kinds);
    free(helper->dir);
    free(helper);
}

size_t helper_boards(const struct helper *helper)
{
    return helper ? helper->boards : 0;
}

int helper_append_conf(const struct helper *helper, FILE *file)
{
    char *path = sim_text("%s/avr.conf", helper->dir);
    FILE *theirs = fopen(path, "re");
    int byte = EOF, result = theirs ? 0 : sim_complain("%s: %s", path, strerror(errno));

    (void)putc('\n', file);
    while (theirs && (byte = getc(theirs)) != EOF)
        (void)putc(byte, file);
    if (theirs)
        (void)fclose(theirs);
    free(path);
    return result;
}

static int reach(const struct helper *helper)
{
    const struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/avr-control", helper->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if ((size_t)length >= sizeof address.sun_path ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool helper_ask(const struct helper *helper, const char *line, char *answer, size_t size)
{
    int fd = reach(helper);
    size_t used = 0;
    ssize_t count = 1;

    if (fd < 0)
        return false;
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
        count = 0;
    while (count > 0 && used < size - 1 && !memchr(answer, '\n', used)) {
        count = recv(fd, answer + used, size - 1 - used, 0);
        used += count > 0 ? (size_t)count : 0;
    }
    (void)close(fd);
    answer[used] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return used > 0;
}
