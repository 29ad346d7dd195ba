/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "serial": a tty of this host, found by its device name or by any link to it.
 *
 * A real tty goes through libserialport, which knows the devices; what its version 0.1.1 leaves wrong is put
 * right on the descriptor. A pty, at whose other end sits a simulated board, has neither modem lines nor an
 * entry in sysfs, which libserialport insists on: there termios2 does the settings alone. Reading and writing
 * are plain calls on our own descriptor in both cases.
 *
 * The terminal settings are not restored at close: with echo switched back on, a board that still talks would
 * be answered with its own words. */
#include "port_serial.h"

#include "alloc.h"
#include "port_fd.h"
#include "port_termios2.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <linux/serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* Majors of pty slaves (the kernel's Documentation/admin-guide/devices.txt). */
#define PTY_MAJOR_FIRST 136u
#define PTY_MAJOR_LAST  143u

#define LOW_LATENCY                                                                                          \
    ((int)ASYNC_LOW_LATENCY) /* the kernel's header has the flag unsigned, the field signed                  \
                              */

/* What a USB frame or two add to the time on the wire. */
#define DRAIN_SLACK_US 2000

/* How long the port stays closed when it is reopened: long enough for the capacitor at a board's reset pin
 * (100 nF at 10 kΩ: 1 ms) and for a simulated board to see it. Also the interval of looking for a device that
 * comes and goes, and how long one may take to go. */
#define REOPEN_PAUSE_US 50000
#define VANISH_US       2000000

struct port_serial {
    struct port_fd fd;      /* first */
    char *name;             /* as it was configured; traits.path is what that means now */
    bool tty;               /* a real one, not a pty */
    bool held;              /* … that nobody else holds: what we change in it is ours to change back */
    struct sp_port *handle; /* libserialport's own, with a descriptor of its own; NULL on a pty */
    bool clear_low_latency; /* we set ASYNC_LOW_LATENCY */
    int latency_timer_ms;   /* what the latency timer was before we changed it; -1: we did not */
    int64_t line_free_us;   /* when the last byte written will have left, on an undisturbed line */
};

static struct port_serial *of(struct port *port)
{
    return (struct port_serial *)port;
}

int port_serial_check(const char *rest, struct error *error)
{
    if (rest[0] != '/' || rest[1] == '\0')
        return error_set(error, -EINVAL, "\"serial:%s\" is no port name: expected the device's full path",
                         rest);
    return 0;
}

/* --- line, modem lines, break ------------------------------------------------------------- */

static int serialport_failed(const struct port_serial *s, enum sp_return status, const char *what,
                             struct error *error)
{
    int code = status == SP_ERR_FAIL ? sp_last_error_code() : EINVAL;

    return port_fd_failed(&s->fd, code ? code : EIO, what, error);
}

static enum sp_parity serialport_parity(enum port_parity parity)
{
    switch (parity) {
    case PARITY_NONE:
        return SP_PARITY_NONE;
    case PARITY_ODD:
        return SP_PARITY_ODD;
    case PARITY_EVEN:
        return SP_PARITY_EVEN;
    case PARITY_MARK:
        return SP_PARITY_MARK;
    case PARITY_SPACE:
        return SP_PARITY_SPACE;
    }
    return SP_PARITY_INVALID;
}

/* All settings in one call: each sp_set_…() would read and write the whole termios again. RTS and DTR are not
 * in the configuration and so stay as they are. */
static enum sp_return configure(struct sp_port *handle, const struct port_line *line)
{
    struct sp_port_config *config;
    enum sp_return status = sp_new_config(&config);

    if (status != SP_OK)
        return status;
    (void)sp_set_config_baudrate(config, (int)line->baud);
    (void)sp_set_config_bits(config, 8);
    (void)sp_set_config_parity(config, serialport_parity(line->parity));
    (void)sp_set_config_stopbits(config, line->stop_bits);
    (void)sp_set_config_flowcontrol(config, SP_FLOWCONTROL_NONE);
    status = sp_set_config(handle, config);
    sp_free_config(config);
    return status;
}

