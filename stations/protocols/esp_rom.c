/* SPDX-License-Identifier: Apache-2.0 */
/* Espressif's ROM loader on a UART: ESP8266, ESP32 and what came after.
 *
 * Follows Espressif's "Serial protocol" (esptool's documentation), whose command names are used below; where
 * a chip keeps its MAC and its flash controller stands in stations/chips/esp.c. Requests and responses are
 * SLIP frames. A request: 0, opcode, size of data, checksum, data. A response: 1, opcode, size, a value,
 * data, and at its end the status, two bytes of which count. All numbers are little-endian.
 *
 * No code is put into the chip. The ROM takes a range of flash at a time: it erases it at BEGIN, then takes
 * its content in blocks, on everything newer than ESP8266 as one zlib stream; and it sums it up by MD5. The
 * ESP8266's ROM can neither read nor sum, but lets us drive the flash controller, word by word: slow, and
 * true.
 *
 * Contact is made at up to 115200 baud, where the ROM measures the first request; the station's rate, where
 * it is higher, is then asked for (not on ESP8266). */
#include "protocol.h"
#include "protocols.h"

#include "alloc.h"
#include "bytes.h"
#include "failure.h"
#include "md5.h"
#include "plan.h"
#include "slip.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum opcode {
    FLASH_BEGIN = 0x02,
    FLASH_DATA = 0x03,
    FLASH_END = 0x04,
    SYNC = 0x08,
    WRITE_REG = 0x09,
    READ_REG = 0x0A,
    SPI_SET_PARAMS = 0x0B,
    SPI_ATTACH = 0x0D,
    READ_FLASH_SLOW = 0x0E,
    CHANGE_BAUDRATE = 0x0F,
    FLASH_DEFL_BEGIN = 0x10,
    FLASH_DEFL_DATA = 0x11,
    SPI_FLASH_MD5 = 0x13,
    GET_SECURITY_INFO = 0x14,
};

enum rom_error {
    INVALID_MESSAGE = 0x05,
    FAILED_TO_ACT = 0x06,
    INVALID_CRC = 0x07,
    FLASH_WRITE_ERROR = 0x08,
    FLASH_READ_ERROR = 0x09,
    FLASH_READ_LENGTH_ERROR = 0x0A,
    DEFLATE_ERROR = 0x0B,
};

#define MS 1000 /* in microseconds */

/* How long the ROM may think, beyond the time the bytes take on the line. */
enum {
    SYNC_ANSWER_US = 100 * MS,
    ANSWER_US = 1000 * MS,
    FLASH_ANSWER_US = 3000 * MS, /* beyond what the flash itself takes */
    QUIET_US = 50 * MS,          /* silence that ends whatever was still being said */
    RUN_ANSWER_US = 300 * MS,    /* the application may cut the answer short */
};

#define SYNC_BAUD      115200u /* the ROM measures rates up to here reliably */
#define BLOCK_BYTES    0x400u
#define BLOCK_ATTEMPTS 3
#define SLOW_READ      64u
#define DATA_HEADER    16u
#define HEADER         8u
#define CHECKSUM_SEED  0xEFu
#define REPLY_MAX      128u
#define SECTOR_MAX     4096u
#define SLICE_BYTES    16384u /* compressed in one go: a millisecond or two of the loop's time */

#define PROOF_READS 4

#define MAGIC_REGISTER  0x40001000u
#define MAGIC_ESP8266   0xFFF0C101u
#define MAGIC_ESP32     0x00F01D83u
#define MAGIC_ESP32S2   0x000007C6u
#define SECURITY_BYTES  20u
#define SECURITY_LEAST  12u /* of ESP32-S2, without chip and version */
#define SECURE_DOWNLOAD 0x4u

#define IMAGE_MAGIC   0xE9
#define IMAGE_CHIP_AT 12u /* in the image's header: the chip it is for, 16 bits */
#define IMAGE_HEADER  14u
#define OTHER_OFFSET  0x1000u

struct esp {
    uint8_t waiting[256]; /* received, and not yet looked at */
    size_t at, count;
    struct slip_decoder decoder;
    uint8_t frame[REPLY_MAX];
    uint8_t head[SECTOR_MAX]; /* what stands before a range in its first sector, as it was read last */
    uint32_t head_at, head_size;
};

struct reply {
    uint32_t value;
    const uint8_t *data; /* without the status */
    size_t size;
};

static const uint32_t rates[] = {115200, 57600, 9600};

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

static struct esp *state_of(struct session *session)
{
    return session->state;
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return port_line_wire_ns(&session->port->line, bytes) / 1000;
}

static bool is_esp8266(const struct session *session)
{
    return session->board.chip_id == MAGIC_ESP8266;
}

static void put_le32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* --- frames ------------------------------------------------------------------------------- */

static void forget_received(struct session *session)
{
    struct esp *state = state_of(session);

    port_discard(session->port);
    state->at = state->count = 0;
    state->decoder = (struct slip_decoder){.bytes = state->frame, .room = sizeof state->frame};
}

/* Waits for silence. 0 also when it never comes: what follows will find out. */
static int settle(struct session *session, struct error *error)
{
    int status = port_settle(session->port, QUIET_US, session_deadline(session, ANSWER_US), error);

    forget_received(session);
    return status == -ETIMEDOUT ? 0 : status;
}

/* No response is shorter. */
#define FRAME_LEAST (2 + HEADER + 2)

/* Waits for `least` bytes, or with 0 for any. */
static int receive(struct session *session, size_t least, int64_t deadline_us, struct error *error)
{
    struct esp *state = state_of(session);
    int got = (int)least;
    int status = 0;

    if (least)
        status = port_read(session->port, state->waiting, least, deadline_us, error);
    else
        got = port_read_some(session->port, state->waiting, sizeof state->waiting, deadline_us, error);
    if (status < 0 || got < 0)
        return status < 0 ? status : got;
    state->at = 0;
    state->count = (size_t)got;
    return 0;
}

