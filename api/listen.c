/* SPDX-License-Identifier: Apache-2.0 */
#include "listen.h"

#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_v4(const char *host, int port, union address *address, bool *loopback)
{
    memset(address, 0, sizeof *address);
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) != 1)
        return false;
    *loopback = ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    return true;
}

static bool parse_v6(const char *host, int port, union address *address, bool *loopback)
{
    memset(address, 0, sizeof *address);
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) != 1)
        return false;
    *loopback = IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return true;
}

static int parse(const char *text, struct listener *listener, union address *address, struct error *error)
{
    const char *colon = strrchr(text, ':');
    char host[sizeof listener->host - 2];
    int64_t port;

    *listener = (struct listener){.fd = -1};
    if (!colon || !parse_integer(colon + 1, 0, 65535, &port) || colon[1] == '-' ||
        !parse_host(text, host, sizeof host))
        return error_set(error, -EINVAL,
                         "listen is '%s'; expected ADDRESS:PORT, as 127.0.0.1:8470 or [::1]:8470", text);
    listener->port = (int)port;
    if (text[0] != '[' && parse_v4(host, listener->port, address, &listener->loopback))
        (void)snprintf(listener->host, sizeof listener->host, "%s", host);
    else if (text[0] == '[' && parse_v6(host, listener->port, address, &listener->loopback))
        (void)snprintf(listener->host, sizeof listener->host, "[%s]", host);
    else
        return error_set(error, -EINVAL, "listen is '%s'; '%s' is not a numeric address", text, host);
    return 0;
}

int listen_parse(const char *text, struct listener *listener, struct error *error)
{
    union address address;

    return parse(text, listener, &address, error);
}

static int open_socket(int fd, const union address *address, socklen_t size)
{
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return bind(fd, &address->any, size) || listen(fd, BACKLOG) ? -errno : 0;
}

int listen_open(const char *text, struct listener *listener, struct error *error)
{
    union address address = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size;
    int status = parse(text, listener, &address, error);

    if (status)
        return status;
    size = address.any.sa_family == AF_INET ? sizeof address.v4 : sizeof address.v6;
    listener->fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return error_set_errno(error, errno, "cannot listen on %s", text);
    status = open_socket(listener->fd, &address, size);
    if (!status && getsockname(listener->fd, &address.any, &size))
        status = -errno;
    if (status) {
        (void)close(listener->fd);
        return error_set_errno(error, -status, "cannot listen on %s", text);
    }
    listener->port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return 0;
}
