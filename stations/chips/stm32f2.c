/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F2: sectors of 16, 64 and 128 KiB; the ROM loader writes bytes (x8) unless told the supply
 * voltage: 16 us each, and the sector times are those of x8. */
#include "chip_tables.h"

static const struct chip_family f2 = {
    .name = "STM32F2",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0033 (sectors, option bytes, UID); "
                "STM32F205 datasheet, flash memory programming",
    .id = 0x411,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 7, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 16000000,
    .mass_erase_max_us = 32000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20002000, .size = 0x1E000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32f205xb", .family = &f2, .flash_size = 128 * KIB},
    {.name = "stm32f205xc", .family = &f2, .flash_size = 256 * KIB},
    {.name = "stm32f205xe", .family = &f2, .flash_size = 512 * KIB},
    {.name = "stm32f205xf", .family = &f2, .flash_size = 768 * KIB},
    {.name = "stm32f205xg", .family = &f2, .flash_size = 1024 * KIB},
    {.name = "stm32f207xc", .family = &f2, .flash_size = 256 * KIB},
    {.name = "stm32f207xe", .family = &f2, .flash_size = 512 * KIB},
    {.name = "stm32f207xf", .family = &f2, .flash_size = 768 * KIB},
    {.name = "stm32f207xg", .family = &f2, .flash_size = 1024 * KIB},
    {.name = "stm32f215xe", .family = &f2, .flash_size = 512 * KIB},
    {.name = "stm32f215xg", .family = &f2, .flash_size = 1024 * KIB},
    {.name = "stm32f217xe", .family = &f2, .flash_size = 512 * KIB},
    {.name = "stm32f217xg", .family = &f2, .flash_size = 1024 * KIB},
};

const struct chip_table stm32f2_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
