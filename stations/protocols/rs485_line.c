/* SPDX-License-Identifier: Apache-2.0 */
/* The line under the networked ISP: frames, roll-call, autobaud, break, turns, and packets with their answers
 * (rs485_isp.md sections 1 to 3). What the packets say is rs485_isp.c's matter.
 *
 * A break resets every unit of the line, so it is sent only while nobody is at work, and one serves all
 * sessions that begin at the same time. */
#include "rs485_isp.h"

#include "failure.h"
#include "port_rs485.h"

#include <errno.h>
#include <string.h>

#define MS 1000 /* in microseconds */

/* Section 7, and what adapters, networks and a busy host add to it. */
enum {
    ANSWER_US = 20 * MS,
    LATENCY_US = 100 * MS,
    ECHO_US = 30 * MS, /* for the first look whether the adapter hears itself */
    BREAK_US = 500 * MS,
    AFTER_BREAK_US = 100 * MS,
    AFTER_AUTOBAUD_US = 10 * MS,
    AWAKE_US = 1800 * MS, /* the unit's window is 1.9 s at least */
    QUIET_US = 30 * MS,   /* longer than a pause inside an answer */
    FADE_US = 300 * MS,
    WRITE_US = 1000 * MS,
    AFTER_ALL_US = 5 * MS,
    BACK_OFF_US = 250 * MS,     /* what a mute unit's session leaves to the others before it tries again */
    FRESH_BREAK_US = 5000 * MS, /* who does not answer after one is not there */
    SINGLE_EARS_US = 1000 * MS,
    FORGOTTEN_US = 5000 * MS,   /* a session that has not had a turn for so long does nothing */
    FRESHLY_MET_US = 1000 * MS, /* who has just answered may be about to be programmed */
    KEEP_AWAKE_US = 1000 * MS,
    LOOK_AGAIN_US = 1000 * MS,
};

#define ATTEMPTS       3
#define MUTE_PATIENCE  2u
#define AUTOBAUDS      4u
#define RELEASE_FRAMES 2u
#define DEFAULT_BAUD   115200u

/* --- the line ----------------------------------------------------------------------------- */

static bool by_parity(const struct session *session)
{
    return session->wakeup == WAKEUP_PARITY;
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

/* Finds what is known of the line; at the first call of a session. */
void isp_attach(struct session *session)
{
    struct isp *isp = isp_of(session);

    if (isp->attached)
        return;
    isp->attached = true;
    isp->address = port_rs485_address(session->port);
    isp->line = isp->address ? port_rs485_shared(session->port, sizeof *isp->line) : &isp->own;
    if (!isp->address)
        isp->address = session->unit;
    isp->shared = isp->address != 0;
    if (!isp->line->gathering.next)
        list_init(&isp->line->gathering);
}

/* Those who wait for something to change on the line look again. */
void isp_tell_others(struct session *session)
{
    if (isp_of(session)->shared)
        port_rs485_wake(session->port);
}

void isp_set_phase(struct session *session, enum unit_phase phase)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);

    unit->seen_us = port_now_us(session->port);
    if (unit->phase == phase)
        return;
    if (unit->phase == UNIT_ABSENT)
        unit->met_us = unit->seen_us;
    unit->phase = phase;
    isp_tell_others(session);
}

static bool at_work(const struct session *session, unsigned address)
{
    const struct isp_line *line = isp_of(session)->line;
    const struct unit *unit = &line->units[address];

    /* On a slow line with many units a turn is long in coming. */
    return unit->phase >= UNIT_ERASING &&
           (unit->waiting || port_now_us(session->port) - unit->seen_us < FORGOTTEN_US ||
            isp_gathered(line, (uint8_t)address));
}

unsigned isp_working(const struct session *session, bool without_me)
{
    unsigned count = 0;

    for (unsigned i = 1; i < ADDRESSES; i++)
        if (at_work(session, i) && !(without_me && i == isp_of(session)->address))
            count++;
    return count;
}

unsigned isp_expected(const struct session *session)
{
    const struct isp_line *line = isp_of(session)->line;
    unsigned count = line->connecting;

    for (unsigned i = 1; i < ADDRESSES; i++) {
        const struct unit *unit = &line->units[i];
        bool fresh = unit->phase == UNIT_MET && port_now_us(session->port) - unit->met_us < FRESHLY_MET_US;

        if (fresh || (at_work(session, i) && unit->phase != UNIT_WRITING && !isp_gathered(line, (uint8_t)i)))
            count++;
    }
    return count;
}

