/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "alloc.h"
#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_DEFAULT_MS 1000
/* The daemon sends at least a comment every 15 s; three missed ones are a dead connection. */
#define SILENCE_LIMIT_S 45L
#define LINE_MOST       (4u << 20)

struct events {
    const struct server *server;
    char *path;
    events_listener *listener;
    void *context;

    CURLM *multi;
    CURL *curl; /* NULL while disconnected */
    struct curl_slist *headers;
    char details[CURL_ERROR_SIZE];
    unsigned connections;
    int64_t retry_at_us, away_since_us; /* away_since_us is 0 while bytes flow */
    int64_t retry_ms;

    char *line; /* the unfinished one */
    size_t line_size;
    bool skip_feed; /* a CR ended the last line: an LF right after it belongs to it */
    char *name, *data, *id;
    char *last_id;
};

struct events *events_new(const struct server *server, const char *topics, const char *from,
                          events_listener *listener, void *context)
{
    struct events *events = allocate(1, sizeof *events);
    char *escaped = topics ? http_escape(topics) : NULL;

    *events = (struct events){.server = server,
                              .listener = listener,
                              .context = context,
                              .multi = curl_multi_init(),
                              .retry_ms = RETRY_DEFAULT_MS,
                              .last_id = from ? copy_text(from) : NULL};
    events->path = escaped ? format_text("/v1/events?topics=%s", escaped) : copy_text("/v1/events");
    events->away_since_us = clock_monotonic_us(&clock_system);
    free(escaped);
    return events;
}

static void disconnect(struct events *events)
{
    if (!events->curl)
        return;
    (void)curl_multi_remove_handle(events->multi, events->curl);
    curl_easy_cleanup(events->curl);
    curl_slist_free_all(events->headers);
    events->curl = NULL;
    events->headers = NULL;
}

static void forget_event(struct events *events)
{
    free(events->name);
    free(events->data);
    free(events->id);
    events->name = events->data = events->id = NULL;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    disconnect(events);
    (void)curl_multi_cleanup(events->multi);
    forget_event(events);
    free(events->line);
    free(events->last_id);
    free(events->path);
    free(events);
}

unsigned events_connections(const struct events *events)
{
    return events->connections;
}

/* ---- the format: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6 ---- */

static void dispatch(struct events *events)
{
    json_t *data = events->data ? json_loads(events->data, JSON_DECODE_ANY, NULL) : NULL;

    if (events->id) {
        free(events->last_id);
        events->last_id = copy_text(events->id);
    }
    if (data) {
        const struct event event = {
            .id = events->id, .name = events->name ? events->name : "message", .data = data};

        events->listener(events->context, &event);
    }
    json_decref(data);
    forget_event(events);
}

static void replace(char **text, const char *value)
{
    free(*text);
    *text = copy_text(value);
}

static void append_data(struct events *events, const char *value)
{
    char *longer = events->data ? format_text("%s\n%s", events->data, value) : copy_text(value);

    free(events->data);
    events->data = longer;
}

static void take_line(struct events *events, char *line)
{
    char *value = strchr(line, ':');

    if (!*line) {
        dispatch(events);
        return;
    }
    if (value == line)
        return; /* a comment: the daemon lives */
    if (value)
        *value++ = '\0';
    else
        value = line + strlen(line);
    if (*value == ' ')
        value++;
    if (strcmp(line, "event") == 0)
        replace(&events->name, value);
    else if (strcmp(line, "data") == 0)
        append_data(events, value);
    else if (strcmp(line, "id") == 0)
        replace(&events->id, value);
    else if (strcmp(line, "retry") == 0 && strspn(value, "0123456789") == strlen(value) && *value)
        events->retry_ms = strtoll(value, NULL, 10);
}

static void take_byte(struct events *events, char byte)
{
    bool feed_of_pair = events->skip_feed && byte == '\n';

    events->skip_feed = byte == '\r';
    if (feed_of_pair)
        return;
    if (byte != '\n' && byte != '\r') {
        events->line[events->line_size++] = byte;
        return;
    }
    events->line[events->line_size] = '\0';
    events->line_size = 0;
    take_line(events, events->line);
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct events *events = context;
    long status = 0;

    (void)curl_easy_getinfo(events->curl, CURLINFO_RESPONSE_CODE, &status);
    if (events->line_size + size * count >= LINE_MOST)
        return 0;
    events->line = reallocate(events->line, events->line_size + size * count + 1, 1);
    if (status != 200) { /* a problem: kept whole for its sentence */
        memcpy(events->line + events->line_size, bytes, size * count);
        events->line_size += size * count;
        return size * count;
    }
    if (events->away_since_us)
        events->connections++; /* the first bytes: whatever happens from now on is heard */
    events->away_since_us = 0;
    for (size_t i = 0; i < size * count; i++)
        take_byte(events, bytes[i]);
    return size * count;
}

/* ---- the connection ---- */

static void connect_stream(struct events *events)
{
    events->curl = curl_easy_init();
    if (!events->curl)
        return;
    events->line_size = 0;
    events->skip_feed = false;
    forget_event(events);
    events->headers = curl_slist_append(NULL, "Accept: text/event-stream");
    if (events->last_id) {
        char *header = format_text("Last-Event-ID: %s", events->last_id);

        events->headers = curl_slist_append(events->headers, header);
        free(header);
    }
    server_prepare(events->server, events->curl, events->path, &events->headers);
    (void)curl_easy_setopt(events->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_LIMIT_S);
    (void)curl_easy_setopt(events->curl, CURLOPT_ERRORBUFFER, events->details);
    (void)curl_easy_setopt(events->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(events->curl, CURLOPT_WRITEDATA, events);
    (void)curl_multi_add_handle(events->multi, events->curl);
}

/* A refusal that will not change by asking again ends the wait; a busy or absent daemon is asked again. */
static int judge_end(struct events *events, CURLcode code, int64_t patience_ms, struct error *error)
{
    int64_t now_us = clock_monotonic_us(&clock_system);
    long status = 0;
    int result = 0;

    (void)curl_easy_getinfo(events->curl, CURLINFO_RESPONSE_CODE, &status);
    if (!events->away_since_us)
        events->away_since_us = now_us;
    events->retry_at_us = now_us + events->retry_ms * 1000;
    if (code == CURLE_OK && status != 200 && status != 503)
        result = server_refused(status, events->line, events->line_size, error);
    else if (now_us - events->away_since_us > patience_ms * 1000)
        result = status == 503 ? server_refused(status, events->line, events->line_size, error)
                               : server_unreachable(events->server, code ? code : CURLE_GOT_NOTHING,
                                                    events->details, error);
    disconnect(events);
    return result;
}

int events_wait(struct events *events, int timeout_ms, int fd, int64_t patience_ms, struct error *error)
{
    struct curl_waitfd other = {.fd = fd, .events = CURL_WAIT_POLLIN};
    int running = 0, rest = 0, status = 0;
    const CURLMsg *message;

    if (!events->curl && clock_monotonic_us(&clock_system) >= events->retry_at_us)
        connect_stream(events);
    (void)curl_multi_perform(events->multi, &running);
    (void)curl_multi_poll(events->multi, &other, fd >= 0 ? 1 : 0, timeout_ms, NULL);
    (void)curl_multi_perform(events->multi, &running);
    while (status == 0 && (message = curl_multi_info_read(events->multi, &rest)))
        if (message->msg == CURLMSG_DONE)
            status = judge_end(events, message->data.result, patience_ms, error);
    return status;
}
