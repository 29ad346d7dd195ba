/* SPDX-License-Identifier: Apache-2.0 */
/* A board at its cable: what a model needs of its surroundings, and what an operator can do with the board.
 * Knows no protocol: that is the model's. */
#ifndef SIM_BOARD_H
#define SIM_BOARD_H

#include "faults.h"
#include "line.h"
#include "model.h"
#include "options.h"

struct cable;

struct counters {
    uint64_t writes, erases, written_bytes, received_bytes, sent_bytes, overrun_bytes;
};

struct board {
    const struct options *options;
    struct cable *cable;
    unsigned place; /* which on its cable, from 0 */

    char name[16];
    const struct model *model;
    const char *chip;
    void *state;

    struct fault faults[FAULT_KINDS];
    struct counters counters;
    bool present;
    unsigned generation;  /* how many boards were in this socket before */
    uint64_t identity;    /* what the UID follows from */
    uint32_t locked_baud; /* what the board has measured; 0 = not yet */
    uint64_t noise;
};

/* board->name, options and cable must be set. */
void board_open(struct board *board, const struct model *model, size_t chip_index);
void board_close(struct board *board);

/* For models. */
uint64_t board_send(struct board *board, const uint8_t *bytes, size_t count, uint64_t at_ns);
void board_vanish(struct board *board, uint64_t at_ns);
uint64_t board_flash_ns(const struct board *board, uint64_t datasheet_ns);
uint32_t board_baud(const struct board *board);
void board_lock_baud(struct board *board, bool lock);
void board_set_baud(struct board *board, uint32_t baud); /* a rate of the board's own choice */
uint64_t board_byte_ns(const struct board *board);       /* of one byte on the wire; 0 without --pace */
enum parity board_parity(const struct board *board);     /* of the byte that is being received */
bool board_hears(const struct board *board);             /* the byte that is being received is no noise */
bool board_wired(const struct board *board);             /* the port has modem lines and breaks */

/* For the cable. */
void board_hear(struct board *board, uint8_t byte, uint64_t at_ns);
void board_modem(struct board *board, bool dtr, bool rts, uint64_t at_ns);
void board_break(struct board *board, bool on, uint64_t at_ns);

/* For the operator. A port that several boards share goes and returns for all of them. */
void board_reset(struct board *board);
void board_remove(struct board *board);
void board_insert(struct board *board);
void board_unplug(struct board *board);
int board_replug(struct board *board);
void board_set_fault(struct board *board, const struct fault_request *request, const struct board *other);
bool board_plugged(const struct board *board);
bool board_port_open(const struct board *board);
char *board_port_name(const struct board *board); /* for flashfarm.conf; fresh memory */

#endif
