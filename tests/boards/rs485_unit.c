/* SPDX-License-Identifier: Apache-2.0 */
/* See rs485_unit.h: frames, autobaud, ear and window; and the entry in the table of models. */
#include "rs485_unit.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_NS (2 * NS_PER_S)
#define GAP_NS    (200 * NS_PER_MS)

/* A break of 0.5 s as the master's host measures it. */
#define BREAK_LEAST_NS (450 * NS_PER_MS)

/* From power-up, from the end of a break, and from a request to its answer, when paced. */
#define POWER_UP_NS    NS_PER_MS
#define AFTER_BREAK_NS (10 * NS_PER_MS)
#define THINK_NS       (300 * NS_PER_US)

enum { ESCAPE = 0x1B, ESCAPE_ADDRESS = 0x01, AUTOBAUD = 0x55 };

uint32_t unit_span(const struct unit *unit)
{
    return unit->memory.resident_at;
}

static const uint8_t *address_pair(const struct unit *unit)
{
    return unit->memory.flash + unit_span(unit) + UNIT_ADDRESS_IN_SHARED;
}

bool unit_has_address(const struct unit *unit)
{
    const uint8_t *pair = address_pair(unit);

    return pair[0] && (pair[0] ^ pair[1]) == 0xFF;
}

uint8_t unit_address(const struct unit *unit)
{
    return unit_has_address(unit) ? address_pair(unit)[0] : UNIT_NO_ADDRESS;
}

uint16_t unit_crc16(const uint8_t *bytes, size_t count)
{
    unsigned sum = 0xFFFF;

    for (size_t i = 0; i < count; i++) {
        sum ^= (unsigned)bytes[i] << 8;
        for (unsigned bit = 0; bit < 8; bit++)
            sum = (sum & 0x8000 ? sum << 1 ^ 0x1021 : sum << 1) & 0xFFFF;
    }
    return (uint16_t)sum;
}

static void listen(struct unit *unit)
{
    unit->phase = UNIT_LISTEN;
    unit->measured = 0;
    unit->group.joined = false;
    unit->following = false;
    board_set_baud(unit->receiver.board, 0);
}

static void start(struct unit *unit, uint64_t at_ns, uint64_t ready_ns)
{
    receiver_restart(&unit->receiver, at_ns);
    if (unit->receiver.board->options->pace)
        receiver_spends(&unit->receiver, ready_ns);
    unit->traffic_ns = at_ns;
    unit->break_ns = 0;
    unit->touched = false;
    listen(unit);
}

/* Where a silence since the last traffic has led. Nothing could bring a unit back from its application
 * through a pty, so there it only forgets its rate. */
static enum unit_phase phase_after(const struct unit *unit, uint64_t now_ns)
{
    bool waits = unit->phase == UNIT_LISTEN || unit->phase == UNIT_CLOSED || unit->phase == UNIT_OPEN;

    if (!waits || now_ns < unit->traffic_ns + WINDOW_NS)
        return unit->phase;
    return unit->touched || !board_wired(unit->receiver.board) ? UNIT_LISTEN : UNIT_APPLICATION;
}

static void pass_time(struct unit *unit, uint64_t now_ns)
{
    enum unit_phase next = phase_after(unit, now_ns);

    if (next == UNIT_LISTEN && unit->phase != UNIT_LISTEN)
        listen(unit);
    unit->phase = next;
    unit->traffic_ns = now_ns;
}

/* Frames leave as the wake-up asks; the unit speaks two frame times after the last stop bit. */
static void say(struct unit *unit, const uint8_t *bytes, size_t count)
{
    uint8_t frames[2 * (UNIT_ANSWER_MAX + 6)];
    struct receiver *receiver = &unit->receiver;
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        frames[used++] = bytes[i];
        if (unit->escape && bytes[i] == ESCAPE)
            frames[used++] = ESCAPE;
    }
    if (receiver->board->options->pace)
        receiver_spends(receiver, 2 * board_byte_ns(receiver->board) + THINK_NS);
    receiver_says(receiver, frames, used);
}

static void answer(struct unit *unit, const struct unit_request *request, enum unit_status status,
                   uint8_t address)
{
    uint8_t bytes[UNIT_ANSWER_MAX + 6] = {address, (uint8_t)(2 + request->answer_count),
                                          request->command | 0x80, (uint8_t)status};
    size_t count = 4 + request->answer_count;
    uint16_t sum;

    memcpy(bytes + 4, request->answer, request->answer_count);
    sum = unit_crc16(bytes, count);
    bytes[count++] = (uint8_t)(sum >> 8);
    bytes[count++] = (uint8_t)sum;
    say(unit, bytes, count);
}