/* After two seconds of silence units are in their applications, or listen for a rate anew. */
bool isp_awake(struct session *session)
{
    struct isp_line *line = isp_of(session)->line;

    if (line->baud && port_now_us(session->port) - line->spoken_us < AWAKE_US)
        return true;
    line->baud = 0;
    line->broken_us = 0;
    line->ears = EARS_UNKNOWN;
    line->strangers = false;
    for (unsigned i = 0; i < ADDRESSES; i++)
        line->units[i].joined = line->units[i].asked = line->units[i].completed = false;
    return false;
}

static uint32_t wanted_rate(const struct session *session)
{
    return isp_rate(session->baud_max ? session->baud_max : DEFAULT_BAUD);
}

/* --- frames ------------------------------------------------------------------------------- */

static int pause_us(struct session *session, int64_t duration_us, struct error *error)
{
    int status = port_sleep(session->port, duration_us);

    return status < 0 ? error_set(error, status, status == -ECANCELED ? "cancelled" : "the wait failed") : 0;
}

/* Section 1.1: the ninth bit is the parity. What was sent before keeps its own. */
static int set_line(struct session *session, uint32_t baud, enum port_parity parity, struct error *error)
{
    const struct port_line wanted = {
        .baud = baud, .parity = by_parity(session) ? parity : PARITY_NONE, .stop_bits = 1};
    const struct port_line *now = &session->port->line;
    int status = 0;

    if (now->baud == wanted.baud && now->parity == wanted.parity && now->stop_bits == wanted.stop_bits)
        return 0;
    status = port_drain(session->port, session_deadline(session, WRITE_US), error);
    return status < 0 ? status : port_set_line(session->port, &wanted, error);
}

/* An adapter that hears itself gives back what was sent before anything else. */
static int take_echo(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    uint8_t heard[ISP_ENCODED_MAX];
    int status = port_read(session->port, heard, size,
                           session_deadline(session, 2 * wire_us(session, size) + LATENCY_US), error);

    if (status == -ETIMEDOUT)
        return error_set(error, -EPROTO, "the adapter's echo is missing");
    if (status == 0 && memcmp(heard, bytes, size) != 0)
        return error_set(error, -EPROTO, "the echo differs from what was sent: two have spoken at once");
    return status;
}

/* Section 1: a unit releases the line within two frames after its answer. */
static int let_release(struct session *session, struct error *error)
{
    int64_t free_us = isp_of(session)->line->heard_us + wire_us(session, RELEASE_FRAMES);
    int64_t now_us = port_now_us(session->port);

    return free_us > now_us ? pause_us(session, free_us - now_us, error) : 0;
}

static int send_raw(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = let_release(session, error);

    if (status == 0)
        status = port_write(session->port, bytes, size,
                            session_deadline(session, WRITE_US + wire_us(session, size)), error);
    line->spoken_us = port_now_us(session->port);
    return status == 0 && line->echo == ECHO_HEARD ? take_echo(session, bytes, size, error) : status;
}

static int send_packet(struct session *session, const uint8_t *packet, size_t size, struct error *error)
{
    uint8_t encoded[ISP_ENCODED_MAX];

    if (by_parity(session))
        return send_raw(session, packet, size, error);
    return send_raw(session, encoded, isp_encode(encoded, packet, size), error);
}

/* Decodes what came in place; returns how many data frames that is, or -EPROTO. */
static int decode_in_place(uint8_t *bytes, size_t size, bool *escaped, struct error *error)
{
    int count = 0;

    for (size_t i = 0; i < size; i++)
        switch (isp_decode(escaped, bytes[i])) {
        case ISP_DECODED_BYTE:
            bytes[count++] = bytes[i];
            break;
        case ISP_DECODED_NOTHING:
            break;
        case ISP_DECODED_BAD:
            return error_set(error, -EPROTO, "an address frame or a bad escape in an answer");
        }
    return count;
}

/* So many data frames. */
static int receive(struct session *session, uint8_t *bytes, size_t size, int64_t deadline_us,
                   struct error *error)
{
    bool escaped = false;
    size_t had = 0;

