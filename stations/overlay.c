/* SPDX-License-Identifier: Apache-2.0 */
/* Knows where a unit's bytes go, and neither what they mean nor where they come from. */
#include "overlay.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint64_t end_of(uint32_t address, uint32_t size)
{
    return (uint64_t)address + size;
}

static bool inside(const struct chip_span *part, uint32_t address, uint32_t size)
{
    return part->size > 0 && part->address >= address &&
           end_of(part->address, part->size) <= end_of(address, size);
}

/* --- room in the template ----------------------------------------------------------------- */

static int check_span(const struct chip *chip, const struct chip_span *span, struct error *error)
{
    const struct chip_family *family = chip->family;

    if (inside(span, family->flash_base, chip->flash_size) ||
        inside(span, family->eeprom.address, family->eeprom.size))
        return 0;
    return error_set(error, -EINVAL,
                     "%" PRIu32 " bytes at 0x%08" PRIx32 " are outside the flash of %s (0x%08" PRIx32
                     "-0x%08" PRIx32 ")",
                     span->size, span->address, chip->name, family->flash_base,
                     family->flash_base + (chip->flash_size - 1));
}

static bool holds(const struct image *image, const struct chip_span *span)
{
    for (size_t i = 0; i < image->count; i++)
        if (inside(span, image->ranges[i].address, image->ranges[i].size))
            return true;
    return false;
}

static bool meets(const struct image_range *range, const struct chip_span *span)
{
    return range->address <= end_of(span->address, span->size) &&
           span->address <= end_of(range->address, range->size);
}

/* The span as a range, together with all ranges that it overlaps or touches, of which there are `count` from
 * `first` on. */
static struct image_range joined(const struct image *image, const struct chip_span *span, size_t first,
                                 size_t count, uint8_t blank)
{
    const struct image_range *low = &image->ranges[first], *high = low + count - 1;
    uint64_t end = end_of(span->address, span->size);
    struct image_range range = {.address = span->address};

    if (count && low->address < range.address)
        range.address = low->address;
    if (count && end_of(high->address, high->size) > end)
        end = end_of(high->address, high->size);
    range.size = (uint32_t)(end - range.address);
    range.data = allocate(range.size, 1);
    (void)image_read(image, range.address, range.data, range.size, blank);
    return range;
}

static void add_span(struct image *image, const struct chip_span *span, uint8_t blank)
{
    size_t first = 0, count = 0;
    struct image_range range;

    while (first < image->count && !meets(&image->ranges[first], span) &&
           image->ranges[first].address < span->address)
        first++;
    while (first + count < image->count && meets(&image->ranges[first + count], span))
        count++;
    if (count == 0)
        image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
    range = joined(image, span, first, count, blank);
    for (size_t i = first; i < first + count; i++)
        free(image->ranges[i].data);
    memmove(image->ranges + first + 1, image->ranges + first + count,
            (image->count - first - count) * sizeof *image->ranges);
    image->ranges[first] = range;
    image->count = image->count + 1 - count;
}

int overlay_reserve(struct image *image, const struct chip *chip, const struct chip_span *spans, size_t count,
                    struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (check_span(chip, &spans[i], error) < 0)
            return error->code;
    for (size_t i = 0; i < count; i++)
        if (!holds(image, &spans[i]))
            add_span(image, &spans[i], chip->family->erased_value);
    return 0;
}

/* --- a unit's image ----------------------------------------------------------------------- */

static bool varies(const struct order *order, uint32_t address, uint64_t end)
{
    for (size_t i = 0; i < order->variable_count; i++) {
        const struct chip_span *span = &order->variable[i];

        if (span->address < end && address < end_of(span->address, span->size))
            return true;
    }
    return false;
}

/* A piece goes on from the one before it, or begins a range of its own. Those to be copied have no data yet.
 */
