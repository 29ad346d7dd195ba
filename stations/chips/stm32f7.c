/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F7: sectors of 16 to 256 KiB; the ROM loader writes bytes (x8), so sector times are those of x8.
 * Mass erase: typical from the datasheet, at most what the sectors would take one by one. */
#include "chip_tables.h"

static const struct chip_family f72 = {
    .name = "STM32F72x/73x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0431 (sectors, option bytes, UID); "
                "STM32F722 datasheet, flash memory programming",
    .id = 0x452,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 3, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 4000000,
    .mass_erase_max_us = 17600000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x3C000},
    .option_bytes = {.address = 0x1FFF0000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0xEDC0},
    .uid_address = 0x1FF07A10,
    .flash_size_address = 0x1FF07A22,
    .write_protect_unit = 1,
};

static const struct chip_family f74 = {
    .name = "STM32F74x/75x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0385 (sectors, option bytes, UID); "
                "STM32F746 datasheet, flash memory programming",
    .id = 0x449,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 32 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 128 * KIB, .erase_us = 1100000, .erase_max_us = 2400000},
                {.count = 3, .size = 256 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 8000000,
    .mass_erase_max_us = 17600000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x4C000},
    .option_bytes = {.address = 0x1FFF0000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0xEDC0},
    .uid_address = 0x1FF0F420,
    .flash_size_address = 0x1FF0F442,
    .write_protect_unit = 1,
};

/* As delivered, with one bank (nDBANK set). With two banks every sector is half as large: not this row. */
static const struct chip_family f76 = {
    .name = "STM32F76x/77x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0410 (sectors, option bytes, UID); "
                "STM32F767 datasheet, flash memory programming",
    .id = 0x451,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 32 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 128 * KIB, .erase_us = 1100000, .erase_max_us = 2400000},
                {.count = 7, .size = 256 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 16000000,
    .mass_erase_max_us = 33600000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x7C000},
    .option_bytes = {.address = 0x1FFF0000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0xEDC0},
    .uid_address = 0x1FF0F420,
    .flash_size_address = 0x1FF0F442,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32f722xc", .family = &f72, .flash_size = 256 * KIB},
    {.name = "stm32f722xe", .family = &f72, .flash_size = 512 * KIB},
    {.name = "stm32f723xc", .family = &f72, .flash_size = 256 * KIB},
    {.name = "stm32f723xe", .family = &f72, .flash_size = 512 * KIB},
    {.name = "stm32f730x8", .family = &f72, .flash_size = 64 * KIB},
    {.name = "stm32f732xe", .family = &f72, .flash_size = 512 * KIB},
    {.name = "stm32f733xe", .family = &f72, .flash_size = 512 * KIB},
    {.name = "stm32f745xe", .family = &f74, .flash_size = 512 * KIB},
    {.name = "stm32f745xg", .family = &f74, .flash_size = 1024 * KIB},
    {.name = "stm32f746xe", .family = &f74, .flash_size = 512 * KIB},
    {.name = "stm32f746xg", .family = &f74, .flash_size = 1024 * KIB},
    {.name = "stm32f750x8", .family = &f74, .flash_size = 64 * KIB},
    {.name = "stm32f756xg", .family = &f74, .flash_size = 1024 * KIB},
    {.name = "stm32f765xg", .family = &f76, .flash_size = 1024 * KIB},
    {.name = "stm32f765xi", .family = &f76, .flash_size = 2048 * KIB},
    {.name = "stm32f767xg", .family = &f76, .flash_size = 1024 * KIB},
    {.name = "stm32f767xi", .family = &f76, .flash_size = 2048 * KIB},
    {.name = "stm32f769xg", .family = &f76, .flash_size = 1024 * KIB},
    {.name = "stm32f769xi", .family = &f76, .flash_size = 2048 * KIB},
    {.name = "stm32f777xi", .family = &f76, .flash_size = 2048 * KIB},
    {.name = "stm32f779xi", .family = &f76, .flash_size = 2048 * KIB},
};

const struct chip_table stm32f7_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
