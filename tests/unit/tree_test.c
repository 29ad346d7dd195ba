/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree against RFC 6962 section 2.1 written down a second time, word by word and slowly, for
 * every size up to beyond two tiles, and against the roots that the tests of Certificate Transparency's logs
 * are known by. The paths are checked by the verifier of the command line, which is a third reading. */
#include "audit_tree.h"
#include "bytes.h"
#include "tree.h"

#include "test.h"

#include <sodium.h>

enum { LEAVES = 530, SMALL = 40 };

struct leaf {
    uint8_t bytes[32];
};

/* RFC 6962: MTH, PATH and PROOF of lists -------------------------------------------------------------------
 */

static int64_t k_of(int64_t n)
{
    int64_t k = 1;

    while (k << 1 < n)
        k <<= 1;
    return k;
}

static void naive_root(const struct leaf *d, int64_t n, uint8_t root[32])
{
    uint8_t joined[65] = {1};

    if (n == 0) {
        (void)crypto_hash_sha256(root, joined, 0);
    } else if (n == 1) {
        joined[0] = 0;
        memcpy(joined + 1, d, 32);
        (void)crypto_hash_sha256(root, joined, 33);
    } else {
        naive_root(d, k_of(n), joined + 1);
        naive_root(d + k_of(n), n - k_of(n), joined + 33);
        (void)crypto_hash_sha256(root, joined, 65);
    }
}

static int naive_path(int64_t m, const struct leaf *d, int64_t n, uint8_t path[][32])
{
    int64_t k = k_of(n);
    int count;

    if (n == 1)
        return 0;
    if (m < k) {
        count = naive_path(m, d, k, path);
        naive_root(d + k, n - k, path[count]);
    } else {
        count = naive_path(m - k, d + k, n - k, path);
        naive_root(d, k, path[count]);
    }
    return count + 1;
}

static int naive_subproof(int64_t m, const struct leaf *d, int64_t n, bool whole, uint8_t path[][32])
{
    int64_t k = k_of(n);
    int count;

    if (m == n && whole)
        return 0;
    if (m == n) {
        naive_root(d, m, path[0]);
        return 1;
    }
    if (m <= k) {
        count = naive_subproof(m, d, k, whole, path);
        naive_root(d + k, n - k, path[count]);
    } else {
        count = naive_subproof(m - k, d + k, n - k, false, path);
        naive_root(d, k, path[count]);
    }
    return count + 1;
}

/* Ours ------------------------------------------------------------------------------------------------------
 */

struct forest {
    struct leaf leaves[LEAVES];
    struct tree_hash tiles[LEAVES / TREE_TILE_SIZE];
    struct tree trees[LEAVES + 1]; /* [n] of the first n */
    struct audit_tree others[LEAVES + 1];
};

static int find_hash(void *context, unsigned level, int64_t index, struct tree_hash *hash)
{
    const struct forest *forest = context;

    if (level == TREE_TILE_LEVEL)
        *hash = forest->tiles[index];
    else
        tree_leaf(forest->leaves[index].bytes, 32, hash);
    return level == 0 || level == TREE_TILE_LEVEL ? 0 : -1;
}

static void plant(struct forest *forest)
{
    size_t tiles = 0;

    for (int i = 0; i < LEAVES; i++) {
        struct tree_hash leaf, tile;

        randombytes_buf_deterministic(forest->leaves[i].bytes, 32,
                                      (uint8_t[32]){(uint8_t)i, (uint8_t)(i >> 8)});
        tree_leaf(forest->leaves[i].bytes, 32, &leaf);
        forest->trees[i + 1] = forest->trees[i];
        forest->others[i + 1] = forest->others[i];
        audit_tree_append(&forest->others[i + 1], forest->leaves[i].bytes);
        if (tree_append(&forest->trees[i + 1], &leaf, &tile))
            forest->tiles[tiles++] = tile;
        CHECK(forest->trees[i + 1].size == i + 1);
    }
    CHECK(tiles == LEAVES / TREE_TILE_SIZE);
}

static void with_forest(void (*check)(struct forest *forest))
{
    static struct forest forest; /* half a megabyte */

    memset(&forest, 0, sizeof forest);
    plant(&forest);
    check(&forest);
}

static void check_roots(struct forest *forest)
{
    for (int size = 0; size <= LEAVES; size++) {
        struct tree_hash root;
        uint8_t naive[32], other[32];

        naive_root(forest->leaves, size, naive);
        tree_root(&forest->trees[size], &root);
        audit_tree_root(&forest->others[size], other);
        CHECK(memcmp(root.bytes, naive, 32) == 0);
        CHECK(memcmp(other, naive, 32) == 0);
    }
}

static void check_tiles(struct forest *forest)
{
    struct tree tree = {.size = 0};
    struct tree_hash root;
    uint8_t naive[32];

    for (int i = 0; i < LEAVES / TREE_TILE_SIZE; i++) {
        naive_root(forest->leaves + (ptrdiff_t)i * TREE_TILE_SIZE, TREE_TILE_SIZE, naive);
        CHECK(memcmp(forest->tiles[i].bytes, naive, 32) == 0);
        tree_append_tile(&tree, &forest->tiles[i]);
    }
    CHECK(tree.size == LEAVES / TREE_TILE_SIZE * TREE_TILE_SIZE);
    tree_root(&tree, &root);
    naive_root(forest->leaves, tree.size, naive);
    CHECK(memcmp(root.bytes, naive, 32) == 0);
}

