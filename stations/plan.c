/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "alloc.h"
#include "bytes.h"
#include "failure.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_words[PHASE_COUNT] = {
    [PHASE_CONNECT] = "connect", [PHASE_ERASE] = "erase",     [PHASE_WRITE] = "write",
    [PHASE_VERIFY] = "verify",   [PHASE_OPTIONS] = "options", [PHASE_PROTECT] = "protect",
    [PHASE_RUN] = "run",
};

const char *phase_word(enum phase_name phase)
{
    return phase_words[phase];
}

static bool overlaps(uint32_t address, uint32_t size, uint32_t other, uint32_t other_size)
{
    return (uint64_t)address < (uint64_t)other + other_size && (uint64_t)other < (uint64_t)address + size;
}

bool chip_is_eeprom(const struct chip *chip, uint32_t address)
{
    const struct chip_span *eeprom = &chip->family->eeprom;

    return eeprom->size && address >= eeprom->address && address - eeprom->address < eeprom->size;
}

static bool range_inside(const struct image_range *range, uint32_t address, uint32_t size)
{
    return range->address >= address && (uint64_t)range->address + range->size <= (uint64_t)address + size;
}

static int check_ranges(const struct order *order, struct error *error)
{
    const struct chip *chip = order->chip;
    const struct chip_family *family = chip->family;
    bool flash = false;

    if (order->image->count == 0)
        return error_set(error, FAILURE_CODE(FAILURE_DATA), "the image is empty");
    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];

        flash |= range_inside(range, family->flash_base, chip->flash_size);
        if (!range_inside(range, family->flash_base, chip->flash_size) &&
            !range_inside(range, family->eeprom.address, family->eeprom.size))
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "image range 0x%08x-0x%08x is outside the flash of %s (0x%08x-0x%08x): link the "
                             "firmware for this chip or order a larger one",
                             range->address, range->address + (range->size - 1), chip->name,
                             family->flash_base, family->flash_base + (chip->flash_size - 1));
    }
    return flash ? 0
                 : error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "the image has nothing for the flash of %s, only EEPROM data", chip->name);
}

static bool has_eeprom_data(const struct order *order)
{
    for (size_t i = 0; i < order->image->count; i++)
        if (chip_is_eeprom(order->chip, order->image->ranges[i].address))
            return true;
    return false;
}

/* What is asked of the loader must be something it can do: better refused now than found out at the board. */
static int check_abilities(const struct order *order, const struct protocol *protocol, struct error *error)
{
    const struct chip *chip = order->chip;
    bool can_protect = order->protect == PROTECTION_READ    ? protocol->protect != NULL
                       : order->protect == PROTECTION_WRITE ? protocol->write_protect != NULL
                                                            : true;

    if (protocol->chips != chip->family->kind)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "%s cannot program a %s: order it on stations of "
                         "another protocol",
                         protocol->name, chip->name);
    if (!can_protect)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the loader behind %s cannot set that protection: order without protect",
                         protocol->name);
    if (order->option_count && !protocol->write_options)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the loader behind %s cannot write fuses or option bytes: order without options",
                         protocol->name);
    if (!protocol->erase && protocol->erase_all && order->keep_count)
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the loader behind %s can only erase the whole chip: order without keep",
                         protocol->name);
    if (has_eeprom_data(order) && !protocol->read && !protocol->compare)
        return error_set(
            error, FAILURE_CODE(FAILURE_DATA),
            "the loader behind %s cannot look at EEPROM, so it cannot be verified: leave it out of "
            "the image",
            protocol->name);
    return protocol->check ? protocol->check(order, error) : 0;
}

static bool image_touches(const struct image *image, uint32_t address, uint32_t size)
{
    for (size_t i = 0; i < image->count; i++)
        if (overlaps(image->ranges[i].address, image->ranges[i].size, address, size))
            return true;
    return false;
}

/* The first address behind the image's last byte in flash. */
static uint64_t flash_end_of(const struct order *order)
{
    uint64_t end = 0;

    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];

        if (!chip_is_eeprom(order->chip, range->address))
            end = (uint64_t)range->address + range->size;
    }
    return end;
}

static int choose_sectors(struct plan *plan, const struct order *order, const struct protocol *protocol,
                          struct error *error)
{
    uint32_t count = chip_sector_count(order->chip);
    uint64_t end = flash_end_of(order);

