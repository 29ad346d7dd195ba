/* SPDX-License-Identifier: Apache-2.0 */
/* The STM32 ROM bootloader: synchronisation, groups of bytes, time; and its entry in the table of models. */
#include "an3155.h"

#include "common.h"

#include <stdlib.h>
#include <string.h>

/* From system reset to a bootloader that listens, when paced. */
#define RESTART_NS NS_PER_MS

bool rom_more(struct rom *rom, size_t count, bool (*complete)(struct rom *rom))
{
    rom->want = rom->have + count;
    rom->complete = complete;
    return true;
}

bool rom_group(struct rom *rom, size_t count, bool (*complete)(struct rom *rom))
{
    rom->have = 0;
    return rom_more(rom, count, complete);
}

bool rom_idle(struct rom *rom)
{
    return rom_group(rom, 2, rom_command);
}

/* One byte goes into the transmit register and leaves by itself. */
static void send_code(struct rom *rom, uint8_t code)
{
    (void)board_send(rom->board, &code, 1, rom->now_ns);
}

void rom_ack(struct rom *rom)
{
    send_code(rom, ROM_ACK);
}

static void nack(struct rom *rom)
{
    send_code(rom, ROM_NACK);
    (void)rom_idle(rom);
}

/* The ROM waits for its transmitter byte by byte, and is free again when the last byte starts to leave. */
void rom_send(struct rom *rom, const uint8_t *bytes, size_t count)
{
    uint64_t end_ns = board_send(rom->board, bytes, count, rom->now_ns);

    end_ns -= end_ns - rom->now_ns < board_byte_ns(rom->board) ? 0 : board_byte_ns(rom->board);
    rom->busy_ns = end_ns;
    rom->now_ns = end_ns;
}

void rom_spend(struct rom *rom, uint64_t ns)
{
    rom->now_ns += ns;
    rom->busy_ns = rom->now_ns;
}

static void start(struct rom *rom, uint64_t at_ns)
{
    rom->phase = options_locked_for_ever(&rom->memory) ? ROM_HUNG : ROM_FRESH;
    rom->have = 0;
    rom->memory.parallelism_bits = 8;
    rom->now_ns = at_ns;
    rom->busy_ns = at_ns;
    rom->held_ns = 0;
    board_lock_baud(rom->board, false);
}

bool rom_restart(struct rom *rom)
{
    start(rom, rom->now_ns + (rom->board->options->pace ? RESTART_NS : 0));
    return true;
}

bool rom_checksum_good(const struct rom *rom)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < rom->have; i++)
        sum ^= rom->group[i];
    return !sum;
}

uint32_t rom_big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool rom_take_address(struct rom *rom)
{
    rom->address = rom_big_endian(rom->group);
    return rom_checksum_good(rom);
}

static uint32_t max_baud(const struct rom *rom)
{
    uint64_t wanted = rom->board->options->max_baud;

    return wanted ? (uint32_t)wanted : rom->chip->family->max_baud;
}

/* AN3155 2.1: the ROM measures 0x7F. Anything else, or 0x7F faster than it can measure, spoils a real one
 * until reset; here only when asked for, since a farm without reset lines could not go on. */
static void synchronise(struct rom *rom, uint8_t byte)
{
    if (byte != ROM_SYNC || board_baud(rom->board) > max_baud(rom)) {
        if (rom->board->options->strict_sync)
            rom->phase = ROM_LOST;
        return;
    }
    rom->phase = ROM_SYNCED;
    board_lock_baud(rom->board, true);
    rom_ack(rom);
    (void)rom_idle(rom);
}

/* While the ROM is busy the receiver keeps one byte and drops what comes after it. */
static bool overrun(struct rom *rom, uint64_t at_ns)
{
    if (at_ns >= rom->busy_ns) {
        rom->now_ns = at_ns;
        return false;
    }
    if (rom->held_ns == rom->busy_ns) {
        rom->board->counters.overrun_bytes++;
        return true;
    }
    rom->held_ns = rom->busy_ns;
    rom->now_ns = rom->busy_ns;
    return false;
}

