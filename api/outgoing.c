/* SPDX-License-Identifier: Apache-2.0 */
#include "outgoing.h"

#include "alloc.h"
#include "list.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 10000L
#define CALL_TIMEOUT_MS    20000L
#define ANSWER_MAX_BYTES   (64u << 10) /* whoever answers more is no receiver of ours */
#define CONNECTIONS_KEPT   16L

struct outgoing {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    size_t handles; /* still to be closed */
    struct list calls;
    bool stopping;
    void (*done)(void *context);
    void *context;
};

/* A socket that libcurl wants to be told about. */
struct watch {
    uv_poll_t poll;
    struct outgoing *outgoing;
    curl_socket_t socket;
};

struct outgoing_call {
    struct list node;
    struct outgoing *outgoing;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t answered_bytes;
    char trouble[CURL_ERROR_SIZE];
    outgoing_done *done;
    void *context;
};

static void call_free(struct outgoing_call *call)
{
    list_remove(&call->node);
    (void)curl_multi_remove_handle(call->outgoing->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->body);
    free(call);
}

void outgoing_cancel(struct outgoing_call *call)
{
    call_free(call);
}

/* --- libcurl on the loop -------------------------------------------------------------------------------- */

static void finish(struct outgoing_call *call, CURLcode code)
{
    outgoing_done *done = call->done;
    void *context = call->context;
    char trouble[CURL_ERROR_SIZE];
    long status = 0;

    if (code == CURLE_OK)
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)snprintf(trouble, sizeof trouble, "%s",
                   call->trouble[0] ? call->trouble : curl_easy_strerror(code));
    call_free(call);
    done(context, (unsigned)status, status ? NULL : trouble);
}

static void collect(struct outgoing *outgoing)
{
    CURLMsg *message;
    int left;

    while (!outgoing->stopping && (message = curl_multi_info_read(outgoing->multi, &left))) {
        struct outgoing_call *call = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, message->data.result);
    }
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    struct outgoing *outgoing = watch->outgoing;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    (void)curl_multi_socket_action(outgoing->multi, watch->socket, flags, &running);
    collect(outgoing);
}

