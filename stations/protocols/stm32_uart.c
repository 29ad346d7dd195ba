/* SPDX-License-Identifier: Apache-2.0 */
/* STM32 ROM bootloader on a UART.
 *
 * Follows ST AN3155 "USART protocol used in the STM32 bootloader"; section names below are its own. Which
 * device has which memory is AN2606's matter and stands in stations/chips/. The line is 8 data bits, even
 * parity, one stop bit; the host speaks first; every exchange ends with one byte, ACK or NACK.
 *
 * Opcode and parameters of one command go out in one write where that is safe: the board answers each part,
 * the answers are read together. Data never goes ahead of the address's ACK: were the address refused, the
 * data would be taken for opcodes, and two chance bytes (82 7D) lock a chip. */
#include "protocol.h"
#include "protocols.h"

#include "bytes.h"
#include "failure.h"
#include "ladder.h"

#include <errno.h>
#include <string.h>

enum { ACK = 0x79, NACK = 0x1F, SYNC = 0x7F };

enum opcode { /* AN3155 table 2 */
              GET = 0x00,
              GET_VERSION = 0x01,
              GET_ID = 0x02,
              READ_MEMORY = 0x11,
              GO = 0x21,
              WRITE_MEMORY = 0x31,
              ERASE = 0x43,
              EXTENDED_ERASE = 0x44,
              WRITE_PROTECT = 0x63,
              WRITE_UNPROTECT = 0x73,
              READOUT_PROTECT = 0x82,
              READOUT_UNPROTECT = 0x92,
              GET_CHECKSUM = 0xA1,
};

#define MS 1000 /* in microseconds */

/* How long the board may think, beyond the time the bytes take on the line. */
enum {
    SYNC_ANSWER_US = 150 * MS, /* the bootloader takes one; an adapter with a 16 ms timer more */
    FIRST_SYNC_US = 60 * MS,   /* a bootloader in step says nothing to the first 0x7F: do not wait long */
    COMMAND_ANSWER_US = 1000 * MS,
    RESET_US = 100 * MS, /* after a command that ends in a system reset, before the next 0x7F */
    QUIET_US = 50 * MS,  /* silence that ends whatever the board was still saying */
    CHECKSUM_US = 5000 * MS,
    OPTIONS_ANSWER_US = 5000 * MS, /* option bytes are erased and written behind this */
    ERASE_MARGIN_US = 1000 * MS,
    WIPE_UNKNOWN_US = 35000 * MS, /* mass erase of a chip without a row: the slowest family's maximum */
};

#define TRANSFER_MAX      256u
#define ERASE_PAGES_MAX   128u /* per command: ROMs keep the list in RAM, the smallest takes some 250 */
#define OPCODES_MAX       32u
#define CHECKSUM_WORD_MAX 0x3FFFFu

/* The part of a command that the board waits for after it has taken the opcode. */
enum open_group {
    OPEN_NONE,
    OPEN_LIST,      /* Erase, Write Protect: count, numbers of one byte, checksum */
    OPEN_WIDE_LIST, /* Extended Erase: the same with two bytes */
    OPEN_DATA,      /* Write Memory: count, data, checksum */
};

struct stm32 {
    enum open_group open;
    uint8_t opcodes[OPCODES_MAX];
    size_t opcode_count;
    bool checksum_trusted, checksum_tested;
};

/* The rates of the ladder. AN3155 promises 1200 to 115200; what a ROM does beyond depends on its clock, so
 * a rate counts only when the proof reads came back twice the same. */
static const uint32_t rates[] = {921600, 460800, 230400, 115200, 57600};

#define DEFAULT_BAUD 115200u

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_EVEN, .stop_bits = 1};
}

static struct stm32 *state_of(struct session *session)
{
    return session->state;
}

static int64_t wire_us(const struct session *session, size_t bytes)
{
    return (int64_t)(bytes * port_line_bits(&session->port->line)) * 1000000 / session->port->line.baud;
}

static bool lists(struct session *session, enum opcode opcode)
{
    return memchr(state_of(session)->opcodes, (int)opcode, state_of(session)->opcode_count) != NULL;
}

static uint8_t xor_of(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum ^= bytes[i];
    return sum;
}

/* --- bytes and acknowledgements ----------------------------------------------------------- */

static int send(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    return port_write(session->port, bytes, size,
                      session_deadline(session, COMMAND_ANSWER_US + wire_us(session, size)), error);
}

static int receive(struct session *session, uint8_t *bytes, size_t size, int64_t wait_us, struct error *error)
{
    return port_read(session->port, bytes, size, session_deadline(session, wait_us + wire_us(session, size)),
                     error);
}

