/* SPDX-License-Identifier: Apache-2.0 */
/* NXP LPC ROM loader ("ISP") on a UART.
 *
 * Follows the chapter "Flash memory programming firmware" of NXP's user manuals (UM10398, UM10360, UM10139,
 * UM10601, …), whose command names are used below; which chip has which memory stands in stations/chips/.
 * The line is 8N1. Commands are a letter and decimal numbers, ended by CR LF; each is answered by a return
 * code in decimal, some by more lines. Memory goes in uuencoded lines, with the sum of their bytes after
 * every twenty of them; on LPC8xx as it is. Flash is written in three steps: W into a buffer in RAM, P for
 * the sector, C from RAM to flash.
 *
 * A chip has no baud rate of its own: the loader measures the '?' it gets. Older parts are also told their
 * crystal, for which 12 MHz is said: their loader times its flash by it. */
#include "protocol.h"
#include "protocols.h"

#include "bytes.h"
#include "failure.h"
#include "ladder.h"
#include "plan.h"
#include "uuencode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { ESCAPE = 0x1B, XON = 0x11, XOFF = 0x13 };

enum return_code {
    CMD_SUCCESS = 0,
    INVALID_COMMAND = 1,
    SECTOR_NOT_BLANK = 8,
    COMPARE_ERROR = 10,
    CODE_READ_PROTECTION_ENABLED = 19,
};

static const char *const return_codes[] = {
    "CMD_SUCCESS",         "INVALID_COMMAND",
    "SRC_ADDR_ERROR",      "DST_ADDR_ERROR",
    "SRC_ADDR_NOT_MAPPED", "DST_ADDR_NOT_MAPPED",
    "COUNT_ERROR",         "INVALID_SECTOR",
    "SECTOR_NOT_BLANK",    "SECTOR_NOT_PREPARED_FOR_WRITE_OPERATION",
    "COMPARE_ERROR",       "BUSY",
    "PARAM_ERROR",         "ADDR_ERROR",
    "ADDR_NOT_MAPPED",     "CMD_LOCKED",
    "INVALID_CODE",        "INVALID_BAUD_RATE",
    "INVALID_STOP_BIT",    "CODE_READ_PROTECTION_ENABLED",
};

#define MS 1000 /* in microseconds */

/* How long the loader may think, beyond the time the bytes take on the line. */
enum {
    SYNC_ANSWER_US = 100 * MS, /* the loader takes one; an adapter with a 16 ms timer more */
    ANSWER_US = 1000 * MS,
    LINE_END_US = 50 * MS, /* an adapter may deliver a line without its last byte */
    QUIET_US = 50 * MS,    /* silence that ends whatever the loader was still saying */
    FLASH_MARGIN_US = 1000 * MS,
    STOPPED_US = 5000 * MS, /* between XOFF and XON */
};

#define DEFAULT_BAUD   115200u
#define CRYSTAL_KHZ    "12000"
#define UNLOCK_CODE    23130
#define GROUP_LINES    20u /* uuencoded lines that share one sum */
#define GROUP_BYTES    (GROUP_LINES * UUENCODE_LINE_BYTES)
#define RAW_BURST      256u /* more at once, and LPC8xx lose bytes */
#define GROUP_ATTEMPTS 3
#define SYNC_ROUNDS    2 /* whoever waits for something else is through with it after the first */
#define TRANSFER_MAX   4096u

#define CRP_AT        0x2FCu
#define CRP_AT_ARM7   0x1FCu
#define CRP1          0x12345678u
#define CRP2          0x87654321u
#define VECTOR_BYTES  32u
#define HIDDEN_SAMPLE 64u /* the loader's vectors cover at least so much */
#define HIDDEN_MOST   512u

struct lpc {
    uint8_t waiting[2048]; /* received, and not yet looked at */
    size_t at, count;
    size_t due;    /* so many bytes at least are still to come: they are read at once */
    char sent[80]; /* the last command, to know its echo by */
    bool echoes;   /* the loader sends back what it gets, although it was told not to */
    bool stopped;  /* XOFF came, and no XON since */
    bool careful;  /* lines get lost on the way: one at a time */
    int last_code; /* the last return code */
    bool sum_tested;
    uint32_t (*sum_formula)(const uint8_t *bytes,
                            uint32_t size); /* NULL: the chip's sums are not understood */
    uint8_t loader_view[HIDDEN_SAMPLE];     /* the start of flash as it looked before anything was erased */
    bool view_known;
    uint32_t reset_vector; /* of the image, once it is written; 0: not known */
};

static const uint32_t rates[] = {230400, 115200, 57600, 38400, 19200, 9600};

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

