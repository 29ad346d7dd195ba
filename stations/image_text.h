/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of hexadecimal digits, the part that Intel HEX and S-record share: lines with their numbers, digits
 * to bytes, and the sentences for what is no digit. It knows no record type and no checksum. */
#ifndef FLASHFARM_STATIONS_IMAGE_TEXT_H
#define FLASHFARM_STATIONS_IMAGE_TEXT_H

#include "image_build.h"

/* The longest record of either format: Intel HEX with 255 data bytes and 5 others. */
#define IMAGE_RECORD_BYTES 260u

struct image_text {
    const uint8_t *next;
    const uint8_t *end;
    uint32_t number; /* of the line last given, from 1 */
};

/* One line without the blanks (space, tab, CR) at its ends. */
struct image_line {
    const uint8_t *text;
    size_t size;
    size_t column; /* of text[0], from 1 */
    uint32_t number;
};

/* Gives the next line that is not blank; false at the end of the file. */
bool image_text_next(struct image_text *text, struct image_line *line);

/* Decodes the digits after the first `skip` characters into at most IMAGE_RECORD_BYTES bytes, at least
 * `least` of them. Returns their number, or a negative error. */
int image_line_bytes(const struct image_line *line, size_t skip, size_t least, uint8_t *bytes,
                     struct error *error);

/* "line 3, column 9: found 'x', expected a hexadecimal digit"; returns -EINVAL. */
int image_line_unexpected(const struct image_line *line, size_t index, const char *expected,
                          struct error *error);

#endif
