/* SPDX-License-Identifier: Apache-2.0 */
/* AVR loaders that speak AVR109: Atmel's own, Butterfly, Caterina on the ATmega32U4, LUFA's.
 *
 * Follows Atmel AVR109 "Self programming"; a command is a letter, named here by what it does. Most are
 * answered with a carriage return or with what was asked for, and an unknown one with '?'. There is no
 * framing and no checksum. Through USB the rate of the line means nothing; on a UART it is 8N1.
 *
 * What the application note does not say, the published sources do: flash addresses are words and EEPROM
 * addresses bytes; an odd count of flash bytes leaves the address where it was; LUFA and Caterina set the
 * lock bits that are 1 in what they are sent, where the note's own loader sets those that are 0. */
#include "protocol.h"
#include "protocols.h"

#include "avr.h"
#include "bytes.h"
#include "failure.h"

#include <errno.h>
#include <string.h>

enum { RETURN = '\r', ESCAPE = 0x1B };

enum command {
    SOFTWARE_NAME = 'S',
    SOFTWARE_VERSION = 'V',
    SIGNATURE = 's',
    BLOCK_SUPPORT = 'b',
    AUTO_INCREMENT = 'a',
    ENTER_PROGRAMMING = 'P',
    LEAVE_PROGRAMMING = 'L',
    EXIT_LOADER = 'E',
    SET_ADDRESS = 'A',
    SET_FAR_ADDRESS = 'H',
    START_BLOCK_LOAD = 'B',
    START_BLOCK_READ = 'g',
    CHIP_ERASE = 'e',
    READ_LOW_FUSE = 'F',
    READ_HIGH_FUSE = 'N',
    READ_EXTENDED_FUSE = 'Q',
    READ_LOCK = 'r',
    WRITE_LOCK = 'l',
};

#define MS 1000 /* in microseconds */

/* How long the board may think, beyond the time the bytes take on the line. */
enum {
    ANSWER_US = 200 * MS, /* USB frames and a hub, generously */
    POLL_US = 50 * MS,    /* between one question for the name and the next */
    WINDOW_US = 700 * MS, /* from the way in to the first answer */
    QUIET_US = 25 * MS,   /* silence after which no answer is under way any more */
    LOCK_US = 100 * MS,   /* until written lock bits can be read: they take 4.5 ms */
};

#define NAME_SIZE     7u
#define BLOCK_HEAD    4u
#define TRANSFER_MAX  256u
#define NO_ADDRESS    0xFFFFFFFFu
#define CATERINA_SIZE 4096u
#define LOCK_READOUT  0x03u /* LB1 and LB2: no programmer reads or writes any more */

struct avr109 {
    char name[NAME_SIZE + 1];
    uint32_t next_address; /* where the loader stands, in our addresses; NO_ADDRESS: unknown */
    bool goes_on;          /* it counts its address up */
    bool writing;          /* a block was sent and not answered */
    bool takes_eeprom;     /* it has taken a block of it */
};

/* From the top, as through USB the first one is right. What a UART makes of our letters at a wrong rate has
 * runs of several equal bits, and is no command. */
static const uint32_t rates[] = {115200, 57600, 38400, 19200};

static struct avr109 *state_of(struct session *session)
{
    return session->state;
}

/* --- commands and answers ----------------------------------------------------------------- */

/* Sends, and reads an answer of a known size. */
static int ask(struct session *session, const uint8_t *bytes, size_t size, uint8_t *answer,
               size_t answer_size, int64_t wait_us, const char *what, struct error *error)
{
    int64_t deadline_us = session_deadline(session, wait_us + avr_wire_us(session, size + answer_size));
    int status = port_write(session->port, bytes, size, deadline_us, error);

    if (status == 0)
        status = port_read(session->port, answer, answer_size, deadline_us, error);
    if (status == -ETIMEDOUT)
        return error_set(error, -ETIMEDOUT, "no answer to %s within %d ms", what, (int)(wait_us / MS));
    return status < 0 ? error_prefix(error, "%s", what) : 0;
}

/* A command that is answered with a carriage return. */
static int tell(struct session *session, const uint8_t *bytes, size_t size, int64_t wait_us, const char *what,
                struct error *error)
{
    uint8_t answer;
    int status = ask(session, bytes, size, &answer, 1, wait_us, what, error);

