/* SPDX-License-Identifier: Apache-2.0 */
/* STM32H7: sectors of 128 KiB, written by flash words of 256 bits; option bytes are registers, not memory.
 * Which parallelism the ROM loader sets is not published: typical times are those of x64, maxima those of x8.
 * RAM is the data TCM. STM32H7A3/7B3 are not here: their flash times are not confirmed. */
#include "chip_tables.h"

static const struct chip_family h72 = {
    .name = "STM32H72x/73x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0468 (sectors, UID); "
                "STM32H723 datasheet, flash memory programming",
    .id = 0x483,
    .flash_base = 0x08000000,
    .sectors = {{.count = 8, .size = 128 * KIB, .erase_us = 1000000, .erase_max_us = 4000000}},
    .program_unit = 32,
    .program_us = 100,
    .program_max_us = 580,
    .mass_erase_us = 4000000,
    .mass_erase_max_us = 32000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004100, .size = 0x1BF00},
    .system_memory = {.address = 0x1FF00000, .size = 0x1E800},
    .uid_address = 0x1FF1E800,
    .flash_size_address = 0x1FF1E880,
    .write_protect_unit = 1,
};

/* Two banks of 1 MiB. Members of 1 MiB have half of each and a gap between: not here. */
static const struct chip_family h74 = {
    .name = "STM32H74x/75x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0433, RM0399 (sectors, UID); "
                "STM32H743 datasheet, flash memory programming",
    .id = 0x450,
    .flash_base = 0x08000000,
    .sectors = {{.count = 16, .size = 128 * KIB, .erase_us = 1000000, .erase_max_us = 4000000}},
    .program_unit = 32,
    .program_us = 100,
    .program_max_us = 580,
    .mass_erase_us = 5000000,
    .mass_erase_max_us = 32000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004100, .size = 0x1BF00},
    .system_memory = {.address = 0x1FF00000, .size = 0x1E800},
    .uid_address = 0x1FF1E800,
    .flash_size_address = 0x1FF1E880,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32h723xe", .family = &h72, .flash_size = 512 * KIB},
    {.name = "stm32h723xg", .family = &h72, .flash_size = 1024 * KIB},
    {.name = "stm32h725xe", .family = &h72, .flash_size = 512 * KIB},
    {.name = "stm32h725xg", .family = &h72, .flash_size = 1024 * KIB},
    {.name = "stm32h730xb", .family = &h72, .flash_size = 128 * KIB},
    {.name = "stm32h733xg", .family = &h72, .flash_size = 1024 * KIB},
    {.name = "stm32h735xg", .family = &h72, .flash_size = 1024 * KIB},
    {.name = "stm32h742xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h743xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h745xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h747xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h750xb", .family = &h74, .flash_size = 128 * KIB},
    {.name = "stm32h753xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h755xi", .family = &h74, .flash_size = 2048 * KIB},
    {.name = "stm32h757xi", .family = &h74, .flash_size = 2048 * KIB},
};

const struct chip_table stm32h7_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
