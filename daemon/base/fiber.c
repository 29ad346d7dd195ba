/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler: which fiber runs, what the others wait for, and their deadlines.
 *
 * Deadlines come from one timerfd a fiber (libuv's own timers are a millisecond coarse and are late after a
 * long callback). It is armed lazily: a dialogue sets a new deadline with every byte and almost none of them
 * is reached, so the timer is touched only when the new deadline is earlier than what is armed. */
#include "fiber.h"

#include "alloc.h"
#include "fiber_switch.h"
#include "list.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum fiber_state {
    FIBER_READY,   /* in fibers->ready, will run with `value` */
    FIBER_RUNNING, /* fibers->current */
    FIBER_WAITING, /* in fiber_suspend() or fiber_await() */
    FIBER_ENDED,
};

struct fiber {
    struct fibers *fibers;
    struct fiber_context *context;
    struct list node; /* in fibers->ready while FIBER_READY */
    char name[32];
    fiber_function *run, *done;
    void *argument;
    enum fiber_state state;
    int value; /* what the wait returns */
    bool cancellable, cancel_pending;
    int64_t deadline_us, armed_us;
    int timer_fd;
    uv_poll_t timer;
};

struct fibers_slot {
    struct list node;
    const void *owner;
    void *value;
};

struct fibers {
    uv_loop_t *loop;
    const struct clock *clock;
    struct fiber_context *caller; /* the loop's stack while a fiber runs */
    struct fiber *current;
    struct list ready;
    bool draining;
    size_t alive;
    struct list slots;
};

struct fibers *fibers_new(uv_loop_t *loop, const struct clock *clock)
{
    struct fibers *fibers = allocate(1, sizeof *fibers);

    fibers->loop = loop;
    fibers->clock = clock;
    fibers->caller = fiber_context_of_caller();
    list_init(&fibers->ready);
    list_init(&fibers->slots);
    return fibers;
}

void fibers_free(struct fibers *fibers)
{
    assert(fibers->alive == 0);
    fiber_context_free(fibers->caller);
    LIST_EACH (node, &fibers->slots) {
        free(LIST_ENTRY(node, struct fibers_slot, node));
    }
    free(fibers);
}

void **fibers_slot(struct fibers *fibers, const void *owner)
{
    struct fibers_slot *slot;

    LIST_EACH (node, &fibers->slots) {
        slot = LIST_ENTRY(node, struct fibers_slot, node);
        if (slot->owner == owner)
            return &slot->value;
    }
    slot = allocate(1, sizeof *slot);
    slot->owner = owner;
    list_append(&fibers->slots, &slot->node);
    return &slot->value;
}

uv_loop_t *fibers_loop(const struct fibers *fibers)
{
    return fibers->loop;
}

struct fiber *fiber_current(const struct fibers *fibers)
{
    return fibers ? fibers->current : NULL;
}

bool fiber_waiting(const struct fiber *fiber)
{
    return fiber->state == FIBER_WAITING;
}

