/* SPDX-License-Identifier: Apache-2.0 */
/* The thin client for AVR loaders: what optiboot (STK500 version 1) and stk500boot (version 2) need to
 * program and read back an image, by blocking reads, one process a board, and nothing else. See thin_client.c
 * for what it is good for. Written from Atmel's AVR061 and AVR068; shares no code with stations/, and must
 * never meet a real board.
 *
 *     thin_avr 1|2 BAUD PAGE IMAGE PORT...
 *
 * Prints what thin_client prints; there is no erase, pages erase themselves when they are written. */
#include "thin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 256, FRAME_MAX = 6 + 10 + PAGE_MAX, SYNC_TRIES = 50, SYNC_WAIT_MS = 20, QUIET_MS = 60 };
enum { INSYNC = 0x14, OK = 0x10, EOP = 0x20 };
enum { START = 0x1B, TOKEN = 0x0E, FLASH_POLL = 0xC1 };

struct order {
    bool second; /* version of the protocol */
    unsigned baud;
    const uint8_t *image;
    size_t size, page;
};

struct dialogue {
    void (*contact)(const struct board *board);
    void (*begin)(const struct board *board); /* writing, or reading, from address 0 on */
    void (*write_page)(const struct board *board, size_t at, const uint8_t *bytes, size_t size);
    void (*read_page)(const struct board *board, size_t at, uint8_t *bytes, size_t size);
};

/* Questions that were asked again in vain have answers of their own, which may still come. */
static void settle(const struct board *board, int tries)
{
    uint8_t late;

    while (tries > 1 && thin_get_within(board, &late, 1, QUIET_MS))
        ;
}

/* --- version 1 ----------------------------------------------------------------------------------------- */

static void v1_expect(const struct board *board, uint8_t *bytes, size_t size)
{
    uint8_t first, last;

    thin_get(board, &first, 1);
    thin_get(board, bytes, size);
    thin_get(board, &last, 1);
    if (first != INSYNC || last != OK)
        thin_die(board, "out of step");
}

/* The loader has just been reset by the opening of its port, and may not listen yet. */
static void v1_contact(const struct board *board)
{
    const uint8_t sync[] = {'0', EOP}, signature[] = {'u', EOP};
    uint8_t answer[3];
    bool heard = false;
    int tries = 0;

    while (tries < SYNC_TRIES && !heard) {
        tries++;
        thin_put(board, sync, sizeof sync);
        heard = thin_get_within(board, answer, 2, SYNC_WAIT_MS);
    }
    if (!heard)
        thin_die(board, "no answer");
    settle(board, tries);
    thin_put(board, signature, sizeof signature);
    v1_expect(board, answer, sizeof answer);
}

static void v1_begin(const struct board *board)
{
    (void)board;
}

static void v1_write_page(const struct board *board, size_t at, const uint8_t *bytes, size_t size)
{
    uint8_t frame[4 + 4 + PAGE_MAX + 1] = {'U', (uint8_t)(at / 2),    (uint8_t)(at / 2 >> 8), EOP,
                                           'd', (uint8_t)(size >> 8), (uint8_t)size,          'F'};

    memcpy(frame + 8, bytes, size);
    frame[8 + size] = EOP;
    thin_put(board, frame, 8 + size + 1);
    v1_expect(board, NULL, 0);
    v1_expect(board, NULL, 0);
}

static void v1_read_page(const struct board *board, size_t at, uint8_t *bytes, size_t size)
{
    const uint8_t frame[] = {'U', (uint8_t)(at / 2),    (uint8_t)(at / 2 >> 8), EOP,
                             't', (uint8_t)(size >> 8), (uint8_t)size,          'F',
                             EOP};
    size_t skip = at ? 4 : 0; /* it reads on where it stopped */

    thin_put(board, frame + skip, sizeof frame - skip);
    if (!skip)
        v1_expect(board, NULL, 0);
    v1_expect(board, bytes, size);
}

/* --- version 2 ----------------------------------------------------------------------------------------- */

static void v2_put(const struct board *board, uint8_t frame[FRAME_MAX], size_t body)
{
    const uint8_t head[] = {START, 0, (uint8_t)(body >> 8), (uint8_t)body, TOKEN};

    memcpy(frame, head, sizeof head);
    frame[5 + body] = thin_fold(frame, 5 + body);
    thin_put(board, frame, 5 + body + 1);
}

