/* SPDX-License-Identifier: Apache-2.0 */
/* What the bootloader's commands do, in the order of AN3155 section 3. Each starts when its opcode and
 * complement are in; the functions that follow it take its groups of parameters. */
#include "an3155.h"

#include "common.h"

#include <string.h>

/* Writing one byte here tells an F2 or F4 its supply range, and so how many bits it may program at once. */
#define SUPPLY_ADDRESS 0xFFFF0000U

static struct fault *fault(struct rom *rom, enum fault_kind kind)
{
    return &rom->board->faults[kind];
}

static bool knows_checksum(const struct rom *rom)
{
    return rom->board->options->checksum && rom->chip->family->rom_version >= 0x30;
}

static uint8_t version(const struct rom *rom)
{
    return knows_checksum(rom) ? 0x33 : rom->chip->family->rom_version;
}

/* 3.1 */
static bool get(struct rom *rom)
{
    uint8_t answer[] = {ROM_ACK, 11,   version(rom), 0x00, 0x01, 0x02, 0x11, 0x21,
                        0x31,    0x43, 0x63,         0x73, 0x82, 0x92, 0xA1};
    size_t count = sizeof answer - !knows_checksum(rom);

    answer[1] = (uint8_t)(count - 3);
    if (rom->chip->family->extended_erase)
        answer[9] = 0x44;
    rom_send(rom, answer, count);
    rom_ack(rom);
    return rom_idle(rom);
}

/* 3.2 */
static bool get_version(struct rom *rom)
{
    const uint8_t answer[] = {ROM_ACK, version(rom), 0, 0};

    rom_send(rom, answer, sizeof answer);
    rom_ack(rom);
    return rom_idle(rom);
}

/* 3.3 */
static bool get_id(struct rom *rom)
{
    const struct fault *wrong = fault(rom, FAULT_WRONG_ID);
    uint16_t pid = rom->chip->pid;

    if (wrong->set)
        pid = wrong->number ? (uint16_t)wrong->number : pid == 0x410 ? 0x414 : 0x410;
    const uint8_t answer[] = {ROM_ACK, 1, (uint8_t)(pid >> 8), (uint8_t)pid};

    rom_send(rom, answer, sizeof answer);
    rom_ack(rom);
    return rom_idle(rom);
}

/* 3.4. Some ROMs answer wrongly to short reads of the UID area; here they refuse what is not on a block. */
static bool read_count(struct rom *rom)
{
    uint32_t count = rom->group[0] + 1U, block = rom->chip->family->info_block;
    uint8_t bytes[1 + 256] = {ROM_ACK};
    enum area area = memory_area(&rom->memory, rom->address, count);

    if ((rom->group[0] ^ rom->group[1]) != 0xFF || area == AREA_NONE ||
        (area == AREA_INFO && block && rom->address % block))
        return false;
    for (uint32_t i = 0; i < count; i++)
        bytes[1 + i] = memory_get(&rom->memory, rom->address + i);
    rom_send(rom, bytes, 1 + count);
    return rom_idle(rom);
}

static bool read_address(struct rom *rom)
{
    if (!rom_take_address(rom) || memory_area(&rom->memory, rom->address, 1) == AREA_NONE)
        return false;
    rom_ack(rom);
    return rom_group(rom, 2, read_count);
}

static bool read_memory(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 5, read_address);
}

/* 3.5 */
static bool go_address(struct rom *rom)
{
    enum area area = memory_area(&rom->memory, rom_big_endian(rom->group), 8);

    if (!rom_take_address(rom) || (area != AREA_FLASH && area != AREA_RAM && area != AREA_SYSTEM))
        return false;
    rom_ack(rom);
    rom->phase = ROM_RUNNING;
    return true;
}

static bool go(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 5, go_address);
}

static void flash_write(struct rom *rom, const uint8_t *bytes, uint32_t count)
{
    uint64_t ns = flash_program(&rom->memory, rom->address, bytes, count);

    rom->board->counters.written_bytes += count;
    rom_spend(rom, board_flash_ns(rom->board, ns));
}

/* Faults that end the conversation in the middle of a block. */
static bool write_breaks_off(struct rom *rom, const uint8_t *bytes, uint32_t count, uint64_t write)
{
    if (fault_strikes(fault(rom, FAULT_UNPLUG), write)) {
        flash_write(rom, bytes, count / 8 * 4);
        board_vanish(rom->board, rom->now_ns);
        rom->phase = ROM_HUNG;
        return true;
    }
    if (fault_strikes(fault(rom, FAULT_HANG), write)) {
        rom->phase = ROM_HUNG;
        return true;
    }
    return false;
}