static void finish(struct unit *unit, const struct unit_request *request)
{
    if (request->complete) {
        unit->phase = UNIT_APPLICATION;
        unit->group.joined = false;
    } else if (request->change_address)
        unit->phase = UNIT_CLOSED;
}

static void obey_own(struct unit *unit, struct unit_request *request)
{
    uint8_t address = unit_address(unit);
    enum unit_status status;

    /* The answer of a unit that has the same address: an answer is no request. */
    if (request->command & 0x80)
        return;
    status = unit_obey(unit, request);
    if (status == STATUS_MUTE)
        return;
    if (status != STATUS_DONE)
        request->answer_count = 0;
    answer(unit, request, status, address);
    finish(unit, request);
}

/* To address 0: the group's number comes first, and nobody answers. */
static void obey_group(struct unit *unit, struct unit_request *request)
{
    struct unit_group *group = &unit->group;
    enum unit_status status;

    if (!group->joined || !group->number || !request->count || request->data[0] != group->number ||
        !unit_takes_from_all(request->command))
        return;
    request->data++;
    request->count--;
    status = unit_obey(unit, request);
    if (status != STATUS_DONE && status != STATUS_MUTE)
        group->last_status = (uint8_t)status;
    finish(unit, request);
}

static void take_packet(struct unit *unit)
{
    struct unit_request request = {
        .command = unit->packet[2], .data = unit->packet + 3, .count = unit->packet[1] - 1U};

    if (unit_crc16(unit->packet, unit->have)) {
        if (unit->group.joined && unit->group.bad_sums < 255)
            unit->group.bad_sums++;
        return;
    }
    if (!unit->packet[1])
        return;
    if (!unit->packet[0])
        obey_group(unit, &request);
    else if (unit->packet[0] == unit_address(unit))
        obey_own(unit, &request);
}

static void take_data(struct unit *unit, uint8_t byte)
{
    if (unit->phase != UNIT_OPEN || !unit->following)
        return;
    unit->packet[unit->have++] = byte;
    if (unit->have == 2 && byte > UNIT_LENGTH_MAX)
        unit->following = false;
    else if (unit->have >= 4 && unit->have == unit->packet[1] + 4U) {
        take_packet(unit);
        unit->have = 0;
    }
}

static void roll_call(struct unit *unit, uint8_t called)
{
    uint8_t own = unit_address(unit);

    unit->have = 0;
    unit->following = true;
    unit->phase = !called || called == own ? UNIT_OPEN : UNIT_CLOSED;
    if (unit->phase == UNIT_CLOSED)
        return;
    unit->called = true;
    if (called || !unit->group.joined)
        say(unit, &own, 1);
}

/* 1.2 */
static void decode(struct unit *unit, uint8_t byte)
{
    enum unit_decoder before = unit->decoder;

    unit->decoder = DECODE_PLAIN;
    if (before == DECODE_PLAIN && byte == ESCAPE)
        unit->decoder = DECODE_ESCAPED;
    else if (before == DECODE_PLAIN || (before == DECODE_ESCAPED && byte == ESCAPE))
        take_data(unit, byte);
    else if (before == DECODE_ESCAPED && byte == ESCAPE_ADDRESS)
        unit->decoder = DECODE_ADDRESS;
    else if (before == DECODE_ADDRESS && byte == ESCAPE)
        unit->decoder = DECODE_ADDRESS_ESCAPED;
    else if (before == DECODE_ADDRESS || (before == DECODE_ADDRESS_ESCAPED && byte == ESCAPE))
        roll_call(unit, byte);
    else
        unit->following = false;
}

/* What stands where the ninth bit is looked for; without parity that is the stop bit. */
static bool ninth_bit(const struct unit *unit, uint8_t byte)
{
    switch (board_parity(unit->receiver.board)) {
    case PARITY_EVEN:
        return __builtin_parity(byte);
    case PARITY_ODD:
        return !__builtin_parity(byte);
    case PARITY_SPACE:
        return false;
    case PARITY_NONE:
    case PARITY_MARK:
        break;
    }
    return true;
}

/* Two characters of the same rate, or 0. */
static uint32_t snap(uint32_t baud)
{
    static const uint32_t rates[] = {1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        uint64_t bit = 1000000000ULL / (baud ? baud : 1), theirs = 1000000000ULL / rates[i];

        if (bit * 100 >= theirs * 94 && bit * 100 <= theirs * 106)
            return rates[i];
    }
    return 0;
}

