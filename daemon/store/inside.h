/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the loop's side share: store.c (facts and questions), factory.c, statistics.c,
 * evidence.c (checkpoints and proofs) and backup.c. Nobody outside of this folder includes it. */
#ifndef FLASHFARM_STORE_INSIDE_H
#define FLASHFARM_STORE_INSIDE_H

#include "evidence.h"
#include "reader.h"
#include "writer.h"

struct store {
    struct store_options options;
    int lock_fd;
    struct writer *writer;
    struct reader *reader;
    uv_async_t *wake;
    store_listener *listener;
    void *listener_context;
    size_t outstanding; /* appends without callback; the loop stays alive for them */
    bool delivering;
    struct evidence evidence;
    int64_t head_sequence;
    char head_hash[2 * CHAIN_HASH_SIZE + 1];
};

/* Asks for one thing by the text that names it; `what` is its word in an error (store.c). */
void store_ask_by_text(struct store *store, enum query query, const char *what, const char *id,
                       store_answer *answer, void *context);

/* :recipe and :version of "NAME" or "NAME/VERSION"; a version that is no number fits no run (store.c). */
void store_request_recipe(struct request *request, const char *recipe);

/* Queues a checkpoint as store_append() queues facts (store.c). */
void store_push_checkpoint(struct store *store, store_done *done, void *context);

#endif
