/* SPDX-License-Identifier: Apache-2.0 */
/* What a board answers. Every protocol in turn programs a small image on a port whose board says what the
 * input says: whatever that is, the run ends within its deadline, in virtual time, says what went wrong, has
 * not begun to write before it was allowed to, and lets go of its lines. And it does not pass: the image's
 * bytes come out of the input's own hash, so that no board can know them.
 *
 * The input: which protocol and chip, circumstances and image, then one turn of the board after the other. A
 * turn is what comes after the host has spoken: a count, and so many bytes; a count of 255 goes on with
 * another. protocols_seeds.c makes such inputs from recorded dialogues. */
#include "fuzz.h"
#include "fuzz_board.h"

#include "alloc.h"
#include "program.h"

#include <errno.h>
#include <string.h>

const struct fuzz_target fuzz_targets[] = {
    {"stk500v1", "atmega328p", "arduino"}, {"stk500v1", "atmega8", "arduino"},
    {"stk500v2", "atmega2560", "arduino"}, {"avr109", "atmega32u4", "touch-1200"},
    {"lpc-uart", "lpc1114", "lpc-isp"},    {"lpc-uart", "lpc812", "lpc-isp"},
    {"lpc-uart", "lpc2148", "lpc-isp"},    {"esp-rom", "esp32-4mb", "esp"},
    {"esp-rom", "esp32c3-4mb", "esp"},     {"esp-rom", "esp8266-4mb", "esp"},
    {"stm32-uart", "stm32f103xb", "none"}, {"rs485-isp", "p89lpc922", "break:500"},
    {"p89lpc9xx", "p89lpc922", "none"},    {"stk500v1", "atmega1284p", "arduino"},
};
const size_t fuzz_target_count = sizeof fuzz_targets / sizeof fuzz_targets[0];

/* --- the board ---------------------------------------------------------------------------- */

struct board_port {
    struct port port; /* first */
    struct clock clock;
    int64_t now_us;
    const uint8_t *turns; /* of the input, as far as it was not played yet */
    size_t left;
    bool spoken; /* the host has done something since the last turn */
    uint8_t heard[FUZZ_INPUT_MAX];
    size_t first, held;   /* of `heard` */
    const uint8_t *flood; /* when nothing is left, this again and again, faster than anyone can read */
    size_t flood_size, flood_at;
    const struct protocol *protocol; /* the real one */
    size_t disconnects;
};

static struct board_port *of(struct port *port)
{
    return (struct board_port *)port;
}

static int64_t board_time(void *context)
{
    return ((struct board_port *)context)->now_us;
}

static void pass_wire_time(struct board_port *board, size_t bytes)
{
    board->now_us += port_line_wire_ns(&board->port.line, bytes) / 1000;
}

/* The next turn joins what was not read yet. */
static void play_turn(struct board_port *board)
{
    uint8_t count = 255;

    while (board->spoken && count == 255 && board->left > 0) {
        size_t size;

        count = *board->turns;
        size = count < board->left - 1 ? count : board->left - 1;
        if (board->held == 0)
            board->first = 0;
        memcpy(board->heard + board->first + board->held, board->turns + 1, size);
        board->held += size;
        board->turns += 1 + size;
        board->left -= 1 + size;
    }
    board->spoken = false;
}

static size_t take_flood(struct board_port *board, uint8_t *bytes, size_t size)
{
    if (board->left > 0 || board->flood_size == 0)
        return 0;
    for (size_t i = 0; i < size; i++)
        bytes[i] = board->flood[board->flood_at++ % board->flood_size];
    return size;
}

static int board_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                      struct error *error)
{
    struct board_port *board = of(port);
    size_t count;

    (void)least;
    play_turn(board);
    count = size < board->held ? size : board->held;
    memcpy(bytes, board->heard + board->first, count);
    board->first += count;
    board->held -= count;
    if (count == 0)
        count = take_flood(board, bytes, size);
    pass_wire_time(board, count);
    if (count > 0)
        return (int)count;
    board->now_us = deadline_us > board->now_us ? deadline_us : board->now_us;
    return error_set(error, -ETIMEDOUT, "nothing came");
}

