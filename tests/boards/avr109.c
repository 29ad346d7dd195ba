/* SPDX-License-Identifier: Apache-2.0 */
/* An AVR bootloader as the application note AVR109 describes it, in the two forms that are in the field: that
 * of the Butterfly (a UART, one rate, an identifier of its own) and Caterina of the Arduino boards with an
 * ATmega32U4 (USB: any rate, leaves for the application after 8 s or 'E'). The loader's own section cannot be
 * written. */
#include "cells.h"
#include "common.h"
#include "receiver.h"

#include <stdlib.h>
#include <string.h>

struct loader_chip {
    const char *name;
    uint8_t signature[3]; /* as the datasheet prints it */
    uint8_t device_code;  /* of AVR910's list */
    const char *identifier, *version;
    uint32_t flash_bytes, boot_bytes, eeprom_bytes, page_bytes, block_bytes;
    uint32_t baud;     /* of the UART; 0: there is none */
    bool erases_pages; /* before it writes them */
    uint8_t fuses[3];
};

/* ATmega16U4/32U4 (7766), ATmega328P (7810). Page erase and write 4.5 ms each, an EEPROM byte 3.4 ms. */
static const struct loader_chip chips[] = {
    {
        .name = "atmega32u4",
        .signature = {0x1E, 0x95, 0x87},
        .device_code = 0x44,
        .identifier = "CATERIN",
        .version = "10",
        .flash_bytes = 32768,
        .boot_bytes = 4096,
        .eeprom_bytes = 1024,
        .page_bytes = 128,
        .block_bytes = 128,
        .erases_pages = true,
        .fuses = {0xFF, 0xD8, 0xCB},
    },
    {
        .name = "atmega328p:avr109",
        .signature = {0x1E, 0x95, 0x0F},
        .device_code = 0x86,
        .identifier = "AVRBOOT",
        .version = "15",
        .flash_bytes = 32768,
        .boot_bytes = 1024,
        .eeprom_bytes = 1024,
        .page_bytes = 128,
        .block_bytes = 128,
        .baud = 19200,
        .fuses = {0xFF, 0xDC, 0xFD},
    },
};

#define PAGE_ERASE_NS  (4500 * NS_PER_US)
#define PAGE_WRITE_NS  (4500 * NS_PER_US)
#define EEPROM_BYTE_NS (3400 * NS_PER_US)

enum { ESCAPE = 0x1B, ARGUMENTS_MAX = 3 + 256, UART_BYTES = 2, USB_BYTES = 64 };

enum loader_phase { LOADER_READY, LOADER_RUNNING, LOADER_HUNG };

struct loader {
    struct receiver receiver;
    const struct loader_chip *chip;
    struct cells flash, eeprom;
    uint8_t lock_bits;
    bool dtr;

    enum loader_phase phase;
    uint8_t command, arguments[ARGUMENTS_MAX];
    size_t have, want;
    void (*next)(struct loader *loader); /* when all arguments are in; NULL: between commands */
    uint32_t address;                    /* words of flash, bytes of EEPROM */
    uint8_t low;                         /* 'c' waits for 'C' */
};

static void say(struct loader *loader, const void *bytes, size_t count)
{
    receiver_says(&loader->receiver, bytes, count);
}

static void say_byte(struct loader *loader, uint8_t byte)
{
    say(loader, &byte, 1);
}

static void done(struct loader *loader)
{
    say_byte(loader, '\r');
}

static void refuse(struct loader *loader)
{
    say_byte(loader, '?');
}

/* What the loader leaves to the application. */
static uint32_t writable_bytes(const struct loader *loader)
{
    return loader->chip->flash_bytes - loader->chip->boot_bytes;
}

/* BLB01 forbids the loader to write the application, BLB02 to read it; LB1 and LB2 do not concern it. */
static bool may_write(const struct loader *loader)
{
    return loader->lock_bits & 0x04;
}

static bool may_read(const struct loader *loader)
{
    return loader->lock_bits & 0x08;
}

static void say_signature(struct loader *loader)
{
    const struct fault *wrong = &loader->receiver.board->faults[FAULT_WRONG_ID];
    const uint8_t *signature = loader->chip->signature;
    const uint8_t told[] = {signature[2], signature[1], signature[0]}; /* low byte first */
    const uint8_t other[] = {0x0B, 0x94, 0x1E};                        /* an ATmega168P */

    if (wrong->set && wrong->number) {
        const uint8_t given[] = {(uint8_t)wrong->number, (uint8_t)(wrong->number >> 8), 0x1E};

        say(loader, given, sizeof given);
    } else
        say(loader, wrong->set ? other : told, sizeof told);
}

