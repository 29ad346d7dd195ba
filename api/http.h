/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 on the loop: http.c is the only file that knows libmicrohttpd.
 *
 * A request passes through three callbacks: begin (header read), body (each piece) and end (all read).
 * Any of them may answer; if none has when `end` returns, the connection is suspended until
 * request_answer() is called, which may be at any later time. It must be called exactly once. */
#ifndef FLASHFARM_API_HTTP_H
#define FLASHFARM_API_HTTP_H

#include "clock.h"
#include "list.h"
#include "log.h"
#include "parse.h"
#include "result.h"
#include "roles.h"
#include "router.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct http;
struct stream;
struct tls_files;
struct tls_peer;
struct MHD_Connection;

/* Where a streamed body comes from. `read` gives bytes, or 0 when there are none now (stream_wake() tells
 * when there are), or STREAM_END, or STREAM_BROKEN, which closes the connection so that the client can tell;
 * `end` is called once, when the stream has ended for whatever reason. */
#define STREAM_END    (-1)
#define STREAM_BROKEN (-2)
struct stream_source {
    ssize_t (*read)(void *context, char *buffer, size_t size);
    void (*end)(void *context);
    void *context;
    int send_buffer_bytes; /* of the socket; 0: the kernel's choice. A small one shows slow readers */
    int stall_s;           /* drop a client that has not read for so long; 0: as any other */
};

#define REPLY_HEADERS 10
struct reply {
    unsigned status;
    const char *type;    /* Content-Type, a literal; NULL: no body */
    char *body;          /* freed by http; or */
    const void *lasting; /* a body that lives as long as the http */
    size_t size;
    bool close; /* the connection cannot be used again */
    struct stream *stream;
    struct {
        const char *name;
        char *value;
    } headers[REPLY_HEADERS];
    size_t header_count;
};

struct upload {
    int fd; /* -1: none */
    char *path;
    int64_t size;
    struct error error; /* of writing; the rest of the body is then thrown away */
};

enum request_state { REQUEST_NEW, REQUEST_BODY, REQUEST_WAITING, REQUEST_ANSWERED, REQUEST_SENT };

struct request {
    /* Of http.c. */
    struct http *http;
    struct list node;
    struct MHD_Connection *connection; /* NULL: the client has gone; the answer will be thrown away */
    enum request_state state;
    bool overtaken; /* answered by http because it stops; the handler's answer is still to come */
    bool suspended;
    bool streaming; /* the answer goes on for as long as both sides like */
    struct reply reply;
    int64_t started_us;

    /* What was asked. */
    void *context; /* of http_options */
    char *address; /* the request target as sent */
    char *method;
    struct framing framing;
    struct target target;
    struct route_match match;
    const char *by;             /* the name of the key, user or certificate; "" on open routes */
    unsigned roles;             /* of `by` */
    const char *how;            /* "key", "password" or "certificate"; "" on open routes */
    uint64_t credential;        /* which key, session or certificate it was; 0: none */
    char caller[ROLE_NAME_MAX]; /* memory of `by` */
    char from[48];              /* address of the other side */
    bool unrecorded;            /* a certificate whose log-in is not on the record yet */
    bool from_loopback;         /* it is on this host, and nobody says that he only passes it on */
    char *body;
    size_t body_size, body_room;
    bool body_too_large;
    json_t *json;
    struct upload upload;
};

struct http_options {
    uv_loop_t *loop;
    const struct clock *clock;
    struct log log;
    int listen_fd;               /* taken */
    const struct tls_files *tls; /* lives as long as the http; NULL: plain */
    int idle_s, header_s, body_s;
    unsigned connections;
    void *context; /* for request->context */
    void (*begin)(struct request *request);
    void (*body)(struct request *request, const char *data, size_t size);
    void (*end)(struct request *request);
    void (*clear)(struct request *request); /* frees what the three above have put into it */
};

int http_start(struct http **http, const struct http_options *options, struct error *error);

/* Ends streams, answers what waits with 503, then closes everything and calls `done`. The http is gone when
 * `done` is called. */
void http_stop(struct http *http, void (*done)(void *context), void *context);
bool http_stopping(const struct http *http);

/* Keeps `done` of http_stop() from being called while somebody is still owed a callback. */
void http_hold(struct http *http);
void http_release(struct http *http);

/* Answers; takes everything in `reply`. */
void request_answer(struct request *request, struct reply *reply);
/* A header of the request, NULL when it is not there. */
const char *request_header(const struct request *request, const char *name);
/* What the client's certificate says; NULL: it has shown none, or not a good one. */
const struct tls_peer *request_peer(const struct request *request);
/* Cuts off the streams that are being read with this credential. */
void http_drop(struct http *http, uint64_t credential);

/* A stream to put into a reply; it takes the source and ends it even if it is never read. */
struct stream *stream_new(struct http *http, const struct stream_source *source);
/* There is something to read, or the end. Not to be called from `read` or `end` of the source. */
void stream_wake(struct stream *stream);
/* Serves what stream_wake() has woken, at once; else it is done at the loop's next turn. */
void http_pump(struct http *http);

/* How many requests were answered with each status from 100 to 599, and are connected now. */
int64_t http_answered(const struct http *http, unsigned status);
size_t http_connections(const struct http *http);

#endif