static void measure(struct unit *unit, uint8_t byte)
{
    uint32_t rate = byte == AUTOBAUD ? snap(board_baud(unit->receiver.board)) : 0;

    unit->measured = rate && rate == unit->rate ? unit->measured + 1 : rate != 0;
    unit->rate = rate;
    if (unit->measured < 2)
        return;
    board_set_baud(unit->receiver.board, rate);
    unit->phase = UNIT_CLOSED;
    unit->called = unit->following = false;
    unit->decoder = DECODE_PLAIN;
    unit->measured = 0;
    unit->rate = 0;
}

static void take_frame(struct unit *unit, uint8_t byte)
{
    if (!unit->called && !board_hears(unit->receiver.board))
        listen(unit);
    else if (unit->escape)
        decode(unit, byte);
    else if (ninth_bit(unit, byte))
        roll_call(unit, byte);
    else
        take_data(unit, byte);
}

static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct unit *unit = state;

    if (at_ns > unit->traffic_ns + GAP_NS) {
        unit->decoder = DECODE_PLAIN;
        unit->have = 0;
        unit->following = true;
    }
    pass_time(unit, at_ns);
    if (!receiver_hears(&unit->receiver, at_ns))
        return;
    if (unit->phase == UNIT_LISTEN)
        measure(unit, byte);
    else if (unit->phase == UNIT_CLOSED || unit->phase == UNIT_OPEN)
        take_frame(unit, byte);
}

static void reset(void *state, uint64_t at_ns)
{
    start(state, at_ns, POWER_UP_NS);
}

/* The application has the UART's break detection armed, and so has a unit that hangs. */
static void set_break(void *state, bool on, uint64_t at_ns)
{
    struct unit *unit = state;

    pass_time(unit, at_ns);
    if (on)
        unit->break_ns = at_ns;
    else if (unit->break_ns && at_ns - unit->break_ns >= BREAK_LEAST_NS)
        start(unit, at_ns, AFTER_BREAK_NS);
    else if (unit->phase == UNIT_CLOSED && !unit->called)
        listen(unit);
    if (!on)
        unit->break_ns = 0;
}

static const char *chip_name(size_t index)
{
    static const char *const names[] = {"p89lpc920-rs485", "p89lpc921-rs485", "p89lpc922-rs485"};

    return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}

/* Another unit of the kind has the address that its place on the line asks for. */
static void renew(void *state)
{
    struct unit *unit = state;
    uint8_t address = (uint8_t)(unit->receiver.board->place + 1);
    const uint8_t pair[] = {address, (uint8_t)~address};

    p89_renew(&unit->memory, UNIT_LOADER_BYTES);
    unit->memory.security[unit->memory.chip->flash_bytes / P89_SECTOR_BYTES - 1] = P89_SECURED;
    p89_program(&unit->memory, unit_span(unit) + UNIT_ADDRESS_IN_SHARED, pair, sizeof pair);
}

static void *create(struct board *board, size_t chip_index)
{
    struct unit *unit = sim_allocate(1, sizeof *unit);
    const struct options *options = board->options;

    unit->receiver = (struct receiver){.board = board, .depth = 1};
    unit->memory.chip = p89_chip_at(chip_index);
    unit->memory.resident_at = unit->memory.chip->flash_bytes - UNIT_LOADER_BYTES - UNIT_SHARED_BYTES;
    unit->escape = options->escape || (!options->parity && !board_wired(board));
    renew(unit);
    return unit;
}

static const char *phase(const void *state)
{
    static const char *const names[] = {[UNIT_LISTEN] = "fresh",
                                        [UNIT_CLOSED] = "synced",
                                        [UNIT_OPEN] = "selected",
                                        [UNIT_APPLICATION] = "running",
                                        [UNIT_HUNG] = "hung"};

    return names[phase_after(state, sim_now_ns())];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct unit *unit = state;
    int used = snprintf(text, size, "address=%u joined=%d group=%u protected=%d uid=", unit_address(unit),
                        unit->group.joined, unit->group.number, unit->memory.security[0] != 0);

    for (size_t i = 0; i < P89_UID_BYTES && used > 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%02x", unit->memory.uid[i]);
}

static const char *conf_entry(bool remote)
{
    return remote ? "break:500" : "none";
}

static const char *conf_lines(const void *state)
{
    const struct unit *unit = state;

    return unit->escape ? "wakeup = escape\n" : "wakeup = parity\n";
}

const struct model rs485_unit_model = {
    .protocol = "rs485-isp",
    .shared = true,
    .chip_name = chip_name,
    .create = create,
    .destroy = free,
    .receive = receive,
    .reset = reset,
    .set_break = set_break,
    .renew = renew,
    .identify = p89_identify,
    .lock = p89_secure,
    .spoil = p89_spoil,
    .fill = p89_fill,
    .dump = p89_dump,
    .phase = phase,
    .describe = describe,
    .conf_entry = conf_entry,
    .conf_lines = conf_lines,
};
