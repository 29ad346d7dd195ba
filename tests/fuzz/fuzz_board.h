/* SPDX-License-Identifier: Apache-2.0 */
/* The input of protocols_fuzz, for who reads it and who makes seeds. */
#ifndef FLASHFARM_TESTS_FUZZ_FUZZ_BOARD_H
#define FLASHFARM_TESTS_FUZZ_FUZZ_BOARD_H

#include <stddef.h>

#define FUZZ_INPUT_MAX 65536u

/* The target's index, circumstances, and how many of the last bytes are repeated for ever at the end. */
#define FUZZ_HEAD 3u

/* Circumstances; the two highest bits choose the image. */
enum { FUZZ_RESETS = 1, FUZZ_IN_STEP = 2, FUZZ_HALF_WAY = 4, FUZZ_RUN = 8 };

struct fuzz_target {
    const char *protocol, *chip;
    const char *entry; /* which resets the board, where circumstances say so */
};

extern const struct fuzz_target fuzz_targets[];
extern const size_t fuzz_target_count;

#endif