    plan->sectors = allocate(count, sizeof *plan->sectors);
    for (uint32_t number = 0; number < count; number++) {
        struct chip_sector sector = chip_sector(order->chip, number);

        if (protocol->in_order ? sector.address >= end
                               : !image_touches(order->image, sector.address, sector.size))
            continue;
        for (size_t k = 0; k < order->keep_count; k++)
            if (overlaps(order->keep[k].address, order->keep[k].size, sector.address, sector.size))
                return error_set(
                    error, FAILURE_CODE(FAILURE_DATA),
                    "page %u (0x%08x, %u bytes) holds image data and 0x%08x which is to be kept: "
                    "move one of them to another page",
                    number, sector.address, sector.size, order->keep[k].address);
        plan->sectors[plan->sector_count++] = sector;
    }
    return 0;
}

static int64_t wire_floor_us(const struct protocol *protocol, uint64_t bytes, uint32_t baud)
{
    const struct port_line line = protocol->line(baud);

    return (int64_t)(bytes * port_line_bits(&line) * 1000000 / baud);
}

static int64_t sectors_us(const struct plan *plan)
{
    int64_t sum_us = 0;

    for (size_t i = 0; i < plan->sector_count; i++)
        sum_us += plan->sectors[i].erase_us;
    return sum_us;
}

/* Mass erase when the chip's own times make it the cheaper way and nothing on the chip is to be kept, or when
 * the loader has nothing else. */
static void choose_erase(struct plan *plan, const struct order *order, const struct protocol *protocol)
{
    int64_t mass_us = order->chip->family->mass_erase_us;

    plan->erase_all =
        protocol->erase_all &&
        (!protocol->erase || (mass_us > 0 && order->keep_count == 0 && mass_us < sectors_us(plan)));
}

static bool is_blank(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

uint32_t plan_transfer_size(const struct order *order, const struct protocol *protocol)
{
    uint32_t limit = order->chip->family->transfer_max;

    return limit && limit < protocol->transfer_max ? limit : protocol->transfer_max;
}

static void append_block(struct plan *plan, uint32_t address, uint32_t size)
{
    plan->blocks = reallocate(plan->blocks, plan->block_count + 1, sizeof *plan->blocks);
    plan->blocks[plan->block_count++] = (struct plan_block){.address = address, .size = size};
    plan->write_bytes += size;
}

/* Whether some unit of the job may have bytes of its own there. */
static bool is_variable(const struct order *order, uint32_t address, uint32_t size)
{
    for (size_t i = 0; i < order->variable_count; i++)
        if (overlaps(order->variable[i].address, order->variable[i].size, address, size))
            return true;
    return false;
}

/* One aligned block of flash, cut at both ends to what is not blank in whole program units (at least words).
 * What is blank in this image and not in a unit's stays. */
static void add_block(struct plan *plan, const struct order *order, uint32_t address, uint32_t size)
{
    uint8_t bytes[PROTOCOL_TRANSFER_MAX];
    uint8_t blank = order->chip->family->erased_value;
    uint32_t unit = order->chip->family->program_unit > 4 ? order->chip->family->program_unit : 4;
    uint32_t skip = 0;

    image_read(order->image, address, bytes, size, blank);
    while (size > skip && is_blank(bytes + skip, unit, blank) && !is_variable(order, address + skip, unit))
        skip += unit;
    while (size > skip && is_blank(bytes + size - unit, unit, blank) &&
           !is_variable(order, address + size - unit, unit))
        size -= unit;
    if (size > skip)
        append_block(plan, address + skip, size - skip);
}

/* Blocks in ascending order, except that the one with the vector table comes last: a board that is left
 * half-way has none, and enters its bootloader. */
static void choose_flash_blocks(struct plan *plan, const struct order *order, uint32_t step)
{
    const struct image *image = order->image;
    uint64_t next = 0;
    struct plan_block first;

    for (size_t i = 0; i < image->count; i++) {
        uint64_t end = (uint64_t)image->ranges[i].address + image->ranges[i].size;
        uint64_t at = image->ranges[i].address - image->ranges[i].address % step;

        if (chip_is_eeprom(order->chip, image->ranges[i].address))
            continue;
        for (at = at > next ? at : next; at < end; at += step)
            add_block(plan, order, (uint32_t)at, step);
        next = at > next ? at : next;
    }
    if (plan->block_count < 2 || plan->blocks[0].address >= order->chip->family->flash_base + step)
        return;
    first = plan->blocks[0];
    memmove(plan->blocks, plan->blocks + 1, (plan->block_count - 1) * sizeof *plan->blocks);
    plan->blocks[plan->block_count - 1] = first;
}

/* Every page from the chip's first one, as the loader's own erase goes. */
static void choose_blocks_in_order(struct plan *plan, const struct order *order, uint32_t step)
{
    uint64_t end = flash_end_of(order);

    for (uint64_t at = order->chip->family->flash_base; at < end; at += step)
        append_block(plan, (uint32_t)at, step);
}

/* EEPROM takes single bytes and is not erased before: exactly the image's bytes, blank ones too. */
static void choose_eeprom_blocks(struct plan *plan, const struct order *order, uint32_t step)
{
    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];

        for (uint32_t at = 0; chip_is_eeprom(order->chip, range->address) && at < range->size;) {
            uint32_t size = step - (range->address + at) % step;

            size = size < range->size - at ? size : range->size - at;
            append_block(plan, range->address + at, size);
            at += size;
        }
    }
}