    if (status < 0 || answer == RETURN)
        return status;
    session->link.naks++;
    if (answer == '?')
        return error_set(error, -EBADMSG, "the loader does not know %s", what);
    return error_set(error, -EPROTO, "0x%02x instead of a carriage return for %s", answer, what);
}

static int tell_letter(struct session *session, enum command letter, int64_t wait_us, const char *what,
                       struct error *error)
{
    const uint8_t byte = (uint8_t)letter;

    return tell(session, &byte, 1, wait_us, what, error);
}

static int ask_letter(struct session *session, enum command letter, uint8_t *answer, size_t size,
                      const char *what, struct error *error)
{
    const uint8_t byte = (uint8_t)letter;

    return ask(session, &byte, 1, answer, size, ANSWER_US, what, error);
}

/* The three bytes come last one first. */
static int read_signature(struct session *session, uint32_t *signature, struct error *error)
{
    uint8_t bytes[3];
    int status = ask_letter(session, SIGNATURE, bytes, sizeof bytes, "the signature", error);

    if (status == 0)
        *signature = (uint32_t)bytes[2] << 16 | (uint32_t)bytes[1] << 8 | bytes[0];
    return status;
}

/* --- contact ------------------------------------------------------------------------------ */

/* The loader's name, "CATERIN" or "AVRBOOT" say: seven printable letters. An Escape before the letter ends
 * nothing and means nothing, but wakes loaders that wait for one. */
static int ask_name(struct session *session, struct error *error)
{
    static const uint8_t frame[] = {ESCAPE, SOFTWARE_NAME};
    char *name = state_of(session)->name;
    int status = ask(session, frame, sizeof frame, (uint8_t *)name, NAME_SIZE, POLL_US, "its name", error);

    name[NAME_SIZE] = '\0';
    for (size_t i = 0; status == 0 && i < NAME_SIZE; i++)
        if (name[i] < ' ' || name[i] > '~')
            status = error_set(error, -ETIMEDOUT, "what answers is no name");
    return status;
}

/* Whoever stopped in a block left the loader waiting for the rest of it. This is more than any block takes,
 * and the page will be written once more anyway; as commands, Escapes mean nothing. */
static int end_old_block(struct session *session, struct error *error)
{
    uint8_t filler[BLOCK_HEAD + TRANSFER_MAX];
    int64_t wait_us = ANSWER_US + avr_wire_us(session, sizeof filler);
    int status;

    memset(filler, ESCAPE, sizeof filler);
    status = port_write(session->port, filler, sizeof filler, session_deadline(session, wait_us), error);
    return status < 0 ? status
                      : port_settle(session->port, QUIET_US, session_deadline(session, wait_us), error);
}

/* Asks for the name until it comes, then makes sure that no late answer to an earlier question follows.
 * -EAGAIN: never, within the window. */
static int meet_within(struct session *session, struct error *error)
{
    int64_t deadline_us = session_deadline(session, WINDOW_US);
    int status;

    state_of(session)->next_address = NO_ADDRESS;
    port_discard(session->port);
    do {
        status = ask_name(session, error);
        if (status == -ETIMEDOUT)
            port_discard(session->port);
    } while (avr_timed_out(session, status) && port_now_us(session->port) < deadline_us);
    if (status == 0)
        status = port_settle(session->port, QUIET_US, session_deadline(session, ANSWER_US), error);
    if (avr_timed_out(session, status))
        return error_set(error, -EAGAIN, "no answer at %u baud", session->port->line.baud);
    return status < 0 ? status
                      : tell_letter(session, ENTER_PROGRAMMING, ANSWER_US, "enter programming", error);
}

static int meet_afresh(struct session *session, struct error *error)
{
    bool stuck = session->half_way || state_of(session)->writing;
    int status = entry_enter(session, error);

    if (status == 0 && stuck && !entry_resets(session->entry))
        status = end_old_block(session, error);
    state_of(session)->writing = false;
    return status < 0 ? status : meet_within(session, error);
}

static const struct avr_contact contact = {
    .rates = rates,
    .rate_count = sizeof rates / sizeof *rates,
    .enter = meet_afresh,
    .read_signature = read_signature,
};

static int avr109_connect(struct session *session, struct error *error)
{
    return avr_connect(session, &contact, error);
}

