/* SPDX-License-Identifier: Apache-2.0 */
/* See remote.h. Telnet (RFC 854, 855) with the options BINARY, SUPPRESS-GO-AHEAD and COM-PORT-OPTION (RFC
 * 2217). Data counts as binary from the first byte on: nothing is ever translated. */
#include "remote.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

enum telnet {
    TELNET_SE = 240,
    TELNET_SB = 250,
    TELNET_WILL = 251,
    TELNET_WONT = 252,
    TELNET_DO = 253,
    TELNET_DONT = 254,
    TELNET_IAC = 255,
};

/* What a client asks for; the answer has the same number plus ANSWER. */
enum request {
    SIGNATURE = 0,
    SET_BAUDRATE = 1,
    SET_DATASIZE = 2,
    SET_PARITY = 3,
    SET_STOPSIZE = 4,
    SET_CONTROL = 5,
    NOTIFY_LINESTATE = 6,
    NOTIFY_MODEMSTATE = 7,
    FLOWCONTROL_SUSPEND = 8,
    FLOWCONTROL_RESUME = 9,
    SET_LINESTATE_MASK = 10,
    SET_MODEMSTATE_MASK = 11,
    PURGE_DATA = 12,
    ANSWER = 100,
};

/* Values of SET_CONTROL. */
enum control {
    FLOW_QUERY = 0,
    FLOW_NONE = 1,
    BREAK_QUERY = 4,
    BREAK_ON = 5,
    BREAK_OFF = 6,
    DTR_QUERY = 7,
    DTR_ON = 8,
    DTR_OFF = 9,
    RTS_QUERY = 10,
    RTS_ON = 11,
    RTS_OFF = 12,
    FLOW_IN_QUERY = 13,
    FLOW_IN_NONE = 14,
};

enum {
    COM_PORT_OPTION = 44,
    LINE_IDLE = 0x60,   /* transmitter and its shift register are empty */
    MODEM_READY = 0xB0, /* DCD, DSR and CTS are on */
    REQUEST_MAX_BYTES = 128,
    ESCAPE_PART_BYTES = 256,
};

static const uint8_t options[] = {0 /* BINARY */, 3 /* SUPPRESS-GO-AHEAD */, COM_PORT_OPTION};

enum { OPTION_COUNT = sizeof options };

enum side { SIDE_OFF, SIDE_OFFERED, SIDE_ON };

enum place { IN_DATA, AFTER_IAC, AFTER_VERB, IN_REQUEST, IN_REQUEST_AFTER_IAC };

struct remote {
    struct remote_events events;
    void *context;

    enum place place;
    uint8_t verb;
    uint8_t request[REQUEST_MAX_BYTES];
    size_t request_bytes;
    enum side ours[OPTION_COUNT], theirs[OPTION_COUNT];

    uint32_t baud;
    enum remote_parity parity;
    uint8_t stop_size, modem_mask;
    bool dtr, rts, breaking;
    bool notified;

    bool suspended; /* the client wants to hear nothing for now */
    uint8_t *held;
    size_t held_bytes, held_room;
};

/* Everything that goes to the client goes through here. */
static void out(struct remote *remote, const uint8_t *bytes, size_t count)
{
    if (!remote->suspended) {
        remote->events.reply(remote->context, bytes, count);
        return;
    }
    if (remote->held_bytes + count > remote->held_room) {
        remote->held_room = 2 * (remote->held_bytes + count);
        remote->held = sim_reallocate(remote->held, remote->held_room);
    }
    memcpy(remote->held + remote->held_bytes, bytes, count);
    remote->held_bytes += count;
}

static void resume(struct remote *remote)
{
    size_t count = remote->held_bytes;

    remote->suspended = false;
    remote->held_bytes = 0;
    if (count)
        out(remote, remote->held, count);
}

/* 0xFF is doubled wherever it is not a command. */
static size_t escape(uint8_t *to, const uint8_t *bytes, size_t count)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        to[used++] = bytes[i];
        if (bytes[i] == TELNET_IAC)
            to[used++] = TELNET_IAC;
    }
    return used;
}

void remote_send(struct remote *remote, const uint8_t *bytes, size_t count)
{
    uint8_t escaped[2 * ESCAPE_PART_BYTES];

    while (count) {
        size_t part = count < ESCAPE_PART_BYTES ? count : ESCAPE_PART_BYTES;

        out(remote, escaped, escape(escaped, bytes, part));
        bytes += part;
        count -= part;
    }
}

static void answer(struct remote *remote, uint8_t request, const void *value, size_t bytes)
{
    uint8_t text[4 + 2 * REQUEST_MAX_BYTES + 2] = {TELNET_IAC, TELNET_SB, COM_PORT_OPTION,
                                                   (uint8_t)(request + ANSWER)};
    size_t used = 4 + escape(text + 4, value, bytes);

    text[used++] = TELNET_IAC;
    text[used++] = TELNET_SE;
    out(remote, text, used);
}

static void answer_byte(struct remote *remote, uint8_t request, uint8_t value)
{
    answer(remote, request, &value, 1);
}

