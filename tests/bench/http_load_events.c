/* SPDX-License-Identifier: Apache-2.0 */
/* Many event streams; see http_load.h. Reads no more of an event than its id: whether its text is right is
 * for other tests to say. */
#include "http_load.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64, READ_BYTES = 65536, LINE_BYTES = 48 };

/* Where in the answer a stream is: HTTP's header, then chunks of a body. */
enum place { IN_HEADER, IN_CHUNK_SIZE, IN_CHUNK, AFTER_CHUNK };

struct load;

struct line {
    char text[LINE_BYTES]; /* its first bytes */
    size_t length;         /* of all of it */
};

struct stream {
    struct load *load;
    int fd; /* -1: ended */
    enum place place;
    size_t chunk_left;
    struct line frame,
        event;  /* HTTP's lines, and those inside of its chunks: an event may go on in the next chunk */
    int64_t id; /* of the event that is under way; 0: it has none */
    bool data;
};

struct arrival {
    int64_t sequence, utc_us;
    uint32_t stream;
};

struct load {
    int epoll_fd;
    struct stream *streams;
    size_t count, ready, ended;
    struct arrival *arrivals;
    size_t arrival_count, room;
    int64_t others, bytes, now_us;
};

static void add_arrival(const struct stream *stream)
{
    struct load *load = stream->load;

    if (load->arrival_count == load->room) {
        load->room = load->room ? 2 * load->room : 65536;
        load->arrivals = reallocate(load->arrivals, load->room, sizeof *load->arrivals);
    }
    load->arrivals[load->arrival_count++] = (struct arrival){
        .sequence = stream->id, .utc_us = load->now_us, .stream = (uint32_t)(stream - load->streams)};
}

static void end_event(struct stream *stream)
{
    if (stream->id)
        add_arrival(stream);
    else if (stream->data)
        stream->load->others++;
    stream->id = 0;
    stream->data = false;
}

static void end_event_line(struct stream *stream)
{
    const struct line *line = &stream->event;

    if (line->length == 0)
        end_event(stream);
    else if (strncmp(line->text, "id: ", 4) == 0)
        stream->id = strtoll(line->text + 4, NULL, 10);
    else if (strncmp(line->text, "data:", 5) == 0)
        stream->data = true;
}

static void end_header_line(struct stream *stream)
{
    const struct line *line = &stream->frame;

    if (strncmp(line->text, "HTTP/", 5) == 0 && strncmp(line->text, "HTTP/1.1 200", 12) != 0)
        die(line->text);
    if (line->length != 1) /* the CR */
        return;
    stream->place = IN_CHUNK_SIZE;
    if (++stream->load->ready == stream->load->count) {
        (void)puts("ready");
        (void)fflush(stdout);
    }
}

static void end_frame_line(struct stream *stream)
{
    switch (stream->place) {
    case IN_HEADER:
        end_header_line(stream);
        break;
    case IN_CHUNK_SIZE:
        stream->chunk_left = strtoul(stream->frame.text, NULL, 16);
        stream->place = stream->chunk_left ? IN_CHUNK : AFTER_CHUNK;
        break;
    case IN_CHUNK:
    case AFTER_CHUNK:
        stream->place = IN_CHUNK_SIZE;
        break;
    }
}

/* Takes bytes up to the end of the line, if it is among them, and returns how many that were. */
static size_t take_line(struct stream *stream, struct line *line, const char *bytes, size_t size,
                        void (*end_line)(struct stream *stream))
{
    const char *end = memchr(bytes, '\n', size);
    size_t length = end ? (size_t)(end - bytes) : size;

    for (size_t i = 0; i < length && line->length + i < LINE_BYTES - 1; i++)
        line->text[line->length + i] = bytes[i];
    line->length += length;
    if (!end)
        return length;
    end_line(stream);
    *line = (struct line){.length = 0};
    return length + 1;
}

static size_t take_chunk(struct stream *stream, const char *bytes, size_t size)
{
    size_t part = size < stream->chunk_left ? size : stream->chunk_left;
    size_t taken = take_line(stream, &stream->event, bytes, part, end_event_line);

    stream->chunk_left -= taken;
    if (!stream->chunk_left)
        stream->place = AFTER_CHUNK;
    return taken;
}

static void end_stream(struct stream *stream)
{
    (void)close(stream->fd);
    stream->fd = -1;
    stream->load->ended++;
}

static void on_readable(struct stream *stream, char *buffer)
{
    struct load *load = stream->load;
    ssize_t got = read(stream->fd, buffer, READ_BYTES);

    if (got <= 0) {
        end_stream(stream);
        return;
    }
    load->now_us = utc_us();
    load->bytes += got;
    for (size_t at = 0; at < (size_t)got;)
        at += stream->place == IN_CHUNK
                  ? take_chunk(stream, buffer + at, (size_t)got - at)
                  : take_line(stream, &stream->frame, buffer + at, (size_t)got - at, end_frame_line);
}

static void open_streams(struct load *load, const struct target *target)
{
    char *request = get_text(target, "Accept: text/event-stream\r\n");

    for (size_t i = 0; i < load->count; i++) {
        struct stream *stream = &load->streams[i];

        stream->load = load;
        stream->fd = connect_to(target, load->epoll_fd, stream);
        if (write(stream->fd, request, strlen(request)) != (ssize_t)strlen(request))
            die("the daemon does not take a request");
    }
    free(request);
}

static void watch_stdin(struct load *load)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die("stdin must be a pipe");
}

/* False when stdin has something, or has ended. */
static bool turn(struct load *load, char *buffer)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(load->epoll_fd, events, EVENTS_PER_TURN, -1);

    for (int i = 0; i < count; i++) {
        if (!events[i].data.ptr)
            return false;
        on_readable(events[i].data.ptr, buffer);
    }
    return count >= 0 || errno == EINTR;
}

static void print_result(const struct load *load, const char *samples)
{
    FILE *file = fopen(samples, "we");

    if (!file)
        die(samples);
    for (size_t i = 0; i < load->arrival_count; i++)
        (void)fprintf(file, "%" PRId64 " %" PRIu32 " %" PRId64 "\n", load->arrivals[i].sequence,
                      load->arrivals[i].stream, load->arrivals[i].utc_us);
    if (fclose(file))
        die(samples);
    (void)printf("{\"streams\": %zu, \"ended\": %zu, \"facts\": %zu, \"others\": %" PRId64
                 ", \"bytes\": %" PRId64 ", \"cpu_us\": %" PRId64 "}\n",
                 load->count, load->ended, load->arrival_count, load->others, load->bytes, processor_us());
}

void load_events(const struct target *target, size_t streams, const char *samples)
{
    struct load load = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                        .streams = allocate(streams, sizeof *load.streams),
                        .count = streams};
    char *buffer = allocate(1, READ_BYTES);

    watch_stdin(&load);
    open_streams(&load, target);
    while (turn(&load, buffer))
        ;
    print_result(&load, samples);
    for (size_t i = 0; i < streams; i++)
        if (load.streams[i].fd >= 0)
            (void)close(load.streams[i].fd);
    free(buffer);
    free(load.arrivals);
    free(load.streams);
    (void)close(load.epoll_fd);
}