static int board_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                       struct error *error)
{
    (void)bytes, (void)deadline_us, (void)error;
    of(port)->spoken = true;
    pass_wire_time(of(port), size);
    return 0;
}

static int board_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    (void)port, (void)line, (void)error;
    return 0;
}

static int board_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    (void)dtr, (void)rts, (void)error;
    of(port)->spoken = true;
    return 0;
}

static int board_set_break(struct port *port, bool on, struct error *error)
{
    (void)on, (void)error;
    of(port)->spoken = true;
    return 0;
}

static int board_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    (void)touch_baud, (void)deadline_us, (void)error;
    of(port)->spoken = true;
    return 0;
}

static void board_discard(struct port *port)
{
    of(port)->held = 0;
}

static int board_sleep(struct port *port, int64_t duration_us)
{
    of(port)->now_us += duration_us;
    return 0;
}

static void board_close(struct port *port)
{
    (void)port;
}

static const struct port_kind board_kind = {.scheme = "fuzz",
                                            .set_line = board_set_line,
                                            .set_modem = board_set_modem,
                                            .set_break = board_set_break,
                                            .read = board_read,
                                            .write = board_write,
                                            .reopen = board_reopen,
                                            .discard = board_discard,
                                            .sleep = board_sleep,
                                            .close = board_close};

/* --- the image ---------------------------------------------------------------------------- */

static uint64_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 1099511628211u;
    return hash | 1;
}

static void fill(struct image_range *range, uint64_t *random)
{
    range->data = allocate(range->size, 1);
    for (uint32_t i = 0; i < range->size; i++) {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        range->data[i] = (uint8_t)(*random >> 32);
    }
}

/* The word that a LPC's ROM wants. */
static void mend_vectors(struct image_range *range, const struct chip_lpc *lpc)
{
    uint8_t *word = range->data + (size_t)4 * lpc->checksum_vector;
    uint32_t sum = 0;

    memset(word, 0, 4);
    for (uint32_t i = 0; i < 32; i++)
        sum += (uint32_t)range->data[i] << 8 * (i % 4);
    for (int i = 0; i < 4; i++)
        word[i] = (uint8_t)((0 - sum) >> 8 * i);
}

/* Pages begun and pages shared, odd addresses, blank stretches; behind what an LPC's loader hides. */
static void make_image(struct image *image, const struct chip *chip, unsigned variant, uint64_t random)
{
    static const struct chip_span layouts[4][2] = {
        {{0, 600}, {2048, 100}}, {{1037, 37}, {2048, 64}}, {{1030, 40}, {1101, 50}}, {{0, 1025}, {1500, 77}}};
    uint32_t base = chip->family->flash_base + (chip->family->kind == CHIP_ESP ? 0x10000u : 0);
    bool eeprom = variant == 2 && chip->family->eeprom.size > 0;

    *image = (struct image){.count = eeprom ? 3 : 2, .ranges = allocate(3, sizeof *image->ranges)};
    for (size_t i = 0; i < image->count; i++) {
        struct image_range *range = &image->ranges[i];

        range->address = i < 2 ? base + layouts[variant][i].address : chip->family->eeprom.address + 3;
        range->size = i < 2 ? layouts[variant][i].size : 40;
        fill(range, &random);
    }
    if (variant == 0)
        memset(image->ranges[0].data + 256, 0xFF, 256);
    if (image->ranges[0].address == 0 && chip->family->lpc)
        mend_vectors(&image->ranges[0], chip->family->lpc);
}

/* --- the run ------------------------------------------------------------------------------ */

struct fuzz_run {
    bool reserved;
};

static int allow(void *context, const struct board *board, struct error *error)
{
    struct fuzz_run *run = context;

    (void)error;
    FUZZ_CHECK(!run->reserved && board->uid_size <= BOARD_UID_MAX);
    run->reserved = true;
    return 0;
}

