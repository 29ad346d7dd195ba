/* SPDX-License-Identifier: Apache-2.0 */
/* NXP LPC with a ROM loader that speaks ISP on a UART. One family a part number, as each has an id of its own
 * (several where the die was revised or is sold with more or less RAM; then the least RAM is given).
 *
 * Names are the part's number: "lpc1114", "lpc1768". Only where the variant behind the slash has another
 * amount of flash it is part of the name: "lpc1114-333" has 56 KiB. Flash is what an application can use: on
 * ARM7 parts the loader keeps the top sectors for itself ("500 KiB" of 512).
 *
 * The buffer in RAM lies above what the loader uses, and below its stack: the top 32 bytes and 256 more, but
 * LPC8xx have the stack below. `transfer_max` is the largest copy from RAM to flash that the buffer holds.
 * Erasing takes the same time for one sector and for all. */
#include "chip_tables.h"

#define BUFFER_ARM7 0x40000200
#define BUFFER_17   0x10000200
#define BUFFER      0x10000300

#define LOADER_STACK       (32 + 256)
#define ABOVE_200(kib)     ((kib)*KIB - 0x200 - LOADER_STACK)
#define ABOVE_300(kib)     ((kib)*KIB - 0x300 - LOADER_STACK)
#define RAW_ABOVE_300(kib) ((kib)*KIB - 0x300)

#define RUN_100(sectors, kib)                                                                                \
    .count = (sectors), .size = (kib)*KIB, .erase_us = 100000, .erase_max_us = 105000
/* No document gives these a maximum: twice the typical time. */
#define RUN_400(sectors, kib)                                                                                \
    .count = (sectors), .size = (kib)*KIB, .erase_us = 400000, .erase_max_us = 800000

static const struct chip_lpc arm7 = {.checksum_vector = 5};
static const struct chip_lpc cortex_m = {.checksum_vector = 7};
static const struct chip_lpc cortex_m_raw = {.checksum_vector = 7, .raw_data = true};

#define ANY_LPC .kind = CHIP_LPC, .erased_value = 0xFF, .write_protect_unit = 1

/* What all parts of a manual have in common. */
#define CORTEX_M                                                                                             \
    ANY_LPC, .lpc = &cortex_m, .program_unit = 256, .program_us = 1000, .program_max_us = 1050,              \
             .mass_erase_us = 100000, .mass_erase_max_us = 105000
#define CORTEX_M_RAW                                                                                         \
    ANY_LPC, .lpc = &cortex_m_raw, .program_unit = 64, .program_us = 1000, .program_max_us = 1050,           \
             .mass_erase_us = 100000, .mass_erase_max_us = 105000
#define ARM7(unit, typical_us, max_us)                                                                       \
    ANY_LPC, .lpc = &arm7, .program_unit = (unit), .program_us = 1000, .program_max_us = 2000,               \
             .mass_erase_us = (typical_us), .mass_erase_max_us = (max_us)

#define SERIES_11  .document = "UM10398 (ids, sectors, ISP, RAM); LPC111x datasheet, flash", CORTEX_M
#define SERIES_11E .document = "UM10518 (ids, sectors, ISP, RAM); LPC11E1x/3x datasheets, flash", CORTEX_M
#define SERIES_11U .document = "UM10462 (ids, sectors, ISP, RAM); LPC11U1x/2x/3x datasheets, flash", CORTEX_M
#define SERIES_13  .document = "UM10375 (ids, sectors, ISP, RAM); LPC1311/13/42/43 datasheet, flash", CORTEX_M
#define SERIES_13_NEW                                                                                        \
    .document = "UM10524 (ids, sectors, ISP, RAM); LPC1315/16/17/45/46/47 datasheet, flash", CORTEX_M
