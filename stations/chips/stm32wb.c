/* SPDX-License-Identifier: Apache-2.0 */
/* STM32WB: pages of 4 KiB, written by double words of 64 bits. */
#include "chip_tables.h"

/* The top of the flash belongs to the radio stack and cannot be written. No mass erase is given, so that only
 * the pages an image needs are ever erased. */
static const struct chip_family wb5 = {
    .name = "STM32WB30/35/50/55",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0434, RM0471 (pages, option bytes, UID); "
                "STM32WB55 datasheet, flash memory characteristics",
    .id = 0x495,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 4 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x8000},
    .option_bytes = {.address = 0x1FFF8000, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32wb30xe", .family = &wb5, .flash_size = 512 * KIB},
    {.name = "stm32wb35xc", .family = &wb5, .flash_size = 256 * KIB},
    {.name = "stm32wb35xe", .family = &wb5, .flash_size = 512 * KIB},
    {.name = "stm32wb50xg", .family = &wb5, .flash_size = 1024 * KIB},
    {.name = "stm32wb55xc", .family = &wb5, .flash_size = 256 * KIB},
    {.name = "stm32wb55xe", .family = &wb5, .flash_size = 512 * KIB},
    {.name = "stm32wb55xg", .family = &wb5, .flash_size = 1024 * KIB},
};

const struct chip_table stm32wb_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