static int tty_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    struct port_serial *s = of(port);
    enum sp_return done = configure(s->handle, line);
    int status;

    if (done != SP_OK)
        return serialport_failed(s, done, "line settings", error);
    status = port_termios2_repair(s->fd.fd);
    if (status < 0)
        return port_fd_failed(&s->fd, -status, "line settings", error);
    if (port_termios2_verify(s->fd.fd, line, true, error) < 0)
        return error_prefix(error, "%s", port->traits.path);
    return 0;
}

static int pty_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    struct port_serial *s = of(port);
    int status = port_termios2_apply(s->fd.fd, line);

    if (status < 0)
        return port_fd_failed(&s->fd, -status, "line settings", error);
    if (port_termios2_verify(s->fd.fd, line, false, error) < 0)
        return error_prefix(error, "%s", port->traits.path);
    return 0;
}

/* Both lines in one request, which most USB converters also send as one: a board whose reset and boot pins
 * hang on them must not see a state in between. libserialport would set one after the other. */
static int tty_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    struct port_serial *s = of(port);
    int lines;

    if (ioctl(s->fd.fd, TIOCMGET, &lines) < 0)
        return port_fd_failed(&s->fd, errno, "modem lines", error);
    lines = (lines & ~(TIOCM_DTR | TIOCM_RTS)) | (dtr ? TIOCM_DTR : 0) | (rts ? TIOCM_RTS : 0);
    if (ioctl(s->fd.fd, TIOCMSET, &lines) < 0)
        return port_fd_failed(&s->fd, errno, "modem lines", error);
    return 0;
}

static int tty_set_break(struct port *port, bool on, struct error *error)
{
    struct port_serial *s = of(port);
    enum sp_return status = on ? sp_start_break(s->handle) : sp_end_break(s->handle);

    return status == SP_OK ? 0 : serialport_failed(s, status, "break", error);
}

static void serial_discard(struct port *port)
{
    (void)ioctl(of(port)->fd.fd, TCFLSH, TCIFLUSH);
    port_fd_discard(&of(port)->fd);
}

/* --- low latency -------------------------------------------------------------------------- */

/* FTDI's chips hold a short answer back for 16 ms unless told otherwise, by this flag or by the file below.
 * Most other drivers know neither, which is no error. */
static void set_low_latency(struct port_serial *s)
{
    struct serial_struct serial = {.flags = 0};

    if (ioctl(s->fd.fd, TIOCGSERIAL, &serial) < 0)
        return;
    if (!(serial.flags & LOW_LATENCY)) {
        serial.flags |= LOW_LATENCY;
        s->clear_low_latency = ioctl(s->fd.fd, TIOCSSERIAL, &serial) == 0;
        if (ioctl(s->fd.fd, TIOCGSERIAL, &serial) < 0)
            return;
    }
    s->fd.port.traits.low_latency = (serial.flags & LOW_LATENCY) != 0;
}

static void restore_low_latency(struct port_serial *s)
{
    struct serial_struct serial = {.flags = 0};

    if (!s->clear_low_latency || ioctl(s->fd.fd, TIOCGSERIAL, &serial) < 0)
        return;
    serial.flags &= ~LOW_LATENCY;
    (void)ioctl(s->fd.fd, TIOCSSERIAL, &serial);
}

static int open_latency_timer(const struct port_serial *s, int flags)
{
    char path[320];
    const char *device = s->fd.port.traits.path;

    if (strncmp(device, "/dev/", 5) == 0)
        device += 5;
    (void)snprintf(path, sizeof path, "/sys/class/tty/%s/device/latency_timer", device);
    return open(path, flags | O_CLOEXEC);
}

static int read_latency_timer(const struct port_serial *s)
{
    char text[16] = "";
    int fd = open_latency_timer(s, O_RDONLY);
    ssize_t got;

    if (fd < 0)
        return -1;
    got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    return got > 0 ? (int)strtol(text, NULL, 10) : -1;
}

