/* SPDX-License-Identifier: Apache-2.0 */
/* See p89lpc.h. */
#include "p89lpc.h"

#include "common.h"

#include <string.h>

static const struct p89_chip chips[] = {
    {.name = "p89lpc920", .flash_bytes = 2048, .derivative = 0x0B},
    {.name = "p89lpc921", .flash_bytes = 4096, .derivative = 0x0C},
    {.name = "p89lpc922", .flash_bytes = 8192, .derivative = 0x0D},
};

const struct p89_chip *p89_chip_at(size_t index)
{
    return index < sizeof chips / sizeof chips[0] ? &chips[index] : NULL;
}

uint8_t p89_resident_byte(uint32_t at)
{
    return (uint8_t)(sim_mix(at) | 1);
}

void p89_renew(struct p89_memory *memory, uint32_t resident)
{
    uint32_t end = memory->chip->flash_bytes;

    memset(memory->flash, 0, sizeof memory->flash);
    memset(memory->security, 0, sizeof memory->security);
    memory->bad_at = 0;
    for (uint32_t at = end - resident; at < end; at++)
        memory->flash[at] = p89_resident_byte(at);
}

bool p89_resident_intact(const struct p89_memory *memory, uint32_t resident)
{
    uint32_t end = memory->chip->flash_bytes;

    for (uint32_t at = end - resident; at < end; at++)
        if (memory->flash[at] != p89_resident_byte(at))
            return false;
    return true;
}

void p89_identify(void *state, uint64_t identity)
{
    struct p89_memory *memory = state;
    uint64_t mixed = sim_mix(identity);

    for (size_t i = 0; i < P89_UID_BYTES; i++)
        memory->uid[i] = (uint8_t)(mixed >> (8 * i));
}

void p89_secure(void *state)
{
    struct p89_memory *memory = state;

    memset(memory->security, P89_SECURED, sizeof memory->security);
}

void p89_spoil(void *state, uint64_t address)
{
    struct p89_memory *memory = state;

    memory->bad_at = address ? (uint32_t)address : 4;
}

bool p89_inside(const struct p89_memory *memory, uint32_t at, uint32_t count)
{
    return at + count <= memory->chip->flash_bytes;
}

bool p89_forbids(const struct p89_memory *memory, uint32_t at, uint32_t count, unsigned bits)
{
    for (uint32_t sector = at / P89_SECTOR_BYTES; sector <= (at + count - 1) / P89_SECTOR_BYTES; sector++)
        if (memory->security[sector] & bits)
            return true;
    return false;
}

void p89_erase(struct p89_memory *memory, uint32_t at, uint32_t count)
{
    memset(memory->flash + at, 0, count);
}

void p89_program(struct p89_memory *memory, uint32_t at, const uint8_t *bytes, uint32_t count)
{
    memcpy(memory->flash + at, bytes, count);
    if (memory->bad_at && memory->bad_at >= at && memory->bad_at < at + count)
        memory->flash[memory->bad_at] ^= 1;
}

bool p89_equal(const struct p89_memory *memory, uint32_t at, const uint8_t *bytes, uint32_t count)
{
    return !memcmp(memory->flash + at, bytes, count);
}

uint32_t p89_pages(uint32_t at, uint32_t count)
{
    return (at + count - 1) / P89_PAGE_BYTES - at / P89_PAGE_BYTES + 1;
}

int p89_fill(void *state, int byte, FILE *content)
{
    struct p89_memory *memory = state;

    for (uint32_t at = 0; at < memory->resident_at; at++) {
        int next = content ? getc(content) : byte;

        if (next == EOF)
            break;
        memory->flash[at] = (uint8_t)next;
    }
    return content && ferror(content) ? -1 : 0;
}

int p89_dump(const void *state, FILE *file)
{
    const struct p89_memory *memory = state;

    return fwrite(memory->flash, memory->chip->flash_bytes, 1, file) == 1 ? 0 : -1;
}
