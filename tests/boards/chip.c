/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts and erase times worked out from a chip's row. */
#include "chip.h"

#include "common.h"

uint32_t chip_flash_bytes(const struct chip *chip)
{
    return chip->flash_kib * 1024U;
}

static uint32_t bank_bytes(const struct chip *chip)
{
    return chip_flash_bytes(chip) / chip->banks;
}

/* Sector layouts: four of the unit, one of four units, the rest of eight units. Size of the n-th in a bank.
 */
static uint32_t mixed_bytes(uint32_t unit, uint32_t index)
{
    if (index < 4)
        return unit;
    return index == 4 ? 4 * unit : 8 * unit;
}

static uint32_t unit_of(const struct chip *chip)
{
    return chip->family->layout == LAYOUT_4X16K_128K ? 0x4000U : 0x8000U;
}

static uint32_t sectors_per_bank(const struct chip *chip)
{
    return 5 + (bank_bytes(chip) - 8 * unit_of(chip)) / (8 * unit_of(chip));
}

uint32_t chip_sectors(const struct chip *chip)
{
    if (chip->family->layout == LAYOUT_PAGES)
        return chip_flash_bytes(chip) / chip->page_bytes;
    return chip->banks * sectors_per_bank(chip);
}

struct sector chip_sector(const struct chip *chip, uint32_t index)
{
    if (chip->family->layout == LAYOUT_PAGES)
        return (struct sector){.start = FLASH_START + index * chip->page_bytes, .bytes = chip->page_bytes};
    uint32_t in_bank = index % sectors_per_bank(chip), unit = unit_of(chip);
    struct sector sector = {.start = FLASH_START + index / sectors_per_bank(chip) * bank_bytes(chip),
                            .bytes = mixed_bytes(unit, in_bank)};

    for (uint32_t before = 0; before < in_bank; before++)
        sector.start += mixed_bytes(unit, before);
    return sector;
}

uint32_t chip_sector_of(const struct chip *chip, uint32_t address)
{
    if (chip->family->layout == LAYOUT_PAGES)
        return (address - FLASH_START) / chip->page_bytes;
    for (uint32_t index = 0; index < chip_sectors(chip); index++) {
        struct sector sector = chip_sector(chip, index);

        if (address >= sector.start && address - sector.start < sector.bytes)
            return index;
    }
    return 0;
}

/* F2, F4 and F7 datasheets give x8, x16 and x32 (x64 needs Vpp and is taken as x32). */
static size_t column(unsigned parallelism_bits)
{
    if (parallelism_bits <= 8)
        return 0;
    return parallelism_bits == 16 ? 1 : 2;
}

uint64_t chip_erase_ns(const struct chip *chip, uint32_t index, unsigned parallelism_bits)
{
    static const uint32_t small_ms[] = {400, 300, 250}, medium_ms[] = {1200, 700, 550};
    static const uint32_t large_ms[] = {2000, 1300, 1000};
    uint32_t bytes = chip_sector(chip, index).bytes;
    const uint32_t *row = large_ms;

    if (chip->family->page_erase_us)
        return chip->family->page_erase_us * NS_PER_US;
    if (bytes == unit_of(chip))
        row = small_ms;
    else if (bytes == 4 * unit_of(chip))
        row = medium_ms;
    return row[column(parallelism_bits)] * NS_PER_MS;
}

/* The banks of a dual-bank chip are erased side by side, and a MiB takes as long as the datasheets say. */
uint64_t chip_mass_erase_ns(const struct chip *chip, unsigned parallelism_bits)
{
    static const uint32_t mebibyte_ms[] = {16000, 11000, 8000};

    if (chip->family->page_erase_us)
        return chip->family->page_erase_us * NS_PER_US;
    return mebibyte_ms[column(parallelism_bits)] * NS_PER_MS * (bank_bytes(chip) / 1024) / 1024;
}
