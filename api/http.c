/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include "alloc.h"
#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_PER_CONNECTION_BYTES (16u << 10) /* header, and pieces of bodies */
#define SWEEP_INTERVAL_MS           2000
#define TLS_PRIORITIES              "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"
#define LINGER_MS                   500       /* for last answers to leave when stopping */
#define DRAIN_MAX_BYTES             (4 << 20) /* a longer body is not read after the answer is known */

/* One connection, to bound how long a header and a body may take: libmicrohttpd's time-out only sees
 * silence, and a byte now and then would keep a connection for ever. */
struct peer {
    struct list node;
    int fd;
    int64_t deadline_us;
    char from[48];
    bool loopback;
    bool asked, certified; /* for its certificate; it has a good one */
    struct tls_peer certificate;
};

struct stream {
    struct http *http;
    struct list node;
    struct stream_source source;
    struct MHD_Connection *connection; /* from when it is answered */
    bool suspended;
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer, sweep, linger;
    uv_idle_t soon;
    int handles; /* still to be closed */
    struct list requests, streams, peers;
    size_t peer_count, holds;
    bool running; /* inside MHD_run() */
    bool stopping, closed;
    int64_t answered[500]; /* by status - 100 */
    void (*done)(void *context);
    void *done_context;
};

static void finish_if_idle(struct http *http);
static void close_down(struct http *http);

/* --- Replies ------------------------------------------------------------------------------------------ */

static void stream_free(struct stream *stream)
{
    list_remove(&stream->node);
    stream->source.end(stream->source.context);
    free(stream);
}

static void reply_clear(struct reply *reply)
{
    free(reply->body);
    for (size_t i = 0; i < reply->header_count; i++)
        free(reply->headers[i].value);
    if (reply->stream)
        stream_free(reply->stream);
    *reply = (struct reply){.status = 0};
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size)
{
    struct stream *stream = context;
    const struct stream_source *source = &stream->source;
    ssize_t count = stream->http->stopping ? STREAM_END : source->read(source->context, buffer, size);

    (void)position;
    if (count < 0)
        return count == STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    if (!count) {
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
    }
    return count;
}

static void end_stream(void *context)
{
    stream_free(context);
}

static int connection_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

static struct MHD_Response *stream_response(struct stream *stream, struct MHD_Connection *connection)
{
    const struct stream_source *source = &stream->source;

    stream->connection = connection;
    if (source->send_buffer_bytes)
        (void)setsockopt(connection_fd(connection), SOL_SOCKET, SO_SNDBUF, &source->send_buffer_bytes,
                         sizeof source->send_buffer_bytes);
    /* Suspended connections do not time out, so this bounds exactly the time that a write stalls. */
    if (source->stall_s)
        (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                        (unsigned int)source->stall_s);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16u << 10, read_stream, stream, end_stream);
}

static struct MHD_Response *buffer_response(struct reply *reply)
{
    struct MHD_Response *response;

    if (!reply->body)
        /* It is only read: libmicrohttpd has one signature for all modes. */
        return MHD_create_response_from_buffer(reply->size, (void *)(uintptr_t)reply->lasting,
                                               MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(reply->size, reply->body, MHD_RESPMEM_MUST_FREE);
    if (response)
        reply->body = NULL;
    return response;
}

static void add_headers(struct MHD_Response *response, const struct reply *reply)
{
    bool cacheable = false;

    for (size_t i = 0; i < reply->header_count; i++) {
        cacheable |= !strcasecmp(reply->headers[i].name, "Cache-Control");
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    }
    if (reply->type)
        (void)MHD_add_response_header(response, "Content-Type", reply->type);
    if (!cacheable)
        (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->close)
        (void)MHD_add_response_header(response, "Connection", "close");
}

static void log_answer(struct request *request, unsigned status)
{
    const struct http_options *options = &request->http->options;
    int64_t us = clock_monotonic_us(options->clock) - request->started_us;

    log_debug(&options->log, "%s %s: %u after %lld us%s%s", request->method, request->address, status,
              (long long)us, request->by[0] ? " for " : "", request->by);
}

static enum MHD_Result send_answer(struct request *request)
{
    struct reply *reply = &request->reply;
    struct MHD_Response *response =
        reply->stream ? stream_response(reply->stream, request->connection) : buffer_response(reply);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    /* 0.9.75 would end the answer to a HEAD with the last chunk of the body that is not sent. */
    if (reply->stream && !strcmp(request->method, "HEAD"))
        (void)MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
    request->streaming = reply->stream != NULL;
    reply->stream = NULL; /* the response's now */
    add_headers(response, reply);
    result = MHD_queue_response(request->connection, reply->status, response);
    MHD_destroy_response(response);
    request->state = REQUEST_SENT;
    if (reply->status >= 100 && reply->status < 600)
        request->http->answered[reply->status - 100]++;
    log_answer(request, reply->status);
    reply_clear(reply);
    return result;
}

struct stream *stream_new(struct http *http, const struct stream_source *source)
{
    struct stream *stream = allocate(1, sizeof *stream);

