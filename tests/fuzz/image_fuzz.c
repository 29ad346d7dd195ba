/* SPDX-License-Identifier: Apache-2.0 */
#include "image_fuzz.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>

static void check_failure(const struct image *image, const struct error *error, int result)
{
    FUZZ_CHECK(result == -EINVAL || result == -E2BIG);
    FUZZ_CHECK(error->code == result && error->text[0] != '\0');
    FUZZ_CHECK(strlen(error->text) + 1 < sizeof error->text); /* not cut short */
    FUZZ_CHECK(image->count == 0 && image->ranges == NULL);
}

/* One more byte at each side, so that the ranges' borders are seen. */
static void check_reading(const struct image *image, const struct image_range *range)
{
    uint32_t before = range->address > 0, start = range->address - before;
    size_t size = (size_t)range->size + before + 1;
    uint8_t *bytes = malloc(size);

    FUZZ_CHECK(image_read(image, start, bytes, size, 0xA5) == range->size);
    FUZZ_CHECK(memcmp(bytes + before, range->data, range->size) == 0);
    FUZZ_CHECK(!before || bytes[0] == 0xA5);
    FUZZ_CHECK(bytes[size - 1] == 0xA5);
    free(bytes);
}

static void check_success(const struct image *image)
{
    uint64_t end = 0, sum = 0;

    FUZZ_CHECK(image->count > 0);
    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];

        FUZZ_CHECK(range->size > 0);
        FUZZ_CHECK(i == 0 || range->address > end); /* sorted, not touching */
        end = (uint64_t)range->address + range->size;
        sum += range->size;
        FUZZ_CHECK(end <= (uint64_t)1 << 32);
        check_reading(image, range);
        (void)image_range_crc32(range);
    }
    FUZZ_CHECK(sum <= IMAGE_MAX_BYTES);
}

void fuzz_image(const uint8_t *data, size_t size, const struct image_options *options)
{
    struct error error = ERROR_NONE;
    struct image image;
    int result = image_parse(&image, data, size, options, &error);

    if (result)
        check_failure(&image, &error, result);
    else
        check_success(&image);
    FUZZ_CHECK(result || image.format != IMAGE_BINARY || options->has_base);
    image_clear(&image);
}

uint32_t fuzz_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void fuzz_put_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static int digit(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static int byte_at(const uint8_t *digits)
{
    int high = digit(digits[0]), low = digit(digits[1]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static void put_byte(uint8_t *digits, unsigned value)
{
    digits[0] = (uint8_t) "0123456789ABCDEF"[value >> 4 & 15];
    digits[1] = (uint8_t) "0123456789ABCDEF"[value & 15];
}

static void mend_record(uint8_t *line, size_t size, const struct fuzz_records *records)
{
    uint8_t *digits = line + records->mark_size;
    size_t bytes = (size - records->mark_size) / 2;
    unsigned sum = 0;

    if (bytes < 2)
        return;
    put_byte(digits, (unsigned)((int)bytes - 1 - records->count_less));
    for (size_t i = 0; i + 1 < bytes; i++) {
        int value = byte_at(digits + 2 * i);

        if (value < 0)
            put_byte(digits + 2 * i, 0);
        sum += value < 0 ? 0 : (unsigned)value;
    }
    put_byte(digits + 2 * (bytes - 1), (sum ^ 255) + records->sum_plus);
}

void fuzz_mend_records(uint8_t *data, size_t size, const struct fuzz_records *records, uint32_t *random)
{
    for (size_t at = 0; at < size;) {
        const uint8_t *feed = memchr(data + at, '\n', size - at);
        size_t end = feed ? (size_t)(feed - data) : size;

        if (end - at > records->mark_size && data[at] == (uint8_t)records->mark && fuzz_random(random) % 16)
            mend_record(data + at, end - at, records);
        at = end + 1;
    }
}
