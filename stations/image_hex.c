/* SPDX-License-Identifier: Apache-2.0 */
/* Intel HEX, after Intel's "Hexadecimal Object File Format Specification", revision A (1988).
 *
 * A record: ':' length, offset (2 bytes), type, data, checksum. Two points that the specification leaves to
 * the reader are settled on the side that cannot put bytes where nobody meant them: a record may cross
 * 64 KiB only after an address record has said how, and the address field of all records but data is 0. */
#include "bytes.h"
#include "image_build.h"
#include "image_text.h"

#include <errno.h>
#include <inttypes.h>

enum type {
    TYPE_DATA = 0,
    TYPE_END = 1,
    TYPE_SEGMENT = 2,
    TYPE_SEGMENT_START = 3,
    TYPE_LINEAR = 4,
    TYPE_LINEAR_START = 5,
    TYPE_COUNT
};

/* How an offset becomes an address. */
enum mode { MODE_UNSAID, MODE_SEGMENT, MODE_LINEAR };

struct hex {
    struct image_build *build;
    enum mode mode;
    uint32_t base;
    uint32_t end_line; /* of the end record, 0 before */
    uint32_t last_line;
};

struct record {
    uint32_t line;
    uint32_t size; /* of the data */
    uint16_t offset;
    uint8_t type;
    uint8_t bytes[IMAGE_RECORD_BYTES]; /* the data start at 4 */
};

/* All bytes of a record, the checksum too, add up to 0. */
static int check_sum(const struct record *record, struct error *error)
{
    uint32_t at = record->size + 4, sum = 0;

    for (uint32_t i = 0; i < at; i++)
        sum += record->bytes[i];
    if (record->bytes[at] == (uint8_t)-sum)
        return 0;
    return error_set(error, -EINVAL, "line %" PRIu32 ": found checksum 0x%02X, expected 0x%02X", record->line,
                     record->bytes[at], (uint8_t)-sum);
}

static int decode(const struct image_line *line, struct record *record, struct error *error)
{
    int count;

    if (line->text[0] != ':')
        return image_line_unexpected(line, 0, "':'", error);
    count = image_line_bytes(line, 1, 5, record->bytes, error);
    if (count < 0)
        return count;
    record->size = (uint32_t)count - 5;
    record->offset = get_be16(record->bytes + 1);
    record->type = record->bytes[3];
    if (record->size != record->bytes[0])
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found %" PRIu32 " data bytes, expected %u as the length says",
                         line->number, record->size, record->bytes[0]);
    return check_sum(record, error);
}

/* What the records that are not data all look like. */
static int check_shape(const struct record *record, struct error *error)
{
    static const uint8_t sizes[TYPE_COUNT] = {[TYPE_END] = 0,
                                              [TYPE_SEGMENT] = 2,
                                              [TYPE_SEGMENT_START] = 4,
                                              [TYPE_LINEAR] = 2,
                                              [TYPE_LINEAR_START] = 4};

    if (record->type >= TYPE_COUNT)
        return error_set(error, -EINVAL, "line %" PRIu32 ": found record type 0x%02X, expected 0x00 to 0x05",
                         record->line, record->type);
    if (record->type == TYPE_DATA)
        return 0;
    if (record->size != sizes[record->type])
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found %" PRIu32
                         " data bytes, expected %u in a record of type 0x%02X",
                         record->line, record->size, sizes[record->type], record->type);
    if (record->offset != 0)
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found address 0x%04X, expected 0x0000 in a record of type 0x%02X",
                         record->line, record->offset, record->type);
    return 0;
}

/* In a segment the offset wraps at 64 KiB, so that a record may lie at its end and at its start. */
static int add_data(struct hex *hex, const struct record *record, struct error *error)
{
    const uint8_t *data = record->bytes + 4;
    uint32_t address = hex->base + record->offset, before = 0x10000u - record->offset;

    if (record->size <= before || hex->mode == MODE_LINEAR)
        return image_build_add(hex->build, address, data, record->size, record->line, error);
    if (hex->mode == MODE_UNSAID)
        return error_set(error, -EINVAL,
                         "line %" PRIu32
                         ": data cross address 0x00010000, expected an address record (type 02 or 04) before",
                         record->line);
    if (image_build_add(hex->build, address, data, before, record->line, error))
        return error->code;
    return image_build_add(hex->build, hex->base, data + before, record->size - before, record->line, error);
}

static int set_base(struct hex *hex, enum mode mode, uint32_t base)
{
    hex->mode = mode;
    hex->base = base;
    return 0;
}

static int end_file(struct hex *hex, const struct record *record)
{
    hex->end_line = record->line;
    return 0;
}

static int take(struct hex *hex, const struct record *record, struct error *error)
{
    const uint8_t *data = record->bytes + 4;

    if (check_shape(record, error))
        return error->code;
    switch ((enum type)record->type) {
    case TYPE_DATA:
        return add_data(hex, record, error);
    case TYPE_END:
        return end_file(hex, record);
    case TYPE_SEGMENT:
        return set_base(hex, MODE_SEGMENT, (uint32_t)get_be16(data) << 4);
    case TYPE_LINEAR:
        return set_base(hex, MODE_LINEAR, (uint32_t)get_be16(data) << 16);
    case TYPE_SEGMENT_START: /* CS and IP */
        return image_build_set_entry(hex->build, ((uint32_t)get_be16(data) << 4) + get_be16(data + 2),
                                     record->line, error);
    case TYPE_LINEAR_START:
        return image_build_set_entry(hex->build, get_be32(data), record->line, error);
    case TYPE_COUNT:
        break;
    }
    return -EINVAL; /* not reached: check_shape() has refused all other types */
}

int image_read_hex(struct image_build *build, const uint8_t *file, size_t size, struct error *error)
{
    struct hex hex = {.build = build};
    struct image_text text = {.next = file, .end = file + size};
    struct image_line line;

    while (image_text_next(&text, &line)) {
        struct record record = {.line = line.number};

        if (hex.end_line)
            return error_set(error, -EINVAL,
                             "line %" PRIu32
                             ": found text, expected nothing after the end record of line %" PRIu32,
                             line.number, hex.end_line);
        if (decode(&line, &record, error) || take(&hex, &record, error))
            return error->code;
        hex.last_line = line.number;
    }
    if (!hex.end_line)
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found the end of the file, expected an end record (type 01)",
                         hex.last_line + 1);
    return 0;
}
