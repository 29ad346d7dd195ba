/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "serial": a tty of this host. Internal to the ports; the rest of the program knows port.h. */
#ifndef FLASHFARM_STATIONS_PORT_SERIAL_H
#define FLASHFARM_STATIONS_PORT_SERIAL_H

#include "port.h"

/* What the scheme table of port.c holds: `rest` is the name without "serial:". */
int port_serial_check(const char *rest, struct error *error);
int port_serial_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                     struct error *error);

#endif