#define SERIES_17 .document = "UM10360 (ids, sectors, ISP, RAM); LPC175x/176x datasheets, flash", CORTEX_M
#define SERIES_81 .document = "UM10601 (ids, sectors, ISP, RAM); LPC81x datasheet, flash", CORTEX_M_RAW
#define SERIES_82 .document = "UM10800 (ids, sectors, ISP, RAM); LPC82x datasheet, flash", CORTEX_M_RAW
#define SERIES_2103                                                                                          \
    .document = "UM10161 (ids, sectors, ISP, RAM); LPC2101/02/03 datasheet, features",                       \
    ARM7(256, 100000, 105000)
#define SERIES_211                                                                                           \
    .document = "UM10114 (ids, sectors, ISP, RAM); LPC2114 to LPC2294 datasheets, features",                 \
    ARM7(512, 400000, 800000)
#define SERIES_213                                                                                           \
    .document = "UM10120 (ids, sectors, ISP, RAM); LPC2131 to 38 datasheet, features",                       \
    ARM7(256, 400000, 800000)
#define SERIES_214                                                                                           \
    .document = "UM10139 (ids, sectors, ISP, RAM); LPC2141 to 48 datasheet, features",                       \
    ARM7(256, 400000, 800000)
#define SERIES_23                                                                                            \
    .document = "UM10211 (ids, sectors, ISP, RAM); LPC23xx datasheets, flash", ARM7(256, 400000, 800000)
#define SERIES_24                                                                                            \
    .document = "UM10237 (ids, sectors, ISP, RAM); LPC24xx datasheets, flash", ARM7(256, 400000, 800000)

static const uint32_t lpc1111_ids[] = {0x1A16D02B, 0x041E502B, 0x2516D02B, 0x00010013,
                                       0x0416502B, 0x2516902B, 0x00010012, 0};
