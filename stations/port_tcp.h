/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "tcp": a serial port behind a terminal server, as a plain stream of its bytes. Line settings and
 * modem lines are the server's own business; where they matter, "rfc2217" is the scheme.
 *
 * Internal to the ports: what every port over TCP needs, which is an address, a connection and its end. */
#ifndef FLASHFARM_STATIONS_PORT_TCP_H
#define FLASHFARM_STATIONS_PORT_TCP_H

#include "port_fd.h"

/* For everything up to an open connection: the name's address, and each address that it has. */
#define PORT_TCP_CONNECT_US 5000000

/* The part after "tcp:": HOST:PORT, or [ADDRESS]:PORT for IPv6. */
int port_tcp_check(const char *rest, struct error *error);
int port_tcp_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                  struct error *error);

/* As port_tcp_check(), for a scheme of its own. */
int port_tcp_check_address(const char *scheme, const char *rest, struct error *error);
/* A zeroed port with clock and fibers becomes a connected one: socket, path, watch. On an error, and in the
 * end, port_tcp_disconnect(). -ENOENT: nobody is there. */
int port_tcp_connect(struct port_fd *p, const char *rest, struct error *error);
void port_tcp_disconnect(struct port_fd *p);

#endif
