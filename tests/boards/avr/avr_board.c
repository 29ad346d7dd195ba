/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_board.h. The chip is run in stretches: up to the last byte that is known to arrive and a little
 * further, for what it says must be known before it is due; never much further, for a client may speak up.
 * While the firmware only waits, nothing is run at all. */
#include "avr_board.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

/* How far the chip may be ahead of the host's clock, and behind it before its time stands still instead. */
#define AHEAD_NS  (2 * NS_PER_MS)
#define BEHIND_NS (50 * NS_PER_MS)
/* In a hurry: how much of the chip's time may pass in none of ours, at once and after the last byte was read.
 */
#define HURRY_NS       (600 * NS_PER_MS)
#define HURRY_WORK_NS  (20 * NS_PER_MS)
#define HURRY_CHUNK_NS (2 * NS_PER_MS)

/* Whom nobody speaks to for so long runs at a tenth of its speed, and not at all while its port is closed. */
#define PATIENCE_NS  (3 * NS_PER_S)
#define SLOW_TICK_NS (20 * NS_PER_MS)
#define SLOW_RUN_NS  (2 * NS_PER_MS)

/* An application is not run ahead. */
#define APPLICATION_TICK_NS (5 * NS_PER_MS)
#define TICK_MIN_NS         (200 * NS_PER_US)
#define FULL_RETRY_NS       NS_PER_MS

enum { FRAME_BITS = 10, PIECE_BYTES = 64, WAITING_BYTES_MAX = 1 << 20 };

static uint64_t cycles_of_ns(const struct avr_board *board, uint64_t ns)
{
    uint64_t hz = board->loader->frequency_hz;

    return ns / NS_PER_S * hz + ns % NS_PER_S * hz / NS_PER_S;
}

static uint64_t ns_of_cycles(const struct avr_board *board, uint64_t cycles)
{
    uint64_t hz = board->loader->frequency_hz;

    return cycles / hz * NS_PER_S + cycles % hz * NS_PER_S / hz;
}

static uint64_t cycle_at(const struct avr_board *board, uint64_t ns)
{
    return ns > board->origin_ns ? cycles_of_ns(board, ns - board->origin_ns) : 0;
}

static uint64_t time_at(const struct avr_board *board, uint64_t cycle)
{
    return board->origin_ns + ns_of_cycles(board, cycle);
}

/* The chip's present is the host's present: what lay between is left out. */
static void meet(struct avr_board *board, uint64_t now_ns)
{
    board->origin_ns = now_ns - ns_of_cycles(board, mcu_now(board->mcu));
}

static bool hurried(const struct avr_board *board)
{
    return !board->options->pace;
}

static bool bored(const struct avr_board *board, uint64_t now_ns)
{
    return now_ns > board->attention_ns + PATIENCE_NS;
}

static bool frozen(const struct avr_board *board, uint64_t now_ns)
{
    return !board->present || (bored(board, now_ns) && !port_is_open(&board->port));
}

/* How far it has to come: to the present, unless the host is too slow or nobody cares. */
static uint64_t duty(struct avr_board *board, uint64_t now_ns)
{
    uint64_t must = cycle_at(board, now_ns), from = mcu_now(board->mcu), allowed;

    if (mcu_idle(board->mcu))
        from = mcu_next(board->mcu);
    if (from > must)
        return must;
    allowed = from + cycles_of_ns(board, bored(board, now_ns) ? SLOW_RUN_NS : BEHIND_NS);
    if (must <= allowed)
        return must;
    board->origin_ns += ns_of_cycles(board, must - allowed);
    return allowed;
}

static void run_paced(struct avr_board *board, uint64_t now_ns)
{
    uint64_t must = duty(board, now_ns), may = must;
    uint64_t ahead_ns = (board->arrived_ns > now_ns ? board->arrived_ns : now_ns) + AHEAD_NS;

    if (mcu_place(board->mcu) == MCU_BOOTLOADER)
        may = cycle_at(board, ahead_ns);
    mcu_run(board->mcu, must, may);
}