    stream->http = http;
    stream->source = *source;
    list_append(&http->streams, &stream->node);
    return stream;
}

/* --- Running libmicrohttpd on the loop ---------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    http_pump(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    http_pump(poll->data);
}

static void on_soon(uv_idle_t *soon)
{
    http_pump(soon->data);
}

static void pump_soon(struct http *http)
{
    if (!http->closed)
        (void)uv_idle_start(&http->soon, on_soon);
}

void http_pump(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    if (http->closed || http->running)
        return;
    http->running = true;
    (void)uv_idle_stop(&http->soon);
    (void)MHD_run(http->daemon);
    http->running = false;
    /* Its sockets are edge-triggered, with a list of those that are ready: 0 means that there is more to do.
     */
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES)
        (void)uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    else
        (void)uv_timer_stop(&http->timer);
    if (http->stopping && list_empty(&http->requests))
        close_down(http);
}

void stream_wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->connection);
    pump_soon(stream->http);
}

/* --- Connections -------------------------------------------------------------------------------------- */

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void give_time(struct http *http, struct MHD_Connection *connection, int seconds)
{
    struct peer *peer = peer_of(connection);

    if (peer)
        peer->deadline_us =
            seconds ? clock_monotonic_us(http->options.clock) + seconds * INT64_C(1000000) : CLOCK_NEVER;
}

static void note_address(struct peer *peer, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;

    if (address && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

        (void)inet_ntop(AF_INET, &v4->sin_addr, peer->from, sizeof peer->from);
        peer->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    } else if (address && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

        (void)inet_ntop(AF_INET6, &v6->sin6_addr, peer->from, sizeof peer->from);
        peer->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct peer *peer = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = peer = allocate(1, sizeof *peer);
        peer->fd = connection_fd(connection);
        note_address(peer, connection);
        peer->deadline_us =
            clock_monotonic_us(http->options.clock) + http->options.header_s * INT64_C(1000000);
        list_append(&http->peers, &peer->node);
        http->peer_count++;
    } else if (peer) {
        list_remove(&peer->node);
        http->peer_count--;
        free(peer);
        *socket_context = NULL;
    }
}

static void on_sweep(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int64_t now_us = clock_monotonic_us(http->options.clock);

    LIST_EACH (node, &http->peers) {
        struct peer *peer = LIST_ENTRY(node, struct peer, node);

        if (peer->deadline_us < now_us) {
            peer->deadline_us = CLOCK_NEVER;
            (void)shutdown(peer->fd, SHUT_RDWR);
        }
    }
    /* After an accept() that found no descriptor left, libmicrohttpd listens again only when it is run. */
    http_pump(http);
}

/* --- Requests ----------------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
    list_remove(&request->node);
    request->http->options.clear(request);
    reply_clear(&request->reply);
    free(request->address);
    free(request->method);
    free(request);
}

/* Called with the request line, before the header is read. */
static void *on_address(void *context, const char *address, struct MHD_Connection *connection)
{
    struct http *http = context;
    struct request *request = allocate(1, sizeof *request);

    request->http = http;
    request->connection = connection;
    request->context = http->options.context;
    request->address = copy_text(address);
    request->by = request->how = "";
    request->upload.fd = -1;
    request->started_us = clock_monotonic_us(http->options.clock);
    list_append(&http->requests, &request->node);
    return request;
}

static enum MHD_Result add_framing(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    framing_add(context, name, value);
    return MHD_YES;
}

/* The answer is known and the body is not: short bodies are read and forgotten, because closing with unread
 * bytes in the socket may destroy the answer on its way. */
