/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. The same callbacks serve a fiber on the daemon's loop and, outside one, a loop of our own
 * that runs until the program has ended. */
#include "switch_run.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long a killed process may take to go. One in an uninterruptible sleep is left to itself. */
#define KILL_US 1000000

/* Lives until libuv has let go of its handles. */
struct child {
    uv_process_t process;
    uv_pipe_t output;
    int handles; /* that are open */
    bool exited, abandoned;
    int64_t status;
    int signal;
    struct fiber *waiter;
    size_t held;
    char said[120]; /* the start of what it said */
    char chunk[512];
};

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;

    if (--child->handles == 0)
        free(child);
}

static void close_child(struct child *child)
{
    uv_close((uv_handle_t *)&child->process, on_closed);
    uv_close((uv_handle_t *)&child->output, on_closed);
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;

    child->exited = true;
    child->status = status;
    child->signal = signal;
    if (child->abandoned)
        close_child(child);
    else if (child->waiter && fiber_waiting(child->waiter))
        fiber_resume(child->waiter, 0);
}

static void keep(struct child *child, const char *bytes, size_t size)
{
    size_t room = sizeof child->said - 1 - child->held;

    size = size < room ? size : room;
    memcpy(child->said + child->held, bytes, size);
    child->held += size;
}

static void give_chunk(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct child *child = handle->data;

    (void)size;
    *buffer = uv_buf_init(child->chunk, sizeof child->chunk);
}

/* All of it is read, so that the program never waits for us; little is kept. Its end is told after what it
 * said, for libuv serves signals last; nobody waits for the end of the file, which a process that it left
 * behind may hold open. */
static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    if (got > 0)
        keep(stream->data, buffer->base, (size_t)got);
    else if (got < 0)
        (void)uv_read_stop(stream);
}

/* Standard output and standard error are one pipe; standard input is empty. It leads a session of its own, so
 * that what it starts can be killed with it. */
static int spawn(struct child *child, uv_loop_t *loop, char **arguments, int output)
{
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = output},
                                    {.flags = UV_INHERIT_FD, .data.fd = output}};
    const uv_process_options_t options = {.exit_cb = on_ended,
                                          .file = arguments[0],
                                          .args = arguments,
                                          .stdio_count = 3,
                                          .stdio = stdio,
                                          .flags = UV_PROCESS_DETACHED};

    child->process.data = child->output.data = child;
    child->handles = 2;
    (void)uv_pipe_init(loop, &child->output, 0);
    return uv_spawn(loop, &child->process, &options);
}

/* NULL: it could not be started, and the error says why. */
static struct child *start(uv_loop_t *loop, char **arguments, struct error *error)
{
    struct child *child = allocate(1, sizeof *child);
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        free(child);
        (void)error_set_errno(error, errno, "cannot be started");
        return NULL;
    }
    status = spawn(child, loop, arguments, ends[1]);
    (void)close(ends[1]);
    if (status == 0 && uv_pipe_open(&child->output, ends[0]) == 0) {
        (void)uv_read_start((uv_stream_t *)&child->output, give_chunk, on_output);
        return child;
    }
    (void)close(ends[0]);
    close_child(child);
    (void)error_set_errno(error, status ? -status : EMFILE, "cannot be started");
    return NULL;
}

/* --- waiting for its end ---------------------------------------------------------------------- */

static void on_late(uv_timer_t *timer)
{
    (void)timer; /* it has ended uv_run() */
}

