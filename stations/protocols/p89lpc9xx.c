/* SPDX-License-Identifier: Apache-2.0 */
/* Factory serial loader of the P89LPC9xx, which lives in the top 512 bytes of the flash.
 *
 * Follows UM10109 and UM10310, "In-system programming": the host sends 'U' until it comes back, then records
 * that look like Intel HEX. Every character comes back as an echo, and behind the record stands one
 * character:
 * '.' done, 'X' wrong checksum, 'R' refused; what was asked for stands before the '.'.
 *
 * Memory cannot be read. Each write is checked by the chip itself, and for a whole sector there is a sum
 * whose making no document gives: equal flash has equal sums, and that is all (protocol->sum). */
#include "protocol.h"
#include "protocols.h"

#include "bytes.h"
#include "failure.h"
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS 1000 /* in microseconds */

enum {
    SYNC_ANSWER_US = 60 * MS,
    ECHO_US = 200 * MS,
    ANSWER_US = 500 * MS,
    PATCH_US = 100 * MS, /* for a record that may only be the end of another */
    WRITE_US = 1000 * MS,
    QUIET_US = 50 * MS,
    FADE_US = 500 * MS, /* at most, until it has finished talking */
};

enum record_type {
    RECORD_PROGRAM = 0x00,
    RECORD_VERSION = 0x01,
    RECORD_MISC_WRITE = 0x02,
    RECORD_MISC_READ = 0x03,
    RECORD_ERASE = 0x04,
    RECORD_SECTOR_CRC = 0x05,
    RECORD_RESET = 0x08,
};

/* What the misc records reach. */
enum misc {
    MISC_UCFG1 = 0x00,
    MISC_UCFG2 = 0x01,
    MISC_STATUS = 0x03,
    MISC_SECURITY = 0x08, /* and up: one for each sector */
    MISC_MANUFACTURER = 0x10,
    MISC_DEVICE = 0x11,
    MISC_DERIVATIVE = 0x12,
};

enum { MOVC_DISABLED = 0x01, ERASE_DISABLED = 0x02 | 0x04 }; /* security byte */

#define DATA_MAX       64u /* of a program record */
#define DATA_SAFE      16u /* what every member takes */
#define RECORD_MAX     (1u + 2u * (4u + DATA_MAX + 1u))
#define ANSWER_MAX     16u
#define LOADER_SIZE    512u
#define SECTOR_SIZE    1024u
#define SYNC_ATTEMPTS  16
#define RECORDS_TO_END 14 /* version records that are longer together than any record left half-way */
#define DEFAULT_BAUD   9600u
#define OPTIONS_AT     0x10000u

struct p89lpc {
    uint32_t record_data; /* bytes for each program record; 0: not found out yet */
    bool echoed;          /* the last record came back */
};

static struct p89lpc *state_of(struct session *session)
{
    return session->state;
}

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

/* --- records ------------------------------------------------------------------------------ */

/* ":NNAAAATTdd…CC", CC the two's complement of the sum of all bytes; returns its length. */
static size_t make_record(char *text, enum record_type type, uint16_t address, const uint8_t *data,
                          uint8_t size)
{
    uint8_t sum = (uint8_t)(size + (address >> 8) + (address & 0xFF) + (int)type);
    size_t at = (size_t)sprintf(text, ":%02X%04X%02X", size, address, (unsigned)type);

    for (uint8_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + data[i]);
        at += (size_t)sprintf(text + at, "%02X", data[i]);
    }
    return at + (size_t)sprintf(text + at, "%02X", (uint8_t)(0u - sum));
}

static int send_echoed(struct session *session, const char *text, size_t size, struct error *error)
{
    char echo[RECORD_MAX + 1];
    int status;

    port_discard(session->port);
    status = port_write(session->port, text, size,
                        session_deadline(session, WRITE_US + wire_us(session, size)), error);
    if (status == 0)
        status = port_read(session->port, echo, size,
                           session_deadline(session, ECHO_US + 2 * wire_us(session, size)), error);
    state_of(session)->echoed = status == 0;
    if (status < 0)
        return error_prefix(error, "echo");
    session->link.naks += memcmp(echo, text, size) != 0;
    if (memcmp(echo, text, size) != 0)
        return error_set(error, -EPROTO, "the echo differs from what was sent");
    return 0;
}

