/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocols of AVR loaders share: who has which signature, and what lies at an address. In an image
 * the memories of an AVR are told apart as avr-gcc does it in its ELF files: flash from 0, EEPROM from
 * 0x810000, fuses from 0x820000 (low, high, extended), the lock byte at 0x830000. Knows no protocol. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_AVR_H
#define FLASHFARM_STATIONS_PROTOCOLS_AVR_H

#include "chip.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>

#define AVR_FUSES_AT 0x820000u
#define AVR_LOCK_AT  0x830000u

enum avr_memory { AVR_FLASH, AVR_EEPROM, AVR_FUSES, AVR_LOCK, AVR_NOWHERE };

struct order;
struct session;

/* NULL: no chip of the table has this signature. */
const struct chip_family *avr_family(uint32_t signature);

uint32_t avr_flash_size(const struct chip_family *family);
uint32_t avr_page_size(const struct chip_family *family);

/* The memory that holds all of the range. */
enum avr_memory avr_memory_at(const struct chip_family *family, uint32_t address, uint32_t size);

/* -ENOTSUP with the words for a memory that `loader` cannot get at. */
int avr_no_way(uint32_t address, const char *loader, struct error *error);

/* The longest that one block takes inside the chip once it has arrived: erase and write of one flash page,
 * or `size` bytes of EEPROM one after the other. */
int64_t avr_write_max_us(const struct chip_family *family, enum avr_memory memory, uint32_t size);

/* The last `size` bytes of flash: where a loader of that size lives. */
struct chip_span avr_flash_end(const struct chip_family *family, uint32_t size);

/* Loaders run from flash: they can set lock bits, and no fuses. For `check` of a protocol that has
 * `write_options`; `must_stay` are bits of the lock byte that its loader leaves unprogrammed (1). */
int avr_check_options(const struct order *order, uint8_t must_stay, struct error *error);

#endif
