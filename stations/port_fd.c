/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of fd-based ports; see the header. Knows reads, writes and waits, but not what the fd is. */
#include "port_fd.h"

#include "alloc.h"
#include "fiber.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DISCARD_ROUNDS 64 /* 256 KiB: more than a socket's receive buffer has by default */

/* Lives until libuv has let go of the handle, which is after the port itself was freed. */
struct port_watch {
    uv_poll_t poll;
    struct port_fd *port;
    int events; /* what the handle polls for; 0: stopped */
};

static struct port_fd *of(struct port *port)
{
    return (struct port_fd *)port;
}

static bool means_gone(int errno_value)
{
    return errno_value == EIO || errno_value == ENODEV || errno_value == ENXIO || errno_value == EPIPE ||
           errno_value == ECONNRESET || errno_value == ETIMEDOUT || errno_value == EHOSTUNREACH ||
           errno_value == ENETUNREACH;
}

static int say_gone(const struct port_fd *p, struct error *error)
{
    return error_set(error, -ENODEV, "%s is gone (%s)", p->port.traits.path,
                     p->socket ? "the connection has ended" : "unplugged or hung up");
}

int port_fd_failed(const struct port_fd *p, int errno_value, const char *what, struct error *error)
{
    if (means_gone(errno_value))
        return say_gone(p, error);
    return error_set_errno(error, errno_value, "%s: %s", p->port.traits.path, what);
}

