/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "rfc2217"; see the header.
 *
 * Everything travels in one stream: data, settings, modem lines, break. So the order in which the server sees
 * them is the order of our calls, and nobody waits between a byte and the parity of the next. Only line
 * settings are waited for, since the answer holds what is really in force. Modem lines and break are answered
 * too; a refusal is kept, and is the error of the next call.
 *
 * Bytes for the server go through one queue, so that a write which ends half-way leaves the rest of its chunk
 * there, to go first at the next call: a command cut in the middle would spoil the stream for good. */
#include "port_rfc2217.h"

#include "alloc.h"
#include "port_tcp.h"
#include "telnet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NEGOTIATE_US 3000000
#define ANSWER_US    3000000

/* The queue: a chunk of data as large as fits the first part, and always room for commands and replies. */
enum { QUEUE_DATA = 2048, QUEUE_SIZE = 3072 };

/* RFC 2217 section 3: the client's codes; the server answers with 100 more. */
enum command {
    SIGNATURE = 0,
    SET_BAUDRATE = 1,
    SET_DATASIZE = 2,
    SET_PARITY = 3,
    SET_STOPSIZE = 4,
    SET_CONTROL = 5,
    FLOWCONTROL_SUSPEND = 8,
    FLOWCONTROL_RESUME = 9,
    PURGE_DATA = 12,
    FROM_SERVER = 100
};

/* Values of SET-CONTROL. The three lines' values are in groups of three: request the state, on, off. */
enum { FLOW_NONE = 1, FLOW_XON_XOFF = 2, FLOW_HARDWARE = 3, FIRST_LINE_STATE = 4 };
enum control_line { CONTROL_BREAK, CONTROL_DTR, CONTROL_RTS, CONTROL_LINES };
static const char *const control_words[CONTROL_LINES] = {"break", "DTR", "RTS"};

enum { PURGE_RECEIVED = 1 };

/* The settings in the order of their commands, which begin with SET_BAUDRATE. */
enum { BAUD, DATA_BITS, PARITY, STOP_BITS, SETTINGS };
static const char *const setting_words[SETTINGS] = {"baud", "data bits", "parity", "stop bits"};
static const char *const setting_commands[SETTINGS] = {"SET-BAUDRATE", "SET-DATASIZE", "SET-PARITY",
                                                       "SET-STOPSIZE"};

struct setting {
    uint32_t wanted, in_force;
    unsigned awaited; /* answers still to come */
    bool good;        /* the server has confirmed `wanted` */
};

/* What was asked for on one line and not yet answered, the oldest in the highest of `count` bits. */
struct control {
    uint64_t asked;
    unsigned count;
};

enum { OPTIONS = 3 };
static const uint8_t options[OPTIONS] = {TELNET_BINARY, TELNET_SUPPRESS_GO_AHEAD, TELNET_COM_PORT};
enum { BINARY, GO_AHEAD, COM_PORT };
enum agreement { AGREED_NOT, ASKED_FOR, AGREED };

struct port_rfc2217 {
    struct port_fd io; /* first */
    struct telnet telnet;
    enum agreement ours[OPTIONS], theirs[OPTIONS];
    struct setting settings[SETTINGS];
    struct control controls[CONTROL_LINES];
    struct error refusal; /* for the next call */
    bool suspended;       /* the server wants no data now */
    bool purge_answered;  /* the server has answered a purge before, so it will again */
    unsigned purges;      /* not yet answered */
    int64_t purged_us;    /* when the last one was sent */
    bool pushing;         /* a call is emptying the queue */
    size_t queued;
    uint8_t queue[QUEUE_SIZE];
};

static struct port_rfc2217 *of(struct port *port)
{
    return (struct port_rfc2217 *)port;
}

static const char *name_of(const struct port_rfc2217 *r)
{
    return r->io.port.traits.path;
}

int port_rfc2217_check(const char *rest, struct error *error)
{
    return port_tcp_check_address("rfc2217", rest, error);
}

/* --- to the server ------------------------------------------------------------------------ */

/* A peer that asks without end and never reads is the only one that can fill the queue; it gets no answer. */
static void queue_negotiation(struct port_rfc2217 *r, enum telnet_verb verb, uint8_t option)
{
    if (QUEUE_SIZE - r->queued < TELNET_NEGOTIATION_SIZE)
        return;
    telnet_negotiate(r->queue + r->queued, verb, option);
    r->queued += TELNET_NEGOTIATION_SIZE;
}

