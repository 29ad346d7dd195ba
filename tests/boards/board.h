/* SPDX-License-Identifier: Apache-2.0 */
/* A board at its socket: pty, wire and model put together, and what an operator can do with it. Knows no
 * protocol: that is the model's. */
#ifndef SIM_BOARD_H
#define SIM_BOARD_H

#include "faults.h"
#include "loop.h"
#include "model.h"
#include "options.h"
#include "pty.h"
#include "wire.h"

struct counters {
    uint64_t writes, erases, written_bytes, received_bytes, sent_bytes, overrun_bytes;
};

struct board {
    struct source source; /* the pty */
    struct timer timer;   /* the next piece that the client may see, or the moment to vanish */
    struct loop *loop;
    const struct options *options;
    struct source *changes; /* inotify: tells of opens and closes by board_pty_changed */

    char name[16];
    char *link;
    const struct model *model;
    const char *chip;
    void *state;

    struct pty pty;
    struct wire wire;
    struct fault faults[FAULT_KINDS];
    struct counters counters;
    bool present, plugged;
    unsigned generation;   /* how many boards were in this socket before */
    uint64_t identity;     /* what the UID follows from */
    uint64_t vanish_at_ns; /* the pty goes then; 0 = it stays */
    uint64_t noise;
};

/* board->name, chip index and surroundings must be set. 0 or -1 with a complaint. */
int board_open(struct board *board, const struct model *model, size_t chip_index);
void board_close(struct board *board);

/* For models. */
uint64_t board_send(struct board *board, const uint8_t *bytes, size_t count, uint64_t at_ns);
void board_vanish(struct board *board, uint64_t at_ns);
uint64_t board_flash_ns(const struct board *board, uint64_t datasheet_ns);
uint32_t board_baud(const struct board *board);
void board_lock_baud(struct board *board, bool lock);

/* For the operator. */
void board_reset(struct board *board);
void board_remove(struct board *board);
void board_insert(struct board *board);
void board_unplug(struct board *board);
int board_replug(struct board *board);
void board_set_fault(struct board *board, const struct fault_request *request, const struct board *other);

/* inotify told of these changes of the slave. */
void board_pty_changed(struct board *board, uint32_t mask);

#endif
