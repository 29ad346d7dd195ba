/* SPDX-License-Identifier: Apache-2.0 */
/* Where a client comes in: a pty with a link, or a TCP port on 127.0.0.1 that speaks RFC 2217 and so brings
 * modem lines, breaks and parity in order with the bytes. Tells what the client does, as it does it; knows
 * neither time nor boards. */
#ifndef SIM_PORT_H
#define SIM_PORT_H

#include "line.h"
#include "loop.h"
#include "pty.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_events {
    void (*opened)(void *context); /* a client is there and was not before */
    void (*line)(void *context, struct line line);
    void (*bytes)(void *context, const uint8_t *bytes, size_t count);
    void (*modem)(void *context, bool dtr, bool rts); /* on change; both false when the client leaves */
    void (*set_break)(void *context, bool on);
    void (*settled)(void *context); /* all that had come was told */
};

struct remote;

struct port {
    const struct port_events *events;
    void *context;
    struct loop *loop;
    struct source *changes; /* inotify: tells of opens and closes of a pty by port_changed */
    bool remote, plugged;

    struct source source; /* the pty, or the client's connection */

    char *link;
    struct pty pty;

    struct source listener;
    uint16_t number; /* of the TCP port; stays the same when it returns */
    struct remote *codec;
    bool connected, dtr, rts, breaking;
    uint8_t *waiting; /* what the connection did not take yet */
    size_t waiting_bytes, waiting_room;
};

/* events, context, loop, changes, link and remote must be set. 0 or -1 with a complaint. */
int port_plug(struct port *port);
void port_unplug(struct port *port); /* clients see a hang-up */
void port_free(struct port *port);

bool port_is_open(const struct port *port); /* as far as is known */

/* Hands the client as much as it takes now; returns how much. Nobody there: all of it, it falls to the floor
 * as from a real wire. count may be 0, to push what waits. */
size_t port_write(struct port *port, const uint8_t *bytes, size_t count);
bool port_waits(const struct port *port); /* the client must take more before all is out */

/* inotify told of these changes of the pty. */
void port_changed(struct port *port, uint32_t mask);

/* For flashfarm.conf: "serial:DIR/A1", "rfc2217:127.0.0.1:40123". Fresh memory. */
char *port_name(const struct port *port);

/* port_tcp.c: the RFC 2217 half. */
int port_tcp_plug(struct port *port);
void port_tcp_unplug(struct port *port);
size_t port_tcp_write(struct port *port, const uint8_t *bytes, size_t count);

#endif