/* Takes what the driver has into the buffer's free part. Returns whether there was anything. */
static bool fill(struct port_fd *p)
{
    size_t end = (p->first + p->held) % PORT_FD_BUFFER;
    size_t room = PORT_FD_BUFFER - p->held;
    size_t straight = room < PORT_FD_BUFFER - end ? room : PORT_FD_BUFFER - end;
    struct iovec parts[] = {{.iov_base = p->buffer + end, .iov_len = straight},
                            {.iov_base = p->buffer, .iov_len = room - straight}};
    ssize_t got;

    if (room == 0 || p->gone)
        return false;
    got = readv(p->fd, parts, room > straight && !p->filter ? 2 : 1);
    if (got > 0)
        p->held += p->filter ? p->filter(p, p->buffer + end, (size_t)got) : (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        p->gone = true; /* an empty non-blocking read is EAGAIN (VMIN is 1): 0 is a hang-up */
    return got > 0;
}

static size_t take(struct port_fd *p, uint8_t *bytes, size_t size)
{
    size_t count = size < p->held ? size : p->held;
    size_t straight = count < PORT_FD_BUFFER - p->first ? count : PORT_FD_BUFFER - p->first;

    memcpy(bytes, p->buffer + p->first, straight);
    memcpy(bytes + straight, p->buffer, count - straight);
    p->first = (p->first + count) % PORT_FD_BUFFER;
    p->held -= count;
    return count;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Polls for what is needed now. A full buffer takes no more, but a hang-up is still wanted: UV_DISCONNECT
 * alone leaves the two conditions that epoll always reports. Not so on a socket, where it is also reported
 * while there is more to read, again and again. */
static void adjust_watch(struct port_fd *p)
{
    int events = p->held < PORT_FD_BUFFER ? UV_READABLE : p->socket ? 0 : UV_DISCONNECT;

    events |= p->want_room ? UV_WRITABLE : 0;

    if (!p->watch)
        return;
    if (p->gone)
        events = 0;
    if (events == p->watch->events)
        return;
    p->watch->events = events;
    if (events)
        (void)uv_poll_start(&p->watch->poll, events, on_ready);
    else
        (void)uv_poll_stop(&p->watch->poll);
}

/* The last thing done in a callback: whoever is called may close the port. */
static void tell(struct port_fd *p, bool room)
{
    bool waited_for = p->waiter && fiber_waiting(p->waiter);

    if (waited_for && (p->gone || p->wake || p->held >= p->want || (room && p->want_room)))
        fiber_resume(p->waiter, 0);
    else if (p->gone && p->port.lost)
        p->port.lost(p->port.lost_context);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct port_fd *p = ((struct port_watch *)poll->data)->port;

    p->wake = false; /* a reader is not woken for what came before */
    if (status < 0)
        p->gone = true; /* libuv reports a hang-up as UV_EBADF */
    else if (events & (UV_READABLE | UV_DISCONNECT))
        (void)fill(p);
    adjust_watch(p);
    tell(p, (events & UV_WRITABLE) != 0);
}

int port_fd_start(struct port_fd *p, struct error *error)
{
    struct port_watch *watch;
    int status;

    if (!p->port.fibers)
        return 0;
    watch = allocate(1, sizeof *watch);
    status = uv_poll_init(fibers_loop(p->port.fibers), &watch->poll, p->fd);
    if (status < 0) {
        free(watch);
        return error_set_errno(error, -status, "%s cannot be watched", p->port.traits.path);
    }
    watch->port = p;
    watch->poll.data = watch;
    p->watch = watch;
    adjust_watch(p);
    return 0;
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

void port_fd_stop(struct port_fd *p)
{
    if (p->watch)
        uv_close((uv_handle_t *)&p->watch->poll, free_watch);
    p->watch = NULL;
}

static int wait_blocking(struct port_fd *p, int64_t deadline_us)
{
    int64_t left_us = deadline_us == CLOCK_NEVER ? 1000000 : deadline_us - port_now_us(&p->port);
    struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
                            .tv_nsec = (long)(left_us % 1000000) * 1000};
    struct pollfd polled = {
        .fd = p->fd,
        .events = (short)((p->held < PORT_FD_BUFFER ? POLLIN : 0) | (p->want_room ? POLLOUT : 0))};

    if (left_us <= 0)
        return -ETIMEDOUT;
    if (ppoll(&polled, 1, &left, NULL) > 0 && p->want_room && polled.revents & ~POLLOUT)
        (void)fill(p); /* a board that cannot get rid of its bytes may not take ours */
    return 0;
}

/* Waits until `want` bytes are held, the driver has room (if that is wanted), the device is gone, the
 * deadline or cancellation. The caller looks which; a wait outside a fiber may also end for none of these. */
static int wait_for(struct port_fd *p, size_t want, bool room, int64_t deadline_us)
{
    int status;

    p->want_room = room;
    if (!fiber_current(p->port.fibers)) {
        status = wait_blocking(p, deadline_us);
    } else {
        p->want = want;
        p->waiter = fiber_current(p->port.fibers);
        adjust_watch(p);
        status = fiber_suspend(p->port.fibers, deadline_us);
        p->waiter = NULL;
    }
    p->want_room = false;
    adjust_watch(p);
    return status;
}

int port_fd_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                 struct error *error)
{
    struct port_fd *p = of(port);
    size_t need = least < PORT_FD_BUFFER ? least : PORT_FD_BUFFER;
    int status = 0;

    while (p->held < need && !p->gone && status == 0) {
        /* On a fiber the watch is armed: a look of our own would find nothing almost every time. */
        if (fiber_current(port->fibers) || (!fill(p) && !p->gone))
            status = wait_for(p, need, false, deadline_us);
    }
    if (status == -ECANCELED)
        return error_set(error, status, "cancelled");
    if (status == -ETIMEDOUT)
        (void)fill(p); /* what came in time is not late because we were */
    if (p->held > 0) {
        size_t got = take(p, bytes, size);

        adjust_watch(p);
        return (int)got;
    }
    adjust_watch(p);
    return p->gone ? say_gone(p, error) : error_set(error, status, "%s: nothing came", port->traits.path);
}

/* After a write that took nothing: 0 to try again, else the error. */
static int wait_for_room(struct port_fd *p, int64_t deadline_us, struct error *error)
{
    int status = wait_for(p, SIZE_MAX, true, deadline_us);

    if (status == -ECANCELED)
        return error_set(error, status, "cancelled");
    if (status == -ETIMEDOUT)
        return error_set(error, status, "%s does not take the bytes", p->port.traits.path);
    return 0;
}

/* A socket whose other end is gone must not end the process by a signal. */
static ssize_t put(const struct port_fd *p, const uint8_t *bytes, size_t size)
{
    return p->socket ? send(p->fd, bytes, size, MSG_NOSIGNAL) : write(p->fd, bytes, size);
}

int port_fd_push(struct port_fd *p, const uint8_t *bytes, size_t size, size_t *taken, int64_t deadline_us,
                 struct error *error)
{
    *taken = 0;
    while (*taken < size) {
        ssize_t count = p->gone ? 0 : put(p, bytes + *taken, size - *taken);

        if (count > 0) {
            *taken += (size_t)count;
        } else if (count < 0 && errno == EAGAIN) {
            int status = wait_for_room(p, deadline_us, error);

            if (status < 0)
                return status;
        } else if (count == 0 || means_gone(errno)) {
            p->gone = true;
            adjust_watch(p);
            return say_gone(p, error);
        } else if (errno != EINTR) {
            return port_fd_failed(p, errno, "write", error);
        }
    }
    return 0;
}

int port_fd_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                  struct error *error)
{
    size_t taken;

    return port_fd_push(of(port), bytes, size, &taken, deadline_us, error);
}

int port_fd_await(struct port_fd *p, int64_t deadline_us, struct error *error)
{
    int status = 0;

    p->wake = false;
    while (!p->wake && !p->gone && status == 0) {
        bool moved;

        if (p->held == PORT_FD_BUFFER)
            p->held = 0;
        moved = !fiber_current(p->port.fibers) && fill(p);
        if (!moved && !p->gone)
            status = wait_for(p, PORT_FD_BUFFER, false, deadline_us);
        else if (port_now_us(&p->port) >= deadline_us)
            status = -ETIMEDOUT; /* a stream without end, and no answer in it */
    }
    if (status == -ETIMEDOUT)
        (void)fill(p);
    adjust_watch(p);
    if (status == -ECANCELED)
        return error_set(error, status, "cancelled");
    if (p->wake)
        return 0;
    return p->gone ? say_gone(p, error) : error_set(error, status, "%s does not answer", p->port.traits.path);
}

/* What the kernel still holds of a serial port is the kind's to drop; of a socket it is dropped here. */
void port_fd_discard(struct port_fd *p)
{
    p->held = 0;
    for (int i = 0; p->socket && i < DISCARD_ROUNDS && fill(p); i++)
        p->held = 0;
    adjust_watch(p);
}