    while (had < size) {
        int status = port_read(session->port, bytes + had, size - had, deadline_us, error);
        int count = status < 0           ? status
                    : by_parity(session) ? (int)(size - had)
                                         : decode_in_place(bytes + had, size - had, &escaped, error);

        if (count < 0)
            return count;
        had += (size_t)count;
        isp_of(session)->line->heard_us = port_now_us(session->port);
    }
    return 0;
}

/* Waits until nothing comes any more, so that a late answer is not taken for the next one's. Returns
 * `status`, with its sentence in `error`, unless it was interrupted. */
static int let_fade(struct session *session, int status, struct error *error)
{
    struct error interrupted;
    int faded = port_settle(session->port, QUIET_US, session_deadline(session, FADE_US), &interrupted);

    if (faded == 0 || faded == -ETIMEDOUT)
        return status;
    *error = interrupted;
    return faded;
}

/* --- roll-call and autobaud --------------------------------------------------------------- */

static int send_address(struct session *session, uint8_t address, struct error *error)
{
    uint32_t baud = isp_of(session)->line->baud;
    uint8_t encoded[4];
    int status;

    if (!by_parity(session))
        return send_raw(session, encoded, isp_encode_address(encoded, address), error);
    status = set_line(session, baud, PARITY_MARK, error);
    if (status == 0)
        status = send_raw(session, &address, 1, error);
    return status < 0 ? status : set_line(session, baud, PARITY_SPACE, error);
}

/* Section 2.1: one address frame, and who answers it. -EAGAIN: nobody. */
static int roll_call(struct session *session, uint8_t address, uint8_t *name, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status;

    line->ears = EARS_UNKNOWN;
    port_discard(session->port);
    status = send_address(session, address, error);
    if (status == 0)
        status = receive(session, name, 1,
                         session_deadline(session, ANSWER_US + LATENCY_US + wire_us(session, 3)), error);
    if (status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us)
        return error_set(error, -EAGAIN, "unit %u does not answer at %u baud", address, line->baud);
    return status;
}

/* The same, and an echo of the autobaud that came later than we looked for it is taken for what it is. (Or it
 * is a unit whose address is 55h: then there is no echo.) */
static int call_out(struct session *session, uint8_t address, uint8_t *name, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = roll_call(session, address, name, error);

    if (status < 0 || *name == address || *name != ISP_AUTOBAUD || line->echo == ECHO_HEARD)
        return status;
    line->echo = ECHO_HEARD;
    status = let_fade(session, 0, error);
    if (status == 0)
        status = roll_call(session, address, name, error);
    if (status != -EPROTO)
        return status;
    line->echo = ECHO_NONE;
    return roll_call(session, address, name, error);
}

/* Opens the unit's ear and closes all others. */
int isp_select(struct session *session, uint8_t address, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t name = 0;
    int status = call_out(session, address, &name, error);

    if (status < 0)
        return status;
    if (name != address) {
        (void)error_set(error, -EPROTO, "0x%02x answers the roll-call of unit %u", name, address);
        return let_fade(session, -EPROTO, error);
    }
    line->ears = EARS_ONE;
    line->ear = address;
    return 0;
}

/* The single unit of a port that is no shared line tells its address itself. */
static int select_me(struct session *session, struct error *error)
{
    struct isp *isp = isp_of(session);
    uint8_t name = 0;
    int status;

    if (isp->address)
        return isp_select(session, isp->address, error);
    status = call_out(session, 0, &name, error);
    if (status < 0)
        return status;
    if (name == 0)
        return error_set(error, -EPROTO, "a unit says that its address is 0");
    isp->address = name;
    return isp_select(session, name, error);
}

int isp_open_all(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t name;
    int status;

    if (!isp_awake(session))
        return error_set(error, -EAGAIN, "the line has been silent for too long");
    status = roll_call(session, 0, &name, error);
    if (status == 0) {
        line->strangers = true;
        (void)error_set(error, -EAGAIN, "a unit that has not joined answers the roll-call of all");
        return let_fade(session, -EAGAIN, error);
    }
    if (status == -EAGAIN) {
        line->ears = EARS_ALL;
        line->strangers = false;
        return 0;
    }
    return status;
}

