/* SPDX-License-Identifier: Apache-2.0 */
/* Line settings by the kernel's termios2, which knows every baud rate. Its header <asm/termbits.h> cannot be
 * included together with <termios.h>, so it stays inside port_termios2.c. Internal to the ports. */
#ifndef FLASHFARM_STATIONS_PORT_TERMIOS2_H
#define FLASHFARM_STATIONS_PORT_TERMIOS2_H

#include "port.h"

/* Makes the tty raw at these settings, everything in one step. 0 or -errno. */
int port_termios2_apply(int fd, const struct port_line *line);

/* Puts right what libserialport 0.1.1 leaves wrong: reads that say 0 when nothing has come, software and
 * hardware flow control left over from a former user, DTR dropped at close. 0 or -errno. */
int port_termios2_repair(int fd);

/* Reads the settings back: 0 when they are in force, else a negative errno and a sentence that says which is
 * not. `parity_kept`: the driver keeps PARENB (a pty does not). */
int port_termios2_verify(int fd, const struct port_line *line, bool parity_kept, struct error *error);

#endif
