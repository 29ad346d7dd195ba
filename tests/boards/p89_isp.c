/* SPDX-License-Identifier: Apache-2.0 */
/* The factory ISP of a P89LPC92x: autobaud on 'U', records that look like Intel HEX, every character echoed.
 * Read from UM10109 by way of our own notes. No independent client is packaged for Debian, and no chip was at
 * hand: what is said here about what those notes leave open is one reading, see README.md. */
#include "common.h"
#include "p89lpc.h"
#include "receiver.h"

#include <stdlib.h>
#include <string.h>

/* The loader has the last 512 bytes; a break shorter than this does not reach it. */
enum { BOOT_BYTES = 512, DATA_MAX = 64, RECORD_MAX = 4 + DATA_MAX + 1 };

#define BREAK_LEAST_NS  NS_PER_MS
#define RESTART_NS      (2 * NS_PER_MS)
#define SECTOR_CRC_NS   (20 * NS_PER_MS)
#define BAUD_CLOCK_HZ   7372800U
#define BAUD_COUNT_BASE 16U

enum isp_phase { ISP_MEASURING, ISP_READY, ISP_RUNNING, ISP_HUNG };

enum record_type {
    RECORD_PROGRAM = 0,
    RECORD_VERSION = 1,
    RECORD_WRITE_MISC = 2,
    RECORD_READ_MISC = 3,
    RECORD_ERASE = 4,
    RECORD_SECTOR_CRC = 5,
    RECORD_GLOBAL_CRC = 6,
    RECORD_BAUD = 7,
    RECORD_RESET = 8,
};

enum misc {
    MISC_UCFG1 = 0x00,
    MISC_UCFG2 = 0x01,
    MISC_BOOT_VECTOR = 0x02,
    MISC_STATUS = 0x03,
    MISC_SECURITY = 0x08,
    MISC_CLEAR_PROTECTION = 0x10, /* written; read, it is the manufacturer */
    MISC_MANUFACTURER = 0x10,
    MISC_DEVICE = 0x11,
    MISC_DERIVATIVE = 0x12,
};

struct isp {
    struct p89_memory memory; /* first, for p89_identify and its like */
    struct receiver receiver;
    uint8_t ucfg[2], boot_vector, status;
    enum isp_phase phase;
    uint64_t break_ns;
    unsigned measured;

    bool in_record, bad_digit;
    uint8_t record[RECORD_MAX];
    size_t digits; /* of the record, so far; more than fit are only counted */
};

static uint8_t factory_vector(const struct isp *isp)
{
    return (uint8_t)((isp->memory.chip->flash_bytes >> 8) - 1);
}

/* Who overwrites the loader, or its vector, has lost it. */
static void start(struct isp *isp, uint64_t at_ns)
{
    bool whole = p89_resident_intact(&isp->memory, BOOT_BYTES) && isp->boot_vector == factory_vector(isp);

    receiver_restart(&isp->receiver, at_ns);
    if (isp->receiver.board->options->pace)
        receiver_spends(&isp->receiver, RESTART_NS);
    isp->phase = whole ? ISP_MEASURING : ISP_RUNNING;
    isp->in_record = false;
    isp->measured = 0;
    isp->break_ns = 0;
    board_lock_baud(isp->receiver.board, false);
}

/* Power-up: the boot status bit decides; chips are delivered with it set. */
static void run(void *state, uint64_t at_ns)
{
    struct isp *isp = state;

    start(isp, at_ns);
    if (!isp->status)
        isp->phase = ISP_RUNNING;
}

static void say(struct isp *isp, const char *text)
{
    receiver_says(&isp->receiver, (const uint8_t *)text, strlen(text));
}

static void spend(struct isp *isp, uint64_t ns)
{
    receiver_spends_flash(&isp->receiver, ns);
}

static void done(struct isp *isp, bool good)
{
    say(isp, good ? ".\r\n" : "R\r\n");
}

static const struct fault *fault(const struct isp *isp, enum fault_kind kind)
{
    return &isp->receiver.board->faults[kind];
}

