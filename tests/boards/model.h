/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a wire and a board's protocol. A model is fed bytes with the time at which their stop
 * bit has arrived, and answers through board.h with the time at which it starts to answer. These times may
 * lie some milliseconds ahead of the clock: the wire keeps what is not due yet. A model never waits and owns
 * no timer. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct board;

struct model {
    const char *protocol; /* as flashfarm.conf names it */
    unsigned frame_bits;  /* start, data, parity and stop bits of one byte */

    const char *(*chip_name)(size_t index); /* NULL past the end */
    void *(*create)(struct board *board, size_t chip_index);
    void (*destroy)(void *state);

    void (*receive)(void *state, uint8_t byte, uint64_t at_ns);
    void (*reset)(void *state, uint64_t at_ns); /* reset or power-up into the bootloader */

    /* What a port with modem lines brings, in order with the bytes (remote.h); a pty brings none of it. NULL:
     * not wired. A model that is wired starts where `reset` would not bring it: in its application. */
    void (*modem)(void *state, bool dtr, bool rts, uint64_t at_ns); /* true: asserted */
    void (*set_break)(void *state, bool on, uint64_t at_ns);

    void (*renew)(void *state);                        /* another board of the kind: erased, unprotected */
    void (*identify)(void *state, uint64_t identity);  /* its UID follows from this number */
    void (*lock)(void *state);                         /* readout protection on */
    void (*spoil)(void *state, uint64_t address);      /* a cell goes bad; 0 = any that an image will use */
    int (*fill)(void *state, int byte, FILE *content); /* from content, or with byte where content is NULL */
    int (*dump)(const void *state, FILE *file);
    const char *(*phase)(const void *state);
    void (*describe)(const void *state, char *text, size_t size);
};

extern const struct model stm32_uart_model;

#endif
