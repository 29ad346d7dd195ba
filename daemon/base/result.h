/* SPDX-License-Identifier: Apache-2.0 */
/* An error is a number and a sentence that grows on the way up.
 *
 * A function that can fail returns 0 (or a count >= 0) on success and a negative number on failure, and
 * takes a `struct error *` for the sentence. The number is a negative errno, or the negative of a domain
 * class numbered from ERROR_CLASS_BASE up (stations/failure.h numbers the failure classes of a run).
 * Callers prepend what they were doing: "station A3: write at 0x08004100: no ACK within 500 ms". */
#ifndef FLASHFARM_BASE_RESULT_H
#define FLASHFARM_BASE_RESULT_H

#include <stdbool.h>

/* Above every errno of Linux (the kernel's MAX_ERRNO is 4095), so that the two can share one integer. */
#define ERROR_CLASS_BASE 5000

struct error {
    int code;       /* 0, a negative errno, or -(ERROR_CLASS_BASE + n) */
    char text[320]; /* one sentence in English without full stop, always terminated; empty when code is 0 */
};

#define ERROR_NONE ((struct error){.code = 0})

/* Sets code and sentence (cut at the buffer's end) and returns the code. `code` must be negative. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set() with -errno_value as code and ": " and the system's words for it at the end. */
int error_set_errno(struct error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "what you were doing: " in front of the sentence, and returns the code. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives the same sentence another number (a time-out while erasing is of class `erase`); returns it. */
int error_reclass(struct error *error, int code);

#endif
