/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the bytes that a reader finds, in whatever order, and turns them into an image's ranges. It knows
 * where each piece came from, so that an address given twice can be blamed on both places; it knows nothing
 * of any format. Also declares the readers, which only image.c calls. */
#ifndef FLASHFARM_STATIONS_IMAGE_BUILD_H
#define FLASHFARM_STATIONS_IMAGE_BUILD_H

#include "image.h"

/* How a position in the file is named to the user. */
enum image_place { IMAGE_PLACE_LINE, IMAGE_PLACE_OFFSET };

/* One record, segment or block. 32 bits do for all: files and images end at IMAGE_MAX_BYTES. */
struct image_piece {
    uint32_t address;
    uint32_t size;
    uint32_t start; /* of its bytes in image_build.bytes, thus also the order of arrival */
    uint32_t place; /* line or offset */
};

/* Zero-initialised but for `place`; image_build_clear() frees it. */
struct image_build {
    enum image_place place;
    uint8_t *bytes;
    size_t size;
    size_t room;
    struct image_piece *pieces;
    size_t count;
    size_t capacity;
    bool unsorted;
    bool has_entry;
    uint32_t entry;
    uint32_t uf2_family;
};

/* Puts "line 12: " or "offset 0x1c: " in front of the sentence in `error`, and returns its code. */
int image_build_blame(const struct image_build *build, size_t place, struct error *error);

/* Copies `bytes`; no bytes at all are no piece. Fails past 2^32 and past IMAGE_MAX_BYTES. */
int image_build_add(struct image_build *build, uint32_t address, const uint8_t *bytes, size_t size,
                    size_t place, struct error *error);

/* Notes the start address; a second one that differs is an error. */
int image_build_set_entry(struct image_build *build, uint32_t entry, size_t place, struct error *error);

/* Sorts, refuses overlaps and emptiness, and fills `image` (all but its format). */
int image_build_finish(struct image_build *build, struct image *image, struct error *error);
void image_build_clear(struct image_build *build);

/* The readers: each takes a whole file of its format, and leaves what it found in `build`. */
typedef int image_reader(struct image_build *build, const uint8_t *file, size_t size, struct error *error);
image_reader image_read_hex;
image_reader image_read_srec;
image_reader image_read_elf;
image_reader image_read_uf2;

#endif
