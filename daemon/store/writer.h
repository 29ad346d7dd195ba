/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that writes: it takes everything that has queued up, commits it as one transaction, and hands it
 * back in the same order. Only text and numbers cross between the threads: jansson's values do not. */
#ifndef FLASHFARM_STORE_WRITER_H
#define FLASHFARM_STORE_WRITER_H

#include "chain.h"
#include "checkpoint.h"
#include "list.h"
#include "store.h"

struct writer;

/* A fact on its way into the ledger; sequence and hash are known once it is there. */
struct fact {
    const char *kind;
    char *body;
    struct chain chain;
};

/* Facts that stand or fall together. Belongs to the writer from writer_push() to writer_take(). */
struct append {
    struct list node;
    store_done *done;
    void *context;
    int64_t utc_us, monotonic_us;
    bool synchronised;
    /* The one fact is a checkpoint over every record before it: its body is the writer's to make. When the
     * newest record is one already, count comes back as 0. */
    bool checkpoint;
    struct error error; /* code 0: durable */
    struct error mark;  /* of a checkpoint that is durable, but the mark beside the database is not */
    size_t count;
    struct fact facts[];
};

/* Opens and migrates the database, checks that the last record continues the chain, that the chain has not
 * gone back behind its mark, and that the newest checkpoint is that of its tree; then starts the thread.
 * `signer` is borrowed; without one no checkpoint may be asked for. `wake` is sent whenever there is
 * something to take. */
int writer_start(struct writer **writer, const struct store_options *options, const struct signer *signer,
                 uv_async_t *wake, struct error *error);

/* Commits what is queued and ends the thread. What came of it is still to be taken before writer_free(). */
void writer_stop(struct writer *writer);
void writer_free(struct writer *writer);

void writer_push(struct writer *writer, struct append *append);

/* Moves what is done to the end of `done`; with `wait`, waits until there is something. */
void writer_take(struct writer *writer, struct list *done, bool wait);

/* Before the first writer_push() only: the newest record, and how many the newest checkpoint covers. */
struct chain writer_head(const struct writer *writer);
int64_t writer_covered(const struct writer *writer);
struct store_statistics writer_statistics(struct writer *writer);

#endif
