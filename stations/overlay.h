/* SPDX-License-Identifier: Apache-2.0 */
/* What one unit has that the others of its job have not: a few bytes of its own over the shared image.
 *
 * The shared image is neither changed nor copied: the unit's image borrows its data, but for the erase units
 * that a patch lands in, which are copied. The unit's order and plan point at the unit's image, so that
 * everything that programs and verifies a board works on it as on any other. */
#ifndef FLASHFARM_STATIONS_OVERLAY_H
#define FLASHFARM_STATIONS_OVERLAY_H

#include "plan.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes that replace those of the image. */
struct patch {
    uint32_t address;
    uint32_t size;
    const uint8_t *bytes; /* borrowed during overlay_make() only */
};

struct overlay {
    struct order order; /* as the job's, with the unit's image */
    struct plan plan;   /* as the job's, with the unit's digest; sectors and blocks are borrowed */
    struct image image;
    uint8_t *copies; /* zeroised by overlay_clear(): they may hold a key */
    size_t copies_size;
};

/* Adds what patches will cover to a template image before the plan is made: bytes the image does not have are
 * added with the chip's erased value, so that the plan covers them. -EINVAL: a span outside the chip. */
int overlay_reserve(struct image *image, const struct chip *chip, const struct chip_span *spans, size_t count,
                    struct error *error);

/* The unit's order and plan. Every patch must lie within a span that `order->variable` names (-EINVAL). */
int overlay_make(struct overlay *overlay, const struct order *order, const struct plan *plan,
                 const struct patch *patches, size_t count, struct error *error);
void overlay_clear(struct overlay *overlay);

#endif