/* Up to the character that ends the answer; `digits` gets what stands before it. */
static int read_verdict(struct session *session, char digits[ANSWER_MAX], int64_t wait_us, char *verdict,
                        struct error *error)
{
    int64_t deadline_us = session_deadline(session, wait_us + wire_us(session, ANSWER_MAX));
    char line_end[2];

    for (size_t count = 0; count < ANSWER_MAX; count++) {
        int status = port_read(session->port, verdict, 1, deadline_us, error);

        if (status < 0)
            return error_prefix(error, "answer");
        if (hex_digit_value(*verdict) < 0) {
            digits[count] = '\0';
            return port_read(session->port, line_end, 2, deadline_us, error);
        }
        digits[count] = *verdict;
    }
    return error_set(error, -EPROTO, "an answer without an end");
}

/* What the loader says of a record; the digits before it are `size` bytes of answer. */
static int judge(char verdict, const char *digits, uint8_t *answer, size_t size, struct error *error)
{
    switch (verdict) {
    case '.':
        if (strlen(digits) == 2 * size && bytes_from_hex(digits, answer, size))
            return 0;
        return error_set(error, -EPROTO, "\"%s\" instead of %zu bytes", digits, size);
    case 'X':
        return error_set(error, -EBADMSG, "it found the record's checksum wrong");
    case 'R':
        return error_set(error, -EBADMSG, "refused");
    default:
        return error_set(error, -EPROTO, "0x%02x instead of '.', 'X' or 'R'", (unsigned char)verdict);
    }
}

/* One record. `answer` gets `size` bytes; with size 0 none are expected. */
static int ask(struct session *session, const char *record, size_t length, int64_t wait_us, uint8_t *answer,
               size_t size, struct error *error)
{
    char digits[ANSWER_MAX];
    char verdict;
    int status = send_echoed(session, record, length, error);

    if (status == 0)
        status = read_verdict(session, digits, wait_us, &verdict, error);
    if (status < 0)
        return status;
    status = judge(verdict, digits, answer, size, error);
    session->link.naks += status < 0;
    return status;
}

static int command(struct session *session, enum record_type type, uint16_t address, const uint8_t *data,
                   uint8_t size, int64_t flash_us, struct error *error)
{
    char record[RECORD_MAX + 1];

    return ask(session, record, make_record(record, type, address, data, size), ANSWER_US + flash_us, NULL, 0,
               error);
}

static int misc_read(struct session *session, uint8_t what, uint8_t *value, struct error *error)
{
    char record[RECORD_MAX + 1];
    int status =
        ask(session, record, make_record(record, RECORD_MISC_READ, 0, &what, 1), ANSWER_US, value, 1, error);

    return status < 0 ? error_prefix(error, "misc read %02X", what) : 0;
}

static int misc_write(struct session *session, uint8_t what, uint8_t value, struct error *error)
{
    const uint8_t data[2] = {what, value};
    int status = command(session, RECORD_MISC_WRITE, 0, data, sizeof data, ANSWER_US, error);

    return status < 0 ? error_prefix(error, "misc write %02X", what) : 0;
}

/* --- contact ------------------------------------------------------------------------------ */

/* One 'U'. What came back, or 0 for silence. */
static int send_u(struct session *session, char *answer, struct error *error)
{
    int status = port_write(session->port, "U", 1, session_deadline(session, WRITE_US), error);

    *answer = 0;
    if (status == 0)
        status = port_read(session->port, answer, 1,
                           session_deadline(session, SYNC_ANSWER_US + wire_us(session, 2)), error);
    return status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us ? 0 : status;
}

