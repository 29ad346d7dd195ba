/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: what the tree of the ledger is at one moment, signed, as a note that C2SP's signed-note and
 * tlog-checkpoint define; and the mark, a file beside the database by which a record that has gone back in
 * time is found. Knows no database. */
#ifndef FLASHFARM_STORE_CHECKPOINT_H
#define FLASHFARM_STORE_CHECKPOINT_H

#include "chain.h"
#include "result.h"
#include "tree.h"

enum { SIGNER_SEED_SIZE = 32, SIGNER_KEY_SIZE = 32 };

struct signer;

/* -EINVAL when the origin cannot be a name in a note: empty, or with white space or a plus sign. */
int signer_new(struct signer **signer, const uint8_t seed[SIGNER_SEED_SIZE], const char *origin,
               struct error *error);
/* The key is wiped. NULL is allowed. */
void signer_free(struct signer *signer);
const uint8_t *signer_public_key(const struct signer *signer);
/* "ORIGIN+KEYID+KEY", which is what others check notes with; the caller frees it. */
char *signer_verifier_key(const struct signer *signer);

/* Writes that text to flashfarm.pub beside the database, for auditors. */
int signer_publish(const struct signer *signer, const char *database, struct error *error);

/* The body of the fact ledger.checkpoint, canonical; the caller frees it. */
char *checkpoint_body(const struct signer *signer, const struct tree *tree, const struct tree_hash *tiles,
                      size_t tile_count);

/* Where the record at `database` has its mark; the caller frees it. */
char *mark_path(const char *database);
/* Durable when it returns 0. */
int mark_write(const char *path, const struct chain *head, struct error *error);
/* -ENOENT when there is none, -EBADMSG when it is none of ours. */
int mark_read(const char *path, struct chain *head, struct error *error);

#endif
