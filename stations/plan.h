/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for one board: which pages to erase, which blocks to write, in which order, and what that must
 * take at least. Pure computation from chip, image and the protocol's costs; nothing is touched. */
#ifndef FLASHFARM_STATIONS_PLAN_H
#define FLASHFARM_STATIONS_PLAN_H

#include "image.h"
#include "protocol.h"

struct order_option {
    uint32_t address;
    uint32_t size;
    uint8_t bytes[32];
};

#define ORDER_OPTIONS 8

/* What is to be done to a board: a job's technical half. Borrowed by everybody. */
struct order {
    const struct chip *chip;
    const struct image *image;
    const struct chip_span *keep; /* what must survive the erase */
    size_t keep_count;
    const struct chip_span *variable; /* what differs from unit to unit (overlay.h): written even where the
                                         image is blank. Sorted by address, without overlap */
    size_t variable_count;
    bool unprotect; /* consent to remove read-out protection, which wipes the chip */
    bool run;       /* start the application at the end */
    enum protection protect;
    struct order_option options[ORDER_OPTIONS];
    size_t option_count;
    int64_t timeout_us; /* for the whole run; 0: made from the plan */
};

struct plan_block {
    uint32_t address; /* in flash, or in the chip's EEPROM */
    uint32_t size;    /* at most the transfer size */
};

enum phase_name {
    PHASE_CONNECT,
    PHASE_ERASE,
    PHASE_WRITE,
    PHASE_VERIFY,
    PHASE_OPTIONS,
    PHASE_PROTECT,
    PHASE_RUN,
    PHASE_COUNT
};
const char *phase_word(enum phase_name phase);

struct plan {
    bool erase_all;
    size_t sector_count; /* touched erase units, in ascending order */
    struct chip_sector *sectors;
    size_t block_count; /* blocks to write: flash, the one with the vector table last, then EEPROM */
    struct plan_block *blocks;
    int64_t rewrite_us;    /* erases that happen inside writes, for loaders that have no other */
    uint32_t write_bytes;  /* sum of blocks */
    uint32_t verify_bytes; /* sum of the image's ranges: blank parts are verified too */
    bool by_sums;          /* the protocol's plan_by_sums() */
    uint8_t digest[32];    /* SHA-256 over the image's ranges in ascending order; with `by_sums` over the
                              touched erase units, each behind its address (32 bits, the highest byte first) */
    int64_t timeout_us;
};

/* Whether sums over whole erase units are all that the loader tells of what is in flash. */
static inline bool plan_by_sums(const struct protocol *protocol)
{
    return protocol->sum && !protocol->read;
}

/* Whether an address range lies in the chip's EEPROM. */
bool chip_is_eeprom(const struct chip *chip, uint32_t address);
/* Bytes per transfer that both the protocol and the chip take. */
uint32_t plan_transfer_size(const struct order *order, const struct protocol *protocol);

/* Checks the order against the chip (FAILURE_DATA with the address and the remedy) and makes the plan. */
int plan_make(struct plan *plan, const struct order *order, const struct protocol *protocol,
              struct error *error);
void plan_clear(struct plan *plan);

/* The digest that a plan has for an order: the job's own, or a unit's with other bytes in the same places. */
void plan_digest(const struct plan *plan, const struct order *order, uint8_t digest[32]);

/* What erasing inside writes and programming take on the chip itself, typically. */
int64_t plan_chip_us(const struct plan *plan, const struct order *order);

/* The least time a phase can take on a line of `baud`: bits on the wire, and the chip's typical times.
 * `by_checksum` tells how PHASE_VERIFY is done. */
int64_t plan_floor_us(const struct plan *plan, const struct order *order, const struct protocol *protocol,
                      enum phase_name phase, uint32_t baud, bool by_checksum);

#endif
