/* SPDX-License-Identifier: Apache-2.0 */
/* AVR loaders that speak STK500 version 2: the one of Arduino Mega 2560 and Wiring boards.
 *
 * Follows Atmel AVR068 "STK500 communication protocol"; command names below are its own. A message has a
 * sequence number, a length and a checksum, its answer the same number and the same command. The line is 8N1.
 *
 * What the application note does not say, the loader's published source does, and it decides much here:
 * - It does not erase the page it is told to write: it erases page after page by itself, one with each
 *   Program Flash, from a pointer that only a reset and Chip Erase set, to the first page. Hence in_order,
 * and hence a page is never written while that pointer may stand before it.
 * - Chip Erase does nothing else, and answers that it failed.
 * - The pointer stops 16 KiB before the end of flash: what lies there is never erased.
 * - An EEPROM byte is written at the address loaded, and read at twice that.
 * - An odd count of flash bytes to read would not end before 64 Ki words.
 * - "!!!" among the ten bytes in which its count of bytes received begins again at 0, as it does every 64 Ki,
 *   makes it leave for a monitor and never come back. Such a message is sent a little later.
 * - Of the lock byte it can set the bits of the boot section's rules; fuses it can read. */
#include "protocol.h"
#include "protocols.h"

#include "avr.h"
#include "bytes.h"
#include "failure.h"

#include <errno.h>
#include <string.h>

enum { MESSAGE_START = 0x1B, TOKEN = 0x0E };

enum command { /* AVR068, "Commands" */
               SIGN_ON = 0x01,
               GET_PARAMETER = 0x03,
               LOAD_ADDRESS = 0x06,
               ENTER_PROGMODE = 0x10,
               LEAVE_PROGMODE = 0x11,
               CHIP_ERASE = 0x12,
               PROGRAM_FLASH = 0x13,
               READ_FLASH = 0x14,
               PROGRAM_EEPROM = 0x15,
               READ_EEPROM = 0x16,
               READ_FUSE = 0x18,
               PROGRAM_LOCK = 0x19,
               READ_LOCK = 0x1A,
               READ_SIGNATURE = 0x1B,
};

enum { STATUS_OK = 0x00, STATUS_FAILED = 0xC0 };
enum { PARAMETER_SW_MAJOR = 0x91, PARAMETER_SW_MINOR = 0x92 };

#define MS 1000 /* in microseconds */

/* How long the board may think, beyond the time the bytes take on the line. */
enum {
    ANSWER_US = 400 * MS,
    POLL_US = 50 * MS,      /* between one Sign On and the next */
    QUIET_US = 25 * MS,     /* silence after which no answer is under way any more */
    WINDOW_US = 700 * MS,   /* from the reset to the first answer; the loader listens for a second */
    STRAPPED_US = 300 * MS, /* the same where nothing resets the board */
};

#define TRANSFER_MAX   256u
#define HEAD_SIZE      5u  /* start, sequence number, length, token */
#define PROGRAM_HEAD   10u /* of a Program message before its data */
#define READ_EXTRA     3u  /* command and status before the data, status behind it */
#define BODY_MAX       (PROGRAM_HEAD + TRANSFER_MAX)
#define MESSAGE_MAX    (HEAD_SIZE + BODY_MAX + 1)
#define NEVER_ERASED   (16u * 1024u) /* at the end of flash, the loader itself among it */
#define NO_POSITION    0xFFFFFFFFu
#define BOOT_LOCK_BITS 0x3Cu

struct stk500v2 {
    uint8_t sequence;
    uint32_t position; /* the loader's address, in its own counting: flash bytes, half bytes of EEPROM when
                          it writes, bytes when it reads; NO_POSITION: unknown */
    uint32_t sent;     /* bytes since the reset */
    uint32_t erased_up_to;  /* its own erasing has come at least here */
    int64_t eeprom_idle_us; /* when the EEPROM has certainly finished its last byte: a read before that gets
                               rubbish, as the loader does not look */
};

static const uint32_t rates[] = {115200, 57600};

static struct stk500v2 *state_of(struct session *session)
{
    return session->state;
}

