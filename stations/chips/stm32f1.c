/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F1: pages of 1 or 2 KiB, written by half-words of 52.5 us typical.
 * The datasheets give 20 to 40 ms for a page and for everything, without a typical value: the middle is
 * taken. */
#include "chip_tables.h"

/* No size register: early parts read 0 there. */
static const struct chip_family f100_medium = {
    .name = "STM32F100 low- and medium-density value line",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0041, PM0063 (pages, option bytes, UID); "
                "STM32F100x8 datasheet, flash memory characteristics",
    .id = 0x420,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000200, .size = 0x1E00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFF000, .size = 0x800},
    .uid_address = 0x1FFFF7E8,
    .write_protect_unit = 4,
};

static const struct chip_family f100_high = {
    .name = "STM32F100 high-density value line",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0041, PM0063 (pages, option bytes, UID); "
                "STM32F100xC datasheet, flash memory characteristics",
    .id = 0x428,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000200, .size = 0x7E00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFF000, .size = 0x800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 2,
};

static const struct chip_family f10x_low = {
    .name = "STM32F10x low-density",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0008, PM0075 (pages, option bytes, UID); "
                "STM32F103x6 datasheet, flash memory characteristics",
    .id = 0x412,
    .flash_base = 0x08000000,
    .sectors = {{.count = 32, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000200, .size = 0x2600},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFF000, .size = 0x800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 4,
};

static const struct chip_family f10x_medium = {
    .name = "STM32F10x medium-density",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0008, PM0075 (pages, option bytes, UID); "
                "DS5319, flash memory characteristics",
    .id = 0x410,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 1 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000200, .size = 0x4E00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFF000, .size = 0x800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 4,
};

static const struct chip_family f10x_high = {
    .name = "STM32F10x high-density",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0008, PM0075 (pages, option bytes, UID); "
                "STM32F103xE datasheet, flash memory characteristics",
    .id = 0x414,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000200, .size = 0xFE00},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFF000, .size = 0x800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 2,
};

/* Two banks of 512 KiB that follow each other; pages are counted through. */
static const struct chip_family f10x_xl = {
    .name = "STM32F10x XL-density",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0008, PM0068 (pages, option bytes, UID); "
                "STM32F103xG datasheet, flash memory characteristics",
    .id = 0x430,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20000800, .size = 0x17800},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFE000, .size = 0x1800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 2,
};

static const struct chip_family f105 = {
    .name = "STM32F105/107 connectivity line",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0008, PM0075 (pages, option bytes, UID); "
                "STM32F107xC datasheet, flash memory characteristics",
    .id = 0x418,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 2 * KIB, .erase_us = 30000, .erase_max_us = 40000}},
    .program_unit = 2,
    .program_us = 52,
    .program_max_us = 70,
    .mass_erase_us = 30000,
    .mass_erase_max_us = 40000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20001000, .size = 0xF000},
    .option_bytes = {.address = 0x1FFFF800, .size = 0x10},
    .system_memory = {.address = 0x1FFFB000, .size = 0x4800},
    .uid_address = 0x1FFFF7E8,
    .flash_size_address = 0x1FFFF7E0,
    .write_protect_unit = 2,
};

static const struct chip rows[] = {
    {.name = "stm32f100x4", .family = &f100_medium, .flash_size = 16 * KIB},
    {.name = "stm32f100x6", .family = &f100_medium, .flash_size = 32 * KIB},
    {.name = "stm32f100x8", .family = &f100_medium, .flash_size = 64 * KIB},
    {.name = "stm32f100xb", .family = &f100_medium, .flash_size = 128 * KIB},
    {.name = "stm32f100xc", .family = &f100_high, .flash_size = 256 * KIB},
    {.name = "stm32f100xd", .family = &f100_high, .flash_size = 384 * KIB},
    {.name = "stm32f100xe", .family = &f100_high, .flash_size = 512 * KIB},
    {.name = "stm32f101x4", .family = &f10x_low, .flash_size = 16 * KIB},
    {.name = "stm32f101x6", .family = &f10x_low, .flash_size = 32 * KIB},
    {.name = "stm32f101x8", .family = &f10x_medium, .flash_size = 64 * KIB},
    {.name = "stm32f101xb", .family = &f10x_medium, .flash_size = 128 * KIB},
    {.name = "stm32f101xc", .family = &f10x_high, .flash_size = 256 * KIB},
    {.name = "stm32f101xd", .family = &f10x_high, .flash_size = 384 * KIB},
    {.name = "stm32f101xe", .family = &f10x_high, .flash_size = 512 * KIB},
    {.name = "stm32f101xf", .family = &f10x_xl, .flash_size = 768 * KIB},
    {.name = "stm32f101xg", .family = &f10x_xl, .flash_size = 1024 * KIB},
    {.name = "stm32f102x4", .family = &f10x_low, .flash_size = 16 * KIB},
    {.name = "stm32f102x6", .family = &f10x_low, .flash_size = 32 * KIB},
    {.name = "stm32f102x8", .family = &f10x_medium, .flash_size = 64 * KIB},
    {.name = "stm32f102xb", .family = &f10x_medium, .flash_size = 128 * KIB},
    {.name = "stm32f103x4", .family = &f10x_low, .flash_size = 16 * KIB},
    {.name = "stm32f103x6", .family = &f10x_low, .flash_size = 32 * KIB},
    {.name = "stm32f103x8", .family = &f10x_medium, .flash_size = 64 * KIB},
    {.name = "stm32f103xb", .family = &f10x_medium, .flash_size = 128 * KIB},
    {.name = "stm32f103xc", .family = &f10x_high, .flash_size = 256 * KIB},
    {.name = "stm32f103xd", .family = &f10x_high, .flash_size = 384 * KIB},
    {.name = "stm32f103xe", .family = &f10x_high, .flash_size = 512 * KIB},
    {.name = "stm32f103xf", .family = &f10x_xl, .flash_size = 768 * KIB},
    {.name = "stm32f103xg", .family = &f10x_xl, .flash_size = 1024 * KIB},
    {.name = "stm32f105x8", .family = &f105, .flash_size = 64 * KIB},
    {.name = "stm32f105xb", .family = &f105, .flash_size = 128 * KIB},
    {.name = "stm32f105xc", .family = &f105, .flash_size = 256 * KIB},
    {.name = "stm32f107xb", .family = &f105, .flash_size = 128 * KIB},
    {.name = "stm32f107xc", .family = &f105, .flash_size = 256 * KIB},
};

const struct chip_table stm32f1_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