static bool write_flash(struct rom *rom, uint8_t *bytes, uint32_t count)
{
    uint64_t write = ++rom->board->counters.writes;

    if (fault_holds(fault(rom, FAULT_NACK_WRITE), write) || fault_strikes(fault(rom, FAULT_NACK_ONCE), write))
        return false;
    if (write_breaks_off(rom, bytes, count, write))
        return true;
    if (fault_strikes(fault(rom, FAULT_CORRUPT), write))
        bytes[count / 2] ^= 0x10;
    flash_write(rom, bytes, count);
    if (!fault_strikes(fault(rom, FAULT_DROP_ACK), write))
        rom_ack(rom);
    return rom_idle(rom);
}

/* The ROM erases and rewrites the option bytes, then resets the chip to load them. */
static bool write_options(struct rom *rom, const uint8_t *bytes, uint32_t count)
{
    options_write(&rom->memory, rom->address, bytes, count);
    rom_spend(rom, board_flash_ns(rom->board, 30 * NS_PER_MS));
    rom_ack(rom);
    return rom_restart(rom);
}

static bool write_supply(struct rom *rom, uint8_t range)
{
    static const uint8_t bits[] = {8, 8, 16, 32, 64};

    if (range >= sizeof bits)
        return false;
    rom->memory.parallelism_bits = bits[range];
    rom_ack(rom);
    return rom_idle(rom);
}

static bool is_supply(const struct rom *rom)
{
    return rom->chip->family->parallelism && rom->address == SUPPLY_ADDRESS;
}

/* 3.6. A block must be whole words (halfwords on F0, F1, F3). The group is N, N + 1 bytes, XOR. */
static bool write_data(struct rom *rom)
{
    uint32_t count = rom->group[0] + 1U, unit = rom->chip->family->halfword_address ? 2 : 4;
    uint8_t *bytes = rom->group + 1;

    if (!rom_checksum_good(rom))
        return false;
    if (is_supply(rom))
        return count == 1 && write_supply(rom, bytes[0]);
    if (count % unit)
        return false;
    switch (memory_area(&rom->memory, rom->address, count)) {
    case AREA_FLASH:
        return write_flash(rom, bytes, count);
    case AREA_OPTIONS:
        return write_options(rom, bytes, count);
    case AREA_RAM:
        memory_write_ram(&rom->memory, rom->address, bytes, count);
        rom_ack(rom);
        return rom_idle(rom);
    case AREA_NONE:
    case AREA_SYSTEM:
    case AREA_INFO:
        break;
    }
    return false;
}

static bool write_count(struct rom *rom)
{
    return rom_more(rom, rom->group[0] + 2U, write_data);
}

static bool is_writable(const struct rom *rom)
{
    enum area area = memory_area(&rom->memory, rom->address, 1);
    uint32_t unit = rom->chip->family->halfword_address ? 2 : 4;

    if (is_supply(rom))
        return true;
    return !(rom->address % unit) && (area == AREA_FLASH || area == AREA_RAM || area == AREA_OPTIONS);
}

static bool write_address(struct rom *rom)
{
    if (!rom_take_address(rom) || !is_writable(rom))
        return false;
    rom_ack(rom);
    return rom_group(rom, 1, write_count);
}

static bool write_memory(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 5, write_address);
}

static bool end_erase(struct rom *rom, uint64_t ns)
{
    rom->board->counters.erases++;
    rom_spend(rom, board_flash_ns(rom->board, ns));
    rom_ack(rom);
    return rom_idle(rom);
}

/* The list of an Erase (unit 1) or Extended Erase (unit 2) starts at the first group's end. */
static uint32_t listed_page(const struct rom *rom, uint32_t unit, uint32_t index)
{
    const uint8_t *page = rom->group + unit + index * unit;

    return unit == 1 ? page[0] : (uint32_t)page[0] << 8 | page[1];
}

/* A wrong checksum or a page the chip does not have: refused before anything is erased. */
static bool erase_pages(struct rom *rom, uint32_t unit, uint32_t count)
{
    uint32_t sectors = chip_sectors(rom->chip);
    uint64_t ns = 0;

    if (!rom_checksum_good(rom) || fault(rom, FAULT_NACK_ERASE)->set)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (listed_page(rom, unit, i) >= sectors)
            return false;
    for (uint32_t i = 0; i < count; i++)
        ns += flash_erase_sector(&rom->memory, listed_page(rom, unit, i));
    return end_erase(rom, ns);
}

/* 3.7 */
static bool erase_list(struct rom *rom)
{
    return erase_pages(rom, 1, rom->group[0] + 1U);
}

static bool erase_mass(struct rom *rom)
{
    if (rom->group[1] != 0x00 || fault(rom, FAULT_NACK_ERASE)->set)
        return false;
    return end_erase(rom, flash_erase_all(&rom->memory));
}

