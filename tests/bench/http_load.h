/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of HTTP load share. They know just enough of HTTP to load a daemon on loopback. */
#ifndef FLASHFARM_TESTS_HTTP_LOAD_H
#define FLASHFARM_TESTS_HTTP_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct target {
    int port; /* on 127.0.0.1 */
    const char *key, *path;
};

int64_t monotonic_us(void);
int64_t utc_us(void);

/* A connected, non-blocking socket in the epoll set, or the end of the program. */
int connect_to(const struct target *target, int epoll_fd, void *context);

/* The text of a GET; the caller frees it. */
char *get_text(const struct target *target, const char *more_headers);

/* Processor time of this process, in microseconds. */
int64_t processor_us(void);

_Noreturn void die(const char *what);

/* REST: `connections` keep-alive connections for so long; per_second 0 asks again as soon as it is answered,
 * otherwise requests fall due evenly and their latency counts from when they were due. Prints an object of
 * JSON. */
void load_rest(const struct target *target, size_t connections, int64_t duration_us, double per_second);

/* Event streams: opens them, says "ready", and notes when each fact arrived at each of them until stdin ends.
 * A line "sequence stream utc_us" per arrival goes to `samples`, an object of JSON to stdout. */
void load_events(const struct target *target, size_t streams, const char *samples);

#endif
