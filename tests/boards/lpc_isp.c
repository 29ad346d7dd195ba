/* SPDX-License-Identifier: Apache-2.0 */
/* The boot ROM of LPC chips from reset to the ISP handler: autobaud, lines and their echo, code read
 * protection, the two pins; and its entry in the table of models. */
#include "lpc_isp.h"

#include "common.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { FIFO_BYTES = 16, ESCAPE = 0x1B };

/* From reset to a ROM that listens, when paced. */
#define RESTART_NS (3 * NS_PER_MS)

void lpc_say(struct lpc *lpc, const char *format, ...)
{
    char text[128];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        receiver_says(&lpc->receiver, (const uint8_t *)text, (size_t)length);
}

void lpc_answer(struct lpc *lpc, enum lpc_status status)
{
    if (status != LPC_NO_ANSWER)
        lpc_say(lpc, "%d\r\n", (int)status);
}

bool lpc_in_ram(const struct lpc *lpc, uint32_t at, uint32_t count)
{
    uint32_t offset = at - lpc->chip->ram_at;

    return at >= lpc->chip->ram_at && offset < lpc->chip->ram_bytes && count <= lpc->chip->ram_bytes - offset;
}

bool lpc_mapped(const struct lpc *lpc, uint32_t at, uint32_t count)
{
    uint32_t flash_bytes = lpc_flash_bytes(lpc->chip);

    return lpc_in_ram(lpc, at, count) || (at < flash_bytes && count <= flash_bytes - at);
}

uint8_t lpc_get(const struct lpc *lpc, uint32_t at)
{
    if (at >= lpc->chip->ram_at)
        return lpc->ram[at - lpc->chip->ram_at];
    if (at < lpc->chip->remapped_bytes)
        return (uint8_t)(sim_mix(lpc->chip->part_id + at) | 1);
    return cells_get(&lpc->flash, at);
}

static uint32_t flash_word(const struct lpc *lpc, uint32_t at)
{
    uint32_t value = 0;

    for (uint32_t i = 4; i; i--)
        value = value << 8 | cells_get(&lpc->flash, at + i - 1);
    return value;
}

bool lpc_has_user_code(const struct lpc *lpc)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < 8; i++)
        sum += flash_word(lpc, 4 * i);
    return sum == 0;
}

unsigned lpc_crp_in_flash(const struct lpc *lpc)
{
    switch (flash_word(lpc, lpc->chip->crp_at)) {
    case 0x87654321:
        return 2;
    case 0x12345678:
        return lpc->chip->crp_one_level ? 0 : 1;
    case 0x43218765:
        return lpc->chip->crp_one_level ? 0 : 3;
    default:
        return 0;
    }
}

static bool pin_is_ignored(const struct lpc *lpc)
{
    return lpc->crp == 3 || (!lpc->chip->crp_one_level && flash_word(lpc, lpc->chip->crp_at) == 0x4E697370);
}

/* Reset goes high; without user code there is ISP whatever the pin says. */
static void boot(struct lpc *lpc, bool isp_pin_low, uint64_t at_ns)
{
    receiver_restart(&lpc->receiver, at_ns);
    lpc->crp = lpc_crp_in_flash(lpc);
    lpc->echo = true;
    lpc->unlocked = false;
    lpc->length = 0;
    lpc->after_cr = false;
    memset(lpc->prepared, 0, sizeof lpc->prepared);
    board_lock_baud(lpc->receiver.board, false);
    lpc->phase = LPC_AUTOBAUD;
    if (lpc_has_user_code(lpc) && (!isp_pin_low || pin_is_ignored(lpc)))
        lpc->phase = LPC_RUNNING;
    if (lpc->receiver.board->options->pace)
        receiver_spends(&lpc->receiver, RESTART_NS);
}

static uint32_t max_baud(const struct lpc *lpc)
{
    uint64_t wanted = lpc->receiver.board->options->max_baud;

    return wanted ? (uint32_t)wanted : lpc->chip->fastest_baud;
}

