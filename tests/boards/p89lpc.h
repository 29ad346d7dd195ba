/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a P89LPC92x: flash that reads 00 where erased and is written by pages, security bytes of its
 * sectors. Knows no bootloader, no wire and no time. Read from UM10109 by way of our own notes; no chip was
 * at hand. */
#ifndef SIM_P89LPC_H
#define SIM_P89LPC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    P89_SECTOR_BYTES = 1024,
    P89_PAGE_BYTES = 64,
    P89_FLASH_MAX_BYTES = 8192,
    P89_SECTORS_MAX = P89_FLASH_MAX_BYTES / P89_SECTOR_BYTES,
    P89_UID_BYTES = 8, /* of a self-written ISP; the chip itself has none */
};

enum p89_security {
    P89_NO_READ = 1,  /* MOVC disabled */
    P89_NO_WRITE = 2, /* no erase by page or sector, no write */
    P89_NO_ERASE = 4,
    P89_SECURED = 7,
};

/* Typical times. */
#define P89_SECTOR_ERASE_NS 4000000ULL
#define P89_PAGE_WRITE_NS   4000000ULL

struct p89_chip {
    const char *name;
    uint32_t flash_bytes;
    uint8_t derivative;
};

struct p89_memory {
    const struct p89_chip *chip;
    uint32_t resident_at; /* from here to the end all is the loader's: an operator's fill stops there */
    uint8_t flash[P89_FLASH_MAX_BYTES];
    uint8_t security[P89_SECTORS_MAX];
    uint8_t uid[P89_UID_BYTES];
    uint32_t bad_at; /* bit 0 there keeps the opposite of what is programmed; 0: none */
};

/* NULL past the end. */
const struct p89_chip *p89_chip_at(size_t index);

/* As delivered: erased, unprotected, with `resident` bytes of loader at the end, stable noise. */
void p89_renew(struct p89_memory *memory, uint32_t resident);

bool p89_inside(const struct p89_memory *memory, uint32_t at, uint32_t count);
/* Does any sector of the range have one of these bits? */
bool p89_forbids(const struct p89_memory *memory, uint32_t at, uint32_t count, unsigned bits);

void p89_erase(struct p89_memory *memory, uint32_t at, uint32_t count);
void p89_program(struct p89_memory *memory, uint32_t at, const uint8_t *bytes, uint32_t count);
bool p89_equal(const struct p89_memory *memory, uint32_t at, const uint8_t *bytes, uint32_t count);
uint32_t p89_pages(uint32_t at, uint32_t count); /* how many the range touches */

/* Byte n of what a chip's loader holds, so that it can be seen whether it is still there. */
uint8_t p89_resident_byte(uint32_t at);
bool p89_resident_intact(const struct p89_memory *memory, uint32_t resident);

/* For struct model: the state of a model with this memory begins with it. */
void p89_identify(void *state, uint64_t identity);
void p89_secure(void *state); /* every sector */
void p89_spoil(void *state, uint64_t address);
int p89_fill(void *state, int byte, FILE *content);
int p89_dump(const void *state, FILE *file);

#endif