/* 'U' until it comes back: the loader measures the first ones. -EAGAIN: silence. */
static int sync_at_rate(struct session *session, uint32_t baud, struct error *error)
{
    const struct port_line line = line_at(baud);
    int status = port_set_line(session->port, &line, error);
    char answer = 0, heard = 0;

    session->link.attempts++;
    if (status == 0 && session->entry)
        status = entry_enter(session, error);
    port_discard(session->port);
    for (int attempt = 0; attempt < SYNC_ATTEMPTS && status == 0 && answer != 'U'; attempt++) {
        status = send_u(session, &answer, error);
        heard = answer ? answer : heard;
    }
    if (status == 0 && !heard)
        return error_set(error, -EAGAIN, "no echo of 'U' at %u baud", baud);
    if (status == 0 && answer != 'U')
        return error_set(error, -EPROTO, "0x%02x instead of the echo of 'U' at %u baud", (unsigned char)heard,
                         baud);
    return status < 0 ? status
                      : port_settle(session->port, QUIET_US, session_deadline(session, FADE_US), error);
}

/* "Read version": it changes nothing, so it is repeated until a record that was left half-way has ended. */
static int read_version(struct session *session, struct error *error)
{
    char record[RECORD_MAX + 1];
    size_t length = make_record(record, RECORD_VERSION, 0, NULL, 0);
    int status = -EPROTO;

    for (int attempt = 0; attempt < RECORDS_TO_END && (status == -EPROTO || status == -EBADMSG); attempt++) {
        session->link.resends += attempt > 0;
        if (attempt > 0)
            (void)port_settle(session->port, QUIET_US, session_deadline(session, FADE_US), error);
        status = ask(session, record, length, session->half_way ? PATCH_US : ANSWER_US,
                     &session->board.bootloader, 1, error);
        if (status == -ETIMEDOUT && attempt + 1 < RECORDS_TO_END &&
            port_now_us(session->port) < session->deadline_us && session->half_way &&
            state_of(session)->echoed)
            status = -EPROTO; /* it was the middle of something */
    }
    return status < 0 ? error_prefix(error, "version") : 0;
}

static bool rate_to_blame(const struct session *session, int status)
{
    return (status == -EAGAIN || status == -EPROTO || status == -EBADMSG || status == -ETIMEDOUT) &&
           port_now_us(session->port) < session->deadline_us;
}

/* The one-byte divisor of the autobaud limits the range: the ordered rate, and half the usual one. */
static int find_rate(struct session *session, bool prove, struct error *error)
{
    uint32_t top = session->baud_max ? session->baud_max : DEFAULT_BAUD;
    uint32_t rates[] = {session->baud_proven ? session->baud_proven : top, top, DEFAULT_BAUD / 2};
    int status = -EAGAIN;

    for (size_t i = 0; i < sizeof rates / sizeof *rates && (i == 0 || rate_to_blame(session, status)); i++) {
        if (i > 0 && rates[i] == rates[i - 1])
            continue;
        status = sync_at_rate(session, rates[i], error);
        if (status == 0 && prove)
            status = read_version(session, error);
    }
    return status;
}

