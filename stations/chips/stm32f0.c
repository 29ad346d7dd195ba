/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F0: pages of 1 or 2 KiB, written by half-words.
 * The datasheets give 20 to 40 ms for a page and for everything, without a typical value: the middle is
 * taken. No manual of the value lines F030 and F070 has a UID, and F031/F038 are not confirmed: no_uid. */
#include "chip_tables.h"

static const struct chip_family f03 = {
    .name = "STM32F03xx4/6",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0091, RM0360 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x444,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000800, .size = 0x800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFEC00, .size = 0xC00},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 4,
};

/* No RAM span: the ROM uses all 6 KiB. */
static const struct chip_family f04 = {
    .name = "STM32F04x, STM32F070x6",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0091, RM0360 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x445,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFC400, .size = 0x3400},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 4,
};

static const struct chip_family f05 = {
    .name = "STM32F030x8, STM32F05x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0091, RM0360 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x440,
    .flash_base = 0x08000000,
    .sectors = {{.count = 64, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000800, .size = 0x1800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFEC00, .size = 0xC00},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 4,
};

static const struct chip_family f07 = {
    .name = "STM32F070xB, STM32F071/072",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0091, RM0360 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x448,
    .flash_base = 0x08000000,
    .sectors = {{.count = 64, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001800, .size = 0x2800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFC800, .size = 0x3000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip_family f09 = {
    .name = "STM32F030xC, STM32F09x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0091, RM0360 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x442,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001800, .size = 0x6800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip rows[] = {
    {.name = "stm32f030x4", .family = &f03, .flash_size = 16 * KIB, .no_uid = true},
    {.name = "stm32f030x6", .family = &f03, .flash_size = 32 * KIB, .no_uid = true},
    {.name = "stm32f030x8", .family = &f05, .flash_size = 64 * KIB, .no_uid = true},
    {.name = "stm32f030xc", .family = &f09, .flash_size = 256 * KIB, .no_uid = true},
    {.name = "stm32f031x4", .family = &f03, .flash_size = 16 * KIB, .no_uid = true},
    {.name = "stm32f031x6", .family = &f03, .flash_size = 32 * KIB, .no_uid = true},
    {.name = "stm32f038x6", .family = &f03, .flash_size = 32 * KIB, .no_uid = true},
    {.name = "stm32f042x4", .family = &f04, .flash_size = 16 * KIB},
    {.name = "stm32f042x6", .family = &f04, .flash_size = 32 * KIB},
    {.name = "stm32f048x6", .family = &f04, .flash_size = 32 * KIB},
    {.name = "stm32f051x4", .family = &f05, .flash_size = 16 * KIB},
    {.name = "stm32f051x6", .family = &f05, .flash_size = 32 * KIB},
    {.name = "stm32f051x8", .family = &f05, .flash_size = 64 * KIB},
    {.name = "stm32f058x8", .family = &f05, .flash_size = 64 * KIB},
    {.name = "stm32f070x6", .family = &f04, .flash_size = 32 * KIB, .no_uid = true},
    {.name = "stm32f070xb", .family = &f07, .flash_size = 128 * KIB, .no_uid = true},
    {.name = "stm32f071x8", .family = &f07, .flash_size = 64 * KIB},
    {.name = "stm32f071xb", .family = &f07, .flash_size = 128 * KIB},
    {.name = "stm32f072x8", .family = &f07, .flash_size = 64 * KIB},
    {.name = "stm32f072xb", .family = &f07, .flash_size = 128 * KIB},
    {.name = "stm32f078xb", .family = &f07, .flash_size = 128 * KIB},
    {.name = "stm32f091xb", .family = &f09, .flash_size = 128 * KIB},
    {.name = "stm32f091xc", .family = &f09, .flash_size = 256 * KIB},
    {.name = "stm32f098xc", .family = &f09, .flash_size = 256 * KIB},
};

const struct chip_table stm32f0_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
