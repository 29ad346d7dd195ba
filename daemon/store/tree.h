/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree of RFC 6962 (section 2.1): roots that grow with the ledger, and proofs that a leaf is in
 * it or that one tree continues another. Knows hashes only: no record, no database, no signature.
 *
 * A tree is kept as its frontier, the roots of the complete subtrees that it consists of, so that appending
 * costs two hashes on average and no memory. Proofs need more of it, and ask a source for leaves and for
 * the roots of tiles: complete subtrees of 256 leaves, which is what the record keeps. */
#ifndef FLASHFARM_STORE_TREE_H
#define FLASHFARM_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TREE_HASH_SIZE = 32,
    TREE_LEVELS = 63,
    TREE_TILE_LEVEL = 8,
    TREE_TILE_SIZE = 1 << TREE_TILE_LEVEL,
};

struct tree_hash {
    uint8_t bytes[TREE_HASH_SIZE];
};

struct tree {
    int64_t size; /* leaves */
    /* [n] is the root of a complete subtree of 2^n leaves where bit n of size is set; else of no meaning. */
    struct tree_hash frontier[TREE_LEVELS];
};

void tree_leaf(const void *data, size_t size, struct tree_hash *leaf);
void tree_node(const struct tree_hash *left, const struct tree_hash *right, struct tree_hash *node);

/* Appends one leaf. True when it completed a tile, whose root is then in `tile`. */
bool tree_append(struct tree *tree, const struct tree_hash *leaf, struct tree_hash *tile);
/* Appends a tile at once; the size must be a multiple of 256. */
void tree_append_tile(struct tree *tree, const struct tree_hash *tile);
void tree_root(const struct tree *tree, struct tree_hash *root);

/* Where proofs find what they are made of: leaf `index` at level 0, tile `index` at level TREE_TILE_LEVEL.
 * Returns 0, or a negative errno that ends the proof. */
struct tree_source {
    int (*hash)(void *context, unsigned level, int64_t index, struct tree_hash *hash);
    void *context;
};

/* The audit path of leaf `index` in the tree of `size` leaves, lowest first; returns its length. */
int tree_inclusion(const struct tree_source *source, int64_t index, int64_t size,
                   struct tree_hash path[TREE_LEVELS]);
/* That the tree of `size` leaves continues the one of `older`; returns the proof's length. */
int tree_consistency(const struct tree_source *source, int64_t older, int64_t size,
                     struct tree_hash path[TREE_LEVELS]);

#endif