/* Section 1.3, and whether the adapter hears itself. */
static int send_autobaud(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t bytes[AUTOBAUDS], heard[AUTOBAUDS];
    int status;

    memset(bytes, ISP_AUTOBAUD, sizeof bytes);
    port_discard(session->port);
    status = send_raw(session, bytes, sizeof bytes, error);
    if (status == 0 && line->echo == ECHO_UNKNOWN) {
        status = port_read(session->port, heard, sizeof heard,
                           session_deadline(session, ECHO_US + wire_us(session, sizeof bytes)), error);
        if (status == 0)
            line->echo = memcmp(heard, bytes, sizeof bytes) == 0 ? ECHO_HEARD : ECHO_NONE;
        else if (status == -ETIMEDOUT)
            line->echo = ECHO_NONE;
        status = status == -ETIMEDOUT ? 0 : status;
    }
    if (status == 0)
        status = port_drain(session->port, session_deadline(session, WRITE_US), error);
    return status < 0 ? status : pause_us(session, AFTER_AUTOBAUD_US + wire_us(session, sizeof bytes), error);
}

static int synchronise(struct session *session, uint32_t baud, struct error *error)
{
    int status = set_line(session, baud, PARITY_SPACE, error);

    if (status == 0)
        status = send_autobaud(session, error);
    if (status < 0)
        return status;
    isp_of(session)->line->baud = baud;
    return select_me(session, error);
}

/* --- contact ------------------------------------------------------------------------------ */

/* Section 2: every unit of the line begins anew. */
static int hold_break(struct session *session, struct error *error)
{
    struct error late = ERROR_NONE;
    int status = port_set_break(session->port, true, error), ended;

    if (status == -ENOTSUP)
        return status;
    if (status == 0)
        status = pause_us(session, BREAK_US, error);
    ended = port_set_break(session->port, false, &late); /* one that failed may have begun */
    if (status == 0 && ended < 0)
        *error = late;
    return status < 0 ? status : ended;
}

static int send_break(struct session *session, struct error *error)
{
    int status = session->entry && entry_resets(session->entry) ? entry_enter(session, error)
                                                                : hold_break(session, error);

    return status < 0 ? status : pause_us(session, AFTER_BREAK_US, error);
}

static int reset_line(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status;

    line->baud = 0;
    (void)isp_awake(session); /* forgets what was true before the break, also before one that is cut short */
    status = send_break(session, error);
    if (status < 0)
        return status;
    line->echo = ECHO_UNKNOWN;
    line->spoken_us = line->broken_us = port_now_us(session->port);
    port_discard(session->port);
    return synchronise(session, wanted_rate(session), error);
}

bool isp_silent(int status)
{
    return status == -EAGAIN || status == -EPROTO;
}

/* Without a break: who sits in the ISP answers at the line's rate, or when it has measured it. */
int isp_call_me(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = -EAGAIN;

    if (isp_awake(session))
        status = select_me(session, error);
    if (isp_silent(status))
        status = synchronise(session, line->baud ? line->baud : wanted_rate(session), error);
    return status;
}

/* -EALREADY: it would take a break, but others are at work. */
static int contact_in_turn(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    const struct unit *me = unit_of(session, isp_of(session)->address);
    int status = isp_call_me(session, error);
    bool no_break, fresh = line->broken_us && port_now_us(session->port) - line->broken_us < FRESH_BREAK_US;

    if (!isp_silent(status) || (fresh && !me->completed))
        return status;
    if (isp_working(session, true) > 0)
        return line->broken_us && !me->completed ? status : -EALREADY;
    status = reset_line(session, error);
    no_break = status == -ENOTSUP;
    if (isp_silent(status) || no_break) /* it may have been late for the autobaud */
        status = isp_call_me(session, error);
    return no_break && status == -EAGAIN
               ? error_set(error, -EAGAIN,
                           "nothing answers, and the port cannot send the break that would call the units "
                           "into their loader")
               : status;
}

