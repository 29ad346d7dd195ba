/* SPDX-License-Identifier: Apache-2.0 */
/* The ISP commands, after the chapter "ISP commands" of the user manuals, in the order of its table. */
#include "lpc_isp.h"

#include "common.h"

#include <string.h>

enum { PARAMETERS_MAX = 4 };

struct call {
    uint64_t number[PARAMETERS_MAX];
    size_t count; /* how many decimal numbers stand behind the letter */
    char mode;    /* G: a letter in the second place */
    bool bad;     /* something that is neither */
};

static struct fault *fault(struct lpc *lpc, enum fault_kind kind)
{
    return &lpc->receiver.board->faults[kind];
}

static enum lpc_status unlock(struct lpc *lpc, const struct call *call)
{
    if (call->count != 1)
        return LPC_PARAM_ERROR;
    lpc->unlocked = call->number[0] == 23130;
    return lpc->unlocked ? LPC_SUCCESS : LPC_INVALID_CODE;
}

/* The answer still leaves at the old rate. */
static enum lpc_status set_baud(struct lpc *lpc, const struct call *call)
{
    static const uint32_t known[] = {9600, 19200, 38400, 57600, 115200, 230400};
    uint64_t wanted = call->number[0];
    bool good = false;

    if (call->count != 2)
        return LPC_PARAM_ERROR;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        good = good || (known[i] == wanted && wanted <= lpc->chip->fastest_baud);
    if (!good)
        return LPC_INVALID_BAUD_RATE;
    if (call->number[1] != 1 && call->number[1] != 2)
        return LPC_INVALID_STOP_BIT;
    lpc_answer(lpc, LPC_SUCCESS);
    board_set_baud(lpc->receiver.board, (uint32_t)wanted);
    return LPC_NO_ANSWER;
}

static enum lpc_status set_echo(struct lpc *lpc, const struct call *call)
{
    if (call->count != 1 || call->number[0] > 1)
        return LPC_PARAM_ERROR;
    lpc->echo = call->number[0] == 1;
    return LPC_SUCCESS;
}

/* CRP1 leaves the RAM above what any ROM version uses to its own. */
static bool ram_is_closed(const struct lpc *lpc, uint32_t at)
{
    return lpc->crp >= 2 || (lpc->crp == 1 && at < lpc->chip->ram_at + 0x300);
}

static enum lpc_status write_ram(struct lpc *lpc, const struct call *call)
{
    uint32_t at = (uint32_t)call->number[0], count = (uint32_t)call->number[1];

    if (call->count != 2)
        return LPC_PARAM_ERROR;
    if (ram_is_closed(lpc, at))
        return LPC_READ_PROTECTED;
    if (at % 4)
        return LPC_ADDR_ERROR;
    if (!count || count % 4)
        return LPC_COUNT_ERROR;
    if (!lpc_in_ram(lpc, at, count))
        return LPC_ADDR_NOT_MAPPED;
    lpc_answer(lpc, LPC_SUCCESS);
    lpc_start_writing(lpc, at, count);
    return LPC_NO_ANSWER;
}

static enum lpc_status readable(const struct lpc *lpc, const struct call *call)
{
    uint32_t at = (uint32_t)call->number[0], count = (uint32_t)call->number[1];

    if (call->count != 2)
        return LPC_PARAM_ERROR;
    if (lpc->crp)
        return LPC_READ_PROTECTED;
    if (at % 4)
        return LPC_ADDR_ERROR;
    if (!count || count % 4)
        return LPC_COUNT_ERROR;
    return lpc_mapped(lpc, at, count) ? LPC_SUCCESS : LPC_ADDR_NOT_MAPPED;
}

static enum lpc_status read_memory(struct lpc *lpc, const struct call *call)
{
    enum lpc_status status = readable(lpc, call);

    if (status != LPC_SUCCESS)
        return status;
    lpc_answer(lpc, LPC_SUCCESS);
    lpc_start_reading(lpc, (uint32_t)call->number[0], (uint32_t)call->number[1]);
    return LPC_NO_ANSWER;
}

