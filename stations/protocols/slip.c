/* SPDX-License-Identifier: Apache-2.0 */
#include "slip.h"

enum { END = 0xC0, ESC = 0xDB, ESCAPED_END = 0xDC, ESCAPED_ESC = 0xDD };

size_t slip_encode(const uint8_t *bytes, size_t size, uint8_t *frame)
{
    size_t length = 0;

    frame[length++] = END;
    for (size_t i = 0; i < size; i++) {
        bool special = bytes[i] == END || bytes[i] == ESC;

        if (special)
            frame[length++] = ESC;
        frame[length++] = !special ? bytes[i] : bytes[i] == END ? ESCAPED_END : ESCAPED_ESC;
    }
    frame[length++] = END;
    return length;
}

static void put(struct slip_decoder *decoder, uint8_t byte)
{
    if (decoder->size < decoder->room)
        decoder->bytes[decoder->size++] = byte;
    else
        decoder->broken = true;
}

static void take_escaped(struct slip_decoder *decoder, uint8_t byte)
{
    decoder->escaped = false;
    if (byte == ESCAPED_END || byte == ESCAPED_ESC)
        put(decoder, byte == ESCAPED_END ? END : ESC);
    else
        decoder->broken = true;
}

bool slip_take(struct slip_decoder *decoder, uint8_t byte)
{
    if (decoder->complete || (byte == END && (decoder->broken || decoder->escaped)))
        *decoder = (struct slip_decoder){.bytes = decoder->bytes, .room = decoder->room};
    if (byte == END)
        decoder->complete = decoder->size > 0;
    else if (decoder->escaped)
        take_escaped(decoder, byte);
    else if (byte == ESC)
        decoder->escaped = true;
    else
        put(decoder, byte);
    return decoder->complete;
}
