/* SPDX-License-Identifier: Apache-2.0 */
/* See wire.h. */
#include "wire.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

/* Long answers become visible in pieces of this size, as from the FIFO of a USB adapter. */
enum { PIECE_BYTES = 64 };

/* What waits beyond this is lost: nobody reads. */
enum { WAITING_BYTES_MAX = 1 << 20 };

void wire_set_line(struct wire *wire, struct line line)
{
    wire->line = line;
    wire->byte_ns = wire->paced && line.baud ? wire->frame_bits * NS_PER_S / line.baud : 0;
}

uint64_t wire_arrival_ns(struct wire *wire, uint64_t now_ns)
{
    uint64_t start_ns = wire->arrived_ns > now_ns ? wire->arrived_ns : now_ns;

    wire->arrived_ns = start_ns + wire->byte_ns;
    return wire->arrived_ns;
}

/* A UART tolerates about 4 % over the eleven bits of a frame. */
bool wire_rates_match(uint32_t line_baud, uint32_t board_baud)
{
    uint32_t difference = line_baud > board_baud ? line_baud - board_baud : board_baud - line_baud;

    return (uint64_t)difference * 25 <= board_baud;
}

bool wire_matches(const struct wire *wire)
{
    uint32_t line = wire->line.baud, board = wire->locked_baud;

    if (wire->strict_parity && wire->line.parity != PARITY_EVEN)
        return false;
    if (!board)
        return true;
    return wire_rates_match(line, board);
}

static void put_bytes(struct wire *wire, const uint8_t *bytes, size_t count)
{
    if (wire->bytes_end + count > wire->bytes_room) {
        wire->bytes_room = 2 * (wire->bytes_end + count);
        wire->bytes = sim_reallocate(wire->bytes, wire->bytes_room);
    }
    memcpy(wire->bytes + wire->bytes_end, bytes, count);
    wire->bytes_end += count;
}

static void put_piece(struct wire *wire, size_t length, uint64_t release_ns)
{
    struct piece *last = wire->pieces_end > wire->first_piece ? &wire->pieces[wire->pieces_end - 1] : NULL;

    if (last && last->release_ns >= release_ns) {
        last->length += length;
        return;
    }
    if (wire->pieces_end == wire->pieces_room) {
        wire->pieces_room = wire->pieces_room ? 2 * wire->pieces_room : 16;
        wire->pieces = sim_reallocate(wire->pieces, wire->pieces_room * sizeof(struct piece));
    }
    wire->pieces[wire->pieces_end++] = (struct piece){.release_ns = release_ns, .length = length};
}

uint64_t wire_send(struct wire *wire, const uint8_t *bytes, size_t count, uint64_t at_ns)
{
    if (wire->sent_ns < at_ns)
        wire->sent_ns = at_ns;
    for (size_t done = 0; done < count;) {
        size_t length = count - done < PIECE_BYTES ? count - done : PIECE_BYTES;

        wire->sent_ns += length * wire->byte_ns;
        if (wire->bytes_end - wire->first_byte < WAITING_BYTES_MAX) {
            put_bytes(wire, bytes + done, length);
            put_piece(wire, length, wire->sent_ns + wire->latency_ns);
        }
        done += length;
    }
    return wire->sent_ns;
}

size_t wire_due(const struct wire *wire, uint64_t now_ns, const uint8_t **bytes)
{
    size_t due = 0;

    for (size_t i = wire->first_piece; i < wire->pieces_end && wire->pieces[i].release_ns <= now_ns; i++)
        due += wire->pieces[i].length;
    *bytes = wire->bytes ? wire->bytes + wire->first_byte : NULL;
    return due;
}

void wire_take(struct wire *wire, size_t count)
{
    wire->first_byte += count;
    while (count) {
        struct piece *piece = &wire->pieces[wire->first_piece];
        size_t part = piece->length < count ? piece->length : count;

        piece->length -= part;
        count -= part;
        if (!piece->length)
            wire->first_piece++;
    }
    if (wire->first_piece == wire->pieces_end)
        wire->first_byte = wire->bytes_end = wire->first_piece = wire->pieces_end = 0;
}

bool wire_next_release(const struct wire *wire, uint64_t *release_ns)
{
    if (wire->first_piece == wire->pieces_end)
        return false;
    *release_ns = wire->pieces[wire->first_piece].release_ns;
    return true;
}

static void spoil_piece(const struct wire *wire, const struct piece *piece, uint8_t *bytes, uint64_t from_ns,
                        uint64_t until_ns)
{
    uint64_t end_ns = piece->release_ns - wire->latency_ns;

    for (size_t i = 0; i < piece->length; i++) {
        uint64_t out_ns = end_ns - (piece->length - 1 - i) * wire->byte_ns;

        if (out_ns > from_ns && out_ns - wire->byte_ns < until_ns)
            bytes[i] = (uint8_t)(bytes[i] ^ (1 + sim_mix(out_ns) % 255));
    }
}

void wire_spoil(struct wire *wire, uint64_t from_ns, uint64_t until_ns)
{
    uint8_t *bytes = wire->bytes + wire->first_byte;

    for (size_t i = wire->first_piece; i < wire->pieces_end; i++) {
        spoil_piece(wire, &wire->pieces[i], bytes, from_ns, until_ns);
        bytes += wire->pieces[i].length;
    }
}

void wire_clear(struct wire *wire)
{
    wire->first_byte = wire->bytes_end = wire->first_piece = wire->pieces_end = 0;
    wire->arrived_ns = wire->sent_ns = 0;
}

void wire_close(struct wire *wire)
{
    free(wire->bytes);
    free(wire->pieces);
}