/* The deadline has passed, and what had come by then was in vain: a board that talks without end would keep
 * us for ever. */
static bool in_vain(const struct session *session, int64_t deadline_us)
{
    const struct esp *state = session->state;

    return state->at == state->count && port_now_us(session->port) >= deadline_us;
}

/* The next frame, whatever it is. */
static int read_frame(struct session *session, int64_t deadline_us, struct error *error)
{
    struct esp *state = state_of(session);
    size_t least = state->at == state->count ? FRAME_LEAST : 0;

    for (;;) {
        int status;

        while (state->at < state->count)
            if (slip_take(&state->decoder, state->waiting[state->at++]))
                return 0;
        if (least == 0 && in_vain(session, deadline_us))
            return error_set(error, -ETIMEDOUT, "a frame without end");
        status = receive(session, least, deadline_us, error);
        if (status < 0)
            return status;
        least = 0;
    }
}

static int send_request(struct session *session, enum opcode opcode, const uint8_t *data, uint32_t size,
                        uint32_t checksum, struct error *error)
{
    uint8_t packet[HEADER + DATA_HEADER + BLOCK_BYTES];
    uint8_t frame[SLIP_FRAME_MAX(sizeof packet)];
    size_t length;

    packet[0] = 0;
    packet[1] = (uint8_t)opcode;
    packet[2] = (uint8_t)size;
    packet[3] = (uint8_t)(size >> 8);
    put_le32(packet + 4, checksum);
    if (size)
        memcpy(packet + HEADER, data, size);
    length = slip_encode(packet, HEADER + size, frame);
    return port_write(session->port, frame, length,
                      session_deadline(session, ANSWER_US + wire_us(session, length)), error);
}

static const char *error_words(uint8_t code)
{
    switch ((enum rom_error)code) {
    case INVALID_MESSAGE:
        return "the request is not understood";
    case FAILED_TO_ACT:
        return "it failed to act on it";
    case INVALID_CRC:
        return "the data's checksum is wrong";
    case FLASH_WRITE_ERROR:
        return "the flash took it, but reads differently";
    case FLASH_READ_ERROR:
        return "the flash cannot be read";
    case FLASH_READ_LENGTH_ERROR:
        return "too much to read at once";
    case DEFLATE_ERROR:
        return "the compressed data cannot be inflated";
    }
    return "for a reason unknown";
}

static int refused(const char *what, uint8_t code, struct error *error)
{
    return error_set(error, -EBADMSG, "%s: refused, %s (error 0x%02x)", what, error_words(code), code);
}

/* The two bytes of the status that count stand behind the data; a response that refuses has no data. */
static int judge(const uint8_t *payload, size_t size, size_t wanted, const char *what, struct error *error)
{
    const uint8_t *status = size >= wanted + 2 ? payload + wanted : payload;

    if (size < 2)
        return error_set(error, -EPROTO, "%s: a response without a status", what);
    if (status[0] != 0)
        return refused(what, status[1], error);
    if (size < wanted + 2)
        return error_set(error, -EPROTO, "%s: a response of %zu bytes instead of %zu", what, size,
                         wanted + 2);
    return 0;
}

/* The response to `opcode`, with `wanted` bytes of data. Others are left overs: SYNC is answered eight times,
 * an unknown request several times and under another name. */
static int read_reply(struct session *session, enum opcode opcode, size_t wanted, int64_t deadline_us,
                      const char *what, struct reply *reply, struct error *error)
{
    const struct slip_decoder *decoder = &state_of(session)->decoder;

    for (bool first = true;; first = false) {
        int status = !first && in_vain(session, deadline_us)
                         ? error_set(error, -ETIMEDOUT, "only other responses come")
                         : read_frame(session, deadline_us, error);
        const uint8_t *payload = decoder->bytes + HEADER;
        size_t size;

        if (status < 0)
            return error_prefix(error, "%s", what);
        if (decoder->size < HEADER + 2 || decoder->bytes[0] != 1)
            continue;
        if (decoder->bytes[1] != (uint8_t)opcode) {
            if (payload[0] != 0 && payload[1] == INVALID_MESSAGE)
                return refused(what, INVALID_MESSAGE, error);
            continue;
        }
        size = decoder->size - HEADER;
        *reply = (struct reply){.value = get_le32(decoder->bytes + 4), .data = payload, .size = wanted};
        status = judge(payload, size, wanted, what, error);
        session->link.naks += status < 0 && opcode != SYNC;
        return status;
    }
}

/* One request and its response; `checksum` is that of the payload in *_DATA, else 0. */
static int exchange(struct session *session, enum opcode opcode, const uint8_t *data, uint32_t size,
                    uint32_t checksum, size_t wanted, int64_t wait_us, const char *what, struct reply *reply,
                    struct error *error)
{
    int status = send_request(session, opcode, data, size, checksum, error);
    int64_t deadline_us =
        session_deadline(session, wait_us + wire_us(session, SLIP_FRAME_MAX(HEADER + size + REPLY_MAX)));

    return status < 0 ? error_prefix(error, "%s", what)
                      : read_reply(session, opcode, wanted, deadline_us, what, reply, error);
}

/* A request whose data are 32-bit numbers. */
static int command(struct session *session, enum opcode opcode, const uint32_t *words, size_t count,
                   size_t wanted, int64_t wait_us, const char *what, struct reply *reply, struct error *error)
{
    uint8_t data[24];

    for (size_t i = 0; i < count; i++)
        put_le32(data + 4 * i, words[i]);
    return exchange(session, opcode, data, (uint32_t)(4 * count), 0, wanted, wait_us, what, reply, error);
}

