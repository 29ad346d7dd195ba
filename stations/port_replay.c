/* SPDX-License-Identifier: Apache-2.0 */
/* A port that plays a dialogue from a file; tests/dialogues/README.md gives the format and the rules. It
 * knows no device and no loop: its time is virtual and passes only in here. */
#include "port.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line of the file. */
struct item {
    char sign; /* its first character */
    int number;
    char text[48];      /* as it stands there, cut; for sentences */
    size_t first, size; /* > and <: its part of `bytes` */
    int64_t silence_ns; /* ! */
    struct port_line line;
    bool dtr, rts, on;   /* @ and b */
    uint32_t touch_baud; /* o */
};

struct port_replay {
    struct port port; /* first */
    struct clock clock;
    char *path;
    struct item *items;
    size_t count;
    uint8_t *bytes;
    size_t byte_count, byte_room;
    size_t at, done;      /* the item being played, and how many of its bytes were */
    int64_t now_ns;       /* virtual time */
    int64_t line_free_ns; /* when the last byte was over on the wire */
    struct error failed;  /* the first deviation, or that the port vanished */
};

static struct port_replay *of(struct port *port)
{
    return (struct port_replay *)port;
}

/* --- reading the file --------------------------------------------------------------------- */

static int bad_line(const struct port_replay *replay, const struct item *item, const char *expected,
                    struct error *error)
{
    return error_set(error, -EINVAL, "%s:%d: \"%s\": expected %s", replay->path, item->number, item->text,
                     expected);
}

static void add_byte(struct port_replay *replay, uint8_t byte)
{
    if (replay->byte_count == replay->byte_room) {
        replay->byte_room = replay->byte_room * 2 + 256;
        replay->bytes = reallocate(replay->bytes, replay->byte_room, 1);
    }
    replay->bytes[replay->byte_count++] = byte;
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789ABCDEF";
    const char *found = digit ? strchr(digits, toupper((unsigned char)digit)) : NULL;

    return found ? (int)(found - digits) : -1;
}

static int parse_bytes(struct port_replay *replay, struct item *item, const char *text, struct error *error)
{
    item->first = replay->byte_count;
    while (*text) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

        if (low < 0 || (text[2] != ' ' && text[2] != '\0'))
            return bad_line(replay, item, "bytes of two hex digits, with blanks between", error);
        add_byte(replay, (uint8_t)(high << 4 | low));
        text += text[2] ? 3 : 2;
    }
    item->size = replay->byte_count - item->first;
    return item->size ? 0 : bad_line(replay, item, "at least one byte", error);
}

static int parse_silence(const struct port_replay *replay, struct item *item, const char *text,
                         struct error *error)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    char *unit;
    int64_t value = strtoll(text, &unit, 10);

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (isdigit((unsigned char)text[0]) && value <= 1000000 && strcmp(unit, units[i].name) == 0) {
            item->silence_ns = value * units[i].ns;
            return 0;
        }
    }
    return bad_line(replay, item, "a silence like \"20ms\"", error);
}

static int parse_line_settings(const struct port_replay *replay, struct item *item, const char *text,
                               struct error *error)
{
    static const char letters[] = "NOEMS"; /* in the order of enum port_parity */
    char parity, stop, more;
    const char *letter;

    if (sscanf(text, "%" SCNu32 " 8%c%c%c", &item->line.baud, &parity, &stop, &more) != 3)
        return bad_line(replay, item, "line settings like \"115200 8E1\"", error);
    letter = memchr(letters, parity, sizeof letters - 1);
    if (!letter || (stop != '1' && stop != '2') || item->line.baud == 0)
        return bad_line(replay, item, "line settings like \"115200 8E1\"", error);
    item->line.parity = (enum port_parity)(letter - letters);
    item->line.stop_bits = (uint8_t)(stop - '0');
    return 0;
}

static int parse_modem(struct port_replay *replay, struct item *item, const char *text, struct error *error)
{
    int dtr, rts;
    char more;

    if (sscanf(text, "dtr=%1d rts=%1d%c", &dtr, &rts, &more) != 2 || dtr < 0 || dtr > 1 || rts < 0 || rts > 1)
        return bad_line(replay, item, "modem lines like \"dtr=1 rts=0\"", error);
    item->dtr = dtr;
    item->rts = rts;
    replay->port.traits.modem_lines = true;
    return 0;
}