static bool queue_command(struct port_rfc2217 *r, enum command command, const uint8_t *value, size_t size)
{
    uint8_t body[16];
    size_t added;

    body[0] = (uint8_t)command;
    memcpy(body + 1, value, size);
    added =
        telnet_subnegotiate(r->queue + r->queued, QUEUE_SIZE - r->queued, TELNET_COM_PORT, body, 1 + size);
    r->queued += added;
    return added > 0;
}

static void unqueue(struct port_rfc2217 *r, size_t taken)
{
    memmove(r->queue, r->queue + taken, r->queued - taken);
    r->queued -= taken;
}

/* Sends what goes without waiting: the filter may be on the loop's stack. */
static void push_what_goes(struct port_rfc2217 *r)
{
    ssize_t taken;

    if (r->pushing || r->queued == 0 || r->io.gone)
        return;
    taken = send(r->io.fd, r->queue, r->queued, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0)
        unqueue(r, (size_t)taken);
}

static int push(struct port_rfc2217 *r, int64_t deadline_us, struct error *error)
{
    int status = 0;

    r->pushing = true;
    while (r->queued > 0 && status == 0) {
        size_t taken;

        status = port_fd_push(&r->io, r->queue, r->queued, &taken, deadline_us, error);
        unqueue(r, taken);
    }
    r->pushing = false;
    return status;
}

/* --- from the server: options ------------------------------------------------------------- */

static void refuse(struct port_rfc2217 *r, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps the first refusal for the next call. */
static void refuse(struct port_rfc2217 *r, int code, const char *format, ...)
{
    char text[sizeof r->refusal.text];
    va_list arguments;

    if (r->refusal.code)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)error_set(&r->refusal, code, "%s: %s", name_of(r), text);
    r->io.wake = true;
}

static int take_refusal(struct port_rfc2217 *r, struct error *error)
{
    *error = r->refusal;
    r->refusal = ERROR_NONE;
    return error->code;
}

static void refuse_option(struct port_rfc2217 *r, uint8_t option)
{
    if (option == TELNET_COM_PORT)
        refuse(r, -EPROTO, "the server has no COM-PORT option (RFC 2217): use tcp:%s", name_of(r));
    else if (option == TELNET_BINARY)
        refuse(r, -EPROTO, "the server refuses binary transmission, and would alter data: use tcp:%s",
               name_of(r));
}

static enum agreement *find_option(enum agreement *side, uint8_t option)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i] == option)
            return &side[i];
    return NULL;
}

/* RFC 854: only a change is answered, or two sides that answer each other never end. */
static void on_negotiation(void *context, enum telnet_verb verb, uint8_t option)
{
    struct port_rfc2217 *r = context;
    bool theirs = verb == TELNET_WILL || verb == TELNET_WONT;
    bool yes = verb == TELNET_WILL || verb == TELNET_DO;
    enum agreement *state = find_option(theirs ? r->theirs : r->ours, option);
    enum agreement before = state ? *state : AGREED_NOT;

    if (state)
        *state = yes ? AGREED : AGREED_NOT;
    if (yes ? !state : before == AGREED)
        queue_negotiation(r, theirs ? TELNET_DONT : TELNET_WONT, option);
    else if (yes && before == AGREED_NOT)
        queue_negotiation(r, theirs ? TELNET_DO : TELNET_WILL, option);
    if (state && !yes && before != AGREED_NOT)
        refuse_option(r, option);
    r->io.wake = true;
}

static bool agreed(const struct port_rfc2217 *r)
{
    return r->ours[BINARY] == AGREED && r->theirs[BINARY] == AGREED && r->ours[COM_PORT] == AGREED;
}

/* --- from the server: answers ------------------------------------------------------------- */

static bool fits(size_t setting, uint32_t wanted, uint32_t in_force)
{
    int64_t off = (int64_t)in_force - wanted;

    /* 3 %: what a UART's divider may miss, and a start-stop receiver forgives. */
    return setting == BAUD ? llabs(off) * 100 <= (int64_t)wanted * 3 : off == 0;
}

static void on_setting(struct port_rfc2217 *r, size_t setting, const uint8_t *value, size_t size)
{
    struct setting *s = &r->settings[setting];

    if (size != (setting == BAUD ? 4u : 1u))
        return;
    s->in_force = 0;
    for (size_t i = 0; i < size; i++)
        s->in_force = s->in_force << 8 | value[i];
    if (s->awaited > 0)
        s->awaited--;
    /* Unasked, it is somebody else's doing at the server: then the next set_line sends it again. */
    s->good = s->awaited == 0 && fits(setting, s->wanted, s->in_force);
    r->io.wake = true;
}

