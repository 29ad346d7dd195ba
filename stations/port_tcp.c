/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "tcp", and the connection under every port over TCP; see the header. */
#include "port_tcp.h"

#include "alloc.h"
#include "fiber.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A server that lost its power says nothing more. It is found out while nothing is sent (the first three) and
 * when what was sent is not acknowledged (the last). */
#define ALIVE_IDLE_S     10
#define ALIVE_INTERVAL_S 5
#define ALIVE_PROBES     3
#define UNACKNOWLEDGED_MS                                                                                    \
    ((ALIVE_IDLE_S + ALIVE_INTERVAL_S * ALIVE_PROBES) * 1000) /* a shorter one would cut the probes short */

enum { HOST_MAX = 200 };

struct address {
    char host[HOST_MAX + 1];
    char service[6]; /* a port number in decimal */
};

/* --- names -------------------------------------------------------------------------------- */

static bool read_service(const char *text, struct address *address)
{
    long number;

    if (strlen(text) >= sizeof address->service || text[0] == '\0' ||
        text[strspn(text, "0123456789")] != '\0')
        return false;
    number = strtol(text, NULL, 10);
    (void)snprintf(address->service, sizeof address->service, "%s", text);
    return number >= 1 && number <= 65535;
}

static bool read_host(const char *text, size_t size, bool bracketed, struct address *address)
{
    if (size == 0 || size > HOST_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(bracketed ? ":.%-_" : ".-_", text[i]))
            return false;
    memcpy(address->host, text, size);
    address->host[size] = '\0';
    return true;
}

static bool read_address(const char *rest, struct address *address)
{
    bool bracketed = rest[0] == '[';
    const char *host = bracketed ? rest + 1 : rest;
    size_t size = strcspn(host, bracketed ? "]" : ":");
    const char *colon = host + size;

    if (bracketed && *colon == ']')
        colon++;
    return *colon == ':' && read_host(host, size, bracketed, address) && read_service(colon + 1, address);
}

int port_tcp_check_address(const char *scheme, const char *rest, struct error *error)
{
    struct address address;

    if (!read_address(rest, &address))
        return error_set(error, -EINVAL,
                         "\"%s:%s\" is no port name: expected %s:HOST:PORT, or %s:[ADDRESS]:PORT for IPv6",
                         scheme, rest, scheme, scheme);
    return 0;
}

int port_tcp_check(const char *rest, struct error *error)
{
    return port_tcp_check_address("tcp", rest, error);
}

/* --- addresses ---------------------------------------------------------------------------- */

/* A look-up in libuv's pool. Once begun it cannot be broken off: who waits no longer leaves it to its
 * callback. */
struct lookup {
    uv_getaddrinfo_t request;
    struct fiber *waiter;
    bool done, abandoned;
    int status;
    struct addrinfo *found;
};

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = request->data;

    lookup->done = true;
    lookup->status = status;
    lookup->found = found;
    if (lookup->abandoned) {
        uv_freeaddrinfo(found);
        free(lookup);
    } else if (fiber_waiting(lookup->waiter)) {
        fiber_resume(lookup->waiter, 0);
    }
}

/* Takes the result out of a look-up that has ended. */
static int finish_lookup(struct lookup *lookup, struct addrinfo **found, const struct address *address,
                         struct error *error)
{
    int status = lookup->status;

    *found = lookup->found;
    free(lookup);
    if (status < 0)
        return error_set(error, -ENOENT, "%s cannot be found: %s", address->host, uv_strerror(status));
    return 0;
}

static int look_up_on_fiber(const struct port_fd *p, const struct address *address,
                            const struct addrinfo *hints, int64_t deadline_us, struct addrinfo **found,
                            struct error *error)
{
    struct lookup *lookup = allocate(1, sizeof *lookup);
    int status;