static bool answer_early(const struct request *request)
{
    return request->state == REQUEST_ANSWERED &&
           (request->reply.close || request->framing.length < 0 ||
            request->framing.length > DRAIN_MAX_BYTES || request_header(request, "Expect"));
}

static enum MHD_Result begin_request(struct request *request, const char *method)
{
    const struct http_options *options = &request->http->options;

    const struct peer *peer = peer_of(request->connection);

    request->method = copy_text(method);
    request->state = REQUEST_BODY;
    if (peer) {
        memcpy(request->from, peer->from, sizeof request->from);
        request->from_loopback = peer->loopback;
    }
    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_framing, &request->framing);
    give_time(request->http, request->connection, options->body_s);
    options->begin(request);
    if (!answer_early(request))
        return MHD_YES;
    request->reply.close = true;
    give_time(request->http, request->connection, 0);
    return send_answer(request);
}

static enum MHD_Result end_request(struct request *request)
{
    give_time(request->http, request->connection, 0);
    if (request->state == REQUEST_BODY) {
        request->state = REQUEST_WAITING;
        request->http->options.end(request);
    }
    if (request->state == REQUEST_ANSWERED)
        return send_answer(request);
    if (request->http->stopping)
        return MHD_NO;
    request->suspended = true;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request_context)
{
    struct request *request = *request_context;

    (void)context, (void)connection, (void)url, (void)version;
    if (request->state == REQUEST_NEW)
        return begin_request(request, method);
    if (!*size)
        return end_request(request);
    if (request->state == REQUEST_BODY)
        request->http->options.body(request, data, *size);
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    struct http *http = context;
    struct request *request = *request_context;

    (void)code;
    if (!request)
        return;
    *request_context = NULL;
    give_time(http, connection, http->options.idle_s + http->options.header_s);
    if (request->state == REQUEST_WAITING || request->overtaken)
        request->connection = NULL; /* freed when its handler answers */
    else
        request_free(request);
}

void request_answer(struct request *request, struct reply *reply)
{
    struct http *http = request->http;

    if (request->overtaken || !request->connection) {
        bool gone = !request->connection;

        request->overtaken = false;
        reply_clear(reply);
        if (gone) {
            request_free(request);
            finish_if_idle(http);
        }
        return;
    }
    request->reply = *reply;
    request->state = REQUEST_ANSWERED;
    if (request->suspended) {
        request->suspended = false;
        MHD_resume_connection(request->connection);
        pump_soon(http);
    }
}

const char *request_header(const struct request *request, const char *name)
{
    return request->connection ? MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name)
                               : NULL;
}

/* Asked once for each connection: to check a chain of certificates takes a while. */
const struct tls_peer *request_peer(const struct request *request)
{
    const struct http *http = request->http;
    struct peer *peer = request->connection && http->options.tls ? peer_of(request->connection) : NULL;
    const union MHD_ConnectionInfo *info;
    char why[200] = "";

    if (!peer)
        return NULL;
    if (!peer->asked) {
        info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        peer->asked = true;
        peer->certified = info && info->tls_session &&
                          tls_peer_read(info->tls_session, &peer->certificate, why, sizeof why);
        if (why[0])
            log_info(&http->options.log, "certificate of %s: %s", peer->from, why);
    }
    return peer->certified ? &peer->certificate : NULL;
}

void http_drop(struct http *http, uint64_t credential)
{
    LIST_EACH (node, &http->requests) {
        const struct request *request = LIST_ENTRY(node, struct request, node);

        if (request->credential == credential && request->streaming && request->connection)
            (void)shutdown(connection_fd(request->connection), SHUT_RDWR);
    }
    LIST_EACH (node, &http->streams) /* they notice when they write */
        stream_wake(LIST_ENTRY(node, struct stream, node));
}

/* --- Start and stop ----------------------------------------------------------------------------------- */

