/* SPDX-License-Identifier: Apache-2.0 */
/* See port.h: the TCP port that speaks RFC 2217 (remote.h). One client at a time. */
#include "common.h"
#include "port.h"
#include "remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX_BYTES = 4096 };

static void push(struct port *port)
{
    ssize_t sent;

    if (!port->waiting_bytes)
        return;
    sent = send(port->source.fd, port->waiting, port->waiting_bytes, MSG_NOSIGNAL);
    if (sent <= 0)
        return;
    port->waiting_bytes -= (size_t)sent;
    memmove(port->waiting, port->waiting + sent, port->waiting_bytes);
}

static void on_reply(void *context, const uint8_t *bytes, size_t count)
{
    struct port *port = context;

    if (port->waiting_bytes + count > port->waiting_room) {
        port->waiting_room = 2 * (port->waiting_bytes + count);
        port->waiting = sim_reallocate(port->waiting, port->waiting_room);
    }
    memcpy(port->waiting + port->waiting_bytes, bytes, count);
    port->waiting_bytes += count;
    push(port);
}

static void on_data(void *context, const uint8_t *bytes, size_t count)
{
    const struct port *port = context;

    port->events->bytes(port->context, bytes, count);
}

static void on_line(void *context, uint32_t baud, enum remote_parity parity, unsigned stop_bits)
{
    static const enum parity parities[] = {[REMOTE_NONE] = PARITY_NONE,
                                           [REMOTE_ODD] = PARITY_ODD,
                                           [REMOTE_EVEN] = PARITY_EVEN,
                                           [REMOTE_MARK] = PARITY_MARK,
                                           [REMOTE_SPACE] = PARITY_SPACE};
    const struct port *port = context;

    (void)stop_bits;
    port->events->line(port->context, (struct line){.baud = baud, .parity = parities[parity]});
}

static void on_modem(void *context, bool dtr, bool rts)
{
    struct port *port = context;

    if (dtr == port->dtr && rts == port->rts)
        return;
    port->dtr = dtr;
    port->rts = rts;
    port->events->modem(port->context, dtr, rts);
}

static void on_break(void *context, bool on)
{
    struct port *port = context;

    if (on == port->breaking)
        return;
    port->breaking = on;
    port->events->set_break(port->context, on);
}

/* Bytes go to the board as they come, and the connection has what the client was to get: nothing is kept here
 * that could be thrown away. */
static void on_purge(void *context, bool received, bool unsent)
{
    (void)context;
    (void)received;
    (void)unsent;
}

static const struct remote_events codec_events = {
    .data = on_data,
    .line = on_line,
    .modem = on_modem,
    .set_break = on_break,
    .purge = on_purge,
    .reply = on_reply,
};

/* As a terminal server does: the lines fall when their client leaves. */
static void part(struct port *port)
{
    int fd = port->source.fd;

    if (!port->connected)
        return;
    port->connected = false;
    port->waiting_bytes = 0;
    loop_remove(port->loop, &port->source);
    (void)close(fd);
    on_break(port, false);
    on_modem(port, false, false);
}

/* False when the client has left. */
static bool take_pending(struct port *port)
{
    uint8_t bytes[READ_MAX_BYTES];
    ssize_t count = recv(port->source.fd, bytes, sizeof bytes, 0);

    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (!count)
        return false;
    remote_feed(port->codec, bytes, (size_t)count);
    return true;
}

static void on_readable(struct source *source)
{
    struct port *port = (struct port *)((char *)source - offsetof(struct port, source));

    if (!take_pending(port))
        part(port);
    port->events->settled(port->context);
}

static void welcome(struct port *port, int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    port->source = (struct source){.fd = fd, .ready = on_readable};
    if (loop_add(port->loop, &port->source)) {
        (void)close(fd);
        return;
    }
    port->connected = true;
    remote_open(port->codec);
    port->events->opened(port->context);
}

/* Who is there may have left already without having been looked at. */
static void hear_out(struct port *port)
{
    uint8_t byte;
    ssize_t count = 1;

    while (port->connected && count > 0) {
        count = recv(port->source.fd, &byte, 1, MSG_PEEK);
        if ((count > 0 && !take_pending(port)) || !count || (count < 0 && errno != EAGAIN && errno != EINTR))
            part(port);
    }
}

static void on_caller(struct source *source)
{
    struct port *port = (struct port *)((char *)source - offsetof(struct port, listener));
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    hear_out(port);
    if (port->connected)
        (void)close(fd);
    else
        welcome(port, fd);
    port->events->settled(port->context);
}

static int listen_at(struct port *port, int fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port->number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(fd, (const struct sockaddr *)&address, size) || listen(fd, 4) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        return sim_complain("127.0.0.1:%u: %s", port->number, strerror(errno));
    port->number = ntohs(address.sin_port);
    return 0;
}

int port_tcp_plug(struct port *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return sim_complain("socket: %s", strerror(errno));
    if (!port->codec)
        port->codec = remote_new(&codec_events, port);
    port->listener = (struct source){.fd = fd, .ready = on_caller};
    if (listen_at(port, fd) || loop_add(port->loop, &port->listener)) {
        (void)close(fd);
        return -1;
    }
    return 0;
}

void port_tcp_unplug(struct port *port)
{
    int fd = port->listener.fd;

    part(port);
    loop_remove(port->loop, &port->listener);
    (void)close(fd);
}

/* What is encoded cannot be taken back, so nothing new is accepted while something waits. */
size_t port_tcp_write(struct port *port, const uint8_t *bytes, size_t count)
{
    push(port);
    if (port->waiting_bytes)
        return 0;
    remote_send(port->codec, bytes, count);
    return count;
}
