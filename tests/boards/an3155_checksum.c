/* SPDX-License-Identifier: Apache-2.0 */
/* Get Checksum (0xA1), which AN3155 has since its revision 13. Told from memory of that document; no chip was
 * at hand to ask, so it is off unless --checksum is given. */
#include "an3155.h"

/* The CRC unit of the chip: words, most significant bit first, no reflection, no final inversion. */
static uint32_t crc(const struct rom *rom, uint32_t value)
{
    for (uint32_t word = 0; word < rom->crc_words; word++) {
        for (unsigned byte = 4; byte--;)
            value ^= (uint32_t)memory_get(&rom->memory, rom->address + 4 * word + byte) << (8 * byte);
        for (unsigned bit = 0; bit < 32; bit++)
            value = value & 0x80000000U ? value << 1 ^ rom->crc_polynomial : value << 1;
    }
    return value;
}

/* Get Checksum: address, size in words, polynomial, initial value; each with XOR and ACK. */
static bool checksum_initial(struct rom *rom)
{
    uint32_t value;

    if (!rom_checksum_good(rom))
        return false;
    rom_ack(rom);
    value = crc(rom, rom_big_endian(rom->group));
    rom_spend(rom, board_flash_ns(rom->board, rom->crc_words * 250ULL));
    uint8_t answer[6] = {ROM_ACK, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                         (uint8_t)value};

    answer[5] = answer[1] ^ answer[2] ^ answer[3] ^ answer[4];
    rom_send(rom, answer, sizeof answer);
    return rom_idle(rom);
}

static bool checksum_polynomial(struct rom *rom)
{
    rom->crc_polynomial = rom_big_endian(rom->group);
    if (!rom_checksum_good(rom))
        return false;
    rom_ack(rom);
    return rom_group(rom, 5, checksum_initial);
}

static bool checksum_size(struct rom *rom)
{
    rom->crc_words = rom_big_endian(rom->group);
    if (!rom_checksum_good(rom) || !rom->crc_words || rom->crc_words > 0x3FFFFFFF ||
        memory_area(&rom->memory, rom->address, 4 * rom->crc_words) == AREA_NONE)
        return false;
    rom_ack(rom);
    return rom_group(rom, 5, checksum_polynomial);
}

static bool checksum_address(struct rom *rom)
{
    if (!rom_take_address(rom) || rom->address % 4 || memory_area(&rom->memory, rom->address, 4) == AREA_NONE)
        return false;
    rom_ack(rom);
    return rom_group(rom, 5, checksum_size);
}

bool rom_get_checksum(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 5, checksum_address);
}
