/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L4: pages of 2 or 4 KiB, written by double words of 64 bits. */
#include "chip_tables.h"

/* RAM from where the stricter of the published tools starts. */
static const struct chip_family l41 = {
    .name = "STM32L412/422",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0394 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x464,
    .flash_base = 0x08000000,
    .sectors = {{.count = 64, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003100, .size = 0x4F00},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip_family l43 = {
    .name = "STM32L43x/44x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0394 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x435,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003100, .size = 0x8F00},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip_family l45 = {
    .name = "STM32L45x/46x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0394 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x462,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003100, .size = 0x1CF00},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

/* Two banks of 512 KiB. Smaller members are not here: how the loader counts the pages of their second bank
 * is not published. Only the first bank's option bytes are given. */
static const struct chip_family l47 = {
    .name = "STM32L47x/48x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0351 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x415,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003100, .size = 0x14F00},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

/* Two banks of 512 KiB. Smaller members are not here: how the loader counts the pages of their second bank
 * is not published. */
static const struct chip_family l49 = {
    .name = "STM32L496/4A6",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0351 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x461,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003100, .size = 0x3CF00},
    .option_bytes = {.address = 0x1FFF7800, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

/* As delivered, with two banks (DBANK set) of 4 KiB pages; with one bank a page has 8 KiB: not this row. No
 * option bytes: the published addresses do not agree. */
static const struct chip_family l4r = {
    .name = "STM32L4Rx/4Sx",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0432 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x470,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 4 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003200, .size = 0x9CE00},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

/* As delivered, with two banks (DBANK set) of 4 KiB pages; with one bank a page has 8 KiB: not this row. */
static const struct chip_family l4p = {
    .name = "STM32L4P5/4Q5",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0432 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x471,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 4 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x4C000},
    .option_bytes = {.address = 0x1FF00000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7000},
    .uid_address = 0x1FFF7590,
    .flash_size_address = 0x1FFF75E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32l412x8", .family = &l41, .flash_size = 64 * KIB},
    {.name = "stm32l412xb", .family = &l41, .flash_size = 128 * KIB},
    {.name = "stm32l422xb", .family = &l41, .flash_size = 128 * KIB},
    {.name = "stm32l431xb", .family = &l43, .flash_size = 128 * KIB},
    {.name = "stm32l431xc", .family = &l43, .flash_size = 256 * KIB},
    {.name = "stm32l432xb", .family = &l43, .flash_size = 128 * KIB},
    {.name = "stm32l432xc", .family = &l43, .flash_size = 256 * KIB},
    {.name = "stm32l433xb", .family = &l43, .flash_size = 128 * KIB},
    {.name = "stm32l433xc", .family = &l43, .flash_size = 256 * KIB},
    {.name = "stm32l442xc", .family = &l43, .flash_size = 256 * KIB},
    {.name = "stm32l443xc", .family = &l43, .flash_size = 256 * KIB},
    {.name = "stm32l451xc", .family = &l45, .flash_size = 256 * KIB},
    {.name = "stm32l451xe", .family = &l45, .flash_size = 512 * KIB},
    {.name = "stm32l452xc", .family = &l45, .flash_size = 256 * KIB},
    {.name = "stm32l452xe", .family = &l45, .flash_size = 512 * KIB},
    {.name = "stm32l462xe", .family = &l45, .flash_size = 512 * KIB},
    {.name = "stm32l471xg", .family = &l47, .flash_size = 1024 * KIB},
    {.name = "stm32l475xg", .family = &l47, .flash_size = 1024 * KIB},
    {.name = "stm32l476xg", .family = &l47, .flash_size = 1024 * KIB},
    {.name = "stm32l486xg", .family = &l47, .flash_size = 1024 * KIB},
    {.name = "stm32l496xg", .family = &l49, .flash_size = 1024 * KIB},
    {.name = "stm32l4a6xg", .family = &l49, .flash_size = 1024 * KIB},
    {.name = "stm32l4p5xg", .family = &l4p, .flash_size = 1024 * KIB},
    {.name = "stm32l4q5xg", .family = &l4p, .flash_size = 1024 * KIB},
    {.name = "stm32l4r5xi", .family = &l4r, .flash_size = 2048 * KIB},
    {.name = "stm32l4r7xi", .family = &l4r, .flash_size = 2048 * KIB},
    {.name = "stm32l4r9xi", .family = &l4r, .flash_size = 2048 * KIB},
    {.name = "stm32l4s5xi", .family = &l4r, .flash_size = 2048 * KIB},
    {.name = "stm32l4s7xi", .family = &l4r, .flash_size = 2048 * KIB},
    {.name = "stm32l4s9xi", .family = &l4r, .flash_size = 2048 * KIB},
};

const struct chip_table stm32l4_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
