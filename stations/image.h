/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware image: the bytes of a file, as address ranges.
 *
 * The format is found from the content, never from the file's name. Readers are strict: a bad checksum, an
 * overlap, a truncation, a missing end record, an address past 32 bits is an error whose sentence names the
 * line (text formats, from 1) or offset (binary formats, hexadecimal), what was found and what was
 * expected. Parsing is pure computation and may run on any thread. */
#ifndef FLASHFARM_STATIONS_IMAGE_H
#define FLASHFARM_STATIONS_IMAGE_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_format { IMAGE_BINARY, IMAGE_INTEL_HEX, IMAGE_SREC, IMAGE_ELF, IMAGE_UF2 };

/* One run of consecutive bytes. Ranges are sorted by address and never overlap; those of a parsed file never
 * touch. In the image of one unit (overlay.h) they may: then its erase units with bytes of its own are ranges
 * for themselves. */
struct image_range {
    uint32_t address;
    uint32_t size; /* > 0; address + size <= 2^32 */
    uint8_t *data;
};

struct image {
    enum image_format format;
    size_t count;
    struct image_range *ranges;
    bool has_entry; /* the file names a start address */
    uint32_t entry;
    uint32_t uf2_family; /* family ID of a UF2 file, 0 when it has none */
};

/* What cannot be read from the file itself. */
struct image_options {
    bool has_base; /* a raw binary is accepted, and starts at `base` */
    uint32_t base;
};

/* The largest file and the largest sum of ranges that are accepted. */
#define IMAGE_MAX_BYTES (64u << 20)

/* "binary", "intel-hex", "srec", "elf", "uf2". */
const char *image_format_word(enum image_format format);

/* Reads a whole file from memory. On success (0) `image` owns its memory: image_clear() frees it. On
 * failure (-EINVAL, or -E2BIG past IMAGE_MAX_BYTES) `image` is empty. A file that is none of the structured
 * formats is a raw binary: without options->has_base it is refused with a sentence that says so. */
int image_parse(struct image *image, const uint8_t *file, size_t size, const struct image_options *options,
                struct error *error);
void image_clear(struct image *image);

/* CRC-32 (ISO 3309, as zlib's) of one range. */
uint32_t image_range_crc32(const struct image_range *range);

/* Copies what the image has of [address, address + size) into `bytes`, and fills the rest with `fill`.
 * Returns the number of bytes that came from the image. */
size_t image_read(const struct image *image, uint32_t address, void *bytes, size_t size, uint8_t fill);

#endif
