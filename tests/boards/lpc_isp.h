/* SPDX-License-Identifier: Apache-2.0 */
/* The ISP handler in the boot ROM of NXP's LPC chips: what lpc_isp.c (start, lines, echo), lpc_isp_commands.c
 * (what each command does) and lpc_isp_data.c (what W and R carry) share. */
#ifndef SIM_LPC_ISP_H
#define SIM_LPC_ISP_H

#include "cells.h"
#include "lpc_isp_chips.h"
#include "receiver.h"

enum lpc_phase {
    LPC_HELD,     /* the reset pin is low */
    LPC_AUTOBAUD, /* waits for '?' */
    LPC_GREETING, /* waits for "Synchronized" */
    LPC_CRYSTAL,  /* waits for a frequency, and ignores it */
    LPC_COMMAND,
    LPC_TAKES_LINES, /* W: lines of data and sums */
    LPC_TAKES_BYTES, /* W of a binary part */
    LPC_GIVEN_LINES, /* R: waits to hear OK or RESEND */
    LPC_RUNNING,     /* user code has the chip */
    LPC_HUNG,        /* answers nothing until reset */
    LPC_MISMEASURED, /* took something else for '?' */
};

enum lpc_status {
    LPC_SUCCESS = 0,
    LPC_INVALID_COMMAND = 1,
    LPC_SRC_ADDR_ERROR = 2,
    LPC_DST_ADDR_ERROR = 3,
    LPC_SRC_ADDR_NOT_MAPPED = 4,
    LPC_DST_ADDR_NOT_MAPPED = 5,
    LPC_COUNT_ERROR = 6,
    LPC_INVALID_SECTOR = 7,
    LPC_SECTOR_NOT_BLANK = 8,
    LPC_SECTOR_NOT_PREPARED = 9,
    LPC_COMPARE_ERROR = 10,
    LPC_BUSY = 11,
    LPC_PARAM_ERROR = 12,
    LPC_ADDR_ERROR = 13,
    LPC_ADDR_NOT_MAPPED = 14,
    LPC_CMD_LOCKED = 15,
    LPC_INVALID_CODE = 16,
    LPC_INVALID_BAUD_RATE = 17,
    LPC_INVALID_STOP_BIT = 18,
    LPC_READ_PROTECTED = 19,
    LPC_NO_ANSWER, /* not on the wire: the command has answered for itself, or will not */
};

enum { LPC_LINE_MAX = 80, LPC_LINE_BYTES = 45, LPC_GROUP_LINES = 20, LPC_SECTORS_MAX = 64 };

struct lpc {
    struct receiver receiver;
    const struct lpc_chip *chip;
    struct cells flash;
    uint8_t *ram;
    uint32_t uid[4], boot_noise;

    enum lpc_phase phase;
    bool echo, unlocked;
    unsigned crp; /* level, read at reset */
    bool prepared[LPC_SECTORS_MAX];

    char line[LPC_LINE_MAX + 1];
    size_t length;
    bool after_cr; /* a line feed that follows belongs to it */

    /* What W or R is in the middle of. */
    uint32_t at, left;
    uint32_t group_at, group_left, group_sum;
    unsigned group_lines;
    bool group_bad, group_full; /* full: the next line is its sum */
};

void lpc_say(struct lpc *lpc, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lpc_answer(struct lpc *lpc, enum lpc_status status);

/* One line without its end, in LPC_COMMAND. */
void lpc_command(struct lpc *lpc);

/* A byte of ROM, flash as ISP sees it, or RAM. The range must be mapped. */
bool lpc_mapped(const struct lpc *lpc, uint32_t at, uint32_t count);
bool lpc_in_ram(const struct lpc *lpc, uint32_t at, uint32_t count);
uint8_t lpc_get(const struct lpc *lpc, uint32_t at);

/* The first eight vectors sum to zero: what is in flash is taken for user code. */
bool lpc_has_user_code(const struct lpc *lpc);
unsigned lpc_crp_in_flash(const struct lpc *lpc);

/* lpc_isp_data.c */
void lpc_start_writing(struct lpc *lpc, uint32_t at, uint32_t count);
void lpc_start_reading(struct lpc *lpc, uint32_t at, uint32_t count);
void lpc_take_line(struct lpc *lpc);
void lpc_take_byte(struct lpc *lpc, uint8_t byte);
void lpc_hear_verdict(struct lpc *lpc);

#endif
