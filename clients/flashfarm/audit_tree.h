/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree of RFC 6962 as an auditor needs it: roots from leaves, and whether a proof holds. Written
 * from the RFC and RFC 9162 (2.1.3.2, 2.1.4.2) without a look at the daemon's tree: two readings must
 * agree. A leaf's data is the 32-byte hash of a record. */
#ifndef FLASHFARM_CLIENTS_AUDIT_TREE_H
#define FLASHFARM_CLIENTS_AUDIT_TREE_H

#include <stdbool.h>
#include <stdint.h>

enum { AUDIT_HASH = 32, AUDIT_DIGITS = 64, AUDIT_LEVELS = 63, AUDIT_TILE = 256 };

/* Roots of the complete subtrees that a prefix of the ledger falls into, the largest first. */
struct audit_tree {
    int64_t size;
    int count;
    uint8_t roots[AUDIT_LEVELS][AUDIT_HASH];
};

/* A leaf by its data; true when the tree now ends with a complete tile, which is the one it would be in. */
void audit_tree_append(struct audit_tree *tree, const uint8_t data[AUDIT_HASH]);
/* A complete subtree at once; the size of the tree must be a multiple of `leaves`, a power of two. */
void audit_tree_append_root(struct audit_tree *tree, int64_t leaves, const uint8_t root[AUDIT_HASH]);
void audit_tree_root(const struct audit_tree *tree, uint8_t root[AUDIT_HASH]);

bool audit_tree_includes(const uint8_t data[AUDIT_HASH], int64_t index, int64_t size,
                         uint8_t (*path)[AUDIT_HASH], int count, const uint8_t root[AUDIT_HASH]);
bool audit_tree_continues(int64_t older, int64_t size, uint8_t (*path)[AUDIT_HASH], int count,
                          const uint8_t before[AUDIT_HASH], const uint8_t after[AUDIT_HASH]);

#endif