    lookup->request.data = lookup;
    lookup->waiter = fiber_current(p->port.fibers);
    status = uv_getaddrinfo(fibers_loop(p->port.fibers), &lookup->request, on_found, address->host,
                            address->service, hints);
    if (status < 0) {
        lookup->status = status;
        return finish_lookup(lookup, found, address, error);
    }
    while (!lookup->done && status == 0)
        status = fiber_suspend(p->port.fibers, deadline_us);
    if (lookup->done && status == 0)
        return finish_lookup(lookup, found, address, error);
    if (lookup->done) {
        uv_freeaddrinfo(lookup->found);
        free(lookup);
    } else {
        lookup->abandoned = true;
        (void)uv_cancel((uv_req_t *)&lookup->request); /* one that has not begun; they would pile up */
    }
    return status == -ECANCELED
               ? error_set(error, status, "cancelled")
               : error_set(error, -ENOENT, "%s cannot be found: no answer in time", address->host);
}

/* The addresses of a name. Numbers need nobody's answer; a name is looked up in the pool, or, outside a
 * fiber, where blocking is what was asked for, right here. */
static int look_up(const struct port_fd *p, const struct address *address, int64_t deadline_us,
                   struct addrinfo **found, struct error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    int status = getaddrinfo(address->host, address->service, &hints, found);

    if (status == 0)
        return 0;
    hints.ai_flags = AI_NUMERICSERV;
    if (fiber_current(p->port.fibers))
        return look_up_on_fiber(p, address, &hints, deadline_us, found, error);
    status = getaddrinfo(address->host, address->service, &hints, found);
    if (status != 0)
        return error_set(error, -ENOENT, "%s cannot be found: %s", address->host, gai_strerror(status));
    return 0;
}

/* --- connection --------------------------------------------------------------------------- */

/* Lives until libuv has let go of the handle. */
struct connecting {
    uv_poll_t poll;
    struct fiber *waiter;
    bool ready;
};

static void free_connecting(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct connecting *connecting = poll->data;

    (void)status, (void)events; /* the socket itself tells */
    connecting->ready = true;
    (void)uv_poll_stop(poll);
    if (fiber_waiting(connecting->waiter))
        fiber_resume(connecting->waiter, 0);
}

static int wait_on_fiber(const struct port_fd *p, int64_t deadline_us)
{
    struct connecting *connecting = allocate(1, sizeof *connecting);
    int status = uv_poll_init(fibers_loop(p->port.fibers), &connecting->poll, p->fd);

    if (status < 0) {
        free(connecting);
        return status;
    }
    connecting->poll.data = connecting;
    connecting->waiter = fiber_current(p->port.fibers);
    (void)uv_poll_start(&connecting->poll, UV_WRITABLE, on_connected);
    while (!connecting->ready && status == 0)
        status = fiber_suspend(p->port.fibers, deadline_us);
    uv_close((uv_handle_t *)&connecting->poll, free_connecting);
    return status;
}