/* One acknowledgement; `sent` bytes may still be on their way out. */
static int expect_ack(struct session *session, size_t sent, int64_t wait_us, const char *what,
                      struct error *error)
{
    uint8_t answer;
    int status = receive(session, &answer, 1, wait_us + wire_us(session, sent), error);

    if (status == -ETIMEDOUT)
        return error_set(error, -ETIMEDOUT, "no ACK for %s within %d ms", what, (int)(wait_us / MS));
    if (status < 0)
        return error_prefix(error, "%s", what);
    if (answer == ACK)
        return 0;
    session->link.naks++;
    if (answer == NACK)
        return error_set(error, -EBADMSG, "NACK for %s", what);
    return error_set(error, -EPROTO, "0x%02x instead of ACK for %s", answer, what);
}

/* "The host sends opcode and complement." */
static int command(struct session *session, enum opcode opcode, const char *what, struct error *error)
{
    const uint8_t frame[2] = {(uint8_t)opcode, (uint8_t)~opcode};
    int status = send(session, frame, sizeof frame, error);

    return status < 0 ? status : expect_ack(session, sizeof frame, COMMAND_ANSWER_US, what, error);
}

/* A command whose next group the board waits for once it has taken the opcode; see close_group(). */
static int open_command(struct session *session, enum opcode opcode, enum open_group group, const char *what,
                        struct error *error)
{
    int status;

    state_of(session)->open = group;
    status = command(session, opcode, what, error);
    if (status == -EBADMSG)
        state_of(session)->open = OPEN_NONE;
    return status;
}

static int send_group(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    state_of(session)->open = OPEN_NONE;
    return send(session, bytes, size, error);
}

static void put_address(uint8_t group[5], uint32_t address)
{
    put_be32(group, address);
    group[4] = xor_of(group, 4);
}

/* Were the opcode refused, its parameters would be taken for opcodes. Those that change the chip must not
 * stand among them by chance, at whichever parity. */
static bool harmless(const uint8_t *parameters, size_t size)
{
    static const uint8_t harmful[] = {WRITE_MEMORY,  ERASE,           EXTENDED_ERASE,  GO,
                                      WRITE_PROTECT, WRITE_UNPROTECT, READOUT_PROTECT, READOUT_UNPROTECT};

    for (size_t i = 0; i + 1 < size; i++)
        if ((parameters[i] ^ parameters[i + 1]) == 0xFF && memchr(harmful, parameters[i], sizeof harmful))
            return false;
    return true;
}

/* Opcode and the first `size` bytes of parameters, in one write where that is harmless; the opcode's ACK is
 * read here, those of the parameters are the caller's to read. */
static int command_with(struct session *session, enum opcode opcode, const uint8_t *parameters, size_t size,
                        const char *what, struct error *error)
{
    uint8_t frame[2 + 8] = {(uint8_t)opcode, (uint8_t)~opcode};
    bool together = harmless(parameters, size);
    int status;

    memcpy(frame + 2, parameters, size);
    status = send(session, frame, together ? 2 + size : 2, error);
    if (status == 0)
        status = expect_ack(session, 2 + size, COMMAND_ANSWER_US, what, error);
    if (status == 0 && !together)
        status = send(session, parameters, size, error);
    return status;
}

static int command_at(struct session *session, enum opcode opcode, uint32_t address, const char *what,
                      struct error *error)
{
    uint8_t group[5];
    int status;

    put_address(group, address);
    status = command_with(session, opcode, group, sizeof group, what, error);
    return status < 0 ? status : expect_ack(session, sizeof group, COMMAND_ANSWER_US, "the address", error);
}

/* A refused opcode leaves its parameters behind, which the board refuses too, two by two. Wait until it has
 * nothing more to say. */
static int settle(struct session *session, struct error *error)
{
    int status = port_settle(session->port, QUIET_US, session_deadline(session, COMMAND_ANSWER_US), error);

    return status == -ETIMEDOUT ? 0 : status; /* it talks on: what follows will find out */
}

/* --- contact ------------------------------------------------------------------------------ */

/* One 0x7F and its answer: ACK from a fresh bootloader that has measured it; NACK from one that was in
 * step already and took it for the second half of a bad command. -EAGAIN: silence. */
static int sync_once(struct session *session, int64_t wait_us, struct error *error)
{
    const uint8_t sync = SYNC;
    uint8_t answer;
    int status = send(session, &sync, 1, error);

    if (status == 0)
        status = receive(session, &answer, 1, wait_us, error);
    if (status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us)
        return error_set(error, -EAGAIN, "no answer to 0x7F");
    if (status < 0)
        return status;
    if (answer == ACK || answer == NACK)
        return 0;
    return error_set(error, -EPROTO, "0x%02x instead of ACK after 0x7F", answer);
}

