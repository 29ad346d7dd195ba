/* SPDX-License-Identifier: Apache-2.0 */
/* See port.h: what both kinds share, and the pty. */
#include "port.h"

#include "common.h"
#include "remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { READ_MAX_BYTES = 4096 };

static struct port *port_of(struct source *source)
{
    return (struct port *)((char *)source - offsetof(struct port, source));
}

/* Somebody has the port open who had not before. */
static void greet(struct port *port)
{
    port->pty.open = true;
    port->events->opened(port->context);
}

static void take_pending(struct port *port, size_t most)
{
    uint8_t bytes[READ_MAX_BYTES];
    ssize_t count = read(port->source.fd, bytes, most < sizeof bytes ? most : sizeof bytes);
    struct line line;

    if (count <= 0) {
        if (count < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)
            (void)sim_complain("%s: %s", port->link, strerror(errno));
        return;
    }
    if (!port->pty.open)
        greet(port);
    if (!line_get(port->source.fd, &line))
        port->events->line(port->context, line);
    port->events->bytes(port->context, bytes, (size_t)count);
}

/* Whether the client is still there must be known before bytes of one are taken and before it is answered, or
 * the next client would find answers to its predecessor. */
static void on_readable(struct source *source)
{
    struct port *port = port_of(source);

    port->changes->ready(port->changes);
    take_pending(port, READ_MAX_BYTES);
    port->changes->ready(port->changes);
    port->events->settled(port->context);
}

static int plug_pty(struct port *port)
{
    if (pty_plug(&port->pty, port->link, port->changes->fd))
        return -1;
    port->source = (struct source){.fd = port->pty.master_fd, .ready = on_readable};
    if (loop_add(port->loop, &port->source)) {
        pty_unplug(&port->pty, port->link, port->changes->fd);
        return -1;
    }
    return 0;
}

static void unplug_pty(struct port *port)
{
    loop_remove(port->loop, &port->source);
    pty_unplug(&port->pty, port->link, port->changes->fd);
}

static size_t write_pty(struct port *port, const uint8_t *bytes, size_t count)
{
    ssize_t written = write(port->pty.master_fd, bytes, count);

    if (written < 0)
        return errno == EAGAIN ? 0 : count;
    return (size_t)written;
}

int port_plug(struct port *port)
{
    if (port->plugged)
        return 0;
    if (port->remote ? port_tcp_plug(port) : plug_pty(port))
        return -1;
    port->plugged = true;
    return 0;
}

void port_unplug(struct port *port)
{
    if (!port->plugged)
        return;
    port->plugged = false;
    if (port->remote)
        port_tcp_unplug(port);
    else
        unplug_pty(port);
}

void port_free(struct port *port)
{
    port_unplug(port);
    remote_free(port->codec);
    free(port->waiting);
    free(port->link);
}

bool port_is_open(const struct port *port)
{
    return port->plugged && (port->remote ? port->connected : port->pty.open);
}

size_t port_write(struct port *port, const uint8_t *bytes, size_t count)
{
    if (!port_is_open(port))
        return count;
    if (port->remote)
        return port_tcp_write(port, bytes, count);
    return count ? write_pty(port, bytes, count) : 0;
}

bool port_waits(const struct port *port)
{
    return port_is_open(port) && port->waiting_bytes;
}

/* What is there before it is seen that nobody has the port open are the last words of who has left; more than
 * that may already be the first words of the next client. */
static void see_off(struct port *port)
{
    int last_words = pty_check_open(&port->pty, port->changes->fd);

    if (port->pty.open) {
        greet(port);
        return;
    }
    port->pty.open = true;
    if (last_words > 0)
        take_pending(port, (size_t)last_words);
    port->pty.open = false;
    port->events->settled(port->context);
}

/* An open that inotify did not tell of (the watch is down while pty_check_open looks) shows itself in
 * see_off, or by its first byte. */
void port_changed(struct port *port, uint32_t mask)
{
    if ((mask & IN_OPEN) && !port->pty.open)
        greet(port);
    if (mask & IN_CLOSE)
        see_off(port);
}

char *port_name(const struct port *port)
{
    return port->remote ? sim_text("rfc2217:127.0.0.1:%u", port->number) : sim_text("serial:%s", port->link);
}
