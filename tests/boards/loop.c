/* SPDX-License-Identifier: Apache-2.0 */
/* See loop.h. */
#include "loop.h"

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

static void place(struct loop *loop, struct timer *timer, size_t index)
{
    loop->heap[index] = timer;
    timer->place = index + 1;
}

static void sift_up(struct loop *loop, size_t index)
{
    struct timer *timer = loop->heap[index];

    while (index && loop->heap[(index - 1) / 2]->due_ns > timer->due_ns) {
        place(loop, loop->heap[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(loop, timer, index);
}

static void sift_down(struct loop *loop, size_t index)
{
    struct timer *timer = loop->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child + 1 < loop->armed && loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
            child++;
        if (child >= loop->armed || loop->heap[child]->due_ns >= timer->due_ns)
            break;
        place(loop, loop->heap[child], index);
        index = child;
    }
    place(loop, timer, index);
}

void timer_disarm(struct loop *loop, struct timer *timer)
{
    size_t index = timer->place - 1;
    struct timer *last;

    if (!timer->place)
        return;
    timer->place = 0;
    last = loop->heap[--loop->armed];
    if (last == timer)
        return;
    place(loop, last, index);
    sift_up(loop, index);
    sift_down(loop, last->place - 1);
}

void timer_arm(struct loop *loop, struct timer *timer, uint64_t due_ns)
{
    if (timer->place && timer->due_ns == due_ns)
        return;
    timer_disarm(loop, timer);
    timer->due_ns = due_ns;
    if (loop->armed == loop->room) {
        loop->room = loop->room ? 2 * loop->room : 64;
        loop->heap = sim_reallocate(loop->heap, loop->room * sizeof(struct timer *));
    }
    place(loop, timer, loop->armed++);
    sift_up(loop, loop->armed - 1);
}

int loop_open(struct loop *loop)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (loop->epoll_fd < 0)
        return sim_complain("epoll: %s", strerror(errno));
    /* The default slack of 50 us would be half a byte at 115200 on every deadline. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    return 0;
}

void loop_close(struct loop *loop)
{
    free(loop->heap);
    (void)close(loop->epoll_fd);
}

int loop_add(struct loop *loop, struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event))
        return sim_complain("epoll: %s", strerror(errno));
    return 0;
}

void loop_remove(struct loop *loop, struct source *source)
{
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
}

/* A host wakes some tens of microseconds after the time it was asked for. The loop asks that much earlier, so
 * that deadlines are met on average; never by more than this. */
#define HEAD_START_MAX_NS (100 * NS_PER_US)

static void learn_head_start(struct loop *loop, uint64_t wanted_ns)
{
    uint64_t now_ns = sim_now_ns(), late_ns = now_ns > wanted_ns ? now_ns - wanted_ns : 0;

    if (late_ns > HEAD_START_MAX_NS)
        late_ns = HEAD_START_MAX_NS;
    loop->head_start_ns = (7 * loop->head_start_ns + late_ns) / 8;
}

static void fire_due(struct loop *loop)
{
    uint64_t until_ns = sim_now_ns() + loop->head_start_ns;

    while (loop->armed && loop->heap[0]->due_ns <= until_ns) {
        struct timer *timer = loop->heap[0];

        timer_disarm(loop, timer);
        timer->fire(timer, until_ns);
    }
}

static int wait_for(struct loop *loop, struct epoll_event *events)
{
    struct timespec left = {0};
    uint64_t now_ns = sim_now_ns(), wanted_ns;
    int count;

    if (!loop->armed)
        return epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, NULL, NULL);
    wanted_ns = loop->heap[0]->due_ns - loop->head_start_ns;
    if (wanted_ns <= now_ns)
        return epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, &left, NULL);
    left.tv_sec = (time_t)((wanted_ns - now_ns) / NS_PER_S);
    left.tv_nsec = (long)((wanted_ns - now_ns) % NS_PER_S);
    count = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, &left, NULL);
    if (!count)
        learn_head_start(loop, wanted_ns);
    return count;
}

int loop_run(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];

    while (!loop->stop) {
        int count = wait_for(loop, events);

        if (count < 0 && errno != EINTR)
            return sim_complain("epoll: %s", strerror(errno));
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;

            /* One that was removed earlier in this turn has no descriptor any more. */
            if (source->fd >= 0)
                source->ready(source);
            /* A deadline that fell due while others were served must not wait for all of them. */
            fire_due(loop);
        }
        fire_due(loop);
    }
    return 0;
}