/* What a fault leaves of the block. True: the answer is up to the caller. */
static bool lands(struct isp *isp, uint32_t at, uint8_t *bytes, uint32_t count, bool *good)
{
    enum fate fate = next_fate(isp->receiver.board);
    uint32_t landing = fate_applied(fate, bytes, count);

    if (landing) {
        p89_program(&isp->memory, at, bytes, landing);
        spend(isp, p89_pages(at, landing) * P89_PAGE_WRITE_NS);
        isp->receiver.board->counters.written_bytes += landing;
    }
    if (receiver_dies(&isp->receiver, fate)) {
        isp->phase = ISP_HUNG;
        return false;
    }
    *good = fate != FATE_REFUSED && p89_equal(&isp->memory, at, bytes, count);
    return fate != FATE_UNANSWERED;
}

/* A record may fill a part of one page; over its end it is refused. */
static void program(struct isp *isp, uint32_t at, const uint8_t *data, uint32_t count)
{
    uint8_t bytes[DATA_MAX];
    bool good = false;

    if (!count || !p89_inside(&isp->memory, at, count) || p89_pages(at, count) > 1 ||
        p89_forbids(&isp->memory, at, count, P89_NO_WRITE | P89_NO_ERASE)) {
        done(isp, false);
        return;
    }
    memcpy(bytes, data, count);
    if (lands(isp, at, bytes, count, &good))
        done(isp, good);
}

/* Security bits can only be added here. */
static bool write_misc(struct isp *isp, uint8_t which, uint8_t value)
{
    uint32_t sectors = isp->memory.chip->flash_bytes / P89_SECTOR_BYTES;

    if (which == MISC_UCFG1 || which == MISC_UCFG2)
        isp->ucfg[which] = value;
    else if (which == MISC_BOOT_VECTOR)
        isp->boot_vector = value;
    else if (which == MISC_STATUS)
        isp->status = value;
    else if (which >= MISC_SECURITY && which < MISC_SECURITY + sectors)
        isp->memory.security[which - MISC_SECURITY] |= value & P89_SECURED;
    else if (which != MISC_CLEAR_PROTECTION)
        return false;
    spend(isp, P89_PAGE_WRITE_NS);
    return true;
}

static bool read_misc(const struct isp *isp, uint8_t which, uint8_t *value)
{
    uint32_t sectors = isp->memory.chip->flash_bytes / P89_SECTOR_BYTES;

    if (which == MISC_UCFG1 || which == MISC_UCFG2)
        *value = isp->ucfg[which];
    else if (which == MISC_BOOT_VECTOR)
        *value = isp->boot_vector;
    else if (which == MISC_STATUS)
        *value = isp->status;
    else if (which == MISC_MANUFACTURER)
        *value = 0x15;
    else if (which == MISC_DEVICE)
        *value = 0xDD;
    else if (which == MISC_DERIVATIVE)
        *value = isp->memory.chip->derivative ^ (fault(isp, FAULT_WRONG_ID)->set ? 0x10 : 0);
    else if (which >= MISC_SECURITY && which < MISC_SECURITY + sectors)
        *value = isp->memory.security[which - MISC_SECURITY];
    else
        return false;
    return true;
}

static void tell_misc(struct isp *isp, uint8_t which)
{
    uint8_t value = 0;
    char text[16];

    if (!read_misc(isp, which, &value)) {
        done(isp, false);
        return;
    }
    (void)snprintf(text, sizeof text, "%02X.\r\n", value);
    say(isp, text);
}

static bool erase(struct isp *isp, uint8_t kind, uint32_t at)
{
    uint32_t count = kind ? P89_SECTOR_BYTES : P89_PAGE_BYTES;

    at -= at % count;
    if (kind > 1 || !p89_inside(&isp->memory, at, count) || fault(isp, FAULT_NACK_ERASE)->set ||
        p89_forbids(&isp->memory, at, count, P89_NO_WRITE | P89_NO_ERASE))
        return false;
    p89_erase(&isp->memory, at, count);
    isp->receiver.board->counters.erases++;
    spend(isp, P89_SECTOR_ERASE_NS);
    return true;
}

