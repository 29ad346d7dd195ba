/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon as the command line sees it: where it is, with which key, and requests to its REST interface.
 *
 * Errors: -EHOSTUNREACH when the daemon cannot be reached, -EPERM when it refuses (the sentence is that of
 * its problem+json answer, and what to do), else a negative errno about something local. */
#ifndef FLASHFARM_CLIENT_HTTP_H
#define FLASHFARM_CLIENT_HTTP_H

#include "options.h"
#include "result.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>

struct server {
    char *url; /* "http://127.0.0.1:8470", without a slash at the end */
    char *key; /* NULL: none */
    char *ca;  /* PEM file of who may vouch for the daemon; NULL: those that the system trusts */
    char *
        certificate; /* PEM: that very one the daemon must have, whatever its name; NULL: any with its name */
    char *own, *own_key; /* PEM files: certificate and key of who calls; NULL: none */
    char *cookie;        /* of a log-in, in place of the key; NULL: none */
    CURL *curl;
};

/* Finds URL, key and what to trust: options, then environment, then a configuration of the daemon. */
int server_find(struct server *server, const struct options *options, struct error *error);
void server_clear(struct server *server);
/* Goes on as this person instead of with the key. */
int server_log_in(struct server *server, const char *name, const char *password, struct error *error);

/* What every connection to the daemon sets: URL, key, no proxy, time-outs. `headers` grows by the key's; the
 * caller frees it after the transfer. */
void server_prepare(const struct server *server, CURL *curl, const char *path, struct curl_slist **headers);

/* The sentence for a transfer that failed before an answer came. */
int server_unreachable(const struct server *server, CURLcode code, const char *details, struct error *error);
/* The sentence for an answer that is not 2xx. */
int server_refused(long status, const char *body, size_t size, struct error *error);

struct request {
    const char *method; /* NULL: GET */
    const char *path;   /* "/v1/jobs?limit=10", already escaped */
    const json_t *body; /* NULL: none */
    FILE *file;         /* streamed as the body instead; NULL: none */
    const char *type;   /* of the file; NULL: application/octet-stream */
    const char *idempotency_key;
    int64_t if_match; /* the `fact` of what is to be changed, as it was read; 0: none */
    char **cookie;    /* becomes the one that is answered, or NULL, to be freed; may be NULL */
};

/* `body` becomes a new reference to the JSON answer, or NULL when the answer has none; may be NULL. */
int http_call(struct server *server, const struct request *request, json_t **body, struct error *error);
int http_get(struct server *server, const char *path, json_t **body, struct error *error);

/* Streams an answer that is no JSON into a file. */
int http_download(struct server *server, const char *path, FILE *to, struct error *error);

/* Gathers a list over its pages: {"items":[…],"next":cursor or null}, at most `limit` items (0: all). */
int http_get_list(struct server *server, const char *path, int64_t limit, json_t **body, struct error *error);

/* Percent-encodes one segment or value; the caller frees it. */
char *http_escape(const char *text);

#endif