/* Our own loop, which holds nothing but this child. */
static void wait_blocking(struct child *child, uv_loop_t *loop, const struct clock *clock,
                          int64_t deadline_us)
{
    uv_timer_t timer;
    int64_t left_us;

    (void)uv_timer_init(loop, &timer);
    while (!child->exited && (left_us = deadline_us - clock_monotonic_us(clock)) > 0) {
        (void)uv_timer_start(&timer, on_late, (uint64_t)(left_us + 999) / 1000, 0);
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* lets go of the timer */
}

/* 0, -ETIMEDOUT or -ECANCELED. With `finish` the latter comes when the other two have. */
static int wait_for_end(struct child *child, struct fibers *fibers, int64_t deadline_us, bool finish)
{
    int status = 0;
    bool cancelled = false;

    child->waiter = fiber_current(fibers);
    while (!child->exited && status == 0) {
        status = fiber_suspend(fibers, deadline_us);
        if (status == -ECANCELED && finish) {
            cancelled = true;
            status = 0;
        }
    }
    child->waiter = NULL;
    return status == 0 && cancelled ? -ECANCELED : status;
}

static void kill_all(const struct child *child)
{
    (void)kill(-child->process.pid, SIGKILL);
}

/* ": " and the first line it said, or nothing. */
static void first_line(const struct child *child, char line[sizeof child->said + 2])
{
    size_t start = 0, end;

    while (start < child->held && strchr(" \t\r\n", child->said[start]))
        start++;
    for (end = start; end < child->held && child->said[end] != '\r' && child->said[end] != '\n';)
        end++;
    (void)sprintf(line, "%s%.*s", end > start ? ": " : "", (int)(end - start), child->said + start);
}

static int say_end(const struct child *child, struct error *error)
{
    char line[sizeof child->said + 2];

    first_line(child, line);
    if (child->signal)
        return error_set(error, -EREMOTEIO, "it was ended by signal %d%s", child->signal, line);
    if (child->status)
        return error_set(error, -EREMOTEIO, "it ended with status %" PRId64 "%s", child->status, line);
    return 0;
}

static int say_killed(const struct child *child, int waited, int64_t timeout_us, struct error *error)
{
    char line[sizeof child->said + 2];

    first_line(child, line);
    if (waited == -ECANCELED)
        return error_set(error, -ECANCELED, "cancelled");
    return error_set(error, -EREMOTEIO, "it did not end within %" PRId64 " ms and was killed%s",
                     timeout_us / 1000, line);
}

static int run_on_fiber(char **arguments, const struct clock *clock, const struct switch_call *call,
                        struct error *error)
{
    struct child *child = start(fibers_loop(call->fibers), arguments, error);
    bool late;
    int status, waited;

    if (!child)
        return error_reclass(error, -EREMOTEIO);
    waited = wait_for_end(child, call->fibers, clock_monotonic_us(clock) + call->timeout_us, call->finish);
    late = !child->exited;
    if (late) {
        kill_all(child);
        (void)wait_for_end(child, call->fibers, clock_monotonic_us(clock) + KILL_US, true);
    }
    status = late ? say_killed(child, waited, call->timeout_us, error) : say_end(child, error);
    if (status == 0 && waited == -ECANCELED)
        status = error_set(error, -ECANCELED, "cancelled");
    if (child->exited)
        close_child(child);
    else
        child->abandoned = true;
    return status;
}

static int run_blocking(char **arguments, const struct clock *clock, const struct switch_call *call,
                        struct error *error)
{
    uv_loop_t loop;
    struct child *child;
    bool late;
    int status = uv_loop_init(&loop);

    if (status < 0)
        return error_set_errno(error, -status, "cannot be started");
    child = start(&loop, arguments, error);
    if (child) {
        wait_blocking(child, &loop, clock, clock_monotonic_us(clock) + call->timeout_us);
        late = !child->exited;
        if (late) {
            kill_all(child);
            wait_blocking(child, &loop, clock, CLOCK_NEVER);
        }
        status = late ? say_killed(child, -ETIMEDOUT, call->timeout_us, error) : say_end(child, error);
        close_child(child);
    } else {
        status = error_reclass(error, -EREMOTEIO);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return status;
}

int switch_run(char **arguments, const struct clock *clock, const struct switch_call *call,
               struct error *error)
{
    if (call->timeout_us <= 0) /* killed at once, it might have switched by half */
        return error_set(error, -ETIMEDOUT, "there is no time left to run it");
    return fiber_current(call->fibers) ? run_on_fiber(arguments, clock, call, error)
                                       : run_blocking(arguments, clock, call, error);
}
