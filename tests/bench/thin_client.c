/* SPDX-License-Identifier: Apache-2.0 */
/* The thinnest client there can be: programs simulated boards through their bootloader with blocking reads,
 * one process a board, and nothing else: no record, no recovery, no checks beyond the acknowledgements and a
 * compare of what is read back. What it needs beyond the floor is the simulator's and the host's share, so
 * that the daemon's own can be told from it. Shares no code with stations/, and must never meet a real board.
 *
 *     thin_client BAUD PARITY IMAGE PORT...      program; PARITY is even or none
 *     thin_client BAUD PARITY read=BLOCKS PORT   only read that many blocks (to measure the bits of a byte)
 *
 * Prints a line of JSON per port: microseconds for contact, erase, write, read, and CLOCK_MONOTONIC at both
 * ends. */
#include "thin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, ACK = 0x79 };

#define FLASH_START 0x08000000u

struct order {
    unsigned baud;
    bool even;
    const uint8_t *image; /* NULL: only read */
    size_t size;
};

static void get_acks(const struct board *board, size_t count)
{
    for (uint8_t answer; count--;) {
        thin_get(board, &answer, 1);
        if (answer != ACK)
            thin_die(board, "no ACK");
    }
}

/* --- commands, each with as few turnarounds as AN3155 lets a careful client have ---------------------- */

static void contact(const struct board *board)
{
    const uint8_t sync = 0x7F, get_id[] = {0x02, 0xFD};
    uint8_t id[3];

    thin_put(board, &sync, 1);
    get_acks(board, 1);
    thin_put(board, get_id, sizeof get_id);
    get_acks(board, 1);
    thin_get(board, id, sizeof id);
    get_acks(board, 1);
}

static void erase_all(const struct board *board)
{
    const uint8_t erase[] = {0x43, 0xBC}, all[] = {0xFF, 0x00};

    thin_put(board, erase, sizeof erase);
    get_acks(board, 1);
    thin_put(board, all, sizeof all);
    get_acks(board, 1);
}

static void put_opcode_and_address(uint8_t frame[7], uint8_t opcode, uint32_t address)
{
    frame[0] = opcode;
    frame[1] = (uint8_t)~opcode;
    for (int i = 0; i < 4; i++)
        frame[2 + i] = (uint8_t)(address >> (24 - 8 * i));
    frame[6] = thin_fold(frame + 2, 4);
}

static void write_block(const struct board *board, uint32_t address, const uint8_t *bytes)
{
    uint8_t head[7], data[1 + BLOCK + 1];

    put_opcode_and_address(head, 0x31, address);
    data[0] = BLOCK - 1;
    memcpy(data + 1, bytes, BLOCK);
    data[1 + BLOCK] = thin_fold(data, 1 + BLOCK);
    thin_put(board, head, sizeof head);
    get_acks(board, 2);
    thin_put(board, data, sizeof data);
    get_acks(board, 1);
}

static void read_block(const struct board *board, uint32_t address, uint8_t *bytes)
{
    uint8_t head[7 + 2];

    put_opcode_and_address(head, 0x11, address);
    head[7] = BLOCK - 1;
    head[8] = (uint8_t)~head[7];
    thin_put(board, head, sizeof head);
    get_acks(board, 3);
    thin_get(board, bytes, BLOCK);
}

/* --- a board ------------------------------------------------------------------------------------------- */

static void write_image(const struct board *board, const uint8_t *image, size_t size)
{
    for (size_t at = 0; at < size; at += BLOCK)
        if (!thin_blank(image + at, BLOCK))
            write_block(board, FLASH_START + (uint32_t)at, image + at);
}

static void read_image(const struct board *board, const uint8_t *image, size_t size)
{
    uint8_t found[BLOCK];

    for (size_t at = 0; at < size; at += BLOCK) {
        read_block(board, FLASH_START + (uint32_t)at, found);
        if (image && memcmp(found, image + at, BLOCK) != 0)
            thin_die(board, "reads back different");
    }
}

static void program(struct board *board, void *context)
{
    const struct order *order = context;
    struct thin_times times;

    thin_open(board, order->baud, order->even);
    times.begun_us = thin_now_us();
    contact(board);
    times.contact_us = thin_now_us();
    if (order->image)
        erase_all(board);
    times.erased_us = thin_now_us();
    if (order->image)
        write_image(board, order->image, order->size);
    times.written_us = thin_now_us();
    read_image(board, order->image, order->size);
    times.ended_us = thin_now_us();
    thin_tell(board, &times);
}

int main(int count, char **arguments)
{
    struct order order = {.image = NULL};
    uint8_t *image = NULL;
    int status;

    if (count < 5)
        return fputs("usage: thin_client BAUD even|none IMAGE|read=BLOCKS PORT...\n", stderr), EXIT_FAILURE;
    order.baud = (unsigned)strtoul(arguments[1], NULL, 10);
    order.even = strcmp(arguments[2], "even") == 0;
    if (strncmp(arguments[3], "read=", 5) == 0)
        order.size = strtoul(arguments[3] + 5, NULL, 10) * BLOCK;
    else
        order.image = image = thin_load(arguments[3], BLOCK, &order.size);
    status = thin_run(arguments + 4, count - 4, program, &order);
    free(image);
    return status;
}