static void erase_chip(struct loader *loader)
{
    uint32_t bytes = writable_bytes(loader);

    if (loader->receiver.board->faults[FAULT_NACK_ERASE].set) {
        refuse(loader);
        return;
    }
    if (may_write(loader))
        cells_erase(&loader->flash, 0, bytes);
    loader->receiver.board->counters.erases++;
    receiver_spends_flash(&loader->receiver, (uint64_t)bytes / loader->chip->page_bytes * PAGE_ERASE_NS);
    done(loader);
}

/* Whole pages, those that the application owns. Caterina erases a page before it writes it, the Butterfly
 * leaves that to the client. */
static uint32_t write_flash(struct loader *loader, const uint8_t *bytes, uint32_t count)
{
    uint32_t at = 2 * loader->address, page = loader->chip->page_bytes, landed = 0;

    for (uint32_t from = at / page * page; from < at + count; from += page) {
        uint32_t first = from < at ? at : from, last = from + page < at + count ? from + page : at + count;

        if (from >= writable_bytes(loader) || !may_write(loader))
            break;
        if (loader->chip->erases_pages)
            cells_erase(&loader->flash, from, page);
        cells_program(&loader->flash, first, bytes + (first - at), last - first);
        landed += last - first;
        receiver_spends_flash(&loader->receiver,
                              (loader->chip->erases_pages ? PAGE_ERASE_NS : 0) + PAGE_WRITE_NS);
    }
    loader->address += count / 2;
    return landed;
}

static uint32_t write_eeprom(struct loader *loader, const uint8_t *bytes, uint32_t count)
{
    uint32_t landed = 0;

    for (; landed < count && loader->address < loader->chip->eeprom_bytes; landed++, loader->address++) {
        cells_erase(&loader->eeprom, loader->address, 1);
        cells_program(&loader->eeprom, loader->address, bytes + landed, 1);
        receiver_spends_flash(&loader->receiver, EEPROM_BYTE_NS);
    }
    return landed;
}

static void answer_block(struct loader *loader, enum fate fate)
{
    if (receiver_dies(&loader->receiver, fate))
        loader->phase = LOADER_HUNG;
    else if (fate == FATE_REFUSED)
        refuse(loader);
    else if (fate != FATE_UNANSWERED)
        done(loader);
}

static uint32_t block_count(const struct loader *loader)
{
    return (uint32_t)loader->arguments[0] << 8 | loader->arguments[1];
}

/* Size, high byte first, kind of memory, data. */
static void write_block(struct loader *loader)
{
    uint8_t *bytes = loader->arguments + 3;
    uint32_t count = block_count(loader);
    bool flash = loader->arguments[2] == 'F';
    enum fate fate = next_fate(loader->receiver.board);

    count = fate_applied(fate, bytes, count);
    loader->receiver.board->counters.written_bytes +=
        flash ? write_flash(loader, bytes, count) : write_eeprom(loader, bytes, count);
    answer_block(loader, fate);
}

/* 0xFF beyond the end, and everywhere in flash that may not be read. */
static void read_block(struct loader *loader)
{
    bool flash = loader->arguments[2] == 'F';
    const struct cells *cells = flash ? &loader->flash : &loader->eeprom;
    uint32_t count = block_count(loader), at = loader->address * (flash ? 2 : 1);

    for (uint32_t i = 0; i < count; i++)
        say_byte(loader,
                 at + i < cells->count && (may_read(loader) || !flash) ? cells_get(cells, at + i) : 0xFF);
    loader->address += flash ? count / 2 : count;
}

/* The size of a block is known: a write needs as many bytes more. */
static void start_block(struct loader *loader)
{
    uint32_t count = block_count(loader);
    uint8_t kind = loader->arguments[2];

    if ((kind != 'F' && kind != 'E') || !count || count > loader->chip->block_bytes ||
        (kind == 'F' && count % 2))
        refuse(loader);
    else if (loader->command == 'g')
        read_block(loader);
    else {
        loader->want = 3 + count;
        loader->next = write_block;
    }
}

/* One word or byte of the kind without blocks: low byte by 'c', high byte by 'C', the page by 'm'. */
static void write_high(struct loader *loader)
{
    const uint8_t word[] = {loader->low, loader->arguments[0]};
    uint32_t at = 2 * loader->address++;

    if (at < writable_bytes(loader) && may_write(loader))
        cells_program(&loader->flash, at, word, sizeof word);
    done(loader);
}

