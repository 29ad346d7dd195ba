/* SPDX-License-Identifier: Apache-2.0 */
/* NXP (Philips) P89LPC9xx: 8051s whose flash reads 00h when it is erased, in sectors of 1 KB and pages of 64
 * bytes; a page is erased and programmed in one go, byte by byte as loaded.
 *
 * The id is manufacturer, device and derivative id, as "misc read" 10h to 12h of the factory loader gives
 * them. The derivative bytes could not be confirmed from a published table: a wrong one makes a board be
 * refused as another chip, never mistaken. Option bytes stand at 10000h + the number that the loader's "misc"
 * records have for them (00h UCFG1, 01h UCFG2), which no flash address reaches. */
#include "chip_tables.h"

#define P89LPC92X                                                                                            \
    .document = "P89LPC920/921/922/9221 data sheet rev. 08; UM10109 (records, memory)", .kind = CHIP_P89LPC, \
    .program_unit = 64, .program_us = 2000, .program_max_us = 4000,                                          \
    .option_bytes = {.address = 0x10000, .size = 0x20}, .option_unit = 1, .write_protect_unit = 1

static const struct chip_family lpc920 = {
    .name = "P89LPC920",
    .id = 0x15DD0B,
    .sectors = {{.count = 2, .size = KIB, .erase_us = 2000, .erase_max_us = 4000}},
    P89LPC92X,
};

static const struct chip_family lpc921 = {
    .name = "P89LPC921",
    .id = 0x15DD0C,
    .sectors = {{.count = 4, .size = KIB, .erase_us = 2000, .erase_max_us = 4000}},
    P89LPC92X,
};

static const struct chip_family lpc922 = {
    .name = "P89LPC922",
    .id = 0x15DD0D,
    .sectors = {{.count = 8, .size = KIB, .erase_us = 2000, .erase_max_us = 4000}},
    P89LPC92X,
};

static const struct chip rows[] = {
    {.name = "p89lpc920", .family = &lpc920, .flash_size = 2 * KIB},
    {.name = "p89lpc921", .family = &lpc921, .flash_size = 4 * KIB},
    {.name = "p89lpc922", .family = &lpc922, .flash_size = 8 * KIB},
};

const struct chip_table p89lpc_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