static void on_control(struct port_rfc2217 *r, unsigned value)
{
    unsigned line = (value - FIRST_LINE_STATE) / 3, state = (value - FIRST_LINE_STATE) % 3;
    struct control *control;
    bool asked;

    if (value == FLOW_XON_XOFF || value == FLOW_HARDWARE)
        refuse(r, -EINVAL, "flow control cannot be switched off");
    if (value < FIRST_LINE_STATE || line >= CONTROL_LINES || state == 0)
        return;
    control = &r->controls[line];
    if (control->count == 0)
        return;
    control->count--;
    asked = control->asked >> control->count & 1;
    /* ser2net answers "break on" to either; only a break that is not sent is to be believed. */
    if (asked != (state == 1) && (asked || line != CONTROL_BREAK))
        refuse(r, -EINVAL, "the server does not switch %s %s", control_words[line], asked ? "on" : "off");
}

static void on_purged(struct port_rfc2217 *r)
{
    r->purge_answered = true;
    if (r->purges > 0)
        r->purges--;
    r->telnet.drop = r->purges > 0;
}

/* An empty one asks for ours. */
static void on_signature(struct port_rfc2217 *r, size_t size)
{
    const uint8_t ours[] = {'f', 'l', 'a', 's', 'h', 'f', 'a', 'r', 'm'};

    if (size == 0)
        (void)queue_command(r, SIGNATURE, ours, sizeof ours);
}

static void on_suspend(struct port_rfc2217 *r, bool suspended)
{
    r->suspended = suspended;
    r->io.wake = true;
}

static void on_subnegotiation(void *context, uint8_t option, const uint8_t *body, size_t size)
{
    struct port_rfc2217 *r = context;
    unsigned command = size > 0 ? body[0] : 0;

    if (option != TELNET_COM_PORT || size == 0)
        return;
    if (command < FROM_SERVER)
        refuse(r, -EPROTO, "sends back what it was sent, so it is no RFC 2217 server: use tcp:%s",
               name_of(r));
    else if (command == FROM_SERVER + SIGNATURE)
        on_signature(r, size - 1);
    else if (command <= FROM_SERVER + SET_STOPSIZE)
        on_setting(r, command - FROM_SERVER - SET_BAUDRATE, body + 1, size - 1);
    else if (command == FROM_SERVER + SET_CONTROL && size == 2)
        on_control(r, body[1]);
    else if (command == FROM_SERVER + FLOWCONTROL_SUSPEND || command == FROM_SERVER + FLOWCONTROL_RESUME)
        on_suspend(r, command == FROM_SERVER + FLOWCONTROL_SUSPEND);
    else if (command == FROM_SERVER + PURGE_DATA)
        on_purged(r);
    /* Left are NOTIFY-LINESTATE and NOTIFY-MODEMSTATE: no protocol asks for the inputs. */
}

static const struct telnet_handler handler = {.negotiation = on_negotiation,
                                              .subnegotiation = on_subnegotiation};

/* A server that answers purges, but not this one, has stalled; its data is not dropped for ever. */
static void end_stale_purge(struct port_rfc2217 *r)
{
    if (!r->telnet.drop || port_now_us(&r->io.port) - r->purged_us < ANSWER_US)
        return;
    r->telnet.drop = r->purge_answered = false;
    r->purges = 0;
    refuse(r, -EPROTO, "no answer to PURGE-DATA within %d ms", ANSWER_US / 1000);
}

static size_t filter(struct port_fd *p, uint8_t *bytes, size_t size)
{
    struct port_rfc2217 *r = of(&p->port);
    size_t kept;

    end_stale_purge(r);
    kept = telnet_decode(&r->telnet, bytes, size, &handler, r);
    push_what_goes(r);
    return kept;
}

/* --- calls -------------------------------------------------------------------------------- */

/* How most calls begin: with what was refused meanwhile, and what the last one left unsent. */
static int enter(struct port_rfc2217 *r, int64_t deadline_us, struct error *error)
{
    if (r->refusal.code)
        return take_refusal(r, error);
    return push(r, deadline_us, error);
}

static bool settings_awaited(const struct port_rfc2217 *r)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (r->settings[i].awaited)
            return true;
    return false;
}

static int say_no_answer(struct port_rfc2217 *r, struct error *error)
{
    const char *command = "";

    for (size_t i = SETTINGS; i-- > 0;) {
        if (r->settings[i].awaited)
            command = setting_commands[i];
        r->settings[i].awaited = 0;
    }
    return error_set(error, -ETIMEDOUT, "%s: no answer to %s within %d ms", name_of(r), command,
                     ANSWER_US / 1000);
}