static void read_word(struct loader *loader)
{
    uint32_t at = 2 * loader->address++;
    bool there = at + 1 < loader->chip->flash_bytes && may_read(loader);

    say_byte(loader, there ? cells_get(&loader->flash, at + 1) : 0xFF);
    say_byte(loader, there ? cells_get(&loader->flash, at) : 0xFF);
}

static void read_byte(struct loader *loader)
{
    uint32_t at = loader->address++;

    say_byte(loader, at < loader->chip->eeprom_bytes ? cells_get(&loader->eeprom, at) : 0xFF);
}

static void leave(struct loader *loader)
{
    done(loader);
    loader->phase = LOADER_RUNNING;
}

static void say_types(struct loader *loader)
{
    say_byte(loader, loader->chip->device_code);
    say_byte(loader, 0);
}

static void say_block_size(struct loader *loader)
{
    const uint8_t answer[] = {'Y', (uint8_t)(loader->chip->block_bytes >> 8),
                              (uint8_t)loader->chip->block_bytes};

    say(loader, answer, sizeof answer);
}

static void say_identifier(struct loader *loader)
{
    say(loader, loader->chip->identifier, 7);
}

static void say_version(struct loader *loader)
{
    say(loader, loader->chip->version, 2);
}

static void say_serial(struct loader *loader)
{
    say_byte(loader, 'S');
}

static void say_yes(struct loader *loader)
{
    say_byte(loader, 'Y');
}

static void say_low_fuse(struct loader *loader)
{
    say_byte(loader, loader->chip->fuses[0]);
}

static void say_high_fuse(struct loader *loader)
{
    say_byte(loader, loader->chip->fuses[1]);
}

static void say_extended_fuse(struct loader *loader)
{
    say_byte(loader, loader->chip->fuses[2]);
}

static void say_lock_bits(struct loader *loader)
{
    say_byte(loader, loader->lock_bits);
}

static void set_address(struct loader *loader)
{
    loader->address = block_count(loader);
    done(loader);
}

static void set_long_address(struct loader *loader)
{
    loader->address = block_count(loader) << 8 | loader->arguments[2];
    done(loader);
}

static void take_low(struct loader *loader)
{
    loader->low = loader->arguments[0];
    done(loader);
}

static void write_byte(struct loader *loader)
{
    (void)write_eeprom(loader, loader->arguments, 1);
    done(loader);
}

/* Bits only fall: nothing but an external programmer brings them back. */
static void write_lock_bits(struct loader *loader)
{
    loader->lock_bits &= loader->arguments[0];
    done(loader);
}

static const struct command {
    uint8_t letter, arguments;
    void (*run)(struct loader *loader);
} commands[] = {
    {.letter = 'A', .arguments = 2, .run = set_address},
    {.letter = 'B', .arguments = 3, .run = start_block},
    {.letter = 'C', .arguments = 1, .run = write_high},
    {.letter = 'D', .arguments = 1, .run = write_byte},
    {.letter = 'E', .run = leave},
    {.letter = 'F', .run = say_low_fuse},
    {.letter = 'H', .arguments = 3, .run = set_long_address},
    {.letter = 'L', .run = done},
    {.letter = 'N', .run = say_high_fuse},
    {.letter = 'P', .run = done},
    {.letter = 'Q', .run = say_extended_fuse},
    {.letter = 'R', .run = read_word},
    {.letter = 'S', .run = say_identifier},
    {.letter = 'T', .arguments = 1, .run = done},
    {.letter = 'V', .run = say_version},
    {.letter = 'a', .run = say_yes},
    {.letter = 'b', .run = say_block_size},
    {.letter = 'c', .arguments = 1, .run = take_low},
    {.letter = 'd', .run = read_byte},
    {.letter = 'e', .run = erase_chip},
    {.letter = 'g', .arguments = 3, .run = start_block},
    {.letter = 'l', .arguments = 1, .run = write_lock_bits},
    {.letter = 'm', .run = done},
    {.letter = 'p', .run = say_serial},
    {.letter = 'r', .run = say_lock_bits},
    {.letter = 's', .run = say_signature},
    {.letter = 't', .run = say_types},
    {.letter = 'x', .arguments = 1, .run = done}, /* a LED on */
    {.letter = 'y', .arguments = 1, .run = done}, /* and off */
};