static int read_register(struct session *session, uint32_t address, uint32_t *value, struct error *error)
{
    struct reply reply;
    int status = command(session, READ_REG, &address, 1, 0, ANSWER_US, "READ_REG", &reply, error);

    if (status == 0)
        *value = reply.value;
    return status;
}

static int write_register(struct session *session, uint32_t address, uint32_t value, struct error *error)
{
    const uint32_t words[] = {address, value, 0xFFFFFFFF, 0}; /* all bits, no delay */
    struct reply reply;

    return command(session, WRITE_REG, words, 4, 0, ANSWER_US, "WRITE_REG", &reply, error);
}

/* --- contact ------------------------------------------------------------------------------ */

/* One SYNC. -EAGAIN: no response. The ROM's boot log, and what else comes, is no frame of its kind. */
static int sync_once(struct session *session, struct error *error)
{
    static const uint8_t pattern[36] = {
        0x07, 0x07, 0x12, 0x20, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
        0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
        0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
    };
    struct reply reply;
    int status;

    forget_received(session);
    status = exchange(session, SYNC, pattern, sizeof pattern, 0, 0, SYNC_ANSWER_US, "SYNC", &reply, error);
    if (status == 0)
        return settle(session, error);
    if (status == -EBADMSG || status == -EPROTO ||
        (status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us))
        return error_set(error, -EAGAIN, "no response to SYNC at %" PRIu32 " baud", session->port->line.baud);
    return status;
}

static int sync_several(struct session *session, int attempts, struct error *error)
{
    int status = -EAGAIN;

    for (int i = 0; i < attempts && status == -EAGAIN; i++)
        status = sync_once(session, error);
    return status;
}

static int try_rate(struct session *session, uint32_t baud, int attempts, struct error *error)
{
    const struct port_line line = line_at(baud);
    int status = port_set_line(session->port, &line, error);

    session->link.attempts++;
    if (status == 0)
        status = entry_enter(session, error);
    return status < 0 ? status : sync_several(session, attempts, error);
}

static uint32_t top_rate(const struct session *session)
{
    return session->baud_max ? session->baud_max : SYNC_BAUD;
}

static uint32_t first_rate(const struct session *session)
{
    return top_rate(session) < SYNC_BAUD ? top_rate(session) : SYNC_BAUD;
}

static const struct chip_family *family_of(uint32_t id)
{
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->kind == CHIP_ESP && chip_at(i)->family->id == id)
            return chip_at(i)->family;
    return NULL;
}

/* GET_SECURITY_INFO: flags (4), flash encryption count, key purposes (7), chip id (4), version (4); the
 * ESP32-S2 leaves the last two out. */
static int read_security(struct session *session, uint32_t *chip_id, struct error *error)
{
    bool s2 = *chip_id == MAGIC_ESP32S2;
    struct reply reply;
    int status = command(session, GET_SECURITY_INFO, NULL, 0, s2 ? SECURITY_LEAST : SECURITY_BYTES, ANSWER_US,
                         "GET_SECURITY_INFO", &reply, error);

    if (status < 0)
        return status;
    if (!s2)
        *chip_id = get_le32(reply.data + 12);
    if (get_le32(reply.data) & SECURE_DOWNLOAD)
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "the chip is in secure download mode: its flash can be written but not verified");
    if (__builtin_popcount(reply.data[4]) % 2)
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "the chip decrypts its flash: a plain image would not start");
    return 0;
}

/* A chip as old as those that a word of their ROM tells, but another: it knows no number to tell. The word is
 * believed when it reads the same twice. */
static int confirm_magic(struct session *session, uint32_t magic, struct error *error)
{
    uint32_t again = 0;
    int status = settle(session, error);

    if (status == 0)
        status = read_register(session, MAGIC_REGISTER, &again, error);
    if (status == 0 && again != magic)
        return error_set(error, -EPROTO, "a word reads differently each time at %" PRIu32 " baud",
                         session->port->line.baud);
    return status;
}

/* The oldest three are told by a word of their ROM; all later ones have a number. The oldest two have nothing
 * to say of their security. */
static int detect_chip(struct session *session, struct error *error)
{
    uint32_t magic = 0, id;
    int status = read_register(session, MAGIC_REGISTER, &magic, error);

    id = magic;
    if (status == -EBADMSG || (status == 0 && id != MAGIC_ESP8266 && id != MAGIC_ESP32)) {
        status = status == -EBADMSG ? settle(session, error) : 0;
        if (status == 0)
            status = read_security(session, &id, error);
        if (status == -EBADMSG && magic)
            status = confirm_magic(session, magic, error);
    }
    if (status < 0)
        return status;
    session->board.chip_id = id;
    session->family = family_of(id);
    return 0;
}

/* Errors that another rate may cure; the rest (port gone, cancelled, deadline) are final. */
static bool rate_to_blame(const struct session *session, int status)
{
    return (status == -EAGAIN || status == -EPROTO || status == -EBADMSG || status == -ETIMEDOUT) &&
           port_now_us(session->port) < session->deadline_us;
}

/* Responses carry no checksum: a rate is believed when a word is read several times the same. */
static int prove_rate(struct session *session, struct error *error)
{
    uint32_t once, again;
    int status = read_register(session, MAGIC_REGISTER, &once, error);

    for (int i = 1; status == 0 && i < PROOF_READS; i++) {
        status = read_register(session, MAGIC_REGISTER, &again, error);
        if (status == 0 && again != once)
            status = error_set(error, -EPROTO, "a word reads differently each time at %" PRIu32 " baud",
                               session->port->line.baud);
    }
    return status;
}

