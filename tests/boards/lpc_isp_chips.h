/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator knows of LPC chips: our own reading of the user manuals' flash chapters. Knows no wire.
 */
#ifndef SIM_LPC_ISP_CHIPS_H
#define SIM_LPC_ISP_CHIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many sectors of one size in a row. */
struct lpc_run {
    uint16_t count;
    uint32_t bytes;
};

struct lpc_chip {
    const char *name, *document;
    uint32_t part_id;
    uint8_t boot_major, boot_minor;
    struct lpc_run runs[4];
    uint32_t
        copy_bytes[5]; /* what one Copy may take, ends with 0; the first is also the alignment in flash */

    uint32_t ram_at, ram_bytes;
    uint32_t rom_from, rom_to; /* the bootloader's own variables in RAM */

    uint32_t crp_at;
    bool crp_one_level;      /* knows no CRP1, CRP3 and NO_ISP */
    unsigned checksum_index; /* vector whose word makes the first eight sum to zero */
    bool arm_code;           /* G takes mode A */
    uint32_t remapped_bytes; /* the start of flash shows the boot ROM while in ISP */
    bool echoes_line_feed;   /* answers a CR with CR LF */
    bool binary;             /* W and R as they are; Copy by pages; has S */
    bool has_uid;
    uint32_t fastest_baud; /* of autobaud and of B */

    uint32_t erase_ms; /* one sector or many in one command, typical */
    uint32_t program_us_per_page;
};

/* NULL past the end. */
const struct lpc_chip *lpc_chip_at(size_t index);

uint32_t lpc_flash_bytes(const struct lpc_chip *chip);
uint32_t lpc_sectors(const struct lpc_chip *chip);
uint32_t lpc_sector_start(const struct lpc_chip *chip,
                          uint32_t sector); /* flash size for one past the last */
uint32_t lpc_sector_of(const struct lpc_chip *chip, uint32_t at);

#endif
