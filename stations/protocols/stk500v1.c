/* SPDX-License-Identifier: Apache-2.0 */
/* AVR loaders that speak STK500 version 1: optiboot and ATmegaBOOT, as Arduino boards have them.
 *
 * Follows Atmel AVR061 "STK500 communication protocol"; command names below are its own. A command ends with
 * Sync_CRC_EOP, an answer stands between Resp_STK_INSYNC and Resp_STK_OK. The line is 8N1, the host speaks
 * first, and there is no checksum: what was written is known only by reading it back.
 *
 * What the application note does not say, the loaders' published sources do, and it decides much here:
 * - A loader lives for a moment after a reset, a second at most, and ends at any pause of that length.
 * - optiboot takes a byte that should have been EOP and is not for an error, and is gone 16 ms later. There
 *   is no way back into step but another reset.
 * - Both blink before they listen, up to 0.6 s. Two bytes sent meanwhile wait in the receiver, more are lost.
 * - Load Address is a word address, for EEPROM too, but for ATmegaBOOT of the ATmega8. Neither writes on from
 * where it stopped; optiboot reads on. So the address goes with each page, in one write with it: nothing is
 * lost by that, as it is never refused, and the answer comes while the page is on the line.
 * - optiboot without EEPROM takes data for it and programs them into flash. */
#include "protocol.h"
#include "protocols.h"

#include "avr.h"
#include "bytes.h"
#include "failure.h"

#include <errno.h>
#include <string.h>

enum { INSYNC = 0x14, OK = 0x10, EOP = 0x20 };

enum command { /* AVR061, "Commands" */
               GET_SYNC = 0x30,
               GET_PARAMETER = 0x41,
               LEAVE_PROGMODE = 0x51,
               LOAD_ADDRESS = 0x55,
               UNIVERSAL = 0x56,
               PROG_PAGE = 0x64,
               READ_PAGE = 0x74,
               READ_SIGN = 0x75,
};

enum { PARAMETER_SW_MAJOR = 0x81, PARAMETER_SW_MINOR = 0x82 };

#define MS 1000 /* in microseconds */

/* How long the board may think, beyond the time the bytes take on the line. */
enum {
    ANSWER_US = 400 * MS,   /* the loaders take microseconds, adapters and networks their time */
    POLL_US = 50 * MS,      /* between one Get Sync and the next */
    QUIET_US = 25 * MS,     /* silence after which no answer is under way any more */
    WINDOW_US = 900 * MS,   /* from the reset to the first answer: start-up of the clock, blinking */
    STRAPPED_US = 300 * MS, /* the same where nothing resets the board: it listens, or it does not */
};

#define TRANSFER_MAX 256u
#define BANK         0x20000u /* bytes that a word address of 16 bits reaches */
#define NO_ADDRESS   0xFFFFFFFFu

struct stk500v1 {
    bool writing;          /* a page was sent and not answered */
    bool reads_on;         /* a read goes on where the last one ended */
    uint32_t next_address; /* where that is; NO_ADDRESS: unknown */
    bool eeprom_by_bytes;  /* Load Address counts bytes when EEPROM follows */
    uint32_t bank;         /* extended address in force, plus one; 0: none was sent */
};

/* Those in use, the likeliest first; a wrong one costs a reset. */
static const uint32_t rates[] = {115200, 57600, 19200};

static struct stk500v1 *state_of(struct session *session)
{
    return session->state;
}

/* --- commands and answers ----------------------------------------------------------------- */

static int send(struct session *session, const uint8_t *bytes, size_t size, struct error *error)
{
    return port_write(session->port, bytes, size,
                      session_deadline(session, ANSWER_US + avr_wire_us(session, size)), error);
}