static bool erase_count(struct rom *rom)
{
    if (rom->group[0] == 0xFF)
        return rom_more(rom, 1, erase_mass);
    return rom_more(rom, rom->group[0] + 2U, erase_list);
}

static bool erase(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 1, erase_count);
}

/* 3.8 */
static bool extended_list(struct rom *rom)
{
    return erase_pages(rom, 2, ((uint32_t)rom->group[0] << 8 | rom->group[1]) + 1U);
}

static bool extended_special(struct rom *rom)
{
    uint8_t code = rom->group[1];
    bool known = code == 0xFF || (code >= 0xFD && rom->chip->banks == 2);

    if (!rom_checksum_good(rom) || !known || !rom->chip->family->mass_erase ||
        fault(rom, FAULT_NACK_ERASE)->set)
        return false;
    if (code == 0xFF)
        return end_erase(rom, flash_erase_all(&rom->memory));
    return end_erase(rom, flash_erase_bank(&rom->memory, code == 0xFE ? 0 : 1));
}

static bool extended_count(struct rom *rom)
{
    uint32_t count = ((uint32_t)rom->group[0] << 8 | rom->group[1]) + 1U;

    if (count > 0xFFF0)
        return rom_more(rom, 1, extended_special);
    if (count > ROM_PAGES_MAX)
        return false;
    return rom_more(rom, 2 * count + 1U, extended_list);
}

static bool extended_erase(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 2, extended_count);
}

/* 3.9: the codes are not checked against the chip. */
static bool write_protect_list(struct rom *rom)
{
    if (!rom_checksum_good(rom))
        return false;
    options_write_protect(&rom->memory, rom->group + 1, rom->group[0] + 1U);
    rom_spend(rom, board_flash_ns(rom->board, 30 * NS_PER_MS));
    rom_ack(rom);
    return rom_restart(rom);
}

static bool write_protect_count(struct rom *rom)
{
    return rom_more(rom, rom->group[0] + 2U, write_protect_list);
}

static bool write_protect(struct rom *rom)
{
    rom_ack(rom);
    return rom_group(rom, 1, write_protect_count);
}

/* 3.10 */
static bool write_unprotect(struct rom *rom)
{
    rom_ack(rom);
    options_write_protect(&rom->memory, NULL, 0);
    rom_spend(rom, board_flash_ns(rom->board, 30 * NS_PER_MS));
    rom_ack(rom);
    return rom_restart(rom);
}

/* 3.11 */
static bool readout_protect(struct rom *rom)
{
    rom_ack(rom);
    options_lock(&rom->memory, true);
    rom_spend(rom, board_flash_ns(rom->board, 30 * NS_PER_MS));
    rom_ack(rom);
    return rom_restart(rom);
}

/* 3.12: erases all flash, also when nothing was protected. */
static bool readout_unprotect(struct rom *rom)
{
    rom_ack(rom);
    flash_clear(&rom->memory);
    memset(rom->memory.ram, 0, rom->chip->ram.end - rom->chip->ram.start);
    options_default(&rom->memory);
    rom->board->counters.erases++;
    rom_spend(rom, board_flash_ns(rom->board, chip_mass_erase_ns(rom->chip, 8)));
    rom_ack(rom);
    return rom_restart(rom);
}

struct command {
    uint8_t opcode;
    bool locked_too; /* also under readout protection */
    bool (*start)(struct rom *rom);
};

static const struct command commands[] = {
    {.opcode = 0x00, .locked_too = true, .start = get},
    {.opcode = 0x01, .locked_too = true, .start = get_version},
    {.opcode = 0x02, .locked_too = true, .start = get_id},
    {.opcode = 0x11, .start = read_memory},
    {.opcode = 0x21, .start = go},
    {.opcode = 0x31, .start = write_memory},
    {.opcode = 0x43, .start = erase},
    {.opcode = 0x44, .start = extended_erase},
    {.opcode = 0x63, .start = write_protect},
    {.opcode = 0x73, .start = write_unprotect},
    {.opcode = 0x82, .start = readout_protect},
    {.opcode = 0x92, .locked_too = true, .start = readout_unprotect},
    {.opcode = 0xA1, .start = rom_get_checksum},
};

static bool has(const struct rom *rom, uint8_t opcode)
{
    if (opcode == 0x43 || opcode == 0x44)
        return rom->chip->family->extended_erase == (opcode == 0x44);
    return opcode != 0xA1 || knows_checksum(rom);
}

bool rom_command(struct rom *rom)
{
    uint8_t opcode = rom->group[0];
    bool locked = options_locked(&rom->memory);

    if ((opcode ^ rom->group[1]) != 0xFF)
        return false;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].opcode == opcode && has(rom, opcode) && (!locked || commands[i].locked_too))
            return commands[i].start(rom);
    return false;
}
