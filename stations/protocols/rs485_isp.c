/* SPDX-License-Identifier: Apache-2.0 */
/* Networked ISP on an RS-485 line, the master's side.
 *
 * Follows rs485_isp.md of this folder; section numbers below are its own. Up to 255 units share one line,
 * each of them a station with its own session; the port (rs485:…#address) hands out turns, and one turn is
 * one packet and its answer. On a port of any other kind there is one unit, and roll-call 0 asks it for its
 * name.
 *
 * A break resets every unit of the line, so it is sent only while nobody is past contact, and one serves all
 * sessions that begin at the same time. */
#include "rs485_isp.h"

#include "bytes.h"
#include "failure.h"
#include "plan.h"
#include "port_rs485.h"
#include "protocols.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#define MS 1000 /* in microseconds */

/* Section 7, and what adapters, networks and a busy host add to it. */
enum {
    ANSWER_US = 20 * MS,
    LATENCY_US = 100 * MS,
    ECHO_US = 30 * MS, /* for the first look whether the adapter hears itself */
    BREAK_US = 500 * MS,
    AFTER_BREAK_US = 60 * MS,
    AFTER_AUTOBAUD_US = 10 * MS,
    AWAKE_US = 1800 * MS, /* the unit's window is 1.9 s at least */
    QUIET_US = 30 * MS,   /* longer than a pause inside an answer */
    WRITE_US = 1000 * MS,
    BACK_OFF_US = 250 * MS,     /* what a mute unit's session leaves to the others before it tries again */
    FRESH_BREAK_US = 5000 * MS, /* who does not answer after one is not there */
    PROBE_PAUSE_US = 1000 * MS, /* between probes that disturb others */
    SINGLE_EARS_US = 1000 * MS,
    FORGOTTEN_US = 5000 * MS,   /* a session that has not had a turn for so long does nothing */
    FRESHLY_MET_US = 1000 * MS, /* who has just answered may be about to be programmed */
    KEEP_AWAKE_US = 1000 * MS,
    LOOK_AGAIN_US = 1000 * MS,
};

#define ATTEMPTS      3
#define MUTE_PATIENCE 2u
#define AUTOBAUDS     4u
#define DEFAULT_BAUD  115200u
#define COMPARE_SIZE  256u /* per CHECKSUM: the others wait meanwhile */
#define SHARED_BYTES  16u  /* section 6, below the loader's sector */
#define SECTOR_SIZE   1024u

enum { PROTECT_READ = 0x01, PROTECT_WRITE = 0x02 }; /* section 4.5 */

/* --- the line ----------------------------------------------------------------------------- */

static bool by_parity(const struct session *session)
{
    return session->wakeup == WAKEUP_PARITY;
}

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_SPACE, .stop_bits = 1};
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

/* Finds what is known of the line; at the first call of a session. */
static void attach(struct session *session)
{
    struct isp *isp = isp_of(session);

    if (isp->attached)
        return;
    isp->attached = true;
    isp->address = port_rs485_address(session->port);
    isp->shared = isp->address != 0;
    isp->line = isp->shared ? port_rs485_shared(session->port, sizeof *isp->line) : &isp->own;
    if (!isp->line->gathering.next)
        list_init(&isp->line->gathering);
}

/* Those who wait for something to change on the line look again. */
static void tell_others(struct session *session)
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
    tell_others(session);
}

