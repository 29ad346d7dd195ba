/* SPDX-License-Identifier: Apache-2.0 */
/* See board.h. */
#include "board.h"

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long a full pty is left alone before the next try. */
#define FULL_RETRY_NS NS_PER_MS

static struct board *board_of_source(struct source *source)
{
    return (struct board *)((char *)source - offsetof(struct board, source));
}

static struct board *board_of_timer(struct timer *timer)
{
    return (struct board *)((char *)timer - offsetof(struct board, timer));
}

/* What a UART makes of a byte at a wrong baud rate. Always 111xxxxx: two of these are never an opcode and its
 * complement, so that noise cannot be taken for a command. */
static uint8_t garble(struct board *board, uint8_t byte)
{
    board->noise = sim_mix(board->noise ^ byte);
    return (uint8_t)(0xE0 | (board->noise & 0x1F));
}

/* A rate at which the board only just follows: about one byte in a hundred has one bit wrong. */
static uint8_t waver(struct board *board, uint8_t byte)
{
    const struct fault *marginal = &board->faults[FAULT_MARGINAL];

    if (!marginal->set || board->wire.line.baud <= marginal->number)
        return byte;
    board->noise = sim_mix(board->noise);
    if (board->noise % 100 == 0)
        byte ^= (uint8_t)(1U << (board->noise >> 32 & 7));
    return byte;
}

static void arm(struct board *board)
{
    uint64_t due_ns = 0;
    bool due = wire_next_release(&board->wire, &due_ns);

    if (board->vanish_at_ns && (!due || board->vanish_at_ns < due_ns)) {
        due_ns = board->vanish_at_ns;
        due = true;
    }
    if (due)
        timer_arm(board->loop, &board->timer, due_ns);
    else
        timer_disarm(board->loop, &board->timer);
}

/* Hands the client what is due. Nobody there: it falls to the floor, as from a real wire. */
static void flush(struct board *board, uint64_t now_ns)
{
    const uint8_t *bytes;
    size_t due = wire_due(&board->wire, now_ns, &bytes);

    if (due && board->pty.open) {
        ssize_t written = write(board->pty.master_fd, bytes, due);

        if (written < 0 && errno == EAGAIN) {
            timer_arm(board->loop, &board->timer, sim_now_ns() + FULL_RETRY_NS);
            return;
        }
        if (written > 0)
            due = (size_t)written;
    }
    if (due)
        wire_take(&board->wire, due);
    arm(board);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct board *board = board_of_timer(timer);

    if (board->vanish_at_ns && board->vanish_at_ns <= now_ns)
        board_unplug(board);
    else
        flush(board, now_ns);
}

static void take_bytes(struct board *board, const uint8_t *bytes, size_t count, uint64_t now_ns)
{
    bool clear = wire_matches(&board->wire);

    board->counters.received_bytes += count;
    for (size_t i = 0; i < count; i++) {
        uint64_t at_ns = wire_arrival_ns(&board->wire, now_ns);
        uint8_t byte = clear ? waver(board, bytes[i]) : garble(board, bytes[i]);

        if (board->present && !board->faults[FAULT_SILENT].set)
            board->model->receive(board->state, byte, at_ns);
    }
}

/* Somebody has the port open who had not before. */
static void greet(struct board *board)
{
    board->pty.open = true;
    if (board->options->reset_on_open)
        board_reset(board);
}

enum { READ_MAX_BYTES = 4096 };

static void take_pending(struct board *board, size_t most)
{
    uint8_t bytes[READ_MAX_BYTES];
    ssize_t count = read(board->source.fd, bytes, most < sizeof bytes ? most : sizeof bytes);
    struct line line;

    if (count <= 0) {
        if (count < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)
            (void)sim_complain("%s: %s", board->name, strerror(errno));
        return;
    }
    if (!board->pty.open)
        greet(board);
    if (!line_get(board->source.fd, &line))
        wire_set_line(&board->wire, line);
    take_bytes(board, bytes, (size_t)count, sim_now_ns());
}

/* Whether the client is still there must be known before bytes of one are taken and before it is answered, or
 * the next client would find answers to its predecessor. */
static void on_readable(struct source *source)
{
    struct board *board = board_of_source(source);

    board->changes->ready(board->changes);
    take_pending(board, READ_MAX_BYTES);
    board->changes->ready(board->changes);
    flush(board, sim_now_ns());
}

uint64_t board_send(struct board *board, const uint8_t *bytes, size_t count, uint64_t at_ns)
{
    uint8_t heard[512];
    uint64_t end_ns = at_ns;
    bool clear = wire_matches(&board->wire) && !board->faults[FAULT_GARBAGE].set;

    while (count) {
        size_t part = count < sizeof heard ? count : sizeof heard;

        for (size_t i = 0; i < part; i++)
            heard[i] = clear ? waver(board, bytes[i]) : garble(board, bytes[i]);
        end_ns = wire_send(&board->wire, heard, part, at_ns);
        board->counters.sent_bytes += part;
        bytes += part;
        count -= part;
    }
    return end_ns;
}

