/* SPDX-License-Identifier: Apache-2.0 */
/* An AVR board at its port: brings the chip's cycles and the host's clock together, wires DTR to reset as on
 * an Arduino, and does to the board what faults and the operator want. */
#ifndef SIM_AVR_BOARD_H
#define SIM_AVR_BOARD_H

#include "faults.h"
#include "loader.h"
#include "loop.h"
#include "mcu.h"
#include "options.h"
#include "port.h"

struct counters {
    uint64_t writes, erases, written_bytes, received_bytes, sent_bytes;
};

struct outgoing {
    uint64_t due_ns;
    uint8_t byte;
};

struct avr_board {
    struct loop *loop;
    const struct options *options;
    struct port port;
    struct timer timer;

    char name[32];
    const struct loader *loader;
    struct mcu *mcu;
    bool present, dtr;
    unsigned generation; /* how many boards were in this socket before */

    struct line line;      /* the client's settings; 0 baud = not known yet */
    uint64_t origin_ns;    /* the host's time at the chip's cycle 0 */
    uint64_t arrived_ns;   /* the last byte from the client is complete */
    uint64_t attention_ns; /* somebody last cared for it */
    struct outgoing *out;  /* what the client may not see yet */
    size_t out_first, out_end, out_room;
    uint64_t vanish_at_ns; /* the port goes then; 0 = it stays */

    struct fault faults[FAULT_KINDS];
    bool mute; /* drop-ack or unplug has struck, until the client says something */
    struct counters counters;
    uint64_t noise;
};

/* loop, options, name, loader and the port's link, changes and remote must be set. 0 or -1 with a complaint.
 */
int avr_board_open(struct avr_board *board);
void avr_board_close(struct avr_board *board);

/* For the operator. */
void avr_board_reset(struct avr_board *board);
void avr_board_unplug(struct avr_board *board);
int avr_board_replug(struct avr_board *board);

#endif
