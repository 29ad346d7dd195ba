/* SPDX-License-Identifier: Apache-2.0 */
/* STM32G4: pages of 2 KiB, written by double words of 64 bits. */
#include "chip_tables.h"

static const struct chip_family g43 = {
    .name = "STM32G431/441",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0440 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x468,
    .flash_base = 0x08000000,
    .sectors = {{.count = 64, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 84,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x1800},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x30},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

/* As delivered, with two banks (DBANK set) of 2 KiB pages. Members of less than 512 KiB have a gap between
 * the banks then, and with one bank a page has 4 KiB: neither is this row. */
static const struct chip_family g47 = {
    .name = "STM32G47x/48x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0440 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x469,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 84,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x14000},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x30},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip_family g49 = {
    .name = "STM32G491/4A1",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0440 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x479,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 84,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x18000},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x30},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32g431x6", .family = &g43, .flash_size = 32 * KIB},
    {.name = "stm32g431x8", .family = &g43, .flash_size = 64 * KIB},
    {.name = "stm32g431xb", .family = &g43, .flash_size = 128 * KIB},
    {.name = "stm32g441xb", .family = &g43, .flash_size = 128 * KIB},
    {.name = "stm32g471xe", .family = &g47, .flash_size = 512 * KIB},
    {.name = "stm32g473xe", .family = &g47, .flash_size = 512 * KIB},
    {.name = "stm32g474xe", .family = &g47, .flash_size = 512 * KIB},
    {.name = "stm32g483xe", .family = &g47, .flash_size = 512 * KIB},
    {.name = "stm32g484xe", .family = &g47, .flash_size = 512 * KIB},
    {.name = "stm32g491xc", .family = &g49, .flash_size = 256 * KIB},
    {.name = "stm32g491xe", .family = &g49, .flash_size = 512 * KIB},
    {.name = "stm32g4a1xe", .family = &g49, .flash_size = 512 * KIB},
};

const struct chip_table stm32g4_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