static void v2_check(const struct board *board, const uint8_t *frame, size_t body)
{
    if (frame[0] != START || frame[6] != 0 || thin_fold(frame, 5 + body + 1) != 0)
        thin_die(board, "out of step");
}

static void v2_ask(const struct board *board, uint8_t frame[FRAME_MAX], size_t body, size_t answer)
{
    v2_put(board, frame, body);
    thin_get(board, frame, 5 + answer + 1);
    v2_check(board, frame, answer);
}

/* Its answer to Sign On holds a name of eight letters. */
static void v2_contact(const struct board *board)
{
    uint8_t frame[FRAME_MAX];
    bool heard = false;
    int tries = 0;

    while (tries < SYNC_TRIES && !heard) {
        tries++;
        frame[5] = 0x01;
        v2_put(board, frame, 1);
        heard = thin_get_within(board, frame, 5 + 11 + 1, SYNC_WAIT_MS);
    }
    if (!heard)
        thin_die(board, "no answer");
    v2_check(board, frame, 11);
    settle(board, tries);
}

static void v2_begin(const struct board *board)
{
    uint8_t frame[FRAME_MAX] = {[5] = 0x06, [6] = 0x80};

    v2_ask(board, frame, 5, 2);
}

static void v2_write_page(const struct board *board, size_t at, const uint8_t *bytes, size_t size)
{
    uint8_t frame[FRAME_MAX] = {
        [5] = 0x13, (uint8_t)(size >> 8), (uint8_t)size, FLASH_POLL, 10, 0x40, 0x4C, 0x20, 0x00, 0x00};

    (void)at;
    memcpy(frame + 15, bytes, size);
    v2_ask(board, frame, 10 + size, 2);
}

static void v2_read_page(const struct board *board, size_t at, uint8_t *bytes, size_t size)
{
    uint8_t frame[FRAME_MAX] = {[5] = 0x14, (uint8_t)(size >> 8), (uint8_t)size, 0x20};

    (void)at;
    v2_ask(board, frame, 4, size + 3);
    memcpy(bytes, frame + 7, size);
}

static const struct dialogue dialogues[] = {
    {.contact = v1_contact, .begin = v1_begin, .write_page = v1_write_page, .read_page = v1_read_page},
    {.contact = v2_contact, .begin = v2_begin, .write_page = v2_write_page, .read_page = v2_read_page},
};

/* --- a board ------------------------------------------------------------------------------------------- */

static void read_image(const struct board *board, const struct dialogue *dialogue, const struct order *order)
{
    uint8_t found[PAGE_MAX];

    dialogue->begin(board);
    for (size_t at = 0; at < order->size; at += order->page) {
        dialogue->read_page(board, at, found, order->page);
        if (memcmp(found, order->image + at, order->page) != 0)
            thin_die(board, "reads back different");
    }
}

static void program(struct board *board, void *context)
{
    const struct order *order = context;
    const struct dialogue *dialogue = &dialogues[order->second];
    struct thin_times times = {.begun_us = thin_now_us()};

    thin_open(board, order->baud, false);
    dialogue->contact(board);
    times.contact_us = times.erased_us = thin_now_us();
    dialogue->begin(board);
    for (size_t at = 0; at < order->size; at += order->page)
        dialogue->write_page(board, at, order->image + at, order->page);
    times.written_us = thin_now_us();
    read_image(board, dialogue, order);
    times.ended_us = thin_now_us();
    thin_tell(board, &times);
}

int main(int count, char **arguments)
{
    struct order order = {.image = NULL};
    uint8_t *image;
    int status;

    if (count < 6)
        return fputs("usage: thin_avr 1|2 BAUD PAGE IMAGE PORT...\n", stderr), EXIT_FAILURE;
    order.second = arguments[1][0] == '2';
    order.baud = (unsigned)strtoul(arguments[2], NULL, 10);
    order.page = strtoul(arguments[3], NULL, 10);
    if (order.page == 0 || order.page > PAGE_MAX)
        return fputs("thin_avr: a page has 1 to 256 bytes\n", stderr), EXIT_FAILURE;
    order.image = image = thin_load(arguments[4], order.page, &order.size);
    status = thin_run(arguments + 5, count - 5, program, &order);
    free(image);
    return status;
}
