/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "alloc.h"
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

static int check_ranges(const struct order *order, struct error *error)
{
    const struct chip *chip = order->chip;
    uint64_t end = (uint64_t)chip->family->flash_base + chip->flash_size;

    if (order->image->count == 0)
        return error_set(error, FAILURE_CODE(FAILURE_DATA), "the image is empty");
    for (size_t i = 0; i < order->image->count; i++) {
        const struct image_range *range = &order->image->ranges[i];

        if (range->address < chip->family->flash_base || (uint64_t)range->address + range->size > end)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "image range 0x%08x-0x%08x is outside the flash of %s (0x%08x-0x%08x): link the "
                             "firmware for this chip or order a larger one",
                             range->address, range->address + (range->size - 1), chip->name,
                             chip->family->flash_base, (uint32_t)(end - 1));
    }
    return 0;
}

static bool image_touches(const struct image *image, uint32_t address, uint32_t size)
{
    for (size_t i = 0; i < image->count; i++)
        if (overlaps(image->ranges[i].address, image->ranges[i].size, address, size))
            return true;
    return false;
}

static int choose_sectors(struct plan *plan, const struct order *order, struct error *error)
{
    uint32_t count = chip_sector_count(order->chip);

    plan->sectors = allocate(count, sizeof *plan->sectors);
    for (uint32_t number = 0; number < count; number++) {
        struct chip_sector sector = chip_sector(order->chip, number);

        if (!image_touches(order->image, sector.address, sector.size))
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

/* Mass erase when the chip's own times make it the cheaper way, and nothing on the chip is to be kept. */
static void choose_erase(struct plan *plan, const struct order *order)
{
    int64_t mass_us = order->chip->family->mass_erase_us;

    plan->erase_all = mass_us > 0 && order->keep_count == 0 && mass_us < sectors_us(plan);
}

static bool is_blank(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static uint32_t transfer_size(const struct order *order, const struct protocol *protocol)
{
    uint32_t limit = order->chip->family->transfer_max;

    return limit && limit < protocol->transfer_max ? limit : protocol->transfer_max;
}

/* One aligned block, cut at both ends to what is not blank in whole program units (at least words). */
static void add_block(struct plan *plan, const struct order *order, uint32_t address, uint32_t size)
{
    uint8_t bytes[256];
    uint8_t blank = order->chip->family->erased_value;
    uint32_t unit = order->chip->family->program_unit > 4 ? order->chip->family->program_unit : 4;
    uint32_t skip = 0;

    image_read(order->image, address, bytes, size, blank);
    while (size > skip && is_blank(bytes + skip, unit, blank))
        skip += unit;
    while (size > skip && is_blank(bytes + size - unit, unit, blank))
        size -= unit;
    if (size == skip)
        return;
    plan->blocks = reallocate(plan->blocks, plan->block_count + 1, sizeof *plan->blocks);
    plan->blocks[plan->block_count++] = (struct plan_block){.address = address + skip, .size = size - skip};
    plan->write_bytes += size - skip;
}

/* Blocks in ascending order, except that the one with the vector table comes last: a board that is left
 * half-way has none, and enters its bootloader. */
static void choose_blocks(struct plan *plan, const struct order *order, uint32_t step)
{
    const struct image *image = order->image;
    uint64_t next = 0;
    struct plan_block first;

    for (size_t i = 0; i < image->count; i++) {
        uint64_t end = (uint64_t)image->ranges[i].address + image->ranges[i].size;
        uint64_t at = image->ranges[i].address - image->ranges[i].address % step;

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

static void digest_image(struct plan *plan, const struct image *image)
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < image->count; i++) {
        (void)crypto_hash_sha256_update(&state, image->ranges[i].data, image->ranges[i].size);
        plan->verify_bytes += image->ranges[i].size;
    }
    (void)crypto_hash_sha256_final(&state, plan->digest);
}

#define SLOWEST_BAUD      57600u
#define TIMEOUT_MARGIN_US 30000000

static int64_t default_timeout_us(const struct plan *plan, const struct order *order,
                                  const struct protocol *protocol)
{
    int64_t floor_us = 0;

    for (int phase = PHASE_CONNECT; phase < PHASE_COUNT; phase++)
        floor_us += plan_floor_us(plan, order, protocol, (enum phase_name)phase, SLOWEST_BAUD, false);
    return 4 * floor_us + TIMEOUT_MARGIN_US;
}

static int check_options(const struct order *order, struct error *error)
{
    const struct chip_span *area = &order->chip->family->option_bytes;

    for (size_t i = 0; i < order->option_count; i++) {
        const struct order_option *option = &order->options[i];

        if (option->address < area->address ||
            (uint64_t)option->address + option->size > (uint64_t)area->address + area->size)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%08x are outside those of %s (0x%08x, %u bytes)",
                             option->address, order->chip->name, area->address, area->size);
        if (option->address % 4 || option->size % 4)
            return error_set(error, FAILURE_CODE(FAILURE_DATA),
                             "option bytes at 0x%08x: give whole words of four bytes", option->address);
    }
    return 0;
}

int plan_make(struct plan *plan, const struct order *order, const struct protocol *protocol,
              struct error *error)
{
    int status = check_ranges(order, error);

    *plan = (struct plan){.erase_all = false};
    if (status == 0)
        status = check_options(order, error);
    if (status == 0)
        status = choose_sectors(plan, order, error);
    if (status < 0) {
        plan_clear(plan);
        return status;
    }
    choose_erase(plan, order);
    choose_blocks(plan, order, transfer_size(order, protocol));
    digest_image(plan, order->image);
    plan->timeout_us = order->timeout_us ? order->timeout_us : default_timeout_us(plan, order, protocol);
    return 0;
}

void plan_clear(struct plan *plan)
{
    free(plan->sectors);
    free(plan->blocks);
    *plan = (struct plan){.erase_all = false};
}

static int64_t write_floor_us(const struct plan *plan, const struct order *order,
                              const struct protocol *protocol, uint32_t baud)
{
    const struct chip_family *family = order->chip->family;
    uint64_t wire_bytes = 0;
    int64_t program_us = 0;

    for (size_t i = 0; i < plan->block_count; i++) {
        wire_bytes += protocol->wire_bytes(WIRE_WRITE, plan->blocks[i].size);
        program_us += (int64_t)(plan->blocks[i].size / family->program_unit) * family->program_us;
    }
    return wire_floor_us(protocol, wire_bytes, baud) + program_us;
}

static int64_t read_floor_us(const struct plan *plan, const struct order *order,
                             const struct protocol *protocol, uint32_t baud)
{
    uint32_t step = transfer_size(order, protocol);
    uint64_t transfers = ((uint64_t)plan->verify_bytes + step - 1) / step;

    return wire_floor_us(protocol, transfers * protocol->wire_bytes(WIRE_READ, 0) + plan->verify_bytes, baud);
}

static int64_t erase_floor_us(const struct plan *plan, const struct order *order,
                              const struct protocol *protocol, uint32_t baud)
{
    if (plan->erase_all)
        return wire_floor_us(protocol, protocol->wire_bytes(WIRE_ERASE_ALL, 0), baud) +
               order->chip->family->mass_erase_us;
    return wire_floor_us(protocol, protocol->wire_bytes(WIRE_ERASE, (uint32_t)plan->sector_count), baud) +
           sectors_us(plan);
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
        return by_checksum ? wire_floor_us(protocol,
                                           order->image->count * protocol->wire_bytes(WIRE_CHECKSUM, 0), baud)
                           : read_floor_us(plan, order, protocol, baud);
    case PHASE_CONNECT: /* what a protocol spends to be sure is its own choice: no floor */
    case PHASE_OPTIONS:
    case PHASE_PROTECT:
    case PHASE_RUN:
    case PHASE_COUNT:
        break;
    }
    return 0;
}