/* INSYNC, `size` bytes, OK; `sent` bytes may still be on their way out. */
static int expect(struct session *session, size_t sent, uint8_t *bytes, size_t size, int64_t wait_us,
                  const char *what, struct error *error)
{
    uint8_t answer[1 + TRANSFER_MAX + 1];
    int64_t deadline_us = session_deadline(session, wait_us + avr_wire_us(session, sent + size + 2));
    int status = port_read(session->port, answer, size + 2, deadline_us, error);

    if (status == -ETIMEDOUT)
        return error_set(error, -ETIMEDOUT, "no answer to %s within %d ms", what, (int)(wait_us / MS));
    if (status < 0)
        return error_prefix(error, "%s", what);
    session->link.naks += answer[0] != INSYNC || answer[size + 1] != OK;
    if (answer[0] != INSYNC || answer[size + 1] != OK)
        return error_set(error, -EPROTO, "0x%02x … 0x%02x instead of 0x14 … 0x10 around the answer to %s",
                         answer[0], answer[size + 1], what);
    if (size)
        memcpy(bytes, answer + 1, size);
    return 0;
}

static int command(struct session *session, const uint8_t *bytes, size_t size, uint8_t *answer,
                   size_t answer_size, const char *what, struct error *error)
{
    int status = send(session, bytes, size, error);

    return status < 0 ? status : expect(session, size, answer, answer_size, ANSWER_US, what, error);
}

static int read_signature(struct session *session, uint32_t *signature, struct error *error)
{
    static const uint8_t frame[] = {READ_SIGN, EOP};
    uint8_t bytes[3];
    int status = command(session, frame, sizeof frame, bytes, sizeof bytes, "Read Signature", error);

    if (status == 0)
        *signature = (uint32_t)bytes[0] << 16 | get_be16(bytes + 1);
    return status;
}

static int get_parameter(struct session *session, uint8_t parameter, uint8_t *value, struct error *error)
{
    const uint8_t frame[] = {GET_PARAMETER, parameter, EOP};

    return command(session, frame, sizeof frame, value, 1, "Get Parameter", error);
}

/* Beyond 64 Ki words the address does not say it all: bits 16 and up go through the instruction "load
 * extended address byte" of the serial programming set. */
static int select_bank(struct session *session, uint32_t address, struct error *error)
{
    struct stk500v1 *state = state_of(session);
    uint8_t bank = (uint8_t)(address / BANK);
    const uint8_t frame[] = {UNIVERSAL, 0x4D, 0x00, bank, 0x00, EOP};
    uint8_t ignored;
    int status;

    if (avr_flash_size(session->family) <= BANK || state->bank == bank + 1u)
        return 0;
    status = command(session, frame, sizeof frame, &ignored, 1, "Load Extended Address", error);
    state->bank = status == 0 ? bank + 1u : 0;
    return status;
}

#define ADDRESS_SIZE 4u

static void put_address(struct session *session, uint8_t frame[ADDRESS_SIZE], enum avr_memory memory,
                        uint32_t address)
{
    uint32_t count = memory == AVR_EEPROM && state_of(session)->eeprom_by_bytes ? address : address / 2;

    frame[0] = LOAD_ADDRESS;
    frame[1] = (uint8_t)count; /* low byte first, here alone */
    frame[2] = (uint8_t)(count >> 8);
    frame[3] = EOP;
}

#define PAGE_HEAD 4u

static void put_page_head(uint8_t frame[PAGE_HEAD], enum command opcode, enum avr_memory memory,
                          uint32_t size)
{
    frame[0] = (uint8_t)opcode;
    put_be16(frame + 1, (uint16_t)size);
    frame[3] = memory == AVR_EEPROM ? 'E' : 'F';
}

/* --- contact ------------------------------------------------------------------------------ */

/* Reads until INSYNC and OK have come, whatever stood before them: the application's last words, or what a
 * floating line said during the reset. */
static int await_in_step(struct session *session, int64_t wait_us, struct error *error)
{
    int64_t deadline_us = session_deadline(session, wait_us);
    uint8_t last[2] = {0, 0};

    while (last[0] != INSYNC || last[1] != OK) {
        int status;

        last[0] = last[1];
        status = port_read(session->port, &last[1], 1, deadline_us, error);
        if (status < 0)
            return status;
        if ((last[0] != INSYNC || last[1] != OK) && port_now_us(session->port) >= deadline_us)
            return error_set(error, -ETIMEDOUT, "the line is full of other things than an answer");
    }
    return 0;
}