/* Lets the board finish what it has to say, and puts it in step. */
static int sync_after_silence(struct session *session, struct error *error)
{
    int status = settle(session, error);

    if (status == 0)
        status = sync_once(session, SYNC_ANSWER_US, error);
    return status == -EAGAIN ? sync_once(session, SYNC_ANSWER_US, error) : status;
}

/* Somebody stopped in the middle of a command: the board waits for the rest of it. Bytes that can end any
 * command without meaning one are fed until it refuses. They alternate so that no pair is an opcode with its
 * complement; and as a 0x7F may have been taken for the count of a list or of data, which then has 127 + 3
 * bytes, one of them has its highest bit set, so that the checksum over any 130 of them is wrong. */
static int end_old_command(struct session *session, struct error *error)
{
    uint8_t filler[2 * TRANSFER_MAX + 8];
    uint8_t answer;
    int status;

    for (size_t i = 0; i < sizeof filler; i++)
        filler[i] = i % 2 ? 0x3F : SYNC;
    filler[64] = 0xBF;
    status = send(session, filler, sizeof filler, error);
    if (status == 0)
        status = receive(session, &answer, 1, SYNC_ANSWER_US + wire_us(session, sizeof filler), error);
    if (status == -ETIMEDOUT)
        return error_set(error, -EAGAIN, "no answer at %u baud", session->port->line.baud);
    if (status < 0)
        return status;
    return sync_after_silence(session, error);
}

/* Gets into step at the line's present rate: -EAGAIN when nothing answers at all. */
static int sync_at_rate(struct session *session, bool thorough, struct error *error)
{
    int status;

    port_discard(session->port);
    status = sync_once(session, FIRST_SYNC_US, error);
    if (status == -EAGAIN) /* the first 0x7F may have been the first half of a pair */
        status = sync_once(session, SYNC_ANSWER_US, error);
    if (status == -EAGAIN && thorough)
        status = end_old_command(session, error);
    return status;
}

/* Get: the version and the opcodes of this bootloader. */
static int get(struct session *session, struct error *error)
{
    struct stm32 *state = state_of(session);
    uint8_t answer[2 + OPCODES_MAX];
    int status = command(session, GET, "Get", error);
    size_t count;

    if (status < 0)
        return status;
    status = receive(session, answer, 2, COMMAND_ANSWER_US, error);
    if (status < 0)
        return error_prefix(error, "Get");
    count = answer[0]; /* bytes that follow, less one: the version and the opcodes */
    if (count == 0 || count > OPCODES_MAX)
        return error_set(error, -EPROTO, "Get lists %zu commands", count);
    status = receive(session, answer + 2, count, COMMAND_ANSWER_US, error);
    if (status < 0)
        return error_prefix(error, "Get");
    session->board.bootloader = answer[1];
    memcpy(state->opcodes, answer + 2, count);
    state->opcode_count = count;
    return expect_ack(session, 0, COMMAND_ANSWER_US, "the end of Get", error);
}

/* Get ID: the product id, two bytes on every chip of AN2606's tables. */
static int get_id(struct session *session, uint32_t *id, struct error *error)
{
    uint8_t answer[3];
    int status = command(session, GET_ID, "Get ID", error);

    if (status == 0)
        status = receive(session, answer, 1, COMMAND_ANSWER_US, error);
    if (status < 0)
        return error_prefix(error, "Get ID");
    if (answer[0] != 1)
        return error_set(error, -EPROTO, "Get ID announces %u bytes instead of 2", answer[0] + 1u);
    status = receive(session, answer + 1, 2, COMMAND_ANSWER_US, error);
    if (status < 0)
        return error_prefix(error, "Get ID");
    *id = get_be16(answer + 1);
    return expect_ack(session, 0, COMMAND_ANSWER_US, "the end of Get ID", error);
}

/* Read Memory: up to 256 bytes. Opcode, address and count go out together: the board needs no pause
 * between them, and one turnaround serves instead of three. */
static int read_memory(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    uint8_t groups[5 + 2];
    int status;

    put_address(groups, address);
    groups[5] = (uint8_t)(size - 1);
    groups[6] = (uint8_t)~groups[5];
    status = command_with(session, READ_MEMORY, groups, sizeof groups, "Read Memory", error);
    if (status == 0)
        status = expect_ack(session, sizeof groups, COMMAND_ANSWER_US, "the address", error);
    if (status == 0)
        status = expect_ack(session, 0, COMMAND_ANSWER_US, "the count", error);
    if (status == 0)
        status = receive(session, bytes, size, COMMAND_ANSWER_US, error);
    if (status < 0)
        return error_prefix(error, "read at 0x%08x", address);
    return 0;
}