/* What the erases inside the writes take: once for each erase unit that is written. */
static int64_t rewrite_us_of(const struct plan *plan, const struct order *order)
{
    const struct chip_sector *last = NULL;
    int64_t sum_us = 0;

    for (size_t i = 0, at = 0; i < plan->block_count; i++) {
        const struct plan_block *block = &plan->blocks[i];

        if (chip_is_eeprom(order->chip, block->address))
            break;
        if (block->address < plan->sectors[at].address)
            at = 0; /* the one with the vectors, which comes last */
        while (at + 1 < plan->sector_count && plan->sectors[at + 1].address <= block->address)
            at++;
        if (&plan->sectors[at] != last)
            sum_us += plan->sectors[at].erase_us;
        last = &plan->sectors[at];
    }
    return sum_us;
}

static void choose_blocks(struct plan *plan, const struct order *order, const struct protocol *protocol)
{
    uint32_t step = plan_transfer_size(order, protocol);

    if (protocol->in_order)
        choose_blocks_in_order(plan, order, step);
    else
        choose_flash_blocks(plan, order, step);
    choose_eeprom_blocks(plan, order, step);
    plan->rewrite_us =
        protocol_erases_by_writing(protocol) && !protocol->erases_meanwhile ? rewrite_us_of(plan, order) : 0;
}

static void digest_ranges(crypto_hash_sha256_state *state, const struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        (void)crypto_hash_sha256_update(state, image->ranges[i].data, image->ranges[i].size);
}

/* What a sum speaks of: the blank bytes around the image's too, and where they are. The same bytes at other
 * places give other sums. */
static void digest_sectors(crypto_hash_sha256_state *state, const struct plan *plan,
                           const struct order *order)
{
    uint8_t bytes[PROTOCOL_TRANSFER_MAX];

    for (size_t i = 0; i < plan->sector_count; i++) {
        const struct chip_sector *sector = &plan->sectors[i];

        put_be32(bytes, sector->address);
        (void)crypto_hash_sha256_update(state, bytes, 4);
        for (uint32_t at = 0; at < sector->size; at += sizeof bytes) {
            uint32_t size = sector->size - at < sizeof bytes ? sector->size - at : sizeof bytes;

            (void)image_read(order->image, sector->address + at, bytes, size,
                             order->chip->family->erased_value);
            (void)crypto_hash_sha256_update(state, bytes, size);
        }
    }
}

void plan_digest(const struct plan *plan, const struct order *order, uint8_t digest[32])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    if (plan->by_sums)
        digest_sectors(&state, plan, order);
    else
        digest_ranges(&state, order->image);
    (void)crypto_hash_sha256_final(&state, digest);
}

static void count_content(struct plan *plan, const struct order *order)
{
    plan_digest(plan, order, plan->digest);
    for (size_t i = 0; i < order->image->count; i++)
        plan->verify_bytes += order->image->ranges[i].size;
}

#define SLOWEST_BAUD      57600u /* unless the protocol has slower ones */
#define TIMEOUT_MARGIN_US 30000000

static int64_t default_timeout_us(const struct plan *plan, const struct order *order,
                                  const struct protocol *protocol)
{
    uint32_t baud = protocol->slowest_baud ? protocol->slowest_baud : SLOWEST_BAUD;
    int64_t floor_us = 0;

    for (int phase = PHASE_CONNECT; phase < PHASE_COUNT; phase++)
        floor_us += plan_floor_us(plan, order, protocol, (enum phase_name)phase, baud, false);
    return 4 * floor_us + TIMEOUT_MARGIN_US;
}

static int check_options(const struct order *order, struct error *error)
{
    const struct chip_span *area = &order->chip->family->option_bytes;
    uint32_t unit = order->chip->family->option_unit ? order->chip->family->option_unit : 4;

    for (size_t i = 0; i < order->option_count; i++) {
        const struct order_option *option = &order->options[i];

        if (option->address < area->address ||
            (uint64_t)option->address + option->size > (uint64_t)area->address + area->size)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%08x are outside those of %s (0x%08x, %u bytes)",
                             option->address, order->chip->name, area->address, area->size);
        if (option->address % unit || option->size % unit)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%08x: give whole words of %u bytes", option->address, unit);
    }
    return 0;
}

