/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L5: pages of 2 KiB, written by double words of 64 bits. */
#include "chip_tables.h"

/* As delivered, without TrustZone and with two banks (DBANK set) of 2 KiB pages; with one bank a page has 4
 * KiB: not this row. Option bytes are registers, not memory. */
static const struct chip_family l5 = {
    .name = "STM32L552/562",
    .document = "AN2606 (id, system memory, RAM); "
                "RM0438 (pages, UID); "
                "STM32L552 datasheet, flash memory characteristics",
    .id = 0x472,
    .flash_base = 0x08000000,
    .sectors = {{.count = 256, .size = 2 * KIB, .erase_us = 22020, .erase_max_us = 24500}},
    .program_unit = 8,
    .program_us = 81,
    .program_max_us = 91,
    .mass_erase_us = 22130,
    .mass_erase_max_us = 24600,
    .erased_value = 0xFF,
    .ram = {.address = 0x20004000, .size = 0x3C000},
    .system_memory = {.address = 0x0BF90000, .size = 0x8000},
    .uid_address = 0x0BFA0590,
    .flash_size_address = 0x0BFA05E0,
    .write_protect_unit = 1,
};

static const struct chip rows[] = {
    {.name = "stm32l552xe", .family = &l5, .flash_size = 512 * KIB},
    {.name = "stm32l562xe", .family = &l5, .flash_size = 512 * KIB},
};

const struct chip_table stm32l5_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
