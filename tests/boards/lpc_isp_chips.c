/* SPDX-License-Identifier: Apache-2.0 */
/* See lpc_isp_chips.h. */
#include "lpc_isp_chips.h"

#define KIB 1024U

static const struct lpc_chip chips[] = {
    {
        .name = "lpc1114",
        .document = "UM10398, LPC1110_11_12_13_14 datasheet",
        .part_id = 0x0444102B, /* LPC1114/301 */
        .boot_major = 7,
        .boot_minor = 1,
        .runs = {{.count = 8, .bytes = 4 * KIB}},
        .copy_bytes = {256, 512, 1024, 4096},
        .ram_at = 0x10000000,
        .ram_bytes = 8 * KIB,
        .rom_from = 0x10000050,
        .rom_to = 0x10000180,
        .crp_at = 0x2FC,
        .checksum_index = 7,
        .remapped_bytes = 512,
        .has_uid = true,
        .fastest_baud = 115200,
        .erase_ms = 100,
        .program_us_per_page = 1000,
    },
    {
        .name = "lpc1768",
        .document = "UM10360, LPC1769_68_67_66_65_64_63 datasheet",
        .part_id = 0x26013F37,
        .boot_major = 4,
        .boot_minor = 2,
        .runs = {{.count = 16, .bytes = 4 * KIB}, {.count = 14, .bytes = 32 * KIB}},
        .copy_bytes = {256, 512, 1024, 4096},
        .ram_at = 0x10000000,
        .ram_bytes = 32 * KIB,
        .rom_from = 0x10000118,
        .rom_to = 0x10000200,
        .crp_at = 0x2FC,
        .checksum_index = 7,
        .remapped_bytes = 512,
        .has_uid = true,
        .fastest_baud = 230400,
        .erase_ms = 100,
        .program_us_per_page = 1000,
    },
    {
        .name = "lpc2103",
        .document = "UM10161, LPC2101_02_03 datasheet",
        .part_id = 0x0004FF11,
        .boot_major = 2,
        .boot_minor = 13,
        .runs = {{.count = 8, .bytes = 4 * KIB}},
        .copy_bytes = {256, 512, 1024, 4096},
        .ram_at = 0x40000000,
        .ram_bytes = 8 * KIB,
        .rom_from = 0x40000120,
        .rom_to = 0x40000200,
        .crp_at = 0x1FC,
        .checksum_index = 5,
        .arm_code = true,
        .remapped_bytes = 64,
        .echoes_line_feed = true,
        .fastest_baud = 230400,
        .erase_ms = 100,
        .program_us_per_page = 1000,
    },
    {
        .name = "lpc2148",
        .document = "UM10139, LPC2141_42_44_46_48 datasheet",
        .part_id = 0x0402FF25,
        .boot_major = 2,
        .boot_minor = 12,
        .runs = {{.count = 8, .bytes = 4 * KIB},
                 {.count = 14, .bytes = 32 * KIB},
                 {.count = 5, .bytes = 4 * KIB}},
        .copy_bytes = {256, 512, 1024, 4096},
        .ram_at = 0x40000000,
        .ram_bytes = 32 * KIB,
        .rom_from = 0x40000120,
        .rom_to = 0x40000200,
        .crp_at = 0x1FC,
        .crp_one_level = true,
        .checksum_index = 5,
        .arm_code = true,
        .remapped_bytes = 64,
        .echoes_line_feed = true,
        .fastest_baud = 230400,
        .erase_ms = 400,
        .program_us_per_page = 1000,
    },
    {
        .name = "lpc812",
        .document = "UM10601, LPC81XM datasheet",
        .part_id = 0x8122, /* LPC812M101JDH20 */
        .boot_major = 13,
        .boot_minor = 4,
        .runs = {{.count = 16, .bytes = KIB}},
        .copy_bytes = {64, 128, 256, 512, 1024},
        .ram_at = 0x10000000,
        .ram_bytes = 4 * KIB,
        .rom_from = 0x10000000,
        .rom_to = 0x10000270,
        .crp_at = 0x2FC,
        .checksum_index = 7,
        .remapped_bytes = 512,
        .binary = true,
        .has_uid = true,
        .fastest_baud = 115200,
        .erase_ms = 100,
        .program_us_per_page = 1000,
    },
};

const struct lpc_chip *lpc_chip_at(size_t index)
{
    return index < sizeof chips / sizeof chips[0] ? &chips[index] : NULL;
}

uint32_t lpc_sectors(const struct lpc_chip *chip)
{
    uint32_t sectors = 0;

    for (size_t i = 0; i < 4; i++)
        sectors += chip->runs[i].count;
    return sectors;
}

uint32_t lpc_sector_start(const struct lpc_chip *chip, uint32_t sector)
{
    uint32_t start = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t here = sector < chip->runs[i].count ? sector : chip->runs[i].count;

        start += here * chip->runs[i].bytes;
        sector -= here;
    }
    return start;
}

uint32_t lpc_flash_bytes(const struct lpc_chip *chip)
{
    return lpc_sector_start(chip, lpc_sectors(chip));
}

uint32_t lpc_sector_of(const struct lpc_chip *chip, uint32_t at)
{
    uint32_t sector = 0;

    while (lpc_sector_start(chip, sector + 1) <= at)
        sector++;
    return sector;
}
