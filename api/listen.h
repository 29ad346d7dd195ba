/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that the daemon listens on. */
#ifndef FLASHFARM_API_LISTEN_H
#define FLASHFARM_API_LISTEN_H

#include "result.h"

#include <stdbool.h>

struct listener {
    int fd;
    int port;      /* the one it has got when 0 was asked for */
    bool loopback; /* only this host can reach it */
    char host[50]; /* as in a URL: "127.0.0.1", "[::1]" */
};

/* Only reads "ADDRESS:PORT"; fd and port as asked. -EINVAL. */
int listen_parse(const char *text, struct listener *listener, struct error *error);
/* As above, and listens. */
int listen_open(const char *text, struct listener *listener, struct error *error);

#endif
