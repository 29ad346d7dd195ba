/* SPDX-License-Identifier: Apache-2.0 */
/* Looks rows up and cuts a family's list of erase units to what a chip is sold with. Knows no chip itself:
 * a new family file is one line in chip_tables[] below. */
#include "chip.h"

#include <assert.h>
#include <string.h>

#include "chip_tables.h"

const struct chip_table *const chip_tables[] = {
    &atmega_chips,  &esp_chips,     &lpc_chips,     &p89lpc_chips,  &stm32c0_chips, &stm32f0_chips,
    &stm32f1_chips, &stm32f2_chips, &stm32f3_chips, &stm32f4_chips, &stm32f7_chips, &stm32g0_chips,
    &stm32g4_chips, &stm32h7_chips, &stm32l0_chips, &stm32l1_chips, &stm32l4_chips, &stm32l5_chips,
    &stm32wb_chips, &stm32wl_chips, NULL,
};

size_t chip_count(void)
{
    size_t count = 0;

    for (const struct chip_table *const *table = chip_tables; *table; table++)
        count += (*table)->count;
    return count;
}

const struct chip *chip_at(size_t index)
{
    for (const struct chip_table *const *table = chip_tables; *table; table++) {
        if (index < (*table)->count)
            return &(*table)->chips[index];
        index -= (*table)->count;
    }
    return NULL;
}

const struct chip *chip_find(const char *name)
{
    size_t count = chip_count();

    for (size_t i = 0; i < count; i++) {
        const struct chip *chip = chip_at(i);

        if (strcmp(chip->name, name) == 0)
            return chip;
    }
    return NULL;
}

/* The erase unit of that number in the largest member, or false. */
static bool find_sector(const struct chip_family *family, uint32_t number, struct chip_sector *sector)
{
    uint32_t address = family->flash_base;
    uint32_t left = number;

    for (size_t run = 0; run < CHIP_SECTOR_RUNS && family->sectors[run].count > 0; run++) {
        const struct chip_sectors *sectors = &family->sectors[run];

        if (left < sectors->count) {
            *sector = (struct chip_sector){
                .number = number,
                .address = address + left * sectors->size,
                .size = sectors->size,
                .erase_us = sectors->erase_us,
                .erase_max_us = sectors->erase_max_us,
            };
            return true;
        }
        left -= sectors->count;
        address += sectors->count * sectors->size;
    }
    return false;
}

uint32_t chip_sector_count(const struct chip *chip)
{
    uint32_t left = chip->flash_size;
    uint32_t count = 0;

    for (size_t run = 0; run < CHIP_SECTOR_RUNS && chip->family->sectors[run].count > 0; run++) {
        const struct chip_sectors *sectors = &chip->family->sectors[run];
        uint32_t fitting = left / sectors->size;

        if (fitting < sectors->count)
            return count + fitting;
        count += sectors->count;
        left -= sectors->count * sectors->size;
    }
    return count;
}

struct chip_sector chip_sector(const struct chip *chip, uint32_t number)
{
    struct chip_sector sector = {0};
    bool found = find_sector(chip->family, number, &sector);

    assert(found && sector.address - chip->family->flash_base < chip->flash_size);
    (void)found;
    return sector;
}