static int no_contact(int status, struct error *error)
{
    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

/* Until nobody is at work on the line: -EALREADY, try again; -EBUSY: they take too long. */
static int wait_for_others(struct session *session, struct error *error)
{
    int status = 0;

    while (isp_working(session, true) > 0 && (status == 0 || status == -ETIMEDOUT)) {
        if (port_now_us(session->port) >= session->deadline_us)
            return -EBUSY;
        status = port_rs485_wait(session->port, session_deadline(session, LOOK_AGAIN_US), error);
    }
    return status == 0 || status == -ETIMEDOUT ? -EALREADY : status;
}

/* In one's turn. Who plays a recording knows nothing of the line, and finds it as it is after opening: where
 * nobody is disturbed, so does who makes it. */
static void forget_for_recording(struct session *session)
{
    const struct port_line at_open = {.baud = DEFAULT_BAUD, .parity = PARITY_NONE, .stop_bits = 1};
    struct isp_line *line = isp_of(session)->line;
    struct error ignored;

    if (!session->port->beneath || isp_working(session, true) > 0 || line->connecting > 1 ||
        port_set_line(session->port->beneath, &at_open, &ignored) < 0)
        return;
    session->port->line = at_open;
    line->baud = 0;
    line->echo = ECHO_UNKNOWN;
    (void)isp_awake(session);
}

/* Until this unit answers. Where only a break would help, the others are let finish first. */
int isp_contact(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status;

    do {
        status = port_take(session->port, session->deadline_us, error);
        if (status < 0)
            return status;
        if (isp_of(session)->shared)
            forget_for_recording(session);
        status = contact_in_turn(session, error);
        port_give(session->port);
        session->link.attempts += status != -EALREADY;
        if (status == -EALREADY) {
            line->connecting--; /* a pass need not wait for us */
            status = wait_for_others(session, error);
            line->connecting++;
        }
    } while (status == -EALREADY);
    if (status == -EBUSY)
        return error_set(error, FAILURE_CODE(FAILURE_NO_CONTACT),
                         "nothing answers; a break might help, but others are at work on the line");
    return no_contact(status, error);
}

/* --- packets ------------------------------------------------------------------------------ */

static const char *status_words(uint8_t status)
{
    static const char *const words[] = {
        [ISP_DONE] = "done",
        [ISP_BAD_PARAMETER] = "a parameter makes no sense to it",
        [ISP_BAD_ADDRESS] = "the address is outside its flash",
        [ISP_REFUSED] = "protected, or the loader's own",
        [ISP_NOT_BLANK] = "the sector is not blank after its erase",
        [ISP_DIFFERS] = "the bytes read back differ",
        [ISP_UNKNOWN_COMMAND] = "it does not know the command",
    };

    return status < sizeof words / sizeof *words ? words[status] : "a status without a meaning";
}

static int judge(const struct request *request, const struct answer *answer, struct error *error)
{
    uint8_t status = answer->packet[3];

    if (status == ISP_DONE)
        return 0;
    return error_set(error, status == ISP_REFUSED ? FAILURE_CODE(FAILURE_PROTECTED) : -EBADMSG,
                     "%s: unit %u says %02X, %s", request->what, request->address, status,
                     status_words(status));
}

/* Section 3: address, length, command with its highest bit set, status, data, CRC. */
static int read_answer(struct session *session, const struct request *request, struct answer *answer,
                       struct error *error)
{
    int64_t wait_us = ANSWER_US + LATENCY_US + request->own_us;
    uint8_t *packet = answer->packet;
    int status = receive(session, packet, 2, session_deadline(session, wait_us + wire_us(session, 4)), error);
    size_t rest;

    if (status < 0)
        return status;
    rest = packet[1] + 2u;
    if (packet[1] < 2 || packet[1] > ISP_LENGTH_MAX)
        return error_set(error, -EPROTO, "an answer of length %u", packet[1]);
    status = receive(session, packet + 2, rest,
                     session_deadline(session, LATENCY_US + 2 * wire_us(session, rest)), error);
    if (status < 0)
        return status;
    answer->data = packet + 4;
    answer->size = packet[1] - 2u;
    switch (isp_check_answer(packet, 2 + rest, request->address, request->command)) {
    case ISP_ANSWER_BAD_CRC:
        return error_set(error, -EPROTO, "the answer's CRC is wrong");
    case ISP_ANSWER_STRANGE:
        return error_set(error, -EPROTO, "unit %u answers command %02X", packet[0], packet[2]);
    case ISP_ANSWER_GOOD:
        break;
    }
    return 0;
}

static int exchange(struct session *session, const struct request *request, struct answer *answer,
                    struct error *error)
{
    uint8_t packet[ISP_PACKET_MAX];
    size_t size = isp_request(packet, request->address, request->command, request->data, request->size);
    struct request patient = *request;
    int status;

    port_discard(session->port);
    status = send_packet(session, packet, size, error);
    patient.own_us += 2 * wire_us(session, size); /* it is still on its way out, escapes and all */
    return status < 0 ? status : read_answer(session, &patient, answer, error);
}

/* Opening all ears costs the wait for silence once, and saves each turn its roll-call. */
static bool worth_opening_all(const struct session *session, uint8_t address)
{
    const struct isp_line *line = isp_of(session)->line;

    return isp_of(session)->shared && line->units[address].joined && !line->strangers &&
           port_now_us(session->port) >= line->single_until_us && isp_working(session, false) > 1;
}

static int open_ear(struct session *session, uint8_t address, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status;

    status = isp_awake(session) ? 0 : synchronise(session, wanted_rate(session), error);
    if (status < 0)
        return status;
    if ((line->ears == EARS_ONE && line->ear == address) ||
        (line->ears == EARS_ALL && line->units[address].joined))
        return 0;
    status = worth_opening_all(session, address) ? isp_open_all(session, error) : -EAGAIN;
    return status == -EAGAIN ? isp_select(session, address, error) : status;
}

static int ask_in_turn(struct session *session, const struct request *request, struct answer *answer,
                       struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = open_ear(session, request->address, error);

    if (status == 0)
        status = exchange(session, request, answer, error);
    if (status == -ETIMEDOUT || status == -EPROTO || status == -EAGAIN) {
        line->ears = EARS_UNKNOWN;
        line->single_until_us = port_now_us(session->port) + SINGLE_EARS_US;
        status = let_fade(session, status, error);
    }
    return status;
}

/* A unit that has not answered twice gets fewer turns, for the others' sake. */
static int back_off(struct session *session, const struct unit *unit, struct error *error)
{
    if (!isp_of(session)->shared || unit->mute < MUTE_PATIENCE || isp_working(session, true) == 0)
        return 0;
    return pause_us(session, BACK_OFF_US, error);
}

int isp_ask_once(struct session *session, const struct request *request, struct answer *answer,
                 struct error *error)
{
    struct unit *unit = unit_of(session, request->address);
    struct unit *me = unit_of(session, isp_of(session)->address);
    int status = back_off(session, unit, error);

    if (status < 0)
        return status;
    me->waiting = true;
    status = port_take(session->port, session->deadline_us, error);
    me->waiting = false;
    if (status < 0)
        return status;
    status = ask_in_turn(session, request, answer, error);
    port_give(session->port);
    me->seen_us = port_now_us(session->port);
    unit->mute = status == -ETIMEDOUT || status == -EAGAIN ? unit->mute + 1 : 0;
    return status;
}

/* "Every request may be repeated." */
int isp_ask(struct session *session, const struct request *request, struct answer *answer,
            struct error *error)
{
    int status = -EAGAIN;

    for (int attempt = 0; attempt < ATTEMPTS && (isp_silent(status) || status == -ETIMEDOUT); attempt++) {
        if (attempt > 0)
            log_info(&session->log, "%s: %s; again", request->what, error->text);
        session->link.resends += attempt > 0;
        status = isp_ask_once(session, request, answer, error);
        session->link.naks += status == -EPROTO;
    }
    if (status == -EAGAIN)
        status = error_reclass(error, -ETIMEDOUT);
    if (status < 0)
        return error_prefix(error, "%s", request->what);
    status = judge(request, answer, error);
    session->link.naks += status < 0;
    return status;
}

int isp_tell_all(struct session *session, const struct request *request, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t packet[ISP_PACKET_MAX];
    size_t size = isp_request(packet, 0, request->command, request->data, request->size);
    int64_t over_us =
        port_now_us(session->port) + wire_us(session, size); /* if the port tells nothing else */
    int status = send_packet(session, packet, size, error);

    if (status == 0)
        status = port_drain(session->port, session_deadline(session, WRITE_US), error);
    if (status < 0)
        return status;
    over_us = over_us > port_now_us(session->port) ? over_us : port_now_us(session->port);
    status = pause_us(session,
                      over_us + line->slack_us + request->own_us + AFTER_ALL_US - port_now_us(session->port),
                      error);
    line->spoken_us = port_now_us(session->port);
    return status;
}

int isp_keep_awake(struct session *session, struct error *error)
{
    int64_t silent_us = port_now_us(session->port) - isp_of(session)->line->spoken_us;
    int status;

    if (silent_us < KEEP_AWAKE_US)
        return 0;
    status = port_take(session->port, session->deadline_us, error);
    if (status < 0)
        return status;
    status = isp_call_me(session, error);
    port_give(session->port);
    return isp_silent(status) ? 0 : status; /* whoever needs it next finds out */
}