static uint8_t xor_of(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum ^= bytes[i];
    return sum;
}

/* --- messages ----------------------------------------------------------------------------- */

/* Sends the message whose body stands in frame + HEAD_SIZE; one byte behind it is left for the checksum. */
static int send_message(struct session *session, uint8_t *frame, size_t body_size, struct error *error)
{
    size_t size = HEAD_SIZE + body_size + 1;

    frame[0] = MESSAGE_START;
    frame[1] = ++state_of(session)->sequence;
    put_be16(frame + 2, (uint16_t)body_size);
    frame[4] = TOKEN;
    frame[size - 1] = xor_of(frame, size - 1);
    state_of(session)->sent += (uint32_t)size;
    return port_write(session->port, frame, size,
                      session_deadline(session, ANSWER_US + avr_wire_us(session, size)), error);
}

/* One message, whosever answer it is, of which `have` bytes stand in the frame already; its body goes to
 * frame + HEAD_SIZE. Returns the body's size. The least message has a body of two bytes, so that what comes
 * first can be read at once. */
static int receive_message(struct session *session, uint8_t frame[MESSAGE_MAX], size_t have,
                           int64_t deadline_us, struct error *error)
{
    const size_t least = HEAD_SIZE + 2 + 1;
    int status = port_read(session->port, frame + have, least - have, deadline_us, error);
    size_t body_size;

    if (status < 0)
        return status;
    body_size = get_be16(frame + 2);
    if (frame[0] != MESSAGE_START || frame[4] != TOKEN || body_size < 2 || body_size > BODY_MAX)
        return error_set(error, -EPROTO, "what comes is no message");
    if (body_size > 2)
        status = port_read(session->port, frame + least, body_size - 2, deadline_us, error);
    if (status < 0)
        return status;
    if (xor_of(frame, HEAD_SIZE + body_size + 1) != 0)
        return error_set(error, -EPROTO, "the answer's checksum is wrong");
    return (int)body_size;
}

/* The answer to the last message sent; answers to earlier ones, which came too late, are passed over.
 * Returns the body's size. */
static int receive_answer(struct session *session, uint8_t frame[MESSAGE_MAX], int64_t deadline_us,
                          struct error *error)
{
    int status;

    do
        status = receive_message(session, frame, 0, deadline_us, error);
    while (status >= 0 && frame[1] != state_of(session)->sequence &&
           port_now_us(session->port) < deadline_us);
    if (status >= 0 && frame[1] != state_of(session)->sequence)
        return error_set(error, -ETIMEDOUT, "only answers to other messages come");
    return status;
}

/* Whether the message in `frame`, with a body of `size`, is a good answer to that command. */
static int judge(const uint8_t frame[MESSAGE_MAX], uint8_t command, size_t size, size_t answer_size,
                 const char *what, struct error *error)
{
    if (frame[HEAD_SIZE] != command)
        return error_set(error, -EPROTO, "command 0x%02x answers to %s", frame[HEAD_SIZE], what);
    if (frame[HEAD_SIZE + 1] != STATUS_OK)
        return error_set(error, -EBADMSG, "status 0x%02x for %s", frame[HEAD_SIZE + 1], what);
    if (size != answer_size)
        return error_set(error, -EPROTO, "%zu bytes instead of %zu answer to %s", size, answer_size, what);
    return 0;
}

/* Sends the body in frame + HEAD_SIZE and awaits an answer of `answer_size` with a good status. The same
 * frame takes it. */
static int exchange(struct session *session, uint8_t frame[MESSAGE_MAX], size_t body_size, size_t answer_size,
                    int64_t wait_us, const char *what, struct error *error)
{
    uint8_t command = frame[HEAD_SIZE];
    int64_t deadline_us;
    int status = send_message(session, frame, body_size, error);

    if (status < 0)
        return status;
    deadline_us = session_deadline(session, wait_us + avr_wire_us(session, body_size + answer_size + 12));
    status = receive_answer(session, frame, deadline_us, error);
    if (status == -ETIMEDOUT)
        return error_set(error, -ETIMEDOUT, "no answer to %s within %d ms", what, (int)(wait_us / MS));
    if (status < 0)
        (void)error_prefix(error, "%s", what);
    else
        status = judge(frame, command, (size_t)status, answer_size, what, error);
    session->link.naks += status == -EPROTO || status == -EBADMSG;
    return status;
}

