/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_tree.h"

#include <sodium.h>
#include <string.h>

static void hash_leaf(const uint8_t data[AUDIT_HASH], uint8_t hash[AUDIT_HASH])
{
    uint8_t text[1 + AUDIT_HASH] = {0x00};

    memcpy(text + 1, data, AUDIT_HASH);
    (void)crypto_hash_sha256(hash, text, sizeof text);
}

/* `hash` may be one of the two. */
static void hash_pair(const uint8_t left[AUDIT_HASH], const uint8_t right[AUDIT_HASH],
                      uint8_t hash[AUDIT_HASH])
{
    uint8_t text[1 + 2 * AUDIT_HASH] = {0x01};

    memcpy(text + 1, left, AUDIT_HASH);
    memcpy(text + 1 + AUDIT_HASH, right, AUDIT_HASH);
    (void)crypto_hash_sha256(hash, text, sizeof text);
}

/* As many neighbours of one size are joined as ones end the size's number in binary, counted in `leaves`. */
void audit_tree_append_root(struct audit_tree *tree, int64_t leaves, const uint8_t root[AUDIT_HASH])
{
    memcpy(tree->roots[tree->count++], root, AUDIT_HASH);
    tree->size += leaves;
    for (int64_t size = tree->size / leaves; size % 2 == 0; size /= 2) {
        tree->count--;
        hash_pair(tree->roots[tree->count - 1], tree->roots[tree->count], tree->roots[tree->count - 1]);
    }
}

void audit_tree_append(struct audit_tree *tree, const uint8_t data[AUDIT_HASH])
{
    uint8_t leaf[AUDIT_HASH];

    hash_leaf(data, leaf);
    audit_tree_append_root(tree, 1, leaf);
}

void audit_tree_root(const struct audit_tree *tree, uint8_t root[AUDIT_HASH])
{
    if (tree->count == 0) {
        (void)crypto_hash_sha256(root, (const unsigned char *)"", 0);
        return;
    }
    memcpy(root, tree->roots[tree->count - 1], AUDIT_HASH);
    for (int i = tree->count - 2; i >= 0; i--)
        hash_pair(tree->roots[i], root, root);
}

bool audit_tree_includes(const uint8_t data[AUDIT_HASH], int64_t index, int64_t size,
                         uint8_t (*path)[AUDIT_HASH], int count, const uint8_t root[AUDIT_HASH])
{
    uint8_t hash[AUDIT_HASH];
    int64_t fn = index, sn = size - 1;

    if (index < 0 || index >= size)
        return false;
    hash_leaf(data, hash);
    for (int i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if (fn % 2 == 0 && fn != sn) {
            hash_pair(hash, path[i], hash);
        } else {
            hash_pair(path[i], hash, hash);
            for (; fn % 2 == 0 && fn != 0; fn /= 2)
                sn /= 2;
        }
        fn /= 2;
        sn /= 2;
    }
    return sn == 0 && memcmp(hash, root, AUDIT_HASH) == 0;
}

/* The rest of RFC 9162 2.1.4.2, with both roots begun. */
static bool follow(int64_t fn, int64_t sn, uint8_t (*path)[AUDIT_HASH], int count, uint8_t fr[AUDIT_HASH],
                   uint8_t sr[AUDIT_HASH])
{
    for (int i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if (fn % 2 == 1 || fn == sn) {
            hash_pair(path[i], fr, fr);
            hash_pair(path[i], sr, sr);
            for (; fn % 2 == 0 && fn != 0; fn /= 2)
                sn /= 2;
        } else {
            hash_pair(sr, path[i], sr);
        }
        fn /= 2;
        sn /= 2;
    }
    return sn == 0;
}

bool audit_tree_continues(int64_t older, int64_t size, uint8_t (*path)[AUDIT_HASH], int count,
                          const uint8_t before[AUDIT_HASH], const uint8_t after[AUDIT_HASH])
{
    uint8_t fr[AUDIT_HASH], sr[AUDIT_HASH];
    int64_t fn = older - 1, sn = size - 1;
    bool is_power = (older & (older - 1)) == 0;

    if (older < 1 || older > size)
        return false;
    if (older == size)
        return count == 0 && memcmp(before, after, AUDIT_HASH) == 0;
    if (!is_power && count == 0)
        return false;
    for (; fn % 2 == 1; fn /= 2)
        sn /= 2;
    memcpy(fr, is_power ? before : path[0], AUDIT_HASH);
    memcpy(sr, fr, AUDIT_HASH);
    return follow(fn, sn, path + !is_power, count - !is_power, fr, sr) &&
           memcmp(fr, before, AUDIT_HASH) == 0 && memcmp(sr, after, AUDIT_HASH) == 0;
}
