/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the board. A port is opened from a name, "serial:/dev/serial/by-path/…" say, and read and
 * written with deadlines: on a fiber a wait suspends the fiber, outside one it blocks (law 1).
 *
 * Errors of all calls: -ETIMEDOUT at the deadline, -ECANCELED when the fiber was cancelled, -ENODEV when the
 * port is gone (unplugged, hung up), else a negative errno. Sentences say what was asked of the port. */
#ifndef FLASHFARM_STATIONS_PORT_H
#define FLASHFARM_STATIONS_PORT_H

#include "clock.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fibers;
struct port;

enum port_parity { PARITY_NONE, PARITY_ODD, PARITY_EVEN, PARITY_MARK, PARITY_SPACE };

struct port_line {
    uint32_t baud;
    enum port_parity parity;
    uint8_t stop_bits; /* 1 or 2; data bits are always 8 */
};

/* Bits on the wire for one byte at these settings, start and stop bits included. */
static inline uint32_t port_line_bits(const struct port_line *line)
{
    return 1u + 8u + (line->parity != PARITY_NONE ? 1u : 0u) + line->stop_bits;
}

/* Time on the wire of so many bytes, in nanoseconds: a byte at 921600 baud is 10.85 µs. */
static inline int64_t port_line_wire_ns(const struct port_line *line, size_t bytes)
{
    return (int64_t)(bytes * (uint64_t)port_line_bits(line) * 1000000000u / line->baud);
}

/* What the port has seen since it was opened; a run takes differences. */
struct port_meter {
    uint64_t sent, received; /* bytes */
    int64_t wire_us;         /* time those bytes take on the line at the settings in force at the time */
    int64_t waited_us;       /* time spent inside reads */
};

/* What open found out about the device, for the station's state. */
struct port_traits {
    char path[256];       /* the device after symbolic links: "/dev/ttyUSB0", "/dev/pts/3" */
    bool modem_lines;     /* DTR and RTS exist */
    bool low_latency;     /* ASYNC_LOW_LATENCY is in force */
    int latency_timer_ms; /* FTDI's receive timer as sysfs tells it; -1: the device has none */
};

/* One kind of port. All calls may wait. A kind leaves `set_modem` or `set_break` NULL when it cannot do it
 * (-ENOTSUP). `read` waits for `least` bytes, so that a fiber is woken once and not at every byte, and
 * returns up to `size`; at the deadline, or when the port is gone, it returns what has come, and an error
 * only when that is nothing. `write` returns 0 when the driver has taken all bytes. */
struct port_kind {
    const char *scheme; /* "serial" */
    int (*set_line)(struct port *port, const struct port_line *line, struct error *error);
    int (*set_modem)(struct port *port, bool dtr, bool rts, struct error *error);
    int (*set_break)(struct port *port, bool on, struct error *error);
    int (*read)(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                struct error *error);
    int (*write)(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                 struct error *error);
    int (*drain)(struct port *port, int64_t deadline_us, struct error *error); /* NULL: see port_drain() */
    int (*reopen)(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error);
    int (*take)(struct port *port, int64_t deadline_us, struct error *error); /* NULL: it is its own line */
    void (*give)(struct port *port);
    void (*discard)(struct port *port);                   /* drops what has arrived and was not read */
    int (*sleep)(struct port *port, int64_t duration_us); /* NULL: real time passes */
    void (*close)(struct port *port);                     /* restores what open changed, and frees the port */
};

/* Every kind embeds this as its first member. */
struct port {
    const struct port_kind *kind;
    struct port *beneath;      /* what a port that wraps another one wraps (a recorder); else NULL */
    const struct clock *clock; /* deadlines are in its monotonic time; a replaying port brings its own */
    struct fibers *fibers;     /* NULL: every wait blocks */
    struct port_line line;
    struct port_meter meter;
    uint64_t wire_rest; /* what meter.wire_us lacks, in 1/baud of a microsecond */
    struct port_traits traits;
    void (*lost)(void *context); /* called on the loop's stack, once, when an open port vanishes while
                                    nobody reads it; may be NULL */
    void *lost_context;
};

