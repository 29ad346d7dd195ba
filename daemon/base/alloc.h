/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that cannot fail: on Linux a small request fails only when the process is already lost, and a
 * daemon that dies leaves `unknown` on the record, never a false `pass`. Sizes that come from outside (an
 * uploaded file, a request body) are bounded by their readers before they get here. */
#ifndef FLASHFARM_BASE_ALLOC_H
#define FLASHFARM_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory for `count` items of `size` bytes; the caller frees it with free(). */
void *allocate(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Grows (or first allocates, with NULL) an array; the new part is not zeroed. */
void *reallocate(void *array, size_t count, size_t size) __attribute__((returns_nonnull));

char *copy_text(const char *text) __attribute__((malloc, returns_nonnull));
char *format_text(const char *format, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

#endif