static int avr109_probe(struct session *session, struct error *error)
{
    return avr_probe(session, &contact, error);
}

/* A loader that has lost bytes of a block waits for them: it is given some, unless the entry resets it. */
static int avr109_resync(struct session *session, struct error *error)
{
    int status = state_of(session)->writing ? -EAGAIN : meet_within(session, error);

    if (status == -EAGAIN)
        status = meet_afresh(session, error);
    return avr_still_the_same(session, &contact, status, error);
}

/* --- who is there ------------------------------------------------------------------------- */

static bool is_named(struct session *session, const char *name)
{
    return strcmp(state_of(session)->name, name) == 0;
}

/* Blocks are the only way that is quick enough to be offered. */
static int check_blocks(struct session *session, struct error *error)
{
    uint8_t answer[3];
    int status = ask_letter(session, BLOCK_SUPPORT, answer, 1, "its block size", error);
    uint32_t page = avr_page_size(session->family);

    if (status == 0 && answer[0] == 'Y')
        status = port_read(session->port, answer + 1, 2, session_deadline(session, ANSWER_US), error);
    if (status < 0)
        return status;
    if (answer[0] != 'Y' || get_be16(answer + 1) < page)
        return error_set(error, -ENOTSUP, "the loader \"%s\" does not take blocks of one page",
                         state_of(session)->name);
    return 0;
}

static int avr109_identify(struct session *session, struct error *error)
{
    uint8_t version[2], answer;
    int status = ask_letter(session, SOFTWARE_VERSION, version, sizeof version, "its version", error);

    state_of(session)->next_address = NO_ADDRESS;
    if (status < 0)
        return status;
    if (!state_of(session)->name[0]) /* a probe has met it, and told nobody */
        status = ask_name(session, error);
    if (status < 0)
        return status;
    session->board.bootloader = (uint8_t)((version[0] & 0x0F) << 4 | (version[1] & 0x0F));
    session->family = avr_family(session->board.chip_id);
    if (!session->family)
        return 0;
    session->board.loader = avr_flash_end(
        session->family, is_named(session, "CATERIN") ? CATERINA_SIZE : session->family->avr->boot_max);
    status = check_blocks(session, error);
    if (status == 0)
        status = ask_letter(session, AUTO_INCREMENT, &answer, 1, "its counting", error);
    state_of(session)->goes_on = status == 0 && answer == 'Y';
    return status;
}

/* --- memories ----------------------------------------------------------------------------- */

/* The address, unless the loader stands there already. */
static int go_to(struct session *session, enum avr_memory memory, uint32_t address, struct error *error)
{
    struct avr109 *state = state_of(session);
    uint32_t there = memory == AVR_EEPROM ? address - session->family->eeprom.address : address / 2;
    const uint8_t near[] = {SET_ADDRESS, (uint8_t)(there >> 8), (uint8_t)there};
    const uint8_t far[] = {SET_FAR_ADDRESS, (uint8_t)(there >> 16), (uint8_t)(there >> 8), (uint8_t)there};
    bool is_far = there > UINT16_MAX;

    if (state->next_address == address)
        return 0;
    state->next_address = NO_ADDRESS;
    return tell(session, is_far ? far : near, is_far ? sizeof far : sizeof near, ANSWER_US, "an address",
                error);
}

static void put_block_head(uint8_t head[BLOCK_HEAD], enum command letter, enum avr_memory memory,
                           uint32_t size)
{
    head[0] = (uint8_t)letter;
    put_be16(head + 1, (uint16_t)size);
    head[3] = memory == AVR_EEPROM ? 'E' : 'F';
}

static void note_position(struct session *session, uint32_t address)
{
    state_of(session)->next_address = state_of(session)->goes_on ? address : NO_ADDRESS;
}

static int read_block(struct session *session, enum avr_memory memory, uint32_t address, uint8_t *bytes,
                      uint32_t size, struct error *error)
{
    uint8_t head[BLOCK_HEAD];
    int status = go_to(session, memory, address, error);

    if (status < 0)
        return status;
    put_block_head(head, START_BLOCK_READ, memory, size);
    state_of(session)->next_address = NO_ADDRESS;
    status = ask(session, head, sizeof head, bytes, size, ANSWER_US, "a block to read", error);
    if (status == 0)
        note_position(session, address + size);
    return status;
}

