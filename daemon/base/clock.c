/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_monotonic_us(void *context)
{
    (void)context;
    return read_clock_us(CLOCK_MONOTONIC);
}

static int64_t system_utc_us(void *context)
{
    (void)context;
    return read_clock_us(CLOCK_REALTIME);
}

static bool system_synchronised(void *context)
{
    struct timex state = {.modes = 0};

    (void)context;
    return adjtimex(&state) != TIME_ERROR;
}

const struct clock clock_system = {
    .monotonic_us = system_monotonic_us,
    .utc_us = system_utc_us,
    .synchronised = system_synchronised,
};

void clock_format_utc(int64_t utc_us, char text[28])
{
    time_t seconds = (time_t)(utc_us / 1000000);
    struct tm parts;
    char date[21];

    (void)gmtime_r(&seconds, &parts);
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text, 28, "%.19s.%06dZ", date, (int)(utc_us % 1000000));
}
