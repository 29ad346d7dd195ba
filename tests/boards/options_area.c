/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h: option bytes. Where the layout has a bit per write-protection unit (F0 to F7), the bits and
 * the list of protected units follow each other; the area registers of L0, L1, L4, G0 and G4 stay plain bytes
 * and only the bootloader's own commands change their protected units. */
#include "memory.h"

#include <string.h>

/* Number of WRP bits in the option bytes, and the place of the n-th. */
static uint32_t wrp_bits(const struct chip *chip)
{
    switch (chip->family->options) {
    case OPTIONS_COMPLEMENT_BYTES:
        return 32;
    case OPTIONS_F2F4F7:
        return chip_sectors(chip) / chip->banks;
    case OPTIONS_WORD_PAIRS:
    case OPTIONS_HALFWORD_PAIRS:
        break;
    }
    return 0;
}

static uint32_t wrp_offset(const struct chip *chip, uint32_t bit)
{
    return 8 + bit / 8 * (chip->family->options == OPTIONS_COMPLEMENT_BYTES ? 2 : 1);
}

static size_t wrp_area(const struct chip *chip, uint32_t unit)
{
    return wrp_bits(chip) && chip->options[1].end ? unit / wrp_bits(chip) : 0;
}

static void fix_complements(struct memory *memory)
{
    enum option_layout layout = memory->chip->family->options;
    uint32_t unit = layout == OPTIONS_WORD_PAIRS ? 4 : layout == OPTIONS_HALFWORD_PAIRS ? 2 : 1;

    if (layout == OPTIONS_F2F4F7)
        return;
    for (size_t area = 0; area < 2; area++)
        for (uint32_t i = 0; i < OPTION_BYTES_MAX; i += 2 * unit)
            for (uint32_t k = 0; k < unit; k++)
                memory->options[area][i + unit + k] = (uint8_t)~memory->options[area][i + k];
}

static void mirror_to_bits(struct memory *memory)
{
    const struct chip *chip = memory->chip;
    uint32_t bits = wrp_bits(chip) * (chip->options[1].end ? 2 : 1);

    for (uint32_t unit = 0; unit < bits; unit++) {
        uint32_t bit = unit % wrp_bits(chip);
        uint8_t *byte = &memory->options[wrp_area(chip, unit)][wrp_offset(chip, bit)];
        uint8_t mask = (uint8_t)(1U << (bit % 8));

        *byte = memory->write_protected[unit] ? *byte & (uint8_t)~mask : *byte | mask;
    }
    fix_complements(memory);
}

static void mirror_from_bits(struct memory *memory)
{
    const struct chip *chip = memory->chip;
    uint32_t bits = wrp_bits(chip) * (chip->options[1].end ? 2 : 1);

    for (uint32_t unit = 0; unit < bits; unit++) {
        uint32_t bit = unit % wrp_bits(chip);
        uint8_t byte = memory->options[wrp_area(chip, unit)][wrp_offset(chip, bit)];

        memory->write_protected[unit] = !(byte >> (bit % 8) & 1);
    }
}

static uint8_t *rdp_byte(struct memory *memory)
{
    return &memory->options[0][memory->chip->family->options == OPTIONS_F2F4F7 ? 1 : 0];
}

static uint8_t rdp(const struct memory *memory)
{
    return memory->options[0][memory->chip->family->options == OPTIONS_F2F4F7 ? 1 : 0];
}

void options_default(struct memory *memory)
{
    bool low_power = memory->chip->family->options == OPTIONS_HALFWORD_PAIRS;

    memset(memory->options, low_power ? 0x00 : 0xFF, sizeof memory->options);
    memset(memory->write_protected, 0, sizeof memory->write_protected);
    *rdp_byte(memory) = memory->chip->family->rdp_open;
    fix_complements(memory);
}

/* The ROM erases and rewrites the option bytes; the controller makes the complements itself. */
void options_write(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count)
{
    bool was_locked = options_locked(memory);

    for (size_t area = 0; area < 2; area++) {
        struct range range = memory->chip->options[area];

        if (address >= range.start && address < range.end)
            memcpy(memory->options[area] + (address - range.start), bytes, count);
    }
    fix_complements(memory);
    mirror_from_bits(memory);
    if (was_locked && !options_locked(memory))
        flash_clear(memory);
}

bool options_locked_for_ever(const struct memory *memory)
{
    return rdp(memory) == 0xCC && memory->chip->family->rdp_open == 0xAA;
}

bool options_locked(const struct memory *memory)
{
    return rdp(memory) != memory->chip->family->rdp_open;
}

void options_lock(struct memory *memory, bool lock)
{
    *rdp_byte(memory) = lock ? 0x00 : memory->chip->family->rdp_open;
    fix_complements(memory);
}

/* AN3155 3.9: the units of the list become the protected ones, those of an earlier list no longer are. */
void options_write_protect(struct memory *memory, const uint8_t *units, uint32_t count)
{
    memset(memory->write_protected, 0, sizeof memory->write_protected);
    for (uint32_t i = 0; i < count; i++)
        memory->write_protected[units[i]] = true;
    mirror_to_bits(memory);
}

/* Where there are more units than WRP bits, the last bit stands for all the rest (F1 from 32 units on). */
bool options_write_protected(const struct memory *memory, uint32_t address)
{
    const struct chip *chip = memory->chip;
    uint32_t unit = chip_sector_of(chip, address) / chip->wp_pages;

    if (chip->family->options == OPTIONS_COMPLEMENT_BYTES && unit > 31)
        unit = 31;
    return unit < WRITE_PROTECT_UNITS_MAX && memory->write_protected[unit];
}