static struct lpc *state_of(struct session *session)
{
    return session->state;
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

/* --- bytes and lines ---------------------------------------------------------------------- */

static void forget_received(struct session *session)
{
    struct lpc *state = state_of(session);

    port_discard(session->port);
    state->at = state->count = state->due = 0;
    state->stopped = false;
}

/* Waits for silence. 0 also when the loader talks on: what follows will find out. */
static int settle(struct session *session, struct error *error)
{
    int status = port_settle(session->port, QUIET_US, session_deadline(session, ANSWER_US), error);

    forget_received(session);
    return status == -ETIMEDOUT ? 0 : status;
}

/* Waits for what is due, or for anything. Returns how many bytes have come. */
static int receive(struct session *session, int64_t deadline_us, struct error *error)
{
    struct lpc *state = state_of(session);
    size_t now = state->due < sizeof state->waiting ? state->due : sizeof state->waiting;
    int status;

    if (now == 0)
        return port_read_some(session->port, state->waiting, sizeof state->waiting, deadline_us, error);
    state->due -= now;
    status = port_read(session->port, state->waiting, now, deadline_us, error);
    return status < 0 ? status : (int)now;
}

/* The next byte received, or an error. */
static int next_byte(struct session *session, int64_t deadline_us, struct error *error)
{
    struct lpc *state = state_of(session);

    if (state->at == state->count) {
        int got = receive(session, deadline_us, error);

        state->at = 0;
        state->count = got < 0 ? 0 : (size_t)got;
        if (got < 0)
            return got;
    }
    return state->waiting[state->at++];
}

/* So many bytes come next, of which some may be here already. */
static void expect_bytes(struct session *session, size_t size)
{
    struct lpc *state = state_of(session);
    size_t here = state->count - state->at;

    state->due = size > here ? size - here : 0;
}

/* The deadline has passed, and what had come by then was in vain: a board that talks without end would keep
 * us for ever. */
static bool in_vain(const struct session *session, int64_t deadline_us)
{
    const struct lpc *state = session->state;

    return state->at == state->count && port_now_us(session->port) >= deadline_us;
}

/* What came after a line's CR: its LF, or, from loaders that echo only the CR, the next line's first byte. */
static int finish_line(struct session *session, struct error *error)
{
    int byte = next_byte(session, session_deadline(session, LINE_END_US), error);

    if (byte >= 0 && byte != '\n')
        state_of(session)->at--;
    return byte >= 0 || byte == -ETIMEDOUT ? 0 : byte;
}

/* One line without its end; empty ones do not count, as loaders differ in how they end lines. What is too
 * long for `line` is cut. Flow control is noted on the way. */
static int read_line(struct session *session, char *line, size_t size, int64_t wait_us, struct error *error)
{
    struct lpc *state = state_of(session);
    int64_t deadline_us = session_deadline(session, wait_us);
    size_t length = 0;

    for (;;) {
        int byte = next_byte(session, deadline_us, error);

        if (byte < 0)
            return byte;
        if (byte == XON || byte == XOFF) {
            state->stopped = byte == XOFF;
        } else if (byte != '\r' && byte != '\n') {
            if (length + 1 < size)
                line[length++] = (char)byte;
        } else if (length) {
            line[length] = '\0';
            return byte == '\r' ? finish_line(session, error) : 0;
        }
        if (in_vain(session, deadline_us))
            return error_set(error, -ETIMEDOUT, "a line without end");
    }
}

/* Memory as it is: nothing in it is a line's end or flow control. */
static int read_raw(struct session *session, uint8_t *bytes, uint32_t size, struct error *error)
{
    int64_t deadline_us = session_deadline(session, ANSWER_US + wire_us(session, size));

    expect_bytes(session, size);
    for (uint32_t i = 0; i < size; i++) {
        int byte = next_byte(session, deadline_us, error);

        if (byte < 0)
            return byte;
        bytes[i] = (uint8_t)byte;
    }
    return 0;
}

static int send(struct session *session, const void *bytes, size_t size, struct error *error)
{
    return port_write(session->port, bytes, size,
                      session_deadline(session, ANSWER_US + wire_us(session, size)), error);
}

/* The next line that is not the echo of what was sent last. */
static int read_answer(struct session *session, char *line, size_t size, int64_t wait_us, struct error *error)
{
    struct lpc *state = state_of(session);
    int status = read_line(session, line, size, wait_us, error);

    if (status == 0 && state->sent[0] && strcmp(line, state->sent) == 0) {
        state->echoes = true;
        state->sent[0] = '\0';
        status = read_line(session, line, size, wait_us, error);
    }
    return status;
}

static int send_text(struct session *session, const char *text, struct error *error)
{
    struct lpc *state = state_of(session);
    char line[sizeof state->sent + 2];
    int length = snprintf(line, sizeof line, "%s\r\n", text);

    (void)snprintf(state->sent, sizeof state->sent, "%s", text);
    state->echoes = false;
    return send(session, line, (size_t)length, error);
}

static bool parse_number(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return errno == 0 && *end == '\0' && value <= UINT32_MAX;
}

/* --- commands ----------------------------------------------------------------------------- */

static int refused(uint32_t code, const char *what, struct error *error)
{
    if (code == CODE_READ_PROTECTION_ENABLED)
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "%s: the chip's code read protection forbids it", what);
    if (code < sizeof return_codes / sizeof return_codes[0])
        return error_set(error, -EBADMSG, "%s: %s (return code %" PRIu32 ")", what, return_codes[code], code);
    return error_set(error, -EBADMSG, "%s: return code %" PRIu32, what, code);
}

/* Whether a command got there as something else than it was. These are answers: not every loader knows every
 * command, and what it is asked to compare may differ. */
static bool is_refusal(uint32_t code)
{
    return code != CMD_SUCCESS && code != INVALID_COMMAND && code != SECTOR_NOT_BLANK &&
           code != COMPARE_ERROR;
}

static int read_code(struct session *session, int64_t wait_us, const char *what, struct error *error)
{
    char line[80];
    uint32_t code;
    int status = read_answer(session, line, sizeof line, wait_us, error);

    if (status == -ETIMEDOUT)
        return error_set(error, -ETIMEDOUT, "no answer to %s within %d ms", what, (int)(wait_us / MS));
    if (status < 0)
        return error_prefix(error, "%s", what);
    if (!parse_number(line, &code) || code > UINT8_MAX) {
        session->link.naks++;
        return error_set(error, -EPROTO, "%s: \"%.20s\" instead of a return code", what, line);
    }
    state_of(session)->last_code = (int)code;
    session->link.naks += is_refusal(code);
    return code == CMD_SUCCESS ? 0 : refused(code, what, error);
}

