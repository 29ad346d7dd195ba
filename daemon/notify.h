/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's ear: the datagrams of sd_notify(3), spoken without libsystemd. Outside systemd
 * (NOTIFY_SOCKET not set) everything here does nothing and succeeds. */
#ifndef FLASHFARM_NOTIFY_H
#define FLASHFARM_NOTIFY_H

#include "result.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_size;
    int64_t watchdog_us; /* a sign of life is due at least this often; 0: not asked for */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. -EINVAL when they make no sense: a daemon that was
 * told to report and cannot would be killed later for a reason nobody understands. */
int notify_open(struct notify *notify, struct error *error);
void notify_close(struct notify *notify);

/* Each returns 0, or a negative errno when the manager did not take it; `status` is one line, or NULL. */
int notify_ready(const struct notify *notify, const char *status);
int notify_reloading(const struct notify *notify, int64_t monotonic_us);
int notify_stopping(const struct notify *notify, const char *status);
int notify_status(const struct notify *notify, const char *status);
/* Never waits: a lost sign of life is followed by the next. Send at half of watchdog_us. */
int notify_watchdog(const struct notify *notify);

#endif