static int p89lpc_connect(struct session *session, struct error *error)
{
    int status = session->in_step ? read_version(session, error) : -EAGAIN;

    session->link.attempts += session->in_step;
    if (status < 0 && rate_to_blame(session, status))
        status = find_rate(session, true, error);
    if (status < 0 && status != -EAGAIN && rate_to_blame(session, status) && !session->half_way) {
        session->half_way = true; /* something answers, but not what it is asked */
        status = find_rate(session, true, error);
    }
    session->baud_proven = status == 0 ? session->port->line.baud : 0;
    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

static int p89lpc_probe(struct session *session, struct error *error)
{
    int status = find_rate(session, false, error);

    if (status == 0)
        session->baud_proven = session->port->line.baud;
    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

static const struct chip *chip_of(uint32_t id)
{
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->kind == CHIP_P89LPC && chip_at(i)->family->id == id)
            return chip_at(i);
    return NULL;
}

static int read_id(struct session *session, uint32_t *id, struct error *error)
{
    uint8_t bytes[3];
    int status = 0;

    for (uint8_t i = 0; i < sizeof bytes && status == 0; i++)
        status = misc_read(session, (uint8_t)(MISC_MANUFACTURER + i), &bytes[i], error);
    *id = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    return status;
}

static int p89lpc_identify(struct session *session, struct error *error)
{
    struct board *board = &session->board;
    int status = read_id(session, &board->chip_id, error);
    const struct chip *chip = status == 0 ? chip_of(board->chip_id) : NULL;

    if (!chip)
        return status;
    session->family = chip->family;
    board->flash_size = chip->flash_size;
    board->loader = (struct chip_span){.address = chip->flash_size - LOADER_SIZE, .size = LOADER_SIZE};
    return 0;
}

static int p89lpc_resync(struct session *session, struct error *error)
{
    bool half_way = session->half_way;
    uint32_t id;
    int status = port_settle(session->port, QUIET_US, session_deadline(session, FADE_US), error);

    session->half_way = true;
    if (status == 0 || status == -ETIMEDOUT)
        status = read_version(session, error);
    session->half_way = half_way;
    if (status == -EPROTO || status == -EBADMSG)
        return error_set(error, -ETIMEDOUT, "the board has stopped answering sensibly");
    if (status == 0)
        status = read_id(session, &id, error);
    if (status == 0 && id != session->board.chip_id)
        return error_set(error, -EPROTO, "chip id 0x%06x was 0x%06x before", id, session->board.chip_id);
    return status;
}

/* --- flash -------------------------------------------------------------------------------- */

/* A refusal has a reason that can be asked for. */
static int why_refused(struct session *session, uint32_t address, struct error *error)
{
    struct error ignored;
    uint8_t security;

    if (misc_read(session, (uint8_t)(MISC_SECURITY + address / SECTOR_SIZE), &security, &ignored) == 0 &&
        security & ERASE_DISABLED)
        return error_set(
            error, FAILURE_CODE(FAILURE_PROTECTED),
            "the security byte of the sector at 0x%04x is 0x%02x: only a chip erase by a parallel or "
            "ICP programmer removes that",
            address, security);
    return error->code;
}

static int p89lpc_erase(struct session *session, const struct chip_sector *sectors, size_t count,
                        struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t data[3] = {0x01, (uint8_t)(sectors[i].address >> 8), (uint8_t)sectors[i].address};
        int status = command(session, RECORD_ERASE, 0, data, sizeof data, sectors[i].erase_max_us, error);

        if (status == -EBADMSG)
            status = why_refused(session, sectors[i].address, error);
        if (status < 0)
            return error_prefix(error, "erase of sector %u", sectors[i].number);
    }
    return 0;
}

static int program_piece(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                         struct error *error)
{
    int status = command(session, RECORD_PROGRAM, (uint16_t)address, bytes, (uint8_t)size,
                         session->family->program_max_us, error);

    return status < 0 ? error_prefix(error, "write at 0x%04x", address) : 0;
}

static int program_pieces(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                          uint32_t step, struct error *error)
{
    int status = 0;

    for (uint32_t done = 0; done < size && status == 0; done += step)
        status = program_piece(session, address + done, bytes + done, size - done < step ? size - done : step,
                               error);
    return status;
}

/* Whole pages where the loader takes them, which it shows with the first one. */
static int p89lpc_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    struct p89lpc *state = state_of(session);
    int status = program_pieces(session, address, bytes, size,
                                state->record_data ? state->record_data : DATA_MAX, error);

    if (status == -EBADMSG && state->record_data == 0 && size > DATA_SAFE) {
        log_info(&session->log, "%s; trying records of %u bytes", error->text, DATA_SAFE);
        session->link.resends++;
        status = program_pieces(session, address, bytes, size, DATA_SAFE, error);
        state->record_data = status == 0 ? DATA_SAFE : 0;
    } else if (status == 0 && state->record_data == 0 && size > DATA_SAFE) {
        state->record_data = DATA_MAX;
    }
    return status;
}

static int p89lpc_sum(struct session *session, const struct chip_sector *sector, uint32_t *sum,
                      struct error *error)
{
    const uint8_t high = (uint8_t)(sector->address >> 8);
    char record[RECORD_MAX + 1];
    uint8_t answer[4];
    int status = ask(session, record, make_record(record, RECORD_SECTOR_CRC, 0, &high, 1), ANSWER_US, answer,
                     sizeof answer, error);

    if (status < 0)
        return error_prefix(error, "CRC of sector %u", sector->number);
    *sum = get_be32(answer);
    return 0;
}

/* --- configuration ------------------------------------------------------------------------ */