/* Opens "scheme:rest". Never waits longer than a device's open(2) does without carrier. -ENOENT: no such
 * device now (unplugged); -EBUSY: somebody else holds it; -EINVAL: the name is no port name. */
int port_open(struct port **port, const char *name, struct fibers *fibers, const struct clock *clock,
              struct error *error);
/* Whether the name has a known scheme and form, without opening anything. 0 or -EINVAL. */
int port_name_check(const char *name, struct error *error);
void port_close(struct port *port);

int port_set_line(struct port *port, const struct port_line *line, struct error *error);
int port_set_modem(struct port *port, bool dtr, bool rts, struct error *error);
int port_set_break(struct port *port, bool on, struct error *error);
void port_discard(struct port *port);

/* Waits until what was written is out on the wire: before the parity may change. On a kind that sends
 * settings in order with the data (rfc2217) there is nothing to wait for; otherwise the driver is asked. */
int port_drain(struct port *port, int64_t deadline_us, struct error *error);
/* Closes the device and opens it again, for boards that a fresh open resets; with `touch_baud` it is opened
 * at that rate first and closed, which sends an AVR 32U4 into its loader, and the device is awaited to vanish
 * and to return. -ENOTSUP where the kind has no such thing. What was not read is lost. */
int port_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error);
/* Ports that share one line ("rs485:") take turns, first come first served: between take and give nobody else
 * sends. Other ports have their line for themselves: 0 at once. */
int port_take(struct port *port, int64_t deadline_us, struct error *error);
void port_give(struct port *port);

/* Exactly `size` bytes, or an error; on -ETIMEDOUT the sentence says how many had come. */
int port_read(struct port *port, void *bytes, size_t size, int64_t deadline_us, struct error *error);
/* 1 to `size` bytes, as soon as there are any; returns their number. */
int port_read_some(struct port *port, void *bytes, size_t size, int64_t deadline_us, struct error *error);
int port_write(struct port *port, const void *bytes, size_t size, int64_t deadline_us, struct error *error);
/* Reads and drops until nothing has come for `silence_us`, at most until the deadline. */
int port_settle(struct port *port, int64_t silence_us, int64_t deadline_us, struct error *error);
/* Waits without reading. */
int port_sleep(struct port *port, int64_t duration_us);

static inline int64_t port_now_us(const struct port *port)
{
    return clock_monotonic_us(port->clock);
}

/* A port found on this host (GET /v1/ports). */
struct port_found {
    char name[300];  /* as the configuration wants it, the most stable way to say it:
                        "serial:/dev/serial/by-path/…", else "serial:/dev/ttyS0" */
    char device[64]; /* "/dev/ttyUSB0" */
    char description[128];
    char usb_serial[64];              /* empty when there is none */
    uint16_t usb_vendor, usb_product; /* 0: not USB */
};

/* Lists serial ports; the caller frees `*found` with free(). May block on sysfs: run it in the pool. */
int port_list(struct port_found **found, size_t *count, struct error *error);

/* Wraps an open port, which it owns from then on (on an error it stays the caller's): every transfer is also
 * written to `path` as a dialogue (tests/dialogues/README.md gives the format). `header` lines go on top as
 * comments. */
int port_record(struct port **port, struct port *inner, const char *path, const char *header,
                struct error *error);

/* Writes one more comment line into the dialogue of a recording port. */
void port_record_note(struct port *port, const char *note);
/* Ends a recording: closes the file and gives the port back that was wrapped. 0, or the errno of writing the
 * file. */
int port_record_end(struct port *port, struct port **inner);

/* Plays a dialogue file: what is written is compared with it, what it holds is read. Its clock is virtual,
 * so that a time-out takes no time. A deviation is -EPROTO with the dialogue's line number. */
int port_replay(struct port **port, const char *path, struct error *error);
/* 0 when the whole dialogue was played, else -EPROTO naming the first line that was not. */
int port_replay_finished(const struct port *port, struct error *error);

#endif
