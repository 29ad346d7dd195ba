/* SPDX-License-Identifier: Apache-2.0 */
#include "image_text.h"

#include "bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(uint8_t character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static struct image_line trimmed(const uint8_t *start, const uint8_t *end, uint32_t number)
{
    const uint8_t *first = start;

    while (first < end && is_blank(*first))
        first++;
    while (end > first && is_blank(end[-1]))
        end--;
    return (struct image_line){.text = first,
                               .size = (size_t)(end - first),
                               .column = (size_t)(first - start) + 1,
                               .number = number};
}

bool image_text_next(struct image_text *text, struct image_line *line)
{
    while (text->next < text->end) {
        const uint8_t *start = text->next;
        const uint8_t *feed = memchr(start, '\n', (size_t)(text->end - start));

        text->next = feed ? feed + 1 : text->end;
        *line = trimmed(start, feed ? feed : text->end, ++text->number);
        if (line->size > 0)
            return true;
    }
    return false;
}

int image_line_unexpected(const struct image_line *line, size_t index, const char *expected,
                          struct error *error)
{
    size_t column = line->column + index;
    char found[24];

    if (index >= line->size)
        (void)snprintf(found, sizeof found, "the end of the line");
    else if (line->text[index] >= ' ' && line->text[index] <= '~')
        (void)snprintf(found, sizeof found, "'%c'", line->text[index]);
    else
        (void)snprintf(found, sizeof found, "byte 0x%02X", line->text[index]);
    return error_set(error, -EINVAL, "line %" PRIu32 ", column %zu: found %s, expected %s", line->number,
                     column, found, expected);
}

static int check_digit_count(const struct image_line *line, size_t digits, size_t least, struct error *error)
{
    if (digits % 2 != 0)
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found %zu hexadecimal digits, expected an even number",
                         line->number, digits);
    if (digits / 2 < least)
        return error_set(error, -EINVAL,
                         "line %" PRIu32 ": found a record of %zu bytes, expected at least %zu", line->number,
                         digits / 2, least);
    if (digits / 2 > IMAGE_RECORD_BYTES)
        return error_set(error, -EINVAL, "line %" PRIu32 ": found a record of %zu bytes, expected at most %u",
                         line->number, digits / 2, IMAGE_RECORD_BYTES);
    return 0;
}

/* A character that is no digit is named before anything about their number: it is the likelier cause. */
int image_line_bytes(const struct image_line *line, size_t skip, size_t least, uint8_t *bytes,
                     struct error *error)
{
    size_t digits = line->size - skip, count = 0;

    for (size_t i = skip; i < line->size; i++) {
        int digit = hex_digit_value((char)line->text[i]);

        if (digit < 0)
            return image_line_unexpected(line, i, "a hexadecimal digit", error);
        if ((i - skip) % 2 == 0 && count < IMAGE_RECORD_BYTES)
            bytes[count] = (uint8_t)(digit << 4);
        else if (count < IMAGE_RECORD_BYTES)
            bytes[count++] |= (uint8_t)digit;
    }
    if (check_digit_count(line, digits, least, error))
        return error->code;
    return (int)count;
}
