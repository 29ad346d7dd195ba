/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that come by callback, awaited on a fiber: the domain's own code then reads straight down. */
#ifndef FLASHFARM_JOBS_AWAIT_H
#define FLASHFARM_JOBS_AWAIT_H

#include "fiber.h"
#include "result.h"

#include <jansson.h>

/* Filled by await_answered(), which is a store_answer and a farm_answer. */
struct await {
    struct fibers *fibers;
    struct fiber *fiber;
    bool answered;
    int status;
    json_t *answer;
    struct error *error;
};

struct await await_begin(struct fibers *fibers, struct error *error);
void await_answered(void *context, json_t *answer, const struct error *error);
/* The answer (a new reference), or NULL with the error filled. */
json_t *await_end(struct await *await);

/* Runs `work(argument)` in libuv's pool while the current fiber waits; outside a fiber it is just called. */
int await_work(struct fibers *fibers, void (*work)(void *argument), void *argument);

#endif
