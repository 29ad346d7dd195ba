/* SPDX-License-Identifier: Apache-2.0 */
/* One loop for the whole farm: file descriptors by epoll, deadlines by a heap and the nanosecond timeout of
 * epoll_pwait2, so that nothing ticks while nothing is due. Knows nothing of boards. */
#ifndef SIM_LOOP_H
#define SIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source {
    int fd;
    void (*ready)(struct source *source);
};

struct timer {
    uint64_t due_ns;
    size_t place;                                       /* 1 + index in the heap; 0 = not armed */
    void (*fire)(struct timer *timer, uint64_t now_ns); /* what is due by now_ns */
};

struct loop {
    int epoll_fd;
    bool stop;
    struct timer **heap;
    size_t armed, room;
    uint64_t head_start_ns; /* how late this host usually wakes */
};

int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* Returns when stop is set; 0, or -1 when epoll failed. */
int loop_run(struct loop *loop);

/* source stays where it is until it is removed. */
int loop_add(struct loop *loop, struct source *source);
void loop_remove(struct loop *loop, struct source *source);

void timer_arm(struct loop *loop, struct timer *timer, uint64_t due_ns);
void timer_disarm(struct loop *loop, struct timer *timer);

#endif
