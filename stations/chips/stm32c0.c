/* SPDX-License-Identifier: Apache-2.0 */
/* STM32C0: 2 KiB pages, double words of 64 bits. */
#include "chip_tables.h"

/* No RAM span: the published tools disagree about what the ROM keeps of the 6 KiB. */
static const struct chip_family c011 = {
    .name = "STM32C011",
    .document = "AN2606 (id, system memory); "
                "RM0490 (pages, UID); "
                "STM32C011 datasheet, flash memory characteristics",
    .id = 0x443,
    .flash_base = 0x08000000,
    .sectors = {{.count = 16, .size = 2 * KIB, .erase_us = 22000, .erase_max_us = 40000}},
    .program_unit = 8,
    .program_us = 85,
    .program_max_us = 125,
    .mass_erase_us = 22100,
    .mass_erase_max_us = 40100,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x1FFF7800, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x1800},
    .uid_address = 0x1FFF7550,
    .flash_size_address = 0x1FFF75A0,
    .write_protect_unit = 1,
};

/* No RAM span: the published tools disagree about what the ROM keeps of the 12 KiB. */
static const struct chip_family c031 = {
    .name = "STM32C031",
    .document = "AN2606 (id, system memory); "
                "RM0490 (pages, UID); "
                "STM32C031 datasheet, flash memory characteristics",
    .id = 0x453,
    .flash_base = 0x08000000,
    .sectors = {{.count = 16, .size = 2 * KIB, .erase_us = 22000, .erase_max_us = 40000}},
    .program_unit = 8,
    .program_us = 85,
    .program_max_us = 125,
    .mass_erase_us = 22100,
    .mass_erase_max_us = 40100,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x1FFF7800, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x1800},
    .uid_address = 0x1FFF7550,
    .flash_size_address = 0x1FFF75A0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32c011x4", .family = &c011, .flash_size = 16 * KIB},
    {.name = "stm32c011x6", .family = &c011, .flash_size = 32 * KIB},
    {.name = "stm32c031x4", .family = &c031, .flash_size = 16 * KIB},
    {.name = "stm32c031x6", .family = &c031, .flash_size = 32 * KIB},
};

const struct chip_table stm32c0_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
