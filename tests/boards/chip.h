/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator knows of STM32 chips: ids, memory map, flash rules and times, ROM traits. Our own
 * reading of AN2606, the reference manuals and datasheets; deliberately not shared with the daemon's chip
 * rows. */
#ifndef SIM_CHIP_H
#define SIM_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLASH_START 0x08000000U

/* What programming does to cells that are not erased. */
enum program_rule {
    PROGRAM_HALFWORD,   /* F0 F1 F3: refused unless erased, or unless the new value is 0 */
    PROGRAM_AND,        /* F2 F4 F7: bits only fall */
    PROGRAM_DOUBLEWORD, /* L4 G0 G4: ECC, refused unless erased, or unless the new value is 0 */
    PROGRAM_WORD,       /* L0: refused unless erased (erased is 0) */
    PROGRAM_OR,         /* L1: bits only rise (erased is 0) */
};

enum option_layout {
    OPTIONS_COMPLEMENT_BYTES, /* F0 F1 F3: value, complement, value, complement */
    OPTIONS_F2F4F7,           /* user byte, RDP; nWRP bits at +8 */
    OPTIONS_WORD_PAIRS,       /* L4 G0 G4: word, complement word; RDP in byte 0 */
    OPTIONS_HALFWORD_PAIRS,   /* L0 L1: halfword, complement halfword; RDP in byte 0 */
};

enum layout {
    LAYOUT_PAGES,      /* all of page_bytes */
    LAYOUT_4X16K_128K, /* 4 x 16K, 64K, then 128K, per bank */
    LAYOUT_4X32K_256K, /* 4 x 32K, 128K, then 256K, per bank */
};

struct family {
    const char *document;
    enum program_rule rule;
    enum option_layout options;
    enum layout layout;
    uint8_t erased, rdp_open, rom_version;
    bool extended_erase, mass_erase, parallelism, halfword_address;
    uint32_t program_bytes, program_ns; /* one step of the flash controller, typical */
    uint32_t page_erase_us;             /* 0 = by sector size */
    uint32_t info_block;                /* reads of the UID area must start on a multiple of this; 0 = any */
    uint32_t max_baud;                  /* the fastest 0x7F that the ROM still measures right */
};

struct range {
    uint32_t start, end; /* end is exclusive */
};

struct chip {
    const char *name;
    const struct family *family;
    uint16_t pid, flash_kib, wp_pages;
    uint8_t banks, bid;
    uint32_t page_bytes;
    struct range ram, system, info, options[2];
    uint32_t bid_at, uid_at, size_at;
    bool uid_split; /* third word 0x14 after the first (L0, L1) */
};

struct sector {
    uint32_t start, bytes;
};

/* NULL past the end. */
const struct chip *chip_at(size_t index);

uint32_t chip_flash_bytes(const struct chip *chip);
uint32_t chip_sectors(const struct chip *chip);
struct sector chip_sector(const struct chip *chip, uint32_t index);
uint32_t chip_sector_of(const struct chip *chip, uint32_t address);

/* Typical times. parallelism_bits is 8, 16, 32 or 64 and matters on F2, F4 and F7 only. */
uint64_t chip_erase_ns(const struct chip *chip, uint32_t index, unsigned parallelism_bits);
uint64_t chip_mass_erase_ns(const struct chip *chip, unsigned parallelism_bits);

#endif
