/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as lines of printable characters, as NXP's ISP loaders take them: a character for the length, then
 * four characters for every three bytes. Knows no line ends, no checksums and no loader. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_UUENCODE_H
#define FLASHFARM_STATIONS_PROTOCOLS_UUENCODE_H

#include <stddef.h>
#include <stdint.h>

#define UUENCODE_LINE_BYTES 45u
#define UUENCODE_LINE_CHARS (1 + UUENCODE_LINE_BYTES / 3 * 4)

/* How many characters a line of so many bytes has. */
static inline size_t uuencode_length(size_t size)
{
    return 1 + (size + 2) / 3 * 4;
}

/* Writes uuencode_length(size) characters for at most UUENCODE_LINE_BYTES bytes; returns their number. */
size_t uuencode_line(const uint8_t *bytes, size_t size, char *line);

/* Reads one line of `length` characters into at most UUENCODE_LINE_BYTES bytes. Returns their number, or -1
 * when the line is not what its first character promises. */
int uudecode_line(const char *line, size_t length, uint8_t *bytes);

#endif