/* Linear, and 0 over erased flash, as the real one is said to be; which bit goes where is our own choice. */
static void tell_crc(struct isp *isp, uint32_t at, uint32_t count)
{
    uint32_t sum = 0;
    char text[16];

    if (!p89_inside(&isp->memory, at, count)) {
        done(isp, false);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            uint32_t in = isp->memory.flash[at + i] >> bit & 1;

            sum = (sum << 1 | in) ^ (sum & 0x80000000 ? 0x00400007 : 0);
        }
    spend(isp, count / P89_SECTOR_BYTES * SECTOR_CRC_NS);
    (void)snprintf(text, sizeof text, "%08X.\r\n", sum);
    say(isp, text);
}

/* The answer still comes at the old rate. */
static void change_baud(struct isp *isp, uint32_t reload)
{
    done(isp, true);
    board_set_baud(isp->receiver.board, BAUD_CLOCK_HZ / (reload + BAUD_COUNT_BASE));
}

/* Which records have how many data bytes. */
static bool count_fits(uint8_t type, uint32_t count)
{
    static const uint8_t wanted[] = {
        [RECORD_VERSION] = 0,    [RECORD_WRITE_MISC] = 2, [RECORD_READ_MISC] = 1, [RECORD_ERASE] = 3,
        [RECORD_SECTOR_CRC] = 1, [RECORD_GLOBAL_CRC] = 0, [RECORD_BAUD] = 2,      [RECORD_RESET] = 0};

    return type == RECORD_PROGRAM || (type < sizeof wanted && wanted[type] == count);
}

static void obey(struct isp *isp)
{
    const uint8_t *data = isp->record + 4;
    uint32_t count = isp->record[0], at = (uint32_t)isp->record[1] << 8 | isp->record[2];
    uint8_t type = isp->record[3];

    if (!count_fits(type, count))
        done(isp, false);
    else if (type == RECORD_PROGRAM)
        program(isp, at, data, count);
    else if (type == RECORD_VERSION)
        say(isp, "04.\r\n");
    else if (type == RECORD_WRITE_MISC)
        done(isp, write_misc(isp, data[0], data[1]));
    else if (type == RECORD_READ_MISC)
        tell_misc(isp, data[0]);
    else if (type == RECORD_ERASE)
        done(isp, erase(isp, data[0], (uint32_t)data[1] << 8 | data[2]));
    else if (type == RECORD_SECTOR_CRC)
        tell_crc(isp, (uint32_t)(data[0] << 8) / P89_SECTOR_BYTES * P89_SECTOR_BYTES, P89_SECTOR_BYTES);
    else if (type == RECORD_GLOBAL_CRC)
        tell_crc(isp, 0, isp->memory.chip->flash_bytes);
    else if (type == RECORD_BAUD)
        change_baud(isp, (uint32_t)data[0] << 8 | data[1]);
    else
        run(isp, isp->receiver.now_ns);
}

/* A record is as long as its first byte says; a longer one than fits is an error at its end. */
static void end_record(struct isp *isp)
{
    uint8_t sum = 0;
    size_t bytes = isp->digits / 2;

    isp->in_record = false;
    for (size_t i = 0; i < bytes && i < RECORD_MAX; i++)
        sum = (uint8_t)(sum + isp->record[i]);
    if (bytes > RECORD_MAX)
        done(isp, false);
    else if (sum || isp->bad_digit)
        say(isp, "X\r\n");
    else
        obey(isp);
}

static int digit_of(uint8_t character)
{
    static const char digits[] = "0123456789ABCDEFabcdef";
    const char *place = character ? strchr(digits, character) : NULL;
    int value = place ? (int)(place - digits) : -1;

    return value > 15 ? value - 6 : value;
}