static bool write_latency_timer(const struct port_serial *s, int milliseconds)
{
    char text[16];
    int size = snprintf(text, sizeof text, "%d\n", milliseconds);
    int fd = open_latency_timer(s, O_WRONLY | O_TRUNC);
    bool good = fd >= 0 && write(fd, text, (size_t)size) == size;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

static void shorten_latency_timer(struct port_serial *s)
{
    int before_ms = read_latency_timer(s);

    if (before_ms > 1 && write_latency_timer(s, 1))
        s->latency_timer_ms = before_ms;
    s->fd.port.traits.latency_timer_ms = read_latency_timer(s);
}

/* --- writing and draining ------------------------------------------------------------------ */

static int serial_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                        struct error *error)
{
    struct port_serial *s = of(port);
    int64_t start_us = port_now_us(port);
    int status = port_fd_write(port, bytes, size, deadline_us, error);

    if (start_us < s->line_free_us)
        start_us = s->line_free_us;
    s->line_free_us = start_us + port_line_wire_ns(&port->line, size) / 1000;
    return status;
}

/* tcdrain(3) blocks, for half a minute when a line is held, and TIOCOUTQ, which does not, counts only what
 * the driver has: bytes in a UART's FIFO or in a USB converter's memory are no longer among them. So the
 * driver is asked until it has none, and then the clock, which knows when the last of them is out. */
static int serial_drain(struct port *port, int64_t deadline_us, struct error *error)
{
    struct port_serial *s = of(port);

    for (;;) {
        int64_t now_us = port_now_us(port), rest_us = s->line_free_us + DRAIN_SLACK_US - now_us;
        int queued = 0;

        (void)ioctl(s->fd.fd, TIOCOUTQ, &queued);
        if (queued <= 0 && rest_us <= 0)
            return 0;
        if (now_us >= deadline_us)
            return error_set(error, -ETIMEDOUT, "%s: %d bytes are still not sent", port->traits.path, queued);
        if (rest_us <= 0)
            rest_us = DRAIN_SLACK_US + port_line_wire_ns(&port->line, (size_t)queued) / 1000;
        if (rest_us > deadline_us - now_us)
            rest_us = deadline_us - now_us;
        if (port_sleep(port, rest_us) == -ECANCELED)
            return error_set(error, -ECANCELED, "cancelled");
    }
}

/* --- open and close ----------------------------------------------------------------------- */

static int serial_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error);

/* Lets go of the device; the port itself stays. */
static void release(struct port_serial *s)
{
    port_fd_stop(&s->fd);
    if (s->held) {
        if (s->latency_timer_ms >= 0)
            (void)write_latency_timer(s, s->latency_timer_ms);
        restore_low_latency(s);
        /* close(2) would wait up to 30 s for bytes that nobody will ever answer to. */
        (void)ioctl(s->fd.fd, TCFLSH, TCIOFLUSH);
        (void)ioctl(s->fd.fd, TIOCNXCL);
    }
    if (s->handle) {
        (void)sp_close(s->handle);
        sp_free_port(s->handle);
    }
    if (s->fd.fd >= 0)
        (void)close(s->fd.fd);
    s->handle = NULL;
    s->fd.fd = -1;
    s->latency_timer_ms = -1;
    s->clear_low_latency = s->held = false;
}

static void serial_close(struct port *port)
{
    release(of(port));
    free(of(port)->name);
    free(port);
}

static const struct port_kind tty_kind = {.scheme = "serial",
                                          .set_line = tty_set_line,
                                          .set_modem = tty_set_modem,
                                          .set_break = tty_set_break,
                                          .read = port_fd_read,
                                          .write = serial_write,
                                          .drain = serial_drain,
                                          .reopen = serial_reopen,
                                          .discard = serial_discard,
                                          .close = serial_close};

/* A break on a pty succeeds, but the other end never sees it: better to say that there is none. */
static const struct port_kind pty_kind = {.scheme = "serial",
                                          .set_line = pty_set_line,
                                          .read = port_fd_read,
                                          .write = serial_write,
                                          .drain = serial_drain,
                                          .reopen = serial_reopen,
                                          .discard = serial_discard,
                                          .close = serial_close};

static int say_busy(const struct port_serial *s, struct error *error)
{
    return error_set(error, -EBUSY, "%s is in use by somebody else", s->fd.port.traits.path);
}

/* Opens the descriptor we read and write on, and locks it before anything is changed: the one who holds the
 * port must not find its settings altered. flock(2) also keeps two of our own stations apart. */