/* CHANGE_BAUDRATE: answered at the old rate. A board that does not follow is fetched back by its entry. */
static int raise_rate(struct session *session, struct error *error)
{
    const uint32_t words[] = {top_rate(session), 0}; /* the second is for Espressif's own loader in RAM */
    const struct port_line line = line_at(words[0]);
    struct reply reply;
    int status;

    if (words[0] <= session->port->line.baud || !session->family || is_esp8266(session))
        return 0;
    status = command(session, CHANGE_BAUDRATE, words, 2, 0, ANSWER_US, "CHANGE_BAUDRATE", &reply, error);
    if (status == 0)
        status = port_set_line(session->port, &line, error);
    if (status == 0)
        status = sync_several(session, 5, error);
    if (status == 0)
        status = prove_rate(session, error);
    if (!rate_to_blame(session, status) || !entry_resets(session->entry))
        return status;
    log_info(&session->log, "the board does not follow to %" PRIu32 " baud: %s", words[0], error->text);
    return try_rate(session, first_rate(session), 7, error);
}

static int meet(struct session *session, struct error *error)
{
    int status = detect_chip(session, error);

    if (status == 0)
        status = prove_rate(session, error);
    return status < 0 ? status : raise_rate(session, error);
}

/* After a reset the ROM talks for a tenth of a second before it listens: several attempts. */
static int attempts_at(const struct session *session, bool thorough)
{
    return thorough || entry_resets(session->entry) ? 7 : 2;
}

static int connect_at(struct session *session, uint32_t baud, int attempts, struct error *error)
{
    int status = try_rate(session, baud, attempts, error);

    return status < 0 ? status : meet(session, error);
}

/* A board that is not reset may still be at the rate that was agreed on last. */
static bool keeps_rate(const struct session *session)
{
    return !entry_resets(session->entry) && session->baud_proven &&
           session->baud_proven != first_rate(session);
}

/* From the rate of first contact downwards. */
static int try_rates(struct session *session, struct error *error)
{
    uint32_t first = first_rate(session);
    int attempts = attempts_at(session, true);
    int status = connect_at(session, first, attempts, error);

    for (size_t i = 0; rate_to_blame(session, status) && i < sizeof rates / sizeof *rates; i++)
        if (rates[i] < first) {
            struct error lower;
            int lower_status = connect_at(session, rates[i], attempts, &lower);

            /* Of two failures the one that heard something tells more. */
            if (lower_status == 0 || status == -EAGAIN || !rate_to_blame(session, lower_status)) {
                status = lower_status;
                *error = lower;
            }
        }
    return status;
}

static int esp_connect(struct session *session, struct error *error)
{
    /* A board that has just been probed is in step; SYNC costs little. */
    int status = session->in_step ? sync_once(session, error) : -EAGAIN;

    session->link.attempts += session->in_step;
    if (status == 0)
        status = meet(session, error);
    if (keeps_rate(session) && rate_to_blame(session, status))
        status = connect_at(session, session->baud_proven, 2, error);
    if (rate_to_blame(session, status))
        status = try_rates(session, error);
    session->baud_proven = status == 0 ? session->port->line.baud : 0;
    if (status == -EAGAIN)
        return error_set(
            error, FAILURE_CODE(FAILURE_NO_CONTACT),
            "nothing answers SYNC at %" PRIu32
            " baud or below: no board, no power, or not in its loader (IO0, or IO9, low at reset)",
            first_rate(session));
    return status;
}

static int esp_probe(struct session *session, struct error *error)
{
    int status = keeps_rate(session) ? try_rate(session, session->baud_proven, 2, error) : -EAGAIN;

    if (status == -EAGAIN)
        status = try_rate(session, first_rate(session), attempts_at(session, false), error);
    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

/* --- registers ---------------------------------------------------------------------------- */

/* The MAC in the order it is written; ESP8266 keeps half of its vendor's part elsewhere, or implies it. */
static void order_mac(uint8_t *mac, uint32_t low, uint32_t high, bool esp8266, uint32_t vendor)
{
    put_be16(mac, (uint16_t)high);
    put_be32(mac + 2, low);
    if (!esp8266)
        return;
    if (vendor == 0)
        vendor = (high >> 16 & 0xFF) == 0 ? 0x18FE34 : 0xACD074;
    mac[0] = (uint8_t)(vendor >> 16);
    mac[1] = (uint8_t)(vendor >> 8);
    mac[2] = (uint8_t)vendor;
    mac[3] = (uint8_t)(high >> 8);
    mac[4] = (uint8_t)high;
    mac[5] = (uint8_t)(low >> 24);
}

static int read_mac(struct session *session, struct error *error)
{
    uint32_t address = session->family->esp->mac_address, low = 0, high = 0, vendor = 0;
    int status = read_register(session, address, &low, error);

    if (status == 0)
        status = read_register(session, address + 4, &high, error);
    if (status == 0 && is_esp8266(session))
        status = read_register(session, address + 12, &vendor, error);
    order_mac(session->board.uid, low, high, is_esp8266(session), vendor);
    session->board.uid_size = status == 0 ? 6 : 0;
    return status;
}

#define ESP32_CRYPT_COUNT(word) ((word) >> 20 & 0x7F)

/* ESP32 has no GET_SECURITY_INFO: its efuses' first word, ahead of the MAC's, counts encryptions. */
static int check_esp32_encryption(struct session *session, struct error *error)
{
    uint32_t word;
    int status;

    if (session->board.chip_id != MAGIC_ESP32)
        return 0;
    status = read_register(session, session->family->esp->mac_address - 4, &word, error);
    if (status == 0 && __builtin_popcount(ESP32_CRYPT_COUNT(word)) % 2)
        return error_set(error, FAILURE_CODE(FAILURE_PROTECTED),
                         "the chip decrypts its flash: a plain image would not start");
    return status;
}

/* The flash controller's registers: bits of USR, fields of USR1 and USR2, bit of CMD. */
#define USR_COMMAND        (1u << 31)
#define USR_ADDRESS        (1u << 30)
#define USR_MISO           (1u << 28)
#define USR1_ADDRESS(bits) ((bits) ? ((bits)-1u) << 26 : 0u)
#define USR1_MISO(bits)    (((bits)-1u) << 8)
#define USR2_COMMAND(code) (7u << 28 | (code))
#define CMD_USR            (1u << 18)
#define SPI_ADDRESS        0x04u
#define CMD_POLLS          10

enum { SPI_READ = 0x03, SPI_READ_ID = 0x9F };

/* Writes registers of the flash controller, given by offset and value. */
static int write_spi(struct session *session, const uint32_t (*pairs)[2], size_t count, struct error *error)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++)
        status = write_register(session, session->family->esp->spi_base + pairs[i][0], pairs[i][1], error);
    return status;
}