static bool refused(int status)
{
    return status == -EBADMSG;
}

/* A marginal rate may lock a little off and corrupt later bytes: what parity and complements cannot catch,
 * two equal reads of the bootloader's own memory do. A chip that refuses to read is protected. */
static int prove_rate(struct session *session, struct error *error)
{
    uint8_t once[TRANSFER_MAX], again[TRANSFER_MAX];
    const struct chip_family *family = session->family;
    int status;

    if (!family || !family->system_memory.size)
        return 0;
    status = read_memory(session, family->system_memory.address, once, sizeof once, error);
    if (refused(status)) {
        session->board.read_protected = true;
        /* Behind the refused opcode its seven parameters are three pairs and one over; a 0x7F makes the
         * fourth. */
        return sync_after_silence(session, error);
    }
    if (status == 0)
        status = read_memory(session, family->system_memory.address, again, sizeof again, error);
    if (status == 0 && memcmp(once, again, sizeof once) != 0)
        status = error_set(error, -EPROTO, "two reads of system memory differ at %u baud",
                           session->port->line.baud);
    return status;
}

static const struct chip_family *family_of(uint32_t id)
{
    for (size_t i = 0; i < chip_count(); i++)
        if (chip_at(i)->family->id == id)
            return chip_at(i)->family;
    return NULL;
}

/* The bootloader is in step: who is it, and does it answer truly? */
static int meet(struct session *session, struct error *error)
{
    int status = get(session, error);

    if (status == 0)
        status = get_id(session, &session->board.chip_id, error);
    if (status < 0)
        return status;
    session->family = family_of(session->board.chip_id);
    return prove_rate(session, error);
}

/* A late answer to what somebody sent before us looks like one to our 0x7F, and puts us half a command off:
 * then the first command is refused. Once more, in step. */
static int meet_in_step(struct session *session, struct error *error)
{
    int status = meet(session, error);

    if (status != -EBADMSG && status != -EPROTO)
        return status;
    session->link.attempts++;
    status = settle(session, error);
    if (status == 0)
        status = sync_at_rate(session, false, error);
    return status < 0 ? status : meet(session, error);
}

static int try_rate(struct session *session, uint32_t baud, enum effort effort, struct error *error)
{
    const struct port_line line = line_at(baud);
    int status = port_set_line(session->port, &line, error);

    session->link.attempts++;
    if (status == 0)
        status = entry_enter(session, error);
    if (status == 0 && session->half_way)
        status = settle(session, error);
    if (status == 0)
        status = sync_at_rate(session, effort == EFFORT_THOROUGH || session->half_way, error);
    return status < 0 || effort == EFFORT_PROBE ? status : meet_in_step(session, error);
}

static const struct ladder ladder = {
    .rates = rates, .count = sizeof rates / sizeof *rates, .top = DEFAULT_BAUD, .try_rate = try_rate};

static int stm32_connect(struct session *session, struct error *error)
{
    /* A board that has just been probed needs no 0x7F, and would take it for half a command. */
    int status = session->in_step ? meet(session, error) : -EAGAIN;

    session->link.attempts += session->in_step;
    if (status < 0 && rate_to_blame(session, status))
        status = ladder_descend(session, &ladder, EFFORT_CONNECT, error);
    if (status == -EAGAIN)
        status = ladder_descend(session, &ladder, EFFORT_THOROUGH, error);
    session->baud_proven = status == 0 ? session->port->line.baud : 0;
    if (status == -EAGAIN)
        return error_set(error, FAILURE_CODE(FAILURE_NO_CONTACT),
                         "nothing answers at %u baud or below: no board, no power, or not in its bootloader",
                         ladder_top(session, &ladder));
    return status;
}

static int stm32_probe(struct session *session, struct error *error)
{
    int status = session->baud_proven ? try_rate(session, session->baud_proven, EFFORT_PROBE, error)
                                      : ladder_descend(session, &ladder, EFFORT_PROBE, error);

    return status == -EAGAIN ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
}

/* After a NACK, a time-out or nonsense: let the line fall silent, then one 0x7F after the other until the
 * board refuses one, which it does when it waits for an opcode; and see that it is still the same chip. */
