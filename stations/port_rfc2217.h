/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "rfc2217": a serial port behind a terminal server, with its line settings, modem lines and break
 * (RFC 2217, Telnet Com Port Control Option). Internal to the ports. */
#ifndef FLASHFARM_STATIONS_PORT_RFC2217_H
#define FLASHFARM_STATIONS_PORT_RFC2217_H

#include "port.h"

/* The part after "rfc2217:": HOST:PORT, or [ADDRESS]:PORT for IPv6. */
int port_rfc2217_check(const char *rest, struct error *error);
int port_rfc2217_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                      struct error *error);

#endif
