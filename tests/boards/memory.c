/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h: the memory map. */
#include "memory.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

void memory_open(struct memory *memory, const struct chip *chip)
{
    *memory = (struct memory){.chip = chip, .parallelism_bits = 8};
    memory->flash = sim_allocate(chip_flash_bytes(chip), 1);
    memory->ram = sim_allocate(chip->ram.end - chip->ram.start, 1);
    options_default(memory);
}

void memory_close(struct memory *memory)
{
    free(memory->flash);
    free(memory->ram);
}

void memory_renew(struct memory *memory)
{
    flash_clear(memory);
    memset(memory->ram, 0, memory->chip->ram.end - memory->chip->ram.start);
    options_default(memory);
    memory->bad_cell = 0;
}

void memory_identify(struct memory *memory, uint64_t identity)
{
    static const char lot_letters[] = "0123456789ABCDEFGHJKLMNPQRSTUVWX";
    uint64_t die = sim_mix(identity), lot = sim_mix(identity ^ 0x6C6F74);

    for (size_t i = 0; i < 5; i++)
        memory->uid[i] = (uint8_t)(die >> (8 * i));
    memory->uid[1] &= 0x03;
    memory->uid[3] &= 0x03;
    memory->uid[4] = (uint8_t)(memory->uid[4] % 25 + 1);
    for (size_t i = 5; i < UID_BYTES; i++)
        memory->uid[i] = (uint8_t)lot_letters[(lot >> (5 * i)) & 31];
}

static bool inside(struct range range, uint32_t address, uint32_t count)
{
    return address >= range.start && address < range.end && count <= range.end - address;
}

static bool in_options(const struct chip *chip, uint32_t address, uint32_t count)
{
    return inside(chip->options[0], address, count) || inside(chip->options[1], address, count);
}

static struct range flash_range(const struct chip *chip)
{
    return (struct range){.start = FLASH_START, .end = FLASH_START + chip_flash_bytes(chip)};
}

enum area memory_area(const struct memory *memory, uint32_t address, uint32_t count)
{
    const struct chip *chip = memory->chip;

    if (inside(flash_range(chip), address, count))
        return AREA_FLASH;
    if (inside(chip->ram, address, count))
        return AREA_RAM;
    if (inside(chip->system, address, count))
        return AREA_SYSTEM;
    if (in_options(chip, address, count))
        return AREA_OPTIONS;
    if (inside(chip->info, address, count))
        return AREA_INFO;
    if (chip->options[0].end == chip->info.start &&
        inside((struct range){.start = chip->options[0].start, .end = chip->info.end}, address, count))
        return AREA_INFO;
    return AREA_NONE;
}

/* The UID of L0 and L1 has its third word 0x14 after the first. */
static int uid_index(const struct chip *chip, uint32_t address)
{
    uint32_t offset = address - chip->uid_at;

    if (offset < (chip->uid_split ? 8U : UID_BYTES))
        return (int)offset;
    if (chip->uid_split && offset >= 0x14 && offset < 0x18)
        return (int)(offset - 0x14 + 8);
    return -1;
}

/* ROM code and factory data: some content, the same on every chip of the kind. */
static uint8_t rom_byte(const struct memory *memory, uint32_t address)
{
    const struct chip *chip = memory->chip;
    int uid = uid_index(chip, address);

    if (uid >= 0)
        return memory->uid[uid];
    if (address - chip->size_at < 2)
        return (uint8_t)(chip->flash_kib >> (8 * (address - chip->size_at)));
    if (chip->bid_at && address == chip->bid_at)
        return chip->bid;
    return (uint8_t)sim_mix((uint64_t)chip->pid << 32 | address);
}

static uint8_t option_byte(const struct memory *memory, uint32_t address)
{
    for (size_t i = 0; i < 2; i++)
        if (inside(memory->chip->options[i], address, 1))
            return memory->options[i][address - memory->chip->options[i].start];
    return 0;
}

uint8_t memory_get(const struct memory *memory, uint32_t address)
{
    const struct chip *chip = memory->chip;

    if (inside(flash_range(chip), address, 1))
        return memory->flash[address - FLASH_START] ^ chip->family->erased;
    if (inside(chip->ram, address, 1))
        return memory->ram[address - chip->ram.start];
    if (in_options(chip, address, 1))
        return option_byte(memory, address);
    return rom_byte(memory, address);
}

void memory_write_ram(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count)
{
    memcpy(memory->ram + (address - memory->chip->ram.start), bytes, count);
}