static int get_sync(struct session *session, int64_t wait_us, struct error *error)
{
    static const uint8_t frame[] = {GET_SYNC, EOP};
    int status = send(session, frame, sizeof frame, error);

    return status < 0 ? status : await_in_step(session, wait_us, error);
}

/* Of several Get Sync that came while the loader blinked, the receiver kept the first two bytes and perhaps
 * one more, which the loader now has for a command. A single EOP ends it, or, where there was none, is one to
 * optiboot that the next EOP ends; ATmegaBOOT counts it as one of the five errors it forgives. */
static int align(struct session *session, struct error *error)
{
    static const uint8_t end[] = {EOP};
    int status = port_settle(session->port, QUIET_US, session_deadline(session, ANSWER_US), error);

    for (int i = 0; i < 2 && (status == 0 || avr_timed_out(session, status)); i++) {
        status = send(session, end, sizeof end, error);
        if (status == 0)
            status = await_in_step(session, QUIET_US, error);
        if (status == 0)
            break;
    }
    if (status < 0 && !avr_timed_out(session, status))
        return status;
    return get_sync(session, ANSWER_US, error);
}

/* Get Sync until it is answered. -EAGAIN: never, within the window. */
static int sync_within(struct session *session, int64_t window_us, struct error *error)
{
    int64_t deadline_us = session_deadline(session, window_us);
    int polls = 0;
    int status;

    port_discard(session->port);
    do {
        status = get_sync(session, POLL_US, error);
        polls++;
    } while (avr_timed_out(session, status) && port_now_us(session->port) < deadline_us);
    if (status == 0 && polls > 1)
        status = align(session, error);
    if (avr_timed_out(session, status))
        return error_set(error, -EAGAIN, "no answer to Get Sync at %u baud", session->port->line.baud);
    return status;
}

/* Resets the board where the fixture can, and gets into step. */
static int sync_afresh(struct session *session, struct error *error)
{
    struct stk500v1 *state = state_of(session);
    int status = entry_enter(session, error);

    state->writing = false;
    state->next_address = NO_ADDRESS;
    state->bank = 0;
    if (status < 0)
        return status;
    return sync_within(session, entry_resets(session->entry) ? WINDOW_US : STRAPPED_US, error);
}

static const struct avr_contact contact = {
    .rates = rates,
    .rate_count = sizeof rates / sizeof *rates,
    .enter = sync_afresh,
    .read_signature = read_signature,
};

static int v1_connect(struct session *session, struct error *error)
{
    return avr_connect(session, &contact, error);
}

static int v1_probe(struct session *session, struct error *error)
{
    return avr_probe(session, &contact, error);
}

/* There is no byte that ends a page half-sent without being taken for a part of it. */
static int v1_resync(struct session *session, struct error *error)
{
    int status;

    if (!entry_resets(session->entry) && state_of(session)->writing)
        return error_set(error, -ETIMEDOUT,
                         "the loader has stopped answering in a page, and this entry cannot reset it");
    status = sync_afresh(session, error);
    return avr_still_the_same(session, &contact, status, error);
}

/* --- read and write ----------------------------------------------------------------------- */

/* Load Address, unless the loader stands there already, and Read Page in one write. */
static int read_page(struct session *session, enum avr_memory memory, uint32_t address, uint8_t *bytes,
                     uint32_t size, struct error *error)
{
    struct stk500v1 *state = state_of(session);
    bool there = memory == AVR_FLASH && address == state->next_address && address % 0x10000 != 0;
    uint8_t frame[ADDRESS_SIZE + PAGE_HEAD + 1];
    size_t head = there ? 0 : ADDRESS_SIZE;
    int status;

    put_address(session, frame, memory, address);
    put_page_head(frame + head, READ_PAGE, memory, size);
    frame[head + PAGE_HEAD] = EOP;
    state->next_address = NO_ADDRESS;
    status = send(session, frame, head + PAGE_HEAD + 1, error);
    if (status == 0 && !there)
        status = expect(session, head + PAGE_HEAD + 1, NULL, 0, ANSWER_US, "Load Address", error);
    if (status == 0)
        status = expect(session, 0, bytes, size, ANSWER_US, "Read Page", error);
    if (status == 0 && memory == AVR_FLASH && state->reads_on && size % 2 == 0)
        state->next_address = address + size;
    return status;
}

