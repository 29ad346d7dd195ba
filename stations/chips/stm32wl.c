/* SPDX-License-Identifier: Apache-2.0 */
/* STM32WL: pages of 2 KiB, written by double words of 64 bits. */
#include "chip_tables.h"

/* No option bytes: how many of them the loader writes is not published. */
static const struct chip_family wl = {
    .name = "STM32WLEx/WL5x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0461, RM0453 (pages, UID); "
                "STM32WLE5 datasheet, flash memory characteristics",
    .id = 0x497,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20002000, .size = 0xE000},
    .system_memory = {.address = 0x1FFF0000, .size = 0x4000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32wl54xc", .family = &wl, .flash_size = 256 * KIB},
    {.name = "stm32wl55xc", .family = &wl, .flash_size = 256 * KIB},
    {.name = "stm32wle4x8", .family = &wl, .flash_size = 64 * KIB},
    {.name = "stm32wle4xb", .family = &wl, .flash_size = 128 * KIB},
    {.name = "stm32wle4xc", .family = &wl, .flash_size = 256 * KIB},
    {.name = "stm32wle5x8", .family = &wl, .flash_size = 64 * KIB},
    {.name = "stm32wle5xb", .family = &wl, .flash_size = 128 * KIB},
    {.name = "stm32wle5xc", .family = &wl, .flash_size = 256 * KIB},
};

const struct chip_table stm32wl_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
