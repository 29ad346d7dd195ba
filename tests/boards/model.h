/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a wire and a board's protocol. A model is fed bytes with the time at which their stop
 * bit has arrived, and answers through board.h with the time at which it starts to answer. These times may
 * lie some milliseconds ahead of the clock: the wire keeps what is not due yet. A model never waits and owns
 * no timer. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct board;

struct model {
    const char *protocol; /* as flashfarm.conf names it */
    unsigned frame_bits;  /* start, data, parity and stop bits of one byte; 0: as the client's parity says */
    bool strict_parity;   /* --strict-parity means it: even parity only */
    bool shared;          /* the boards of one CHIP=COUNT are units of one half-duplex line */

    const char *(*chip_name)(size_t index); /* NULL past the end */
    void *(*create)(struct board *board, size_t chip_index);
    void (*destroy)(void *state);

    void (*receive)(void *state, uint8_t byte, uint64_t at_ns);
    void (*reset)(void *state, uint64_t at_ns); /* reset or power-up into the bootloader */

    /* What a port with modem lines brings, in order with the bytes (remote.h); a pty brings none of it. NULL:
     * not wired. A model that is wired starts where `reset` would not bring it: in its application. */
    void (*modem)(void *state, bool dtr, bool rts, uint64_t at_ns); /* true: asserted */
    void (*set_break)(void *state, bool on, uint64_t at_ns);
    void (*run)(void *state, uint64_t at_ns); /* power-up, lines at rest; instead of reset where wired */

    /* For flashfarm.conf; remote: the port has modem lines. NULL: `entry = none`, no lines more. */
    const char *(*conf_entry)(bool remote);
    const char *(*conf_lines)(const void *state); /* "wakeup = escape\n" */
    uint32_t baud;                                /* 0: 115200 */

    void (*renew)(void *state);                        /* another board of the kind: erased, unprotected */
    void (*identify)(void *state, uint64_t identity);  /* its UID follows from this number */
    void (*lock)(void *state);                         /* readout protection on */
    void (*spoil)(void *state, uint64_t address);      /* a cell goes bad; 0 = any that an image will use */
    int (*fill)(void *state, int byte, FILE *content); /* from content, or with byte where content is NULL */
    int (*dump)(const void *state, FILE *file);
    const char *(*phase)(const void *state);
    void (*describe)(const void *state, char *text, size_t size);
};

/* models.c: the table. */
extern const struct model *const models[];

/* The one that knows the chip, or NULL. */
const struct model *model_of_chip(const char *chip, size_t *index);
void models_list_chips(FILE *file, const char *indent);

extern const struct model stm32_uart_model;
extern const struct model rs485_unit_model;
extern const struct model p89_isp_model;
extern const struct model lpc_isp_model;
extern const struct model esp_rom_model;
extern const struct model avr109_model;

#endif