static int stm32_resync(struct session *session, struct error *error)
{
    uint32_t id;
    int status = settle(session, error);

    if (status == 0)
        status = sync_at_rate(session, true, error);
    if (status == -EAGAIN)
        return error_set(error, -ETIMEDOUT, "the board has stopped answering");
    if (status == 0)
        status = get_id(session, &id, error);
    if (status == 0 && id != session->board.chip_id)
        return error_set(error, -EPROTO, "chip id 0x%03x was 0x%03x before", id, session->board.chip_id);
    return status;
}

/* After a command that resets the chip: its boot pin still selects the bootloader. */
static int contact_after_reset(struct session *session, int64_t wait_us, struct error *error)
{
    int64_t deadline_us = session_deadline(session, wait_us);
    int status;

    if (port_sleep(session->port, RESET_US) == -ECANCELED)
        return error_set(error, -ECANCELED, "cancelled");
    do {
        port_discard(session->port);
        status = sync_once(session, SYNC_ANSWER_US, error);
    } while (status == -EAGAIN && port_now_us(session->port) < deadline_us);
    if (status == -EAGAIN)
        return error_set(error, -ETIMEDOUT, "the board does not come back after its reset");
    return status;
}

/* --- who is there ------------------------------------------------------------------------- */

/* Some families refuse or misread short reads of these registers: read the aligned block, and cut. */
static int read_register(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                         struct error *error)
{
    uint32_t alignment = session->family->read_alignment > 1 ? session->family->read_alignment : 4;
    uint32_t start = address - address % alignment;
    uint32_t span = address + size - start;
    uint8_t block[TRANSFER_MAX];
    int status;

    span = (span + alignment - 1) / alignment * alignment;
    if (span > sizeof block)
        return error_set(error, -EINVAL, "register at 0x%08x crosses its block", address);
    status = read_memory(session, start, block, span, error);
    if (status == 0)
        memcpy(bytes, block + (address - start), size);
    return status;
}

/* Three words; on some families the third stands apart. */
static int read_uid(struct session *session, struct error *error)
{
    const struct chip_family *family = session->family;
    uint32_t third = family->uid_third_offset ? family->uid_third_offset : 8;
    uint8_t words[32];
    int status = read_register(session, family->uid_address, words, third + 4, error);

    if (status < 0)
        return status;
    memcpy(session->board.uid, words, 8);
    memcpy(session->board.uid + 8, words + third, 4);
    session->board.uid_size = 12;
    return 0;
}

static int stm32_identify(struct session *session, struct error *error)
{
    const struct chip_family *family = session->family;
    struct board *board = &session->board;
    uint8_t size[2];
    int status = 0;

    if (!family || board->read_protected)
        return 0;
    if (family->flash_size_address) {
        status = read_register(session, family->flash_size_address, size, sizeof size, error);
        if (status < 0)
            return error_prefix(error, "flash size register");
        board->flash_size = (uint32_t)get_le16(size) << 10;
    }
    if (family->uid_address) {
        status = read_uid(session, error);
        if (status < 0)
            return error_prefix(error, "unique id");
    }
    return 0;
}

/* --- erase -------------------------------------------------------------------------------- */

/* Erase Memory: page numbers of one byte; 0xFF 0x00 erases all. */
static int erase_legacy(struct session *session, const uint8_t *frame, size_t size, int64_t wait_us,
                        struct error *error)
{
    int status = open_command(session, ERASE, OPEN_LIST, "Erase", error);

    if (status == 0)
        status = send_group(session, frame, size, error);
    return status < 0 ? status : expect_ack(session, size, wait_us, "the erase", error);
}

/* Extended Erase Memory: numbers of two bytes; 0xFFFF erases all, 0xFFFE and 0xFFFD one bank. */
static int erase_extended(struct session *session, const uint8_t *frame, size_t size, int64_t wait_us,
                          struct error *error)
{
    int status = open_command(session, EXTENDED_ERASE, OPEN_WIDE_LIST, "Extended Erase", error);

    if (status == 0)
        status = send_group(session, frame, size, error);
    return status < 0 ? status : expect_ack(session, size, wait_us, "the erase", error);
}

static int stm32_erase_all(struct session *session, struct error *error)
{
    static const uint8_t legacy[] = {0xFF, 0x00};
    static const uint8_t extended[] = {0xFF, 0xFF, 0x00};
    int64_t wait_us =
        ERASE_MARGIN_US + (session->family ? session->family->mass_erase_max_us : WIPE_UNKNOWN_US);

    return lists(session, EXTENDED_ERASE) ? erase_extended(session, extended, sizeof extended, wait_us, error)
                                          : erase_legacy(session, legacy, sizeof legacy, wait_us, error);
}