void board_vanish(struct board *board, uint64_t at_ns)
{
    board->vanish_at_ns = at_ns;
}

/* Flash takes its time only when asked to, or when it is a slow one. */
uint64_t board_flash_ns(const struct board *board, uint64_t datasheet_ns)
{
    if (board->faults[FAULT_SLOW].set)
        return datasheet_ns * board->faults[FAULT_SLOW].number;
    return board->options->pace ? datasheet_ns : 0;
}

uint32_t board_baud(const struct board *board)
{
    return board->wire.line.baud;
}

void board_lock_baud(struct board *board, bool lock)
{
    board->wire.locked_baud = lock ? board->wire.line.baud : 0;
}

static int plug(struct board *board)
{
    if (pty_plug(&board->pty, board->link, board->changes->fd))
        return -1;
    board->source = (struct source){.fd = board->pty.master_fd, .ready = on_readable};
    if (loop_add(board->loop, &board->source)) {
        pty_unplug(&board->pty, board->link, board->changes->fd);
        return -1;
    }
    board->plugged = true;
    return 0;
}

static void identify(struct board *board)
{
    board->identity = sim_mix_text(board->name, board->options->seed) + board->generation;
    board->model->identify(board->state, board->identity);
}

int board_open(struct board *board, const struct model *model, size_t chip_index)
{
    const struct options *options = board->options;

    board->model = model;
    board->chip = model->chip_name(chip_index);
    board->state = model->create(board, chip_index);
    board->present = true;
    board->timer.fire = on_timer;
    board->noise = sim_mix_text(board->name, ~options->seed);
    board->wire = (struct wire){.paced = options->pace,
                                .strict_parity = options->strict_parity,
                                .frame_bits = model->frame_bits,
                                .latency_ns = options->turnaround_us * NS_PER_US};
    identify(board);
    model->reset(board->state, 0);
    return plug(board);
}

void board_close(struct board *board)
{
    board_unplug(board);
    wire_close(&board->wire);
    if (board->state)
        board->model->destroy(board->state);
    free(board->link);
}

void board_reset(struct board *board)
{
    wire_clear(&board->wire);
    board->model->reset(board->state, sim_now_ns());
    arm(board);
}

void board_remove(struct board *board)
{
    board->present = false;
    wire_clear(&board->wire);
    arm(board);
}

void board_insert(struct board *board)
{
    board->generation++;
    board->present = true;
    board->model->renew(board->state);
    identify(board);
    board_reset(board);
}

void board_unplug(struct board *board)
{
    board->vanish_at_ns = 0;
    timer_disarm(board->loop, &board->timer);
    wire_clear(&board->wire);
    if (!board->plugged)
        return;
    board->plugged = false;
    loop_remove(board->loop, &board->source);
    pty_unplug(&board->pty, board->link, board->changes->fd);
}

int board_replug(struct board *board)
{
    if (board->plugged)
        return 0;
    board_reset(board);
    return plug(board);
}

void board_set_fault(struct board *board, const struct fault_request *request, const struct board *other)
{
    struct fault *fault = &board->faults[request->kind];

    if (request->kind == FAULT_NONE)
        memset(board->faults, 0, sizeof board->faults);
    else
        *fault =
            (struct fault){.set = true, .number = request->number, .since_write = board->counters.writes};
    if (request->kind == FAULT_PROTECTED)
        board->model->lock(board->state);
    if (request->kind == FAULT_BAD_CELL)
        board->model->spoil(board->state, request->number);
    if (request->kind == FAULT_DUPLICATE_UID && other) {
        board->identity = other->identity;
        board->model->identify(board->state, board->identity);
    }
}

/* What is there before it is seen that nobody has the port open are the last words of who has left; more than
 * that may already be the first words of the next client. */
static void see_off(struct board *board)
{
    int last_words = 0;

    (void)ioctl(board->source.fd, FIONREAD, &last_words);
    pty_check_open(&board->pty, board->changes->fd);
    if (board->pty.open) {
        greet(board);
        return;
    }
    board->pty.open = true;
    if (last_words > 0)
        take_pending(board, (size_t)last_words);
    board->pty.open = false;
    flush(board, sim_now_ns());
}

/* An open that inotify did not tell of (the watch is down while pty_check_open looks) shows itself in
 * see_off, or by its first byte. */
void board_pty_changed(struct board *board, uint32_t mask)
{
    if ((mask & IN_OPEN) && !board->pty.open)
        greet(board);
    if (mask & IN_CLOSE)
        see_off(board);
}