static int open_locked(struct port_serial *s, struct error *error)
{
    const char *path = s->fd.port.traits.path;

    s->fd.fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (s->fd.fd < 0 && errno == EBUSY)
        return say_busy(s, error);
    if (s->fd.fd < 0 && (errno == ENXIO || errno == ENODEV || errno == ENOENT))
        return error_set(error, -ENOENT, "%s is not there (unplugged?)", path);
    if (s->fd.fd < 0)
        return error_set_errno(error, errno, "%s cannot be opened", path);
    if (!isatty(s->fd.fd) && errno == ENOTTY)
        return error_set(error, -ENOTTY, "%s is no serial port", path);
    if (flock(s->fd.fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? say_busy(s, error)
                                    : error_set_errno(error, errno, "%s cannot be locked", path);
    return 0;
}

/* libserialport opens the device a second time, for its own calls. */
static int open_handle(struct port_serial *s, struct error *error)
{
    enum sp_return status;
    int fd;

    if (sp_get_port_by_name(s->fd.port.traits.path, &s->handle) != SP_OK)
        return error_set(error, -ENOTTY, "%s is no serial port", s->fd.port.traits.path);
    status = sp_open(s->handle, SP_MODE_READ_WRITE);
    if (status != SP_OK)
        return serialport_failed(s, status, "cannot be opened", error);
    if (sp_get_port_handle(s->handle, &fd) == SP_OK)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* TIOCEXCL keeps others out who do not ask for locks. Root passes it, hence the look whether it is set. On a
 * pty it outlives its owner for as long as the other end is open, so that a daemon that was killed would lock
 * itself out: there only flock() is used. */
static int open_tty(struct port_serial *s, struct error *error)
{
    int exclusive = 0, lines;
    int status;

    if (ioctl(s->fd.fd, TIOCGEXCL, &exclusive) == 0 && exclusive)
        return say_busy(s, error);
    s->held = true;
    status = open_handle(s, error);
    if (status < 0)
        return status;
    (void)ioctl(s->fd.fd, TIOCEXCL);
    s->fd.port.traits.modem_lines = ioctl(s->fd.fd, TIOCMGET, &lines) == 0;
    set_low_latency(s);
    shorten_latency_timer(s);
    return 0;
}

/* The device behind the name, and whether it is a pty. */
static int find_device(struct port_serial *s, struct error *error)
{
    char *path = realpath(s->name, NULL);
    struct stat found;
    int status = 0;

    if (!path)
        return errno == ENOENT ? error_set(error, -ENOENT, "%s is not there (unplugged?)", s->name)
                               : error_set_errno(error, errno, "%s", s->name);
    if (strlen(path) >= sizeof s->fd.port.traits.path)
        status = error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
    else if (stat(path, &found) < 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (!S_ISCHR(found.st_mode))
        status = error_set(error, -ENOTTY, "%s is no serial port", path);
    else
        s->tty = major(found.st_rdev) < PTY_MAJOR_FIRST || major(found.st_rdev) > PTY_MAJOR_LAST;
    (void)snprintf(s->fd.port.traits.path, sizeof s->fd.port.traits.path, "%.255s", path);
    free(path);
    return status;
}

static int open_device(struct port_serial *s, const struct port_line *line, struct error *error)
{
    struct port *port = &s->fd.port;

    port->traits.latency_timer_ms = -1;
    port->traits.modem_lines = port->traits.low_latency = false;
    if (find_device(s, error) < 0 || open_locked(s, error) < 0 || (s->tty && open_tty(s, error) < 0)) {
        release(s);
        return error->code;
    }
    port->kind = s->tty ? &tty_kind : &pty_kind;
    s->fd.gone = false;
    if (port_set_line(port, line, error) < 0 || port_fd_start(&s->fd, error) < 0) {
        release(s);
        return error->code;
    }
    port_discard(port); /* what a former user was sent is no answer to us */
    return 0;
}

int port_serial_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                     struct error *error)
{
    const struct port_line line = {.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    struct port_serial *s = allocate(1, sizeof *s);

    s->name = copy_text(rest);
    s->fd.fd = -1;
    s->fd.port.clock = clock;
    s->fd.port.fibers = fibers;
    s->latency_timer_ms = -1;
    if (open_device(s, &line, error) < 0) {
        serial_close(&s->fd.port);
        return error->code;
    }
    *port = &s->fd.port;
    return 0;
}

/* --- reopening ----------------------------------------------------------------------------- */

/* While it is closed, and when it did not come back: everything says that the port is gone, except another
 * attempt to reopen it. */
static int gone_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    (void)line;
    return port_fd_failed(&of(port)->fd, ENODEV, "line settings", error);
}

static int gone_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    (void)dtr, (void)rts;
    return port_fd_failed(&of(port)->fd, ENODEV, "modem lines", error);
}

static int gone_set_break(struct port *port, bool on, struct error *error)
{
    (void)on;
    return port_fd_failed(&of(port)->fd, ENODEV, "break", error);
}

static const struct port_kind gone_kind = {.scheme = "serial",
                                           .set_line = gone_set_line,
                                           .set_modem = gone_set_modem,
                                           .set_break = gone_set_break,
                                           .read = port_fd_read,
                                           .write = port_fd_write,
                                           .reopen = serial_reopen,
                                           .discard = serial_discard,
                                           .close = serial_close};

static void close_for_now(struct port_serial *s)
{
    release(s);
    s->fd.port.kind = &gone_kind;
    s->fd.gone = true;
    s->line_free_us = 0;
    port_fd_discard(&s->fd);
}

/* The same device as before, or another that has taken its name? */
static bool still_there(const struct port_serial *s, const struct stat *before)
{
    struct stat now;

    return stat(s->name, &now) == 0 && now.st_rdev == before->st_rdev && now.st_dev == before->st_dev &&
           now.st_ino == before->st_ino;
}

/* One that does not go may have jumped all the same: a loader can come up under the application's name. */
static int await_vanished(struct port_serial *s, const struct stat *before, int64_t deadline_us)
{
    int64_t until_us = port_now_us(&s->fd.port) + VANISH_US;

    while (still_there(s, before) && port_now_us(&s->fd.port) < until_us &&
           port_now_us(&s->fd.port) < deadline_us)
        if (port_sleep(&s->fd.port, REOPEN_PAUSE_US) == -ECANCELED)
            return -ECANCELED;
    return 0;
}

/* Nothing is final before the deadline: a device is there before its link, and before it may be opened. */
static int await_open(struct port_serial *s, const struct port_line *line, int64_t deadline_us,
                      struct error *error)
{
    while (open_device(s, line, error) < 0) {
        close_for_now(s);
        if (port_now_us(&s->fd.port) + REOPEN_PAUSE_US > deadline_us) {
            (void)error_prefix(error, "it did not come back");
            return error_reclass(error, -ENODEV);
        }
        if (port_sleep(&s->fd.port, REOPEN_PAUSE_US) == -ECANCELED)
            return error_set(error, -ECANCELED, "cancelled");
    }
    return 0;
}

/* Closing alone would leave DTR as it is (HUPCL is off): it is let go of before, so that opening makes the
 * edge that resets boards; and at the touch's rate this is what the 32U4's application waits for. Opening it
 * again too early would take the touch back. */
static int touch(struct port_serial *s, uint32_t baud, struct error *error)
{
    struct port *port = &s->fd.port;
    const struct port_line line = {.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
    int status = baud ? port->kind->set_line(port, &line, error) : 0;

    if (status == 0 && port->traits.modem_lines)
        status = port->kind->set_modem(port, false, false, error);
    return status;
}

static int serial_reopen(struct port *port, uint32_t touch_baud, int64_t deadline_us, struct error *error)
{
    struct port_serial *s = of(port);
    const struct port_line line = port->line;
    struct error ignored;
    struct stat before = {.st_rdev = 0};
    int status;

    if (s->fd.fd >= 0 && touch(s, touch_baud, error) < 0 && error->code != -ENODEV)
        return error->code;
    (void)stat(s->name, &before);
    close_for_now(s);
    if (touch_baud)
        status = await_vanished(s, &before, deadline_us);
    else
        status = port_sleep(port, REOPEN_PAUSE_US);
    if (status != -ECANCELED)
        return await_open(s, &line, deadline_us, error);
    if (open_device(s, &line, &ignored) < 0)
        close_for_now(s);
    return error_set(error, -ECANCELED, "cancelled");
}
