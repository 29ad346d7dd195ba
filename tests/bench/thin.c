/* SPDX-License-Identifier: Apache-2.0 */
/* See thin.h. */
#include "thin.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GIVE_UP_S = 600, IMAGE_MAX = 1 << 20 };

int64_t thin_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

_Noreturn void thin_die(const struct board *board, const char *what)
{
    (void)fprintf(stderr, "thin client: %s: %s\n", board->port, what);
    exit(EXIT_FAILURE);
}

/* --- bytes --------------------------------------------------------------------------------------------- */

void thin_open(struct board *board, unsigned baud, bool even)
{
    struct termios2 settings;

    board->fd = open(board->port, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (board->fd < 0 || ioctl(board->fd, TCGETS2, &settings))
        thin_die(board, "cannot be opened");
    /* A pty drops PARENB; the simulator goes by IGNPAR, as serial libraries set it. */
    settings.c_iflag = even ? 0 : IGNPAR;
    settings.c_oflag = settings.c_lflag = 0;
    settings.c_cflag = BOTHER | CS8 | CREAD | CLOCAL | (even ? PARENB : 0);
    settings.c_ispeed = settings.c_ospeed = baud;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (ioctl(board->fd, TCSETSF2, &settings))
        thin_die(board, "does not take the line settings");
}

void thin_put(const struct board *board, const uint8_t *bytes, size_t size)
{
    if (write(board->fd, bytes, size) != (ssize_t)size)
        thin_die(board, "write");
}

void thin_get(const struct board *board, uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t got = read(board->fd, bytes, size);

        if (got <= 0)
            thin_die(board, "read");
        bytes += got;
        size -= (size_t)got;
    }
}

bool thin_get_within(const struct board *board, uint8_t *bytes, size_t size, int timeout_ms)
{
    struct pollfd line = {.fd = board->fd, .events = POLLIN};

    while (size && poll(&line, 1, timeout_ms) > 0) {
        ssize_t got = read(board->fd, bytes, size);

        if (got <= 0)
            thin_die(board, "read");
        bytes += got;
        size -= (size_t)got;
    }
    return size == 0;
}

uint8_t thin_fold(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    while (size--)
        sum ^= *bytes++;
    return sum;
}

/* --- the image ----------------------------------------------------------------------------------------- */

uint8_t *thin_load(const char *path, size_t block, size_t *size)
{
    FILE *file = fopen(path, "re");
    uint8_t *image = malloc(IMAGE_MAX);

    if (!file || !image) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    memset(image, 0xFF, IMAGE_MAX);
    *size = fread(image, 1, IMAGE_MAX, file);
    *size = (*size + block - 1) / block * block;
    (void)fclose(file);
    return image;
}

bool thin_blank(const uint8_t *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0xFF)
            return false;
    return true;
}

/* --- boards -------------------------------------------------------------------------------------------- */

/* One write to the pipe that all children share. */
void thin_tell(const struct board *board, const struct thin_times *times)
{
    (void)printf("{\"port\": \"%s\", \"contact_us\": %" PRId64 ", \"erase_us\": %" PRId64
                 ", \"write_us\": %" PRId64 ", \"read_us\": %" PRId64 ", \"begun_us\": %" PRId64
                 ", \"ended_us\": %" PRId64 "}\n",
                 board->port, times->contact_us - times->begun_us, times->erased_us - times->contact_us,
                 times->written_us - times->erased_us, times->ended_us - times->written_us, times->begun_us,
                 times->ended_us);
    (void)fflush(stdout);
}

int thin_run(char *const *ports, int count, void (*program)(struct board *board, void *context),
             void *context)
{
    int failed = 0, status;

    for (int i = 0; i < count; i++) {
        struct board board = {.port = ports[i]};

        if (fork())
            continue;
        (void)alarm(GIVE_UP_S);
        program(&board, context);
        _exit(EXIT_SUCCESS);
    }
    while (wait(&status) > 0)
        failed += status != 0;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