static size_t list_pages(bool wide, const struct chip_sector *sectors, size_t count, uint8_t *frame)
{
    size_t size = 0;

    if (wide)
        frame[size++] = (uint8_t)((count - 1) >> 8);
    frame[size++] = (uint8_t)(count - 1);
    for (size_t i = 0; i < count; i++) {
        if (wide)
            frame[size++] = (uint8_t)(sectors[i].number >> 8);
        frame[size++] = (uint8_t)sectors[i].number;
    }
    frame[size] = xor_of(frame, size);
    return size + 1;
}

static int erase_some(struct session *session, const struct chip_sector *sectors, size_t count,
                      struct error *error)
{
    uint8_t frame[2 + 2 * ERASE_PAGES_MAX + 1];
    bool wide = lists(session, EXTENDED_ERASE);
    size_t size = list_pages(wide, sectors, count, frame);
    int64_t wait_us = ERASE_MARGIN_US;
    int status;

    if (!wide && sectors[count - 1].number > UINT8_MAX)
        return error_set(error, -ENOTSUP, "page %u cannot be named to this bootloader: erase the whole chip",
                         sectors[count - 1].number);
    for (size_t i = 0; i < count; i++)
        wait_us += sectors[i].erase_max_us;
    status = wide ? erase_extended(session, frame, size, wait_us, error)
                  : erase_legacy(session, frame, size, wait_us, error);
    if (status < 0)
        return error_prefix(error, "pages %u to %u", sectors[0].number, sectors[count - 1].number);
    return 0;
}

static int stm32_erase(struct session *session, const struct chip_sector *sectors, size_t count,
                       struct error *error)
{
    int status = 0;

    for (size_t done = 0; status == 0 && done < count;) {
        size_t now = count - done < ERASE_PAGES_MAX ? count - done : ERASE_PAGES_MAX;

        status = erase_some(session, sectors + done, now, error);
        done += now;
    }
    return status;
}

/* --- write, compare ----------------------------------------------------------------------- */

/* Write Memory: a multiple of four bytes, at most 256, from a word address. */
static int write_memory(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        int64_t wait_us, struct error *error)
{
    uint8_t frame[1 + TRANSFER_MAX + 1];
    int status;

    state_of(session)->open = OPEN_DATA;
    status = command_at(session, WRITE_MEMORY, address, "Write Memory", error);
    if (status < 0) {
        if (status == -EBADMSG)
            state_of(session)->open = OPEN_NONE;
        return status;
    }
    frame[0] = (uint8_t)(size - 1);
    memcpy(frame + 1, bytes, size);
    frame[1 + size] = xor_of(frame, 1 + size);
    status = send_group(session, frame, size + 2, error);
    return status < 0 ? status : expect_ack(session, size + 2, wait_us, "the data", error);
}

static int stm32_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    const struct chip_family *family = session->family;
    int64_t program_us = (int64_t)(size / family->program_unit + 1) * family->program_max_us;
    int status = write_memory(session, address, bytes, size, COMMAND_ANSWER_US + program_us, error);

    return status < 0 ? error_prefix(error, "write at 0x%08x", address) : 0;
}

/* The CRC unit of the STM32 as Get Checksum uses it: polynomial 0x04C11DB7, start value all ones, whole
 * words, most significant bit first, no final inversion. */
#define CRC_POLYNOMIAL 0x04C11DB7u
#define CRC_START      0xFFFFFFFFu

static uint32_t crc_of_words(const uint8_t *bytes, uint32_t size)
{
    uint32_t crc = CRC_START;

    for (uint32_t at = 0; at + 4 <= size; at += 4) {
        crc ^= get_le32(bytes + at);
        for (int bit = 0; bit < 32; bit++)
            crc = crc & 0x80000000u ? crc << 1 ^ CRC_POLYNOMIAL : crc << 1;
    }
    return crc;
}

static int send_word(struct session *session, uint32_t word, const char *what, struct error *error)
{
    uint8_t group[5];
    int status;

    put_address(group, word); /* the same form: four bytes, most significant first, and their XOR */
    status = send(session, group, sizeof group, error);
    return status < 0 ? status : expect_ack(session, sizeof group, COMMAND_ANSWER_US, what, error);
}

/* Get Memory Checksum: address, length in words, polynomial, start value; then ACK, the sum and its XOR. */
static int get_checksum(struct session *session, uint32_t address, uint32_t size, uint32_t *sum,
                        struct error *error)
{
    uint8_t answer[5];
    int status = command_at(session, GET_CHECKSUM, address, "Get Checksum", error);