/* What bytes from the client cause is done at once. Waiting is not: a bootloader that gives up after a second
 * must not do so before that. */
static void run_hurried(struct avr_board *board, uint64_t now_ns)
{
    uint64_t work = cycles_of_ns(board, HURRY_WORK_NS), chunk = cycles_of_ns(board, HURRY_CHUNK_NS);
    uint64_t end, most = mcu_now(board->mcu) + cycles_of_ns(board, HURRY_NS);

    mcu_run(board->mcu, duty(board, now_ns), 0);
    end = mcu_now(board->mcu);
    while (!mcu_idle(board->mcu) && mcu_place(board->mcu) == MCU_BOOTLOADER && mcu_now(board->mcu) < most) {
        if (mcu_unread(board->mcu))
            end = mcu_now(board->mcu) + work;
        if (mcu_now(board->mcu) >= end)
            break;
        mcu_run(board->mcu, 0, mcu_now(board->mcu) + chunk);
    }
    if (mcu_now(board->mcu) > cycle_at(board, now_ns))
        meet(board, now_ns);
}

static void catch_up(struct avr_board *board, uint64_t now_ns)
{
    if (frozen(board, now_ns))
        meet(board, now_ns);
    else if (hurried(board))
        run_hurried(board, now_ns);
    else
        run_paced(board, now_ns);
}

/* --- what the client hears --- */

static uint8_t garble(struct avr_board *board, uint8_t byte)
{
    board->noise = sim_mix(board->noise ^ byte);
    return (uint8_t)(0xE0 | (board->noise & 0x1F));
}

static uint8_t waver(struct avr_board *board, uint8_t byte)
{
    const struct fault *marginal = &board->faults[FAULT_MARGINAL];

    if (!marginal->set || board->line.baud <= marginal->number)
        return byte;
    board->noise = sim_mix(board->noise);
    if (board->noise % 100 == 0)
        byte ^= (uint8_t)(1U << (board->noise >> 32 & 7));
    return byte;
}

/* A UART tolerates about 4 % over the ten bits of a frame. */
static bool rates_match(const struct avr_board *board)
{
    uint64_t client = board->line.baud, chip = mcu_baud(board->mcu);

    return !client || !chip || (client > chip ? client - chip : chip - client) * 25 <= chip;
}

static void on_sent(void *context, uint8_t byte, uint64_t cycle)
{
    struct avr_board *board = context;
    uint64_t due_ns = hurried(board) ? sim_now_ns() : time_at(board, cycle);

    if (board->faults[FAULT_SILENT].set || board->mute ||
        board->out_end - board->out_first >= WAITING_BYTES_MAX)
        return;
    if (board->out_first == board->out_end)
        board->out_first = board->out_end = 0;
    if (board->out_end == board->out_room) {
        board->out_room = board->out_room ? 2 * board->out_room : 512;
        board->out = sim_reallocate(board->out, board->out_room * sizeof(struct outgoing));
    }
    byte = rates_match(board) && !board->faults[FAULT_GARBAGE].set ? waver(board, byte) : garble(board, byte);
    board->counters.sent_bytes++;
    board->out[board->out_end++] =
        (struct outgoing){.due_ns = due_ns + board->options->turnaround_us * NS_PER_US, .byte = byte};
}

static void forget_outgoing(struct avr_board *board)
{
    board->out_first = board->out_end = 0;
}

/* False: the client does not take more now. */
static bool flush(struct avr_board *board, uint64_t now_ns)
{
    while (board->out_first < board->out_end && board->out[board->out_first].due_ns <= now_ns) {
        uint8_t bytes[PIECE_BYTES];
        size_t count = 0, taken;

        for (size_t i = board->out_first;
             i < board->out_end && count < sizeof bytes && board->out[i].due_ns <= now_ns; i++)
            bytes[count++] = board->out[i].byte;
        taken = port_write(&board->port, bytes, count);
        board->out_first += taken;
        if (taken < count)
            return false;
    }
    return true;
}