/* Anything but '?', or '?' too fast to be measured, spoils a real one until reset; here only when asked for.
 */
static void measure(struct lpc *lpc, uint8_t byte)
{
    struct board *board = lpc->receiver.board;

    if (byte != '?' || board_baud(board) > max_baud(lpc)) {
        if (board->options->strict_sync)
            lpc->phase = LPC_MISMEASURED;
        return;
    }
    board_lock_baud(board, true);
    lpc->phase = LPC_GREETING;
    lpc_say(lpc, "Synchronized\r\n");
}

/* What is not the greeting sends the ROM back to measuring. */
static void greet(struct lpc *lpc)
{
    if (strcmp(lpc->line, "Synchronized") != 0) {
        lpc->phase = LPC_AUTOBAUD;
        board_lock_baud(lpc->receiver.board, false);
        return;
    }
    lpc->phase = LPC_CRYSTAL;
    lpc_say(lpc, "OK\r\n");
}

static void take_line(struct lpc *lpc)
{
    lpc->line[lpc->length] = '\0';
    if (lpc->phase == LPC_GREETING)
        greet(lpc);
    else if (lpc->phase == LPC_CRYSTAL) {
        lpc->phase = LPC_COMMAND;
        lpc_say(lpc, "OK\r\n");
    } else if (lpc->phase == LPC_COMMAND)
        lpc_command(lpc);
    else if (lpc->phase == LPC_TAKES_LINES)
        lpc_take_line(lpc);
    else if (lpc->phase == LPC_GIVEN_LINES)
        lpc_hear_verdict(lpc);
    lpc->length = 0;
}

/* The later ROMs echo the CR alone, but not in a transfer. */
static void echo(struct lpc *lpc, uint8_t byte)
{
    if (!lpc->echo)
        return;
    receiver_says(&lpc->receiver, &byte, 1);
    if (byte == '\r' && (lpc->chip->echoes_line_feed || lpc->phase == LPC_TAKES_LINES))
        receiver_says(&lpc->receiver, (const uint8_t *)"\n", 1);
}

/* A line ends with CR or LF; the LF of a CR LF is neither echoed nor a second end. ESC drops what was begun.
 */
static void take_letter(struct lpc *lpc, uint8_t byte)
{
    bool second_end = byte == '\n' && lpc->after_cr;

    lpc->after_cr = byte == '\r';
    if (second_end)
        return;
    if (byte == ESCAPE) {
        lpc->length = 0;
        lpc->phase = lpc->phase >= LPC_COMMAND ? LPC_COMMAND : lpc->phase;
        return;
    }
    echo(lpc, byte);
    if (byte == '\r' || byte == '\n')
        take_line(lpc);
    else if (lpc->length < LPC_LINE_MAX)
        lpc->line[lpc->length++] = (char)byte;
}

/* The LF that ends the command is not data yet. */
static void take_raw(struct lpc *lpc, uint8_t byte)
{
    bool still_command = byte == '\n' && lpc->after_cr;

    lpc->after_cr = false;
    if (still_command)
        return;
    if (lpc->echo)
        receiver_says(&lpc->receiver, &byte, 1);
    lpc_take_byte(lpc, byte);
}

static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct lpc *lpc = state;

    if (!receiver_hears(&lpc->receiver, at_ns))
        return;
    switch (lpc->phase) {
    case LPC_AUTOBAUD:
        measure(lpc, byte);
        break;
    case LPC_GREETING:
    case LPC_CRYSTAL:
    case LPC_COMMAND:
    case LPC_TAKES_LINES:
    case LPC_GIVEN_LINES:
        take_letter(lpc, byte);
        break;
    case LPC_TAKES_BYTES:
        take_raw(lpc, byte);
        break;
    case LPC_HELD:
    case LPC_RUNNING:
    case LPC_HUNG:
    case LPC_MISMEASURED:
        break;
    }
}

