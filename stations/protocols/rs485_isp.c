/* SPDX-License-Identifier: Apache-2.0 */
/* Networked ISP on an RS-485 line, the master's side: contact, and what is said to each unit.
 *
 * Follows rs485_isp.md of this folder; section numbers below are its own. Up to 255 units share one line,
 * each of them a station with its own session; the port (rs485:…#address) hands out turns, and one turn is
 * one packet and its answer (rs485_line.c). On a port of any other kind there is one unit, and roll-call 0
 * asks it for its address. */
#include "rs485_isp.h"

#include "bytes.h"
#include "failure.h"
#include "plan.h"
#include "port_rs485.h"
#include "protocols.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

/* Between probes that disturb others; no multiple of the stations' own pause, or it would always be the same
 * one's. */
#define PROBE_PAUSE_US 870000
#define COMPARE_100US  500u /* at most for one CHECKSUM: the others wait meanwhile */
#define SHARED_BYTES   16u  /* section 6, below the loader's sector */
#define SECTOR_SIZE    1024u

enum { PROTECT_READ = 0x01, PROTECT_WRITE = 0x02 }; /* section 4.5 */

/* --- contact ------------------------------------------------------------------------------ */

static int isp_connect(struct session *session, struct error *error)
{
    int status;

    isp_attach(session);
    isp_of(session)->line->connecting++;
    status = isp_contact(session, error);
    isp_of(session)->line->connecting--;
    session->baud_proven = status == 0 ? isp_of(session)->line->baud : 0;
    if (status == 0)
        isp_set_phase(session,
                      unit_of(session, isp_of(session)->address)->phase > UNIT_MET ? UNIT_ERASING : UNIT_MET);
    isp_tell_others(session);
    return status;
}

/* A probe never breaks: an application may be at work behind this port. */
static int isp_probe(struct session *session, struct error *error)
{
    struct isp_line *line;
    int status;

    isp_attach(session);
    line = isp_of(session)->line;
    if (isp_working(session, true) > 0 && line->probed_us &&
        port_now_us(session->port) - line->probed_us < PROBE_PAUSE_US)
        return error_set(error, -EALREADY, "not asked: others are at work on the line");
    line->probed_us =
        port_now_us(session->port); /* before the wait, in which others would come to ask, too */
    status = port_take(session->port, session->deadline_us, error);
    if (status < 0)
        return status;
    status = isp_call_me(session, error);
    port_give(session->port);
    return isp_silent(status) ? error_reclass(error, FAILURE_CODE(FAILURE_NO_CONTACT)) : status;
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

/* A member of no group that anybody writes to: roll-call 0 then opens its ear together with the others'. A
 * unit that does not want to is no failure; it takes a roll-call for each turn. */
static int become_member(struct session *session, struct error *error)
{
    static const uint8_t nothing[6];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_JOIN,
                                    .data = nothing,
                                    .size = sizeof nothing,
                                    .what = "JOIN"};
    struct answer answer;
    int status = isp_ask(session, &request, &answer, error);

    unit_of(session, request.address)->joined = status == 0;
    if (status == 0)
        isp_of(session)->line->strangers = false; /* it may have been this one */
    else if (status != -ETIMEDOUT && status != -EPROTO && status != -EBADMSG)
        return status;
    return 0;
}

static int isp_identify(struct session *session, struct error *error)
{
    struct answer answer;
    int status = describe(session, &answer, error);

    return status < 0 ? status : take_description(session, &answer, error);
}

/* Units may be replaced while nobody asks them anything. */
int isp_same_unit(struct session *session, struct error *error)
{
    struct board before = session->board;
    struct answer answer;
    int status = describe(session, &answer, error);

    if (status == 0)
        status = take_description(session, &answer, error);
    if (status == 0 &&
        (before.chip_id != session->board.chip_id || before.uid_size != session->board.uid_size ||
         memcmp(before.uid, session->board.uid, before.uid_size) != 0))
        return error_set(error, -EPROTO, "another unit answers at address %u", isp_of(session)->address);
    return status;
}

/* In step again, and is it still the same unit? */
static int isp_resync(struct session *session, struct error *error)
{
    int status = port_take(session->port, session->deadline_us, error);

    if (status < 0)
        return status;
    status = isp_call_me(session, error);
    port_give(session->port);
    if (isp_silent(status))
        return error_set(error, -ETIMEDOUT, "unit %u has stopped answering", isp_of(session)->address);
    if (status == 0)
        status = isp_same_unit(session, error);
    if (status == 0 && isp_of(session)->shared &&
        unit_of(session, isp_of(session)->address)->phase > UNIT_MET)
        status = become_member(session, error); /* it may have been reset */
    return status;
}

/* --- flash -------------------------------------------------------------------------------- */

static int64_t page_us(const struct unit *unit)
{
    return unit->page_100us * INT64_C(100);
}

static int erase_sector(struct session *session, const struct chip_sector *sector, struct error *error)
{
    const struct unit *unit = unit_of(session, isp_of(session)->address);
    uint8_t data[2];
    const struct request request = {.address = isp_of(session)->address,
                                    .command = ISP_ERASE_SECTOR,
                                    .data = data,
                                    .size = sizeof data,
                                    .own_us = unit->erase_ms * INT64_C(1000) + page_us(unit),
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
        status = become_member(session, error);
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

/* As much as the unit sums up in that time. */
static uint32_t compare_size(const struct unit *unit)
{
    uint32_t blocks = COMPARE_100US / (unit->checksum_100us ? unit->checksum_100us : 1);

    return 64 * (blocks > 4 ? blocks : 4);
}

static int isp_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                       struct error *error)
{
    uint32_t step = compare_size(unit_of(session, isp_of(session)->address));
    int status = 0;

    no_more_ranges(session);
    for (uint32_t done = 0; done < size && status == 0; done += step)
        status = compare_piece(session, address + done, bytes + done, size - done < step ? size - done : step,
                               error);
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
static int see_it_gone(struct session *session, struct error *error)
{
    struct error unanswered = *error;
    int status = port_take(session->port, session->deadline_us, error);

    if (status < 0)
        return status;
    status = isp_select(session, isp_of(session)->address, error);
    port_give(session->port);
    if (status == -EAGAIN)
        return 0;
    if (status == 0)
        *error = unanswered;
    return error->code;
}

static int isp_run(struct session *session, uint32_t address, struct error *error)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_COMPLETE, .what = "COMPLETE"};
    struct answer answer;
    int status = isp_ask(session, &request, &answer, error);

    (void)address; /* the application begins at 0, always */
    if (status == -ETIMEDOUT)
        status = see_it_gone(session, error);
    if (status == 0) {
        unit->completed = true;
        unit->joined = false;
    }
    return status;
}

/* A unit that stays in the loader leaves the members, so that the others at work do not count on it. */
static void leave(struct session *session)
{
    struct unit *unit = unit_of(session, isp_of(session)->address);
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_LEAVE, .what = "LEAVE"};
    struct answer answer;
    struct error ignored;

    if (unit->joined && isp_awake(session) && unit->mute == 0 && isp_working(session, true) > 0)
        (void)isp_ask_once(session, &request, &answer, &ignored);
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

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_SPACE, .stop_bits = 1};
}

static uint32_t isp_wire_bytes(const struct chip_family *family, enum wire_operation operation,
                               uint32_t size_or_count)
{
    (void)family;
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