/* One path: the same as the naive one, accepted by the verifier, and refused with any part of it changed. */
static void check_path(struct forest *forest, int64_t index, int64_t size)
{
    const struct tree_source source = {.hash = find_hash, .context = forest};
    struct tree_hash path[TREE_LEVELS];
    uint8_t naive[TREE_LEVELS][32], root[32];
    int count = tree_inclusion(&source, index, size, path);
    bool good = CHECK(count == naive_path(index, forest->leaves, size, naive));

    for (int i = 0; i < count; i++)
        good = CHECK(memcmp(path[i].bytes, naive[i], 32) == 0) && good;
    naive_root(forest->leaves, size, root);
    CHECK(audit_tree_includes(forest->leaves[index].bytes, index, size, naive, count, root));
    CHECK(!audit_tree_includes(forest->leaves[index].bytes, index ^ 1, size, naive, count, root));
    CHECK(!audit_tree_includes(forest->leaves[index].bytes, index, size, naive, count - 1, root));
    CHECK(!audit_tree_includes(forest->leaves[(index + 1) % LEAVES].bytes, index, size, naive, count, root));
    for (int i = 0; i < count; i++) {
        naive[i][i % 32] ^= 1;
        CHECK(!audit_tree_includes(forest->leaves[index].bytes, index, size, naive, count, root));
        naive[i][i % 32] ^= 1;
    }
    if (!good)
        (void)fprintf(stderr, "  leaf %d of %d\n", (int)index, (int)size);
}

static void check_inclusion(struct forest *forest)
{
    static const int64_t sizes[] = {255, 256, 257, 300, 511, 512, 513, LEAVES};

    for (int64_t size = 2; size <= SMALL; size++)
        for (int64_t index = 0; index < size; index++)
            check_path(forest, index, size);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int64_t index = 0; index < sizes[i]; index += 1 + index % 37)
            check_path(forest, index, sizes[i]);
}

static void check_continuation(struct forest *forest, int64_t older, int64_t size)
{
    const struct tree_source source = {.hash = find_hash, .context = forest};
    struct tree_hash path[TREE_LEVELS];
    uint8_t naive[TREE_LEVELS][32], before[32], after[32];
    int count = tree_consistency(&source, older, size, path);

    CHECK(count == naive_subproof(older, forest->leaves, size, true, naive));
    for (int i = 0; i < count; i++)
        CHECK(memcmp(path[i].bytes, naive[i], 32) == 0);
    naive_root(forest->leaves, older, before);
    naive_root(forest->leaves, size, after);
    CHECK(audit_tree_continues(older, size, naive, count, before, after));
    for (int i = 0; i < count; i++) {
        naive[i][31 - i % 32] ^= 0x80;
        CHECK(!audit_tree_continues(older, size, naive, count, before, after));
        naive[i][31 - i % 32] ^= 0x80;
    }
    before[0] ^= 1;
    CHECK(!audit_tree_continues(older, size, naive, count, before, after));
}

static void check_consistency(struct forest *forest)
{
    for (int64_t size = 1; size <= SMALL; size++)
        for (int64_t older = 1; older <= size; older++)
            check_continuation(forest, older, size);
    for (int64_t older = 1; older < LEAVES; older += 1 + older % 29)
        check_continuation(forest, older, LEAVES);
}

static void test_roots(void)
{
    with_forest(check_roots);
}

static void test_tiles(void)
{
    with_forest(check_tiles);
}

static void test_inclusion(void)
{
    with_forest(check_inclusion);
}

static void test_consistency(void)
{
    with_forest(check_consistency);
}

/* Eight leaves of growing length, and the root of each prefix. */
static void test_known_roots(void)
{
    static const struct {
        const char *leaf, *root; /* hexadecimal; the root with this leaf as the last */
    } known[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct tree tree = {.size = 0};
    struct tree_hash root;
    char text[65];

    tree_root(&tree, &root);
    bytes_to_hex(root.bytes, 32, text);
    CHECK_TEXT(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct tree_hash leaf, tile;
        uint8_t data[16];
        size_t size = strlen(known[i].leaf) / 2;

        CHECK(bytes_from_hex(known[i].leaf, data, size));
        tree_leaf(data, size, &leaf);
        CHECK(!tree_append(&tree, &leaf, &tile));
        tree_root(&tree, &root);
        bytes_to_hex(root.bytes, 32, text);
        CHECK_TEXT(text, known[i].root);
    }
}

static const struct test tests[] = {
    {"known roots", test_known_roots},
    {"roots", test_roots},
    {"tiles", test_tiles},
    {"inclusion", test_inclusion},
    {"consistency", test_consistency},
};

TEST_MAIN(tests)