#define COUNT_PERIOD 0x10000u
#define MONITOR_SPAN 10u
#define UNSURE       128u /* bytes that the loader, still starting, may not have counted, or a probe sent */

/* Whether data that goes out next has "!!!" where the loader may take it for a call of its monitor. */
static bool calls_monitor(struct session *session, const uint8_t *data, size_t size)
{
    uint32_t first = state_of(session)->sent + HEAD_SIZE + PROGRAM_HEAD + 1; /* the count of data[0] */

    for (size_t i = 0; i + 2 < size; i++) {
        uint32_t past = (first + (uint32_t)i) % COUNT_PERIOD;

        if (memcmp(data + i, "!!!", 3) == 0 &&
            (past < MONITOR_SPAN + UNSURE || past + UNSURE >= COUNT_PERIOD))
            return true;
    }
    return false;
}

/* A short command, of which the third byte of the answer is wanted. */
static int ask(struct session *session, const uint8_t *body, size_t body_size, size_t answer_size,
               uint8_t *value, const char *what, struct error *error)
{
    uint8_t frame[MESSAGE_MAX];
    int status;

    memcpy(frame + HEAD_SIZE, body, body_size);
    status = exchange(session, frame, body_size, answer_size, ANSWER_US, what, error);
    if (status == 0 && value)
        *value = frame[HEAD_SIZE + 2];
    return status;
}

/* Commands that carry an instruction of the serial programming set and return its answer byte. */
static int ask_instruction(struct session *session, enum command opcode, const uint8_t instruction[4],
                           uint8_t *value, const char *what, struct error *error)
{
    const uint8_t body[] = {(uint8_t)opcode, 4, /* which byte of the answer is meant */
                            instruction[0],  instruction[1],
                            instruction[2],  instruction[3]};

    return ask(session, body, sizeof body, 4, value, what, error);
}

static int get_parameter(struct session *session, uint8_t parameter, uint8_t *value, struct error *error)
{
    const uint8_t body[] = {GET_PARAMETER, parameter};

    return ask(session, body, sizeof body, 3, value, "Get Parameter", error);
}

/* --- contact ------------------------------------------------------------------------------ */

#define LOADER_NAME  "AVRISP_2"
#define SIGN_ON_BODY (3 + sizeof LOADER_NAME - 1)

static int find_start(struct session *session, uint8_t *byte, int64_t deadline_us, struct error *error)
{
    int status;

    do
        status = port_read(session->port, byte, 1, deadline_us, error);
    while (status == 0 && *byte != MESSAGE_START && port_now_us(session->port) < deadline_us);
    if (status == 0 && *byte != MESSAGE_START)
        return error_set(error, -ETIMEDOUT, "the line is full of other things than a message");
    return status;
}

/* Sign On, and the loader's name. The answer may follow what a floating line said during the reset, so the
 * start of it is searched; a late one to an earlier Sign On is as good. */
static int sign_on(struct session *session, struct error *error)
{
    uint8_t frame[MESSAGE_MAX] = {[HEAD_SIZE] = SIGN_ON};
    int64_t deadline_us;
    int status = send_message(session, frame, 1, error);

    if (status < 0)
        return status;
    deadline_us = session_deadline(session, POLL_US + avr_wire_us(session, 32));
    do {
        status = find_start(session, frame, deadline_us, error);
        if (status == 0)
            status = receive_message(session, frame, 1, deadline_us, error);
        if (status >= 0 && frame[HEAD_SIZE] != SIGN_ON) /* what was given up before is answered now */
            status = error_set(error, -EPROTO, "command 0x%02x answers to Sign On", frame[HEAD_SIZE]);
    } while (status == -EPROTO && port_now_us(session->port) < deadline_us);
    if (status < 0)
        return status == -EPROTO ? error_reclass(error, -ETIMEDOUT) : status;
    if (status != SIGN_ON_BODY || memcmp(frame + HEAD_SIZE + 3, LOADER_NAME, sizeof LOADER_NAME - 1) != 0)
        return error_set(error, -EPROTO, "it signs on by another name than \"%s\"", LOADER_NAME);
    return 0;
}

