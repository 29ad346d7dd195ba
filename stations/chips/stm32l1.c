/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L1: pages of 256 bytes that read 0 when erased; the loader has no mass erase. A word takes as long to
 * program as a half page of 128 bytes (3.28 ms); which of them the loader does is not published, so the half
 * page is taken, which keeps the floor a floor. A trailing "a" names the later die of the same size (-A). */
#include "chip_tables.h"

/* No size register: early parts read 0 there. */
static const struct chip_family cat1 = {
    .name = "STM32L1 category 1",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0038, PM0062 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x416,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 256, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 128,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20000800, .size = 0x3800},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .write_protect_unit = 16,
};

/* No size register: only its low byte is meant. */
static const struct chip_family cat2 = {
    .name = "STM32L1 category 2",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0038, PM0062 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x429,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 256, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 128,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0x7000},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .write_protect_unit = 16,
};

static const struct chip_family cat3 = {
    .name = "STM32L1 category 3",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0038, PM0062 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x427,
    .flash_base = 0x08000000,
    .sectors = {{.count = 1024, .size = 256, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 128,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0x7000},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF800D0,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF800CC,
    .write_protect_unit = 16,
};

/* No size register: it holds a code, not KiB. */
static const struct chip_family cat4 = {
    .name = "STM32L1 category 4",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0038, PM0062 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x436,
    .flash_base = 0x08000000,
    .sectors = {{.count = 1536, .size = 256, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 128,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0xB000},
    .option_bytes = {.address = 0x1FF80000, .size = 0xA0},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF800D0,
    .uid_third_offset = 0x14,
    .write_protect_unit = 16,
};

static const struct chip_family cat5 = {
    .name = "STM32L1 category 5",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0038, PM0062 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x437,
    .flash_base = 0x08000000,
    .sectors = {{.count = 2048, .size = 256, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 128,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0x13000},
    .option_bytes = {.address = 0x1FF80000, .size = 0xA0},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF800D0,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF800CC,
    .write_protect_unit = 16,
};

static const struct chip rows[] = {
    {.name = "stm32l100x6", .family = &cat1, .flash_size = 32 * KIB},
    {.name = "stm32l100x6a", .family = &cat2, .flash_size = 32 * KIB},
    {.name = "stm32l100x8", .family = &cat1, .flash_size = 64 * KIB},
    {.name = "stm32l100x8a", .family = &cat2, .flash_size = 64 * KIB},
    {.name = "stm32l100xb", .family = &cat1, .flash_size = 128 * KIB},
    {.name = "stm32l100xba", .family = &cat2, .flash_size = 128 * KIB},
    {.name = "stm32l100xc", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l151x6", .family = &cat1, .flash_size = 32 * KIB},
    {.name = "stm32l151x6a", .family = &cat2, .flash_size = 32 * KIB},
    {.name = "stm32l151x8", .family = &cat1, .flash_size = 64 * KIB},
    {.name = "stm32l151x8a", .family = &cat2, .flash_size = 64 * KIB},
    {.name = "stm32l151xb", .family = &cat1, .flash_size = 128 * KIB},
    {.name = "stm32l151xba", .family = &cat2, .flash_size = 128 * KIB},
    {.name = "stm32l151xc", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l151xca", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l151xd", .family = &cat4, .flash_size = 384 * KIB},
    {.name = "stm32l151xe", .family = &cat5, .flash_size = 512 * KIB},
    {.name = "stm32l152x6", .family = &cat1, .flash_size = 32 * KIB},
    {.name = "stm32l152x6a", .family = &cat2, .flash_size = 32 * KIB},
    {.name = "stm32l152x8", .family = &cat1, .flash_size = 64 * KIB},
    {.name = "stm32l152x8a", .family = &cat2, .flash_size = 64 * KIB},
    {.name = "stm32l152xb", .family = &cat1, .flash_size = 128 * KIB},
    {.name = "stm32l152xba", .family = &cat2, .flash_size = 128 * KIB},
    {.name = "stm32l152xc", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l152xca", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l152xd", .family = &cat4, .flash_size = 384 * KIB},
    {.name = "stm32l152xe", .family = &cat5, .flash_size = 512 * KIB},
    {.name = "stm32l162xc", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l162xca", .family = &cat3, .flash_size = 256 * KIB},
    {.name = "stm32l162xd", .family = &cat4, .flash_size = 384 * KIB},
    {.name = "stm32l162xe", .family = &cat5, .flash_size = 512 * KIB},
};

const struct chip_table stm32l1_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
