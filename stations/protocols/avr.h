/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocols of AVR loaders share: who has which signature, and what lies at an address. In an image
 * the memories of an AVR are told apart as avr-gcc does it in its ELF files: flash from 0, EEPROM from
 * 0x810000, fuses from 0x820000 (low, high, extended), the lock byte at 0x830000. Knows no protocol. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_AVR_H
#define FLASHFARM_STATIONS_PROTOCOLS_AVR_H

#include "ladder.h"
#include "protocol.h"

#include <stdbool.h>
#include <stdint.h>

#define AVR_FUSES_AT 0x820000u
#define AVR_LOCK_AT  0x830000u

enum avr_memory { AVR_FLASH, AVR_EEPROM, AVR_FUSES, AVR_LOCK, AVR_NOWHERE };

struct order;

/* --- contact: loaders answer at one of a few rates, 8N1 --- */

struct port_line avr_line(uint32_t baud);
int64_t avr_wire_us(const struct session *session, size_t bytes);

/* A time-out of this step and not of the whole run. */
bool avr_timed_out(const struct session *session, int status);

/* Rates to try, the likeliest first, and how to get into the loader and into step at one of them; -EAGAIN
 * when nothing answers. */
struct avr_contact {
    const uint32_t *rates;
    size_t rate_count;
    int (*enter)(struct session *session, struct error *error);
    int (*read_signature)(struct session *session, uint32_t *signature, struct error *error);
};

/* `connect` and `probe` of a protocol, made of these. */
int avr_connect(struct session *session, const struct avr_contact *contact, struct error *error);
int avr_probe(struct session *session, const struct avr_contact *contact, struct error *error);

/* The end of a `resync` that came so far: the words for silence, and whether it is still the same chip. */
int avr_still_the_same(struct session *session, const struct avr_contact *contact, int status,
                       struct error *error);

/* --- memories --- */

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
