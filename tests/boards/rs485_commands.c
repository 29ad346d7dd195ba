/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of rs485_isp.md do, in the order of its section 4. */
#include "common.h"
#include "rs485_unit.h"

#include <string.h>

/* What DESCRIBE promises; the typical times are in p89lpc.h. */
enum { LONGEST_ERASE_MS = 6, LONGEST_WRITE_100US = 45, LONGEST_SUM_100US = 40 };

#define SUM_BLOCK_NS (3 * NS_PER_MS)

static uint16_t word(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put_word(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void spend(struct unit *unit, uint64_t ns)
{
    receiver_spends_flash(&unit->receiver, ns);
}

static const struct fault *fault(const struct unit *unit, enum fault_kind kind)
{
    return &unit->receiver.board->faults[kind];
}

/* 4.1 */
static enum unit_status change_address(struct unit *unit, struct unit_request *request)
{
    uint32_t at = unit_span(unit) + UNIT_ADDRESS_IN_SHARED;
    const uint8_t *pair = request->data;

    if (request->count != 2 || !pair[0] || (pair[0] ^ pair[1]) != 0xFF)
        return STATUS_BAD_DATA;
    if (p89_forbids(&unit->memory, at, 2, P89_NO_WRITE | P89_NO_ERASE))
        return STATUS_REFUSED;
    p89_program(&unit->memory, at, pair, 2);
    spend(unit, P89_PAGE_WRITE_NS);
    if (!p89_equal(&unit->memory, at, pair, 2))
        return STATUS_DIFFERS;
    request->change_address = true;
    return STATUS_DONE;
}

/* 4.2. The sector below the loader keeps its last 16 bytes. */
static enum unit_status erase_sector(struct unit *unit, struct unit_request *request)
{
    uint32_t at, count = P89_SECTOR_BYTES;

    if (request->count != 2)
        return STATUS_BAD_DATA;
    at = word(request->data);
    if (!p89_inside(&unit->memory, at, 1) || at % P89_SECTOR_BYTES)
        return STATUS_BAD_ADDRESS;
    if (at >= unit_span(unit) || p89_forbids(&unit->memory, at, 1, P89_NO_WRITE | P89_NO_ERASE))
        return STATUS_REFUSED;
    if (fault(unit, FAULT_NACK_ERASE)->set)
        return STATUS_NOT_BLANK;
    unit->touched = true;
    unit->receiver.board->counters.erases++;
    spend(unit, P89_SECTOR_ERASE_NS);
    if (at + count > unit_span(unit)) {
        count = unit_span(unit) - at;
        spend(unit, P89_PAGE_WRITE_NS);
    }
    p89_erase(&unit->memory, at, count);
    return STATUS_DONE;
}

static void mark_block(struct unit *unit, uint32_t at, uint32_t count)
{
    struct unit_group *group = &unit->group;
    uint32_t block;

    if (!group->joined || !group->blocks || at < group->base || (at - group->base) % group->block)
        return;
    block = (at - group->base) / group->block;
    if (block < group->blocks &&
        (count == group->block || (block + 1U == group->blocks && count < group->block)))
        group->written[block] = true;
}

/* What a fault leaves of the block, and of the answer. */
static enum unit_status write_by_fate(struct unit *unit, uint32_t at, uint8_t *bytes, uint32_t count)
{
    enum fate fate = next_fate(unit->receiver.board);
    uint32_t landing = fate_applied(fate, bytes, count);

    if (fate == FATE_REFUSED)
        return STATUS_DIFFERS;
    if (landing) {
        p89_program(&unit->memory, at, bytes, landing);
        spend(unit, p89_pages(at, landing) * P89_PAGE_WRITE_NS);
        unit->receiver.board->counters.written_bytes += landing;
    }
    if (receiver_dies(&unit->receiver, fate)) {
        unit->phase = UNIT_HUNG;
        return STATUS_MUTE;
    }
    if (fate == FATE_UNANSWERED)
        return STATUS_MUTE;
    return p89_equal(&unit->memory, at, bytes, count) ? STATUS_DONE : STATUS_DIFFERS;
}

/* 4.3 */
static enum unit_status write_bytes(struct unit *unit, struct unit_request *request)
{
    uint8_t bytes[UNIT_DATA_MAX];
    enum unit_status status;
    uint32_t at, count;

    if (request->count < 3 || request->count > 2 + UNIT_DATA_MAX)
        return STATUS_BAD_DATA;
    at = word(request->data);
    count = (uint32_t)request->count - 2;
    if (!p89_inside(&unit->memory, at, count))
        return STATUS_BAD_ADDRESS;
    if (at + count > unit_span(unit) || p89_forbids(&unit->memory, at, count, P89_NO_WRITE | P89_NO_ERASE))
        return STATUS_REFUSED;
    unit->touched = true;
    memcpy(bytes, request->data + 2, count);
    status = write_by_fate(unit, at, bytes, count);
    if (status == STATUS_DONE)
        mark_block(unit, at, count);
    return status;
}

/* 4.4 */
static enum unit_status read_bytes(struct unit *unit, struct unit_request *request)
{
    uint32_t at, count;

    if (request->count != 3 || !request->data[2] || request->data[2] > UNIT_DATA_MAX)
        return STATUS_BAD_DATA;
    at = word(request->data);
    count = request->data[2];
    if (!p89_inside(&unit->memory, at, count))
        return STATUS_BAD_ADDRESS;
    if (p89_forbids(&unit->memory, at, count, P89_NO_READ))
        return STATUS_REFUSED;
    memcpy(request->answer, unit->memory.flash + at, count);
    request->answer_count = count;
    return STATUS_DONE;
}

/* 4.5 */
static enum unit_status protect_sector(struct unit *unit, struct unit_request *request)
{
    uint32_t at;

    if (request->count != 3 || request->data[2] > P89_SECURED)
        return STATUS_BAD_DATA;
    at = word(request->data);
    if (!p89_inside(&unit->memory, at, 1) || at % P89_SECTOR_BYTES)
        return STATUS_BAD_ADDRESS;
    unit->memory.security[at / P89_SECTOR_BYTES] |= request->data[2];
    spend(unit, P89_PAGE_WRITE_NS);
    return STATUS_DONE;
}

/* 4.6 */
static enum unit_status complete(struct unit *unit, struct unit_request *request)
{
    (void)unit;
    if (request->count)
        return STATUS_BAD_DATA;
    request->complete = true;
    return STATUS_DONE;
}

/* 4.7 */
static enum unit_status describe(struct unit *unit, struct unit_request *request)
{
    const struct p89_chip *chip = unit->memory.chip;
    uint8_t flags = (uint8_t)(unit->escape | !unit_has_address(unit) << 1 | unit->touched << 2);
    uint8_t derivative = fault(unit, FAULT_WRONG_ID)->set ? chip->derivative ^ 0x10 : chip->derivative;
    const uint8_t fixed[] = {0x10,
                             flags,
                             0x15,
                             0xDD,
                             derivative,
                             (uint8_t)(chip->flash_bytes >> 8),
                             P89_SECTOR_BYTES >> 8,
                             0,
                             P89_PAGE_BYTES,
                             UNIT_DATA_MAX,
                             (uint8_t)(unit_span(unit) >> 8),
                             (uint8_t)unit_span(unit),
                             0x00,
                             LONGEST_ERASE_MS,
                             LONGEST_WRITE_100US,
                             LONGEST_SUM_100US,
                             P89_UID_BYTES};

    if (request->count)
        return STATUS_BAD_DATA;
    memcpy(request->answer, fixed, sizeof fixed);
    memcpy(request->answer + sizeof fixed, unit->memory.uid, P89_UID_BYTES);
    request->answer_count = sizeof fixed + P89_UID_BYTES;
    return STATUS_DONE;
}

static uint32_t crc32(const uint8_t *bytes, size_t count)
{
    uint32_t sum = 0xFFFFFFFF;

    for (size_t i = 0; i < count; i++) {
        sum ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? 0xEDB88320 : 0);
    }
    return ~sum;
}

/* 4.8 */
static enum unit_status checksum(struct unit *unit, struct unit_request *request)
{
    uint32_t at, count, sum;

    if (request->count != 4 || !word(request->data + 2))
        return STATUS_BAD_DATA;
    at = word(request->data);
    count = word(request->data + 2);
    if (!p89_inside(&unit->memory, at, count))
        return STATUS_BAD_ADDRESS;
    if (p89_forbids(&unit->memory, at, count, P89_NO_READ))
        return STATUS_REFUSED;
    sum = crc32(unit->memory.flash + at, count);
    spend(unit, (count + 63) / 64 * SUM_BLOCK_NS);
    put_word(request->answer, sum >> 16);
    put_word(request->answer + 2, sum);
    request->answer_count = 4;
    return STATUS_DONE;
}

/* 4.9 */
static enum unit_status join(struct unit *unit, struct unit_request *request)
{
    const uint8_t *data = request->data;

    if (request->count != 6 || word(data + 4) > UNIT_BLOCKS_MAX ||
        (word(data + 4) && (!data[3] || data[3] > UNIT_DATA_MAX)))
        return STATUS_BAD_DATA;
    unit->group = (struct unit_group){.joined = true,
                                      .number = data[0],
                                      .base = word(data + 1),
                                      .block = data[3],
                                      .blocks = word(data + 4)};
    return STATUS_DONE;
}

/* 4.10 */
static enum unit_status group_status(struct unit *unit, struct unit_request *request)
{
    const struct unit_group *group = &unit->group;
    uint32_t missing = 0, first = 0xFFFF;

    if (request->count || !group->joined)
        return STATUS_BAD_DATA;
    for (uint32_t i = group->blocks; i--;) {
        if (group->written[i])
            request->answer[6 + i / 8] |= (uint8_t)(1U << i % 8);
        else {
            missing++;
            first = i;
        }
    }
    put_word(request->answer, missing);
    put_word(request->answer + 2, first);
    request->answer[4] = group->bad_sums;
    request->answer[5] = group->last_status;
    request->answer_count = 6 + (group->blocks + 7U) / 8;
    return STATUS_DONE;
}

/* 4.11 */
static enum unit_status leave(struct unit *unit, struct unit_request *request)
{
    if (request->count)
        return STATUS_BAD_DATA;
    unit->group.joined = false;
    return STATUS_DONE;
}

static const struct {
    enum unit_status (*run)(struct unit *unit, struct unit_request *request);
    bool from_all;
} commands[] = {
    [1] = {.run = change_address},
    [2] = {.run = erase_sector, .from_all = true},
    [3] = {.run = write_bytes, .from_all = true},
    [4] = {.run = read_bytes},
    [5] = {.run = protect_sector},
    [6] = {.run = complete, .from_all = true},
    [7] = {.run = describe},
    [8] = {.run = checksum},
    [9] = {.run = join},
    [10] = {.run = group_status},
    [11] = {.run = leave, .from_all = true},
};

bool unit_knows(uint8_t command)
{
    return command && command < sizeof commands / sizeof commands[0];
}

bool unit_takes_from_all(uint8_t command)
{
    return unit_knows(command) && commands[command].from_all;
}

enum unit_status unit_obey(struct unit *unit, struct unit_request *request)
{
    return unit_knows(request->command) ? commands[request->command].run(unit, request) : STATUS_UNKNOWN;
}
