/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on keep-alive connections; see http_load.h. */
#include "http_load.h"

#include "alloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64, ANSWER_FIRST_ROOM = 4096, LAST_ANSWERS_US = 100000 };

struct rest;

struct connection {
    struct rest *rest;
    int fd;
    bool asking;
    int64_t due_us;
    char *answer;
    size_t have, room, want; /* want 0: the header is not complete */
};

struct rest {
    int epoll_fd;
    char *request;
    size_t request_size;
    struct connection *connections;
    size_t count;
    int64_t interval_us, next_us, end_us;
    int64_t *samples_us;
    size_t samples, room;
    int64_t failed, bytes;
};

static void ask(struct connection *connection, int64_t due_us)
{
    connection->asking = true;
    connection->due_us = due_us;
    connection->have = connection->want = 0;
    if (write(connection->fd, connection->rest->request, connection->rest->request_size) !=
        (ssize_t)connection->rest->request_size)
        die("the daemon does not take a request");
}

/* Asks on every idle connection for which a request is due. */
static void ask_due(struct rest *rest)
{
    int64_t now_us = monotonic_us();

    for (size_t i = 0; i < rest->count && now_us < rest->end_us && rest->next_us <= now_us; i++) {
        if (rest->connections[i].asking)
            continue;
        ask(&rest->connections[i], rest->interval_us ? rest->next_us : now_us);
        rest->next_us += rest->interval_us;
    }
}

static void add_sample(struct rest *rest, int64_t us)
{
    if (rest->samples == rest->room) {
        rest->room = rest->room ? 2 * rest->room : 4096;
        rest->samples_us = reallocate(rest->samples_us, rest->room, sizeof *rest->samples_us);
    }
    rest->samples_us[rest->samples++] = us;
}

/* How long the whole answer is, once its header is here; 0 before. */
static size_t answer_size(struct connection *connection)
{
    char *end, *length;

    connection->answer[connection->have] = '\0';
    end = strstr(connection->answer, "\r\n\r\n");
    if (!end)
        return 0;
    length = strcasestr(connection->answer, "\r\ncontent-length:");
    if (length && length < end)
        return (size_t)(end + 4 - connection->answer) +
               strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    die("an answer without Content-Length");
}

static void take_answer(struct connection *connection)
{
    struct rest *rest = connection->rest;

    add_sample(rest, monotonic_us() - connection->due_us);
    rest->bytes += (int64_t)connection->have;
    if (strncmp(connection->answer, "HTTP/1.1 200", 12) != 0)
        rest->failed++;
    connection->asking = false;
    ask_due(rest);
}

static void on_readable(struct connection *connection)
{
    ssize_t got;

    if (connection->room - connection->have < 2) {
        connection->room = connection->room ? 2 * connection->room : ANSWER_FIRST_ROOM;
        connection->answer = reallocate(connection->answer, connection->room, 1);
    }
    got =
        read(connection->fd, connection->answer + connection->have, connection->room - connection->have - 1);
    if (got <= 0)
        die("the daemon has closed a connection");
    connection->have += (size_t)got;
    if (!connection->want)
        connection->want = answer_size(connection);
    if (connection->want && connection->have >= connection->want)
        take_answer(connection);
}

static size_t count_asking(const struct rest *rest)
{
    size_t asking = 0;

    for (size_t i = 0; i < rest->count; i++)
        asking += rest->connections[i].asking;
    return asking;
}

/* Until the next request is due and a connection is free for it, or the end; an answer ends the wait before.
 */
static struct timespec time_left(const struct rest *rest)
{
    int64_t until_us = rest->end_us;
    int64_t left_us;

    if (rest->next_us < until_us && count_asking(rest) < rest->count)
        until_us = rest->next_us;
    left_us = until_us - monotonic_us();
    if (left_us < 0) /* the end has come, and answers are missing */
        left_us = until_us == rest->end_us ? LAST_ANSWERS_US : 0;
    return (struct timespec){.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
}

static void turn(struct rest *rest)
{
    struct epoll_event events[EVENTS_PER_TURN];
    struct timespec left = time_left(rest);
    int count = epoll_pwait2(rest->epoll_fd, events, EVENTS_PER_TURN, &left, NULL);

    for (int i = 0; i < count; i++)
        on_readable(events[i].data.ptr);
    ask_due(rest);
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static int64_t at_share(const struct rest *rest, double share)
{
    return rest->samples ? rest->samples_us[(size_t)((double)(rest->samples - 1) * share)] : 0;
}

static void print_result(struct rest *rest, int64_t took_us)
{
    if (rest->samples)
        qsort(rest->samples_us, rest->samples, sizeof *rest->samples_us, by_value);
    (void)printf("{\"requests\": %zu, \"failed\": %" PRId64 ", \"bytes\": %" PRId64 ", \"took_us\": %" PRId64
                 ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"max_us\": %" PRId64
                 ", \"cpu_us\": %" PRId64 "}\n",
                 rest->samples, rest->failed, rest->bytes, took_us, at_share(rest, 0.5), at_share(rest, 0.99),
                 at_share(rest, 1.0), processor_us());
}

void load_rest(const struct target *target, size_t connections, int64_t duration_us, double per_second)
{
    struct rest rest = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                        .request = get_text(target, ""),
                        .connections = allocate(connections, sizeof *rest.connections),
                        .count = connections,
                        .interval_us = per_second > 0 ? (int64_t)(1e6 / per_second) : 0};
    int64_t begun_us;

    rest.request_size = strlen(rest.request);
    for (size_t i = 0; i < connections; i++) {
        rest.connections[i].rest = &rest;
        rest.connections[i].fd = connect_to(target, rest.epoll_fd, &rest.connections[i]);
    }
    begun_us = rest.next_us = monotonic_us();
    rest.end_us = begun_us + duration_us;
    ask_due(&rest);
    while (monotonic_us() < rest.end_us || count_asking(&rest))
        turn(&rest);
    print_result(&rest, monotonic_us() - begun_us);
    for (size_t i = 0; i < connections; i++) {
        free(rest.connections[i].answer);
        (void)close(rest.connections[i].fd);
    }
    free(rest.connections);
    free(rest.samples_us);
    free(rest.request);
    (void)close(rest.epoll_fd);
}
