/* SPDX-License-Identifier: Apache-2.0 */
/* The two directions of a serial line in time: when a byte from the client has arrived, when a byte of the
 * board is out, and which bytes of the board the client may see by now. Without pacing everything takes no
 * time. Knows no protocol and no file descriptor. */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    uint64_t release_ns;
    size_t length;
};

struct wire {
    bool paced, strict_parity;
    unsigned frame_bits;
    uint64_t
        latency_ns; /* between the stop bit and the client, as on USB: delays, but does not fill the line */

    struct line line;
    uint32_t locked_baud; /* what the board has measured; 0 = not yet */
    uint64_t byte_ns, arrived_ns, sent_ns;

    uint8_t *bytes;
    size_t first_byte, bytes_end, bytes_room;
    struct piece *pieces;
    size_t first_piece, pieces_end, pieces_room;
};

void wire_set_line(struct wire *wire, struct line line);

/* The next byte from the client, handed over at now_ns: when its last bit has arrived. */
uint64_t wire_arrival_ns(struct wire *wire, uint64_t now_ns);

/* The board starts to send at at_ns, or when the line is free; returns when the last bit is out. */
uint64_t wire_send(struct wire *wire, const uint8_t *bytes, size_t count, uint64_t at_ns);

/* Does this end hear the other right? */
bool wire_matches(const struct wire *wire);
bool wire_rates_match(uint32_t line_baud, uint32_t board_baud);

/* Bytes that the client may see at now_ns; take some of them with wire_take. */
size_t wire_due(const struct wire *wire, uint64_t now_ns, const uint8_t **bytes);
void wire_take(struct wire *wire, size_t count);
bool wire_next_release(const struct wire *wire, uint64_t *release_ns);

/* What the board sends between these times is noise: somebody else sends too. Only with pacing. */
void wire_spoil(struct wire *wire, uint64_t from_ns, uint64_t until_ns);

/* Forgets what is under way, in both directions. */
void wire_clear(struct wire *wire);
void wire_close(struct wire *wire);

#endif
