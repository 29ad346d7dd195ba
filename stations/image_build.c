/* SPDX-License-Identifier: Apache-2.0 */
#include "image_build.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place_name {
    char text[32];
};

static struct place_name name_place(const struct image_build *build, size_t place)
{
    struct place_name name;

    switch (build->place) {
    case IMAGE_PLACE_LINE:
        (void)snprintf(name.text, sizeof name.text, "line %zu", place);
        return name;
    case IMAGE_PLACE_OFFSET:
        break;
    }
    (void)snprintf(name.text, sizeof name.text, "offset 0x%zx", place);
    return name;
}

int image_build_blame(const struct image_build *build, size_t place, struct error *error)
{
    return error_prefix(error, "%s", name_place(build, place).text);
}

/* Doubling keeps the copying linear in the end. */
static void *grown(void *array, size_t *room, size_t needed, size_t item_size)
{
    if (needed <= *room)
        return array;
    *room = needed > 2 * *room ? needed : 2 * *room;
    return reallocate(array, *room, item_size);
}

static int check_bounds(const struct image_build *build, uint32_t address, size_t size, struct error *error)
{
    if (size > (size_t)UINT32_MAX - address + 1)
        return error_set(error, -EINVAL,
                         "%zu bytes at 0x%08" PRIX32 " reach past the last address 0xFFFFFFFF", size,
                         address);
    if (size > IMAGE_MAX_BYTES - build->size)
        return error_set(error, -E2BIG, "%zu bytes after %zu others, expected at most %u in all", size,
                         build->size, IMAGE_MAX_BYTES);
    return 0;
}

int image_build_add(struct image_build *build, uint32_t address, const uint8_t *bytes, size_t size,
                    size_t place, struct error *error)
{
    if (size == 0)
        return 0;
    if (check_bounds(build, address, size, error))
        return image_build_blame(build, place, error);
    if (build->count > 0 && address < build->pieces[build->count - 1].address)
        build->unsorted = true;
    build->bytes = grown(build->bytes, &build->room, build->size + size, 1);
    build->pieces = grown(build->pieces, &build->capacity, build->count + 1, sizeof *build->pieces);
    memcpy(build->bytes + build->size, bytes, size);
    build->pieces[build->count++] = (struct image_piece){
        .address = address, .size = (uint32_t)size, .start = (uint32_t)build->size, .place = (uint32_t)place};
    build->size += size;
    return 0;
}

int image_build_set_entry(struct image_build *build, uint32_t entry, size_t place, struct error *error)
{
    if (build->has_entry && build->entry != entry) {
        error_set(error, -EINVAL, "start address 0x%08" PRIX32 " differs from the earlier 0x%08" PRIX32,
                  entry, build->entry);
        return image_build_blame(build, place, error);
    }
    build->has_entry = true;
    build->entry = entry;
    return 0;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct image_piece *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->start < b->start ? -1 : 1;
}

/* `next` does not start before `piece`, so their distance tells all. */
static bool overlap(const struct image_piece *piece, const struct image_piece *next)
{
    return next->address - piece->address < piece->size;
}

static bool touch(const struct image_piece *piece, const struct image_piece *next)
{
    return next->address - piece->address == piece->size;
}

/* Among sorted pieces, if any two overlap then two neighbours do. */
static int check_overlaps(const struct image_build *build, struct error *error)
{
    for (size_t i = 1; i < build->count; i++) {
        const struct image_piece *a = &build->pieces[i - 1], *b = &build->pieces[i];
        const struct image_piece *first = a->start < b->start ? a : b, *second = first == a ? b : a;

        if (!overlap(a, b))
            continue;
        error_set(error, -EINVAL, "address 0x%08" PRIX32 " is given a second time, first by %s", b->address,
                  name_place(build, first->place).text);
        return image_build_blame(build, second->place, error);
    }
    return 0;
}

static size_t count_ranges(const struct image_build *build)
{
    size_t count = 1;

    for (size_t i = 1; i < build->count; i++)
        count += !touch(&build->pieces[i - 1], &build->pieces[i]);
    return count;
}

/* Makes one range of the piece at `index` and all that go on from it; returns the index after them. */
static size_t join_pieces(const struct image_build *build, size_t index, struct image_range *range)
{
    size_t first = index, size = build->pieces[index].size;

    while (++index < build->count && touch(&build->pieces[index - 1], &build->pieces[index]))
        size += build->pieces[index].size;
    *range = (struct image_range){.address = build->pieces[first].address, .size = (uint32_t)size};
    range->data = allocate(size, 1);
    for (size_t i = first, at = 0; i < index; at += build->pieces[i++].size)
        memcpy(range->data + at, build->bytes + build->pieces[i].start, build->pieces[i].size);
    return index;
}

int image_build_finish(struct image_build *build, struct image *image, struct error *error)
{
    if (build->count == 0)
        return error_set(error, -EINVAL, "the file holds no data, expected at least one byte");
    if (build->unsorted)
        qsort(build->pieces, build->count, sizeof *build->pieces, compare_pieces);
    if (check_overlaps(build, error))
        return error->code;
    image->ranges = allocate(count_ranges(build), sizeof *image->ranges);
    for (size_t i = 0; i < build->count;)
        i = join_pieces(build, i, &image->ranges[image->count++]);
    image->has_entry = build->has_entry;
    image->entry = build->entry;
    image->uf2_family = build->uf2_family;
    return 0;
}

void image_build_clear(struct image_build *build)
{
    free(build->bytes);
    free(build->pieces);
    *build = (struct image_build){.place = build->place};
}