/* The whole words around what is wanted. */
static int read_flash(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    uint8_t words[TRANSFER_MAX];
    uint32_t start = address & ~1u;
    uint32_t length = (address + size + 1 - start) & ~1u;
    int status;

    if (length == size)
        return read_block(session, AVR_FLASH, address, bytes, size, error);
    if (length > sizeof words)
        return error_set(error, -EINVAL, "%u bytes at an odd address are too many", size);
    status = read_block(session, AVR_FLASH, start, words, length, error);
    memcpy(bytes, words + (address - start), size);
    return status;
}

static int read_fuses(struct session *session, uint32_t first, uint8_t *bytes, uint32_t count,
                      struct error *error)
{
    static const enum command letters[] = {READ_LOW_FUSE, READ_HIGH_FUSE, READ_EXTENDED_FUSE};
    int status = 0;

    for (uint32_t i = 0; i < count && status == 0; i++)
        status = ask_letter(session, letters[first + i], bytes + i, 1, "a fuse", error);
    return status;
}

static int avr109_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    int status = -ENOTSUP;

    switch (avr_memory_at(session->family, address, size)) {
    case AVR_FLASH:
        status = read_flash(session, address, bytes, size, error);
        break;
    case AVR_EEPROM:
        status = read_block(session, AVR_EEPROM, address, bytes, size, error);
        break;
    case AVR_FUSES:
        status = read_fuses(session, address - AVR_FUSES_AT, bytes, size, error);
        break;
    case AVR_LOCK:
        status = ask_letter(session, READ_LOCK, bytes, 1, "the lock byte", error);
        break;
    case AVR_NOWHERE:
        return avr_no_way(address, "this loader", error);
    }
    return status < 0 ? error_prefix(error, "read at 0x%06x", address) : 0;
}

/* A loader that was built without EEPROM refuses a block of it before its bytes, which it would then take for
 * commands, to erase the chip or to lock it: the first time, it is heard before they are sent. */
static int offer_eeprom(struct session *session, const uint8_t head[BLOCK_HEAD], struct error *error)
{
    int64_t deadline_us = session_deadline(session, POLL_US + avr_wire_us(session, BLOCK_HEAD));
    int status = port_write(session->port, head, BLOCK_HEAD, deadline_us, error);
    uint8_t answer;

    if (status == 0)
        status = port_read(session->port, &answer, 1, deadline_us, error);
    if (status == 0)
        return error_set(error, -ENOTSUP, "the loader \"%s\" takes no EEPROM", state_of(session)->name);
    return avr_timed_out(session, status) ? 0 : status;
}

static int write_block(struct session *session, enum avr_memory memory, uint32_t address,
                       const uint8_t *bytes, uint32_t size, struct error *error)
{
    uint8_t frame[BLOCK_HEAD + TRANSFER_MAX];
    int64_t wait_us = ANSWER_US + avr_write_max_us(session->family, memory, size);
    struct avr109 *state = state_of(session);
    int status = go_to(session, memory, address, error);
    size_t offered = 0;

    if (status < 0)
        return status;
    put_block_head(frame, START_BLOCK_LOAD, memory, size);
    memcpy(frame + BLOCK_HEAD, bytes, size);
    state->next_address = NO_ADDRESS;
    state->writing = true;
    if (memory == AVR_EEPROM && !state->takes_eeprom) {
        status = offer_eeprom(session, frame, error);
        offered = BLOCK_HEAD;
    }
    if (status == 0)
        status =
            tell(session, frame + offered, BLOCK_HEAD + size - offered, wait_us, "a block to write", error);
    state->writing = status < 0;
    if (status < 0)
        return status;
    state->takes_eeprom |= memory == AVR_EEPROM;
    note_position(session, address + size);
    return 0;
}

static int avr109_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    uint32_t page = avr_page_size(session->family);
    enum avr_memory memory = avr_memory_at(session->family, address, size);
    int status;

    if (memory != AVR_FLASH && memory != AVR_EEPROM)
        return avr_no_way(address, "this loader", error);
    if (memory == AVR_FLASH && (address % page || size != page))
        return error_set(error, -EINVAL, "%u bytes at 0x%06x are not one page of %u", size, address, page);
    status = write_block(session, memory, address, bytes, size, error);
    return status < 0 ? error_prefix(error, "write at 0x%06x", address) : 0;
}