static int check_settings(const struct port_rfc2217 *r, struct error *error)
{
    static const char *const parities[] = {"unknown", "none", "odd", "even", "mark", "space"};

    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &r->settings[i];

        if (!s->good && i == PARITY)
            return error_set(error, -EINVAL, "%s: parity %s cannot be set, the server chose %s", name_of(r),
                             parities[s->wanted],
                             s->in_force < sizeof parities / sizeof parities[0] ? parities[s->in_force]
                                                                                : parities[0]);
        if (!s->good)
            return error_set(error, -EINVAL, "%s: %" PRIu32 " %s cannot be set, the server chose %" PRIu32,
                             name_of(r), s->wanted, setting_words[i], s->in_force);
    }
    return 0;
}

static void request_setting(struct port_rfc2217 *r, size_t setting, uint32_t value)
{
    struct setting *s = &r->settings[setting];
    const uint8_t wide[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
    bool baud = setting == BAUD;

    if (s->good && s->wanted == value)
        return;
    s->wanted = value;
    s->good = false;
    if (queue_command(r, (enum command)(SET_BAUDRATE + setting), baud ? wide : wide + 3, baud ? 4 : 1))
        s->awaited++;
}

/* RFC 2217 counts the parities from 1, in the order of ours. */
static uint32_t parity_value(enum port_parity parity)
{
    return (uint32_t)parity + 1;
}

_Static_assert(PARITY_NONE == 0 && PARITY_ODD == 1 && PARITY_EVEN == 2 && PARITY_MARK == 3 &&
                   PARITY_SPACE == 4,
               "the order of RFC 2217");

/* Until all settings are answered. */
static int await_settings(struct port_rfc2217 *r, int64_t deadline_us, struct error *error)
{
    while (settings_awaited(r)) {
        int status = port_fd_await(&r->io, deadline_us, error);

        if (r->refusal.code)
            return take_refusal(r, error);
        if (status == -ETIMEDOUT)
            return say_no_answer(r, error);
        if (status < 0)
            return status;
    }
    return check_settings(r, error);
}

static int rfc2217_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    struct port_rfc2217 *r = of(port);
    int64_t deadline_us = port_now_us(port) + ANSWER_US;
    int status = enter(r, deadline_us, error);

    if (status < 0)
        return status;
    request_setting(r, BAUD, line->baud);
    request_setting(r, DATA_BITS, 8);
    request_setting(r, PARITY, parity_value(line->parity));
    request_setting(r, STOP_BITS, line->stop_bits);
    status = push(r, deadline_us, error);
    return status < 0 ? status : await_settings(r, deadline_us, error);
}

static void request_control(struct port_rfc2217 *r, enum control_line line, bool on)
{
    const uint8_t value = (uint8_t)(FIRST_LINE_STATE + 3 * line + (on ? 1u : 2u));
    struct control *control = &r->controls[line];

    if (!queue_command(r, SET_CONTROL, &value, 1) || control->count == 64)
        return;
    control->asked = control->asked << 1 | on;
    control->count++;
}

/* What was refused before is told, but keeps nobody from letting go of a line. */
static int push_controls(struct port_rfc2217 *r, int64_t deadline_us, struct error *error)
{
    int status = push(r, deadline_us, error);

    return status == 0 && r->refusal.code ? take_refusal(r, error) : status;
}

static int rfc2217_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    struct port_rfc2217 *r = of(port);
    int64_t deadline_us = port_now_us(port) + ANSWER_US;
    int status = push(r, deadline_us, error);

    if (status < 0)
        return status;
    request_control(r, CONTROL_DTR, dtr);
    request_control(r, CONTROL_RTS, rts);
    return push_controls(r, deadline_us, error);
}

static int rfc2217_set_break(struct port *port, bool on, struct error *error)
{
    struct port_rfc2217 *r = of(port);
    int64_t deadline_us = port_now_us(port) + ANSWER_US;
    int status = push(r, deadline_us, error);

    if (status < 0)
        return status;
    request_control(r, CONTROL_BREAK, on);
    return push_controls(r, deadline_us, error);
}

static int rfc2217_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                        struct error *error)
{
    if (of(port)->refusal.code)
        return take_refusal(of(port), error);
    push_what_goes(of(port));
    return port_fd_read(port, bytes, least, size, deadline_us, error);
}

