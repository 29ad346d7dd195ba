/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h: what the flash controller does to the cells, and how long that takes. */
#include "common.h"
#include "memory.h"

#include <string.h>

static uint8_t get(const struct memory *memory, uint32_t address)
{
    return memory->flash[address - FLASH_START] ^ memory->chip->family->erased;
}

void flash_store(struct memory *memory, uint32_t address, uint8_t byte)
{
    memory->flash[address - FLASH_START] = byte ^ memory->chip->family->erased;
}

static void put(struct memory *memory, uint32_t address, uint8_t byte)
{
    flash_store(memory, address, address == memory->bad_cell ? byte ^ 1 : byte);
}

static bool all(const uint8_t *bytes, uint32_t count, uint8_t value)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static bool is_erased(const struct memory *memory, uint32_t address, uint32_t count)
{
    return all(memory->flash + (address - FLASH_START), count, 0);
}

/* One cell group of the families that take a group once: ECC or program error leaves it as it was. F0, F1,
 * F3, L4, G0, G4 let all bits fall to 0 at any time. A group of erased value onto an erased one changes
 * nothing. */
static void program_once(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count)
{
    bool zero_allowed = memory->chip->family->erased == 0xFF && all(bytes, count, 0);

    if (!is_erased(memory, address, count) && !zero_allowed)
        return;
    for (uint32_t i = 0; i < count; i++)
        put(memory, address + i, bytes[i]);
}

static void program_bits(struct memory *memory, uint32_t address, uint8_t byte)
{
    uint8_t old = get(memory, address);

    put(memory, address, memory->chip->family->rule == PROGRAM_OR ? old | byte : old & byte);
}

/* The cells that the controller takes at once; 1 where every bit goes its own way. */
static uint32_t group_bytes(enum program_rule rule)
{
    switch (rule) {
    case PROGRAM_HALFWORD:
        return 2;
    case PROGRAM_DOUBLEWORD:
        return 8;
    case PROGRAM_WORD:
        return 4;
    case PROGRAM_AND:
    case PROGRAM_OR:
        break;
    }
    return 1;
}

/* The group that address lies in, filled up with what erased cells hold outside of [address, end). */
static uint32_t take_group(struct memory *memory, uint32_t address, uint32_t end, const uint8_t *bytes,
                           uint32_t group)
{
    uint8_t filled[8];
    uint32_t start = address / group * group, count = 0;

    memset(filled, memory->chip->family->erased, sizeof filled);
    while (address + count < end && address + count < start + group) {
        filled[address - start + count] = bytes[count];
        count++;
    }
    program_once(memory, start, filled, group);
    return count;
}

static uint64_t program_ns(const struct memory *memory, uint32_t address, uint32_t count)
{
    const struct family *family = memory->chip->family;
    uint32_t step = family->parallelism ? memory->parallelism_bits / 8 : family->program_bytes;
    uint32_t steps = (address % step + count + step - 1) / step;

    return (uint64_t)steps * family->program_ns;
}

uint64_t flash_program(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count)
{
    uint32_t group = group_bytes(memory->chip->family->rule), done = 0;

    while (done < count) {
        uint32_t taken = 1;

        if (group > 1)
            taken = group - (address + done) % group;
        taken = taken > count - done ? count - done : taken;
        if (options_write_protected(memory, address + done)) {
            done += taken;
            continue;
        }
        if (group > 1)
            (void)take_group(memory, address + done, address + count, bytes + done, group);
        else
            program_bits(memory, address + done, bytes[done]);
        done += taken;
    }
    return program_ns(memory, address, count);
}

uint64_t flash_erase_sector(struct memory *memory, uint32_t index)
{
    struct sector sector = chip_sector(memory->chip, index);

    if (!options_write_protected(memory, sector.start))
        memset(memory->flash + (sector.start - FLASH_START), 0, sector.bytes);
    return chip_erase_ns(memory->chip, index, memory->parallelism_bits);
}

static bool any_write_protected(const struct memory *memory)
{
    for (size_t i = 0; i < WRITE_PROTECT_UNITS_MAX; i++)
        if (memory->write_protected[i])
            return true;
    return false;
}

/* With any page write-protected the controller refuses a mass erase as a whole. */
uint64_t flash_erase_bank(struct memory *memory, unsigned bank)
{
    size_t bytes = chip_flash_bytes(memory->chip) / memory->chip->banks;

    if (!any_write_protected(memory))
        memset(memory->flash + bank * bytes, 0, bytes);
    return chip_mass_erase_ns(memory->chip, memory->parallelism_bits);
}

uint64_t flash_erase_all(struct memory *memory)
{
    if (!any_write_protected(memory))
        flash_clear(memory);
    return chip_mass_erase_ns(memory->chip, memory->parallelism_bits);
}

void flash_clear(struct memory *memory)
{
    memset(memory->flash, 0, chip_flash_bytes(memory->chip));
}