static enum lpc_status sector_range(const struct lpc *lpc, const struct call *call)
{
    if (call->count != 2)
        return LPC_PARAM_ERROR;
    if (call->number[0] > call->number[1] || call->number[1] >= lpc_sectors(lpc->chip))
        return LPC_INVALID_SECTOR;
    return LPC_SUCCESS;
}

static enum lpc_status prepare(struct lpc *lpc, const struct call *call)
{
    enum lpc_status status = sector_range(lpc, call);

    for (uint64_t i = call->number[0]; status == LPC_SUCCESS && i <= call->number[1]; i++)
        lpc->prepared[i] = true;
    return status;
}

/* Good for one Copy or Erase: they close all sectors behind them. */
static bool all_prepared(const struct lpc *lpc, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++)
        if (!lpc->prepared[i])
            return false;
    return true;
}

static void unprepare(struct lpc *lpc)
{
    memset(lpc->prepared, 0, sizeof lpc->prepared);
}

static bool copies(const struct lpc_chip *chip, uint32_t count)
{
    for (size_t i = 0; i < 5; i++)
        if (count && chip->copy_bytes[i] == count)
            return true;
    return false;
}

static enum lpc_status copyable(const struct lpc *lpc, uint32_t to, uint32_t from, uint32_t count)
{
    uint32_t flash_bytes = lpc_flash_bytes(lpc->chip);

    if (from % 4)
        return LPC_SRC_ADDR_ERROR;
    if (to % lpc->chip->copy_bytes[0])
        return LPC_DST_ADDR_ERROR;
    if (!copies(lpc->chip, count))
        return LPC_COUNT_ERROR;
    if (!lpc_in_ram(lpc, from, count))
        return LPC_SRC_ADDR_NOT_MAPPED;
    if (to >= flash_bytes || count > flash_bytes - to)
        return LPC_DST_ADDR_NOT_MAPPED;
    if (lpc->crp >= 2 || (lpc->crp == 1 && lpc_sector_of(lpc->chip, to) == 0))
        return LPC_READ_PROTECTED;
    if (!lpc->unlocked)
        return LPC_CMD_LOCKED;
    if (!all_prepared(lpc, lpc_sector_of(lpc->chip, to), lpc_sector_of(lpc->chip, to + count - 1)))
        return LPC_SECTOR_NOT_PREPARED;
    return LPC_SUCCESS;
}

static enum lpc_status after(struct lpc *lpc, enum fate fate)
{
    if (receiver_dies(&lpc->receiver, fate)) {
        lpc->phase = LPC_HUNG;
        return LPC_NO_ANSWER;
    }
    if (fate == FATE_UNANSWERED)
        return LPC_NO_ANSWER;
    return fate == FATE_REFUSED ? LPC_BUSY : LPC_SUCCESS;
}

static enum lpc_status copy(struct lpc *lpc, const struct call *call)
{
    uint32_t to = (uint32_t)call->number[0], from = (uint32_t)call->number[1], count, landed;
    uint8_t bytes[4096];
    enum lpc_status status;
    enum fate fate;

    if (call->count != 3)
        return LPC_PARAM_ERROR;
    count = (uint32_t)call->number[2];
    status = copyable(lpc, to, from, count);
    if (status != LPC_SUCCESS)
        return status;
    memcpy(bytes, lpc->ram + (from - lpc->chip->ram_at), count);
    fate = next_fate(lpc->receiver.board);
    landed = fate_applied(fate, bytes, count);
    cells_program(&lpc->flash, to, bytes, landed);
    lpc->receiver.board->counters.written_bytes += landed;
    receiver_spends_flash(&lpc->receiver, (uint64_t)landed / lpc->chip->copy_bytes[0] *
                                              lpc->chip->program_us_per_page * NS_PER_US);
    unprepare(lpc);
    return after(lpc, fate);
}

/* Mode T needs the Thumb bit nowhere: the ROM sets it. Nothing is executed. */
static enum lpc_status go(struct lpc *lpc, const struct call *call)
{
    uint32_t at = (uint32_t)call->number[0];