static int command(struct session *session, int64_t wait_us, struct error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One command and its return code. */
static int command(struct session *session, int64_t wait_us, struct error *error, const char *format, ...)
{
    char text[64];
    va_list arguments;
    int status;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    status = send_text(session, text, error);
    return status < 0 ? status
                      : read_code(session, wait_us + wire_us(session, 2 * strlen(text)), text, error);
}

static int read_number(struct session *session, uint32_t *number, const char *what, struct error *error)
{
    char line[80];
    int status = read_answer(session, line, sizeof line, ANSWER_US, error);

    if (status < 0)
        return error_prefix(error, "%s", what);
    if (!parse_number(line, number))
        return error_set(error, -EPROTO, "%s: \"%.20s\" instead of a number", what, line);
    return 0;
}

/* --- contact ------------------------------------------------------------------------------ */

/* Expects one line of the start-up dialogue. */
static int expect_line(struct session *session, const char *wanted, struct error *error)
{
    char line[80];
    int status = read_answer(session, line, sizeof line, ANSWER_US, error);

    if (status < 0)
        return error_prefix(error, "start-up dialogue");
    if (strcmp(line, wanted) != 0)
        return error_set(error, -EPROTO, "start-up dialogue: \"%.20s\" instead of \"%s\"", line, wanted);
    return 0;
}

/* "Synchronized" was heard: say the same, then the crystal's frequency. */
static int shake_hands(struct session *session, struct error *error)
{
    int status = send_text(session, "Synchronized", error);

    if (status == 0)
        status = expect_line(session, "OK", error);
    if (status == 0)
        status = send_text(session, CRYSTAL_KHZ, error);
    return status < 0 ? status : expect_line(session, "OK", error);
}

/* A time-out that is not the run's own end means: nobody there, or not at this rate. */
static int silence(struct session *session, int status, struct error *error)
{
    if (status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us)
        return error_set(error, -EAGAIN, "no answer at %" PRIu32 " baud", session->port->line.baud);
    return status;
}

/* One '?'. 1: a fresh loader has measured it; 0: one that is past that has refused the '?' as a command. */
static int ask_once(struct session *session, struct error *error)
{
    char line[80];
    uint32_t code;
    int status;

    forget_received(session);
    state_of(session)->sent[0] = '\0';
    status = send(session, "?", 1, error);
    if (status == 0)
        status = read_line(session, line, sizeof line, SYNC_ANSWER_US + wire_us(session, 15), error);
    /* Echoes may come ahead of it, a rest of what was sent before us. */
    if (status == 0 && strlen(line) >= 12 && strcmp(line + strlen(line) - 12, "Synchronized") == 0)
        return 1;
    if (status == 0 || status == -ETIMEDOUT) {
        status = send_text(session, "", error);
        (void)snprintf(state_of(session)->sent, sizeof state_of(session)->sent, "?");
    }
    if (status == 0)
        status = read_answer(session, line, sizeof line, SYNC_ANSWER_US, error);
    if (status < 0)
        return silence(session, status, error);
    if (parse_number(line, &code))
        return 0;
    return error_set(error, -EAGAIN, "\"%.20s\" instead of \"Synchronized\"", line);
}

/* Gets the loader to take commands, whatever it waits for now. -EAGAIN: nothing sensible at this rate. */
static int sync_at_rate(struct session *session, int rounds, struct error *error)
{
    int status = -EAGAIN;

    for (int i = 0; i < rounds && status == -EAGAIN; i++) {
        status = ask_once(session, error);
        if (status > 0)
            status = shake_hands(session, error);
        if (status == -EPROTO)
            status = error_reclass(error, -EAGAIN);
        status = silence(session, status, error);
    }
    return status;
}

/* Somebody stopped in the middle of a command. "ESC" ends all but a raw W, which ends when it has had its
 * bytes; and empty lines mean nothing to whoever waits for a command. */
static int end_old_command(struct session *session, struct error *error)
{
    uint8_t filler[TRANSFER_MAX / 4];
    int status = send(session, "\x1b\r\n", 3, error);

    memset(filler, '\r', sizeof filler);
    if (status == 0)
        status = send(session, filler, sizeof filler, error);
    if (status == 0)
        status = port_drain(session->port,
                            session_deadline(session, ANSWER_US + wire_us(session, sizeof filler)), error);
    return status < 0 ? status : settle(session, error);
}

/* Echo off, unlocked, and who are you? */
static int meet(struct session *session, struct error *error)
{
    int status = command(session, ANSWER_US, error, "A 0");

    if (status == 0)
        status = command(session, ANSWER_US, error, "U %d", UNLOCK_CODE);
    if (status == 0)
        status = command(session, ANSWER_US, error, "J");
    return status < 0 ? status : read_number(session, &session->board.chip_id, "J", error);
}

static int try_rate(struct session *session, uint32_t baud, enum effort effort, struct error *error)
{
    const struct port_line line = line_at(baud);
    int status = port_set_line(session->port, &line, error);

    session->link.attempts++;
    if (status == 0)
        status = entry_enter(session, error);
    if (status == 0 && !entry_resets(session->entry) && (effort == EFFORT_THOROUGH || session->half_way))
        status = end_old_command(session, error);
    if (status == 0)
        status = sync_at_rate(session, effort == EFFORT_PROBE ? 1 : SYNC_ROUNDS, error);
    return status < 0 || effort == EFFORT_PROBE ? status : meet(session, error);
}

static const struct ladder ladder = {
    .rates = rates, .count = sizeof rates / sizeof *rates, .top = DEFAULT_BAUD, .try_rate = try_rate};

static int lpc_connect(struct session *session, struct error *error)
{
    /* A board that has just been probed takes commands already. */
    int status = session->in_step ? meet(session, error) : -EAGAIN;

    session->link.attempts += session->in_step;
    if (status < 0 && rate_to_blame(session, status))
        status = ladder_descend(session, &ladder, EFFORT_CONNECT, error);
    if (status == -EAGAIN && !entry_resets(session->entry))
        status = try_rate(session, ladder_first(session, &ladder), EFFORT_THOROUGH, error);
    session->baud_proven = status == 0 ? session->port->line.baud : 0;
    if (status == -EAGAIN)
        return error_set(
            error, FAILURE_CODE(FAILURE_NO_CONTACT),
            "nothing answers '?' at %" PRIu32
            " baud or below: no board, no power, or not in its ISP loader (ISP pin low at reset)",
            ladder_top(session, &ladder));
    return status;
}

static int lpc_probe(struct session *session, struct error *error)
{
    int status = session->baud_proven ? try_rate(session, session->baud_proven, EFFORT_PROBE, error)
                                      : ladder_descend(session, &ladder, EFFORT_PROBE, error);

    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

/* N: four words, the one at the lowest address first. ARM7 parts have no such command. */
static int read_uid(struct session *session, struct error *error)
{
    struct board *board = &session->board;
    int status = command(session, ANSWER_US, error, "N");

    board->uid_size = 0;
    if (status == -EBADMSG && state_of(session)->last_code == INVALID_COMMAND)
        return 0;
    for (int i = 0; status == 0 && i < 4; i++) {
        uint32_t word;

        status = read_number(session, &word, "N", error);
        if (status == 0)
            put_be32(board->uid + (size_t)4 * (size_t)i, word);
    }
    if (status == 0)
        board->uid_size = 16;
    return status;
}

/* A board may have been changed for another one of its kind while it was silent. */
static int still_the_same(struct session *session, const struct board *before, struct error *error)
{
    struct board *board = &session->board;
    int status = 0;

    if (board->chip_id == before->chip_id && before->uid_size)
        status = read_uid(session, error);
    if (status == 0 &&
        (board->chip_id != before->chip_id || memcmp(board->uid, before->uid, sizeof before->uid) != 0))
        status = error_set(error, FAILURE_CODE(FAILURE_WRONG_BOARD), "it is another board than before");
    *board = *before;
    return status;
}

/* After a refusal, a time-out or nonsense: end whatever is going on, and see that it is still the same board.
 */
static int lpc_resync(struct session *session, struct error *error)
{
    const struct board before = session->board;
    int status = settle(session, error);

    if (status == 0)
        status = end_old_command(session, error);
    if (status == 0)
        status = sync_at_rate(session, SYNC_ROUNDS, error);
    if (status == -EAGAIN)
        return error_set(error, -ETIMEDOUT, "the board has stopped answering");
    if (status == 0)
        status = meet(session, error);
    return status < 0 ? status : still_the_same(session, &before, error);
}

/* --- memory ------------------------------------------------------------------------------- */

static bool raw_data(const struct session *session)
{
    return session->family->lpc->raw_data;
}

static uint32_t sum_of(const uint8_t *bytes, uint32_t size)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

/* Notes flow control that has come, and while the loader is stopped waits for it to go on. */
static int heed_flow_control(struct session *session, struct error *error)
{
    struct lpc *state = state_of(session);
    int64_t deadline_us = session_deadline(session, STOPPED_US);

    for (;;) {
        int byte = next_byte(session, state->stopped ? deadline_us : port_now_us(session->port), error);

        if (byte == -ETIMEDOUT && !state->stopped)
            return 0;
        if (byte < 0)
            return error_prefix(error, "the loader stopped us (XOFF)");
        if (byte == XON || byte == XOFF) {
            state->stopped = byte == XOFF;
        } else if (!state->stopped) {
            state->at--; /* it is an answer's, or an echo's: the reader's to take */
            return 0;
        }
        if (state->stopped && in_vain(session, deadline_us))
            return error_set(error, -ETIMEDOUT, "the loader stopped us (XOFF) and talks on");
    }
}

/* What the loader says after the sum of a group; echoes of the group's lines come ahead of it. */
static int read_verdict(struct session *session, bool *resend, struct error *error)
{
    char line[80];
    uint32_t code;
    int status;

    for (unsigned i = 0; i <= GROUP_LINES + 1; i++) {
        status = read_answer(session, line, sizeof line,
                             ANSWER_US + wire_us(session, (size_t)80 * GROUP_LINES), error);
        if (status < 0)
            return error_prefix(error, "no word on the data");
        *resend = strcmp(line, "RESEND") == 0;
        if (*resend || strcmp(line, "OK") == 0)
            return 0;
        if (parse_number(line, &code) && code > 0 && code < sizeof return_codes / sizeof return_codes[0])
            return refused(code, "the data", error);
    }
    return error_set(error, -EPROTO, "\"%.20s\" instead of OK for the data", line);
}

/* Up to twenty lines and their sum. Usually in one piece; when lines got lost that way, one after the other,
 * with an ear for flow control. */
static int send_group(struct session *session, const uint8_t *bytes, uint32_t size, struct error *error)
{
    struct lpc *state = state_of(session);
    char text[GROUP_LINES * (UUENCODE_LINE_CHARS + 2)];
    size_t length = 0;
    int status = 0;

    for (uint32_t at = 0; status == 0 && at < size; at += UUENCODE_LINE_BYTES) {
        uint32_t now = size - at < UUENCODE_LINE_BYTES ? size - at : UUENCODE_LINE_BYTES;

        length += uuencode_line(bytes + at, now, text + length);
        text[length++] = '\r';
        text[length++] = '\n';
        if (!state->careful)
            continue;
        status = send(session, text, length, error);
        if (status == 0)
            status = port_drain(session->port, session_deadline(session, ANSWER_US), error);
        if (status == 0)
            status = heed_flow_control(session, error);
        length = 0;
    }
    if (status == 0 && length)
        status = send(session, text, length, error);
    (void)snprintf(text, sizeof text, "%" PRIu32, sum_of(bytes, size));
    return status < 0 ? status : send_text(session, text, error);
}

static int write_group(struct session *session, const uint8_t *bytes, uint32_t size, struct error *error)
{
    bool resend = true;
    int status = 0;

    for (int attempt = 0; status == 0 && resend && attempt < GROUP_ATTEMPTS; attempt++) {
        session->link.resends += attempt > 0;
        status = send_group(session, bytes, size, error);
        if (status == 0)
            status = read_verdict(session, &resend, error);
        if (status == 0 && resend) {
            log_info(&session->log, "the loader wants %" PRIu32 " bytes again", size);
            session->link.naks++;
            state_of(session)->careful = true;
        }
    }
    if (status == 0 && resend)
        return error_set(error, -EPROTO, "the loader found the sum of the data wrong %d times",
                         GROUP_ATTEMPTS);
    return status;
}

/* W <RAM address> <number of bytes>, then the data. */
static int write_to_ram(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    uint32_t step = raw_data(session) ? RAW_BURST : GROUP_BYTES;
    int status = 0;

    if (!raw_data(session))
        status = command(session, ANSWER_US, error, "W %" PRIu32 " %" PRIu32, address, size);
    for (uint32_t at = 0; status == 0 && at < size; at += step) {
        uint32_t now = size - at < step ? size - at : step;

        if (!raw_data(session)) {
            status = write_group(session, bytes + at, now, error);
            continue;
        }
        status = command(session, ANSWER_US, error, "W %" PRIu32 " %" PRIu32, address + at, now);
        if (status == 0)
            status = send(session, bytes + at, now, error);
        /* A loader that echoes sends the data back too. */
        if (status == 0 && state_of(session)->echoes) {
            uint8_t echo[RAW_BURST];

            status = read_raw(session, echo, now, error);
        }
    }
    return status;
}

/* The number of the sector that holds an address. */
static uint32_t sector_at(const struct chip_family *family, uint32_t address)
{
    uint32_t number = 0, start = family->flash_base;

    for (size_t run = 0; run < CHIP_SECTOR_RUNS && family->sectors[run].count; run++) {
        const struct chip_sectors *sectors = &family->sectors[run];
        uint32_t bytes = sectors->count * sectors->size;

        if (address - start < bytes)
            return number + (address - start) / sectors->size;
        number += sectors->count;
        start += bytes;
    }
    return number - 1;
}

/* P <start sector> <end sector>: due again before every C and E. */
static int prepare(struct session *session, uint32_t first, uint32_t last, struct error *error)
{
    return command(session, ANSWER_US, error, "P %" PRIu32 " %" PRIu32, first, last);
}

/* The largest count that C takes and that is not more than `size`: 4096, 1024, and halves down to the unit.
 */
static uint32_t copy_size(const struct chip_family *family, uint32_t size)
{
    uint32_t count = TRANSFER_MAX;

    while (count > size && count > family->program_unit)
        count = count == 4096 ? 1024 : count / 2;
    return count;
}

/* C <flash address> <RAM address> <number of bytes>. Nothing is answered before the flash has it. */
static int copy_to_flash(struct session *session, uint32_t flash, uint32_t ram, uint32_t size,
                         struct error *error)
{
    const struct chip_family *family = session->family;
    uint32_t sector = sector_at(family, flash);
    int64_t wait_us = FLASH_MARGIN_US + (int64_t)(size / family->program_unit) * family->program_max_us;
    int status = prepare(session, sector, sector, error);

    if (status == 0)
        status = command(session, wait_us, error, "C %" PRIu32 " %" PRIu32 " %" PRIu32, flash, ram, size);
    return status;
}

static int lpc_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                     struct error *error)
{
    const struct chip_family *family = session->family;
    uint32_t ram = family->ram.address;
    int status;

    if (address % family->program_unit || size % family->program_unit || size > family->ram.size)
        return error_set(error, -EINVAL, "write at 0x%08" PRIx32 ": %" PRIu32 " bytes are not whole units",
                         address, size);
    if (address == family->flash_base)
        state_of(session)->reset_vector = get_le32(bytes + 4);
    status = write_to_ram(session, ram, bytes, size, error);
    for (uint32_t at = 0; status == 0 && at < size;) {
        uint32_t now = copy_size(family, size - at);

        status = copy_to_flash(session, address + at, ram + at, now, error);
        at += now;
    }
    return status < 0 ? error_prefix(error, "write at 0x%08" PRIx32, address) : 0;
}

/* The least that a group of an R has: lines with one character each for their end. */
static size_t group_length(uint32_t size)
{
    uint32_t rest = size % UUENCODE_LINE_BYTES;

    return (size_t)(size / UUENCODE_LINE_BYTES) * (UUENCODE_LINE_CHARS + 1) +
           (rest ? uuencode_length(rest) + 1 : 0);
}

/* One group of an R: lines, then the sum of their bytes. 1: the sum is wrong. */
static int read_group(struct session *session, uint8_t *bytes, uint32_t size, struct error *error)
{
    int64_t wait_us = ANSWER_US + wire_us(session, group_length(size));
    uint32_t at = 0, sum;
    int status;

    expect_bytes(session, group_length(size));
    while (at < size) {
        uint8_t data[UUENCODE_LINE_BYTES];
        char line[80];
        int got;

        status = read_answer(session, line, sizeof line, wait_us, error);
        if (status < 0)
            return status;
        got = uudecode_line(line, strlen(line), data);
        if (got <= 0 || (uint32_t)got > size - at)
            return error_set(error, -EPROTO, "\"%.20s\" instead of a line of data", line);
        memcpy(bytes + at, data, (size_t)got);
        at += (uint32_t)got;
    }
    status = read_number(session, &sum, "sum of the data", error);
    return status < 0 ? status : sum == sum_of(bytes, size) ? 0 : 1;
}

/* Says OK or RESEND to a group; a loader that echoes sends the word back. */
static int judge(struct session *session, const char *word, struct error *error)
{
    bool echoes = state_of(session)->echoes;
    char line[80];
    int status = send_text(session, word, error);

    if (status == 0 && echoes)
        status = read_line(session, line, sizeof line, ANSWER_US, error);
    state_of(session)->echoes = echoes;
    state_of(session)->sent[0] = '\0';
    return status;
}

static int read_lines(struct session *session, uint8_t *bytes, uint32_t size, struct error *error)
{
    int status = 0;

    for (uint32_t at = 0; status == 0 && at < size; at += GROUP_BYTES) {
        uint32_t now = size - at < GROUP_BYTES ? size - at : GROUP_BYTES;

        status = 1;
        for (int attempt = 0; status == 1 && attempt < GROUP_ATTEMPTS; attempt++) {
            struct error judged;

            session->link.resends += attempt > 0;
            status = read_group(session, bytes + at, now, error);
            session->link.naks += status == 1;
            if (status >= 0 && judge(session, status ? "RESEND" : "OK", &judged) < 0) {
                *error = judged;
                status = judged.code;
            }
        }
        if (status == 1)
            return error_set(error, -EPROTO, "the sum of the data is wrong %d times", GROUP_ATTEMPTS);
    }
    return status;
}

/* R <address> <number of bytes>: whole words. */
static int read_words(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    int status = command(session, ANSWER_US, error, "R %" PRIu32 " %" PRIu32, address, size);

    if (status < 0)
        return status;
    state_of(session)->sent[0] = '\0';
    return raw_data(session) ? read_raw(session, bytes, size, error)
                             : read_lines(session, bytes, size, error);
}

static int lpc_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    uint8_t words[TRANSFER_MAX];
    uint32_t skip = address % 4;
    uint32_t span = (skip + size + 3) / 4 * 4;
    int status;

    if (span > sizeof words)
        return error_set(error, -EINVAL, "read of %" PRIu32 " bytes at once", size);
    status = read_words(session, address - skip, words, span, error);
    if (status < 0)
        return error_prefix(error, "read at 0x%08" PRIx32, address);
    memcpy(bytes, words + skip, size);
    return 0;
}

