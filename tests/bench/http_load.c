/* SPDX-License-Identifier: Apache-2.0 */
/* Load on the HTTP interface from one thread, cheap enough to stand beside what it measures:
 *
 *     http_load PORT KEY rest PATH CONNECTIONS MILLISECONDS PER_SECOND
 *     http_load PORT KEY events PATH STREAMS SAMPLES_FILE
 */
#include "http_load.h"

#include "alloc.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t utc_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t processor_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

_Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "http_load: %s\n", what);
    exit(EXIT_FAILURE);
}

int connect_to(const struct target *target, int epoll_fd, void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)target->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = context};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        die("cannot connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("cannot watch a connection");
    return fd;
}

char *get_text(const struct target *target, const char *more_headers)
{
    return format_text("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n%s\r\n",
                       target->path, target->port, target->key, more_headers);
}

/* Two descriptors a stream at the most; the usual soft limit is for a shell. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int count, char **arguments)
{
    struct target target;

    if (count < 6)
        die("usage: http_load PORT KEY rest|events PATH ...");
    raise_file_limit();
    target = (struct target){.port = atoi(arguments[1]), .key = arguments[2], .path = arguments[4]};
    if (strcmp(arguments[3], "rest") == 0 && count == 8)
        load_rest(&target, strtoul(arguments[5], NULL, 10), strtol(arguments[6], NULL, 10) * 1000,
                  strtod(arguments[7], NULL));
    else if (strcmp(arguments[3], "events") == 0 && count == 7)
        load_events(&target, strtoul(arguments[5], NULL, 10), arguments[6]);
    else
        die("what?");
    return EXIT_SUCCESS;
}
