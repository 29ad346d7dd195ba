/* SPDX-License-Identifier: Apache-2.0 */
/* STM32G0: pages of 2 KiB, written by double words of 64 bits.
 * STM32G0Bx/0Cx are not here: what is published about their system memory and bank numbers does not agree. */
#include "chip_tables.h"

static const struct chip_family g03 = {
    .name = "STM32G03x/04x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0444, RM0454 (pages, option bytes, UID); "
                "STM32G031 datasheet, flash memory characteristics",
    .id = 0x466,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 2 * KIB, .erase_us = 22000, .erase_max_us = 40000}},
    .program_unit = 8,
    .program_us = 85,
    .program_max_us = 125,
    .mass_erase_us = 22100,
    .mass_erase_max_us = 40100,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001000, .size = 0x1000},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x2000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip_family g05 = {
    .name = "STM32G05x/06x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0444, RM0454 (pages, option bytes, UID); "
                "STM32G051 datasheet, flash memory characteristics",
    .id = 0x456,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 2 * KIB, .erase_us = 22000, .erase_max_us = 40000}},
    .program_unit = 8,
    .program_us = 85,
    .program_max_us = 125,
    .mass_erase_us = 22100,
    .mass_erase_max_us = 40100,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001000, .size = 0x3800},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x2000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip_family g07 = {
    .name = "STM32G07x/08x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0444, RM0454 (pages, option bytes, UID); "
                "STM32G071 datasheet, flash memory characteristics",
    .id = 0x460,
    .flash_base = 0x08000000,
    .sectors = {{.count = 64, .size = 2 * KIB, .erase_us = 22000, .erase_max_us = 40000}},
    .program_unit = 8,
    .program_us = 85,
    .program_max_us = 125,
    .mass_erase_us = 22100,
    .mass_erase_max_us = 40100,
    .erased_value = 0xFF,
    .ram = {.address = 0x20002700, .size = 0x6900},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x80},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32g030x6", .family = &g03, .flash_size = 32 * KIB},
    {.name = "stm32g030x8", .family = &g03, .flash_size = 64 * KIB},
    {.name = "stm32g031x4", .family = &g03, .flash_size = 16 * KIB},
    {.name = "stm32g031x6", .family = &g03, .flash_size = 32 * KIB},
    {.name = "stm32g031x8", .family = &g03, .flash_size = 64 * KIB},
    {.name = "stm32g041x6", .family = &g03, .flash_size = 32 * KIB},
    {.name = "stm32g041x8", .family = &g03, .flash_size = 64 * KIB},
    {.name = "stm32g050x6", .family = &g05, .flash_size = 32 * KIB},
    {.name = "stm32g050x8", .family = &g05, .flash_size = 64 * KIB},
    {.name = "stm32g051x6", .family = &g05, .flash_size = 32 * KIB},
    {.name = "stm32g051x8", .family = &g05, .flash_size = 64 * KIB},
    {.name = "stm32g061x6", .family = &g05, .flash_size = 32 * KIB},
    {.name = "stm32g061x8", .family = &g05, .flash_size = 64 * KIB},
    {.name = "stm32g070xb", .family = &g07, .flash_size = 128 * KIB},
    {.name = "stm32g071x6", .family = &g07, .flash_size = 32 * KIB},
    {.name = "stm32g071x8", .family = &g07, .flash_size = 64 * KIB},
    {.name = "stm32g071xb", .family = &g07, .flash_size = 128 * KIB},
    {.name = "stm32g081xb", .family = &g07, .flash_size = 128 * KIB},
};

const struct chip_table stm32g0_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