static bool at_work(const struct session *session, unsigned address)
{
    const struct isp_line *line = isp_of(session)->line;
    const struct unit *unit = &line->units[address];

    return unit->phase >= UNIT_ERASING && (port_now_us(session->port) - unit->seen_us < FORGOTTEN_US ||
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
static bool awake(struct session *session)
{
    struct isp_line *line = isp_of(session)->line;

    if (line->baud && port_now_us(session->port) - line->spoken_us < AWAKE_US)
        return true;
    line->baud = 0;
    line->broken_us = 0;
    line->ears = EARS_UNKNOWN;
    line->strangers = false;
    for (unsigned i = 0; i < ADDRESSES; i++)
        line->units[i].joined = line->units[i].completed = false;
    return false;
}

static uint32_t wanted_rate(const struct session *session)
{
    return isp_rate(session->baud_max ? session->baud_max : DEFAULT_BAUD);
}

/* --- frames ------------------------------------------------------------------------------- */

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

static int send_raw(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = port_write(session->port, bytes, size,
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
    }
    return 0;
}

/* Waits until nothing comes any more, so that a late answer is not taken for the next one's. */
static void let_fade(struct session *session)
{
    struct error ignored;

    (void)port_settle(session->port, QUIET_US, session_deadline(session, 10 * QUIET_US), &ignored);
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

/* An echo that came later than we looked for it. */
static bool late_echo(struct session *session, uint8_t heard)
{
    struct isp_line *line = isp_of(session)->line;

    if (heard != ISP_AUTOBAUD || line->echo == ECHO_HEARD)
        return false;
    line->echo = ECHO_HEARD;
    let_fade(session);
    return true;
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

/* Opens the unit's ear and closes all others. */
static int select_unit(struct session *session, uint8_t address, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t name = 0;
    int status = roll_call(session, address, &name, error);

    if (status == 0 && name != address && late_echo(session, name))
        status = roll_call(session, address, &name, error);
    if (status < 0)
        return status;
    if (name != address) {
        let_fade(session);
        return error_set(error, -EPROTO, "0x%02x answers the roll-call of unit %u", name, address);
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
        return select_unit(session, isp->address, error);
    status = roll_call(session, 0, &name, error);
    if (status == 0 && late_echo(session, name))
        status = roll_call(session, 0, &name, error);
    if (status < 0)
        return status;
    if (name == 0)
        return error_set(error, -EPROTO, "a unit says that its address is 0");
    isp->address = name;
    return select_unit(session, name, error);
}

int isp_open_all(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    uint8_t name;
    int status = roll_call(session, 0, &name, error);

    if (status == 0) {
        let_fade(session);
        line->strangers = true;
        return error_set(error, -EAGAIN, "a unit that has not joined answers the roll-call of all");
    }
    if (status == -EAGAIN) {
        line->ears = EARS_ALL;
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
    return status < 0 ? status
                      : port_sleep(session->port, AFTER_AUTOBAUD_US + wire_us(session, sizeof bytes));
}

static int synchronise(struct session *session, uint32_t baud, struct error *error)
{
    int status = set_line(session, baud, PARITY_SPACE, error);

    if (status == 0)
        status = send_autobaud(session, error);
    if (status < 0)
        return status == -ECANCELED ? error_set(error, status, "cancelled") : status;
    isp_of(session)->line->baud = baud;
    return select_me(session, error);
}

/* --- contact ------------------------------------------------------------------------------ */

/* Section 2: every unit of the line begins anew. */
static int send_break(struct session *session, struct error *error)
{
    struct error ignored;
    int status, ended;

    if (session->entry && entry_resets(session->entry))
        return entry_enter(session, error);
    status = port_set_break(session->port, true, error);
    if (status < 0)
        return status;
    status = port_sleep(session->port, BREAK_US);
    ended = port_set_break(session->port, false, status < 0 ? &ignored : error);
    if (status == 0 && ended == 0)
        status = port_sleep(session->port, AFTER_BREAK_US);
    return status < 0 ? error_set(error, status, "cancelled") : ended;
}

static int reset_line(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = send_break(session, error);

    if (status < 0)
        return status;
    line->baud = 0;
    line->echo = ECHO_UNKNOWN;
    line->spoken_us = port_now_us(session->port);
    (void)awake(session); /* forgets what was true before the break */
    line->broken_us = line->spoken_us;
    port_discard(session->port);
    return synchronise(session, wanted_rate(session), error);
}

static bool silent(int status)
{
    return status == -EAGAIN || status == -EPROTO;
}

/* Without a break: who sits in the ISP answers at the line's rate, or when it has measured it. */
static int call_me(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status = -EAGAIN;

    if (awake(session))
        status = select_me(session, error);
    if (silent(status))
        status = synchronise(session, line->baud ? line->baud : wanted_rate(session), error);
    return status;
}

/* -EALREADY: it would take a break, but others are at work. */
static int contact_in_turn(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    const struct unit *me = unit_of(session, isp_of(session)->address);
    int status = call_me(session, error);
    bool fresh = line->broken_us && port_now_us(session->port) - line->broken_us < FRESH_BREAK_US;

    if (!silent(status) || (fresh && !me->completed))
        return status;
    if (isp_working(session, true) > 0)
        return line->broken_us && !me->completed ? status : -EALREADY;
    status = reset_line(session, error);
    return status == -ENOTSUP ? error_set(error, -EAGAIN,
                                          "nothing answers, and the port cannot send the break that would "
                                          "call the units into their loader")
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

/* Until this unit answers. Where only a break would help, the others are let finish first. */
static int contact(struct session *session, struct error *error)
{
    struct isp_line *line = isp_of(session)->line;
    int status;

    do {
        status = port_take(session->port, session->deadline_us, error);
        if (status < 0)
            return status;
        status = contact_in_turn(session, error);
        port_give(session->port);
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

static int isp_connect(struct session *session, struct error *error)
{
    int status;

    attach(session);
    isp_of(session)->line->connecting++;
    status = contact(session, error);
    isp_of(session)->line->connecting--;
    session->baud_proven = status == 0 ? isp_of(session)->line->baud : 0;
    if (status == 0)
        isp_set_phase(session,
                      unit_of(session, isp_of(session)->address)->phase > UNIT_MET ? UNIT_ERASING : UNIT_MET);
    tell_others(session);
    return status;
}

/* A probe never breaks: an application may be at work behind this port. */
static int isp_probe(struct session *session, struct error *error)
{
    struct isp_line *line;
    int status;

    attach(session);
    line = isp_of(session)->line;
    if (isp_working(session, true) > 0 && line->probed_us &&
        port_now_us(session->port) - line->probed_us < PROBE_PAUSE_US)
        return error_set(error, FAILURE_CODE(FAILURE_NO_CONTACT),
                         "not asked: others are at work on the line");
    status = port_take(session->port, session->deadline_us, error);
    if (status < 0)
        return status;
    line->probed_us = port_now_us(session->port);
    status = call_me(session, error);
    port_give(session->port);
    return silent(status) ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
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

    status = awake(session) ? 0 : synchronise(session, wanted_rate(session), error);
    if (status < 0)
        return status;
    if ((line->ears == EARS_ONE && line->ear == address) ||
        (line->ears == EARS_ALL && line->units[address].joined))
        return 0;
    status = worth_opening_all(session, address) ? isp_open_all(session, error) : -EAGAIN;
    return status == -EAGAIN ? select_unit(session, address, error) : status;
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
        let_fade(session);
    }
    return status;
}

/* A unit that has not answered twice gets fewer turns, for the others' sake. */
static int back_off(struct session *session, const struct unit *unit, struct error *error)
{
    if (!isp_of(session)->shared || unit->mute < MUTE_PATIENCE || isp_working(session, true) == 0)
        return 0;
    return port_sleep(session->port, BACK_OFF_US) < 0 ? error_set(error, -ECANCELED, "cancelled") : 0;
}

static int ask_once(struct session *session, const struct request *request, struct answer *answer,
                    struct error *error)
{
    struct unit *unit = unit_of(session, request->address);
    int status = back_off(session, unit, error);

    if (status == 0)
        status = port_take(session->port, session->deadline_us, error);
    if (status < 0)
        return status;
    status = ask_in_turn(session, request, answer, error);
    port_give(session->port);
    unit_of(session, isp_of(session)->address)->seen_us = port_now_us(session->port);
    unit->mute = status == -ETIMEDOUT || status == -EAGAIN ? unit->mute + 1 : 0;
    return status;
}

/* "Every request may be repeated." */
int isp_ask(struct session *session, const struct request *request, struct answer *answer,
            struct error *error)
{
    int status = -EAGAIN;

    for (int attempt = 0; attempt < ATTEMPTS && (silent(status) || status == -ETIMEDOUT); attempt++) {
        if (attempt > 0)
            log_info(&session->log, "%s: %s; again", request->what, error->text);
        status = ask_once(session, request, answer, error);
    }
    if (status == -EAGAIN)
        status = error_reclass(error, -ETIMEDOUT);
    return status < 0 ? error_prefix(error, "%s", request->what) : judge(request, answer, error);
}

int isp_tell_all(struct session *session, const struct request *request, struct error *error)
{
    uint8_t packet[ISP_PACKET_MAX];
    size_t size = isp_request(packet, 0, request->command, request->data, request->size);
    int status = send_packet(session, packet, size, error);

    if (status == 0)
        status = port_drain(session->port, session_deadline(session, WRITE_US), error);
    if (status < 0)
        return status;
    status = port_sleep(session->port, wire_us(session, size) + request->own_us + 5 * MS);
    isp_of(session)->line->spoken_us = port_now_us(session->port);
    return status < 0 ? error_set(error, status, "cancelled") : 0;
}

/* --- who it is ---------------------------------------------------------------------------- */

#define DESCRIPTION 17u /* bytes before the unique number */

static const struct chip_family *family_of(uint32_t id)
{
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->kind == CHIP_P89LPC && chip_at(i)->family->id == id)
            return chip_at(i)->family;
    return NULL;
}

/* Section 4.7, into what the session and the line keep. */
static int take_description(struct session *session, const struct answer *answer, struct error *error)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);
    struct board *board = &session->board;
    const uint8_t *data = answer->data;
    uint32_t sector_size, span;

    if (answer->size < DESCRIPTION || answer->size != DESCRIPTION + data[16] || data[16] > 8 ||
        data[9] < 64 || data[9] > ISP_DATA_MAX || get_be16(data + 6) == 0)
        return error_set(error, -EPROTO, "DESCRIBE: %zu bytes that make no sense", answer->size);
    if ((data[1] & 1) != (session->wakeup == WAKEUP_ESCAPE))
        log_warning(&session->log, "the unit says that it is of the other kind of wake-up");
    unit->page_size = data[8];
    unit->data_max = data[9];
    unit->erase_ms = data[13];
    unit->page_100us = data[14];
    unit->checksum_100us = data[15];
    sector_size = get_be16(data + 6);
    span = get_be16(data + 10);
    *board = (struct board){.chip_id = (uint32_t)data[2] << 16 | (uint32_t)data[3] << 8 | data[4],
                            .uid_size = data[16],
                            .flash_size = data[5] * 256u,
                            .bootloader = data[0]};
    memcpy(board->uid, data + DESCRIPTION, data[16]);
    /* The shared bytes survive an erase of their sector; what must not be touched begins behind it. */
    span = (span + sector_size - 1) / sector_size * sector_size;
    if (span < board->flash_size)
        board->loader = (struct chip_span){.address = span, .size = board->flash_size - span};
    session->family = family_of(board->chip_id);
    return 0;
}

static int describe(struct session *session, struct answer *answer, struct error *error)
{
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_DESCRIBE, .what = "DESCRIBE"};

    return isp_ask(session, &request, answer, error);
}

/* A member of no group that anybody writes to: roll-call 0 then opens its ear together with the others'. */
static void become_member(struct session *session)
{
    static const uint8_t nothing[6];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_JOIN,
                                    .data = nothing,
                                    .size = sizeof nothing,
                                    .what = "JOIN"};
    struct answer answer;
    struct error error = ERROR_NONE;
    int status = isp_ask(session, &request, &answer, &error);

    unit_of(session, request.address)->joined = status == 0;
    if (status == 0)
        isp_of(session)->line->strangers = false; /* it may have been this one */
    else
        log_info(&session->log, "%s: it takes a roll-call for each turn", error.text);
}

static int isp_identify(struct session *session, struct error *error)
{
    struct answer answer;
    int status = describe(session, &answer, error);

    return status < 0 ? status : take_description(session, &answer, error);
}

/* In step again, and is it still the same unit? */
static int isp_resync(struct session *session, struct error *error)
{
    struct board before = session->board;
    struct answer answer;
    int status = port_take(session->port, session->deadline_us, error);

    if (status < 0)
        return status;
    status = call_me(session, error);
    port_give(session->port);
    if (silent(status))
        return error_set(error, -ETIMEDOUT, "unit %u has stopped answering", isp_of(session)->address);
    if (status == 0)
        status = describe(session, &answer, error);
    if (status == 0)
        status = take_description(session, &answer, error);
    if (status == 0 &&
        (before.chip_id != session->board.chip_id || before.uid_size != session->board.uid_size ||
         memcmp(before.uid, session->board.uid, before.uid_size) != 0))
        return error_set(error, -EPROTO, "another unit answers at address %u", isp_of(session)->address);
    if (status == 0 && unit_of(session, isp_of(session)->address)->phase > UNIT_MET)
        become_member(session); /* it may have been reset */
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
    status = select_me(session, error);
    port_give(session->port);
    return silent(status) ? 0 : status; /* whoever needs it next finds out */
}

/* --- flash -------------------------------------------------------------------------------- */

static int64_t page_us(const struct unit *unit)
{
    return unit->page_100us * 100;
}

static int erase_sector(struct session *session, const struct chip_sector *sector, struct error *error)
{
    const struct unit *unit = unit_of(session, isp_of(session)->address);
    uint8_t data[2];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_ERASE_SECTOR,
                                    .data = data,
                                    .size = sizeof data,
                                    .own_us = unit->erase_ms * MS + page_us(unit),
                                    .what = "ERASE SECTOR"};
    struct answer answer;
    int status;

    put_be16(data, (uint16_t)sector->address);
    status = isp_ask(session, &request, &answer, error);
    return status < 0 ? error_prefix(error, "sector %u", sector->number) : 0;
}

static int isp_erase(struct session *session, const struct chip_sector *sectors, size_t count,
                     struct error *error)
{
    int status = 0;

    isp_set_phase(session, UNIT_ERASING);
    if (isp_of(session)->shared && !unit_of(session, isp_of(session)->address)->joined)
        become_member(session);
    for (size_t i = 0; i < count && status == 0; i++)
        status = erase_sector(session, &sectors[i], error);
    return status;
}

/* A page for each page that is touched. */
int64_t isp_write_us(const struct unit *unit, uint32_t address, uint32_t size)
{
    uint32_t page = unit->page_size ? unit->page_size : 64;

    return page_us(unit) * ((address + size - 1) / page - address / page + 1);
}

int isp_write_piece(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    uint8_t data[2 + ISP_DATA_MAX];
    const struct request request = {
        .address = isp_of(session)->address,
        .command = ISP_WRITE,
        .data = data,
        .size = 2 + size,
        .own_us = isp_write_us(unit_of(session, isp_of(session)->address), address, size),
        .what = "WRITE"};
    struct answer answer;
    int status;

    put_be16(data, (uint16_t)address);
    memcpy(data + 2, bytes, size);
    status = isp_ask(session, &request, &answer, error);
    return status < 0 ? error_prefix(error, "at 0x%04x", address) : 0;
}

static uint32_t piece(const struct session *session, uint32_t left)
{
    uint32_t most = unit_of(session, isp_of(session)->address)->data_max;

    return left < most ? left : most;
}

static int isp_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                     struct error *error)
{
    int status = 0;

    isp_set_phase(session, UNIT_WRITING);
    for (uint32_t done = 0; done < size && status == 0; done += piece(session, size - done))
        status = isp_write_piece(session, address + done, bytes + done, piece(session, size - done), error);
    return status;
}

static int read_piece(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    uint8_t data[3];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_READ,
                                    .data = data,
                                    .size = sizeof data,
                                    .what = "READ"};
    struct answer answer;
    int status;

    put_be16(data, (uint16_t)address);
    data[2] = (uint8_t)size;
    status = isp_ask(session, &request, &answer, error);
    if (status == 0 && answer.size != size)
        status = error_set(error, -EPROTO, "READ: %zu bytes instead of %u", answer.size, size);
    if (status < 0)
        return error_prefix(error, "at 0x%04x", address);
    memcpy(bytes, answer.data, size);
    return 0;
}

