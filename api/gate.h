/* SPDX-License-Identifier: Apache-2.0 */
/* What every request passes before a handler sees it: framing, address, Host, route, key, parameters, body.
 */
#ifndef FLASHFARM_API_GATE_H
#define FLASHFARM_API_GATE_H

#include "farm.h"
#include "http.h"

/* The callbacks of struct http_options. */
void gate_begin(struct request *request);
void gate_body(struct request *request, const char *data, size_t size);
void gate_end(struct request *request);
void gate_clear(struct request *request);

/* What the caller may order: engineers anything, others only what an engineer has released. */
enum order_right request_order_right(const struct request *request);

#endif