static void reset(void *state, uint64_t at_ns)
{
    boot(state, true, at_ns);
}

static void run(void *state, uint64_t at_ns)
{
    boot(state, false, at_ns);
}

/* DTR pulls reset, RTS the ISP pin, as the -control option of lpc21isp has them. */
static void modem(void *state, bool dtr, bool rts, uint64_t at_ns)
{
    struct lpc *lpc = state;

    if (dtr)
        lpc->phase = LPC_HELD;
    else if (lpc->phase == LPC_HELD)
        boot(lpc, rts, at_ns);
}

static const char *conf_entry(bool remote)
{
    return remote ? "lpc-isp" : "none";
}

static const char *chip_name(size_t index)
{
    const struct lpc_chip *chip = lpc_chip_at(index);

    return chip ? chip->name : NULL;
}

static void *create(struct board *board, size_t chip_index)
{
    struct lpc *lpc = sim_allocate(1, sizeof *lpc);

    lpc->receiver = (struct receiver){.board = board, .depth = FIFO_BYTES};
    lpc->chip = lpc_chip_at(chip_index);
    lpc->ram = sim_allocate(lpc->chip->ram_bytes, 1);
    cells_open(&lpc->flash, lpc_flash_bytes(lpc->chip));
    return lpc;
}

static void destroy(void *state)
{
    struct lpc *lpc = state;

    cells_close(&lpc->flash);
    free(lpc->ram);
    free(lpc);
}

static void renew(void *state)
{
    struct lpc *lpc = state;

    cells_renew(&lpc->flash);
}

static void identify(void *state, uint64_t identity)
{
    struct lpc *lpc = state;

    for (size_t i = 0; i < 4; i++)
        lpc->uid[i] = (uint32_t)sim_mix(identity + i);
}

/* CRP2: all that is left is to erase everything. */
static void lock(void *state)
{
    static const uint8_t crp2[] = {0x21, 0x43, 0x65, 0x87};
    struct lpc *lpc = state;

    cells_program(&lpc->flash, lpc->chip->crp_at, crp2, sizeof crp2);
    lpc->crp = lpc_crp_in_flash(lpc);
}

/* Behind what the boot ROM hides, so that it can be seen. */
static void spoil(void *state, uint64_t address)
{
    struct lpc *lpc = state;

    cells_spoil(&lpc->flash, address, 0x204);
}

static int fill(void *state, int byte, FILE *content)
{
    struct lpc *lpc = state;

    return cells_fill(&lpc->flash, byte, content);
}

static int dump(const void *state, FILE *file)
{
    const struct lpc *lpc = state;

    return cells_dump(&lpc->flash, file);
}

static const char *phase(const void *state)
{
    static const char *const names[] = {
        [LPC_HELD] = "held",          [LPC_AUTOBAUD] = "fresh",     [LPC_GREETING] = "greeting",
        [LPC_CRYSTAL] = "greeting",   [LPC_COMMAND] = "synced",     [LPC_TAKES_LINES] = "synced",
        [LPC_TAKES_BYTES] = "synced", [LPC_GIVEN_LINES] = "synced", [LPC_RUNNING] = "running",
        [LPC_HUNG] = "hung",          [LPC_MISMEASURED] = "lost",
    };
    const struct lpc *lpc = state;

    return names[lpc->phase];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct lpc *lpc = state;
    int used = snprintf(text, size, "protected=%d", lpc->crp != 0);

    if (lpc->chip->has_uid && used > 0 && (size_t)used < size)
        (void)snprintf(text + used, size - (size_t)used, " uid=%08x%08x%08x%08x", lpc->uid[0], lpc->uid[1],
                       lpc->uid[2], lpc->uid[3]);
}

const struct model lpc_isp_model = {
    .protocol = "lpc-uart",
    .frame_bits = 10,
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
