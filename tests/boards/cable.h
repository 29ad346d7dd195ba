/* SPDX-License-Identifier: Apache-2.0 */
/* What boards hang on: a port, the wire behind it in time, and one board at its end, or all units of an
 * RS-485 line. There the line is half duplex: everybody hears everybody, and what overlaps is noise. Knows no
 * protocol. */
#ifndef SIM_CABLE_H
#define SIM_CABLE_H

#include "options.h"
#include "port.h"
#include "wire.h"

struct board;

/* What a unit has begun to say, in order with the others. */
struct answer {
    struct board *board;
    uint8_t *bytes;
    size_t count;
    uint64_t at_ns;
};

struct cable {
    struct port port;
    struct wire wire;
    struct timer timer; /* the next piece that the client may see, or the moment to vanish */
    struct loop *loop;
    const struct options *options;
    struct board **boards;
    size_t count;
    uint64_t vanish_at_ns; /* the port goes then; 0 = it stays */
    uint64_t noise;

    bool shared; /* half duplex */
    bool wired;  /* modem lines and breaks come through */
    unsigned frame_bits;
    enum parity parity; /* of the byte that is being heard */
    struct answer *answers;
    size_t answer_count, answer_room;
    bool overhearing;
    const struct board *talker; /* who spoke last, and when */
    uint64_t talk_start_ns, talk_end_ns;
};

/* link is taken over; the port's changes are still to be set. frame_bits 0: as the client's parity says. */
void cable_init(struct cable *cable, struct loop *loop, const struct options *options, char *link,
                bool remote);
void cable_close(struct cable *cable);

void cable_attach(struct cable *cable, struct board *board);
int cable_plug(struct cable *cable);
void cable_unplug(struct cable *cable);

/* A board starts to send at at_ns, or when the line is free; returns when the last bit is out. */
uint64_t cable_send(struct cable *cable, struct board *board, const uint8_t *bytes, size_t count,
                    uint64_t at_ns);
void cable_vanish(struct cable *cable, uint64_t at_ns);

/* A board was reset or is gone: what it alone was saying is forgotten. */
void cable_hush(struct cable *cable);

#endif
