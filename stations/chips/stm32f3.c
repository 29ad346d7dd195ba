/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F3: pages of 2 KiB, written by half-words of 53.5 us typical.
 * The datasheets give 20 to 40 ms for a page and for everything, without a typical value: the middle is
 * taken. */
#include "chip_tables.h"

static const struct chip_family f301 = {
    .name = "STM32F301/302x6/x8, STM32F318",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0366, RM0365 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x439,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001800, .size = 0x2800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip_family f334 = {
    .name = "STM32F303x6/x8, STM32F328, STM32F334",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0316, RM0364 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x438,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001800, .size = 0x1800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip_family f303_medium = {
    .name = "STM32F302/303xB/xC, STM32F358",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0365, RM0316 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x422,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001400, .size = 0x8C00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip_family f303_high = {
    .name = "STM32F302/303xD/xE, STM32F398",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0365, RM0316 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x446,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001800, .size = 0xE800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip_family f37 = {
    .name = "STM32F373, STM32F378",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0313 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x432,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 53,
    .program_max_us = 60,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001400, .size = 0x6C00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFD800, .size = 0x2000},
    .uid_address = 0x1FFFF7AC,
    .flash_size_address = 0x1FFFF7CC,
    .write_protect_unit = 2,
};

static const struct chip rows[] = {
    {.name = "stm32f301x6", .family = &f301, .flash_size = 32 * KIB},
    {.name = "stm32f301x8", .family = &f301, .flash_size = 64 * KIB},
    {.name = "stm32f302x6", .family = &f301, .flash_size = 32 * KIB},
    {.name = "stm32f302x8", .family = &f301, .flash_size = 64 * KIB},
    {.name = "stm32f302xb", .family = &f303_medium, .flash_size = 128 * KIB},
    {.name = "stm32f302xc", .family = &f303_medium, .flash_size = 256 * KIB},
    {.name = "stm32f302xd", .family = &f303_high, .flash_size = 384 * KIB},
    {.name = "stm32f302xe", .family = &f303_high, .flash_size = 512 * KIB},
    {.name = "stm32f303x6", .family = &f334, .flash_size = 32 * KIB},
    {.name = "stm32f303x8", .family = &f334, .flash_size = 64 * KIB},
    {.name = "stm32f303xb", .family = &f303_medium, .flash_size = 128 * KIB},
    {.name = "stm32f303xc", .family = &f303_medium, .flash_size = 256 * KIB},
    {.name = "stm32f303xd", .family = &f303_high, .flash_size = 384 * KIB},
    {.name = "stm32f303xe", .family = &f303_high, .flash_size = 512 * KIB},
    {.name = "stm32f318x8", .family = &f301, .flash_size = 64 * KIB},
    {.name = "stm32f328x8", .family = &f334, .flash_size = 64 * KIB},
    {.name = "stm32f334x4", .family = &f334, .flash_size = 16 * KIB},
    {.name = "stm32f334x6", .family = &f334, .flash_size = 32 * KIB},
    {.name = "stm32f334x8", .family = &f334, .flash_size = 64 * KIB},
    {.name = "stm32f358xc", .family = &f303_medium, .flash_size = 256 * KIB},
    {.name = "stm32f373x8", .family = &f37, .flash_size = 64 * KIB},
    {.name = "stm32f373xb", .family = &f37, .flash_size = 128 * KIB},
    {.name = "stm32f373xc", .family = &f37, .flash_size = 256 * KIB},
    {.name = "stm32f378xc", .family = &f37, .flash_size = 256 * KIB},
    {.name = "stm32f398xe", .family = &f303_high, .flash_size = 512 * KIB},
};

const struct chip_table stm32f3_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