int plan_make(struct plan *plan, const struct order *order, const struct protocol *protocol,
              struct error *error)
{
    int status = check_ranges(order, error);

    *plan = (struct plan){.by_sums = plan_by_sums(protocol)};
    if (status == 0)
        status = check_abilities(order, protocol, error);
    if (status == 0)
        status = check_options(order, error);
    if (status == 0)
        status = choose_sectors(plan, order, protocol, error);
    if (status < 0) {
        plan_clear(plan);
        return status;
    }
    choose_erase(plan, order, protocol);
    choose_blocks(plan, order, protocol);
    count_content(plan, order);
    plan->timeout_us = order->timeout_us ? order->timeout_us : default_timeout_us(plan, order, protocol);
    return 0;
}

void plan_clear(struct plan *plan)
{
    free(plan->sectors);
    free(plan->blocks);
    *plan = (struct plan){.erase_all = false};
}

int64_t plan_chip_us(const struct plan *plan, const struct order *order)
{
    const struct chip_family *family = order->chip->family;
    int64_t program_us = plan->rewrite_us;

    for (size_t i = 0; i < plan->block_count; i++) {
        const struct plan_block *block = &plan->blocks[i];

        program_us += chip_is_eeprom(order->chip, block->address)
                          ? (int64_t)block->size * (family->avr ? family->avr->eeprom_us : 0)
                          : (int64_t)(block->size / family->program_unit) * family->program_us;
    }
    return program_us;
}

static int64_t write_floor_us(const struct plan *plan, const struct order *order,
                              const struct protocol *protocol, uint32_t baud)
{
    uint64_t wire_bytes = 0;

    for (size_t i = 0; i < plan->block_count; i++)
        wire_bytes += protocol->wire_bytes(order->chip->family, WIRE_WRITE, plan->blocks[i].size);
    return wire_floor_us(protocol, wire_bytes, baud) + plan_chip_us(plan, order);
}

static int64_t read_floor_us(const struct plan *plan, const struct order *order,
                             const struct protocol *protocol, uint32_t baud)
{
    uint32_t step = plan_transfer_size(order, protocol);
    uint32_t rest = plan->verify_bytes % step;
    uint64_t wire_bytes =
        (uint64_t)(plan->verify_bytes / step) * protocol->wire_bytes(order->chip->family, WIRE_READ, step);

    if (rest)
        wire_bytes += protocol->wire_bytes(order->chip->family, WIRE_READ, rest);
    return wire_floor_us(protocol, wire_bytes, baud);
}

static int64_t erase_floor_us(const struct plan *plan, const struct order *order,
                              const struct protocol *protocol, uint32_t baud)
{
    if (protocol_erases_by_writing(protocol))
        return 0;
    if (plan->erase_all)
        return wire_floor_us(protocol, protocol->wire_bytes(order->chip->family, WIRE_ERASE_ALL, 0), baud) +
               order->chip->family->mass_erase_us;
    return wire_floor_us(protocol,
                         protocol->wire_bytes(order->chip->family, WIRE_ERASE, (uint32_t)plan->sector_count),
                         baud) +
           sectors_us(plan);
}

static int64_t verify_floor_us(const struct plan *plan, const struct order *order,
                               const struct protocol *protocol, uint32_t baud, bool by_checksum)
{
    uint64_t checksums = by_checksum ? order->image->count : plan->sector_count;

    if (!by_checksum && !plan_by_sums(protocol))
        return read_floor_us(plan, order, protocol, baud);
    return wire_floor_us(protocol, checksums * protocol->wire_bytes(order->chip->family, WIRE_CHECKSUM, 0),
                         baud);
}

int64_t plan_floor_us(const struct plan *plan, const struct order *order, const struct protocol *protocol,
                      enum phase_name phase, uint32_t baud, bool by_checksum)
{
    switch (phase) {
    case PHASE_ERASE:
        return erase_floor_us(plan, order, protocol, baud);
    case PHASE_WRITE:
        return write_floor_us(plan, order, protocol, baud);
    case PHASE_VERIFY:
        return verify_floor_us(plan, order, protocol, baud, by_checksum);
    case PHASE_CONNECT: /* what a protocol spends to be sure is its own choice: no floor */
    case PHASE_OPTIONS:
    case PHASE_PROTECT:
    case PHASE_RUN:
    case PHASE_COUNT:
        break;
    }
    return 0;
}