/* ESC, which clients send to get out of a block of unknown state, is no command and not answered. */
static void start_command(struct loader *loader, uint8_t byte)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].letter == byte) {
            loader->have = 0;
            loader->want = commands[i].arguments;
            loader->next = commands[i].run;
            loader->command = byte;
            return;
        }
    if (byte != ESCAPE)
        refuse(loader);
}

static void take_byte(struct loader *loader, uint8_t byte)
{
    void (*complete)(struct loader * loader);

    if (loader->next)
        loader->arguments[loader->have++] = byte;
    else
        start_command(loader, byte);
    if (!loader->next || loader->have < loader->want)
        return;
    complete = loader->next;
    loader->next = NULL;
    complete(loader);
}

static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct loader *loader = state;

    if (receiver_hears(&loader->receiver, at_ns) && loader->phase == LOADER_READY)
        take_byte(loader, byte);
}

static void boot(struct loader *loader, enum loader_phase phase, uint64_t at_ns)
{
    receiver_restart(&loader->receiver, at_ns);
    loader->phase = phase;
    loader->next = NULL;
    loader->address = 0;
    board_set_baud(loader->receiver.board, loader->chip->baud);
}

static void reset(void *state, uint64_t at_ns)
{
    boot(state, LOADER_READY, at_ns);
}

static void run(void *state, uint64_t at_ns)
{
    boot(state, LOADER_RUNNING, at_ns);
}

/* On a UART an edge of DTR through a capacitor resets, and a reset leads into the loader. On USB the
 * application goes there when its port is closed at 1200 baud. */
static void modem(void *state, bool dtr, bool rts, uint64_t at_ns)
{
    struct loader *loader = state;
    bool usb = !loader->chip->baud, rises = dtr && !loader->dtr, falls = !dtr && loader->dtr;

    (void)rts;
    loader->dtr = dtr;
    if (usb ? falls && board_baud(loader->receiver.board) == 1200 : rises)
        boot(loader, LOADER_READY, at_ns);
}

/* A UART's board is reset by it too. */
static const char *conf_entry(bool remote)
{
    return remote ? "touch-1200" : "none";
}

static const char *chip_name(size_t index)
{
    return index < sizeof chips / sizeof chips[0] ? chips[index].name : NULL;
}

static void *create(struct board *board, size_t chip_index)
{
    struct loader *loader = sim_allocate(1, sizeof *loader);

    loader->chip = &chips[chip_index];
    loader->lock_bits = 0xFF;
    loader->receiver =
        (struct receiver){.board = board, .depth = loader->chip->baud ? UART_BYTES : USB_BYTES};
    cells_open(&loader->flash, loader->chip->flash_bytes);
    cells_open(&loader->eeprom, loader->chip->eeprom_bytes);
    return loader;
}

static void destroy(void *state)
{
    struct loader *loader = state;

    cells_close(&loader->flash);
    cells_close(&loader->eeprom);
    free(loader);
}

static void renew(void *state)
{
    struct loader *loader = state;

    cells_renew(&loader->flash);
    cells_renew(&loader->eeprom);
    loader->lock_bits = 0xFF;
}

/* The chips have no UID. */
static void identify(void *state, uint64_t identity)
{
    (void)state;
    (void)identity;
}

static void lock(void *state)
{
    struct loader *loader = state;

    loader->lock_bits = 0xF3;
}

static void spoil(void *state, uint64_t address)
{
    struct loader *loader = state;

    cells_spoil(&loader->flash, address, 4);
}

/* Content of flash, and behind it that of the EEPROM. */
static int fill(void *state, int byte, FILE *content)
{
    struct loader *loader = state;

    return cells_fill(&loader->flash, byte, content) || cells_fill(&loader->eeprom, byte, content) ? -1 : 0;
}

static int dump(const void *state, FILE *file)
{
    const struct loader *loader = state;

    return cells_dump(&loader->flash, file) || cells_dump(&loader->eeprom, file) ? -1 : 0;
}

static const char *phase(const void *state)
{
    static const char *const names[] = {
        [LOADER_READY] = "fresh", [LOADER_RUNNING] = "running", [LOADER_HUNG] = "hung"};
    const struct loader *loader = state;

    return names[loader->phase];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct loader *loader = state;

    (void)snprintf(text, size, "protected=%d lock=%02x", !may_read(loader), loader->lock_bits);
}

const struct model avr109_model = {
    .protocol = "avr109",
    .frame_bits = 10,
    .baud = 19200,
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
