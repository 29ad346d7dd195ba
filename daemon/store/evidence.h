/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side of checkpoints: when one is due, and that a fact is told when the record was restored. The
 * writer makes them (writer.h), and they come back as every append does, so that who listens hears of them in
 * order. Questions about them (store_checkpoint(), store_proof()) are here too. */
#ifndef FLASHFARM_STORE_EVIDENCE_H
#define FLASHFARM_STORE_EVIDENCE_H

#include "writer.h"

struct evidence {
    struct signer *signer; /* NULL: no checkpoints */
    char *verifier_key;
    int64_t every_records;
    uint64_t every_ms;
    int64_t covered;   /* how many records the newest checkpoint covers */
    bool asked;        /* one is on its way */
    uv_timer_t *timer; /* runs while records are not covered */
};

/* Before the writer starts. */
int evidence_prepare(struct evidence *evidence, const struct store_options *options, struct error *error);
/* Once it has: asks for a checkpoint when records are not covered. */
void evidence_begin(struct store *store);
/* After each append that is durable, or was refused. */
void evidence_follow(struct store *store, const struct append *append);
/* Asks for the last one; its delivery is the caller's business. */
void evidence_finish(struct store *store);
void evidence_free(struct evidence *evidence);

#endif
