/* SPDX-License-Identifier: Apache-2.0 */
/* What the thin clients share: a line, blocking reads and writes on it, an image, one process a board and a
 * line of JSON from each. Knows no protocol; shares no code with stations/. */
#ifndef FLASHFARM_BENCH_THIN_H
#define FLASHFARM_BENCH_THIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board {
    const char *port;
    int fd;
};

/* CLOCK_MONOTONIC at the ends of a board's phases. */
struct thin_times {
    int64_t begun_us, contact_us, erased_us, written_us, ended_us;
};

int64_t thin_now_us(void);
_Noreturn void thin_die(const struct board *board, const char *what);

void thin_open(struct board *board, unsigned baud, bool even);
void thin_put(const struct board *board, const uint8_t *bytes, size_t size);
void thin_get(const struct board *board, uint8_t *bytes, size_t size);
/* False: not all of it came within that time. */
bool thin_get_within(const struct board *board, uint8_t *bytes, size_t size, int timeout_ms);
uint8_t thin_fold(const uint8_t *bytes, size_t size); /* XOR of all */

/* The file, filled up with 0xFF to whole blocks; ends the program when it cannot be read. */
uint8_t *thin_load(const char *path, size_t block, size_t *size);
bool thin_blank(const uint8_t *block, size_t size);

void thin_tell(const struct board *board, const struct thin_times *times);
/* One child for each port, all at once; the exit status for main(). */
int thin_run(char *const *ports, int count, void (*program)(struct board *board, void *context),
             void *context);

#endif