static int parse_reopen(const struct port_replay *replay, struct item *item, const char *text,
                        struct error *error)
{
    char more;

    return sscanf(text, "%" SCNu32 "%c", &item->touch_baud, &more) == 1
               ? 0
               : bad_line(replay, item, "a rate like \"o 1200\", or \"o 0\"", error);
}

static int parse_item(struct port_replay *replay, struct item *item, const char *text, struct error *error)
{
    const char *rest = text[1] == ' ' ? text + 2 : "";

    if (replay->count > 0 && replay->items[replay->count - 1].sign == 'x')
        return bad_line(replay, item, "nothing after the port has vanished", error);
    switch (item->sign) {
    case '>':
    case '<':
        return parse_bytes(replay, item, rest, error);
    case '!':
        return parse_silence(replay, item, rest, error);
    case '=':
        return parse_line_settings(replay, item, rest, error);
    case '@':
        return parse_modem(replay, item, rest, error);
    case 'b':
        item->on = strcmp(rest, "1") == 0;
        return item->on || strcmp(rest, "0") == 0 ? 0 : bad_line(replay, item, "\"b 1\" or \"b 0\"", error);
    case 'o':
        return parse_reopen(replay, item, rest, error);
    case 'x':
        return text[1] == '\0' ? 0 : bad_line(replay, item, "\"x\" alone", error);
    default:
        return bad_line(replay, item, "a line that starts with one of # > < ! = @ b o x", error);
    }
}

static int parse_file(struct port_replay *replay, FILE *file, struct error *error)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length;

    for (int number = 1; (length = getline(&text, &room, file)) >= 0; number++) {
        struct item item = {.number = number};

        while (length > 0 && isspace((unsigned char)text[length - 1]))
            text[--length] = '\0';
        if (length == 0 || text[0] == '#')
            continue;
        item.sign = text[0];
        (void)snprintf(item.text, sizeof item.text, "%s", text);
        if (parse_item(replay, &item, text, error) < 0)
            break;
        replay->items = reallocate(replay->items, replay->count + 1, sizeof *replay->items);
        replay->items[replay->count++] = item;
    }
    free(text);
    if (length >= 0)
        return error->code;
    return ferror(file) ? error_set_errno(error, EIO, "dialogue %s cannot be read", replay->path) : 0;
}

/* --- playing ------------------------------------------------------------------------------ */

static void drop_played(struct port_replay *replay)
{
    while (replay->at < replay->count && replay->items[replay->at].size > 0 &&
           replay->done == replay->items[replay->at].size) {
        replay->at++;
        replay->done = 0;
    }
}

/* The item that comes next, silences passed over and summed up; NULL at the end. Consumes nothing but what
 * was played. */
static struct item *peek(struct port_replay *replay, int64_t *silence_ns)
{
    size_t at;

    drop_played(replay);
    *silence_ns = 0;
    for (at = replay->at; at < replay->count && replay->items[at].sign == '!'; at++)
        *silence_ns += replay->items[at].silence_ns;
    return at < replay->count ? &replay->items[at] : NULL;
}

/* Moves on to an item that peek() found. */
static void move_to(struct port_replay *replay, const struct item *item)
{
    if (&replay->items[replay->at] != item)
        replay->done = 0;
    replay->at = (size_t)(item - replay->items);
}

static int deviation(struct port_replay *replay, const struct item *item, const char *did,
                     struct error *error)
{
    if (item)
        (void)error_set(&replay->failed, -EPROTO, "%s:%d: expected \"%s\", but the host %s", replay->path,
                        item->number, item->text, did);
    else
        (void)error_set(&replay->failed, -EPROTO, "%s:%d: the dialogue is over, but the host %s",
                        replay->path, replay->count ? replay->items[replay->count - 1].number : 0, did);
    *error = replay->failed;
    return error->code;
}

static int vanish(struct port_replay *replay, const struct item *item, struct error *error)
{
    move_to(replay, item);
    replay->at++;
    (void)error_set(&replay->failed, -ENODEV, "%s is gone (line %d)", replay->path, item->number);
    *error = replay->failed;
    return error->code;
}