static void free_fiber(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_fiber(struct fiber *fiber)
{
    fiber->fibers->alive--;
    if (fiber->done)
        fiber->done(fiber->argument);
    fiber_context_free(fiber->context);
    (void)uv_poll_stop(&fiber->timer);
    uv_close((uv_handle_t *)&fiber->timer, free_fiber);
    (void)close(fiber->timer_fd);
}

static void run_ready(struct fibers *fibers)
{
    if (fibers->draining || fibers->current)
        return;
    fibers->draining = true;
    while (!list_empty(&fibers->ready)) {
        struct fiber *fiber = LIST_ENTRY(fibers->ready.next, struct fiber, node);

        list_remove(&fiber->node);
        fiber->state = FIBER_RUNNING;
        fibers->current = fiber;
        fiber_context_switch(fibers->caller, fiber->context);
        fibers->current = NULL;
        if (fiber->state == FIBER_ENDED)
            end_fiber(fiber);
    }
    fibers->draining = false;
}

static void fiber_main(void *argument)
{
    struct fiber *fiber = argument;

    fiber_context_entered(fiber->context, fiber->fibers->caller);
    fiber->run(fiber->argument);
    fiber->state = FIBER_ENDED;
    fiber_context_switch_last(fiber->context, fiber->fibers->caller);
}

static void make_ready(struct fiber *fiber, int value)
{
    fiber->value = value;
    fiber->state = FIBER_READY;
    list_append(&fiber->fibers->ready, &fiber->node);
}

static void arm(struct fiber *fiber, int64_t deadline_us)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(deadline_us / 1000000),
                                         .tv_nsec = (long)(deadline_us % 1000000) * 1000}};

    fiber->armed_us = deadline_us;
    (void)timerfd_settime(fiber->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void on_timer(uv_poll_t *handle, int status, int events)
{
    struct fiber *fiber = handle->data;
    uint64_t expirations;

    (void)status, (void)events;
    if (read(fiber->timer_fd, &expirations, sizeof expirations) < 0)
        return; /* re-armed between the event and now */
    fiber->armed_us = CLOCK_NEVER;
    if (fiber->state != FIBER_WAITING || fiber->deadline_us == CLOCK_NEVER)
        return;
    if (clock_monotonic_us(fiber->fibers->clock) >= fiber->deadline_us)
        fiber_resume(fiber, -ETIMEDOUT);
    else
        arm(fiber, fiber->deadline_us);
}

struct fiber *fiber_start(struct fibers *fibers, const char *name, fiber_function *run, fiber_function *done,
                          void *argument)
{
    struct fiber *fiber = allocate(1, sizeof *fiber);

    *fiber = (struct fiber){.fibers = fibers,
                            .run = run,
                            .done = done,
                            .argument = argument,
                            .armed_us = CLOCK_NEVER,
                            .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    (void)snprintf(fiber->name, sizeof fiber->name, "%s", name);
    fiber->context = fiber_context_new(fiber_main, fiber);
    if (!fiber->context || fiber->timer_fd < 0 ||
        uv_poll_init(fibers->loop, &fiber->timer, fiber->timer_fd) < 0) {
        (void)fprintf(stderr, "<2>no memory or file descriptor left for fiber %s\n", fiber->name);
        abort(); /* the number of fibers is bounded by the configuration: the machine cannot carry it */
    }
    fiber->timer.data = fiber;
    (void)uv_poll_start(&fiber->timer, UV_READABLE, on_timer);
    fibers->alive++;
    make_ready(fiber, 0);
    run_ready(fibers);
    return fiber;
}

static int wait_here(struct fiber *fiber)
{
    fiber->state = FIBER_WAITING;
    fiber_context_switch(fiber->context, fiber->fibers->caller);
    return fiber->value;
}

int fiber_suspend(struct fibers *fibers, int64_t deadline_us)
{
    struct fiber *fiber = fibers->current;

    if (fiber->cancel_pending) {
        fiber->cancel_pending = false;
        return -ECANCELED;
    }
    if (deadline_us != CLOCK_NEVER && deadline_us <= clock_monotonic_us(fibers->clock))
        return -ETIMEDOUT;
    fiber->deadline_us = deadline_us;
    if (deadline_us < fiber->armed_us)
        arm(fiber, deadline_us);
    fiber->cancellable = true;
    return wait_here(fiber);
}

int fiber_await(struct fibers *fibers)
{
    fibers->current->deadline_us = CLOCK_NEVER;
    fibers->current->cancellable = false;
    return wait_here(fibers->current);
}

void fiber_resume(struct fiber *fiber, int value)
{
    assert(fiber->state == FIBER_WAITING);
    make_ready(fiber, value);
    run_ready(fiber->fibers);
}

void fiber_cancel(struct fiber *fiber)
{
    if (fiber->state == FIBER_WAITING && fiber->cancellable)
        fiber_resume(fiber, -ECANCELED);
    else if (fiber->state == FIBER_READY && fiber->cancellable && fiber->value == -ETIMEDOUT)
        fiber->value = -ECANCELED; /* a cancellation outranks a time-out that has not been delivered */
    else
        fiber->cancel_pending = true;
}

void fiber_uncancel(struct fiber *fiber)
{
    fiber->cancel_pending = false;
}

static int block_until(const struct clock *clock, int64_t deadline_us)
{
    int64_t left_us;

    while ((left_us = deadline_us - clock_monotonic_us(clock)) > 0) {
        struct timespec rest = {.tv_sec = (time_t)(left_us / 1000000),
                                .tv_nsec = (long)(left_us % 1000000) * 1000};

        (void)nanosleep(&rest, NULL);
    }
    return 0;
}

int fiber_sleep_until(struct fibers *fibers, const struct clock *clock, int64_t deadline_us)
{
    int status;

    if (!fiber_current(fibers))
        return block_until(clock, deadline_us);
    status = fiber_suspend(fibers, deadline_us);
    return status == -ETIMEDOUT ? 0 : status;
}
