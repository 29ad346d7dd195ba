/* SPDX-License-Identifier: Apache-2.0 */
/* The scheme "rs485": one of many units on one line. "rs485:/dev/ttyS1#17" and "rs485:rfc2217:host:4001#17"
 * name a port and, behind the #, a unit's address, 1 to 255.
 *
 * The port below is opened once for each line, by the first handle, and closed by the last one; the handles
 * of one loop share it. Who holds the turn (port_take(), port_give()) may use it; the others' reads find
 * nothing and their writes are refused. This file knows turns and addresses, and nothing of what is said. */
#ifndef FLASHFARM_STATIONS_PORT_RS485_H
#define FLASHFARM_STATIONS_PORT_RS485_H

#include "port.h"

int port_rs485_check(const char *rest, struct error *error);
int port_rs485_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                    struct error *error);

/* All of these look through ports that wrap others, and accept NULL. On a port of another kind there is no
 * address (0), no shared memory (NULL), and nobody else: a wait for others fails at once. */
uint8_t port_rs485_address(const struct port *port);
/* Memory of the whole line, zeroed when the line is opened; every caller gives the same size. */
void *port_rs485_shared(struct port *port, size_t size);
/* Whether a handle for that address is open on the same line. */
bool port_rs485_knows(const struct port *port, uint8_t address);
/* How many wait for their turn. */
size_t port_rs485_waiting(const struct port *port);
/* Waits, without the turn, until somebody calls port_rs485_wake() on this line. */
int port_rs485_wait(struct port *port, int64_t deadline_us, struct error *error);
void port_rs485_wake(struct port *port);

#endif