static void ignore_progress(void *context, const struct progress *progress)
{
    (void)context;
    FUZZ_CHECK(progress->percent <= 100);
}

static void judge(const struct fuzz_run *run, const struct report *report, bool may_pass)
{
    if (report->outcome == OUTCOME_PASS) {
        FUZZ_CHECK(may_pass && run->reserved && report->verify != VERIFY_NONE);
        return;
    }
    FUZZ_CHECK(report->failure != FAILURE_NONE && report->failure != FAILURE_INTERNAL);
    FUZZ_CHECK(report->error.text[0] != '\0');
    FUZZ_CHECK(run->reserved || report->outcome == OUTCOME_ABORTED);
}

/* The protocol's own disconnect is called through here, to see that it was. */
static void count_disconnect(struct session *session)
{
    struct board_port *board = of(session->port);

    board->protocol->disconnect(session);
    board->disconnects++;
}

/* A second for letting go, and what a wait may be over its deadline. */
#define SLACK_US 3000000

static void program(struct board_port *port, struct session *session, const struct order *order,
                    bool may_pass)
{
    struct fuzz_run run = {.reserved = false};
    const struct program_watcher watcher = {.reserve = allow, .progress = ignore_progress, .context = &run};
    struct error error = ERROR_NONE;
    struct report report;
    struct plan plan;

    FUZZ_CHECK(plan_make(&plan, order, session->protocol, &error) == 0);
    session->state = allocate(1, session->protocol->state_size);
    (void)program_board(session, order, &plan, &watcher, &report);
    judge(&run, &report, may_pass);
    FUZZ_CHECK(port->disconnects == 1);
    FUZZ_CHECK(port->now_us <= plan.timeout_us + SLACK_US);
    free(session->state);
    plan_clear(&plan);
}

/* Chips that cannot be read are believed when they say the same twice. */
static bool can_be_known(const struct protocol *protocol)
{
    return !plan_by_sums(protocol);
}

static void try_target(const struct fuzz_target *target, uint8_t circumstances, struct board_port *port,
                       uint64_t hash)
{
    const struct protocol *protocol = protocol_find(target->protocol);
    struct protocol watched = *protocol;
    struct session session = {.port = &port->port,
                              .protocol = &watched,
                              .in_step = circumstances & FUZZ_IN_STEP,
                              .half_way = circumstances & FUZZ_HALF_WAY};
    struct order order = {.chip = chip_find(target->chip), .run = circumstances & FUZZ_RUN};
    struct error error = ERROR_NONE;
    struct entry *entry = NULL;
    struct image image;

    port->protocol = protocol;
    watched.disconnect = count_disconnect;
    FUZZ_CHECK(order.chip);
    FUZZ_CHECK(entry_parse(&entry, circumstances & FUZZ_RESETS ? target->entry : "none", "", &error) == 0);
    make_image(&image, order.chip, circumstances >> 6, hash);
    session.entry = entry;
    order.image = &image;
    program(port, &session, &order, !can_be_known(protocol));
    image_clear(&image);
    entry_free(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board_port *port;

    if (size < FUZZ_HEAD || size > FUZZ_INPUT_MAX)
        return 0;
    port = allocate(1, sizeof *port);
    port->clock = (struct clock){.monotonic_us = board_time, .utc_us = board_time, .context = port};
    port->port = (struct port){.kind = &board_kind,
                               .clock = &port->clock,
                               .line = {.baud = 115200, .stop_bits = 1},
                               .traits = {.path = "fuzz", .modem_lines = true}};
    port->turns = data + FUZZ_HEAD;
    port->left = size - FUZZ_HEAD;
    port->flood_size = data[2] < port->left ? data[2] : port->left;
    port->flood = data + size - port->flood_size;
    try_target(&fuzz_targets[data[0] % fuzz_target_count], data[1], port, hash_of(data, size));
    free(port);
    return 0;
}