/* Starts the command that was set up, and waits for its end. */
static int do_spi(struct session *session, struct error *error)
{
    uint32_t base = session->family->esp->spi_base, word;
    int status = write_register(session, base, CMD_USR, error);

    for (int i = 0; status == 0 && i < CMD_POLLS; i++) {
        status = read_register(session, base, &word, error);
        if (status == 0 && !(word & CMD_USR))
            return 0;
    }
    return status < 0 ? status
                      : error_set(error, FAILURE_CODE(FAILURE_WRONG_CHIP),
                                  "its flash controller is not where that of %s is", session->family->name);
}

/* RDID: maker, type, and the size as a power of two. 0: told in a way of its own. */
static int read_flash_size(struct session *session, struct error *error)
{
    const struct chip_esp *esp = session->family->esp;
    uint32_t usr, usr2, id = 0;
    int status = read_register(session, esp->spi_base + esp->spi_usr, &usr, error);

    if (status == 0)
        status = read_register(session, esp->spi_base + esp->spi_usr2, &usr2, error);
    if (status < 0)
        return status;
    status = write_spi(session,
                       (const uint32_t[][2]){
                           {esp->spi_miso_length ? esp->spi_miso_length : esp->spi_usr1,
                            esp->spi_miso_length ? 24 - 1 : USR1_MISO(24)},
                           {esp->spi_usr, USR_COMMAND | USR_MISO},
                           {esp->spi_usr2, USR2_COMMAND(SPI_READ_ID)},
                           {esp->spi_w0, 0},
                       },
                       4, error);
    if (status == 0)
        status = do_spi(session, error);
    if (status == 0)
        status = read_register(session, esp->spi_base + esp->spi_w0, &id, error);
    if (status == 0)
        status =
            write_spi(session, (const uint32_t[][2]){{esp->spi_usr, usr}, {esp->spi_usr2, usr2}}, 2, error);
    id &= 0xFFFFFF;
    if (status == 0 && (id == 0 || id == 0xFFFFFF))
        return error_set(error, -EPROTO, "no flash answers the chip (RDID reads 0x%06" PRIx32 ")", id);
    if (status == 0 && id >> 16 >= 0x12 && id >> 16 <= 0x18)
        session->board.flash_size = 1u << (id >> 16);
    return status;
}

/* Connects the flash: SPI_ATTACH with the pins of the chip's own wiring, and SPI_SET_PARAMS for its size. The
 * ESP8266 does that at an empty FLASH_BEGIN. */
static int attach_flash(struct session *session, struct error *error)
{
    static const uint32_t nothing[4] = {0, 0, BLOCK_BYTES, 0};
    struct reply reply;

    if (is_esp8266(session))
        return command(session, FLASH_BEGIN, nothing, 4, 0, ANSWER_US, "FLASH_BEGIN", &reply, error);
    return command(session, SPI_ATTACH, nothing, 2, 0, ANSWER_US, "SPI_ATTACH", &reply, error);
}

static int set_flash_size(struct session *session, struct error *error)
{
    const uint32_t words[6] = {
        0, session->board.flash_size ? session->board.flash_size : 16u << 20, 64 << 10, 4 << 10, 256, 0xFFFF};
    struct reply reply;

    if (is_esp8266(session))
        return 0;
    return command(session, SPI_SET_PARAMS, words, 6, 0, ANSWER_US, "SPI_SET_PARAMS", &reply, error);
}

static int esp_identify(struct session *session, struct error *error)
{
    int status = 0;

    if (!session->family)
        return 0;
    status = read_mac(session, error);
    if (status == 0)
        status = check_esp32_encryption(session, error);
    if (status == 0)
        status = attach_flash(session, error);
    if (status == 0)
        status = read_flash_size(session, error);
    return status < 0 ? status : set_flash_size(session, error);
}

/* A board may have been changed for another one of its kind while it was silent. */
static int still_the_same(struct session *session, const struct board *before, struct error *error)
{
    struct board *board = &session->board;
    int status = 0;

    if (board->chip_id == before->chip_id)
        status = read_mac(session, error);
    if (status == 0 &&
        (board->chip_id != before->chip_id || memcmp(board->uid, before->uid, sizeof before->uid) != 0))
        status = error_set(error, FAILURE_CODE(FAILURE_WRONG_BOARD), "it is another board than before");
    *board = *before;
    return status;
}

/* After a refusal or a time-out: SYNC, at worst after another entry; and see that it is still the same board.
 */
static int esp_resync(struct session *session, struct error *error)
{
    const struct board before = session->board;
    int status = settle(session, error);

    if (status == 0)
        status = sync_several(session, 3, error);
    if (status == -EAGAIN && entry_resets(session->entry))
        status = try_rate(session, first_rate(session), 7, error);
    if (status == -EAGAIN)
        return error_set(error, -ETIMEDOUT, "the board has stopped answering");
    if (status == 0)
        status = meet(session, error);
    if (status == 0)
        status = still_the_same(session, &before, error);
    if (status == 0)
        status = attach_flash(session, error);
    return status < 0 ? status : set_flash_size(session, error);
}

/* --- read --------------------------------------------------------------------------------- */

