/* SPDX-License-Identifier: Apache-2.0 */
/* A port that writes down what is said on another one; tests/dialogues/README.md gives the format. It knows
 * nothing of the device, and changes nothing but for the microseconds that writing a line takes. */
#include "port.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_PER_LINE 32
#define SILENCE_US     5000 /* shorter ones are the host's, not the board's */

struct port_record {
    struct port port; /* first */
    struct port *inner;
    FILE *file;
    char sign;            /* of the line being written; 0: at the start of a line */
    int on_line;          /* bytes on that line */
    int64_t line_free_us; /* when the last transfer was over on the wire */
    bool vanished;
};

static struct port_record *of(struct port *port)
{
    return (struct port_record *)port;
}

static void end_line(struct port_record *record)
{
    if (record->sign)
        (void)fputc('\n', record->file);
    record->sign = 0;
}

static void put_bytes(struct port_record *record, char sign, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (record->sign != sign || record->on_line == BYTES_PER_LINE) {
            end_line(record);
            (void)fputc(sign, record->file);
            record->sign = sign;
            record->on_line = 0;
        }
        (void)fprintf(record->file, " %02X", bytes[i]);
        record->on_line++;
    }
}

static int64_t wire_us(const struct port_record *record, size_t bytes)
{
    return port_line_wire_ns(&record->port.line, bytes) / 1000;
}

/* Called with the result of every call to the inner port. */
static int note_vanished(struct port_record *record, int status)
{
    if (status == -ENODEV && !record->vanished) {
        record->vanished = true;
        end_line(record);
        (void)fputs("x\n", record->file);
    }
    return status;
}

static void on_lost(void *context)
{
    struct port_record *record = context;

    (void)note_vanished(record, -ENODEV);
    if (record->port.lost)
        record->port.lost(record->port.lost_context);
}

static int record_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    static const char letters[] = {[PARITY_NONE] = 'N',
                                   [PARITY_ODD] = 'O',
                                   [PARITY_EVEN] = 'E',
                                   [PARITY_MARK] = 'M',
                                   [PARITY_SPACE] = 'S'};
    struct port_record *record = of(port);
    int status = note_vanished(record, port_set_line(record->inner, line, error));

    if (status < 0)
        return status;
    end_line(record);
    (void)fprintf(record->file, "= %" PRIu32 " 8%c%d\n", line->baud, letters[line->parity], line->stop_bits);
    return 0;
}

static int record_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    struct port_record *record = of(port);
    int status = note_vanished(record, port_set_modem(record->inner, dtr, rts, error));

    if (status < 0)
        return status;
    end_line(record);
    (void)fprintf(record->file, "@ dtr=%d rts=%d\n", dtr, rts);
    return 0;
}

static int record_set_break(struct port *port, bool on, struct error *error)
{
    struct port_record *record = of(port);
    int status = note_vanished(record, port_set_break(record->inner, on, error));

    if (status < 0)
        return status;
    end_line(record);
    (void)fprintf(record->file, "b %d\n", on);
    return 0;
}

static int record_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                       struct error *error)
{
    struct port_record *record = of(port);
    int got = record->inner->kind->read(record->inner, bytes, least, size, deadline_us, error);
    int64_t now_us = port_now_us(port), silence_us;

    if (got <= 0)
        return note_vanished(record, got);
    silence_us = now_us - wire_us(record, (size_t)got) - record->line_free_us;
    if (silence_us > SILENCE_US) {
        end_line(record);
        (void)fprintf(record->file, "! %" PRId64 "ms\n", (silence_us + 500) / 1000);
    }
    put_bytes(record, '<', bytes, (size_t)got);
    record->line_free_us = now_us;
    return got;
}

static int record_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                        struct error *error)
{
    struct port_record *record = of(port);
    int64_t now_us = port_now_us(port);
    int status = note_vanished(record, port_write(record->inner, bytes, size, deadline_us, error));

    if (status < 0)
        return status;
    put_bytes(record, '>', bytes, size);
    if (record->line_free_us < now_us)
        record->line_free_us = now_us;
    record->line_free_us += wire_us(record, size);
    return 0;
}

static int record_drain(struct port *port, int64_t deadline_us, struct error *error)
{
    return note_vanished(of(port), port_drain(of(port)->inner, deadline_us, error));
}

static int record_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    struct port_record *record = of(port);
    int status = note_vanished(record, port_reopen(record->inner, touch_baud, deadline_us, error));

    port->traits = record->inner->traits; /* it may have come back under another name */
    if (status < 0)
        return status;
    end_line(record);
    (void)fprintf(record->file, "o %" PRIu32 "\n", touch_baud);
    return 0;
}

static int record_take(struct port *port, int64_t deadline_us, struct error *error)
{
    int status = port_take(of(port)->inner, deadline_us, error);

    port->line = of(port)->inner->line; /* which others may have set since */
    return status;
}

static void record_give(struct port *port)
{
    port_give(of(port)->inner);
}

static void record_discard(struct port *port)
{
    port_discard(of(port)->inner);
}

static int record_sleep(struct port *port, int64_t duration_us)
{
    return port_sleep(of(port)->inner, duration_us);
}

void port_record_note(struct port *port, const char *note)
{
    struct port_record *record = of(port);

    end_line(record);
    (void)fprintf(record->file, "# %s\n", note);
}

int port_record_end(struct port *port, struct port **inner)
{
    struct port_record *record = of(port);
    int status;

    end_line(record);
    status = ferror(record->file) ? -EIO : 0;
    if (fclose(record->file) != 0)
        status = -errno;
    *inner = record->inner;
    (*inner)->lost = record->port.lost;
    (*inner)->lost_context = record->port.lost_context;
    (*inner)->line = record->port.line;
    (*inner)->meter = record->port.meter;
    (*inner)->wire_rest = record->port.wire_rest;
    free(record);
    return status;
}

static void record_close(struct port *port)
{
    struct port *inner;

    (void)port_record_end(port, &inner);
    port_close(inner);
}

static const struct port_kind record_kind = {.scheme = "record",
                                             .set_line = record_set_line,
                                             .set_modem = record_set_modem,
                                             .set_break = record_set_break,
                                             .read = record_read,
                                             .write = record_write,
                                             .drain = record_drain,
                                             .reopen = record_reopen,
                                             .take = record_take,
                                             .give = record_give,
                                             .discard = record_discard,
                                             .sleep = record_sleep,
                                             .close = record_close};

static void put_header(FILE *file, const char *header)
{
    while (*header) {
        int length = 0;

        while (header[length] && header[length] != '\n')
            length++;
        (void)fprintf(file, "# %.*s\n", length, header);
        header += length + (header[length] == '\n');
    }
}

int port_record(struct port **port, struct port *inner, const char *path, const char *header,
                struct error *error)
{
    FILE *file = fopen(path, "we");
    struct port_record *record;

    if (!file)
        return error_set_errno(error, errno, "dialogue %s cannot be written", path);
    (void)setvbuf(file, NULL, _IOLBF, BUFSIZ); /* a killed process leaves whole lines */
    put_header(file, header);
    record = allocate(1, sizeof *record);
    record->port = *inner;
    record->port.kind = &record_kind;
    record->port.beneath = inner;
    record->inner = inner;
    record->file = file;
    record->line_free_us = port_now_us(inner);
    inner->lost = on_lost;
    inner->lost_context = record;
    *port = &record->port;
    return 0;
}