static void take_digit(struct isp *isp, uint8_t character)
{
    int digit = digit_of(character);
    size_t byte = isp->digits / 2;

    if (digit < 0)
        isp->bad_digit = true;
    if (byte < RECORD_MAX)
        isp->record[byte] = (uint8_t)(isp->record[byte] << 4 | (digit & 15));
    isp->digits++;
    if (isp->digits >= 2 && isp->digits == 2 * (isp->record[0] + 5U))
        end_record(isp);
}

static void take_character(struct isp *isp, uint8_t character)
{
    receiver_says(&isp->receiver, &character, 1);
    if (character == ':') {
        isp->in_record = true;
        isp->bad_digit = false;
        isp->digits = 0;
        memset(isp->record, 0, sizeof isp->record);
    } else if (isp->in_record)
        take_digit(isp, character);
}

/* One 'U' is measured, the next one comes back. Faster ones than the baud generator's count allows are not
 * measured right, and so not known. */
static void measure(struct isp *isp, uint8_t character)
{
    struct board *board = isp->receiver.board;
    uint64_t fastest = board->options->max_baud ? board->options->max_baud : 9600;

    if (character != 'U' || board_baud(board) > fastest) {
        isp->measured = 0;
        return;
    }
    if (!isp->measured++) {
        board_lock_baud(board, true);
        return;
    }
    isp->phase = ISP_READY;
    receiver_says(&isp->receiver, &character, 1);
}

static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct isp *isp = state;

    if (!receiver_hears(&isp->receiver, at_ns))
        return;
    if (isp->phase == ISP_MEASURING && !board_hears(isp->receiver.board)) {
        isp->measured = 0;
        board_lock_baud(isp->receiver.board, false);
    } else if (isp->phase == ISP_MEASURING)
        measure(isp, byte);
    else if (isp->phase == ISP_READY)
        take_character(isp, byte);
}

static void reset(void *state, uint64_t at_ns)
{
    start(state, at_ns);
}

/* The application has break detection armed; 11 low bits reach the loader through the boot vector. */
static void set_break(void *state, bool on, uint64_t at_ns)
{
    struct isp *isp = state;

    if (on)
        isp->break_ns = at_ns;
    else if (isp->break_ns && at_ns - isp->break_ns >= BREAK_LEAST_NS)
        start(isp, at_ns);
    if (!on)
        isp->break_ns = 0;
}

static const char *chip_name(size_t index)
{
    const struct p89_chip *chip = p89_chip_at(index);

    return chip ? chip->name : NULL;
}

static void renew(void *state)
{
    struct isp *isp = state;

    p89_renew(&isp->memory, BOOT_BYTES);
    isp->ucfg[0] = 0x63;
    isp->ucfg[1] = 0;
    isp->boot_vector = factory_vector(isp);
    isp->status = 1;
}

static void *create(struct board *board, size_t chip_index)
{
    struct isp *isp = sim_allocate(1, sizeof *isp);

    isp->receiver = (struct receiver){.board = board, .depth = 1};
    isp->memory.chip = p89_chip_at(chip_index);
    isp->memory.resident_at = isp->memory.chip->flash_bytes - BOOT_BYTES;
    renew(isp);
    return isp;
}

static const char *phase(const void *state)
{
    static const char *const names[] = {
        [ISP_MEASURING] = "fresh", [ISP_READY] = "synced", [ISP_RUNNING] = "running", [ISP_HUNG] = "hung"};
    const struct isp *isp = state;

    return names[isp->phase];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct isp *isp = state;
    int used = snprintf(text, size, "protected=%d ucfg1=%02x vector=%02x status=%02x security=",
                        isp->memory.security[0] != 0, isp->ucfg[0], isp->boot_vector, isp->status);

    for (size_t i = 0; i < P89_SECTORS_MAX && used > 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%x", isp->memory.security[i]);
}

static const char *conf_entry(bool remote)
{
    return remote ? "break:20" : "none";
}

const struct model p89_isp_model = {
    .protocol = "p89lpc9xx",
    .frame_bits = 10,
    .baud = 9600,
    .chip_name = chip_name,
    .create = create,
    .destroy = free,
    .receive = receive,
    .reset = reset,
    .run = run,
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
};