    if (status == 0)
        status = send_word(session, size / 4, "the length", error);
    if (status == 0)
        status = send_word(session, CRC_POLYNOMIAL, "the polynomial", error);
    if (status == 0)
        status = send_word(session, CRC_START, "the start value", error);
    if (status == 0) /* a megabyte takes the CRC unit some ten milliseconds */
        status = expect_ack(session, 0, CHECKSUM_US, "the sum", error);
    if (status == 0)
        status = receive(session, answer, sizeof answer, COMMAND_ANSWER_US, error);
    if (status == 0 && xor_of(answer, 4) != answer[4])
        return error_set(error, -EPROTO, "Get Checksum: the sum's own checksum is wrong");
    if (status == 0)
        *sum = get_be32(answer);
    return status;
}

/* Documents and tools disagree on the form of this command. It is believed only when it gives the right
 * sum for memory that has also been read: a page of the bootloader itself. */
static int test_checksum(struct session *session, struct error *error)
{
    uint32_t address = session->family->system_memory.address;
    uint8_t page[TRANSFER_MAX];
    uint32_t sum;
    int status = read_memory(session, address, page, sizeof page, error);

    if (status == 0)
        status = get_checksum(session, address, sizeof page, &sum, error);
    if (status == 0 && sum != crc_of_words(page, sizeof page))
        status = error_set(error, -EPROTO, "the sum is wrong");
    return status;
}

/* 1: the command can be believed; 0: it cannot; or the error that ends the run. */
static int checksum_works(struct session *session, struct error *error)
{
    struct stm32 *state = state_of(session);
    int status;

    if (state->checksum_tested || !lists(session, GET_CHECKSUM) || !session->family->system_memory.size)
        return state->checksum_trusted;
    state->checksum_tested = true;
    status = test_checksum(session, error);
    state->checksum_trusted = status == 0;
    if (status == 0)
        return 1;
    if (!rate_to_blame(session, status))
        return status;
    log_info(&session->log, "Get Checksum is listed but does not pass its self-test: %s", error->text);
    return stm32_resync(session, error);
}

static int stm32_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                         struct error *error)
{
    uint32_t sum;
    int status = address % 4 || size % 4 || size / 4 > CHECKSUM_WORD_MAX ? 0 : checksum_works(session, error);

    if (status < 0)
        return status;
    if (status == 0)
        return error_set(error, -ENOTSUP, "no trusted checksum on this chip");
    status = get_checksum(session, address, size, &sum, error);
    if (status < 0)
        return error_prefix(error, "checksum at 0x%08x", address);
    return sum == crc_of_words(bytes, size) ? 0 : 1;
}

/* --- protection --------------------------------------------------------------------------- */

/* Readout Unprotect: a second ACK after the mass erase that pays for it, then a reset. */
static int stm32_unprotect(struct session *session, struct error *error)
{
    int64_t wait_us = ERASE_MARGIN_US + (session->family && session->family->mass_erase_max_us
                                             ? session->family->mass_erase_max_us
                                             : WIPE_UNKNOWN_US);
    int status = command(session, READOUT_UNPROTECT, "Readout Unprotect", error);

    if (status == 0)
        status = expect_ack(session, 0, wait_us, "the end of Readout Unprotect", error);
    if (status == 0)
        status = contact_after_reset(session, wait_us, error);
    if (status < 0)
        return status;
    session->board.read_protected = false;
    return prove_rate(session, error);
}

/* Write Unprotect: no parameters, a second ACK, a reset; all sectors. */
static int stm32_write_unprotect(struct session *session, struct error *error)
{
    int status = command(session, WRITE_UNPROTECT, "Write Unprotect", error);

    if (status == 0)
        status = expect_ack(session, 0, OPTIONS_ANSWER_US, "the end of Write Unprotect", error);
    return status < 0 ? status : contact_after_reset(session, COMMAND_ANSWER_US, error);
}

#define WRITE_PROTECT_CODES 256

/* One code covers several pages on most families; pages come in ascending order. */
static size_t list_codes(const struct chip_sector *sectors, size_t count, uint32_t unit, uint8_t *frame)
{
    size_t codes = 0;

    for (size_t i = 0; i < count && codes < WRITE_PROTECT_CODES; i++) {
        uint8_t code = (uint8_t)(sectors[i].number / unit);

        if (codes == 0 || frame[codes] != code)
            frame[++codes] = code;
    }
    frame[0] = (uint8_t)(codes - 1);
    frame[1 + codes] = xor_of(frame, 1 + codes);
    return 1 + codes + 1;
}

/* Write Protect: sector codes, an ACK, a reset. Codes replace what was protected before. */
static int stm32_write_protect(struct session *session, const struct chip_sector *sectors, size_t count,
                               struct error *error)
{
    uint8_t frame[1 + WRITE_PROTECT_CODES + 1];
    size_t size = list_codes(sectors, count, session->family->write_protect_unit, frame);
    int status = open_command(session, WRITE_PROTECT, OPEN_LIST, "Write Protect", error);