static void add_piece(struct overlay *overlay, const struct image_range *whole, uint32_t address,
                      uint32_t size, bool copied)
{
    struct image *image = &overlay->image;
    struct image_range *last = image->count ? &image->ranges[image->count - 1] : NULL;

    overlay->copies_size += copied ? size : 0;
    if (last && address != whole->address && (last->data == NULL) == copied) {
        last->size += size;
        return;
    }
    image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
    image->ranges[image->count++] = (struct image_range){
        .address = address, .size = size, .data = copied ? NULL : whole->data + (address - whole->address)};
}

/* Cuts a range of flash where erase units with bytes that vary begin and end. `*number` is an erase unit at
 * or before the range's first, and then its last. */
static void split_range(struct overlay *overlay, const struct image_range *range, uint32_t *number)
{
    const struct order *order = &overlay->order;
    uint32_t count = chip_sector_count(order->chip);
    uint64_t range_end = end_of(range->address, range->size);

    for (; *number < count; (*number)++) {
        struct chip_sector sector = chip_sector(order->chip, *number);
        uint64_t end = end_of(sector.address, sector.size);
        uint32_t from = sector.address > range->address ? sector.address : range->address;
        uint64_t to = end < range_end ? end : range_end;

        if (from < to)
            add_piece(overlay, range, from, (uint32_t)(to - from), varies(order, from, to));
        if (end >= range_end)
            return;
    }
}

static void split_image(struct overlay *overlay, const struct image *shared)
{
    uint32_t number = 0;

    for (size_t i = 0; i < shared->count; i++) {
        const struct image_range *range = &shared->ranges[i];

        if (chip_is_eeprom(overlay->order.chip, range->address)) /* small, and has no erase units */
            add_piece(overlay, range, range->address, range->size,
                      varies(&overlay->order, range->address, end_of(range->address, range->size)));
        else
            split_range(overlay, range, &number);
    }
}

static void copy_shared(struct overlay *overlay, const struct image *shared)
{
    size_t used = 0;

    overlay->copies = allocate(overlay->copies_size, 1);
    for (size_t i = 0; i < overlay->image.count; i++) {
        struct image_range *range = &overlay->image.ranges[i];

        if (range->data)
            continue;
        range->data = overlay->copies + used;
        (void)image_read(shared, range->address, range->data, range->size, 0);
        used += range->size;
    }
}

static int check_patch(const struct order *order, const struct patch *patch, struct error *error)
{
    const struct chip_span part = {.address = patch->address, .size = patch->size};

    for (size_t i = 0; i < order->variable_count; i++)
        if (inside(&part, order->variable[i].address, order->variable[i].size) && holds(order->image, &part))
            return 0;
    return error_set(error, -EINVAL,
                     "%" PRIu32 " bytes at 0x%08" PRIx32 " are not where the order has a unit's own",
                     patch->size, patch->address);
}

static void apply(struct overlay *overlay, const struct patch *patch)
{
    for (size_t i = 0; i < overlay->image.count; i++) {
        struct image_range *range = &overlay->image.ranges[i];
        uint64_t end = end_of(range->address, range->size);
        uint64_t patch_end = end_of(patch->address, patch->size);
        uint32_t from = range->address > patch->address ? range->address : patch->address;

        end = end < patch_end ? end : patch_end;
        if (from < end) /* a copy: it varies */
            memcpy(range->data + (from - range->address), patch->bytes + (from - patch->address), end - from);
    }
}

int overlay_make(struct overlay *overlay, const struct order *order, const struct plan *plan,
                 const struct patch *patches, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (check_patch(order, &patches[i], error) < 0)
            return error->code;
    *overlay = (struct overlay){.order = *order, .plan = *plan, .image = *order->image};
    overlay->image.count = 0;
    overlay->image.ranges = NULL;
    overlay->order.image = &overlay->image;
    split_image(overlay, order->image);
    copy_shared(overlay, order->image);
    for (size_t i = 0; i < count; i++)
        apply(overlay, &patches[i]);
    plan_digest(plan, &overlay->order, overlay->plan.digest);
    return 0;
}

void overlay_clear(struct overlay *overlay)
{
    if (overlay->copies)
        sodium_memzero(overlay->copies, overlay->copies_size);
    free(overlay->copies);
    free(overlay->image.ranges);
    *overlay = (struct overlay){.copies = NULL};
}