/* After a pass, who looks at the flash again has no more ranges to write. */
static void no_more_ranges(struct session *session)
{
    if (unit_of(session, isp_of(session)->address)->phase == UNIT_BETWEEN)
        isp_set_phase(session, UNIT_WRITING);
}

static int isp_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    int status = 0;

    no_more_ranges(session);
    for (uint32_t done = 0; done < size && status == 0; done += piece(session, size - done))
        status = read_piece(session, address + done, bytes + done, piece(session, size - done), error);
    return status;
}

static int compare_piece(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                         struct error *error)
{
    uint8_t data[4];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_CHECKSUM,
                                    .data = data,
                                    .size = sizeof data,
                                    .own_us = unit_of(session, isp_of(session)->address)->checksum_100us *
                                              100LL * ((size + 63) / 64),
                                    .what = "CHECKSUM"};
    struct answer answer;
    int status;

    put_be16(data, (uint16_t)address);
    put_be16(data + 2, (uint16_t)size);
    status = isp_ask(session, &request, &answer, error);
    if (status == 0 && answer.size != 4)
        status = error_set(error, -EPROTO, "CHECKSUM: %zu bytes instead of 4", answer.size);
    if (status < 0)
        return error_prefix(error, "at 0x%04x", address);
    return get_be32(answer.data) == crc32(0, bytes, size) ? 0 : 1;
}

