/* SPDX-License-Identifier: Apache-2.0 */
/* Motorola S-record, after the "M68000 Family Programmer's Reference Manual", appendix C.
 *
 * A record: 'S', type, count of the bytes that follow, address (2, 3 or 4 bytes), data, checksum. A start
 * address of 0 means none: the format has no other way to say so, and tools write it when they have none. */
#include "image_build.h"
#include "image_text.h"

#include <errno.h>
#include <inttypes.h>

enum kind { KIND_HEADER, KIND_DATA, KIND_COUNT, KIND_END, KIND_RESERVED };

/* By the digit after the 'S'. */
static const struct {
    enum kind kind;
    uint8_t address_size;
} types[10] = {
    {.kind = KIND_HEADER, .address_size = 2},
    {.kind = KIND_DATA, .address_size = 2},
    {.kind = KIND_DATA, .address_size = 3},
    {.kind = KIND_DATA, .address_size = 4},
    {.kind = KIND_RESERVED},
    {.kind = KIND_COUNT, .address_size = 2},
    {.kind = KIND_COUNT, .address_size = 3},
    {.kind = KIND_END, .address_size = 4},
    {.kind = KIND_END, .address_size = 3},
    {.kind = KIND_END, .address_size = 2},
};

struct srec {
    struct image_build *build;
    uint32_t data_records;
    uint32_t end_line; /* of the end record, 0 before */
    uint32_t last_line;
};

struct record {
    uint32_t line;
    uint8_t type;
    uint32_t address;
    const uint8_t *data; /* in `bytes` */
    uint32_t size;
    uint8_t bytes[IMAGE_RECORD_BYTES];
};

/* The checksum is the one's complement of the sum of all bytes before it, the count among them. */
static int check_sum(const struct record *record, size_t count, struct error *error)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < count; i++)
        sum += record->bytes[i];
    if (record->bytes[count - 1] == (uint8_t)~sum)
        return 0;
    return error_set(error, -EINVAL, "line %" PRIu32 ": found checksum 0x%02X, expected 0x%02X", record->line,
                     record->bytes[count - 1], (uint8_t)~sum);
}

static int decode_type(const struct image_line *line, struct record *record, struct error *error)
{
    if (line->text[0] != 'S')
        return image_line_unexpected(line, 0, "'S'", error);
    if (line->size < 2 || line->text[1] < '0' || line->text[1] > '9')
        return image_line_unexpected(line, 1, "a digit", error);
    record->type = (uint8_t)(line->text[1] - '0');
    if (types[record->type].kind == KIND_RESERVED)
        return image_line_unexpected(line, 1, "a record type other than the reserved S4", error);
    return 0;
}

static int decode(const struct image_line *line, struct record *record, struct error *error)
{
    uint32_t address_size, address = 0;
    int count;

    if (decode_type(line, record, error))
        return error->code;
    address_size = types[record->type].address_size;
    count = image_line_bytes(line, 2, address_size + 2, record->bytes, error);
    if (count < 0)
        return count;
    if (count - 1 != record->bytes[0])
        return error_set(error, -EINVAL, "line %" PRIu32 ": found %d bytes, expected %u as the count says",
                         line->number, count - 1, record->bytes[0]);
    for (uint32_t i = 1; i <= address_size; i++)
        address = address << 8 | record->bytes[i];
    record->address = address;
    record->data = record->bytes + 1 + address_size;
    record->size = (uint32_t)count - 2 - address_size;
    return check_sum(record, (size_t)count, error);
}

static int check_no_data(const struct record *record, struct error *error)
{
    if (record->size == 0)
        return 0;
    return error_set(error, -EINVAL,
                     "line %" PRIu32 ": found %" PRIu32 " data bytes, expected none in an S%u record",
                     record->line, record->size, record->type);
}

static int check_count(const struct srec *srec, const struct record *record, struct error *error)
{
    if (check_no_data(record, error))
        return error->code;
    if (record->address == srec->data_records)
        return 0;
    return error_set(error, -EINVAL,
                     "line %" PRIu32 ": found %" PRIu32 " data records so far, expected %" PRIu32
                     " as the S%u record says",
                     record->line, srec->data_records, record->address, record->type);
}

static int end_file(struct srec *srec, const struct record *record, struct error *error)
{
    if (check_no_data(record, error))
        return error->code;
    srec->end_line = record->line;
    if (record->address == 0)
        return 0;
    return image_build_set_entry(srec->build, record->address, record->line, error);
}

static int take(struct srec *srec, const struct record *record, struct error *error)
{
    switch (types[record->type].kind) {
    case KIND_DATA:
        srec->data_records++;
        return image_build_add(srec->build, record->address, record->data, record->size, record->line, error);
    case KIND_COUNT:
        return check_count(srec, record, error);
    case KIND_END:
        return end_file(srec, record, error);
    case KIND_HEADER:
    case KIND_RESERVED: /* refused by decode_type() */
        break;
    }
    return 0;
}

int image_read_srec(struct image_build *build, const uint8_t *file, size_t size, struct error *error)
{
    struct srec srec = {.build = build};
    struct image_text text = {.next = file, .end = file + size};
    struct image_line line;

    while (image_text_next(&text, &line)) {
        struct record record = {.line = line.number};

        if (srec.end_line)
            return error_set(error, -EINVAL,
                             "line %" PRIu32
                             ": found text, expected nothing after the end record of line %" PRIu32,
                             line.number, srec.end_line);
        if (decode(&line, &record, error) || take(&srec, &record, error))
            return error->code;
        srec.last_line = line.number;
    }
    if (!srec.end_line)
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found the end of the file, expected an end record (S7, S8 or S9)",
                         srec.last_line + 1);
    return 0;
}
