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

struct port_serial {
    struct port_fd fd;      /* first */
    struct sp_port *handle; /* libserialport's own, with a descriptor of its own; NULL on a pty */
    bool clear_low_latency; /* we set ASYNC_LOW_LATENCY */
    int latency_timer_ms;   /* what the latency timer was before we changed it; -1: we did not */
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

/* --- open and close ----------------------------------------------------------------------- */

static void pty_close(struct port *port)
{
    port_fd_stop(&of(port)->fd);
    if (of(port)->fd.fd >= 0)
        (void)close(of(port)->fd.fd);
    free(port);
}

static void tty_close(struct port *port)
{
    struct port_serial *s = of(port);

    if (s->latency_timer_ms >= 0)
        (void)write_latency_timer(s, s->latency_timer_ms);
    restore_low_latency(s);
    /* close(2) would wait up to 30 s for bytes that nobody will ever answer to. */
    (void)ioctl(s->fd.fd, TCFLSH, TCIOFLUSH);
    (void)ioctl(s->fd.fd, TIOCNXCL);
    if (s->handle) {
        (void)sp_close(s->handle);
        sp_free_port(s->handle);
    }
    pty_close(port);
}

static const struct port_kind tty_kind = {.scheme = "serial",
                                          .set_line = tty_set_line,
                                          .set_modem = tty_set_modem,
                                          .set_break = tty_set_break,
                                          .read = port_fd_read,
                                          .write = port_fd_write,
                                          .discard = serial_discard,
                                          .close = tty_close};

/* A break on a pty succeeds, but the other end never sees it: better to say that there is none. */
static const struct port_kind pty_kind = {.scheme = "serial",
                                          .set_line = pty_set_line,
                                          .read = port_fd_read,
                                          .write = port_fd_write,
                                          .discard = serial_discard,
                                          .close = pty_close};

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
    s->fd.port.kind = &tty_kind;
    status = open_handle(s, error);
    if (status < 0)
        return status;
    (void)ioctl(s->fd.fd, TIOCEXCL);
    s->fd.port.traits.modem_lines = ioctl(s->fd.fd, TIOCMGET, &lines) == 0;
    set_low_latency(s);
    shorten_latency_timer(s);
    return 0;
}

/* The device behind `name`, and whether it is a pty. */
static int find_device(struct port_serial *s, const char *name, bool *pty, struct error *error)
{
    char *path = realpath(name, NULL);
    struct stat found;
    int status = 0;

    if (!path)
        return errno == ENOENT ? error_set(error, -ENOENT, "%s is not there (unplugged?)", name)
                               : error_set_errno(error, errno, "%s", name);
    if (strlen(path) >= sizeof s->fd.port.traits.path)
        status = error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
    else if (stat(path, &found) < 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (!S_ISCHR(found.st_mode))
        status = error_set(error, -ENOTTY, "%s is no serial port", path);
    else
        *pty = major(found.st_rdev) >= PTY_MAJOR_FIRST && major(found.st_rdev) <= PTY_MAJOR_LAST;
    (void)snprintf(s->fd.port.traits.path, sizeof s->fd.port.traits.path, "%.255s", path);
    free(path);
    return status;
}

int port_serial_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                     struct error *error)
{
    const struct port_line line = {.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    struct port_serial *s = allocate(1, sizeof *s);
    bool pty = false;

    s->fd.fd = -1;
    s->fd.port.kind = &pty_kind;
    s->fd.port.clock = clock;
    s->fd.port.fibers = fibers;
    s->fd.port.traits.latency_timer_ms = -1;
    s->latency_timer_ms = -1;
    if (find_device(s, rest, &pty, error) < 0 || open_locked(s, error) < 0 ||
        (!pty && open_tty(s, error) < 0) || port_set_line(&s->fd.port, &line, error) < 0 ||
        port_fd_start(&s->fd, error) < 0) {
        port_close(&s->fd.port);
        return error->code;
    }
    port_discard(&s->fd.port); /* what a former user was sent is no answer to us */
    *port = &s->fd.port;
    return 0;
}