static int isp_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    int status = 0;

    no_more_ranges(session);
    for (uint32_t done = 0; done < size && status == 0; done += COMPARE_SIZE)
        status = compare_piece(session, address + done, bytes + done,
                               size - done < COMPARE_SIZE ? size - done : COMPARE_SIZE, error);
    return status;
}

/* --- protection, the end ------------------------------------------------------------------ */

static int protect_sector(struct session *session, uint32_t address, uint8_t bits, struct error *error)
{
    uint8_t data[3] = {0, 0, bits};
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_PROTECT_SECTOR,
                                    .data = data,
                                    .size = sizeof data,
                                    .own_us = page_us(unit_of(session, isp_of(session)->address)),
                                    .what = "PROTECT SECTOR"};
    struct answer answer;
    int status;

    put_be16(data, (uint16_t)address);
    status = isp_ask(session, &request, &answer, error);
    return status < 0 ? error_prefix(error, "sector at 0x%04x", address) : 0;
}

/* Every sector below the loader's, and then the flash must refuse to be read. */
static int isp_protect(struct session *session, struct error *error)
{
    uint32_t end = session->board.loader.size ? session->board.loader.address : session->board.flash_size;
    uint8_t byte;
    int status = 0;

    for (uint32_t at = 0; at < end && status == 0; at += SECTOR_SIZE)
        status = protect_sector(session, at, PROTECT_READ, error);
    if (status < 0)
        return status;
    status = read_piece(session, 0, &byte, 1, error);
    if (status == 0)
        return error_set(error, -EPROTO, "flash can still be read after PROTECT SECTOR");
    return status == FAILURE_CODE(FAILURE_PROTECTED) ? 0 : status;
}