/* EEPROM is addressed by words too: an odd byte is reached through the one before. */
static int read_eeprom(struct session *session, uint32_t offset, uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    uint8_t first[2];
    int status;

    if (offset % 2 == 0)
        return read_page(session, AVR_EEPROM, offset, bytes, size, error);
    status = read_page(session, AVR_EEPROM, offset - 1, first, sizeof first, error);
    bytes[0] = first[1];
    if (status < 0 || size == 1)
        return status;
    return read_page(session, AVR_EEPROM, offset + 1, bytes + 1, size - 1, error);
}

static int read_flash(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    uint8_t words[TRANSFER_MAX];
    uint32_t start = address & ~1u;
    uint32_t length = (address + size + 1 - start) & ~1u;
    int status = select_bank(session, address, error);

    if (status < 0)
        return status;
    if (length == size)
        return read_page(session, AVR_FLASH, address, bytes, size, error);
    if (length > sizeof words)
        return error_set(error, -EINVAL, "%u bytes at an odd address are too many", size);
    status = read_page(session, AVR_FLASH, start, words, length, error);
    memcpy(bytes, words + (address - start), size);
    return status;
}

static int v1_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                   struct error *error)
{
    int status = -ENOTSUP;

    switch (avr_memory_at(session->family, address, size)) {
    case AVR_FLASH:
        status = read_flash(session, address, bytes, size, error);
        break;
    case AVR_EEPROM:
        status = read_eeprom(session, address - session->family->eeprom.address, bytes, size, error);
        break;
    case AVR_FUSES:
    case AVR_LOCK:
    case AVR_NOWHERE:
        return avr_no_way(address, "this loader", error);
    }
    return status < 0 ? error_prefix(error, "read at 0x%06x", address) : 0;
}

/* Load Address and Program Page in one write. The loader has the whole page before it programs it. */
static int write_page(struct session *session, enum avr_memory memory, uint32_t address, const uint8_t *bytes,
                      uint32_t size, struct error *error)
{
    uint8_t frame[ADDRESS_SIZE + PAGE_HEAD + TRANSFER_MAX + 1];
    size_t length = ADDRESS_SIZE + PAGE_HEAD + size + 1;
    struct stk500v1 *state = state_of(session);
    int64_t wait_us = ANSWER_US + avr_write_max_us(session->family, memory, size);
    int status;

    put_address(session, frame, memory, address);
    put_page_head(frame + ADDRESS_SIZE, PROG_PAGE, memory, size);
    memcpy(frame + ADDRESS_SIZE + PAGE_HEAD, bytes, size);
    frame[length - 1] = EOP;
    state->next_address = NO_ADDRESS;
    state->writing = true;
    status = send(session, frame, length, error);
    if (status == 0)
        status = expect(session, length, NULL, 0, ANSWER_US, "Load Address", error);
    if (status == 0) /* the page itself may still be on its way out */
        status = expect(session, length, NULL, 0, wait_us, "Program Page", error);
    state->writing = status < 0;
    return status;
}

/* An odd address is reached through the byte before, which is written with what it holds. */
static int write_eeprom(struct session *session, uint32_t offset, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    uint8_t block[TRANSFER_MAX];
    uint32_t before = offset % 2;
    int status = 0;

    if (session->board.no_eeprom)
        return error_set(error, -ENOTSUP, "this loader was built without EEPROM");
    if (size + before > sizeof block)
        return error_set(error, -EINVAL, "%u bytes at an odd address are too many", size);
    if (before)
        status = read_page(session, AVR_EEPROM, offset - 1, block, 1, error);
    memcpy(block + before, bytes, size);
    return status < 0 ? status
                      : write_page(session, AVR_EEPROM, offset - before, block, size + before, error);
}

