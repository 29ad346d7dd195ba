/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(TREE_HASH_SIZE == crypto_hash_sha256_BYTES, "the tree is made of SHA-256");

static void hash_parts(uint8_t tag, const void *a, size_t size_a, const void *b, size_t size_b,
                       struct tree_hash *hash)
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, &tag, 1);
    (void)crypto_hash_sha256_update(&state, a, size_a);
    (void)crypto_hash_sha256_update(&state, b, size_b);
    (void)crypto_hash_sha256_final(&state, hash->bytes);
}

void tree_leaf(const void *data, size_t size, struct tree_hash *leaf)
{
    hash_parts(0, data, size, "", 0, leaf);
}

void tree_node(const struct tree_hash *left, const struct tree_hash *right, struct tree_hash *node)
{
    hash_parts(1, left->bytes, TREE_HASH_SIZE, right->bytes, TREE_HASH_SIZE, node);
}

/* As adding one to a binary number: every 1 on the way is a finished left half, and carries. */
static bool append_at(struct tree *tree, unsigned level, const struct tree_hash *hash, struct tree_hash *tile)
{
    struct tree_hash carry = *hash;
    unsigned at = level;

    for (; tree->size >> at & 1; at++) {
        if (at == TREE_TILE_LEVEL)
            *tile = carry;
        tree_node(&tree->frontier[at], &carry, &carry);
    }
    if (at == TREE_TILE_LEVEL)
        *tile = carry;
    tree->frontier[at] = carry;
    tree->size += INT64_C(1) << level;
    return at >= TREE_TILE_LEVEL;
}

bool tree_append(struct tree *tree, const struct tree_hash *leaf, struct tree_hash *tile)
{
    return append_at(tree, 0, leaf, tile);
}

void tree_append_tile(struct tree *tree, const struct tree_hash *tile)
{
    struct tree_hash same;

    assert(tree->size % TREE_TILE_SIZE == 0);
    (void)append_at(tree, TREE_TILE_LEVEL, tile, &same);
}

void tree_root(const struct tree *tree, struct tree_hash *root)
{
    bool begun = false;

    if (tree->size == 0)
        (void)crypto_hash_sha256(root->bytes, (const unsigned char *)"", 0);
    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        if (!(tree->size >> level & 1))
            continue;
        if (begun)
            tree_node(&tree->frontier[level], root, root);
        else
            *root = tree->frontier[level];
        begun = true;
    }
}

/* Proofs ------------------------------------------------------------------------------------------------- */

/* The largest power of two that is smaller than `size`: where RFC 6962 splits a tree. */
static int64_t split(int64_t size)
{
    int64_t half = 1;

    while (half * 2 < size)
        half *= 2;
    return half;
}

/* The root of leaves begin..end-1. As deep as the tree is high. */
static int range_root(const struct tree_source *source, int64_t begin, int64_t end, struct tree_hash *root)
{
    struct tree_hash left, right;
    int64_t size = end - begin, middle = begin + split(size);
    int code;

    if (size == 1)
        return source->hash(source->context, 0, begin, root);
    if (size == TREE_TILE_SIZE && begin % TREE_TILE_SIZE == 0)
        return source->hash(source->context, TREE_TILE_LEVEL, begin / TREE_TILE_SIZE, root);
    code = range_root(source, begin, middle, &left);
    if (!code)
        code = range_root(source, middle, end, &right);
    if (!code)
        tree_node(&left, &right, root);
    return code;
}

static int turn_round(struct tree_hash *path, int count)
{
    for (int i = 0; i < count / 2; i++) {
        struct tree_hash other = path[count - 1 - i];

        path[count - 1 - i] = path[i];
        path[i] = other;
    }
    return count;
}

int tree_inclusion(const struct tree_source *source, int64_t index, int64_t size,
                   struct tree_hash path[TREE_LEVELS])
{
    int64_t begin = 0, end = size;
    int count = 0, code = 0;

    assert(index >= 0 && index < size);
    while (!code && end - begin > 1) {
        int64_t middle = begin + split(end - begin);
        bool left = index < middle;

        code = range_root(source, left ? middle : begin, left ? end : middle, &path[count++]);
        begin = left ? begin : middle;
        end = left ? middle : end;
    }
    return code ? code : turn_round(path, count);
}

/* Down to the last subtree that the older tree has whole; when that is no prefix of the newer one, its own
 * root is part of the proof. */
int tree_consistency(const struct tree_source *source, int64_t older, int64_t size,
                     struct tree_hash path[TREE_LEVELS])
{
    int64_t begin = 0, end = size;
    int count = 0, code = 0;

    assert(older > 0 && older <= size);
    while (!code && end != older) {
        int64_t middle = begin + split(end - begin);
        bool left = older <= middle;

        code = range_root(source, left ? middle : begin, left ? end : middle, &path[count++]);
        begin = left ? begin : middle;
        end = left ? middle : end;
    }
    if (!code && begin > 0)
        code = range_root(source, begin, end, &path[count++]);
    return code ? code : turn_round(path, count);
}
