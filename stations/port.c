/* SPDX-License-Identifier: Apache-2.0 */
/* What all ports share: finding the kind by its scheme, reading exactly so many bytes, and the meters.
 * Knows no device; the kinds do. */
#include "port.h"

#include "fiber.h"
#include "port_rfc2217.h"
#include "port_rs485.h"
#include "port_serial.h"
#include "port_tcp.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct scheme {
    const char *name; /* before the colon */
    int (*check)(const char *rest, struct error *error);
    int (*open)(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                struct error *error);
};

static const struct scheme schemes[] = {
    {.name = "rs485", .check = port_rs485_check, .open = port_rs485_open},
    {.name = "serial", .check = port_serial_check, .open = port_serial_open},
    {.name = "rfc2217", .check = port_rfc2217_check, .open = port_rfc2217_open},
    {.name = "tcp", .check = port_tcp_check, .open = port_tcp_open},
};

/* The scheme of `name`, and where the rest starts; NULL and a sentence when there is none. */
static const struct scheme *find_scheme(const char *name, const char **rest, struct error *error)
{
    size_t length = strcspn(name, ":");

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (name[length] == ':' && strlen(schemes[i].name) == length &&
            memcmp(schemes[i].name, name, length) == 0) {
            *rest = name + length + 1;
            return &schemes[i];
        }
    }
    (void)error_set(error, -EINVAL,
                    "\"%s\" is no port name: "
                    "expected serial:/dev/…, rfc2217:HOST:PORT, tcp:HOST:PORT or rs485:…#ADDRESS",
                    name);
    return NULL;
}

int port_name_check(const char *name, struct error *error)
{
    const char *rest;
    const struct scheme *scheme = find_scheme(name, &rest, error);

    return scheme ? scheme->check(rest, error) : error->code;
}

int port_open(struct port **port, const char *name, struct fibers *fibers, const struct clock *clock,
              struct error *error)
{
    const char *rest;
    const struct scheme *scheme = find_scheme(name, &rest, error);

    if (!scheme || scheme->check(rest, error) < 0)
        return error->code;
    return scheme->open(port, rest, fibers, clock, error);
}

void port_close(struct port *port)
{
    if (port)
        port->kind->close(port);
}

int port_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    int status;

    if (line->baud == 0 || line->baud > INT32_MAX || line->stop_bits < 1 || line->stop_bits > 2)
        return error_set(error, -EINVAL, "no line has %" PRIu32 " baud and %d stop bits", line->baud,
                         line->stop_bits);
    status = port->kind->set_line(port, line, error);
    if (status < 0)
        return status;
    port->line = *line;
    port->wire_rest = 0; /* its unit was the old rate's; less than 1 µs is lost */
    return 0;
}

int port_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    if (!port->kind->set_modem)
        return error_set(error, -ENOTSUP, "%s has no modem lines (DTR, RTS)", port->traits.path);
    return port->kind->set_modem(port, dtr, rts, error);
}

int port_set_break(struct port *port, bool on, struct error *error)
{
    if (!port->kind->set_break)
        return error_set(error, -ENOTSUP, "%s cannot send a break", port->traits.path);
    return port->kind->set_break(port, on, error);
}

int port_drain(struct port *port, int64_t deadline_us, struct error *error)
{
    return port->kind->drain ? port->kind->drain(port, deadline_us, error) : 0;
}

int port_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    if (!port->kind->reopen)
        return error_set(error, -ENOTSUP, "%s cannot be closed and opened again", port->traits.path);
    return port->kind->reopen(port, touch_baud, deadline_us, error);
}

int port_take(struct port *port, int64_t deadline_us, struct error *error)
{
    return port->kind->take ? port->kind->take(port, deadline_us, error) : 0;
}

void port_give(struct port *port)
{
    if (port->kind->give)
        port->kind->give(port);
}

void port_discard(struct port *port)
{
    port->kind->discard(port);
}

static void count_wire(struct port *port, size_t bytes)
{
    uint64_t scaled = bytes * (uint64_t)port_line_bits(&port->line) * 1000000 + port->wire_rest;

    port->meter.wire_us += (int64_t)(scaled / port->line.baud);
    port->wire_rest = scaled % port->line.baud;
}

/* One read of the kind, on the meters. */
static int read_metered(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                        struct error *error)
{
    int64_t start_us = port_now_us(port);
    int got = port->kind->read(port, bytes, least, size, deadline_us, error);

    port->meter.waited_us += port_now_us(port) - start_us;
    if (got > 0) {
        port->meter.received += (uint64_t)got;
        count_wire(port, (size_t)got);
    }
    return got;
}

/* Replaces a time-out's sentence by one that says how much had come and how long we waited. */
static int say_timeout(struct error *error, size_t had, size_t size, int64_t waited_us)
{
    int64_t waited_ms = (waited_us + 500) / 1000;

    if (had == 0)
        return error_set(error, -ETIMEDOUT, "nothing came within %" PRId64 " ms", waited_ms);
    return error_set(error, -ETIMEDOUT, "only %zu of %zu bytes came within %" PRId64 " ms", had, size,
                     waited_ms);
}

int port_read(struct port *port, void *bytes, size_t size, int64_t deadline_us, struct error *error)
{
    int64_t start_us = port_now_us(port);
    size_t had = 0;

    while (had < size) {
        int got = read_metered(port, (uint8_t *)bytes + had, size - had, size - had, deadline_us, error);

        if (got == -ETIMEDOUT)
            return say_timeout(error, had, size, port_now_us(port) - start_us);
        if (got < 0)
            return got;
        had += (size_t)got;
    }
    return 0;
}

int port_read_some(struct port *port, void *bytes, size_t size, int64_t deadline_us, struct error *error)
{
    int64_t start_us = port_now_us(port);
    int got = read_metered(port, bytes, 1, size, deadline_us, error);

    return got == -ETIMEDOUT ? say_timeout(error, 0, size, port_now_us(port) - start_us) : got;
}

int port_write(struct port *port, const void *bytes, size_t size, int64_t deadline_us, struct error *error)
{
    int status = port->kind->write(port, bytes, size, deadline_us, error);

    if (status < 0)
        return status;
    port->meter.sent += size;
    count_wire(port, size);
    return 0;
}

int port_settle(struct port *port, int64_t silence_us, int64_t deadline_us, struct error *error)
{
    for (;;) {
        uint8_t dropped[256];
        int64_t quiet_us = port_now_us(port) + silence_us;
        bool last = deadline_us < quiet_us;
        int got = read_metered(port, dropped, 1, sizeof dropped, last ? deadline_us : quiet_us, error);

        if (last && (got == -ETIMEDOUT || (got > 0 && port_now_us(port) >= deadline_us)))
            return error_set(error, -ETIMEDOUT, "the line did not fall silent for %" PRId64 " ms",
                             silence_us / 1000);
        if (got < 0)
            return got == -ETIMEDOUT ? 0 : got;
    }
}

int port_sleep(struct port *port, int64_t duration_us)
{
    if (port->kind->sleep)
        return port->kind->sleep(port, duration_us);
    return fiber_sleep_until(port->fibers, port->clock, port_now_us(port) + duration_us);
}