/* One Sign On, and when it is answered, Enter Programming Mode. Of several Sign On the answers to the others
 * may still be under way, and a loader that sends holds no more than two bytes of what comes. */
static int sign_on_and_enter(struct session *session, bool first, struct error *error)
{
    static const uint8_t enter[] = {ENTER_PROGMODE, 200, 100, 25, 32, 0, 0x53, 0x03, 0xAC, 0x53, 0x00, 0x00};
    int status = sign_on(session, error);

    if (status == 0 && !first)
        status = port_settle(session->port, QUIET_US, session_deadline(session, ANSWER_US), error);
    return status < 0 ? status : ask(session, enter, sizeof enter, 2, NULL, "Enter Programming Mode", error);
}

/* Until the loader answers. -EAGAIN: never, within the window. */
static int sign_on_within(struct session *session, int64_t window_us, struct error *error)
{
    int64_t deadline_us = session_deadline(session, window_us);
    bool first = true;
    int status;

    state_of(session)->position = NO_POSITION;
    port_discard(session->port);
    do {
        status = sign_on_and_enter(session, first, error);
        first = false;
    } while (avr_timed_out(session, status) && port_now_us(session->port) < deadline_us);
    if (avr_timed_out(session, status))
        return error_set(error, -EAGAIN, "no answer to Sign On at %u baud", session->port->line.baud);
    return status;
}

/* Whoever stopped in a message left the loader waiting for the rest of it. This is more than any message
 * takes, and makes no other. By a chance of 1 in 256 the checksum is right: the page is then not what it
 * should be, and will be seen so. */
static int end_old_message(struct session *session, struct error *error)
{
    static const uint8_t filler[MESSAGE_MAX];

    state_of(session)->sent += sizeof filler;
    return port_write(session->port, filler, sizeof filler,
                      session_deadline(session, ANSWER_US + avr_wire_us(session, sizeof filler)), error);
}

/* Resets the board where the fixture can, and gets into step. */
static int sign_on_afresh(struct session *session, struct error *error)
{
    bool resets = entry_resets(session->entry);
    int status = entry_enter(session, error);

    state_of(session)->erased_up_to = 0;
    state_of(session)->sent = 0;
    if (status == 0 && session->half_way && !resets)
        status = end_old_message(session, error);
    return status < 0 ? status : sign_on_within(session, resets ? WINDOW_US : STRAPPED_US, error);
}

static int read_signature(struct session *session, uint32_t *signature, struct error *error)
{
    uint32_t all = 0;
    int status = 0;

    for (uint8_t i = 0; i < 3 && status == 0; i++) {
        const uint8_t instruction[4] = {0x30, 0x00, i, 0x00};
        uint8_t byte = 0;

        status = ask_instruction(session, READ_SIGNATURE, instruction, &byte, "Read Signature", error);
        all = all << 8 | byte;
    }
    *signature = all;
    return status;
}

static const struct avr_contact contact = {
    .rates = rates,
    .rate_count = sizeof rates / sizeof *rates,
    .enter = sign_on_afresh,
    .read_signature = read_signature,
};

static int v2_connect(struct session *session, struct error *error)
{
    return avr_connect(session, &contact, error);
}

static int v2_probe(struct session *session, struct error *error)
{
    return avr_probe(session, &contact, error);
}

/* First without a reset, which would send the loader's erasing back to the first page: writing could not go
 * on from there. With one, what was written can at least be looked at. */
static int v2_resync(struct session *session, struct error *error)
{
    int status = end_old_message(session, error);

    if (status == 0)
        status = sign_on_within(session, STRAPPED_US, error);
    if (status == -EAGAIN && entry_resets(session->entry))
        status = sign_on_afresh(session, error);
    return avr_still_the_same(session, &contact, status, error);
}