/* --- who is there ------------------------------------------------------------------------- */

static bool has_id(const struct chip_family *family, uint32_t id)
{
    if (family->id == id)
        return true;
    for (const uint32_t *other = family->other_ids; other && *other; other++)
        if (*other == id)
            return true;
    return false;
}

static const struct chip_family *family_of(uint32_t id)
{
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->kind == CHIP_LPC && has_id(chip_at(i)->family, id))
            return chip_at(i)->family;
    return NULL;
}

/* K: two numbers, the minor one first. */
static int read_version(struct session *session, struct error *error)
{
    uint32_t minor = 0, major = 0;
    int status = command(session, ANSWER_US, error, "K");

    if (status == 0)
        status = read_number(session, &minor, "K", error);
    if (status == 0)
        status = read_number(session, &major, "K", error);
    session->board.bootloader = (uint8_t)((major & 0xF) << 4 | (minor & 0xF));
    return status;
}

/* A chip that may not be read is protected. What is read is what the loader shows at the start of flash. */
static int look_at_flash(struct session *session, struct error *error)
{
    struct lpc *state = state_of(session);
    int status = read_words(session, session->family->flash_base, state->loader_view,
                            sizeof state->loader_view, error);

    state->view_known = status == 0;
    session->board.read_protected = failure_of(status) == FAILURE_PROTECTED;
    return session->board.read_protected ? 0 : status;
}

