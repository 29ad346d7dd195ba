/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the format, calls its reader, and answers questions about the ranges. It knows no format from
 * inside, only how each one begins. */
#include "image.h"

#include "bytes.h"
#include "image_build.h"
#include "image_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* A text format must show itself in the first bytes of a file. */
#define LOOK_BYTES 1024u

/* Of this many characters after the mark of a record, this many are digits, in a record not quite ruined. */
#define LOOK_DIGITS      8u
#define LOOK_DIGITS_GOOD 6u

static const char *const words[] = {[IMAGE_BINARY] = "binary",
                                    [IMAGE_INTEL_HEX] = "intel-hex",
                                    [IMAGE_SREC] = "srec",
                                    [IMAGE_ELF] = "elf",
                                    [IMAGE_UF2] = "uf2"};

const char *image_format_word(enum image_format format)
{
    return words[format];
}

/* Most of what comes first are digits, or all of a line that is shorter than that. */
static bool looks_like_digits(const struct image_line *line, size_t skip)
{
    size_t end = line->size < skip + LOOK_DIGITS ? line->size : skip + LOOK_DIGITS;
    size_t digits = 0;

    for (size_t i = skip; i < end; i++)
        digits += hex_digit_value((char)line->text[i]) >= 0;
    return digits >= LOOK_DIGITS_GOOD || (end < skip + LOOK_DIGITS && digits > 0 && digits == end - skip);
}

static bool is_text(const struct image_line *line)
{
    for (size_t i = 0; i < line->size; i++) {
        if ((line->text[i] < ' ' && line->text[i] != '\t') || line->text[i] == 0x7F)
            return false;
    }
    return true;
}

/* The first line that looks like a record decides, if nothing but text stands before it. So a file with a
 * comment, a byte order mark or a spoilt digit at its start is a faulty HEX file or S-record, and never
 * becomes a binary for having a base. */
static enum image_format text_format(const uint8_t *file, size_t size)
{
    struct image_text text = {.next = file, .end = file + (size < LOOK_BYTES ? size : LOOK_BYTES)};
    struct image_line line;

    while (image_text_next(&text, &line)) {
        size_t mark = text.number == 1 && line.size >= 3 && memcmp(line.text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

        if (line.size > mark && line.text[mark] == ':' && looks_like_digits(&line, mark + 1))
            return IMAGE_INTEL_HEX;
        if (line.size > mark + 1 && (line.text[mark] | 0x20) == 's' && line.text[mark + 1] >= '0' &&
            line.text[mark + 1] <= '9' && looks_like_digits(&line, mark + 2))
            return IMAGE_SREC;
        if (!is_text(&line))
            break;
    }
    return IMAGE_BINARY;
}

static enum image_format find_format(const uint8_t *file, size_t size)
{
    if (size >= 4 && memcmp(file, "\177ELF", 4) == 0)
        return IMAGE_ELF;
    if (size >= 4 && memcmp(file, "UF2\n", 4) == 0)
        return IMAGE_UF2;
    return text_format(file, size);
}

static int read_binary(struct image_build *build, const uint8_t *file, size_t size,
                       const struct image_options *options, struct error *error)
{
    if (!options->has_base)
        return error_set(
            error, -EINVAL,
            "the file is none of Intel HEX, S-record, ELF and UF2, and a raw binary needs a base address");
    return image_build_add(build, options->base, file, size, 0, error);
}

static int read_format(struct image_build *build, enum image_format format, const uint8_t *file, size_t size,
                       const struct image_options *options, struct error *error)
{
    switch (format) {
    case IMAGE_INTEL_HEX:
        return image_read_hex(build, file, size, error);
    case IMAGE_SREC:
        return image_read_srec(build, file, size, error);
    case IMAGE_ELF:
        return image_read_elf(build, file, size, error);
    case IMAGE_UF2:
        return image_read_uf2(build, file, size, error);
    case IMAGE_BINARY:
        break;
    }
    return read_binary(build, file, size, options, error);
}

int image_parse(struct image *image, const uint8_t *file, size_t size, const struct image_options *options,
                struct error *error)
{
    struct image_build build = {.place = IMAGE_PLACE_OFFSET};
    enum image_format format;
    int result;

    *image = (struct image){.format = IMAGE_BINARY};
    if (size == 0)
        return error_set(error, -EINVAL, "the file is empty");
    if (size > IMAGE_MAX_BYTES)
        return error_set(error, -E2BIG, "found a file of %zu bytes, expected at most %u", size,
                         IMAGE_MAX_BYTES);
    format = find_format(file, size);
    if (format == IMAGE_INTEL_HEX || format == IMAGE_SREC)
        build.place = IMAGE_PLACE_LINE;
    result = read_format(&build, format, file, size, options, error);
    if (result == 0)
        result = image_build_finish(&build, image, error);
    if (result == 0)
        image->format = format;
    image_build_clear(&build);
    return result;
}

void image_clear(struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        free(image->ranges[i].data);
    free(image->ranges);
    *image = (struct image){.format = IMAGE_BINARY};
}

uint32_t image_range_crc32(const struct image_range *range)
{
    return (uint32_t)crc32_z(0, range->data, range->size);
}

/* The index of the first range that ends after `address`. */
static size_t find_range(const struct image *image, uint32_t address)
{
    size_t low = 0, high = image->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct image_range *range = &image->ranges[middle];

        if ((uint64_t)range->address + range->size > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t image_read(const struct image *image, uint32_t address, void *bytes, size_t size, uint8_t fill)
{
    uint64_t end = (uint64_t)address + size;
    size_t copied = 0;

    memset(bytes, fill, size);
    for (size_t i = find_range(image, address); i < image->count && image->ranges[i].address < end; i++) {
        const struct image_range *range = &image->ranges[i];
        uint64_t from = range->address > address ? range->address : address;
        uint64_t to =
            (uint64_t)range->address + range->size < end ? (uint64_t)range->address + range->size : end;

        memcpy((uint8_t *)bytes + (from - address), range->data + (from - range->address), to - from);
        copied += to - from;
    }
    return copied;
}