/* optiboot programs a whole page whatever the length says, and takes the rest from its buffer. */
static int write_flash(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    uint32_t page = avr_page_size(session->family);
    int status;

    if (address % page || size != page)
        return error_set(error, -EINVAL, "%u bytes are not one page of %u", size, page);
    status = select_bank(session, address, error);
    return status < 0 ? status : write_page(session, AVR_FLASH, address, bytes, size, error);
}

static int v1_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
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

/* --- who is there ------------------------------------------------------------------------- */

#define OPTIBOOT_MAJOR  4u    /* ATmegaBOOT calls itself 1.16 */
#define MEGA8_MINOR     0x12u /* and 1.18 on the ATmega8 */
#define OPTIBOOT_SIZE   512u
#define ATMEGABOOT_SIZE 2048u
#define LOADER_START    8u

/* A jump, as in a vector table, of the loader that starts at `from` to a place within itself. */
static bool jumps_inside(const struct chip_family *family, uint32_t from, const uint8_t *code, uint32_t at)
{
    uint16_t opcode = get_le16(code + at);
    uint32_t target;

    if (opcode == 0x940C || opcode == 0x940D) /* jmp: bit 16 of the word address is in the opcode */
        target = 2 * ((opcode & 1u) << 16 | get_le16(code + at + 2));
    else if ((opcode & 0xF000) == 0xC000 && !(opcode & 0x0800)) /* rjmp, forwards */
        target = from + at + 2 + 2 * (opcode & 0x07FFu);
    else
        return false;
    return target > from && target < avr_flash_size(family);
}

/* Whether a loader begins with this code. ATmegaBOOT has a vector table, of which two entries are looked at;
 * optiboot none: it clears the zero register at once, or jumps over the way in for applications. */
static bool is_loader_start(const struct chip_family *family, bool optiboot, uint32_t from,
                            const uint8_t code[LOADER_START])
{
    uint32_t vector = avr_flash_size(family) > 0x2000 ? 4 : 2; /* bytes each */

    if (optiboot)
        return get_le16(code) == 0x2411 || jumps_inside(family, from, code, 0);
    return jumps_inside(family, from, code, 0) && jumps_inside(family, from, code, vector);
}

/* Which of the boot sections that the fuses can choose the loader is in. The fuses cannot be read here, so it
 * is told by its first instructions; where they are strange, by the size that loaders of its name have. */
static int find_loader(struct session *session, bool optiboot, struct error *error)
{
    const struct chip_family *family = session->family;
    uint32_t usual = optiboot ? OPTIBOOT_SIZE : ATMEGABOOT_SIZE;
    uint32_t smallest = family->avr->boot_max / 8;
    uint8_t code[LOADER_START];

    smallest = smallest < OPTIBOOT_SIZE ? OPTIBOOT_SIZE : smallest;
    usual = usual < smallest ? smallest : usual;
    for (uint32_t size = smallest; size <= family->avr->boot_max; size *= 2) {
        struct chip_span span = avr_flash_end(family, size);
        int status = read_flash(session, span.address, code, sizeof code, error);

        if (status < 0)
            return status;
        if (is_loader_start(family, optiboot, span.address, code)) {
            session->board.loader = span;
            return 0;
        }
    }
    session->board.loader = avr_flash_end(family, usual);
    log_info(&session->log, "the loader's start is strange to us; taken for %u bytes", usual);
    return 0;
}

