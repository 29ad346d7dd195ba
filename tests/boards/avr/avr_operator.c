/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_farm.h: what an operator can do to a board and ask of it, in the words of struct operations. */
#include "avr_board.h"
#include "avr_farm.h"

#include <string.h>

/* wrong-id@N tells N, wrong-id a chip that could be taken for this one. */
static uint8_t third_byte(const struct avr_board *board, uint64_t number)
{
    return number ? (uint8_t)number : board->loader->sibling;
}

static void clear_faults(struct avr_board *board)
{
    memset(board->faults, 0, sizeof board->faults);
    (void)mcu_pretend(board->mcu, board->loader->signature[2]);
    mcu_slow(board->mcu, 1);
    board->mute = false;
}

static int refuse(const char *what, char *why, size_t size)
{
    (void)snprintf(why, size, "%s", what);
    return -1;
}

/* What an AVR has in common with other boards; the rest is refused by name. */
static int apply(struct avr_board *board, const struct fault_request *request, char *why, size_t size)
{
    switch (request->kind) {
    case FAULT_NONE:
        clear_faults(board);
        return 0;
    case FAULT_WRONG_ID:
        return mcu_pretend(board->mcu, third_byte(board, request->number))
                   ? refuse("wrong-id: no signature found in the bootloader", why, size)
                   : 0;
    case FAULT_BAD_CELL:
        mcu_spoil(board->mcu, request->number ? request->number : 4);
        return 0;
    case FAULT_SLOW:
        mcu_slow(board->mcu, (unsigned)request->number);
        return 0;
    case FAULT_NACK_WRITE:
    case FAULT_NACK_ERASE:
    case FAULT_NACK_ONCE:
    case FAULT_PROTECTED:
    case FAULT_DUPLICATE_UID:
    case FAULT_KINDS:
        return refuse("a bootloader of an AVR cannot do that", why, size);
    case FAULT_SILENT:
    case FAULT_HANG:
    case FAULT_UNPLUG:
    case FAULT_GARBAGE:
    case FAULT_CORRUPT:
    case FAULT_DROP_ACK:
    case FAULT_MARGINAL:
        return 0;
    }
    return 0;
}

static int set_fault(const struct farm *farm, void *state, const char *text, char *why, size_t size)
{
    struct avr_board *board = state;
    struct fault_request request;

    (void)farm;
    if (fault_parse(text, &request, why, size) || apply(board, &request, why, size))
        return -1;
    if (request.kind != FAULT_NONE)
        board->faults[request.kind] =
            (struct fault){.set = true, .number = request.number, .since_write = board->counters.writes};
    return 0;
}

static const char *name(const void *state)
{
    const struct avr_board *board = state;

    return board->name;
}

static void reset(void *board)
{
    avr_board_reset(board);
}

static void unplug(void *board)
{
    avr_board_unplug(board);
}

static int replug(void *board)
{
    return avr_board_replug(board);
}

static void take_out(void *state)
{
    struct avr_board *board = state;

    board->present = false;
    board->out_first = board->out_end = 0;
}

static int insert(void *state)
{
    struct avr_board *board = state;

    board->generation++;
    board->present = true;
    mcu_spoil(board->mcu, MCU_NEVER);
    if (mcu_renew(board->mcu))
        return -1;
    /* The bootloader came back as it is delivered; a fault of the socket stays. */
    if (board->faults[FAULT_WRONG_ID].set)
        (void)mcu_pretend(board->mcu, third_byte(board, board->faults[FAULT_WRONG_ID].number));
    avr_board_reset(board);
    return 0;
}

static const char *phase(const void *state)
{
    static const char *const names[] = {[MCU_BOOTLOADER] = "bootloader",
                                        [MCU_APPLICATION] = "application",
                                        [MCU_STOPPED] = "stopped",
                                        [MCU_HUNG] = "hung"};
    const struct avr_board *board = state;

    if (!board->port.plugged)
        return "unplugged";
    return board->present ? names[mcu_place(board->mcu)] : "removed";
}

static void describe(const void *state, char *text, size_t size)
{
    const struct avr_board *board = state;
    const struct counters *counters = &board->counters;

    (void)snprintf(text, size,
                   "%s chip=%s writes=%llu erases=%llu written=%llu received=%llu sent=%llu overruns=%llu "
                   "baud=%u open=%d generation=%u loader=%s uart=%u watchdog=%d",
                   phase(board), board->loader->chip, (unsigned long long)counters->writes,
                   (unsigned long long)counters->erases, (unsigned long long)counters->written_bytes,
                   (unsigned long long)counters->received_bytes, (unsigned long long)counters->sent_bytes,
                   (unsigned long long)mcu_overruns(board->mcu), board->line.baud, port_is_open(&board->port),
                   board->generation, board->loader->name, mcu_baud(board->mcu),
                   mcu_watchdog_reset(board->mcu));
}

static int dump(const void *state, FILE *file)
{
    const struct avr_board *board = state;
    size_t size;
    const uint8_t *bytes = mcu_flash(board->mcu, &size);

    return fwrite(bytes, 1, size, file) == size ? 0 : -1;
}

static int dump_eeprom(const void *state, FILE *file)
{
    const struct avr_board *board = state;
    size_t size;
    const uint8_t *bytes = mcu_eeprom(board->mcu, &size);

    return fwrite(bytes, 1, size, file) == size ? 0 : -1;
}

/* The application's part of flash; the bootloader stays. */
static int fill(void *state, int byte, FILE *content)
{
    const struct avr_board *board = state;
    size_t size;
    uint8_t *flash = mcu_flash(board->mcu, &size);

    if (!content) {
        memset(flash, byte, board->loader->boot_address);
        return 0;
    }
    size =
        fread(flash, 1, board->loader->boot_address, content); /* a shorter file leaves the rest as it is */
    return size == board->loader->boot_address || !ferror(content) ? 0 : -1;
}

const struct operations avr_operations = {
    .name = name,
    .phase = phase,
    .describe = describe,
    .reset = reset,
    .remove = take_out,
    .insert = insert,
    .unplug = unplug,
    .replug = replug,
    .set_fault = set_fault,
    .fill = fill,
    .dump = dump,
    .dump_eeprom = dump_eeprom,
};