static void on_timer(uv_timer_t *timer)
{
    struct outgoing *outgoing = timer->data;
    int running;

    (void)curl_multi_socket_action(outgoing->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(outgoing);
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct outgoing *outgoing = context;

    (void)multi;
    if (outgoing->stopping)
        return 0;
    if (timeout_ms < 0)
        (void)uv_timer_stop(&outgoing->timer);
    else
        /* At the loop's next turn at the earliest: libcurl must not be entered from its own call. */
        (void)uv_timer_start(&outgoing->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void handle_closed(struct outgoing *outgoing)
{
    void (*done)(void *context) = outgoing->done;
    void *context = outgoing->context;

    if (--outgoing->handles)
        return;
    free(outgoing);
    done(context);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct outgoing *outgoing = watch->outgoing;

    free(watch);
    handle_closed(outgoing);
}

static struct watch *watch_new(struct outgoing *outgoing, curl_socket_t socket)
{
    struct watch *watch = allocate(1, sizeof *watch);

    watch->outgoing = outgoing;
    watch->socket = socket;
    watch->poll.data = watch;
    if (uv_poll_init_socket(outgoing->loop, &watch->poll, socket)) {
        free(watch);
        return NULL;
    }
    outgoing->handles++;
    (void)curl_multi_assign(outgoing->multi, socket, watch);
    return watch;
}

static int set_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *socket_context)
{
    struct outgoing *outgoing = context;
    struct watch *watch = socket_context;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            (void)curl_multi_assign(outgoing->multi, socket, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (!watch)
        watch = watch_new(outgoing, socket);
    return watch && !uv_poll_start(&watch->poll, events, on_socket) ? 0 : -1;
}

struct outgoing *outgoing_new(uv_loop_t *loop)
{
    struct outgoing *outgoing = allocate(1, sizeof *outgoing);

    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    outgoing->loop = loop;
    outgoing->multi = curl_multi_init();
    list_init(&outgoing->calls);
    (void)uv_timer_init(loop, &outgoing->timer);
    outgoing->timer.data = outgoing;
    outgoing->handles = 1;
    if (!outgoing->multi)
        abort(); /* as allocate() does when there is no memory */
    (void)curl_multi_setopt(outgoing->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(outgoing->multi, CURLMOPT_SOCKETDATA, outgoing);
    (void)curl_multi_setopt(outgoing->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(outgoing->multi, CURLMOPT_TIMERDATA, outgoing);
    (void)curl_multi_setopt(outgoing->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    return outgoing;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void outgoing_stop(struct outgoing *outgoing, void (*done)(void *context), void *context)
{
    outgoing->stopping = true;
    outgoing->done = done;
    outgoing->context = context;
    LIST_EACH (node, &outgoing->calls) {
        call_free(LIST_ENTRY(node, struct outgoing_call, node));
    }
    /* Lets go of the sockets that it has kept open: set_socket() hears of each. */
    (void)curl_multi_cleanup(outgoing->multi);
    uv_close((uv_handle_t *)&outgoing->timer, on_timer_closed);
}

/* --- Calls ---------------------------------------------------------------------------------------------- */

static size_t drop_answer(char *data, size_t one, size_t size, void *context)
{
    struct outgoing_call *call = context;

    (void)data, (void)one;
    call->answered_bytes += size;
    return call->answered_bytes > ANSWER_MAX_BYTES ? 0 : size;
}

static void set_options(struct outgoing_call *call, const struct outgoing_request *request)
{
    CURL *easy = call->easy;

    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A name server that does not answer must not keep the loop when the call is given up. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_answer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->trouble);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

struct outgoing_call *outgoing_post(struct outgoing *outgoing, const struct outgoing_request *request,
                                    outgoing_done *done, void *context)
{
    struct outgoing_call *call = allocate(1, sizeof *call);

    call->outgoing = outgoing;
    call->done = done;
    call->context = context;
    call->easy = curl_easy_init();
    if (!call->easy)
        abort(); /* as allocate() does when there is no memory */
    call->body = allocate(request->size + 1, 1);
    memcpy(call->body, request->body, request->size);
    for (const char *const *header = request->headers; *header; header++)
        call->headers = curl_slist_append(call->headers, *header);
    list_append(&outgoing->calls, &call->node);
    set_options(call, request);
    (void)curl_multi_add_handle(outgoing->multi, call->easy);
    return call;
}

/* --- Addresses ------------------------------------------------------------------------------------------ */

/* "HOST" or "HOST:PORT" against what the address has; an IPv6 address stands in brackets. */
static bool host_fits(const char *word, size_t length, const char *host, const char *port)
{
    size_t host_length = strlen(host);

    if (length < host_length || strncasecmp(word, host, host_length) != 0)
        return false;
    if (length == host_length)
        return true;
    return word[host_length] == ':' && length - host_length - 1 == strlen(port) &&
           !memcmp(word + host_length + 1, port, strlen(port));
}

static bool host_is_listed(const char *hosts, const char *host, const char *port)
{
    while (*hosts) {
        size_t length;

        hosts += strspn(hosts, " \t,");
        length = strcspn(hosts, " \t,");
        if (length && host_fits(hosts, length, host, port))
            return true;
        hosts += length;
    }
    return false;
}

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static int check_parts(CURLU *parts, const char *url, const char *hosts, struct error *error)
{
    char *scheme = url_part(parts, CURLUPART_SCHEME, 0);
    char *host = url_part(parts, CURLUPART_HOST, 0);
    char *port = url_part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    char *user = url_part(parts, CURLUPART_USER, 0);
    char *password = url_part(parts, CURLUPART_PASSWORD, 0);
    char *fragment = url_part(parts, CURLUPART_FRAGMENT, 0);
    int status = 0;

    if (!scheme || !host || !port || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        status = error_set(error, -EINVAL, "'%s' is not an address such as https://mes.example/path", url);
    else if (user || password || fragment)
        status = error_set(error, -EINVAL, "an address must have no name, password or '#'");
    else if (!host_is_listed(hosts, host, port))
        status = error_set(error, -EACCES,
                           "%s:%s is not one of the hosts that may be sent to (webhook_hosts of the "
                           "configuration)",
                           host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    curl_free(password);
    curl_free(fragment);
    return status;
}

int outgoing_check_url(const char *url, const char *hosts, struct error *error)
{
    CURLU *parts = curl_url();
    int status;

    /* What other readers of the same text might understand differently is refused. */
    if (url[strcspn(url, " \\\t\r\n")] || !parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
        status = error_set(error, -EINVAL, "'%s' is not an address such as https://mes.example/path", url);
    else
        status = check_parts(parts, url, hosts, error);
    curl_url_cleanup(parts);
    return status;
}
