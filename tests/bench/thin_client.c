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
#include <asm/termbits.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 256, ACK = 0x79, GIVE_UP_S = 300 };

#define FLASH_START 0x08000000u

struct board {
    const char *port;
    int fd;
};

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void die(const struct board *board, const char *what)
{
    (void)fprintf(stderr, "thin_client: %s: %s\n", board->port, what);
    exit(EXIT_FAILURE);
}

/* --- bytes --------------------------------------------------------------------------------------------- */

static void open_line(struct board *board, unsigned baud, bool even)
{
    struct termios2 settings;

    board->fd = open(board->port, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (board->fd < 0 || ioctl(board->fd, TCGETS2, &settings))
        die(board, "cannot be opened");
    /* A pty drops PARENB; the simulator goes by IGNPAR, as serial libraries set it. */
    settings.c_iflag = even ? 0 : IGNPAR;
    settings.c_oflag = settings.c_lflag = 0;
    settings.c_cflag = BOTHER | CS8 | CREAD | CLOCAL | (even ? PARENB : 0);
    settings.c_ispeed = settings.c_ospeed = baud;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (ioctl(board->fd, TCSETSF2, &settings))
        die(board, "does not take the line settings");
}

static void put(const struct board *board, const uint8_t *bytes, size_t size)
{
    if (write(board->fd, bytes, size) != (ssize_t)size)
        die(board, "write");
}

static void get(const struct board *board, uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t got = read(board->fd, bytes, size);

        if (got <= 0)
            die(board, "read");
        bytes += got;
        size -= (size_t)got;
    }
}

static void get_acks(const struct board *board, size_t count)
{
    for (uint8_t answer; count--;) {
        get(board, &answer, 1);
        if (answer != ACK)
            die(board, "no ACK");
    }
}

static uint8_t fold(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    while (size--)
        sum ^= *bytes++;
    return sum;
}

/* --- commands, each with as few turnarounds as AN3155 lets a careful client have ---------------------- */

static void contact(const struct board *board)
{
    const uint8_t sync = 0x7F, get_id[] = {0x02, 0xFD};
    uint8_t id[3];

    put(board, &sync, 1);
    get_acks(board, 1);
    put(board, get_id, sizeof get_id);
    get_acks(board, 1);
    get(board, id, sizeof id);
    get_acks(board, 1);
}

static void erase_all(const struct board *board)
{
    const uint8_t erase[] = {0x43, 0xBC}, all[] = {0xFF, 0x00};

    put(board, erase, sizeof erase);
    get_acks(board, 1);
    put(board, all, sizeof all);
    get_acks(board, 1);
}

static void put_opcode_and_address(uint8_t frame[7], uint8_t opcode, uint32_t address)
{
    frame[0] = opcode;
    frame[1] = (uint8_t)~opcode;
    for (int i = 0; i < 4; i++)
        frame[2 + i] = (uint8_t)(address >> (24 - 8 * i));
    frame[6] = fold(frame + 2, 4);
}

static void write_block(const struct board *board, uint32_t address, const uint8_t *bytes)
{
    uint8_t head[7], data[1 + BLOCK + 1];

    put_opcode_and_address(head, 0x31, address);
    data[0] = BLOCK - 1;
    memcpy(data + 1, bytes, BLOCK);
    data[1 + BLOCK] = fold(data, 1 + BLOCK);
    put(board, head, sizeof head);
    get_acks(board, 2);
    put(board, data, sizeof data);
    get_acks(board, 1);
}

static void read_block(const struct board *board, uint32_t address, uint8_t *bytes)
{
    uint8_t head[7 + 2];

    put_opcode_and_address(head, 0x11, address);
    head[7] = BLOCK - 1;
    head[8] = (uint8_t)~head[7];
    put(board, head, sizeof head);
    get_acks(board, 3);
    get(board, bytes, BLOCK);
}

/* --- a board ------------------------------------------------------------------------------------------- */

static bool is_blank(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (block[i] != 0xFF)
            return false;
    return true;
}

static void write_image(const struct board *board, const uint8_t *image, size_t size)
{
    for (size_t at = 0; at < size; at += BLOCK)
        if (!is_blank(image + at))
            write_block(board, FLASH_START + (uint32_t)at, image + at);
}

/* With a NULL image only reads. */
static void read_image(const struct board *board, const uint8_t *image, size_t size)
{
    uint8_t found[BLOCK];

    for (size_t at = 0; at < size; at += BLOCK) {
        read_block(board, FLASH_START + (uint32_t)at, found);
        if (image && memcmp(found, image + at, BLOCK) != 0)
            die(board, "reads back different");
    }
}

static void program(const struct board *board, const uint8_t *image, size_t size)
{
    int64_t begun_us = now_us(), contact_us, erased_us, written_us, ended_us;

    contact(board);
    contact_us = now_us();
    if (image)
        erase_all(board);
    erased_us = now_us();
    if (image)
        write_image(board, image, size);
    written_us = now_us();
    read_image(board, image, size);
    ended_us = now_us();
    /* One write to the pipe that all children share. */
    (void)printf("{\"port\": \"%s\", \"contact_us\": %" PRId64 ", \"erase_us\": %" PRId64
                 ", \"write_us\": %" PRId64 ", \"read_us\": %" PRId64 ", \"begun_us\": %" PRId64
                 ", \"ended_us\": %" PRId64 "}\n",
                 board->port, contact_us - begun_us, erased_us - contact_us, written_us - erased_us,
                 ended_us - written_us, begun_us, ended_us);
    (void)fflush(stdout);
}

/* Whole blocks: the rest of the last one is blank. */
static uint8_t *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    uint8_t *image = malloc(1 << 20);

    if (!file || !image) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    memset(image, 0xFF, 1 << 20);
    *size = fread(image, 1, 1 << 20, file);
    *size = (*size + BLOCK - 1) / BLOCK * BLOCK;
    (void)fclose(file);
    return image;
}

int main(int count, char **arguments)
{
    uint8_t *image = NULL;
    size_t size = 0;
    int failed = 0, status;

    if (count < 5)
        return fputs("usage: thin_client BAUD even|none IMAGE|read=BLOCKS PORT...\n", stderr), EXIT_FAILURE;
    if (strncmp(arguments[3], "read=", 5) == 0)
        size = strtoul(arguments[3] + 5, NULL, 10) * BLOCK;
    else
        image = load(arguments[3], &size);
    for (int i = 4; i < count; i++) {
        struct board board = {.port = arguments[i]};

        if (fork())
            continue;
        (void)alarm(GIVE_UP_S);
        open_line(&board, (unsigned)strtoul(arguments[1], NULL, 10), strcmp(arguments[2], "even") == 0);
        program(&board, image, size);
        _exit(EXIT_SUCCESS);
    }
    while (wait(&status) > 0)
        failed += status != 0;
    free(image);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