static int isp_write_protect(struct session *session, const struct chip_sector *sectors, size_t count,
                             struct error *error)
{
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++)
        status = protect_sector(session, sectors[i].address, PROTECT_WRITE, error);
    return status;
}

/* Section 4.6: silence at the next roll-call is as good as the answer. */
static bool has_left(struct session *session)
{
    struct error ignored;
    int status;

    if (port_take(session->port, session->deadline_us, &ignored) < 0)
        return false;
    status = select_unit(session, isp_of(session)->address, &ignored);
    port_give(session->port);
    return status == -EAGAIN;
}

static int isp_run(struct session *session, uint32_t address, struct error *error)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_COMPLETE, .what = "COMPLETE"};
    struct answer answer;
    int status = isp_ask(session, &request, &answer, error);

    (void)address; /* the application begins at 0, always */
    if (status == -ETIMEDOUT && has_left(session))
        status = 0;
    if (status == 0) {
        unit->completed = true;
        unit->joined = false;
    }
    return status;
}

/* A unit that stays in the loader leaves the members, so that nobody counts on it. */
static void leave(struct session *session)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_LEAVE, .what = "LEAVE"};
    struct answer answer;
    struct error ignored;

    if (unit->joined && awake(session) && unit->mute == 0)
        (void)ask_once(session, &request, &answer, &ignored);
    unit->joined = false;
}

