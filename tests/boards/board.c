/* SPDX-License-Identifier: Apache-2.0 */
/* See board.h. */
#include "board.h"

#include "cable.h"
#include "common.h"

#include <stdlib.h>
#include <string.h>

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

    if (!marginal->set || board_baud(board) <= marginal->number)
        return byte;
    board->noise = sim_mix(board->noise);
    if (board->noise % 100 == 0)
        byte ^= (uint8_t)(1U << (board->noise >> 32 & 7));
    return byte;
}

bool board_hears(const struct board *board)
{
    const struct line *line = &board->cable->wire.line;

    if (board->options->strict_parity && board->model->strict_parity && line->parity != PARITY_EVEN)
        return false;
    return !board->locked_baud || wire_rates_match(line->baud, board->locked_baud);
}

void board_hear(struct board *board, uint8_t byte, uint64_t at_ns)
{
    board->counters.received_bytes++;
    byte = board_hears(board) ? waver(board, byte) : garble(board, byte);
    if (board->present && !board->faults[FAULT_SILENT].set)
        board->model->receive(board->state, byte, at_ns);
}

void board_modem(struct board *board, bool dtr, bool rts, uint64_t at_ns)
{
    if (board->present && board->model->modem)
        board->model->modem(board->state, dtr, rts, at_ns);
}

void board_break(struct board *board, bool on, uint64_t at_ns)
{
    if (board->present && board->model->set_break)
        board->model->set_break(board->state, on, at_ns);
}

uint64_t board_send(struct board *board, const uint8_t *bytes, size_t count, uint64_t at_ns)
{
    uint8_t heard[512];
    uint64_t end_ns = at_ns;
    bool clear = board_hears(board) && !board->faults[FAULT_GARBAGE].set;

    while (count) {
        size_t part = count < sizeof heard ? count : sizeof heard;

        for (size_t i = 0; i < part; i++)
            heard[i] = clear ? waver(board, bytes[i]) : garble(board, bytes[i]);
        end_ns = cable_send(board->cable, board, heard, part, at_ns);
        board->counters.sent_bytes += part;
        bytes += part;
        count -= part;
    }
    return end_ns;
}

void board_vanish(struct board *board, uint64_t at_ns)
{
    cable_vanish(board->cable, at_ns);
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
    return board->cable->wire.line.baud;
}

void board_lock_baud(struct board *board, bool lock)
{
    board->locked_baud = lock ? board_baud(board) : 0;
}

void board_set_baud(struct board *board, uint32_t baud)
{
    board->locked_baud = baud;
}

uint64_t board_byte_ns(const struct board *board)
{
    return board->cable->wire.byte_ns;
}

enum parity board_parity(const struct board *board)
{
    return board->cable->parity;
}

bool board_wired(const struct board *board)
{
    return board->cable->wired;
}

static void identify(struct board *board)
{
    board->identity = sim_mix_text(board->name, board->options->seed) + board->generation;
    board->model->identify(board->state, board->identity);
}

/* Where nothing can bring a board into its bootloader, it starts there. */
static void power_up(struct board *board)
{
    const struct port *port = &board->cable->port;
    uint64_t now_ns = sim_now_ns();

    cable_hush(board->cable);
    if (!board_wired(board) || !board->model->run) {
        board->model->reset(board->state, now_ns);
        return;
    }
    board->model->run(board->state, now_ns);
    if (port->dtr || port->rts)
        board_modem(board, port->dtr, port->rts, now_ns);
}

void board_open(struct board *board, const struct model *model, size_t chip_index)
{
    board->model = model;
    board->chip = model->chip_name(chip_index);
    board->state = model->create(board, chip_index);
    board->present = true;
    board->noise = sim_mix_text(board->name, ~board->options->seed);
    identify(board);
    power_up(board);
}

void board_close(struct board *board)
{
    if (board->state)
        board->model->destroy(board->state);
}

void board_reset(struct board *board)
{
    cable_hush(board->cable);
    board->model->reset(board->state, sim_now_ns());
}

void board_remove(struct board *board)
{
    board->present = false;
    cable_hush(board->cable);
}

void board_insert(struct board *board)
{
    board->generation++;
    board->present = true;
    board->model->renew(board->state);
    identify(board);
    power_up(board);
}

void board_unplug(struct board *board)
{
    cable_unplug(board->cable);
}

int board_replug(struct board *board)
{
    if (board_plugged(board))
        return 0;
    for (size_t i = 0; i < board->cable->count; i++)
        power_up(board->cable->boards[i]);
    return cable_plug(board->cable);
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

bool board_plugged(const struct board *board)
{
    return board->cable->port.plugged;
}

bool board_port_open(const struct board *board)
{
    return port_is_open(&board->cable->port);
}

/* A unit is told by its address on the line, which starts as its place there. */
char *board_port_name(const struct board *board)
{
    const struct port *port = &board->cable->port;
    char *name = port_name(port), *unit;

    if (!board->cable->shared)
        return name;
    unit = sim_text("rs485:%s#%u", port->remote ? name : port->link, board->place + 1);
    free(name);
    return unit;
}