/* Long answers become visible in pieces, as from the FIFO of a USB adapter. */
static uint64_t next_piece(const struct avr_board *board)
{
    size_t last = board->out_first;
    uint64_t gap_ns = 2 * NS_PER_S * FRAME_BITS / (mcu_baud(board->mcu) ? mcu_baud(board->mcu) : 9600);

    if (board->out_first == board->out_end)
        return MCU_NEVER;
    while (last + 1 < board->out_end && last + 1 - board->out_first < PIECE_BYTES &&
           board->out[last + 1].due_ns - board->out[last].due_ns <= gap_ns)
        last++;
    return board->out[last].due_ns;
}

/* --- when to look again --- */

static uint64_t next_run(const struct avr_board *board, uint64_t now_ns)
{
    uint64_t next = mcu_next(board->mcu), at_ns;

    if (frozen(board, now_ns) || next == MCU_NEVER)
        return MCU_NEVER;
    at_ns = time_at(board, next);
    if (mcu_idle(board->mcu))
        return at_ns > now_ns ? at_ns + NS_PER_US : now_ns + NS_PER_US;
    if (bored(board, now_ns))
        return now_ns + SLOW_TICK_NS;
    if (mcu_place(board->mcu) != MCU_BOOTLOADER)
        return now_ns + APPLICATION_TICK_NS;
    at_ns = at_ns > AHEAD_NS / 2 ? at_ns - AHEAD_NS / 2 : 0;
    return at_ns > now_ns + TICK_MIN_NS ? at_ns : now_ns + TICK_MIN_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void arm(struct avr_board *board, uint64_t now_ns, bool full)
{
    uint64_t due_ns = next_run(board, now_ns);

    if (full)
        due_ns = earlier(due_ns, now_ns + FULL_RETRY_NS);
    else
        due_ns = earlier(due_ns, next_piece(board));
    if (board->vanish_at_ns)
        due_ns = earlier(due_ns, board->vanish_at_ns);
    if (due_ns == MCU_NEVER)
        timer_disarm(board->loop, &board->timer);
    else
        timer_arm(board->loop, &board->timer, due_ns);
}

static void turn(struct avr_board *board, uint64_t now_ns)
{
    bool taken;

    catch_up(board, now_ns);
    taken = flush(board, hurried(board) ? sim_now_ns() : now_ns);
    arm(board, now_ns, !taken || port_waits(&board->port));
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct avr_board *board = (struct avr_board *)((char *)timer - offsetof(struct avr_board, timer));

    if (board->vanish_at_ns && board->vanish_at_ns <= now_ns) {
        avr_board_unplug(board);
        return;
    }
    if (port_waits(&board->port))
        (void)port_write(&board->port, NULL, 0);
    turn(board, now_ns);
}

/* --- what comes in --- */

static void reset(struct avr_board *board, uint64_t now_ns)
{
    board->attention_ns = now_ns;
    board->arrived_ns = 0;
    board->mute = false;
    forget_outgoing(board);
    mcu_reset(board->mcu);
    meet(board, now_ns);
}

/* The adapter asserts DTR when its port is opened, and a capacitor makes a reset pulse of that. A port with
 * modem lines tells of DTR itself. */
static void on_opened(void *context)
{
    struct avr_board *board = context;
    uint64_t now_ns = sim_now_ns();

    catch_up(board, now_ns);
    board->attention_ns = now_ns;
    if (!board->port.remote && board->present)
        reset(board, now_ns);
    turn(board, now_ns);
}

static void on_modem(void *context, bool dtr, bool rts)
{
    struct avr_board *board = context;
    bool rises = dtr && !board->dtr;

    (void)rts;
    board->dtr = dtr;
    if (rises && board->present) {
        catch_up(board, sim_now_ns());
        reset(board, sim_now_ns());
    }
}

static void on_line(void *context, struct line line)
{
    struct avr_board *board = context;

    board->line = line;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A chip that is ahead of the clock hears that much later: it cannot go back. */
static void hear(struct avr_board *board, uint8_t byte, bool error, uint64_t now_ns)
{
    uint64_t start_ns = time_at(board, mcu_now(board->mcu));

    start_ns = later(start_ns, later(now_ns, board->arrived_ns));
    if (!hurried(board) && board->line.baud)
        start_ns += FRAME_BITS * NS_PER_S / board->line.baud;
    board->arrived_ns = start_ns;
    if (board->present && !board->faults[FAULT_SILENT].set)
        mcu_hear(board->mcu, byte, cycle_at(board, start_ns), error);
}

static void on_bytes(void *context, const uint8_t *bytes, size_t count)
{
    struct avr_board *board = context;
    uint64_t now_ns = sim_now_ns();
    bool clear;

    catch_up(board, now_ns);
    clear = rates_match(board);
    board->attention_ns = now_ns;
    board->mute = false;
    board->counters.received_bytes += count;
    for (size_t i = 0; i < count; i++)
        hear(board, clear ? waver(board, bytes[i]) : garble(board, bytes[i]), !clear, now_ns);
}

/* A zero without its stop bit. */
static void on_break(void *context, bool on)
{
    struct avr_board *board = context;

    if (on)
        hear(board, 0, true, sim_now_ns());
}

static void on_settled(void *context)
{
    struct avr_board *board = context;

    turn(board, sim_now_ns());
}

static const struct port_events port_events = {
    .opened = on_opened,
    .line = on_line,
    .bytes = on_bytes,
    .modem = on_modem,
    .set_break = on_break,
    .settled = on_settled,
};

/* --- what faults do to a page --- */

static size_t on_program(void *context, uint32_t address, uint8_t *page, size_t size)
{
    struct avr_board *board = context;
    uint64_t write = ++board->counters.writes;
    size_t lands = size;

    (void)address;
    if (fault_strikes(&board->faults[FAULT_HANG], write)) {
        mcu_hang(board->mcu);
        lands = 0;
    }
    if (fault_strikes(&board->faults[FAULT_UNPLUG], write)) {
        board->vanish_at_ns = sim_now_ns();
        board->mute = true;
        lands = size / 2;
    }
    if (fault_strikes(&board->faults[FAULT_CORRUPT], write))
        page[size / 2] ^= 0x10;
    if (fault_strikes(&board->faults[FAULT_DROP_ACK], write))
        board->mute = true;
    board->counters.written_bytes += lands;
    return lands;
}

static void on_erased(void *context)
{
    struct avr_board *board = context;

    board->counters.erases++;
}

static const struct mcu_events mcu_events = {.sent = on_sent, .program = on_program, .erased = on_erased};

/* --- as a whole --- */

int avr_board_open(struct avr_board *board)
{
    board->mcu = mcu_new(board->loader, board->options->loader, hurried(board), &mcu_events, board);
    if (!board->mcu)
        return -1;
    board->timer.fire = on_timer;
    board->present = true;
    board->noise = sim_mix_text(board->name, ~board->options->seed);
    board->port.events = &port_events;
    board->port.context = board;
    board->port.loop = board->loop;
    reset(board, sim_now_ns());
    turn(board, sim_now_ns());
    return port_plug(&board->port);
}

void avr_board_close(struct avr_board *board)
{
    avr_board_unplug(board);
    port_free(&board->port);
    if (board->mcu)
        mcu_free(board->mcu);
    free(board->out);
}

void avr_board_reset(struct avr_board *board)
{
    uint64_t now_ns = sim_now_ns();

    reset(board, now_ns);
    turn(board, now_ns);
}

void avr_board_unplug(struct avr_board *board)
{
    board->vanish_at_ns = 0;
    timer_disarm(board->loop, &board->timer);
    forget_outgoing(board);
    if (board->port.plugged)
        port_unplug(&board->port);
}

int avr_board_replug(struct avr_board *board)
{
    if (board->port.plugged)
        return 0;
    reset(board, sim_now_ns());
    return port_plug(&board->port);
}