static void leave_entry(struct session *session)
{
    struct error ignored;

    if (!session->entry || !entry_resets(session->entry) || isp_working(session, true) > 0 ||
        port_take(session->port, session->deadline_us, &ignored) < 0)
        return;
    (void)entry_leave(session, &ignored);
    port_give(session->port);
}

static void isp_disconnect(struct session *session)
{
    if (!isp_of(session)->attached)
        return;
    if (isp_of(session)->shared && unit_of(session, isp_of(session)->address)->phase != UNIT_ABSENT)
        leave(session);
    isp_set_phase(session, UNIT_ABSENT);
    leave_entry(session);
}

/* --- the image ---------------------------------------------------------------------------- */

static int isp_check(const struct order *order, struct error *error)
{
    uint32_t shared = order->chip->flash_size - SECTOR_SIZE - SHARED_BYTES;

    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];

        if (range->address + range->size > shared && range->address < shared + SHARED_BYTES)
            return error_set(
                error, FAILURE_CODE(FAILURE_DATA),
                "the image reaches 0x%04x-0x%04x, where the unit keeps its address: leave it out", shared,
                shared + SHARED_BYTES - 1);
    }
    return 0;
}

static uint32_t isp_wire_bytes(enum wire_operation operation, uint32_t size_or_count)
{
    switch (operation) {
    case WIRE_ERASE:
        return size_or_count * (7 + 6);
    case WIRE_ERASE_ALL:
        return 0;
    case WIRE_WRITE:
        return 7 + size_or_count + 6;
    case WIRE_READ:
        return 8 + 6 + size_or_count;
    case WIRE_CHECKSUM:
        return 9 + 10;
    }
    return 0;
}

const struct protocol protocol_rs485_isp = {
    .name = "rs485-isp",
    .summary = "networked ISP of units on an RS-485 line (rs485_isp.md)",
    .state_size = sizeof(struct isp),
    .chips = CHIP_P89LPC,
    .transfer_max = ISP_DATA_MAX,
    .slowest_baud = 1200,
    .check = isp_check,
    .connect = isp_connect,
    .probe = isp_probe,
    .identify = isp_identify,
    .resync = isp_resync,
    .erase = isp_erase,
    .write = isp_write,
    .read = isp_read,
    .write_range = isp_write_range,
    .compare = isp_compare,
    .protect = isp_protect,
    .write_protect = isp_write_protect,
    .run = isp_run,
    .disconnect = isp_disconnect,
    .wire_bytes = isp_wire_bytes,
    .line = line_at,
};
