/* SPDX-License-Identifier: Apache-2.0 */
/* The common engine of ports that are one non-blocking file descriptor: a receive buffer, waits on a fiber or
 * by poll(2), and the discovery that the device is gone. Internal to the ports.
 *
 * On a loop the descriptor is watched from start to stop, also while nobody reads: an unplugged device is
 * noticed at once, and what the board says between two reads is taken out of the driver's small buffer. */
#ifndef FLASHFARM_STATIONS_PORT_FD_H
#define FLASHFARM_STATIONS_PORT_FD_H

#include "port.h"

#define PORT_FD_BUFFER 4096u

struct fiber;
struct port_watch;

struct port_fd {
    struct port port; /* first: kinds get it as their `struct port *` */
    int fd;
    bool socket;              /* of a remote port: see port_tcp.h */
    bool gone;                /* hung up or unplugged; stays so */
    struct port_watch *watch; /* NULL without a loop */
    struct fiber *waiter;     /* the fiber inside port_fd_read() or port_fd_write() */
    size_t want;              /* wake it when so many bytes are held, … */
    bool want_room;           /* … or when the driver takes bytes again */
    /* What arrives may be more than the board's words (telnet). The filter sees it first, keeps the data at
     * the front, returns its size, and sets `wake` at what port_fd_await() may be waiting for. It runs on the
     * loop's stack or the reader's, and must not wait. NULL: all is data. */
    size_t (*filter)(struct port_fd *p, uint8_t *bytes, size_t size);
    bool wake;
    size_t first, held; /* the buffer's oldest byte, and how many there are */
    uint8_t buffer[PORT_FD_BUFFER];
};

/* Starts watching `p->fd` when the port has fibers. The fd must be non-blocking. */
int port_fd_start(struct port_fd *p, struct error *error);
/* Stops watching; afterwards the fd may be closed and `p` freed at once. */
void port_fd_stop(struct port_fd *p);

/* These three are a kind's `read`, `write` and (the buffer's half of) `discard`. */
int port_fd_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                 struct error *error);
int port_fd_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                  struct error *error);
void port_fd_discard(struct port_fd *p);

/* As port_fd_write(), and tells how many bytes the driver has taken when it fails half-way. */
int port_fd_push(struct port_fd *p, const uint8_t *bytes, size_t size, size_t *taken, int64_t deadline_us,
                 struct error *error);
/* Waits until the filter wakes us. 0, -ETIMEDOUT, -ECANCELED or -ENODEV. What the filter must see may stand
 * behind data that nobody reads: when that fills the buffer, it is dropped, as a UART would. */
int port_fd_await(struct port_fd *p, int64_t deadline_us, struct error *error);

/* The error for a failed call on the fd: -ENODEV when the errno means that the device is gone. */
int port_fd_failed(const struct port_fd *p, int errno_value, const char *what, struct error *error);

#endif