    if (call->count != 1 || (call->mode != 'T' && !(call->mode == 'A' && lpc->chip->arm_code)))
        return LPC_PARAM_ERROR;
    if (lpc->crp)
        return LPC_READ_PROTECTED;
    if (at % 4)
        return LPC_ADDR_ERROR;
    if (!lpc_mapped(lpc, at, 4))
        return LPC_ADDR_NOT_MAPPED;
    if (!lpc->unlocked)
        return LPC_CMD_LOCKED;
    lpc_answer(lpc, LPC_SUCCESS);
    lpc->phase = LPC_RUNNING;
    return LPC_NO_ANSWER;
}

static bool erase_is_closed(const struct lpc *lpc, uint32_t first, uint32_t last)
{
    bool all = first == 0 && last == lpc_sectors(lpc->chip) - 1;

    return !all && (lpc->crp >= 2 || (lpc->crp == 1 && first == 0));
}

static enum lpc_status erase(struct lpc *lpc, const struct call *call)
{
    enum lpc_status status = sector_range(lpc, call);
    uint32_t first = (uint32_t)call->number[0], last = (uint32_t)call->number[1], start;

    if (status != LPC_SUCCESS)
        return status;
    if (erase_is_closed(lpc, first, last))
        return LPC_READ_PROTECTED;
    if (!lpc->unlocked)
        return LPC_CMD_LOCKED;
    if (!all_prepared(lpc, first, last))
        return LPC_SECTOR_NOT_PREPARED;
    if (fault(lpc, FAULT_NACK_ERASE)->set)
        return LPC_BUSY;
    start = lpc_sector_start(lpc->chip, first);
    cells_erase(&lpc->flash, start, lpc_sector_start(lpc->chip, last + 1) - start);
    lpc->receiver.board->counters.erases++;
    receiver_spends_flash(&lpc->receiver, lpc->chip->erase_ms * NS_PER_MS);
    unprepare(lpc);
    return LPC_SUCCESS;
}

static uint32_t word(const struct lpc *lpc, uint32_t at)
{
    uint32_t value = 0;

    for (uint32_t i = 4; i; i--)
        value = value << 8 | lpc_get(lpc, at + i - 1);
    return value;
}

/* What is told is what the processor sees: the boot ROM's vectors make sector 0 look used on the ARM7 parts
 * and on the LPC17xx; the later ROMs look at the cells. */
static enum lpc_status blank_check(struct lpc *lpc, const struct call *call)
{
    enum lpc_status status = sector_range(lpc, call);
    uint32_t at, end;

    if (status != LPC_SUCCESS)
        return status;
    at = lpc_sector_start(lpc->chip, (uint32_t)call->number[0]);
    end = lpc_sector_start(lpc->chip, (uint32_t)call->number[1] + 1);
    for (uint32_t from = at; at < end; at += 4) {
        uint32_t content = lpc->chip->binary && cells_blank(&lpc->flash, at, 4) ? UINT32_MAX : word(lpc, at);

        if (content == UINT32_MAX)
            continue;
        lpc_answer(lpc, LPC_SECTOR_NOT_BLANK);
        lpc_say(lpc, "%u\r\n%u\r\n", lpc->crp ? 0 : at - from, lpc->crp ? 0 : content);
        return LPC_NO_ANSWER;
    }
    return LPC_SUCCESS;
}

static enum lpc_status part_id(struct lpc *lpc, const struct call *call)
{
    const struct fault *wrong = fault(lpc, FAULT_WRONG_ID);
    uint32_t id = lpc->chip->part_id;

    if (call->count)
        return LPC_PARAM_ERROR;
    if (wrong->set) /* otherwise an LPC1113/301, or for that one's brother an LPC1111 */
        id = wrong->number ? (uint32_t)wrong->number : id == 0x0434102B ? 0x0416502B : 0x0434102B;
    lpc_answer(lpc, LPC_SUCCESS);
    lpc_say(lpc, "%u\r\n", id);
    return LPC_NO_ANSWER;
}