/* The next item when it has this sign; otherwise NULL and the error. */
static const struct item *expect(struct port_replay *replay, char sign, const char *did, struct error *error)
{
    int64_t silence_ns;
    const struct item *item = replay->failed.code ? NULL : peek(replay, &silence_ns);

    if (replay->failed.code)
        *error = replay->failed;
    else if (item && item->sign == 'x')
        (void)vanish(replay, item, error);
    else if (!item || item->sign != sign)
        (void)deviation(replay, item, did, error);
    else {
        move_to(replay, item);
        return item;
    }
    return NULL;
}

static int replay_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    struct port_replay *replay = of(port);
    const struct item *item;
    char did[64];

    (void)snprintf(did, sizeof did, "set the line to %" PRIu32 " 8%c%d", line->baud, "NOEMS"[line->parity],
                   line -> stop_bits);
    item = expect(replay, '=', did, error);
    if (!item)
        return error->code;
    if (item->line.baud != line->baud || item->line.parity != line->parity ||
        item->line.stop_bits != line->stop_bits)
        return deviation(replay, item, did, error);
    replay->at++;
    return 0;
}

static int replay_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    struct port_replay *replay = of(port);
    const struct item *item;
    char did[64];

    (void)snprintf(did, sizeof did, "set dtr=%d rts=%d", dtr, rts);
    item = expect(replay, '@', did, error);
    if (!item)
        return error->code;
    if (item->dtr != dtr || item->rts != rts)
        return deviation(replay, item, did, error);
    replay->at++;
    return 0;
}

static int replay_set_break(struct port *port, bool on, struct error *error)
{
    struct port_replay *replay = of(port);
    const char *did = on ? "began a break" : "ended a break";
    const struct item *item = expect(replay, 'b', did, error);

    if (!item)
        return error->code;
    if (item->on != on)
        return deviation(replay, item, did, error);
    replay->at++;
    return 0;
}

static int replay_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    struct port_replay *replay = of(port);
    const struct item *item;
    char did[64];

    (void)deadline_us;
    (void)snprintf(did, sizeof did, "opened the port again (%" PRIu32 ")", touch_baud);
    item = expect(replay, 'o', did, error);
    if (!item)
        return error->code;
    if (item->touch_baud != touch_baud)
        return deviation(replay, item, did, error);
    replay->at++;
    return 0;
}

static int replay_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                        struct error *error)
{
    struct port_replay *replay = of(port);

    (void)deadline_us; /* the driver's buffer always has room */
    for (size_t i = 0; i < size; i++) {
        char did[64];
        const struct item *item;

        (void)snprintf(did, sizeof did, "wrote %02X", bytes[i]);
        item = expect(replay, '>', did, error);
        if (!item)
            return error->code;
        if (replay->bytes[item->first + replay->done] != bytes[i]) {
            (void)snprintf(did, sizeof did, "wrote %02X as byte %zu of it", bytes[i], replay->done + 1);
            return deviation(replay, item, did, error);
        }
        replay->done++;
    }
    if (replay->line_free_ns < replay->now_ns)
        replay->line_free_ns = replay->now_ns;
    replay->line_free_ns += port_line_wire_ns(&port->line, size);
    return 0;
}

/* The board's next byte if it is there at `until_ns` at the latest; time does not move. */
static const struct item *next_byte(struct port_replay *replay, int64_t until_ns, int64_t *arrival_ns)
{
    int64_t silence_ns;
    const struct item *item = peek(replay, &silence_ns);

    *arrival_ns = replay->line_free_ns + silence_ns + port_line_wire_ns(&replay->port.line, 1);
    return item && item->sign == '<' && *arrival_ns <= until_ns ? item : NULL;
}

static uint8_t take_byte(struct port_replay *replay, const struct item *item, int64_t arrival_ns)
{
    move_to(replay, item);
    replay->line_free_ns = arrival_ns;
    return replay->bytes[item->first + replay->done++];
}