static int wait_blocking(const struct port_fd *p, int64_t deadline_us)
{
    struct pollfd polled = {.fd = p->fd, .events = POLLOUT};
    int ready = 0;

    while (ready <= 0) {
        int64_t left_us = deadline_us - port_now_us(&p->port);
        struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
                                .tv_nsec = (long)(left_us % 1000000) * 1000};

        if (left_us <= 0)
            return -ETIMEDOUT;
        ready = ppoll(&polled, 1, &left, NULL);
        if (ready < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

/* 0, or a negative errno. */
static int connect_one(struct port_fd *p, const struct addrinfo *to, int64_t deadline_us)
{
    socklen_t size = sizeof(int);
    int status = 0, result = 0;

    p->fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    if (p->fd < 0)
        return -errno;
    if (connect(p->fd, to->ai_addr, to->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        status = -errno;
    else if (fiber_current(p->port.fibers))
        status = wait_on_fiber(p, deadline_us);
    else
        status = wait_blocking(p, deadline_us);
    if (status == 0 && getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &result, &size) == 0)
        status = -result;
    if (status < 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
    return status;
}

/* Each address in its turn, in the order of the resolver's preference. One that does not answer leaves the
 * others their share of the time. */
static int connect_any(struct port_fd *p, const struct addrinfo *found, int64_t deadline_us,
                       struct error *error)
{
    int count = 0, status = -ENOENT;

    for (const struct addrinfo *to = found; to; to = to->ai_next)
        count++;
    for (const struct addrinfo *to = found; to; to = to->ai_next, count--) {
        int64_t now_us = port_now_us(&p->port);

        status = connect_one(p, to, now_us + (deadline_us - now_us) / count);
        if (status == 0)
            return 0;
        if (status == -ECANCELED)
            return error_set(error, status, "cancelled");
    }
    return error_set(error, -ENOENT, "%s cannot be reached: %s", p->port.traits.path, strerror(-status));
}

static void set_option(const struct port_fd *p, int level, int option, int value)
{
    (void)setsockopt(p->fd, level, option, &value, sizeof value); /* each is known since Linux 2.6.37 */
}

static void set_options(const struct port_fd *p)
{
    set_option(p, IPPROTO_TCP, TCP_NODELAY, 1); /* a command goes now, not with the next one */
    set_option(p, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(p, IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_S);
    set_option(p, IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_INTERVAL_S);
    set_option(p, IPPROTO_TCP, TCP_KEEPCNT, ALIVE_PROBES);
    set_option(p, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}

int port_tcp_connect(struct port_fd *p, const char *rest, struct error *error)
{
    int64_t deadline_us = port_now_us(&p->port) + PORT_TCP_CONNECT_US;
    struct addrinfo *found = NULL;
    struct address address;
    int status;

    p->fd = -1;
    p->socket = true;
    p->port.traits.latency_timer_ms = -1;
    (void)snprintf(p->port.traits.path, sizeof p->port.traits.path, "%s", rest);
    if (!read_address(rest, &address))
        return port_tcp_check(rest, error);
    status = look_up(p, &address, deadline_us, &found, error);
    if (status < 0)
        return status;
    status = connect_any(p, found, deadline_us, error);
    freeaddrinfo(found);
    if (status < 0)
        return status;
    set_options(p);
    return port_fd_start(p, error);
}

/* Unread bytes at close(2) would turn the end of the stream into a reset, which may overtake what was sent
 * last: the modem lines' state of rest, say. */
void port_tcp_disconnect(struct port_fd *p)
{
    if (p->fd >= 0) {
        (void)shutdown(p->fd, SHUT_WR);
        p->filter = NULL;
        port_fd_discard(p);
    }
    port_fd_stop(p);
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

/* --- the plain stream --------------------------------------------------------------------- */

/* The server has the settings that it has. That they are right nobody can tell; but parity as a ninth bit
 * changes from byte to byte, which is sure to go wrong. */
static int tcp_set_line(struct port *port, const struct port_line *line, struct error *error)
{
    if (line->parity == PARITY_MARK || line->parity == PARITY_SPACE)
        return error_set(error, -ENOTSUP, "%s cannot switch mark and space parity: use rfc2217:%s",
                         port->traits.path, port->traits.path);
    return 0;
}

static void tcp_discard(struct port *port)
{
    port_fd_discard((struct port_fd *)port);
}

static void tcp_close(struct port *port)
{
    port_tcp_disconnect((struct port_fd *)port);
    free(port);
}

static const struct port_kind tcp_kind = {.scheme = "tcp",
                                          .set_line = tcp_set_line,
                                          .read = port_fd_read,
                                          .write = port_fd_write,
                                          .discard = tcp_discard,
                                          .close = tcp_close};

int port_tcp_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                  struct error *error)
{
    struct port_fd *p = allocate(1, sizeof *p);
    int status;

    p->port.kind = &tcp_kind;
    p->port.clock = clock;
    p->port.fibers = fibers;
    p->port.line = (struct port_line){.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    status = port_tcp_connect(p, rest, error);
    if (status < 0) {
        tcp_close(&p->port);
        return status;
    }
    *port = &p->port;
    return 0;
}