static int read_esp8266(struct session *session, uint32_t address, uint8_t *bytes, struct error *error)
{
    const struct chip_esp *esp = session->family->esp;
    int status = write_spi(session,
                           (const uint32_t[][2]){
                               {esp->spi_usr1, USR1_ADDRESS(24u) | USR1_MISO(8 * SLOW_READ)},
                               {esp->spi_usr, USR_COMMAND | USR_ADDRESS | USR_MISO},
                               {esp->spi_usr2, USR2_COMMAND(SPI_READ)},
                               {SPI_ADDRESS, address << 8},
                           },
                           4, error);

    if (status == 0)
        status = do_spi(session, error);
    for (uint32_t at = 0; status == 0 && at < SLOW_READ; at += 4) {
        uint32_t word;

        status = read_register(session, esp->spi_base + esp->spi_w0 + at, &word, error);
        if (status == 0)
            put_le32(bytes + at, word);
    }
    return status;
}

/* 64 bytes from a multiple of 64. */
static int read_piece(struct session *session, uint32_t address, uint8_t *bytes, struct error *error)
{
    const uint32_t words[] = {address, SLOW_READ};
    struct reply reply;
    int status;

    if (is_esp8266(session))
        return read_esp8266(session, address, bytes, error);
    status =
        command(session, READ_FLASH_SLOW, words, 2, SLOW_READ, ANSWER_US, "READ_FLASH_SLOW", &reply, error);
    if (status == 0)
        memcpy(bytes, reply.data, SLOW_READ);
    return status;
}

static int esp_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    for (uint32_t at = 0; at < size;) {
        uint8_t piece[SLOW_READ];
        uint32_t skip = (address + at) % SLOW_READ;
        uint32_t now = SLOW_READ - skip < size - at ? SLOW_READ - skip : size - at;
        int status = read_piece(session, address + at - skip, piece, error);

        if (status < 0)
            return error_prefix(error, "read at 0x%08" PRIx32, address + at);
        memcpy(bytes + at, piece + skip, now);
        at += now;
    }
    return 0;
}

/* --- write -------------------------------------------------------------------------------- */

/* What is sent for one range: whole sectors from their start, compressed where the ROM inflates. */
struct stream {
    uint32_t offset; /* in flash, on a sector */
    uint32_t size;   /* of what it becomes in flash */
    uint8_t *bytes;  /* what goes over the line */
    uint32_t length;
    z_stream inflater; /* follows what the ROM makes of it, for deadlines and progress */
};

static uint32_t sector_size(const struct session *session)
{
    return session->family->sectors[0].size;
}

/* What stands before a range in its first sector. It is read once: when the range is sent again, its first
 * BEGIN may have erased it. */
static int read_head(struct session *session, uint32_t offset, uint8_t *bytes, uint32_t size,
                     struct error *error)
{
    struct esp *state = state_of(session);
    int status = 0;

    if (state->head_at != offset || state->head_size != size) {
        state->head_size = 0;
        status = esp_read(session, offset, state->head, size, error);
    }
    if (status < 0)
        return status;
    state->head_at = offset;
    state->head_size = size;
    memcpy(bytes, state->head, size);
    return 0;
}

/* The range with what stands before it in its first sector, which BEGIN will erase; ranges come in ascending
 * order, so an earlier one that ends in that sector is kept. Filled up to whole words. */