static int lpc_identify(struct session *session, struct error *error)
{
    int status = read_version(session, error);

    session->family = family_of(session->board.chip_id);
    if (status == 0)
        status = read_uid(session, error);
    return status < 0 || !session->family ? status : look_at_flash(session, error);
}

/* --- erase -------------------------------------------------------------------------------- */

static uint32_t family_sectors(const struct chip_family *family)
{
    uint32_t count = 0;

    for (size_t run = 0; run < CHIP_SECTOR_RUNS; run++)
        count += family->sectors[run].count;
    return count;
}

static bool blank(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0xFF)
            return false;
    return true;
}

/* While it runs, the loader shows its own vectors at the start of flash: 64 bytes on ARM7 and LPC17xx, 512 on
 * LPC11xx and 13xx. Where flash that has just been erased still looks as before, that is what is seen. */
static int find_hidden(struct session *session, struct error *error)
{
    static const uint32_t sizes[] = {HIDDEN_SAMPLE, HIDDEN_MOST};
    struct lpc *state = state_of(session);
    struct chip_span *hidden = &session->board.hidden;
    uint8_t now[HIDDEN_MOST + VECTOR_BYTES];
    int status;

    if (!state->view_known)
        return 0;
    status = read_words(session, session->family->flash_base, now, sizeof now, error);
    if (status < 0 || blank(now, VECTOR_BYTES) ||
        memcmp(now, state->loader_view, sizeof state->loader_view) != 0)
        return status;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && !hidden->size; i++)
        if (blank(now + sizes[i], VECTOR_BYTES))
            *hidden = (struct chip_span){.address = session->family->flash_base, .size = sizes[i]};
    if (hidden->size)
        log_info(&session->log, "the loader hides %" PRIu32 " bytes at 0x%08" PRIx32, hidden->size,
                 hidden->address);
    return 0;
}

