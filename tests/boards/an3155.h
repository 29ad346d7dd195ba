/* SPDX-License-Identifier: Apache-2.0 */
/* The STM32 ROM bootloader on its USART, after AN3155: what an3155.c (bytes, groups, ACKs) and
 * an3155_commands.c (what each command does) share. */
#ifndef SIM_AN3155_H
#define SIM_AN3155_H

#include "board.h"
#include "memory.h"

enum rom_phase {
    ROM_FRESH,   /* after reset: waits for 0x7F */
    ROM_SYNCED,  /* knows the baud rate, takes commands */
    ROM_RUNNING, /* Go: the application has the chip */
    ROM_HUNG,    /* a fault: answers nothing until reset */
    ROM_LOST,    /* measured a wrong baud rate: answers nothing until reset */
    ROM_HELD,    /* in reset, as long as the line says so */
};

enum {
    ROM_ACK = 0x79,
    ROM_NACK = 0x1F,
    ROM_SYNC = 0x7F,
    ROM_PAGES_MAX = 512, /* more do not fit in the ROM's buffer */
    ROM_GROUP_MAX = 2 + 2 * ROM_PAGES_MAX + 1,
};

struct rom {
    struct board *board;
    const struct chip *chip;
    struct memory memory;
    enum rom_phase phase;

    /* The group of bytes that is being received, and what to do when it is complete. */
    uint8_t group[ROM_GROUP_MAX];
    size_t have, want;
    bool (*complete)(struct rom *rom); /* false: refused, NACK and wait for the next command */

    uint32_t address;
    uint32_t crc_words, crc_polynomial;

    uint64_t now_ns;  /* where the ROM is in time */
    uint64_t busy_ns; /* until then it does not look at its receiver */
    uint64_t held_ns; /* the busy time at whose end the receiver's one register is read */
};

/* What a command's step may end with; each returns true.
 * Wait for count more bytes after those already in the group, or for a fresh group of them. */
bool rom_more(struct rom *rom, size_t count, bool (*complete)(struct rom *rom));
bool rom_group(struct rom *rom, size_t count, bool (*complete)(struct rom *rom));

void rom_ack(struct rom *rom);
bool rom_idle(struct rom *rom); /* wait for the next command */
void rom_send(struct rom *rom, const uint8_t *bytes, size_t count);
void rom_spend(struct rom *rom, uint64_t ns); /* works on something and hears nothing meanwhile */
bool rom_restart(struct rom *rom);            /* system reset; BOOT0 is still high */

bool rom_checksum_good(const struct rom *rom); /* XOR over the group is 0 */
uint32_t rom_big_endian(const uint8_t *bytes);
bool rom_take_address(struct rom *rom); /* from the group; false when its checksum is wrong */

/* A complete opcode and complement are in the group. */
bool rom_command(struct rom *rom);
bool rom_get_checksum(struct rom *rom);

#endif