static void tell_line(struct remote *remote)
{
    remote->events.line(remote->context, remote->baud, remote->parity, remote->stop_size == 1 ? 1 : 2);
}

static void tell_modem(struct remote *remote)
{
    remote->events.modem(remote->context, remote->dtr, remote->rts);
}

/* 0 asks; every answer tells what is now in force. */
static void set_baud(struct remote *remote, const uint8_t *value, size_t bytes)
{
    uint32_t wanted;

    if (bytes < 4)
        return;
    wanted = (uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 | value[3];
    if (wanted) {
        remote->baud = wanted;
        tell_line(remote);
    }
    const uint8_t now[] = {(uint8_t)(remote->baud >> 24), (uint8_t)(remote->baud >> 16),
                           (uint8_t)(remote->baud >> 8), (uint8_t)remote->baud};

    answer(remote, SET_BAUDRATE, now, sizeof now);
}

static void set_parity(struct remote *remote, uint8_t value)
{
    if (value >= 1 && value <= 5) {
        remote->parity = (enum remote_parity)(value - 1);
        tell_line(remote);
    }
    answer_byte(remote, SET_PARITY, (uint8_t)(remote->parity + 1));
}

static void set_stop_size(struct remote *remote, uint8_t value)
{
    if (value >= 1 && value <= 3) {
        remote->stop_size = value;
        tell_line(remote);
    }
    answer_byte(remote, SET_STOPSIZE, remote->stop_size);
}

static uint8_t set_break(struct remote *remote, uint8_t value)
{
    if (value != BREAK_QUERY) {
        remote->breaking = value == BREAK_ON;
        remote->events.set_break(remote->context, remote->breaking);
    }
    return remote->breaking ? BREAK_ON : BREAK_OFF;
}

static uint8_t set_dtr(struct remote *remote, uint8_t value)
{
    if (value != DTR_QUERY) {
        remote->dtr = value == DTR_ON;
        tell_modem(remote);
    }
    return remote->dtr ? DTR_ON : DTR_OFF;
}

static uint8_t set_rts(struct remote *remote, uint8_t value)
{
    if (value != RTS_QUERY) {
        remote->rts = value == RTS_ON;
        tell_modem(remote);
    }
    return remote->rts ? RTS_ON : RTS_OFF;
}

/* There is no flow control, whatever is asked for. */
static void set_control(struct remote *remote, uint8_t value)
{
    uint8_t now = FLOW_NONE;

    if (value >= FLOW_IN_QUERY)
        now = FLOW_IN_NONE;
    else if (value >= RTS_QUERY)
        now = set_rts(remote, value);
    else if (value >= DTR_QUERY)
        now = set_dtr(remote, value);
    else if (value >= BREAK_QUERY)
        now = set_break(remote, value);
    answer_byte(remote, SET_CONTROL, now);
}

static void set_modem_mask(struct remote *remote, uint8_t mask)
{
    remote->modem_mask = mask;
    answer_byte(remote, SET_MODEMSTATE_MASK, mask);
}

static void purge(struct remote *remote, uint8_t value)
{
    if (value >= 1 && value <= 3)
        remote->events.purge(remote->context, value & 1, value & 2);
    answer_byte(remote, PURGE_DATA, value);
}

static void sign(struct remote *remote)
{
    static const char name[] = "flashfarm-sim";

    answer(remote, SIGNATURE, name, sizeof name - 1);
}

/* Requests with one byte behind them. */
static void obey_value(struct remote *remote, uint8_t request, uint8_t value)
{
    switch (request) {
    case SET_DATASIZE: /* there are eight bits */
        answer_byte(remote, request, 8);
        break;
    case SET_PARITY:
        set_parity(remote, value);
        break;
    case SET_STOPSIZE:
        set_stop_size(remote, value);
        break;
    case SET_CONTROL:
        set_control(remote, value);
        break;
    case SET_LINESTATE_MASK:
        answer_byte(remote, request, value);
        break;
    case SET_MODEMSTATE_MASK:
        set_modem_mask(remote, value);
        break;
    case PURGE_DATA:
        purge(remote, value);
        break;
    default: /* not known: nobody waits for an answer that the RFC does not name */
        break;
    }
}

/* Once, as soon as the client shows that it knows the option: python3-serial does not always say WILL. */
static void notify(struct remote *remote)
{
    if (!remote->notified && remote->modem_mask)
        answer_byte(remote, NOTIFY_MODEMSTATE, MODEM_READY);
    remote->notified = true;
}

static void obey(struct remote *remote)
{
    const uint8_t *value = remote->request + 2;
    size_t bytes = remote->request_bytes < 2 ? 0 : remote->request_bytes - 2;

    if (remote->request_bytes < 2 || remote->request[0] != COM_PORT_OPTION)
        return;
    notify(remote);
    switch (remote->request[1]) {
    case SIGNATURE: /* without text it asks for ours, with text it tells theirs */
        if (!bytes)
            sign(remote);
        break;
    case SET_BAUDRATE:
        set_baud(remote, value, bytes);
        break;
    case NOTIFY_LINESTATE: /* some clients poll like this */
        answer_byte(remote, NOTIFY_LINESTATE, LINE_IDLE);
        break;
    case NOTIFY_MODEMSTATE:
        answer_byte(remote, NOTIFY_MODEMSTATE, MODEM_READY);
        break;
    case FLOWCONTROL_SUSPEND:
        remote->suspended = true;
        break;
    case FLOWCONTROL_RESUME:
        resume(remote);
        break;
    default:
        if (bytes)
            obey_value(remote, remote->request[1], value[0]);
        break;
    }
}

static void say(struct remote *remote, uint8_t verb, uint8_t option)
{
    const uint8_t text[] = {TELNET_IAC, verb, option};

    out(remote, text, sizeof text);
}

/* Agreed or refused by the client; what it begins itself is answered, what answers our offer is not, or the
 * two would agree for ever (RFC 1143). */
static void settle(struct remote *remote, enum side *side, bool on, uint8_t yes_or_no, uint8_t option)
{
    enum side before = *side;

    *side = on ? SIDE_ON : SIDE_OFF;
    if (before != SIDE_OFFERED && before != *side)
        say(remote, yes_or_no, option);
}

static void negotiate(struct remote *remote, uint8_t verb, uint8_t option)
{
    const uint8_t *place = memchr(options, option, sizeof options);
    bool ours = verb == TELNET_DO || verb == TELNET_DONT, on = verb == TELNET_DO || verb == TELNET_WILL;
    size_t index;

    if (!place) {
        if (on)
            say(remote, ours ? TELNET_WONT : TELNET_DONT, option);
        return;
    }
    index = (size_t)(place - options);
    if (ours)
        settle(remote, &remote->ours[index], on, on ? TELNET_WILL : TELNET_WONT, option);
    else
        settle(remote, &remote->theirs[index], on, on ? TELNET_DO : TELNET_DONT, option);
    if (option == COM_PORT_OPTION && verb == TELNET_WILL)
        notify(remote);
}

static enum place take_verb(struct remote *remote, uint8_t byte)
{
    const uint8_t literal = TELNET_IAC;

    if (byte == TELNET_IAC)
        remote->events.data(remote->context, &literal, 1);
    if (byte == TELNET_SB) {
        remote->request_bytes = 0;
        return IN_REQUEST;
    }
    remote->verb = byte;
    return byte >= TELNET_WILL && byte <= TELNET_DONT ? AFTER_VERB : IN_DATA;
}

static void keep(struct remote *remote, uint8_t byte)
{
    if (remote->request_bytes < sizeof remote->request)
        remote->request[remote->request_bytes++] = byte;
}

static enum place end_or_keep(struct remote *remote, uint8_t byte)
{
    if (byte == TELNET_SE) {
        obey(remote);
        return IN_DATA;
    }
    keep(remote, byte);
    return IN_REQUEST;
}

static void take_command_byte(struct remote *remote, uint8_t byte)
{
    switch (remote->place) {
    case IN_DATA: /* handled in one piece by remote_feed */
        break;
    case AFTER_IAC:
        remote->place = take_verb(remote, byte);
        break;
    case AFTER_VERB:
        remote->place = IN_DATA;
        negotiate(remote, remote->verb, byte);
        break;
    case IN_REQUEST:
        if (byte == TELNET_IAC)
            remote->place = IN_REQUEST_AFTER_IAC;
        else
            keep(remote, byte);
        break;
    case IN_REQUEST_AFTER_IAC:
        remote->place = end_or_keep(remote, byte);
        break;
    }
}

void remote_feed(struct remote *remote, const uint8_t *bytes, size_t count)
{
    while (count) {
        const uint8_t *mark;

        if (remote->place != IN_DATA) {
            take_command_byte(remote, *bytes++);
            count--;
            continue;
        }
        mark = memchr(bytes, TELNET_IAC, count);
        size_t plain = mark ? (size_t)(mark - bytes) : count;

        if (plain)
            remote->events.data(remote->context, bytes, plain);
        if (mark)
            remote->place = AFTER_IAC;
        bytes += plain + (mark != NULL);
        count -= plain + (mark != NULL);
    }
}

struct remote *remote_new(const struct remote_events *events, void *context)
{
    struct remote *remote = sim_allocate(1, sizeof *remote);

    remote->events = *events;
    remote->context = context;
    return remote;
}

void remote_free(struct remote *remote)
{
    if (remote)
        free(remote->held);
    free(remote);
}

/* The settings are told, so that what an earlier client left behind does not last. */
void remote_open(struct remote *remote)
{
    uint8_t *held = remote->held;
    size_t room = remote->held_room;

    *remote = (struct remote){.events = remote->events,
                              .context = remote->context,
                              .held = held,
                              .held_room = room,
                              .baud = 115200,
                              .parity = REMOTE_NONE,
                              .stop_size = 1,
                              .modem_mask = 0xFF};
    tell_line(remote);
    tell_modem(remote);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        remote->ours[i] = remote->theirs[i] = SIDE_OFFERED;
        say(remote, TELNET_WILL, options[i]);
        say(remote, TELNET_DO, options[i]);
    }
}