/* The loader erases all pages below itself, one after the other; some write each one blank as well. */
static int avr109_erase_all(struct session *session, struct error *error)
{
    const struct chip_sectors *pages = &session->family->sectors[0];
    int64_t wait_us = (int64_t)pages->count * (pages->erase_max_us + session->family->program_max_us);

    state_of(session)->next_address = NO_ADDRESS;
    return tell_letter(session, CHIP_ERASE, ANSWER_US + wait_us, "chip erase", error);
}

/* --- lock bits ---------------------------------------------------------------------------- */

/* Bits that are 0 in `lock` are programmed. They are believed when they can be read. */
static int write_lock(struct session *session, uint8_t lock, struct error *error)
{
    const uint8_t frame[] = {WRITE_LOCK, (uint8_t)~lock};
    int64_t deadline_us = session_deadline(session, LOCK_US);
    uint8_t found;
    int status;

    if (!is_named(session, "CATERIN") && !is_named(session, "LUFACDC"))
        return error_set(error, -ENOTSUP, "how the loader \"%s\" takes lock bits is not known to us",
                         state_of(session)->name);
    status = tell(session, frame, sizeof frame, ANSWER_US, "write lock bits", error);
    do {
        if (status == 0)
            status = ask_letter(session, READ_LOCK, &found, 1, "the lock byte", error);
    } while (status == 0 && found & (uint8_t)~lock && port_now_us(session->port) < deadline_us);
    if (status == 0 && found & (uint8_t)~lock)
        status =
            error_set(error, -EBADMSG, "the lock byte reads 0x%02x after 0x%02x was written", found, lock);
    return status;
}

static int avr109_write_options(struct session *session, uint32_t address, const uint8_t *bytes,
                                uint32_t size, struct error *error)
{
    if (avr_memory_at(session->family, address, size) != AVR_LOCK)
        return avr_no_way(address, "this loader", error);
    return write_lock(session, bytes[0], error);
}

/* Against programmers: the loader itself can still read flash, as its own section's bits are left alone.
 * With those set as well, Caterina would not see its application any more and never start it. */
static int avr109_protect(struct session *session, struct error *error)
{
    return write_lock(session, (uint8_t)~LOCK_READOUT, error);
}

static int avr109_check(const struct order *order, struct error *error)
{
    return avr_check_options(order, 0xC0, error); /* the bits that no AVR has */
}

/* --- the rest ----------------------------------------------------------------------------- */

static int avr109_run(struct session *session, uint32_t address, struct error *error)
{
    int status = tell_letter(session, LEAVE_PROGRAMMING, ANSWER_US, "leave programming", error);

    (void)address;
    return status < 0 ? status : tell_letter(session, EXIT_LOADER, ANSWER_US, "exit", error);
}

static void avr109_disconnect(struct session *session)
{
    struct error ignored;

    (void)entry_leave(session, &ignored);
}

static uint32_t avr109_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                                  uint32_t size_or_count)
{
    (void)family;
    switch (operation) {
    case WIRE_ERASE_ALL:
        return 1 + 1;
    case WIRE_WRITE:
        return BLOCK_HEAD + size_or_count + 1;
    case WIRE_READ:
        return BLOCK_HEAD + size_or_count;
    case WIRE_ERASE:
    case WIRE_CHECKSUM:
        break;
    }
    return 0;
}

const struct protocol protocol_avr109 = {
    .name = "avr109",
    .summary = "AVR loaders Caterina (ATmega32U4), Butterfly, LUFA (Atmel AVR109)",
    .state_size = sizeof(struct avr109),
    .chips = CHIP_AVR,
    .transfer_max = TRANSFER_MAX,
    .check = avr109_check,
    .connect = avr109_connect,
    .probe = avr109_probe,
    .identify = avr109_identify,
    .resync = avr109_resync,
    .erase_all = avr109_erase_all,
    .write = avr109_write,
    .read = avr109_read,
    .write_options = avr109_write_options,
    .protect = avr109_protect,
    .run = avr109_run,
    .disconnect = avr109_disconnect,
    .wire_bytes = avr109_wire_bytes,
    .line = avr_line,
};