/* A read that found nothing (more): the port vanishes, or time passes until the deadline. */
static int run_dry(struct port_replay *replay, int64_t until_ns, int got, struct error *error)
{
    int64_t silence_ns;
    const struct item *item = peek(replay, &silence_ns);

    if (item && item->sign == 'x' && replay->line_free_ns + silence_ns <= until_ns)
        return got > 0 ? got : vanish(replay, item, error);
    if (until_ns == INT64_MAX)
        return got > 0 ? got : deviation(replay, item, "waits for bytes without a deadline", error);
    if (replay->now_ns < until_ns)
        replay->now_ns = until_ns;
    return got > 0 ? got : error_set(error, -ETIMEDOUT, "%s: nothing came", replay->path);
}

static int replay_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                       struct error *error)
{
    struct port_replay *replay = of(port);
    int64_t until_ns = deadline_us > INT64_MAX / 1000 ? INT64_MAX : deadline_us * 1000;
    int64_t arrival_ns;
    size_t got = 0;

    if (replay->failed.code) {
        *error = replay->failed;
        return error->code;
    }
    while (got < size) {
        const struct item *item = next_byte(replay, got < least ? until_ns : replay->now_ns, &arrival_ns);

        if (!item)
            break;
        bytes[got++] = take_byte(replay, item, arrival_ns);
        if (replay->now_ns < arrival_ns)
            replay->now_ns = arrival_ns;
    }
    return got < least ? run_dry(replay, until_ns, (int)got, error) : (int)got;
}

static void replay_discard(struct port *port)
{
    struct port_replay *replay = of(port);
    const struct item *item;
    int64_t arrival_ns;

    while ((item = next_byte(replay, replay->now_ns, &arrival_ns)) != NULL)
        (void)take_byte(replay, item, arrival_ns);
}

static int replay_sleep(struct port *port, int64_t duration_us)
{
    of(port)->now_ns += duration_us * 1000;
    return 0;
}

static void replay_close(struct port *port)
{
    struct port_replay *replay = of(port);

    free(replay->items);
    free(replay->bytes);
    free(replay->path);
    free(replay);
}

static const struct port_kind replay_kind = {.scheme = "replay",
                                             .set_line = replay_set_line,
                                             .set_modem = replay_set_modem,
                                             .set_break = replay_set_break,
                                             .reopen = replay_reopen,
                                             .read = replay_read,
                                             .write = replay_write,
                                             .discard = replay_discard,
                                             .sleep = replay_sleep,
                                             .close = replay_close};

static int64_t virtual_us(void *context)
{
    return ((const struct port_replay *)context)->now_ns / 1000;
}

static bool never_synchronised(void *context)
{
    (void)context;
    return false;
}

int port_replay(struct port **port, const char *path, struct error *error)
{
    FILE *file = fopen(path, "re");
    struct port_replay *replay;
    int status;

    if (!file)
        return error_set_errno(error, errno, "dialogue %s cannot be read", path);
    replay = allocate(1, sizeof *replay);
    replay->path = copy_text(path);
    replay->clock = (struct clock){.monotonic_us = virtual_us,
                                   .utc_us = virtual_us,
                                   .synchronised = never_synchronised,
                                   .context = replay};
    replay->port.kind = &replay_kind;
    replay->port.clock = &replay->clock;
    replay->port.line = (struct port_line){.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    replay->port.traits.latency_timer_ms = -1;
    (void)snprintf(replay->port.traits.path, sizeof replay->port.traits.path, "%s", path);
    status = parse_file(replay, file, error);
    (void)fclose(file);
    if (status < 0)
        replay_close(&replay->port);
    else
        *port = &replay->port;
    return status;
}

int port_replay_finished(const struct port *port, struct error *error)
{
    const struct port_replay *replay = (const struct port_replay *)port;
    size_t at = replay->at;

    if (replay->failed.code == -EPROTO) {
        *error = replay->failed;
        return error->code;
    }
    if (at < replay->count && replay->items[at].size > 0 && replay->done == replay->items[at].size)
        at++;
    while (at < replay->count && replay->items[at].sign == '!')
        at++;
    if (at < replay->count)
        return error_set(error, -EPROTO, "%s:%d: \"%s\" was not played", replay->path,
                         replay->items[at].number, replay->items[at].text);
    return 0;
}
