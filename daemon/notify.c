/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* How long READY and its like may wait for a manager that is busy. */
#define SEND_LIMIT_S 1

/* "/run/…" or, abstract, "@…"; sd_notify(3) also knows vsock, which only virtual machines need. */
static int read_address(struct notify *notify, const char *text, struct error *error)
{
    size_t length = strlen(text);

    if ((*text != '/' && *text != '@') || length < 2 || length >= sizeof notify->address.sun_path)
        return error_set(error, -EINVAL,
                         "NOTIFY_SOCKET is '%s'; expected an absolute path or @name of at most %zu bytes",
                         text, sizeof notify->address.sun_path - 1);
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, text, length);
    if (*text == '@')
        notify->address.sun_path[0] = '\0';
    /* An abstract name ends where the address says, not at a zero byte. */
    notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*text == '/'));
    return 0;
}

static int read_number(const char *name, int64_t *number, struct error *error)
{
    const char *text = getenv(name);
    char *end;

    *number = 0;
    if (!text)
        return 0;
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (end == text || *end || errno || *number <= 0)
        return error_set(error, -EINVAL, "%s is '%s'; expected a positive number", name, text);
    return 0;
}

static int read_watchdog(struct notify *notify, struct error *error)
{
    int64_t interval_us, pid;
    int status = read_number("WATCHDOG_USEC", &interval_us, error);

    if (status == 0)
        status = read_number("WATCHDOG_PID", &pid, error);
    if (status)
        return status;
    /* Inherited from somebody else's service: not meant for this process. */
    if (pid == 0 || pid == (int64_t)getpid())
        notify->watchdog_us = interval_us;
    return 0;
}

int notify_open(struct notify *notify, struct error *error)
{
    const char *text = getenv("NOTIFY_SOCKET");
    const struct timeval limit = {.tv_sec = SEND_LIMIT_S};
    int status;

    *notify = (struct notify){.fd = -1};
    if (!text || !*text)
        return 0;
    status = read_address(notify, text, error);
    if (status == 0)
        status = read_watchdog(notify, error);
    if (status)
        return status;
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd < 0)
        return error_set_errno(error, errno, "socket for NOTIFY_SOCKET");
    (void)setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return 0;
}

void notify_close(struct notify *notify)
{
    if (notify->fd >= 0)
        (void)close(notify->fd);
    *notify = (struct notify){.fd = -1};
}

static int send_text(const struct notify *notify, const char *text, int flags)
{
    ssize_t sent;

    if (notify->fd < 0)
        return 0;
    sent = sendto(notify->fd, text, strlen(text), flags | MSG_NOSIGNAL,
                  (const struct sockaddr *)&notify->address, notify->address_size);
    return sent < 0 ? -errno : 0;
}

/* A line break inside a status would start another assignment: "STATUS=x\nMAINPID=1". */
static int send_state(const struct notify *notify, const char *state, const char *status)
{
    char text[320];
    int head =
        snprintf(text, sizeof text, "%s%s%s", state, *state && status ? "\n" : "", status ? "STATUS=" : "");

    (void)snprintf(text + head, sizeof text - (size_t)head, "%s", status ? status : "");
    for (char *c = text + head; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return send_text(notify, text, 0);
}

int notify_ready(const struct notify *notify, const char *status)
{
    return send_state(notify, "READY=1", status);
}

int notify_reloading(const struct notify *notify, int64_t monotonic_us)
{
    char text[80];

    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, monotonic_us);
    return send_text(notify, text, 0);
}

int notify_stopping(const struct notify *notify, const char *status)
{
    return send_state(notify, "STOPPING=1", status);
}

int notify_status(const struct notify *notify, const char *status)
{
    return send_state(notify, "", status);
}

int notify_watchdog(const struct notify *notify)
{
    return send_text(notify, "WATCHDOG=1", MSG_DONTWAIT);
}
