/* SPDX-License-Identifier: Apache-2.0 */
/* What a fuzzer defines and may call; the names are libFuzzer's. */
#ifndef FLASHFARM_TESTS_FUZZ_FUZZ_H
#define FLASHFARM_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Every fuzzer has this one. It returns 0, or does not return: a finding is an abort. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A fuzzer whose format has checksums may have this one, to mend what a mutation broke. `size` bytes of
 * `data`, which holds `room`, are changed in place; returns the new size. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);

/* The plain mutation, for use in the above. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

/* Like assert(), but in every build. */
#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
