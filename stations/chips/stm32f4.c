/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F4: sectors of 16, 64 and 128 KiB; the ROM loader writes bytes (x8) unless told the supply
 * voltage: 16 us each, and the sector times are those of x8.
 * UID and size are read as whole blocks of 256 bytes: shorter reads there are refused or wrong. */
#include "chip_tables.h"

static const struct chip_family f401_small = {
    .name = "STM32F401xB/xC",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0368 (sectors, option bytes, UID); "
                "STM32F401xC datasheet, flash memory programming",
    .id = 0x423,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 1, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 4000000,
    .mass_erase_max_us = 8000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0xD000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f401_large = {
    .name = "STM32F401xD/xE",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0368 (sectors, option bytes, UID); "
                "STM32F401xE datasheet, flash memory programming",
    .id = 0x433,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 3, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 8000000,
    .mass_erase_max_us = 16000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x15000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f405 = {
    .name = "STM32F405/407/415/417",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0090 (sectors, option bytes, UID); "
                "STM32F405 datasheet, flash memory programming",
    .id = 0x413,
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
    .ram = {.address = 0x20003000, .size = 0x1D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f410 = {
    .name = "STM32F410",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0401 (sectors, option bytes, UID); "
                "STM32F410 datasheet, flash memory programming",
    .id = 0x458,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 2000000,
    .mass_erase_max_us = 4000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x5000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f411 = {
    .name = "STM32F411",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0383 (sectors, option bytes, UID); "
                "STM32F411 datasheet, flash memory programming",
    .id = 0x431,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 3, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 8000000,
    .mass_erase_max_us = 16000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x1D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f412 = {
    .name = "STM32F412",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0402 (sectors, option bytes, UID); "
                "STM32F412 datasheet, flash memory programming",
    .id = 0x441,
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
    .ram = {.address = 0x20003000, .size = 0x3D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

/* Mass erase: 16 s a MiB as its sisters have, and at most what its sectors would take one by one. */
static const struct chip_family f413 = {
    .name = "STM32F413/423",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0430 (sectors, option bytes, UID); "
                "STM32F413 datasheet, flash memory programming",
    .id = 0x463,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 11, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 24000000,
    .mass_erase_max_us = 49600000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x4D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

/* Members of 2 MiB have two banks of 12 sectors. Those of 512 KiB and 1 MiB are meant as delivered, with one
 * bank (DB1M clear): where somebody set DB1M, the upper half has sectors 12 and up and another layout. Only
 * the option bytes of the first bank are given here. */
static const struct chip_family f42 = {
    .name = "STM32F427/429/437/439",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0090 (sectors, option bytes, UID); "
                "STM32F427 datasheet, flash memory programming",
    .id = 0x419,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 7, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000},
                {.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 7, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 16000000,
    .mass_erase_max_us = 32000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x2D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip_family f446 = {
    .name = "STM32F446",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0390 (sectors, option bytes, UID); "
                "STM32F446 datasheet, flash memory programming",
    .id = 0x421,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 3, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 8000000,
    .mass_erase_max_us = 16000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x1D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

/* Banks as with the STM32F42x. */
static const struct chip_family f469 = {
    .name = "STM32F469/479",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0386 (sectors, option bytes, UID); "
                "STM32F469 datasheet, flash memory programming",
    .id = 0x434,
    .flash_base = 0x08000000,
    .sectors = {{.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 7, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000},
                {.count = 4, .size = 16 * KIB, .erase_us = 400000, .erase_max_us = 800000},
                {.count = 1, .size = 64 * KIB, .erase_us = 1200000, .erase_max_us = 2400000},
                {.count = 7, .size = 128 * KIB, .erase_us = 2000000, .erase_max_us = 4000000}},
    .program_unit = 1,
    .program_us = 16,
    .program_max_us = 100,
    .mass_erase_us = 16000000,
    .mass_erase_max_us = 32000000,
    .erased_value = 0xFF,
    .ram = {.address = 0x20003000, .size = 0x5D000},
    .option_bytes = {.address = 0x1FFFC000, .size = 0x10},
    .system_memory = {.address = 0x1FFF0000, .size = 0x7800},
    .uid_address = 0x1FFF7A10,
    .flash_size_address = 0x1FFF7A22,
    .read_alignment = 256,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32f401xb", .family = &f401_small, .flash_size = 128 * KIB},
    {.name = "stm32f401xc", .family = &f401_small, .flash_size = 256 * KIB},
    {.name = "stm32f401xd", .family = &f401_large, .flash_size = 384 * KIB},
    {.name = "stm32f401xe", .family = &f401_large, .flash_size = 512 * KIB},
    {.name = "stm32f405xe", .family = &f405, .flash_size = 512 * KIB},
    {.name = "stm32f405xg", .family = &f405, .flash_size = 1024 * KIB},
    {.name = "stm32f407xe", .family = &f405, .flash_size = 512 * KIB},
    {.name = "stm32f407xg", .family = &f405, .flash_size = 1024 * KIB},
    {.name = "stm32f410x8", .family = &f410, .flash_size = 64 * KIB},
    {.name = "stm32f410xb", .family = &f410, .flash_size = 128 * KIB},
    {.name = "stm32f411xc", .family = &f411, .flash_size = 256 * KIB},
    {.name = "stm32f411xe", .family = &f411, .flash_size = 512 * KIB},
    {.name = "stm32f412xe", .family = &f412, .flash_size = 512 * KIB},
    {.name = "stm32f412xg", .family = &f412, .flash_size = 1024 * KIB},
    {.name = "stm32f413xg", .family = &f413, .flash_size = 1024 * KIB},
    {.name = "stm32f413xh", .family = &f413, .flash_size = 1536 * KIB},
    {.name = "stm32f415xg", .family = &f405, .flash_size = 1024 * KIB},
    {.name = "stm32f417xe", .family = &f405, .flash_size = 512 * KIB},
    {.name = "stm32f417xg", .family = &f405, .flash_size = 1024 * KIB},
    {.name = "stm32f423xh", .family = &f413, .flash_size = 1536 * KIB},
    {.name = "stm32f427xg", .family = &f42, .flash_size = 1024 * KIB},
    {.name = "stm32f427xi", .family = &f42, .flash_size = 2048 * KIB},
    {.name = "stm32f429xe", .family = &f42, .flash_size = 512 * KIB},
    {.name = "stm32f429xg", .family = &f42, .flash_size = 1024 * KIB},
    {.name = "stm32f429xi", .family = &f42, .flash_size = 2048 * KIB},
    {.name = "stm32f437xg", .family = &f42, .flash_size = 1024 * KIB},
    {.name = "stm32f437xi", .family = &f42, .flash_size = 2048 * KIB},
    {.name = "stm32f439xg", .family = &f42, .flash_size = 1024 * KIB},
    {.name = "stm32f439xi", .family = &f42, .flash_size = 2048 * KIB},
    {.name = "stm32f446xc", .family = &f446, .flash_size = 256 * KIB},
    {.name = "stm32f446xe", .family = &f446, .flash_size = 512 * KIB},
    {.name = "stm32f469xe", .family = &f469, .flash_size = 512 * KIB},
    {.name = "stm32f469xg", .family = &f469, .flash_size = 1024 * KIB},
    {.name = "stm32f469xi", .family = &f469, .flash_size = 2048 * KIB},
    {.name = "stm32f479xg", .family = &f469, .flash_size = 1024 * KIB},
    {.name = "stm32f479xi", .family = &f469, .flash_size = 2048 * KIB},
};

const struct chip_table stm32f4_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
