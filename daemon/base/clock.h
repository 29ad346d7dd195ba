/* SPDX-License-Identifier: Apache-2.0 */
/* Time is passed in: whoever needs it holds a `const struct clock *`, and a test holds its hands. */
#ifndef FLASHFARM_BASE_CLOCK_H
#define FLASHFARM_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    int64_t (*monotonic_us)(void *context); /* for durations and deadlines; CLOCK_MONOTONIC */
    int64_t (*utc_us)(void *context);       /* for records; microseconds since 1970-01-01T00:00:00Z */
    bool (*synchronised)(void *context);    /* whether the kernel says that UTC is disciplined (adjtimex) */
    void *context;
};

/* The machine's own clocks. */
extern const struct clock clock_system;

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

static inline int64_t clock_utc_us(const struct clock *clock)
{
    return clock->utc_us(clock->context);
}

static inline bool clock_synchronised(const struct clock *clock)
{
    return clock->synchronised(clock->context);
}

#define CLOCK_NEVER INT64_MAX /* a deadline that does not come */

/* "2026-11-21T12:25:00.123456Z" into `text` (at least 28 bytes). */
void clock_format_utc(int64_t utc_us, char text[28]);

#endif
