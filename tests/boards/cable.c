/* SPDX-License-Identifier: Apache-2.0 */
/* See cable.h. */
#include "cable.h"

#include "board.h"
#include "common.h"

#include <stdlib.h>
#include <string.h>

/* How long a client that takes nothing is left alone before the next try. */
#define FULL_RETRY_NS NS_PER_MS

static void arm(struct cable *cable)
{
    uint64_t due_ns = 0;
    bool due = wire_next_release(&cable->wire, &due_ns);

    if (cable->vanish_at_ns && (!due || cable->vanish_at_ns < due_ns)) {
        due_ns = cable->vanish_at_ns;
        due = true;
    }
    if (due)
        timer_arm(cable->loop, &cable->timer, due_ns);
    else
        timer_disarm(cable->loop, &cable->timer);
}

static void flush(struct cable *cable, uint64_t now_ns)
{
    const uint8_t *bytes;
    size_t due = wire_due(&cable->wire, now_ns, &bytes), taken = port_write(&cable->port, bytes, due);

    if (taken)
        wire_take(&cable->wire, taken);
    if (taken < due || port_waits(&cable->port))
        timer_arm(cable->loop, &cable->timer, sim_now_ns() + FULL_RETRY_NS);
    else
        arm(cable);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct cable *cable = (struct cable *)((char *)timer - offsetof(struct cable, timer));

    if (cable->vanish_at_ns && cable->vanish_at_ns <= now_ns)
        cable_unplug(cable);
    else
        flush(cable, now_ns);
}

/* Two at a time on a half-duplex line. Like other noise it is never a small number. */
static uint8_t clash(struct cable *cable, uint8_t byte)
{
    cable->noise = sim_mix(cable->noise ^ byte);
    return (uint8_t)(0xE0 | cable->noise);
}

/* The other units hear an answer too. Nobody answers an answer. */
static void overhear(struct cable *cable, const struct answer *answer, uint64_t start_ns)
{
    cable->parity = PARITY_SPACE;
    cable->overhearing = true;
    for (size_t i = 0; i < answer->count; i++)
        for (size_t k = 0; k < cable->count; k++)
            if (cable->boards[k] != answer->board)
                board_hear(cable->boards[k], answer->bytes[i], start_ns + (i + 1) * cable->wire.byte_ns);
    cable->overhearing = false;
}

static void speak(struct cable *cable, const struct answer *answer)
{
    uint64_t end_ns = wire_send(&cable->wire, answer->bytes, answer->count, answer->at_ns);
    uint64_t start_ns = end_ns - answer->count * cable->wire.byte_ns;

    cable->talker = answer->board;
    cable->talk_start_ns = start_ns;
    cable->talk_end_ns = end_ns;
    if (cable->answer_count == 1)
        overhear(cable, answer, start_ns);
}

/* What several units say to the same byte of the master is as long as the longest, and noise. */
static void speak_at_once(struct cable *cable)
{
    struct answer *longest = &cable->answers[0];

    for (size_t i = 1; i < cable->answer_count; i++)
        if (cable->answers[i].count > longest->count)
            longest = &cable->answers[i];
    if (cable->answer_count > 1)
        for (size_t i = 0; i < longest->count; i++)
            longest->bytes[i] = clash(cable, longest->bytes[i]);
    speak(cable, longest);
}

static void speak_all(struct cable *cable)
{
    if (cable->answer_count)
        speak_at_once(cable);
    for (size_t i = 0; i < cable->answer_count; i++)
        free(cable->answers[i].bytes);
    cable->answer_count = 0;
}

/* The master's byte came while a unit spoke: neither is understood. */
static bool clashes(struct cable *cable, uint64_t at_ns)
{
    uint64_t start_ns = at_ns - cable->wire.byte_ns;

    if (!cable->shared || start_ns >= cable->talk_end_ns || at_ns <= cable->talk_start_ns)
        return false;
    wire_spoil(&cable->wire, start_ns, at_ns);
    return true;
}

static void hear_byte(struct cable *cable, uint8_t byte, uint64_t at_ns)
{
    bool clashing = clashes(cable, at_ns);

    if (clashing)
        byte = clash(cable, byte);
    if (cable->shared && cable->options->echo)
        (void)wire_send(&cable->wire, &byte, 1, at_ns - cable->wire.byte_ns);
    cable->parity = cable->wire.line.parity;
    for (size_t i = 0; i < cable->count; i++)
        if (!clashing || cable->boards[i] != cable->talker)
            board_hear(cable->boards[i], byte, at_ns);
    speak_all(cable);
}