/* E <start sector> <end sector>: takes the same time for one and for all. */
static int erase_run(struct session *session, uint32_t first, uint32_t last, struct error *error)
{
    int64_t wait_us = FLASH_MARGIN_US + session->family->mass_erase_max_us;
    int status = prepare(session, first, last, error);

    if (status == 0)
        status = command(session, wait_us, error, "E %" PRIu32 " %" PRIu32, first, last);
    if (status == 0 && first == 0)
        status = find_hidden(session, error);
    return status;
}

static int lpc_erase(struct session *session, const struct chip_sector *sectors, size_t count,
                     struct error *error)
{
    int status = 0;

    for (size_t at = 0; status == 0 && at < count;) {
        size_t next = at + 1;

        while (next < count && sectors[next].number == sectors[next - 1].number + 1)
            next++;
        status = erase_run(session, sectors[at].number, sectors[next - 1].number, error);
        at = next;
    }
    return status;
}

static int lpc_erase_all(struct session *session, struct error *error)
{
    return erase_run(session, 0, family_sectors(session->family) - 1, error);
}

/* Code read protection goes with the flash that holds its word, but stays in force until the next reset. */
static int lpc_unprotect(struct session *session, struct error *error)
{
    int status = lpc_erase_all(session, error);

    if (status < 0)
        return status;
    if (!entry_resets(session->entry))
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "the chip is wiped, but its protection ends with its next reset, which this station "
                         "cannot give: reset the board into its loader and start again");
    status = try_rate(session, session->port->line.baud, EFFORT_CONNECT, error);
    if (status == 0)
        status = look_at_flash(session, error);
    if (status == 0 && session->board.read_protected)
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "the chip is still protected after its wipe");
    return status;
}