/* Its sentences are about clients that went away; they matter to who looks for a fault in this file. */
static void on_message(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void on_message(void *context, const char *format, va_list arguments)
{
    struct http *http = context;
    char text[256];

    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug(&http->options.log, "libmicrohttpd: %s", text);
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
    const struct http_options *options = &http->options;
    const struct tls_files *tls = options->tls;
    struct MHD_OptionItem items[] = {
        {.option = MHD_OPTION_HTTPS_MEM_CERT, .ptr_value = tls ? tls->certificate : NULL},
        {.option = MHD_OPTION_HTTPS_MEM_KEY, .ptr_value = tls ? tls->key : NULL},
        {.option = MHD_OPTION_HTTPS_PRIORITIES, .ptr_value = (void *)(uintptr_t)TLS_PRIORITIES},
        {.option = tls && tls->client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END,
         .ptr_value = tls ? tls->client_ca : NULL},
        {.option = MHD_OPTION_END}};

    if (!tls)
        items[0].option = MHD_OPTION_END;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_message, http, MHD_OPTION_LISTEN_SOCKET,
        options->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_address, http, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, options->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned int)options->idle_s, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

static void start_handles(struct http *http)
{
    uv_loop_t *loop = http->options.loop;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    (void)uv_poll_init(loop, &http->poll, info->epoll_fd);
    (void)uv_timer_init(loop, &http->timer);
    (void)uv_timer_init(loop, &http->sweep);
    (void)uv_timer_init(loop, &http->linger);
    (void)uv_idle_init(loop, &http->soon);
    http->poll.data = http->timer.data = http->sweep.data = http->linger.data = http->soon.data = http;
    http->handles = 5;
    (void)uv_poll_start(&http->poll, UV_READABLE, on_poll);
    (void)uv_timer_start(&http->sweep, on_sweep, SWEEP_INTERVAL_MS, SWEEP_INTERVAL_MS);
}

int http_start(struct http **http, const struct http_options *options, struct error *error)
{
    struct http *new = allocate(1, sizeof *new);

    new->options = *options;
    list_init(&new->requests);
    list_init(&new->streams);
    list_init(&new->peers);
    new->daemon = start_daemon(new);
    if (!new->daemon) {
        (void)close(options->listen_fd);
        free(new);
        return error_set(error, -EIO, "the HTTP server does not start");
    }
    start_handles(new);
    *http = new;
    return 0;
}

static void finish_if_idle(struct http *http)
{
    if (!http->closed || http->handles || http->holds || !list_empty(&http->requests))
        return;
    http->done(http->done_context);
    free(http);
}

static void on_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;

    http->handles--;
    finish_if_idle(http);
}

static void close_down(struct http *http)
{
    if (http->closed)
        return;
    http->closed = true;
    (void)uv_poll_stop(&http->poll);
    MHD_stop_daemon(http->daemon);
    uv_close((uv_handle_t *)&http->poll, on_closed);
    uv_close((uv_handle_t *)&http->timer, on_closed);
    uv_close((uv_handle_t *)&http->sweep, on_closed);
    uv_close((uv_handle_t *)&http->linger, on_closed);
    uv_close((uv_handle_t *)&http->soon, on_closed);
}

static void on_linger(uv_timer_t *linger)
{
    close_down(linger->data);
}

static void overtake(struct request *request)
{
    static const char body[] =
        "{\"type\":\"urn:flashfarm:problem:unavailable\",\"title\":\"Service unavailable\","
        "\"status\":503,\"detail\":\"the daemon stops\"}";

    request->overtaken = true;
    request->state = REQUEST_ANSWERED;
    request->reply = (struct reply){.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                    .type = "application/problem+json",
                                    .lasting = body,
                                    .size = sizeof body - 1,
                                    .close = true};
    request->suspended = false;
    MHD_resume_connection(request->connection);
}

void http_stop(struct http *http, void (*done)(void *context), void *context)
{
    int fd;

    http->done = done;
    http->done_context = context;
    http->stopping = true;
    fd = (int)MHD_quiesce_daemon(http->daemon);
    if (fd >= 0)
        (void)close(fd);
    /* libmicrohttpd must not be stopped with suspended connections. */
    LIST_EACH (node, &http->requests) {
        struct request *request = LIST_ENTRY(node, struct request, node);

        if (request->suspended)
            overtake(request);
    }
    LIST_EACH (node, &http->streams)
        stream_wake(LIST_ENTRY(node, struct stream, node));
    (void)uv_timer_start(&http->linger, on_linger, LINGER_MS, 0);
    pump_soon(http);
}

bool http_stopping(const struct http *http)
{
    return http->stopping;
}

void http_hold(struct http *http)
{
    http->holds++;
}

void http_release(struct http *http)
{
    http->holds--;
    finish_if_idle(http);
}

int64_t http_answered(const struct http *http, unsigned status)
{
    return status >= 100 && status < 600 ? http->answered[status - 100] : 0;
}

size_t http_connections(const struct http *http)
{
    return http->peer_count;
}
