/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to other hosts, on the loop: outgoing.c is the only file of the daemon that knows libcurl. It
 * knows nothing of webhooks. No redirection is followed, no proxy of the environment is used, no answer is
 * kept. */
#ifndef FLASHFARM_API_OUTGOING_H
#define FLASHFARM_API_OUTGOING_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct outgoing;
struct outgoing_call;

struct outgoing *outgoing_new(uv_loop_t *loop);
/* Cancels what is under way without a word, and calls `done` when nothing of it is left. */
void outgoing_stop(struct outgoing *outgoing, void (*done)(void *context), void *context);

/* `status` of HTTP; 0 when there was no answer, and `trouble` says why. Never called from outgoing_post(). */
typedef void outgoing_done(void *context, unsigned status, const char *trouble);

struct outgoing_request {
    const char *url;
    const char *const *headers; /* "Name: value"; NULL ends */
    const char *body;           /* copied, like all the others */
    size_t size;
};
struct outgoing_call *outgoing_post(struct outgoing *outgoing, const struct outgoing_request *request,
                                    outgoing_done *done, void *context);
void outgoing_cancel(struct outgoing_call *call);

/* Whether an http or https address is of one of the blank-separated hosts: HOST (any port) or HOST:PORT.
 * -EINVAL for what is no such address, or carries a name and password; -EACCES when its host is none of them.
 */
int outgoing_check_url(const char *url, const char *hosts, struct error *error);

#endif