static void on_bytes(void *context, const uint8_t *bytes, size_t count)
{
    struct cable *cable = context;
    uint64_t now_ns = sim_now_ns();

    for (size_t i = 0; i < count; i++)
        hear_byte(cable, bytes[i], wire_arrival_ns(&cable->wire, now_ns));
}

static void on_opened(void *context)
{
    const struct cable *cable = context;

    for (size_t i = 0; cable->options->reset_on_open && i < cable->count; i++)
        board_reset(cable->boards[i]);
}

static void on_line(void *context, struct line line)
{
    struct cable *cable = context;

    cable->wire.frame_bits = cable->frame_bits ? cable->frame_bits : line.parity == PARITY_NONE ? 10 : 11;
    wire_set_line(&cable->wire, line);
}

/* Changes of lines come behind the bytes that were sent before them. */
static uint64_t in_turn_ns(const struct cable *cable)
{
    uint64_t now_ns = sim_now_ns();

    return cable->wire.arrived_ns > now_ns ? cable->wire.arrived_ns : now_ns;
}

static void on_modem(void *context, bool dtr, bool rts)
{
    const struct cable *cable = context;

    for (size_t i = 0; i < cable->count; i++)
        board_modem(cable->boards[i], dtr, rts, in_turn_ns(cable));
}

static void on_break(void *context, bool on)
{
    const struct cable *cable = context;

    for (size_t i = 0; i < cable->count; i++)
        board_break(cable->boards[i], on, in_turn_ns(cable));
}

static void on_settled(void *context)
{
    flush(context, sim_now_ns());
}

static const struct port_events port_events = {
    .opened = on_opened,
    .line = on_line,
    .bytes = on_bytes,
    .modem = on_modem,
    .set_break = on_break,
    .settled = on_settled,
};

static void keep_answer(struct cable *cable, struct board *board, const uint8_t *bytes, size_t count,
                        uint64_t at_ns)
{
    struct answer *answer;

    if (cable->answer_count == cable->answer_room) {
        cable->answer_room = 2 * cable->answer_room + 4;
        cable->answers = sim_reallocate(cable->answers, cable->answer_room * sizeof *cable->answers);
    }
    answer = &cable->answers[cable->answer_count++];
    *answer =
        (struct answer){.board = board, .bytes = sim_allocate(count, 1), .count = count, .at_ns = at_ns};
    memcpy(answer->bytes, bytes, count);
}

uint64_t cable_send(struct cable *cable, struct board *board, const uint8_t *bytes, size_t count,
                    uint64_t at_ns)
{
    if (!cable->shared)
        return wire_send(&cable->wire, bytes, count, at_ns);
    if (!cable->overhearing)
        keep_answer(cable, board, bytes, count, at_ns);
    return at_ns + count * cable->wire.byte_ns;
}

void cable_vanish(struct cable *cable, uint64_t at_ns)
{
    cable->vanish_at_ns = at_ns;
}

void cable_hush(struct cable *cable)
{
    if (cable->shared)
        return;
    wire_clear(&cable->wire);
    arm(cable);
}

void cable_init(struct cable *cable, struct loop *loop, const struct options *options, char *link,
                bool remote)
{
    *cable =
        (struct cable){.loop = loop,
                       .options = options,
                       .timer.fire = on_timer,
                       .wired = remote,
                       .noise = sim_mix_text(link, ~options->seed),
                       .wire = {.paced = options->pace, .latency_ns = options->turnaround_us * NS_PER_US},
                       .port = {.events = &port_events, .loop = loop, .link = link, .remote = remote}};
    cable->port.context = cable;
}

void cable_attach(struct cable *cable, struct board *board)
{
    cable->boards = sim_reallocate(cable->boards, (cable->count + 1) * sizeof(struct board *));
    cable->boards[cable->count++] = board;
}

int cable_plug(struct cable *cable)
{
    return port_plug(&cable->port);
}

void cable_unplug(struct cable *cable)
{
    cable->vanish_at_ns = 0;
    timer_disarm(cable->loop, &cable->timer);
    wire_clear(&cable->wire);
    port_unplug(&cable->port);
}

void cable_close(struct cable *cable)
{
    cable_unplug(cable);
    port_free(&cable->port);
    wire_close(&cable->wire);
    free(cable->answers);
    free(cable->boards);
}