    if (status == 0)
        status = send_group(session, frame, size, error);
    if (status == 0)
        status = expect_ack(session, size, OPTIONS_ANSWER_US, "the sectors of Write Protect", error);
    return status < 0 ? status : contact_after_reset(session, COMMAND_ANSWER_US, error);
}

static int stm32_write_options(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                               struct error *error)
{
    /* The option bytes take effect by a reset that the bootloader makes itself after its ACK. */
    int status = write_memory(session, address, bytes, size, OPTIONS_ANSWER_US, error);

    if (status == 0)
        status = contact_after_reset(session, COMMAND_ANSWER_US, error);
    return status;
}

/* Readout Protect: no parameters, a second ACK, a reset; from then on memory cannot be read. */
static int stm32_protect(struct session *session, struct error *error)
{
    uint8_t word[4];
    int status = command(session, READOUT_PROTECT, "Readout Protect", error);

    if (status == 0)
        status = expect_ack(session, 0, OPTIONS_ANSWER_US, "the end of Readout Protect", error);
    if (status == 0)
        status = contact_after_reset(session, COMMAND_ANSWER_US, error);
    if (status < 0)
        return status;
    status = read_memory(session, session->family->flash_base, word, sizeof word, error);
    if (status == 0)
        return error_set(error, -EPROTO, "flash can still be read after Readout Protect");
    return refused(status) ? sync_after_silence(session, error) : status;
}

/* Go: the bootloader takes stack pointer and start address from `address` and is gone. */
static int stm32_run(struct session *session, uint32_t address, struct error *error)
{
    int status = command_at(session, GO, address, "Go", error);

    return status < 0 ? error_prefix(error, "run at 0x%08x", address) : 0;
}

/* The conversation was cut off where the board waits for a group: give it one with a wrong checksum, which
 * it refuses, so that whoever comes next does not write its first bytes into that command. */
static void close_group(struct session *session)
{
    static const struct {
        uint8_t bytes[6];
        size_t size;
    } wrong[] = {
        [OPEN_LIST] = {{0x00, 0x00, 0xFF}, 3},
        [OPEN_WIDE_LIST] = {{0x00, 0x00, 0x00, 0x00, 0xFF}, 5},
        [OPEN_DATA] = {{0x03, 0x00, 0x00, 0x00, 0x00, 0xFC}, 6},
    };
    enum open_group open = state_of(session)->open;
    struct error ignored;

    if (open == OPEN_NONE || settle(session, &ignored) < 0)
        return;
    (void)send_group(session, wrong[open].bytes, wrong[open].size, &ignored);
    (void)settle(session, &ignored);
}

static void stm32_disconnect(struct session *session)
{
    struct error ignored;

    close_group(session);
    (void)entry_leave(session, &ignored);
}

static uint32_t stm32_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                                 uint32_t size_or_count)
{
    (void)family;
    switch (operation) {
    case WIRE_ERASE:
        return 2 + 1 + 2 + 2 * size_or_count + 1 + 1;
    case WIRE_ERASE_ALL:
        return 2 + 1 + 3 + 1;
    case WIRE_WRITE:
        return 2 + 1 + 5 + 1 + 1 + size_or_count + 1 + 1;
    case WIRE_READ:
        return 2 + 1 + 5 + 1 + 2 + 1 + size_or_count;
    case WIRE_CHECKSUM:
        return 2 + 1 + 4 * (5 + 1) + 1 + 5;
    }
    return 0;
}

const struct protocol protocol_stm32_uart = {
    .name = "stm32-uart",
    .summary = "STM32 ROM bootloader on a UART (ST AN3155)",
    .state_size = sizeof(struct stm32),
    .chips = CHIP_STM32,
    .transfer_max = TRANSFER_MAX,
    .connect = stm32_connect,
    .probe = stm32_probe,
    .identify = stm32_identify,
    .resync = stm32_resync,
    .unprotect = stm32_unprotect,
    .write_unprotect = stm32_write_unprotect,
    .erase_all = stm32_erase_all,
    .erase = stm32_erase,
    .write = stm32_write,
    .read = read_memory,
    .compare = stm32_compare,
    .write_options = stm32_write_options,
    .protect = stm32_protect,
    .write_protect = stm32_write_protect,
    .run = stm32_run,
    .disconnect = stm32_disconnect,
    .wire_bytes = stm32_wire_bytes,
    .line = line_at,
};