static int gather(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                  struct stream *stream, struct error *error)
{
    uint32_t head = address % sector_size(session);
    int status;

    stream->offset = address - head;
    stream->size = (head + size + 3) / 4 * 4;
    stream->length = (stream->size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    stream->bytes = allocate(stream->length, 1);
    status = head ? read_head(session, stream->offset, stream->bytes, head, error) : 0;
    memcpy(stream->bytes + head, bytes, size);
    memset(stream->bytes + head + size, 0xFF, stream->length - head - size);
    return status;
}

/* Compresses slice by slice, so that other stations have their turns. */
static int compress_stream(struct session *session, struct stream *stream, struct error *error)
{
    z_stream zlib = {.next_in = stream->bytes};
    uint32_t room;
    uint8_t *packed;
    int status = 0;

    if (deflateInit(&zlib, Z_BEST_COMPRESSION) != Z_OK)
        return error_set(error, -ENOMEM, "no memory to compress the image");
    room = (uint32_t)deflateBound(&zlib, stream->size);
    packed = allocate(room, 1);
    zlib.next_out = packed;
    zlib.avail_out = room;
    for (uint32_t at = 0; status == 0 && at < stream->size; at += SLICE_BYTES) {
        uint32_t left = stream->size - at;

        zlib.avail_in = left < SLICE_BYTES ? left : SLICE_BYTES;
        (void)deflate(&zlib, left <= SLICE_BYTES ? Z_FINISH : Z_NO_FLUSH);
        status = port_sleep(session->port, 0);
        if (status < 0)
            (void)error_set(error, status, "compressing: interrupted");
    }
    free(stream->bytes);
    stream->bytes = packed;
    stream->length = (uint32_t)zlib.total_out;
    (void)deflateEnd(&zlib);
    return status;
}

/* How many bytes of flash this block makes. */
static uint32_t follow(struct stream *stream, const uint8_t *block, uint32_t size)
{
    z_stream *inflater = &stream->inflater;
    uLong before = inflater->total_out;
    uint8_t scratch[1024];
    int status = Z_OK;

    inflater->next_in = (uint8_t *)(uintptr_t)block; /* zlib does not write there */
    inflater->avail_in = size;
    while (status == Z_OK) {
        inflater->next_out = scratch;
        inflater->avail_out = sizeof scratch;
        status = inflate(inflater, Z_NO_FLUSH);
        if (inflater->avail_out > 0)
            break;
    }
    return (uint32_t)(inflater->total_out - before);
}

/* The ESP8266's ROM erases too much: it takes the sectors up to the next block of 64 KiB off the count twice.
 * Told so many sectors, it erases as many as are wanted, or one more. */
static uint32_t esp8266_erase_sectors(uint32_t first, uint32_t count)
{
    uint32_t head = 16 - first % 16;

    head = count < head ? count : head;
    return count < 2 * head ? (count + 1) / 2 : count - head;
}

static int begin(struct session *session, const struct stream *stream, struct error *error)
{
    uint32_t sector = sector_size(session);
    uint32_t sectors = (stream->size + sector - 1) / sector;
    uint32_t told = is_esp8266(session) ? esp8266_erase_sectors(stream->offset / sector, sectors) : sectors;
    const uint32_t words[5] = {told * sector, (stream->length + BLOCK_BYTES - 1) / BLOCK_BYTES, BLOCK_BYTES,
                               stream->offset, 0 /* not encrypted */};
    bool four = is_esp8266(session) || session->board.chip_id == MAGIC_ESP32;
    enum opcode opcode = is_esp8266(session) ? FLASH_BEGIN : FLASH_DEFL_BEGIN;
    int64_t wait_us = FLASH_ANSWER_US + (int64_t)sectors * session->family->sectors[0].erase_max_us;
    struct reply reply;

    int status = command(session, opcode, words, four ? 4 : 5, 0, wait_us,
                         is_esp8266(session) ? "FLASH_BEGIN" : "FLASH_DEFL_BEGIN", &reply, error);

    return status == -EBADMSG ? error_reclass(error, FAILURE_CODE(FAILURE_ERASE)) : status;
}

/* A block whose checksum came out wrong on the other side is sent again; anything else is the caller's. */
static int send_block(struct session *session, uint32_t number, const uint8_t *bytes, uint32_t size,
                      int64_t wait_us, struct error *error)
{
    enum opcode opcode = is_esp8266(session) ? FLASH_DATA : FLASH_DEFL_DATA;
    uint8_t data[DATA_HEADER + BLOCK_BYTES] = {0};
    uint32_t checksum = CHECKSUM_SEED;
    struct reply reply;
    int status = -EBADMSG;

    put_le32(data, size);
    put_le32(data + 4, number);
    memcpy(data + DATA_HEADER, bytes, size);
    for (uint32_t i = 0; i < size; i++)
        checksum ^= bytes[i];
    for (int attempt = 0; attempt < BLOCK_ATTEMPTS && status == -EBADMSG; attempt++) {
        session->link.resends += attempt > 0;
        status = exchange(session, opcode, data, DATA_HEADER + size, checksum, 0, wait_us, "a block of data",
                          &reply, error);
        if (status == -EBADMSG && state_of(session)->frame[HEADER + 1] != INVALID_CRC)
            break;
    }
    return status;
}

static int send_stream(struct session *session, struct stream *stream, struct error *error)
{
    uint32_t page = session->family->program_unit, done = 0;
    int status = 0;

    for (uint32_t at = 0; status == 0 && at < stream->length; at += BLOCK_BYTES) {
        uint32_t size = stream->length - at < BLOCK_BYTES ? stream->length - at : BLOCK_BYTES;
        uint32_t makes = is_esp8266(session) ? size : follow(stream, stream->bytes + at, size);
        int64_t wait_us = FLASH_ANSWER_US + (int64_t)(makes / page + 1) * session->family->program_max_us;

        status = send_block(session, at / BLOCK_BYTES, stream->bytes + at, size, wait_us, error);
        done = done + makes < stream->size ? done + makes : stream->size;
        if (status == 0 && session->advanced)
            session->advanced(session->advanced_context, done);
    }
    return status;
}

static int esp_write_range(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                           struct error *error)
{
    struct stream stream = {.size = 0};
    int status = gather(session, address, bytes, size, &stream, error);

    if (status == 0 && !is_esp8266(session))
        status = compress_stream(session, &stream, error);
    if (status == 0 && inflateInit(&stream.inflater) != Z_OK)
        status = error_set(error, -ENOMEM, "no memory to follow the image");
    if (status == 0)
        status = begin(session, &stream, error);
    if (status == 0)
        status = send_stream(session, &stream, error);
    (void)inflateEnd(&stream.inflater);
    free(stream.bytes);
    return status < 0
               ? error_prefix(error, "write of 0x%08" PRIx32 "-0x%08" PRIx32, address, address + (size - 1))
               : 0;
}

/* Whole sectors are erased with whatever else is in them, so nothing less than a range can be written. */
static int esp_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                     struct error *error)
{
    (void)session, (void)bytes;
    return error_set(error, -ENOTSUP, "0x%08" PRIx32 "-0x%08" PRIx32 " cannot be written by itself", address,
                     address + (size - 1));
}

/* --- verify ------------------------------------------------------------------------------- */

static int compare_by_reading(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                              struct error *error)
{
    uint8_t found[4];
    int status = size ? esp_read(session, address, found, size, error) : 0;

    return status < 0 ? status : memcmp(found, bytes, size) != 0;
}

/* SPI_FLASH_MD5: 32 hexadecimal digits. The last block is acknowledged before flash has it all; the sum
 * waits. */
static int compare_by_md5(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                          struct error *error)
{
    const uint32_t words[] = {address, size, 0, 0};
    int64_t wait_us =
        FLASH_ANSWER_US + (int64_t)size * 8 + (int64_t)BLOCK_BYTES * session->family->program_max_us;
    uint8_t wanted[16];
    char text[33];
    struct reply reply;
    int status = command(session, SPI_FLASH_MD5, words, 4, 32, wait_us, "SPI_FLASH_MD5", &reply, error);

    if (status < 0)
        return status;
    md5(bytes, size, wanted);
    bytes_to_hex(wanted, sizeof wanted, text);
    for (size_t i = 0; i < 32; i++)
        if (hex_digit_value((char)reply.data[i]) != hex_digit_value(text[i]))
            return 1;
    return 0;
}

