/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the one api object. */
#ifndef FLASHFARM_API_CONTEXT_H
#define FLASHFARM_API_CONTEXT_H

#include "api.h"
#include "farm.h"
#include "http.h"
#include "store.h"
#include "tls.h"

struct access;
struct events;
struct run_times;
struct webhooks;

struct api {
    uv_loop_t *loop;
    struct farm *farm;
    struct store *store;
    const struct clock *clock;
    const struct api_lag *lag;
    struct log log;
    struct http *http;
    struct events *events;
    struct run_times *run_times; /* for /metrics */
    struct access *access;       /* keys, users, sessions */
    char *version;
    char *state;         /* NULL: none */
    char *origin;        /* "" when nobody signs */
    char *webhook_hosts; /* "": none */
    struct webhooks *webhooks;
    bool backing_up; /* one at a time */
    unsigned *roles; /* of each row of api_routes: who may use it */
    bool tls;
    struct tls_files files; /* of it */
    bool loopback; /* Host is checked: a page in a browser on this host must not reach us by a name of its own
                    */
    char **hosts;
    size_t host_count;
    int port;
    char url[80];
    int64_t started_us;
    char contract_etag[20];
    api_done *done;
    void *done_context;
};

/* The contract as JSON, made from schema/openapi.yaml at build time. */
extern const unsigned char api_contract[];
extern const size_t api_contract_size;

#endif