static int v2_identify(struct session *session, struct error *error)
{
    uint8_t major, minor;
    int status = get_parameter(session, PARAMETER_SW_MAJOR, &major, error);

    state_of(session)->position = NO_POSITION;
    if (status == 0)
        status = get_parameter(session, PARAMETER_SW_MINOR, &minor, error);
    if (status < 0)
        return status;
    session->board.bootloader = (uint8_t)(major << 4 | (minor & 0x0F));
    session->family = avr_family(session->board.chip_id);
    if (session->family)
        session->board.loader = avr_flash_end(session->family, NEVER_ERASED);
    return 0;
}

/* --- memories ----------------------------------------------------------------------------- */

/* Load Address takes words, and the loader doubles them; bit 31 says that bits 16 and up matter. Not sent
 * when the loader stands there already, which it does after the block before. */
static int go_to(struct session *session, uint32_t position, struct error *error)
{
    struct stk500v2 *state = state_of(session);
    uint8_t body[5] = {LOAD_ADDRESS};
    bool far = avr_flash_size(session->family) > 0x20000;
    int status;

    if (state->position == position)
        return 0;
    put_be32(body + 1, position / 2 | (far ? 0x80000000u : 0));
    status = ask(session, body, sizeof body, 2, NULL, "Load Address", error);
    state->position = status == 0 ? position : NO_POSITION;
    return status;
}

/* From an even position, `size` bytes, an even number when it is flash. */
static int read_block(struct session *session, enum command opcode, uint32_t position, uint8_t *bytes,
                      uint32_t skip, uint32_t size, uint32_t length, struct error *error)
{
    struct stk500v2 *state = state_of(session);
    uint8_t frame[MESSAGE_MAX];
    int status = go_to(session, position, error);

    if (status < 0)
        return status;
    frame[HEAD_SIZE] = (uint8_t)opcode;
    put_be16(frame + HEAD_SIZE + 1, (uint16_t)length);
    frame[HEAD_SIZE + 3] = 0x20;
    state->position = NO_POSITION;
    status = exchange(session, frame, 4, length + READ_EXTRA, ANSWER_US,
                      opcode == READ_FLASH ? "Read Flash" : "Read EEPROM", error);
    if (status < 0)
        return status;
    state->position = position + length;
    memcpy(bytes, frame + HEAD_SIZE + 2 + skip, size);
    return 0;
}

/* The whole words around what is wanted. */
static int read_words(struct session *session, enum command opcode, uint32_t address, uint8_t *bytes,
                      uint32_t size, struct error *error)
{
    uint32_t start = address & ~1u;
    uint32_t length = (address + size + 1 - start) & ~1u;

    return read_block(session, opcode, start, bytes, address - start, size, length, error);
}

static int read_eeprom(struct session *session, uint32_t offset, uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    int64_t wait_us = state_of(session)->eeprom_idle_us - port_now_us(session->port);

    if (wait_us > 0 && port_sleep(session->port, wait_us) == -ECANCELED)
        return error_set(error, -ECANCELED, "cancelled");
    return read_words(session, READ_EEPROM, offset, bytes, size, error);
}

static int read_fuse(struct session *session, uint32_t number, uint8_t *value, struct error *error)
{
    static const uint8_t instructions[3][4] = {
        {0x50, 0x00, 0x00, 0x00}, {0x58, 0x08, 0x00, 0x00}, {0x50, 0x08, 0x00, 0x00}};

    return ask_instruction(session, READ_FUSE, instructions[number], value, "Read Fuse", error);
}

static int read_fuses(struct session *session, uint32_t first, uint8_t *bytes, uint32_t count,
                      struct error *error)
{
    int status = 0;

    for (uint32_t i = 0; i < count && status == 0; i++)
        status = read_fuse(session, first + i, bytes + i, error);
    return status;
}

static int read_lock(struct session *session, uint8_t *value, struct error *error)
{
    static const uint8_t instruction[4] = {0x58, 0x00, 0x00, 0x00};

    return ask_instruction(session, READ_LOCK, instruction, value, "Read Lock", error);
}