static const struct chip_family lpc1111 = {
    SERIES_11,
    .name = "LPC1111",
    .id = 0x0A16D02B,
    .other_ids = lpc1111_ids,
    .sectors = {{RUN_100(2, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(2)},
    .transfer_max = 512,
};

static const uint32_t lpc1112_ids[] = {0x1A24902B, 0x042D502B, 0x2524D02B, 0x00020023,
                                       0x0425502B, 0x2524902B, 0x00020022, 0};
static const struct chip_family lpc1112 = {
    SERIES_11,
    .name = "LPC1112",
    .id = 0x0A24902B,
    .other_ids = lpc1112_ids,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(2)},
    .transfer_max = 512,
};

static const uint32_t lpc1113_ids[] = {0x2532902B, 0x00030032, 0x0434102B, 0x2532102B, 0x00030030, 0};
static const struct chip_family lpc1113 = {
    SERIES_11,
    .name = "LPC1113",
    .id = 0x0434502B,
    .other_ids = lpc1113_ids,
    .sectors = {{RUN_100(6, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc1114_ids[] = {0x0A40902B, 0x1A40902B, 0x0444502B, 0x2540902B,
                                       0x00040042, 0x2540102B, 0x00040040, 0};
static const struct chip_family lpc1114 = {
    SERIES_11,
    .name = "LPC1114",
    .id = 0x0444102B,
    .other_ids = lpc1114_ids,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc1114_323 = {
    SERIES_11,
    .name = "LPC1114/323",
    .id = 0x00040060,
    .sectors = {{RUN_100(12, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1114_333 = {
    SERIES_11,
    .name = "LPC1114/333",
    .id = 0x00040070,
    .sectors = {{RUN_100(14, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1115 = {
    SERIES_11,
    .name = "LPC1115",
    .id = 0x00050080,
    .sectors = {{RUN_100(16, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11c12 = {
    SERIES_11,
    .name = "LPC11C12",
    .id = 0x1421102B,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11c14 = {
    SERIES_11,
    .name = "LPC11C14",
    .id = 0x1440102B,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11c22 = {
    SERIES_11,
    .name = "LPC11C22",
    .id = 0x1431102B,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11c24 = {
    SERIES_11,
    .name = "LPC11C24",
    .id = 0x1430102B,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11e11 = {
    SERIES_11E,
    .name = "LPC11E11",
    .id = 0x293E902B,
    .sectors = {{RUN_100(2, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc11e12 = {
    SERIES_11E,
    .name = "LPC11E12",
    .id = 0x2954502B,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc11e13 = {
    SERIES_11E,
    .name = "LPC11E13",
    .id = 0x296A102B,
    .sectors = {{RUN_100(6, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc11e14 = {
    SERIES_11E,
    .name = "LPC11E14",
    .id = 0x2980102B,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11e36 = {
    SERIES_11E,
    .name = "LPC11E36",
    .id = 0x00009C41,
    .sectors = {{RUN_100(24, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const uint32_t lpc11e37_ids[] = {0x00007C45, 0};
static const struct chip_family lpc11e37 = {
    SERIES_11E,
    .name = "LPC11E37",
    .id = 0x00007C41,
    .other_ids = lpc11e37_ids,
    .sectors = {{RUN_100(32, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const uint32_t lpc11u12_ids[] = {0x095C802B, 0};
static const struct chip_family lpc11u12 = {
    SERIES_11U,
    .name = "LPC11U12",
    .id = 0x295C802B,
    .other_ids = lpc11u12_ids,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc11u13_ids[] = {0x097A802B, 0};
static const struct chip_family lpc11u13 = {
    SERIES_11U,
    .name = "LPC11U13",
    .id = 0x297A802B,
    .other_ids = lpc11u13_ids,
    .sectors = {{RUN_100(6, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc11u14_ids[] = {0x0998802B, 0};
static const struct chip_family lpc11u14 = {
    SERIES_11U,
    .name = "LPC11U14",
    .id = 0x2998802B,
    .other_ids = lpc11u14_ids,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc11u23 = {
    SERIES_11U,
    .name = "LPC11U23",
    .id = 0x2972402B,
    .sectors = {{RUN_100(6, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc11u24_ids[] = {0x2980002B, 0};
static const struct chip_family lpc11u24 = {
    SERIES_11U,
    .name = "LPC11U24",
    .id = 0x2988402B,
    .other_ids = lpc11u24_ids,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc11u35_ids[] = {0x0000BC40, 0};
static const struct chip_family lpc11u35 = {
    SERIES_11U,
    .name = "LPC11U35",
    .id = 0x0001BC40,
    .other_ids = lpc11u35_ids,
    .sectors = {{RUN_100(16, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc11u36 = {
    SERIES_11U,
    .name = "LPC11U36",
    .id = 0x00019C40,
    .sectors = {{RUN_100(24, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const uint32_t lpc11u37_ids[] = {0x00007C44, 0x00007C40, 0};
static const struct chip_family lpc11u37 = {
    SERIES_11U,
    .name = "LPC11U37",
    .id = 0x00017C40,
    .other_ids = lpc11u37_ids,
    .sectors = {{RUN_100(32, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const uint32_t lpc1311_ids[] = {0x1816902B, 0};
static const struct chip_family lpc1311 = {
    SERIES_13,
    .name = "LPC1311",
    .id = 0x2C42502B,
    .other_ids = lpc1311_ids,
    .sectors = {{RUN_100(2, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc1313_ids[] = {0x1830102B, 0};
static const struct chip_family lpc1313 = {
    SERIES_13,
    .name = "LPC1313",
    .id = 0x2C40102B,
    .other_ids = lpc1313_ids,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1315 = {
    SERIES_13_NEW,
    .name = "LPC1315",
    .id = 0x3A010523,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1316 = {
    SERIES_13_NEW,
    .name = "LPC1316",
    .id = 0x1A018524,
    .sectors = {{RUN_100(12, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1317 = {
    SERIES_13_NEW,
    .name = "LPC1317",
    .id = 0x1A020525,
    .sectors = {{RUN_100(16, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1342 = {
    SERIES_13,
    .name = "LPC1342",
    .id = 0x3D01402B,
    .sectors = {{RUN_100(4, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(4)},
    .transfer_max = 1024,
};

static const struct chip_family lpc1343 = {
    SERIES_13,
    .name = "LPC1343",
    .id = 0x3D00002B,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1345 = {
    SERIES_13_NEW,
    .name = "LPC1345",
    .id = 0x28010541,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1346 = {
    SERIES_13_NEW,
    .name = "LPC1346",
    .id = 0x08018542,
    .sectors = {{RUN_100(12, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1347 = {
    SERIES_13_NEW,
    .name = "LPC1347",
    .id = 0x08020543,
    .sectors = {{RUN_100(16, 4)}},
    .ram = {.address = BUFFER, .size = ABOVE_300(8)},
    .transfer_max = 4096,
};

static const uint32_t lpc1751_ids[] = {0x25001110, 0};
static const struct chip_family lpc1751 = {
    SERIES_17,
    .name = "LPC1751",
    .id = 0x25001118,
    .other_ids = lpc1751_ids,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1752 = {
    SERIES_17,
    .name = "LPC1752",
    .id = 0x25001121,
    .sectors = {{RUN_100(16, 4)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1754 = {
    SERIES_17,
    .name = "LPC1754",
    .id = 0x25011722,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(2, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1756 = {
    SERIES_17,
    .name = "LPC1756",
    .id = 0x25011723,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(6, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1758 = {
    SERIES_17,
    .name = "LPC1758",
    .id = 0x25013F37,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(14, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1759 = {
    SERIES_17,
    .name = "LPC1759",
    .id = 0x25113737,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(14, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1763 = {
    SERIES_17,
    .name = "LPC1763",
    .id = 0x26012033,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(6, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1764 = {
    SERIES_17,
    .name = "LPC1764",
    .id = 0x26011922,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(2, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1765 = {
    SERIES_17,
    .name = "LPC1765",
    .id = 0x26013733,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(6, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1766 = {
    SERIES_17,
    .name = "LPC1766",
    .id = 0x26013F33,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(6, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1767 = {
    SERIES_17,
    .name = "LPC1767",
    .id = 0x26012837,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(14, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1768 = {
    SERIES_17,
    .name = "LPC1768",
    .id = 0x26013F37,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(14, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc1769 = {
    SERIES_17,
    .name = "LPC1769",
    .id = 0x26113F37,
    .sectors = {{RUN_100(16, 4)}, {RUN_100(14, 32)}},
    .ram = {.address = BUFFER_17, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

/* LPC2101 and LPC2102 answer the same id: those are told by their refusal to erase what they do not have. */
static const struct chip_family lpc2103 = {
    SERIES_2103,
    .name = "LPC2103",
    .id = 0x0004FF11,
    .sectors = {{RUN_100(8, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2114 = {
    SERIES_211,
    .name = "LPC2114",
    .id = 0x0101FF12,
    .sectors = {{RUN_400(15, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2119 = {
    SERIES_211,
    .name = "LPC2119",
    .id = 0x0201FF12,
    .sectors = {{RUN_400(15, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2124 = {
    SERIES_211,
    .name = "LPC2124",
    .id = 0x0101FF13,
    .sectors = {{RUN_400(8, 8)}, {RUN_400(2, 64)}, {RUN_400(7, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2129 = {
    SERIES_211,
    .name = "LPC2129",
    .id = 0x0201FF13,
    .sectors = {{RUN_400(8, 8)}, {RUN_400(2, 64)}, {RUN_400(7, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2131 = {
    SERIES_213,
    .name = "LPC2131",
    .id = 0x0002FF01,
    .sectors = {{RUN_400(8, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2132 = {
    SERIES_213,
    .name = "LPC2132",
    .id = 0x0002FF11,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(1, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2134 = {
    SERIES_213,
    .name = "LPC2134",
    .id = 0x0002FF12,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(3, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2136 = {
    SERIES_213,
    .name = "LPC2136",
    .id = 0x0002FF23,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(7, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2138 = {
    SERIES_213,
    .name = "LPC2138",
    .id = 0x0002FF25,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(5, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2141 = {
    SERIES_214,
    .name = "LPC2141",
    .id = 0x0402FF01,
    .sectors = {{RUN_400(8, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(8)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2142 = {
    SERIES_214,
    .name = "LPC2142",
    .id = 0x0402FF11,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(1, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2144 = {
    SERIES_214,
    .name = "LPC2144",
    .id = 0x0402FF12,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(3, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2146 = {
    SERIES_214,
    .name = "LPC2146",
    .id = 0x0402FF23,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(7, 32)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2148 = {
    SERIES_214,
    .name = "LPC2148",
    .id = 0x0402FF25,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(5, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2194 = {
    SERIES_211,
    .name = "LPC2194",
    .id = 0x0301FF13,
    .sectors = {{RUN_400(8, 8)}, {RUN_400(2, 64)}, {RUN_400(7, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2292 = {
    SERIES_211,
    .name = "LPC2292",
    .id = 0x0401FF13,
    .sectors = {{RUN_400(8, 8)}, {RUN_400(2, 64)}, {RUN_400(7, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2294 = {
    SERIES_211,
    .name = "LPC2294",
    .id = 0x0501FF13,
    .sectors = {{RUN_400(8, 8)}, {RUN_400(2, 64)}, {RUN_400(7, 8)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(16)},
    .transfer_max = 4096,
};

static const uint32_t lpc2368_ids[] = {0x0603FB25, 0};
static const struct chip_family lpc2368 = {
    SERIES_23,
    .name = "LPC2368",
    .id = 0x1600F925,
    .other_ids = lpc2368_ids,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(6, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const uint32_t lpc2378_ids[] = {0x0703FF25, 0x1600FD25, 0};
static const struct chip_family lpc2378 = {
    SERIES_23,
    .name = "LPC2378",
    .id = 0x1700FD25,
    .other_ids = lpc2378_ids,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(6, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2388 = {
    SERIES_23,
    .name = "LPC2388",
    .id = 0x1800FF35,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(6, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2468 = {
    SERIES_24,
    .name = "LPC2468",
    .id = 0x1600FF35,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(6, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc2478 = {
    SERIES_24,
    .name = "LPC2478",
    .id = 0x1701FF35,
    .sectors = {{RUN_400(8, 4)}, {RUN_400(14, 32)}, {RUN_400(6, 4)}},
    .ram = {.address = BUFFER_ARM7, .size = ABOVE_200(32)},
    .transfer_max = 4096,
};

static const struct chip_family lpc810 = {
    SERIES_81,
    .name = "LPC810",
    .id = 0x00008100,
    .sectors = {{RUN_100(4, 1)}},
    .ram = {.address = BUFFER, .size = RAW_ABOVE_300(1)},
    .transfer_max = 256,
};

static const struct chip_family lpc811 = {
    SERIES_81,
    .name = "LPC811",
    .id = 0x00008110,
    .sectors = {{RUN_100(8, 1)}},
    .ram = {.address = BUFFER, .size = RAW_ABOVE_300(2)},
    .transfer_max = 1024,
};

static const uint32_t lpc812_ids[] = {0x00008120, 0x00008121, 0};
static const struct chip_family lpc812 = {
    SERIES_81,
    .name = "LPC812",
    .id = 0x00008122,
    .other_ids = lpc812_ids,
    .sectors = {{RUN_100(16, 1)}},
    .ram = {.address = BUFFER, .size = RAW_ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc822_ids[] = {0x00008222, 0};
static const struct chip_family lpc822 = {
    SERIES_82,
    .name = "LPC822",
    .id = 0x00008221,
    .other_ids = lpc822_ids,
    .sectors = {{RUN_100(16, 1)}},
    .ram = {.address = BUFFER, .size = RAW_ABOVE_300(4)},
    .transfer_max = 1024,
};

static const uint32_t lpc824_ids[] = {0x00008242, 0};
static const struct chip_family lpc824 = {
    SERIES_82,
    .name = "LPC824",
    .id = 0x00008241,
    .other_ids = lpc824_ids,
    .sectors = {{RUN_100(32, 1)}},
    .ram = {.address = BUFFER, .size = RAW_ABOVE_300(8)},
    .transfer_max = 1024,
};

static const struct chip chips[] = {
    {.name = "lpc1111", .family = &lpc1111, .flash_size = 8 * KIB},
    {.name = "lpc1112", .family = &lpc1112, .flash_size = 16 * KIB},
    {.name = "lpc1113", .family = &lpc1113, .flash_size = 24 * KIB},
    {.name = "lpc1114", .family = &lpc1114, .flash_size = 32 * KIB},
    {.name = "lpc1114-323", .family = &lpc1114_323, .flash_size = 48 * KIB},
    {.name = "lpc1114-333", .family = &lpc1114_333, .flash_size = 56 * KIB},
    {.name = "lpc1115", .family = &lpc1115, .flash_size = 64 * KIB},
    {.name = "lpc11c12", .family = &lpc11c12, .flash_size = 16 * KIB},
    {.name = "lpc11c14", .family = &lpc11c14, .flash_size = 32 * KIB},
    {.name = "lpc11c22", .family = &lpc11c22, .flash_size = 16 * KIB},
    {.name = "lpc11c24", .family = &lpc11c24, .flash_size = 32 * KIB},
    {.name = "lpc11e11", .family = &lpc11e11, .flash_size = 8 * KIB},
    {.name = "lpc11e12", .family = &lpc11e12, .flash_size = 16 * KIB},
    {.name = "lpc11e13", .family = &lpc11e13, .flash_size = 24 * KIB},
    {.name = "lpc11e14", .family = &lpc11e14, .flash_size = 32 * KIB},
    {.name = "lpc11e36", .family = &lpc11e36, .flash_size = 96 * KIB},
    {.name = "lpc11e37", .family = &lpc11e37, .flash_size = 128 * KIB},
    {.name = "lpc11u12", .family = &lpc11u12, .flash_size = 16 * KIB},
    {.name = "lpc11u13", .family = &lpc11u13, .flash_size = 24 * KIB},
    {.name = "lpc11u14", .family = &lpc11u14, .flash_size = 32 * KIB},
    {.name = "lpc11u23", .family = &lpc11u23, .flash_size = 24 * KIB},
    {.name = "lpc11u24", .family = &lpc11u24, .flash_size = 32 * KIB},
    {.name = "lpc11u35", .family = &lpc11u35, .flash_size = 64 * KIB},
    {.name = "lpc11u36", .family = &lpc11u36, .flash_size = 96 * KIB},
    {.name = "lpc11u37", .family = &lpc11u37, .flash_size = 128 * KIB},
    {.name = "lpc1311", .family = &lpc1311, .flash_size = 8 * KIB},
    {.name = "lpc1313", .family = &lpc1313, .flash_size = 32 * KIB},
    {.name = "lpc1315", .family = &lpc1315, .flash_size = 32 * KIB},
    {.name = "lpc1316", .family = &lpc1316, .flash_size = 48 * KIB},
    {.name = "lpc1317", .family = &lpc1317, .flash_size = 64 * KIB},
    {.name = "lpc1342", .family = &lpc1342, .flash_size = 16 * KIB},
    {.name = "lpc1343", .family = &lpc1343, .flash_size = 32 * KIB},
    {.name = "lpc1345", .family = &lpc1345, .flash_size = 32 * KIB},
    {.name = "lpc1346", .family = &lpc1346, .flash_size = 48 * KIB},
    {.name = "lpc1347", .family = &lpc1347, .flash_size = 64 * KIB},
    {.name = "lpc1751", .family = &lpc1751, .flash_size = 32 * KIB},
    {.name = "lpc1752", .family = &lpc1752, .flash_size = 64 * KIB},
    {.name = "lpc1754", .family = &lpc1754, .flash_size = 128 * KIB},
    {.name = "lpc1756", .family = &lpc1756, .flash_size = 256 * KIB},
    {.name = "lpc1758", .family = &lpc1758, .flash_size = 512 * KIB},
    {.name = "lpc1759", .family = &lpc1759, .flash_size = 512 * KIB},
    {.name = "lpc1763", .family = &lpc1763, .flash_size = 256 * KIB},
    {.name = "lpc1764", .family = &lpc1764, .flash_size = 128 * KIB},
    {.name = "lpc1765", .family = &lpc1765, .flash_size = 256 * KIB},
    {.name = "lpc1766", .family = &lpc1766, .flash_size = 256 * KIB},
    {.name = "lpc1767", .family = &lpc1767, .flash_size = 512 * KIB},
    {.name = "lpc1768", .family = &lpc1768, .flash_size = 512 * KIB},
    {.name = "lpc1769", .family = &lpc1769, .flash_size = 512 * KIB},
    {.name = "lpc2103", .family = &lpc2103, .flash_size = 32 * KIB},
    {.name = "lpc2114", .family = &lpc2114, .flash_size = 120 * KIB},
    {.name = "lpc2119", .family = &lpc2119, .flash_size = 120 * KIB},
    {.name = "lpc2124", .family = &lpc2124, .flash_size = 248 * KIB},
    {.name = "lpc2129", .family = &lpc2129, .flash_size = 248 * KIB},
    {.name = "lpc2131", .family = &lpc2131, .flash_size = 32 * KIB},
    {.name = "lpc2132", .family = &lpc2132, .flash_size = 64 * KIB},
    {.name = "lpc2134", .family = &lpc2134, .flash_size = 128 * KIB},
    {.name = "lpc2136", .family = &lpc2136, .flash_size = 256 * KIB},
    {.name = "lpc2138", .family = &lpc2138, .flash_size = 500 * KIB},
    {.name = "lpc2141", .family = &lpc2141, .flash_size = 32 * KIB},
    {.name = "lpc2142", .family = &lpc2142, .flash_size = 64 * KIB},
    {.name = "lpc2144", .family = &lpc2144, .flash_size = 128 * KIB},
    {.name = "lpc2146", .family = &lpc2146, .flash_size = 256 * KIB},
    {.name = "lpc2148", .family = &lpc2148, .flash_size = 500 * KIB},
    {.name = "lpc2194", .family = &lpc2194, .flash_size = 248 * KIB},
    {.name = "lpc2292", .family = &lpc2292, .flash_size = 248 * KIB},
    {.name = "lpc2294", .family = &lpc2294, .flash_size = 248 * KIB},
    {.name = "lpc2368", .family = &lpc2368, .flash_size = 504 * KIB},
    {.name = "lpc2378", .family = &lpc2378, .flash_size = 504 * KIB},
    {.name = "lpc2388", .family = &lpc2388, .flash_size = 504 * KIB},
    {.name = "lpc2468", .family = &lpc2468, .flash_size = 504 * KIB},
    {.name = "lpc2478", .family = &lpc2478, .flash_size = 504 * KIB},
    {.name = "lpc810", .family = &lpc810, .flash_size = 4 * KIB},
    {.name = "lpc811", .family = &lpc811, .flash_size = 8 * KIB},
    {.name = "lpc812", .family = &lpc812, .flash_size = 16 * KIB},
    {.name = "lpc822", .family = &lpc822, .flash_size = 16 * KIB},
    {.name = "lpc824", .family = &lpc824, .flash_size = 32 * KIB},
};

const struct chip_table lpc_chips = {.chips = chips, .count = sizeof chips / sizeof chips[0]};