/* Whole words by MD5, the odd bytes on both sides by reading them. */
static int esp_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    uint32_t head = (4 - address % 4) % 4, whole;
    int status;

    if (is_esp8266(session))
        return error_set(error, -ENOTSUP, "the ESP8266's ROM has no checksum of its flash");
    head = head < size ? head : size;
    whole = (size - head) / 4 * 4;
    status = compare_by_reading(session, address, bytes, head, error);
    if (status == 0 && whole)
        status = compare_by_md5(session, address + head, bytes + head, whole, error);
    if (status == 0)
        status = compare_by_reading(session, address + head + whole, bytes + head + whole,
                                    size - head - whole, error);
    return status;
}

/* --- the image ---------------------------------------------------------------------------- */

static bool starts_image(const struct order *order, uint32_t offset)
{
    uint8_t byte;

    return image_read(order->image, offset, &byte, 1, 0xFF) == 1 && byte == IMAGE_MAGIC;
}

/* The ESP8266's ROM may erase a sector behind a range that is none of the image's. */
static int check_next_sectors(const struct order *order, struct error *error)
{
    uint32_t sector = order->chip->family->sectors[0].size;

    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];
        uint32_t next = (range->address + range->size + sector - 1) / sector * sector;

        for (size_t k = 0; k < order->keep_count; k++)
            if (order->keep[k].address < next + sector && next < order->keep[k].address + order->keep[k].size)
                return error_set(error, FAILURE_CODE(FAILURE_DATA),
                                 "0x%" PRIx32 " is to be kept, but the ESP8266's ROM may erase it along with "
                                 "the image before it: leave a sector between them",
                                 order->keep[k].address);
    }
    return 0;
}

/* What the ROM starts must be an image for this chip; and an image must not stand where the ROM of another
 * one looks for it. */
static int esp_check(const struct order *order, struct error *error)
{
    const struct chip_esp *esp = order->chip->family->esp;
    uint32_t other = esp->bootloader_at ? 0 : OTHER_OFFSET;
    uint8_t header[IMAGE_HEADER];
    size_t there = image_read(order->image, esp->bootloader_at, header, sizeof header, 0xFF);

    if (order->chip->family->id == MAGIC_ESP8266 && check_next_sectors(order, error) < 0)
        return error->code;
    if (there == 0 && starts_image(order, other))
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "an image starts at 0x%" PRIx32 " and none at 0x%" PRIx32
                         ", where the ROM of %s looks for its bootloader: place it there",
                         other, esp->bootloader_at, order->chip->family->name);
    if (there == 0)
        return 0; /* only an application, or data */
    if (header[0] != IMAGE_MAGIC)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "0x%02x instead of 0xe9 at 0x%" PRIx32
                         ": no bootloader image, the chip would not start it",
                         header[0], esp->bootloader_at);
    if (esp->image_chip != 0xFFFF && there == sizeof header &&
        get_le16(header + IMAGE_CHIP_AT) != esp->image_chip)
        return error_set(
            error, FAILURE_CODE(FAILURE_DATA),
            "the bootloader image at 0x%" PRIx32 " is for chip %u, and %s is chip %u: build it for this chip",
            esp->bootloader_at, get_le16(header + IMAGE_CHIP_AT), order->chip->family->name, esp->image_chip);
    return 0;
}

/* --- the end ------------------------------------------------------------------------------ */

/* An empty FLASH_BEGIN, then FLASH_END with "reboot". */
static int esp_run(struct session *session, uint32_t address, struct error *error)
{
    static const uint32_t nothing[5] = {0, 0, BLOCK_BYTES, 0, 0}, reboot = 0;
    bool four = is_esp8266(session) || session->board.chip_id == MAGIC_ESP32;
    struct reply reply;
    int status;

    (void)address;
    if (entry_resets(session->entry))
        return 0; /* leaving the entry resets the board into its application */
    status = command(session, FLASH_BEGIN, nothing, four ? 4 : 5, 0, ANSWER_US, "FLASH_BEGIN", &reply, error);
    if (status == 0)
        status = command(session, FLASH_END, &reboot, 1, 0, RUN_ANSWER_US, "FLASH_END", &reply, error);
    return status == -ETIMEDOUT ? 0 : status;
}

static void esp_disconnect(struct session *session)
{
    struct error ignored;

    (void)entry_leave(session, &ignored);
}

/* Frames without escapes, with their responses. What compression saves is known only when it is done. */
#define FRAME(size)    (2 + HEADER + (size))
#define RESPONSE(size) (2 + HEADER + (size) + 4)

static uint32_t esp_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                               uint32_t size_or_count)
{
    (void)family;
    switch (operation) {
    case WIRE_ERASE:
    case WIRE_ERASE_ALL:
        return 0; /* part of writing */
    case WIRE_WRITE:
        return FRAME(DATA_HEADER + size_or_count) + RESPONSE(0);
    case WIRE_READ:
        return (size_or_count + SLOW_READ - 1) / SLOW_READ * (FRAME(8) + RESPONSE(SLOW_READ));
    case WIRE_CHECKSUM:
        return FRAME(16) + RESPONSE(32);
    }
    return 0;
}

const struct protocol protocol_esp_rom = {
    .name = "esp-rom",
    .summary = "Espressif ROM loader on a UART (ESP8266, ESP32 and later)",
    .state_size = sizeof(struct esp),
    .chips = CHIP_ESP,
    .transfer_max = BLOCK_BYTES,
    .packs = true,
    .check = esp_check,
    .connect = esp_connect,
    .probe = esp_probe,
    .identify = esp_identify,
    .resync = esp_resync,
    .write = esp_write,
    .read = esp_read,
    .write_range = esp_write_range,
    .compare = esp_compare,
    .run = esp_run,
    .disconnect = esp_disconnect,
    .wire_bytes = esp_wire_bytes,
    .line = line_at,
};