static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct rom *rom = state;

    if (overrun(rom, at_ns))
        return;
    if (rom->phase == ROM_FRESH)
        synchronise(rom, byte);
    else if (rom->phase == ROM_SYNCED) {
        rom->group[rom->have++] = byte;
        if (rom->have == rom->want && !rom->complete(rom))
            nack(rom);
    }
}

static const char *chip_name(size_t index)
{
    const struct chip *chip = chip_at(index);

    return chip ? chip->name : NULL;
}

static void *create(struct board *board, size_t chip_index)
{
    struct rom *rom = sim_allocate(1, sizeof *rom);

    rom->board = board;
    rom->chip = chip_at(chip_index);
    memory_open(&rom->memory, rom->chip);
    return rom;
}

static void destroy(void *state)
{
    struct rom *rom = state;

    memory_close(&rom->memory);
    free(rom);
}

static void reset(void *state, uint64_t at_ns)
{
    start(state, at_ns);
}

/* Power-up with BOOT0 low. */
static void run(void *state, uint64_t at_ns)
{
    struct rom *rom = state;

    start(rom, at_ns);
    rom->phase = ROM_RUNNING;
}

/* RTS is BOOT0 and DTR is NRST, both active when asserted; BOOT0 counts when NRST is let go. */
static void modem(void *state, bool dtr, bool rts, uint64_t at_ns)
{
    struct rom *rom = state;

    if (dtr)
        rom->phase = ROM_HELD;
    else if (rom->phase == ROM_HELD && rts)
        start(rom, at_ns);
    else if (rom->phase == ROM_HELD)
        run(rom, at_ns);
}

static const char *conf_entry(bool remote)
{
    return remote ? "dtr-rts" : "none";
}

static void renew(void *state)
{
    struct rom *rom = state;

    memory_renew(&rom->memory);
}

static void identify(void *state, uint64_t identity)
{
    struct rom *rom = state;

    memory_identify(&rom->memory, identity);
}

static void lock(void *state)
{
    struct rom *rom = state;

    options_lock(&rom->memory, true);
}

static void spoil(void *state, uint64_t address)
{
    struct rom *rom = state;

    rom->memory.bad_cell = address ? (uint32_t)address : FLASH_START + 4;
}

static int fill(void *state, int byte, FILE *content)
{
    struct rom *rom = state;
    uint32_t end = FLASH_START + chip_flash_bytes(rom->chip);

    for (uint32_t address = FLASH_START; address < end; address++) {
        int next = content ? getc(content) : byte;

        if (next == EOF)
            break;
        flash_store(&rom->memory, address, (uint8_t)next);
    }
    return content && ferror(content) ? -1 : 0;
}

static int dump(const void *state, FILE *file)
{
    const struct rom *rom = state;
    uint32_t end = FLASH_START + chip_flash_bytes(rom->chip);

    for (uint32_t address = FLASH_START; address < end; address++)
        (void)putc(memory_get(&rom->memory, address), file);
    return ferror(file) ? -1 : 0;
}

static const char *phase(const void *state)
{
    static const char *const names[] = {
        [ROM_FRESH] = "fresh", [ROM_SYNCED] = "synced", [ROM_RUNNING] = "running",
        [ROM_HUNG] = "hung",   [ROM_LOST] = "lost",     [ROM_HELD] = "held"};
    const struct rom *rom = state;

    return names[rom->phase];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct rom *rom = state;
    const uint8_t *uid = rom->memory.uid;
    int used = snprintf(text, size, "protected=%d uid=", options_locked(&rom->memory));

    for (size_t i = 0; i < UID_BYTES && used > 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%02x", uid[i]);
}

const struct model stm32_uart_model = {
    .protocol = "stm32-uart",
    .frame_bits = 11, /* the ROM is 8E1 and nothing else */
    .strict_parity = true,
    .chip_name = chip_name,
    .create = create,
    .destroy = destroy,
    .receive = receive,
    .reset = reset,
    .modem = modem,
    .run = run,
    .conf_entry = conf_entry,
    .renew = renew,
    .identify = identify,
    .lock = lock,
    .spoil = spoil,
    .fill = fill,
    .dump = dump,
    .phase = phase,
    .describe = describe,
};