static enum lpc_status boot_version(struct lpc *lpc, const struct call *call)
{
    if (call->count)
        return LPC_PARAM_ERROR;
    lpc_answer(lpc, LPC_SUCCESS);
    lpc_say(lpc, "%u\r\n%u\r\n", lpc->chip->boot_minor, lpc->chip->boot_major);
    return LPC_NO_ANSWER;
}

static enum lpc_status compare(struct lpc *lpc, const struct call *call)
{
    uint32_t one = (uint32_t)call->number[0], other = (uint32_t)call->number[1];
    uint32_t count = (uint32_t)call->number[2];

    if (call->count != 3)
        return LPC_PARAM_ERROR;
    if (lpc->crp)
        return LPC_READ_PROTECTED;
    if (one % 4 || other % 4)
        return LPC_ADDR_ERROR;
    if (!count || count % 4)
        return LPC_COUNT_ERROR;
    if (!lpc_mapped(lpc, one, count) || !lpc_mapped(lpc, other, count))
        return LPC_ADDR_NOT_MAPPED;
    for (uint32_t i = 0; i < count; i++)
        if (lpc_get(lpc, one + i) != lpc_get(lpc, other + i)) {
            lpc_answer(lpc, LPC_COMPARE_ERROR);
            lpc_say(lpc, "%u\r\n", i / 4 * 4);
            return LPC_NO_ANSWER;
        }
    return LPC_SUCCESS;
}

static enum lpc_status read_uid(struct lpc *lpc, const struct call *call)
{
    if (!lpc->chip->has_uid)
        return LPC_INVALID_COMMAND;
    if (call->count)
        return LPC_PARAM_ERROR;
    lpc_answer(lpc, LPC_SUCCESS);
    for (size_t i = 0; i < 4; i++)
        lpc_say(lpc, "%u\r\n", lpc->uid[i]);
    return LPC_NO_ANSWER;
}

/* The CRC engine set up as for Ethernet: reflected, complemented. */
static enum lpc_status read_crc(struct lpc *lpc, const struct call *call)
{
    enum lpc_status status = lpc->chip->binary ? readable(lpc, call) : LPC_INVALID_COMMAND;
    uint32_t at = (uint32_t)call->number[0], crc = UINT32_MAX;

    if (status != LPC_SUCCESS)
        return status;
    for (uint32_t i = 0; i < (uint32_t)call->number[1]; i++) {
        crc ^= lpc_get(lpc, at + i);
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320U : crc >> 1;
    }
    lpc_answer(lpc, LPC_SUCCESS);
    lpc_say(lpc, "%u\r\n", ~crc);
    return LPC_NO_ANSWER;
}

static const struct {
    char letter;
    enum lpc_status (*run)(struct lpc *lpc, const struct call *call);
} commands[] = {
    {.letter = 'U', .run = unlock},      {.letter = 'B', .run = set_baud},
    {.letter = 'A', .run = set_echo},    {.letter = 'W', .run = write_ram},
    {.letter = 'R', .run = read_memory}, {.letter = 'P', .run = prepare},
    {.letter = 'C', .run = copy},        {.letter = 'G', .run = go},
    {.letter = 'E', .run = erase},       {.letter = 'I', .run = blank_check},
    {.letter = 'J', .run = part_id},     {.letter = 'K', .run = boot_version},
    {.letter = 'M', .run = compare},     {.letter = 'N', .run = read_uid},
    {.letter = 'S', .run = read_crc},
};

static void parse(struct call *call, char *text)
{
    char *part;

    while ((part = strsep(&text, " "))) {
        if (!*part)
            continue;
        if (call->count < PARAMETERS_MAX && !sim_number(part, 0, UINT32_MAX, &call->number[call->count]))
            call->count++;
        else if (!call->mode && !part[1])
            call->mode = part[0];
        else
            call->bad = true;
    }
}

void lpc_command(struct lpc *lpc)
{
    struct call call = {.count = 0};

    if (!lpc->length)
        return;
    parse(&call, lpc->line + 1);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].letter != lpc->line[0])
            continue;
        lpc_answer(lpc, call.bad ? LPC_PARAM_ERROR : commands[i].run(lpc, &call));
        return;
    }
    lpc_answer(lpc, LPC_INVALID_COMMAND);
}