/* --- checksum ----------------------------------------------------------------------------- */

/* The manuals' formula: CRC-32 polynomial, seed all ones, no reversal and no complement anywhere. */
#define CRC_POLYNOMIAL 0x04C11DB7u
#define CRC_SEED       0xFFFFFFFFu

static uint32_t crc_plain(const uint8_t *bytes, uint32_t size)
{
    uint32_t crc = CRC_SEED;

    for (uint32_t at = 0; at < size; at++) {
        crc ^= (uint32_t)bytes[at] << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80000000u ? crc << 1 ^ CRC_POLYNOMIAL : crc << 1;
    }
    return crc;
}

/* Their example, 0xCBF43926, is the check value of the usual CRC-32, which reverses and complements. */
static uint32_t crc_usual(const uint8_t *bytes, uint32_t size)
{
    return (uint32_t)crc32(0, bytes, size);
}

/* S <address> <number of bytes>: reading a megabyte takes the chip some hundred milliseconds. */
static int read_checksum(struct session *session, uint32_t address, uint32_t size, uint32_t *sum,
                         struct error *error)
{
    int status = command(session, FLASH_MARGIN_US + size, error, "S %" PRIu32 " %" PRIu32, address, size);

    return status < 0 ? status : read_number(session, sum, "S", error);
}

/* As formula and example contradict each other, the one is believed that gives the chip's own sum of memory
 * which has also been read. */
static int test_checksum(struct session *session, uint32_t address, struct error *error)
{
    struct lpc *state = state_of(session);
    uint8_t found[HIDDEN_SAMPLE];
    uint32_t sum;
    int status;

    if (state->sum_tested)
        return 0;
    state->sum_tested = true;
    status = read_words(session, address, found, sizeof found, error);
    if (status == 0)
        status = read_checksum(session, address, sizeof found, &sum, error);
    if (status == 0)
        state->sum_formula = sum == crc_plain(found, sizeof found)   ? crc_plain
                             : sum == crc_usual(found, sizeof found) ? crc_usual
                                                                     : NULL;
    return status == -EBADMSG ? 0 : status;
}

/* The odd bytes behind the last whole word are read. */
static int compare_rest(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    uint8_t found[4];
    int status = size ? lpc_read(session, address, found, size, error) : 0;

    return status < 0 ? status : memcmp(found, bytes, size) != 0;
}

/* What the loader hides is left out; board.hidden says so. */
static int lpc_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    const struct chip_span *hidden = &session->board.hidden;
    uint32_t skip = address - hidden->address < hidden->size ? hidden->size - (address - hidden->address) : 0;
    uint32_t whole, sum = 0;
    int status;

    if (!raw_data(session) || (address + skip) % 4 || size < skip + HIDDEN_SAMPLE)
        return error_set(error, -ENOTSUP, "no checksum of this range");
    address += skip;
    bytes += skip;
    size -= skip;
    whole = size / 4 * 4;
    status = test_checksum(session, address, error);
    if (status == 0 && !state_of(session)->sum_formula)
        return error_set(error, -ENOTSUP, "no trusted checksum on this chip");
    if (status == 0)
        status = read_checksum(session, address, whole, &sum, error);
    if (status < 0)
        return error_prefix(error, "checksum at 0x%08" PRIx32, address);
    if (sum != state_of(session)->sum_formula(bytes, whole))
        return 1;
    return compare_rest(session, address + whole, bytes + whole, size - whole, error);
}

/* --- the image ---------------------------------------------------------------------------- */

/* Code read protection: one word of the image decides. */
static const char *protection_of(uint32_t word)
{
    switch (word) {
    case CRP1:
        return "CRP1";
    case CRP2:
        return "CRP2";
    case 0x43218765:
        return "CRP3";
    case 0x4E697370:
        return "NO_ISP";
    }
    return NULL;
}

static bool is_arm7(const struct chip_family *family)
{
    return family->lpc->checksum_vector == 5;
}

static uint32_t crp_address(const struct chip_family *family)
{
    return family->flash_base + (is_arm7(family) ? CRP_AT_ARM7 : CRP_AT);
}

/* Whether the chip cannot be read with this word in its place. The older ARM7 parts know no other than the
 * one that was called CRP2 later. */
static bool protects(const struct chip_family *family, uint32_t word)
{
    return is_arm7(family) ? word == CRP2 : protection_of(word) != NULL;
}

