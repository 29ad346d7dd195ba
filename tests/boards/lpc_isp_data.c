/* SPDX-License-Identifier: Apache-2.0 */
/* The data of W and R: lines of 45 bytes in uuencode, a decimal sum of all bytes after twenty of them or at
 * the end, "OK" or "RESEND" from who has received. Binary parts: the bytes alone. */
#include "lpc_isp.h"

#include "common.h"

#include <string.h>

static void start_group(struct lpc *lpc)
{
    lpc->group_at = lpc->at;
    lpc->group_left = lpc->left;
    lpc->group_sum = 0;
    lpc->group_lines = 0;
    lpc->group_bad = false;
    lpc->group_full = false;
}

/* The ROM's own variables, and its stack at the end of RAM: who writes there crashes it. */
static bool is_the_roms(const struct lpc *lpc, uint32_t at)
{
    return (at >= lpc->chip->rom_from && at < lpc->chip->rom_to) ||
           at >= lpc->chip->ram_at + lpc->chip->ram_bytes - 32 - 256;
}

static void put(struct lpc *lpc, uint8_t byte)
{
    if (is_the_roms(lpc, lpc->at))
        lpc->phase = LPC_HUNG;
    lpc->ram[lpc->at - lpc->chip->ram_at] = byte;
    lpc->group_sum += byte;
    lpc->at++;
    lpc->left--;
}

void lpc_start_writing(struct lpc *lpc, uint32_t at, uint32_t count)
{
    lpc->at = at;
    lpc->left = count;
    lpc->phase = lpc->chip->binary ? LPC_TAKES_BYTES : LPC_TAKES_LINES;
    start_group(lpc);
}

void lpc_take_byte(struct lpc *lpc, uint8_t byte)
{
    put(lpc, byte);
    if (!lpc->left && lpc->phase == LPC_TAKES_BYTES)
        lpc->phase = LPC_COMMAND;
}

static unsigned six_bits(char letter)
{
    return ((unsigned)letter - ' ') & 63;
}

/* Bytes in the line by its first letter; 0 where the line cannot be right. */
static uint32_t line_bytes(const struct lpc *lpc)
{
    uint32_t count = lpc->length ? six_bits(lpc->line[0]) : 0;

    if (count > LPC_LINE_BYTES || count > lpc->left || lpc->length != 1 + (count + 2) / 3 * 4)
        return 0;
    for (size_t i = 0; i < lpc->length; i++)
        if (lpc->line[i] < ' ' || lpc->line[i] > '`')
            return 0;
    return count;
}

static void take_data(struct lpc *lpc)
{
    uint32_t count = line_bytes(lpc);

    if (!count) { /* garbled: the sum will not be right either, but lines must still be counted */
        count = lpc->left < LPC_LINE_BYTES ? lpc->left : LPC_LINE_BYTES;
        lpc->group_bad = true;
        lpc->at += count;
        lpc->left -= count;
    } else
        for (uint32_t i = 0; i < count; i++) {
            const char *four = &lpc->line[1 + i / 3 * 4];
            uint32_t bits = six_bits(four[0]) << 18 | six_bits(four[1]) << 12 | six_bits(four[2]) << 6 |
                            six_bits(four[3]);

            put(lpc, (uint8_t)(bits >> (16 - i % 3 * 8)));
        }
    lpc->group_full = ++lpc->group_lines == LPC_GROUP_LINES || !lpc->left;
}

static void take_sum(struct lpc *lpc)
{
    uint64_t sum;

    if (lpc->group_bad || sim_number(lpc->line, 0, UINT32_MAX, &sum) || sum != lpc->group_sum) {
        lpc->at = lpc->group_at;
        lpc->left = lpc->group_left;
        lpc_say(lpc, "RESEND\r\n");
    } else {
        lpc_say(lpc, "OK\r\n");
        if (!lpc->left)
            lpc->phase = LPC_COMMAND;
    }
    start_group(lpc);
}

void lpc_take_line(struct lpc *lpc)
{
    if (lpc->group_full)
        take_sum(lpc);
    else
        take_data(lpc);
}

static char letter(uint32_t six)
{
    return (char)(six & 63 ? ' ' + (six & 63) : '`');
}

static void say_line(struct lpc *lpc, uint32_t count)
{
    char text[1 + LPC_LINE_BYTES / 3 * 4 + 1] = {letter(count)};
    size_t length = 1;

    for (uint32_t i = 0; i < count; i += 3) {
        uint32_t bits = 0;

        for (uint32_t k = i; k < i + 3; k++) {
            uint8_t byte = k < count ? lpc_get(lpc, lpc->at + k) : 0;

            bits = bits << 8 | byte;
            lpc->group_sum += byte;
        }
        for (unsigned shift = 24; shift; shift -= 6)
            text[length++] = letter(bits >> (shift - 6));
    }
    lpc_say(lpc, "%s\r\n", text);
}

static void say_group(struct lpc *lpc)
{
    start_group(lpc);
    while (lpc->left && lpc->group_lines < LPC_GROUP_LINES) {
        uint32_t count = lpc->left < LPC_LINE_BYTES ? lpc->left : LPC_LINE_BYTES;

        say_line(lpc, count);
        lpc->at += count;
        lpc->left -= count;
        lpc->group_lines++;
    }
    lpc_say(lpc, "%u\r\n", lpc->group_sum);
}

static void say_bytes(struct lpc *lpc)
{
    for (; lpc->left; lpc->left--) {
        uint8_t byte = lpc_get(lpc, lpc->at++);

        receiver_says(&lpc->receiver, &byte, 1);
    }
}

void lpc_start_reading(struct lpc *lpc, uint32_t at, uint32_t count)
{
    lpc->at = at;
    lpc->left = count;
    if (lpc->chip->binary) {
        say_bytes(lpc);
        return;
    }
    lpc->phase = LPC_GIVEN_LINES;
    say_group(lpc);
}

void lpc_hear_verdict(struct lpc *lpc)
{
    if (!strcmp(lpc->line, "RESEND")) {
        lpc->at = lpc->group_at;
        lpc->left = lpc->group_left;
    } else if (strcmp(lpc->line, "OK") != 0)
        return;
    if (lpc->left)
        say_group(lpc);
    else
        lpc->phase = LPC_COMMAND;
}