static int set_and_check(struct session *session, uint8_t what, uint8_t value, struct error *error)
{
    uint8_t found;
    int status = misc_write(session, what, value, error);

    if (status == 0)
        status = misc_read(session, what, &found, error);
    if (status == 0 && found != value)
        return error_set(error, -EBADMSG, "misc %02X reads 0x%02x after 0x%02x was written", what, found,
                         value);
    return status;
}

static int p89lpc_write_options(struct session *session, uint32_t address, const uint8_t *bytes,
                                uint32_t size, struct error *error)
{
    int status = 0;

    for (uint32_t i = 0; i < size && status == 0; i++)
        status = set_and_check(session, (uint8_t)(address - OPTIONS_AT + i), bytes[i], error);
    return status;
}

/* Bits can only be added. */
static int secure_sector(struct session *session, uint32_t number, uint8_t bits, struct error *error)
{
    uint8_t what = (uint8_t)(MISC_SECURITY + number);
    uint8_t now;
    int status = misc_read(session, what, &now, error);

    if (status < 0 || (now & bits) == bits)
        return status;
    return set_and_check(session, what, now | bits, error);
}

/* Every sector but the loader's. */
static int p89lpc_protect(struct session *session, struct error *error)
{
    uint32_t count = session->board.loader.address / SECTOR_SIZE;
    int status = 0;

    for (uint32_t i = 0; i < count && status == 0; i++)
        status = secure_sector(session, i, MOVC_DISABLED, error);
    return status;
}

static int p89lpc_write_protect(struct session *session, const struct chip_sector *sectors, size_t count,
                                struct error *error)
{
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++)
        status = secure_sector(session, sectors[i].number, 0x02, error);
    return status;
}

/* Status byte 00: from now on a reset starts the application. Then that reset, which nobody answers. */
static int p89lpc_run(struct session *session, uint32_t address, struct error *error)
{
    char record[RECORD_MAX + 1];
    int status = set_and_check(session, MISC_STATUS, 0x00, error);

    (void)address; /* 0, always */
    if (status == 0)
        status = send_echoed(session, record, make_record(record, RECORD_RESET, 0, NULL, 0), error);
    return status < 0 ? error_prefix(error, "run") : 0;
}

static void p89lpc_disconnect(struct session *session)
{
    struct error ignored;

    if (session->entry)
        (void)entry_leave(session, &ignored);
}

/* Boot vector and status byte decide whether this loader is ever found again, and security bytes are the
 * recipe's `protect`: none of them is an option. */
static int p89lpc_check(const struct order *order, struct error *error)
{
    for (size_t i = 0; i < order->option_count; i++)
        if (order->options[i].address + order->options[i].size > OPTIONS_AT + MISC_UCFG2 + 1)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%x: only UCFG1 (0x10000) and UCFG2 (0x10001) can be given",
                             order->options[i].address);
    return 0;
}

static uint32_t p89lpc_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                                  uint32_t size_or_count)
{
    (void)family;
    switch (operation) {
    case WIRE_ERASE:
        return size_or_count * (1 + 2 * 8 + 3);
    case WIRE_ERASE_ALL:
        return 0;
    case WIRE_WRITE: /* the echo runs beside it */
        return 1 + 2 * (4 + size_or_count + 1) + 3;
    case WIRE_READ:
        return 0;
    case WIRE_CHECKSUM:
        return 1 + 2 * 6 + 8 + 3;
    }
    return 0;
}

const struct protocol protocol_p89lpc9xx = {
    .name = "p89lpc9xx",
    .summary = "factory serial loader of the P89LPC9xx (UM10109)",
    .state_size = sizeof(struct p89lpc),
    .chips = CHIP_P89LPC,
    .transfer_max = DATA_MAX,
    .slowest_baud = DEFAULT_BAUD / 2,
    .check = p89lpc_check,
    .connect = p89lpc_connect,
    .probe = p89lpc_probe,
    .identify = p89lpc_identify,
    .resync = p89lpc_resync,
    .erase = p89lpc_erase,
    .write = p89lpc_write,
    .sum = p89lpc_sum,
    .write_options = p89lpc_write_options,
    .protect = p89lpc_protect,
    .write_protect = p89lpc_write_protect,
    .run = p89lpc_run,
    .disconnect = p89lpc_disconnect,
    .wire_bytes = p89lpc_wire_bytes,
    .line = line_at,
};