static int v2_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                   struct error *error)
{
    int status = -ENOTSUP;

    switch (avr_memory_at(session->family, address, size)) {
    case AVR_FLASH:
        status = read_words(session, READ_FLASH, address, bytes, size, error);
        break;
    case AVR_EEPROM:
        status = read_eeprom(session, address - session->family->eeprom.address, bytes, size, error);
        break;
    case AVR_FUSES:
        status = read_fuses(session, address - AVR_FUSES_AT, bytes, size, error);
        break;
    case AVR_LOCK:
        status = read_lock(session, bytes, error);
        break;
    case AVR_NOWHERE:
        return avr_no_way(address, "this loader", error);
    }
    return status < 0 ? error_prefix(error, "read at 0x%06x", address) : 0;
}

/* Chip Erase: the loader's pointer goes back to the first page. "Failed" is this loader's way to say that it
 * has erased nothing. */
static int restart_erasing(struct session *session, struct error *error)
{
    static const uint8_t body[] = {CHIP_ERASE, 10, 0, 0xAC, 0x80, 0x00, 0x00};
    uint8_t frame[MESSAGE_MAX];
    int status;

    memcpy(frame + HEAD_SIZE, body, sizeof body);
    status = exchange(session, frame, sizeof body, 2, ANSWER_US, "Chip Erase", error);
    if (status == -EBADMSG && frame[HEAD_SIZE + 1] == STATUS_FAILED) {
        session->link.naks--; /* it is how this loader says yes */
        status = 0;
    }
    return status;
}

/* Commands that change nothing, until the loader's count has passed the place. */
static int pass_monitor(struct session *session, const uint8_t *bytes, uint32_t size, struct error *error)
{
    uint8_t ignored;
    int status = 0;

    while (status == 0 && calls_monitor(session, bytes, size))
        status = get_parameter(session, PARAMETER_SW_MAJOR, &ignored, error);
    return status;
}

static int program(struct session *session, enum command opcode, const uint8_t *bytes, uint32_t size,
                   int64_t wait_us, struct error *error)
{
    /* mode and delay, the instructions of a page load, of a page write, of a read, values to poll for: an
     * in-system programmer would need them */
    static const uint8_t how[2][PROGRAM_HEAD - 3] = {{0xC1, 10, 0x40, 0x4C, 0x20, 0x00, 0x00},
                                                     {0xC1, 10, 0xC1, 0xC2, 0xA0, 0x00, 0x00}};
    uint8_t frame[MESSAGE_MAX];
    bool flash = opcode == PROGRAM_FLASH;
    int status = pass_monitor(session, bytes, size, error);

    if (status < 0)
        return status;
    frame[HEAD_SIZE] = (uint8_t)opcode;
    put_be16(frame + HEAD_SIZE + 1, (uint16_t)size);
    memcpy(frame + HEAD_SIZE + 3, how[flash ? 0 : 1], sizeof how[0]);
    memcpy(frame + HEAD_SIZE + PROGRAM_HEAD, bytes, size);
    state_of(session)->position = NO_POSITION;
    return exchange(session, frame, PROGRAM_HEAD + size, 2, ANSWER_US + wait_us,
                    flash ? "Program Flash" : "Program EEPROM", error);
}

/* Its own erasing has come to this page or beyond. */
static int write_page(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    struct stk500v2 *state = state_of(session);
    int status = go_to(session, address, error);

    if (status == 0)
        status = program(session, PROGRAM_FLASH, bytes, size,
                         avr_write_max_us(session->family, AVR_FLASH, size), error);
    if (status < 0)
        return status;
    state->position = address + size;
    state->erased_up_to = address + size;
    return 0;
}

/* A page whose answer got lost holds what it should, but nobody knows whether it was erased for that or held
 * the same before. What it holds is written again: that erases this page or the next one, and is right either
 * way. */
static int write_again(struct session *session, uint32_t address, uint32_t size, struct error *error)
{
    uint8_t bytes[TRANSFER_MAX];
    int status = read_words(session, READ_FLASH, address, bytes, size, error);

    return status < 0 ? status : write_page(session, address, bytes, size, error);
}