/* Until the server takes data again. */
static int await_resume(struct port_rfc2217 *r, int64_t deadline_us, struct error *error)
{
    while (r->suspended) {
        int status = port_fd_await(&r->io, deadline_us, error);

        if (status == -ETIMEDOUT && r->suspended)
            return error_set(error, status, "%s does not take the bytes: the server has suspended the flow",
                             name_of(r));
        if (status < 0 && status != -ETIMEDOUT)
            return status;
    }
    return 0;
}

static int rfc2217_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                         struct error *error)
{
    struct port_rfc2217 *r = of(port);
    int status = enter(r, deadline_us, error);

    while (size > 0 && status == 0) {
        size_t used = 0;

        status = await_resume(r, deadline_us, error);
        if (status == 0 && r->queued < QUEUE_DATA)
            r->queued += telnet_encode(r->queue + r->queued, QUEUE_DATA - r->queued, bytes, size, &used);
        bytes += used;
        size -= used;
        if (status == 0)
            status = push(r, deadline_us, error);
    }
    return status;
}

/* What is on its way is dropped too, when the server answers purges: whatever comes before the answer was
 * there before the purge. */
static void request_purge(struct port_rfc2217 *r)
{
    const uint8_t value = PURGE_RECEIVED;

    if (!queue_command(r, PURGE_DATA, &value, 1))
        return;
    r->purges++;
    r->purged_us = port_now_us(&r->io.port);
    r->telnet.drop = r->purge_answered;
}

static void rfc2217_discard(struct port *port)
{
    port_fd_discard(&of(port)->io);
    request_purge(of(port));
    push_what_goes(of(port));
}

static void rfc2217_close(struct port *port)
{
    push_what_goes(of(port));
    port_tcp_disconnect(&of(port)->io);
    free(port);
}

static const struct port_kind rfc2217_kind = {.scheme = "rfc2217",
                                              .set_line = rfc2217_set_line,
                                              .set_modem = rfc2217_set_modem,
                                              .set_break = rfc2217_set_break,
                                              .read = rfc2217_read,
                                              .write = rfc2217_write,
                                              .discard = rfc2217_discard,
                                              .close = rfc2217_close};

/* --- open --------------------------------------------------------------------------------- */

static void ask_for(struct port_rfc2217 *r, size_t option, bool both)
{
    r->ours[option] = ASKED_FOR;
    queue_negotiation(r, TELNET_WILL, options[option]);
    if (!both)
        return;
    r->theirs[option] = ASKED_FOR;
    queue_negotiation(r, TELNET_DO, options[option]);
}

static int negotiate(struct port_rfc2217 *r, struct error *error)
{
    int64_t deadline_us = port_now_us(&r->io.port) + NEGOTIATE_US;
    int status;

    ask_for(r, COM_PORT, false);
    ask_for(r, BINARY, true);
    ask_for(r, GO_AHEAD, true);
    status = push(r, deadline_us, error);
    while (status == 0 && !agreed(r) && !r->refusal.code)
        status = port_fd_await(&r->io, deadline_us, error);
    if (r->refusal.code)
        return take_refusal(r, error);
    if (status == -ETIMEDOUT)
        return error_set(error, -EPROTO, "%s does not answer as an RFC 2217 server: use tcp:%s", name_of(r),
                         name_of(r));
    if (status == -ENODEV)
        return error_set(error, -EBUSY,
                         "%s has closed the connection while options were negotiated (in use elsewhere?)",
                         name_of(r));
    return status;
}

static int set_up(struct port_rfc2217 *r, const char *rest, struct error *error)
{
    const struct port_line line = {.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    const uint8_t flow = FLOW_NONE;
    int status = port_tcp_connect(&r->io, rest, error);

    if (status == 0)
        status = negotiate(r, error);
    if (status < 0)
        return status;
    (void)queue_command(r, SET_CONTROL, &flow, 1);
    request_purge(r); /* what a former user was sent is no answer to us */
    r->io.port.traits.modem_lines = true;
    status = port_set_line(&r->io.port, &line, error);
    port_fd_discard(&r->io);
    return status;
}

int port_rfc2217_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                      struct error *error)
{
    struct port_rfc2217 *r = allocate(1, sizeof *r);
    int status;

    r->io.port.kind = &rfc2217_kind;
    r->io.port.clock = clock;
    r->io.port.fibers = fibers;
    r->io.filter = filter;
    status = set_up(r, rest, error);
    if (status < 0) {
        rfc2217_close(&r->io.port);
        return status;
    }
    *port = &r->io.port;
    return 0;
}