static int check_protection(const struct order *order, struct error *error)
{
    const struct chip_family *family = order->chip->family;
    uint32_t address = crp_address(family);
    uint8_t bytes[4];
    const char *name;

    (void)image_read(order->image, address, bytes, sizeof bytes, family->erased_value);
    name = protection_of(get_le32(bytes));
    if (name && order->protect != PROTECTION_READ)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the image sets %s (0x%08" PRIx32 " at 0x%08" PRIx32
                         "), which locks the chip: order with read protection, or build it without",
                         name, get_le32(bytes), address);
    if (order->protect == PROTECTION_READ && !protects(family, get_le32(bytes)))
        return error_set(
            error, FAILURE_CODE(FAILURE_DATA),
            "an LPC is read-protected by a word of its image, and this image has none at 0x%08" PRIx32
            ": put 0x%08" PRIx32 " (%s) there, or order without read protection",
            address, is_arm7(family) ? CRP2 : CRP1, is_arm7(family) ? "CRP2" : "CRP1");
    return 0;
}

/* "The first eight words must sum up to zero", or the ROM does not start them and stays in its loader. */
static int lpc_check(const struct order *order, struct error *error)
{
    const struct chip_family *family = order->chip->family;
    uint32_t index = family->lpc->checksum_vector;
    uint32_t sum = 0, own;
    uint8_t vectors[VECTOR_BYTES];
    size_t there =
        image_read(order->image, family->flash_base, vectors, sizeof vectors, family->erased_value);

    if (there == 0)
        return check_protection(order, error);
    if (there < sizeof vectors)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the image has %zu of the 32 bytes of vectors at 0x%08" PRIx32
                         ": it must have all or none",
                         there, family->flash_base);
    own = get_le32(vectors + (size_t)4 * index);
    for (size_t i = 0; i < sizeof vectors; i += 4)
        sum += get_le32(vectors + i);
    if (sum != 0)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the ROM would not start this image: its first eight words must sum up to 0. Put "
                         "0x%08" PRIx32 " at 0x%08" PRIx32 " (0x%08" PRIx32
                         " is there), as a last step of its build (lpc_checksum, srec_cat, elf2bin)",
                         own - sum, family->flash_base + 4 * index, own);
    return check_protection(order, error);
}

/* --- the end ------------------------------------------------------------------------------ */

/* The word is in flash with the image; it is obeyed from the next reset on. What can be made sure of now is
 * that it is there. */
static int lpc_protect(struct session *session, struct error *error)
{
    uint32_t address = crp_address(session->family);
    uint8_t bytes[4];
    int status = lpc_read(session, address, bytes, sizeof bytes, error);

    if (status == 0 && !protects(session->family, get_le32(bytes)))
        return error_set(error, -EPROTO, "0x%08" PRIx32 " at 0x%08" PRIx32 " protects nothing",
                         get_le32(bytes), address);
    return status;
}

/* G <address> <mode>: Cortex-M start at the reset vector, in Thumb mode; ARM7 at the first instruction. The
 * answer comes before the application starts, which may cut it short. */
static int lpc_run(struct session *session, uint32_t address, struct error *error)
{
    bool arm7 = is_arm7(session->family);
    int status;

    if (entry_resets(session->entry))
        return 0; /* leaving the entry resets the board into its application, which is the truer start */
    if (!arm7 && !state_of(session)->reset_vector)
        return error_set(error, -ENOTSUP, "the image has no reset vector at 0x%08" PRIx32, address);
    if (!arm7)
        address = state_of(session)->reset_vector & ~1u;
    status = command(session, ANSWER_US, error, "G %" PRIu32 " %c", address, arm7 ? 'A' : 'T');
    return status < 0 ? error_prefix(error, "run at 0x%08" PRIx32, address) : 0;
}

static void lpc_disconnect(struct session *session)
{
    struct error ignored;

    (void)entry_leave(session, &ignored);
}

/* Memory on the line: as it is on LPC8xx; else in lines of 45 bytes, a letter and four for three of them,
 * with a sum of at least three digits and its answer for every 20. */
static uint32_t data_on_wire(const struct chip_family *family, uint32_t size)
{
    uint32_t lines = (size + UUENCODE_LINE_BYTES - 1) / UUENCODE_LINE_BYTES,
             groups = (lines + GROUP_LINES - 1) / GROUP_LINES;

    return family->lpc->raw_data ? size : lines * 2 + (size + 2) / 3 * 4 + groups * (3 + 1 + 4);
}

/* What goes over the line in W, P, C, R and their answers, at least. */
static uint32_t lpc_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                               uint32_t size_or_count)
{
    switch (operation) {
    case WIRE_ERASE:
    case WIRE_ERASE_ALL:
        return 2 * (7 + 3);
    case WIRE_WRITE:
        return 17 + 3 + data_on_wire(family, size_or_count) + 7 + 3 + 20 + 3;
    case WIRE_READ:
        return 9 + 3 + data_on_wire(family, size_or_count);
    case WIRE_CHECKSUM:
        return 9 + 3 + 10;
    }
    return 0;
}

const struct protocol protocol_lpc_uart = {
    .name = "lpc-uart",
    .summary = "NXP LPC ROM loader on a UART (ISP)",
    .state_size = sizeof(struct lpc),
    .chips = CHIP_LPC,
    .transfer_max = TRANSFER_MAX,
    .check = lpc_check,
    .connect = lpc_connect,
    .probe = lpc_probe,
    .identify = lpc_identify,
    .resync = lpc_resync,
    .unprotect = lpc_unprotect,
    .erase_all = lpc_erase_all,
    .erase = lpc_erase,
    .write = lpc_write,
    .read = lpc_read,
    .compare = lpc_compare,
    .protect = lpc_protect,
    .run = lpc_run,
    .disconnect = lpc_disconnect,
    .wire_bytes = lpc_wire_bytes,
    .line = line_at,
};
