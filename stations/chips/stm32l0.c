/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L0: pages of 128 bytes that read 0 when erased; the loader has no mass erase. A word takes as long to
 * program as a half page of 64 bytes (3.28 ms); the loader has been seen to program by half pages.
 * UID and size are read as one aligned block of 128 bytes: shorter reads there are refused or wrong. */
#include "chip_tables.h"

/* No RAM span: the ROM uses all 2 KiB. */
static const struct chip_family l01 = {
    .name = "STM32L01x/02x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0377, RM0376, RM0367 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x457,
    .flash_base = 0x08000000,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 64,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x1000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF8007C,
    .read_alignment = 128,
    .transfer_max = 128,
    .write_protect_unit = 32,
};

static const struct chip_family l03 = {
    .name = "STM32L03x/04x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0377, RM0376, RM0367 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x425,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 128, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 64,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0x1000},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x1000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF8007C,
    .read_alignment = 128,
    .transfer_max = 128,
    .write_protect_unit = 32,
};

static const struct chip_family l05 = {
    .name = "STM32L05x/06x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0377, RM0376, RM0367 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x417,
    .flash_base = 0x08000000,
    .sectors = {{.count = 512, .size = 128, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 64,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20001000, .size = 0x1000},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x1000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF8007C,
    .read_alignment = 128,
    .transfer_max = 128,
    .write_protect_unit = 32,
};

/* RAM from where every revision of the loader has left it alone. */
static const struct chip_family l07 = {
    .name = "STM32L07x/08x",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0377, RM0376, RM0367 (pages, option bytes, UID); "
                "datasheets, flash memory characteristics",
    .id = 0x447,
    .flash_base = 0x08000000,
    .sectors = {{.count = 1536, .size = 128, .erase_us = 3280, .erase_max_us = 3940}},
    .program_unit = 64,
    .program_us = 3280,
    .program_max_us = 3940,
    .erased_value = 0x00,
    .ram = {.address = 0x20002000, .size = 0x3000},
    .option_bytes = {.address = 0x1FF80000, .size = 0x20},
    .system_memory = {.address = 0x1FF00000, .size = 0x2000},
    .uid_address = 0x1FF80050,
    .uid_third_offset = 0x14,
    .flash_size_address = 0x1FF8007C,
    .read_alignment = 128,
    .transfer_max = 128,
    .write_protect_unit = 32,
};

static const struct chip rows[] = {
    {.name = "stm32l011x3", .family = &l01, .flash_size = 8 * KIB},
    {.name = "stm32l011x4", .family = &l01, .flash_size = 16 * KIB},
    {.name = "stm32l021x4", .family = &l01, .flash_size = 16 * KIB},
    {.name = "stm32l031x4", .family = &l03, .flash_size = 16 * KIB},
    {.name = "stm32l031x6", .family = &l03, .flash_size = 32 * KIB},
    {.name = "stm32l041x4", .family = &l03, .flash_size = 16 * KIB},
    {.name = "stm32l041x6", .family = &l03, .flash_size = 32 * KIB},
    {.name = "stm32l051x6", .family = &l05, .flash_size = 32 * KIB},
    {.name = "stm32l051x8", .family = &l05, .flash_size = 64 * KIB},
    {.name = "stm32l052x6", .family = &l05, .flash_size = 32 * KIB},
    {.name = "stm32l052x8", .family = &l05, .flash_size = 64 * KIB},
    {.name = "stm32l053x6", .family = &l05, .flash_size = 32 * KIB},
    {.name = "stm32l053x8", .family = &l05, .flash_size = 64 * KIB},
    {.name = "stm32l062x8", .family = &l05, .flash_size = 64 * KIB},
    {.name = "stm32l063x8", .family = &l05, .flash_size = 64 * KIB},
    {.name = "stm32l071x8", .family = &l07, .flash_size = 64 * KIB},
    {.name = "stm32l071xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l071xz", .family = &l07, .flash_size = 192 * KIB},
    {.name = "stm32l072x8", .family = &l07, .flash_size = 64 * KIB},
    {.name = "stm32l072xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l072xz", .family = &l07, .flash_size = 192 * KIB},
    {.name = "stm32l073x8", .family = &l07, .flash_size = 64 * KIB},
    {.name = "stm32l073xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l073xz", .family = &l07, .flash_size = 192 * KIB},
    {.name = "stm32l081xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l081xz", .family = &l07, .flash_size = 192 * KIB},
    {.name = "stm32l082xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l082xz", .family = &l07, .flash_size = 192 * KIB},
    {.name = "stm32l083x8", .family = &l07, .flash_size = 64 * KIB},
    {.name = "stm32l083xb", .family = &l07, .flash_size = 128 * KIB},
    {.name = "stm32l083xz", .family = &l07, .flash_size = 192 * KIB},
};

const struct chip_table stm32l0_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
