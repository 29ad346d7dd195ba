/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of one chip: flash, RAM, option bytes, system memory, UID and size registers, and what the flash
 * controller does with them. Knows no bootloader and no wire; times are returned, not waited for. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include "chip.h"

enum area { AREA_NONE, AREA_FLASH, AREA_RAM, AREA_OPTIONS, AREA_SYSTEM, AREA_INFO };

enum { OPTION_BYTES_MAX = 128, UID_BYTES = 12, WRITE_PROTECT_UNITS_MAX = 512 };

struct memory {
    const struct chip *chip;
    uint8_t *flash; /* as difference from erased, so that untouched flash costs the host nothing */
    uint8_t *ram;
    uint8_t options[2][OPTION_BYTES_MAX];
    uint8_t uid[UID_BYTES];
    bool write_protected[WRITE_PROTECT_UNITS_MAX];
    uint32_t bad_cell; /* bit 0 of this address keeps the opposite of what is programmed; 0 = none */
    unsigned parallelism_bits;
};

void memory_open(struct memory *memory, const struct chip *chip);
void memory_close(struct memory *memory);

/* As delivered: erased, unprotected. */
void memory_renew(struct memory *memory);

/* The 96 bits after the usual reading: die coordinates, wafer, lot in ASCII. */
void memory_identify(struct memory *memory, uint64_t identity);

/* Which area all of [address, address + count) lies in. A read may run from the option bytes of L0 and L1
 * into the registers behind them; such a range belongs to the area it starts in. */
enum area memory_area(const struct memory *memory, uint32_t address, uint32_t count);
uint8_t memory_get(const struct memory *memory, uint32_t address);
void memory_write_ram(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count);

/* flash.c: the flash controller. The times are datasheet times. */
void flash_store(struct memory *memory, uint32_t address,
                 uint8_t byte); /* past all rules: an operator's fill */
uint64_t flash_program(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count);
uint64_t flash_erase_sector(struct memory *memory, uint32_t index);
uint64_t flash_erase_bank(struct memory *memory, unsigned bank);
uint64_t flash_erase_all(struct memory *memory);
void flash_clear(struct memory *memory);

/* options_area.c: what the option bytes mean. */
void options_default(struct memory *memory);
void options_write(struct memory *memory, uint32_t address, const uint8_t *bytes, uint32_t count);
bool options_locked(const struct memory *memory);          /* readout protection level 1 */
bool options_locked_for_ever(const struct memory *memory); /* level 2: the bootloader never starts again */
void options_lock(struct memory *memory, bool lock);
void options_write_protect(struct memory *memory, const uint8_t *units, uint32_t count);
bool options_write_protected(const struct memory *memory, uint32_t address);

#endif