static int write_flash(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    struct stk500v2 *state = state_of(session);
    uint32_t page = avr_page_size(session->family);
    int status = 0;

    if (address % page || size != page)
        return error_set(error, -EINVAL, "%u bytes are not one page of %u", size, page);
    if (address == 0)
        status = restart_erasing(session, error);
    else if (state->erased_up_to + page == address)
        status = write_again(session, address - page, page, error);
    if (status == 0 && address > 0 && state->erased_up_to < address)
        return error_set(error, FAILURE_CODE(FAILURE_WRITE),
                         "the loader was reset, and would erase page 0x%06x instead: start over",
                         state->erased_up_to);
    return status < 0 ? status : write_page(session, address, bytes, size, error);
}

static int write_eeprom(struct session *session, uint32_t offset, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    struct stk500v2 *state = state_of(session);
    int64_t last_us = avr_write_max_us(session->family, AVR_EEPROM, 1);
    int status = go_to(session, 2 * offset, error);

    if (status == 0)
        status = program(session, PROGRAM_EEPROM, bytes, size,
                         avr_write_max_us(session->family, AVR_EEPROM, size), error);
    state->eeprom_idle_us = port_now_us(session->port) + last_us;
    if (status == 0)
        state->position = 2 * (offset + size);
    return status;
}

static int v2_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    int status = -ENOTSUP;

    switch (avr_memory_at(session->family, address, size)) {
    case AVR_FLASH:
        status = write_flash(session, address, bytes, size, error);
        break;
    case AVR_EEPROM:
        status = write_eeprom(session, address - session->family->eeprom.address, bytes, size, error);
        break;
    case AVR_FUSES:
    case AVR_LOCK:
    case AVR_NOWHERE:
        return avr_no_way(address, "this loader", error);
    }
    return status < 0 ? error_prefix(error, "write at 0x%06x", address) : 0;
}

/* --- the rest ----------------------------------------------------------------------------- */

static int v2_check(const struct order *order, struct error *error)
{
    return avr_check_options(order, (uint8_t)~BOOT_LOCK_BITS, error);
}

/* Program Lock. Bits that are 1 in the lock byte stay what they are. */
static int v2_write_options(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                            struct error *error)
{
    const uint8_t body[] = {PROGRAM_LOCK, 0xAC, 0xE0, 0x00, bytes[0]};

    if (avr_memory_at(session->family, address, size) != AVR_LOCK)
        return avr_no_way(address, "this loader", error);
    return ask(session, body, sizeof body, 3, NULL, "Program Lock", error);
}

/* Leave Programming Mode: the loader jumps to the application. */
static int v2_run(struct session *session, uint32_t address, struct error *error)
{
    static const uint8_t body[] = {LEAVE_PROGMODE, 1, 1};

    (void)address;
    return ask(session, body, sizeof body, 2, NULL, "Leave Programming Mode", error);
}

static void v2_disconnect(struct session *session)
{
    struct error ignored;

    (void)entry_leave(session, &ignored);
}

static uint32_t v2_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                              uint32_t size_or_count)
{
    (void)family;
    const uint32_t around = HEAD_SIZE + 1;

    switch (operation) {
    case WIRE_WRITE:
        return around + PROGRAM_HEAD + size_or_count + around + 2;
    case WIRE_READ:
        return around + 4 + around + READ_EXTRA + size_or_count;
    case WIRE_ERASE:
    case WIRE_ERASE_ALL:
    case WIRE_CHECKSUM:
        break;
    }
    return 0;
}

const struct protocol protocol_stk500v2 = {
    .name = "stk500v2",
    .summary = "AVR loader of Arduino Mega 2560 and Wiring boards (Atmel AVR068)",
    .state_size = sizeof(struct stk500v2),
    .chips = CHIP_AVR,
    .transfer_max = TRANSFER_MAX,
    .in_order = true,
    .check = v2_check,
    .connect = v2_connect,
    .probe = v2_probe,
    .identify = v2_identify,
    .resync = v2_resync,
    .write = v2_write,
    .read = v2_read,
    .write_options = v2_write_options,
    .run = v2_run,
    .disconnect = v2_disconnect,
    .wire_bytes = v2_wire_bytes,
    .line = avr_line,
};
