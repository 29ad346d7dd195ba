/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the start of an image can be what its chip starts with, as far as that can be known for sure: an
 * alarm here is never raised for an image that some chip of that row would run. Pure computation. */
#ifndef FLASHFARM_JOBS_VECTORS_H
#define FLASHFARM_JOBS_VECTORS_H

#include "chip.h"
#include "image.h"

#include <stdbool.h>

struct vectors_finding {
    const char *class; /* of lint.h: "vector-table" or "wrong-family" */
    bool is_sure;      /* false: odd, but there may be a reason */
    uint32_t address;
    char message[200];
    const char *remedy;
};

/* True: something is wrong, and what. False: nothing is, or nothing can be said. */
bool vectors_check(const struct chip *chip, const struct image *image, struct vectors_finding *finding);

#endif
