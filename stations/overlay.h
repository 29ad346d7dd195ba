/* SPDX-License-Identifier: Apache-2.0 */
/* What one unit has that the others of its job have not: a few bytes of its own over the shared image.
 *
 * The shared image is neither changed nor copied: the unit's image borrows its data, but for the erase units
 * that a variable span of the order lies in, which are copied, each run of them a range for itself. The
 * unit's order and plan point at the unit's image, so that everything that programs and verifies a board
 * works on it as on any other. Where ranges begin and end depends on the spans and not on the bytes: so the
 * dialogue of a run can be played again, and units on a shared line take what they have in common in one
 * pass. */
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

/* Must stay where it is from overlay_make() on: order and plan are used by their addresses. */
struct overlay {
    struct order order; /* as the job's, with the unit's image */
    struct plan plan;   /* as the job's, with the unit's digest; sectors and blocks are borrowed */
    struct image image; /* only its list of ranges is its own */
    uint8_t *copies;    /* zeroised by overlay_clear(): they may hold a key */
    size_t copies_size;
};

/* Adds what patches will cover to a template image before the plan is made: bytes the image does not have are
 * added with the chip's erased value, so that the plan covers them. The spans come as order->variable wants
 * them. -EINVAL: a span outside the chip, and the image is as it was. */
int overlay_reserve(struct image *image, const struct chip *chip, const struct chip_span *spans, size_t count,
                    struct error *error);

/* The unit's order and plan. Every patch must lie within a span that `order->variable` names, and what it
 * covers must be in the image (-EINVAL, and there is nothing to clear). Hashes the whole image, as
 * plan_make() does: about 4 ms for each MiB, so on the loop's thread rather in libuv's pool. */
int overlay_make(struct overlay *overlay, const struct order *order, const struct plan *plan,
                 const struct patch *patches, size_t count, struct error *error);
void overlay_clear(struct overlay *overlay);

#endif
