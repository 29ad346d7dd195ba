/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include "access.h"
#include "alloc.h"
#include "context.h"
#include "events.h"
#include "gate.h"
#include "identify.h"
#include "listen.h"
#include "run_times.h"
#include "webhooks.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FALLBACK(value, usual) ((value) ? (value) : (usual))

/* What goes over a wire is encrypted. */
static int check_options(const struct api_options *options, struct error *error)
{
    struct listener listener;
    int status = listen_parse(options->listen, &listener, error);

    if (status)
        return status;
    if (!options->key_count)
        return error_set(error, -EINVAL, "there is no API key; the key file must hold at least one");
    if (!listener.loopback && !(options->tls_certificate && *options->tls_certificate))
        return error_set(error, -EINVAL,
                         "listen is '%s', which others than this host can reach; that needs tls_certificate "
                         "and tls_key, and a key file (key_file) or an admin, or a loopback address",
                         options->listen);
    return 0;
}

/* Keys that the daemon made lie readable on this host only, and nobody was asked who may come from outside.
 */
static int check_admin(const struct api *api, const struct api_options *options, struct error *error)
{
    struct listener listener;

    (void)listen_parse(options->listen, &listener, error);
    if (listener.loopback || !options->keys_are_generated || access_has_admin(api->access))
        return 0;
    return error_set(error, -EINVAL,
                     "listen is '%s', which others than this host can reach, and nobody may come from there; "
                     "name a key file (key_file), or make an admin while it listens on a loopback address",
                     options->listen);
}

static void name_contract(struct api *api)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[17];

    (void)crypto_hash_sha256(hash, api_contract, api_contract_size);
    (void)sodium_bin2hex(hex, sizeof hex, hash, 8);
    (void)snprintf(api->contract_etag, sizeof api->contract_etag, "\"%s\"", hex);
}

static void copy_hosts(struct api *api, const struct api_options *options)
{
    api->host_count = options->host_count;
    api->hosts = allocate(options->host_count + 1, sizeof *api->hosts);
    for (size_t i = 0; i < options->host_count; i++)
        api->hosts[i] = copy_text(options->hosts[i]);
}

static struct api *api_new(const struct api_options *options)
{
    struct api *api = allocate(1, sizeof *api);

    api->loop = options->loop;
    api->farm = options->farm;
    api->store = options->store;
    api->clock = options->clock;
    api->lag = options->lag;
    api->log = log_named(options->log, "api");
    api->version = copy_text(options->version);
    api->state = options->state ? copy_text(options->state) : NULL;
    api->origin = copy_text(FALLBACK(options->origin, ""));
    api->webhook_hosts = copy_text(FALLBACK(options->webhook_hosts, ""));
    api->roles = roles_of_routes();
    api->run_times = run_times_new();
    api->started_us = clock_monotonic_us(options->clock);
    copy_hosts(api, options);
    name_contract(api);
    return api;
}

static void api_free(struct api *api)
{
    for (size_t i = 0; i < api->host_count; i++)
        free(api->hosts[i]);
    free(api->hosts);
    tls_clear(&api->files);
    free(api->version);
    free(api->state);
    free(api->origin);
    free(api->webhook_hosts);
    free(api->roles);
    run_times_free(api->run_times);
    free(api);
}

static int start_http(struct api *api, const struct api_options *options, struct error *error)
{
    struct listener listener;
    int status = listen_open(options->listen, &listener, error);

    if (status)
        return status;
    api->port = listener.port;
    api->loopback = listener.loopback;
    (void)snprintf(api->url, sizeof api->url, "http%s://%s:%d", api->tls ? "s" : "", listener.host,
                   listener.port);
    return http_start(&api->http,
                      &(struct http_options){.loop = options->loop,
                                             .clock = options->clock,
                                             .log = api->log,
                                             .listen_fd = listener.fd,
                                             .tls = api->tls ? &api->files : NULL,
                                             .idle_s = FALLBACK(options->idle_s, 30),
                                             .header_s = FALLBACK(options->header_s, 10),
                                             .body_s = FALLBACK(options->body_s, 300),
                                             .connections = FALLBACK(options->connections, 4096),
                                             .context = api,
                                             .begin = gate_begin,
                                             .body = gate_body,
                                             .end = gate_end,
                                             .clear = gate_clear},
                      error);
}

static int open_access(struct api *api, const struct api_options *options, struct error *error)
{
    int status =
        tls_read(&api->files, options->tls_certificate, options->tls_key, options->tls_client_ca, error);

    api->tls = api->files.certificate != NULL;
    if (!status)
        status = access_open(&api->access, api, options, error);
    return status ? status : check_admin(api, options, error);
}

int api_start(struct api **api, const struct api_options *options, struct error *error)
{
    struct api *new;
    int status = check_options(options, error);

    if (status)
        return status;
    if (sodium_init() < 0)
        return error_set(error, -EIO, "libsodium does not start");
    new = api_new(options);
    status = open_access(new, options, error);
    if (!status)
        status = start_http(new, options, error);
    if (status) {
        if (new->access)
            access_close(new->access);
        api_free(new);
        return status;
    }
    new->events = events_new(&(struct events_options){.api = new,
                                                      .head = store_head_sequence(options->store),
                                                      .clients = FALLBACK(options->event_clients, 600),
                                                      .ring = FALLBACK(options->event_ring, 1024),
                                                      .heartbeat_ms = FALLBACK(options->heartbeat_ms, 15000),
                                                      .stall_s = FALLBACK(options->stall_s, 30)});
    new->webhooks = webhooks_new(
        &(struct webhooks_options){.api = new,
                                   .retry_ms = FALLBACK(options->webhook_retry_ms, 1000),
                                   .give_up_s = FALLBACK(options->webhook_give_up_s, 3 * 24 * 3600)});
    *api = new;
    return 0;
}

int api_bound_port(const struct api *api)
{
    return api->port;
}

const char *api_url(const struct api *api)
{
    return api->url;
}

void api_publish(struct api *api, const struct farm_event *event)
{
    events_publish(api->events, event);
    run_times_hear(api->run_times, event);
    if (event->sequence)
        webhooks_wake(api->webhooks);
}

static void on_http_stopped(void *context)
{
    struct api *api = context;
    api_done *done = api->done;
    void *done_context = api->done_context;

    events_free(api->events);
    webhooks_free(api->webhooks);
    access_close(api->access);
    api_free(api);
    done(done_context);
}

void api_stop(struct api *api, api_done *done, void *context)
{
    api->done = done;
    api->done_context = context;
    events_stop(api->events);
    webhooks_stop(api->webhooks);
    http_stop(api->http, on_http_stopped, api);
}
