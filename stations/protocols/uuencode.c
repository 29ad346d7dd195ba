/* SPDX-License-Identifier: Apache-2.0 */
#include "uuencode.h"

/* Six bits as a character. Zero is a grave accent, not the blank of old, which lines lose on their way. */
static char character(uint32_t bits)
{
    bits &= 0x3F;
    return bits ? (char)(' ' + bits) : '`';
}

/* The six bits of a character, or -1. Blank and grave accent both mean zero. */
static int bits_of(char character)
{
    return character >= ' ' && character <= '`' ? (character - ' ') & 0x3F : -1;
}

size_t uuencode_line(const uint8_t *bytes, size_t size, char *line)
{
    size_t at = 0;

    line[at++] = character((uint32_t)size);
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (i + 1 < size)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size)
            group |= bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            line[at++] = character(group >> shift);
    }
    return at;
}

int uudecode_line(const char *line, size_t length, uint8_t *bytes)
{
    int size = length ? bits_of(line[0]) : -1;

    if (size < 0 || size > (int)UUENCODE_LINE_BYTES || length != uuencode_length((size_t)size))
        return -1;
    for (size_t i = 0, at = 1; i < (size_t)size; i += 3) {
        uint32_t group = 0;

        for (int k = 0; k < 4; k++) {
            int bits = bits_of(line[at++]);

            if (bits < 0)
                return -1;
            group = group << 6 | (uint32_t)bits;
        }
        for (size_t k = 0; k < 3 && i + k < (size_t)size; k++)
            bytes[i + k] = (uint8_t)(group >> (16 - 8 * k));
    }
    return size;
}