/* Builds of optiboot differ in whether a read goes on where the last one ended: three short ones show it. */
static int test_reading_on(struct session *session, struct error *error)
{
    struct stk500v1 *state = state_of(session);
    uint32_t address = session->board.loader.address;
    uint8_t first[LOADER_START] = {0}, second[LOADER_START] = {0}, wanted[LOADER_START];
    int status = read_flash(session, address + LOADER_START, wanted, sizeof wanted, error);

    if (status == 0)
        status = read_flash(session, address, first, sizeof first, error);
    state->next_address = address + LOADER_START; /* as if it had been proven */
    if (status == 0)
        status = read_flash(session, address + LOADER_START, second, sizeof second, error);
    state->reads_on = status == 0 && memcmp(second, wanted, sizeof wanted) == 0 &&
                      memcmp(first, wanted, sizeof wanted) != 0;
    state->next_address = NO_ADDRESS;
    return status;
}

/* Most builds of optiboot leave EEPROM out, and say so to nobody. Asked to read it at the loader's own
 * address, those return the loader. */
static int test_eeprom(struct session *session, struct error *error)
{
    uint32_t address = session->board.loader.address;
    uint8_t flash[2 * LOADER_START], eeprom[2 * LOADER_START];
    int status = read_flash(session, address, flash, sizeof flash, error);

    if (status == 0)
        status = read_page(session, AVR_EEPROM, address, eeprom, sizeof eeprom, error);
    if (status == 0)
        session->board.no_eeprom = memcmp(flash, eeprom, sizeof flash) == 0;
    return status;
}

static int v1_identify(struct session *session, struct error *error)
{
    uint8_t major, minor;
    bool optiboot;
    int status = get_parameter(session, PARAMETER_SW_MAJOR, &major, error);

    state_of(session)->next_address = NO_ADDRESS;
    if (status == 0)
        status = get_parameter(session, PARAMETER_SW_MINOR, &minor, error);
    if (status < 0)
        return status;
    session->board.bootloader = (uint8_t)(major << 4 | (minor & 0x0F));
    session->family = avr_family(session->board.chip_id);
    if (!session->family)
        return 0;
    optiboot = major >= OPTIBOOT_MAJOR;
    state_of(session)->eeprom_by_bytes = !optiboot && minor == MEGA8_MINOR;
    status = find_loader(session, optiboot, error);
    if (status == 0 && optiboot)
        status = test_reading_on(session, error);
    if (status == 0 && optiboot)
        status = test_eeprom(session, error);
    return status < 0 ? error_prefix(error, "who the loader is") : 0;
}

/* --- the rest ----------------------------------------------------------------------------- */

/* Leave Programming Mode: optiboot resets itself into the application, ATmegaBOOT starts it soon. */
static int v1_run(struct session *session, uint32_t address, struct error *error)
{
    static const uint8_t frame[] = {LEAVE_PROGMODE, EOP};

    (void)address;
    return command(session, frame, sizeof frame, NULL, 0, "Leave Programming Mode", error);
}

static void v1_disconnect(struct session *session)
{
    struct error ignored;

    (void)entry_leave(session, &ignored);
}

/* The answer to Load Address comes while the page goes out, and costs nothing. */
static uint32_t v1_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                              uint32_t size_or_count)
{
    (void)family;
    switch (operation) {
    case WIRE_WRITE:
        return ADDRESS_SIZE + PAGE_HEAD + size_or_count + 1 + 2;
    case WIRE_READ:
        return PAGE_HEAD + 1 + 1 + size_or_count + 1;
    case WIRE_ERASE:
    case WIRE_ERASE_ALL:
    case WIRE_CHECKSUM:
        break;
    }
    return 0;
}

const struct protocol protocol_stk500v1 = {
    .name = "stk500v1",
    .summary = "AVR loaders optiboot and ATmegaBOOT (Atmel AVR061)",
    .state_size = sizeof(struct stk500v1),
    .chips = CHIP_AVR,
    .transfer_max = TRANSFER_MAX,
    .erases_meanwhile = true, /* optiboot, below its own section; the others are slower */
    .connect = v1_connect,
    .probe = v1_probe,
    .identify = v1_identify,
    .resync = v1_resync,
    .write = v1_write,
    .read = v1_read,
    .run = v1_run,
    .disconnect = v1_disconnect,
    .wire_bytes = v1_wire_bytes,
    .line = avr_line,
};
