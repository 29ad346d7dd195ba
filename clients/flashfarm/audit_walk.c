/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_walk.h"

#include "alloc.h"
#include "audit_text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Records behind the last checkpoint: a daemon signs after 256 and what came meanwhile, and at its end. */
enum { LONGEST_TAIL = 2000 };

void audit_record_hash(const struct audit_record *record, const uint8_t previous[AUDIT_HASH],
                       uint8_t hash[AUDIT_HASH])
{
    crypto_hash_sha256_state state;
    char numbers[72];
    int length = snprintf(numbers, sizeof numbers, "%" PRId64 "\n%" PRId64 "\n%" PRId64 "\n",
                          record->sequence, record->utc_us, record->monotonic_us);

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, previous, AUDIT_HASH);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)numbers, (unsigned long long)length);
    for (int i = 0; i < AUDIT_TEXTS; i++) {
        (void)crypto_hash_sha256_update(&state, (const uint8_t *)record->texts[i].text,
                                        record->texts[i].size);
        if (i != AUDIT_BODY)
            (void)crypto_hash_sha256_update(&state, (const uint8_t *)"\n", 1);
    }
    (void)crypto_hash_sha256_final(&state, hash);
}

void audit_walk_begin(struct audit_walk *walk, int64_t head, const uint8_t *hash)
{
    walk->head = head;
    if (hash)
        memcpy(walk->hash, hash, AUDIT_HASH);
}

void audit_walk_clear(struct audit_walk *walk)
{
    for (size_t i = 0; i < walk->claim_count; i++)
        free(walk->claims[i].tiles);
    free(walk->claims);
    free(walk->tiles);
    audit_findings_clear(&walk->findings);
}

/* Claims --------------------------------------------------------------------------------------------------
 */

static struct audit_claim *add_claim(struct audit_walk *walk, int64_t sequence, int64_t size)
{
    struct audit_claim *claim;

    if (walk->claim_count == walk->claim_room) {
        walk->claim_room = walk->claim_room * 2 + 16;
        walk->claims = reallocate(walk->claims, walk->claim_room, sizeof *walk->claims);
    }
    claim = &walk->claims[walk->claim_count++];
    *claim = (struct audit_claim){.sequence = sequence, .size = size, .rest = walk->tile.count};
    memcpy(claim->roots, walk->tile.roots, (size_t)walk->tile.count * AUDIT_HASH);
    return claim;
}

static bool read_hex_hash(const json_t *value, uint8_t hash[AUDIT_HASH])
{
    return json_string_length(value) == AUDIT_DIGITS &&
           audit_hex(json_string_value(value), AUDIT_DIGITS, hash);
}

static bool read_tiles(struct audit_claim *claim, const json_t *list)
{
    bool good = json_is_array(list);

    claim->tile_count = json_array_size(list);
    claim->tiles = allocate(claim->tile_count + 1, AUDIT_HASH);
    for (size_t i = 0; good && i < claim->tile_count; i++)
        good = read_hex_hash(json_array_get(list, i), claim->tiles + i * AUDIT_HASH);
    return good;
}

/* A checkpoint covers every record before it, and says so three times: as numbers of the body, in the note,
 * and by the signature. */
static const char *check_claim(struct audit_walk *walk, struct audit_claim *claim, const json_t *body,
                               struct error *error)
{
    const char *text = json_string_value(json_object_get(body, "note"));
    struct audit_note note;

    if (!read_hex_hash(json_object_get(body, "root"), claim->root) ||
        !read_tiles(claim, json_object_get(body, "tiles")) || !text)
        return "is not a checkpoint with a note, a root and tiles";
    if (json_integer_value(json_object_get(body, "size")) != claim->size)
        return "does not cover the records before it, all of them and no other";
    if (audit_note_read(&note, text, walk->key, error))
        return error->text;
    if (note.size != claim->size || memcmp(note.root, claim->root, AUDIT_HASH) != 0)
        return "says something else than its note, which is what is signed";
    return NULL;
}

static void take_checkpoint(struct audit_walk *walk, const struct audit_record *record)
{
    json_t *body = json_loadb(record->texts[AUDIT_BODY].text, record->texts[AUDIT_BODY].size, 0, NULL);
    struct audit_claim *claim = add_claim(walk, record->sequence, record->sequence - 1);
    struct error error = ERROR_NONE;
    const char *trouble = check_claim(walk, claim, body, &error);

    if (trouble) {
        audit_find_record(&walk->findings, record->sequence, "checkpoint", "%s", trouble);
        free(claim->tiles);
        walk->claim_count--;
    }
    json_decref(body);
}

/* Records -------------------------------------------------------------------------------------------------
 */

/* After a break the chain is taken up again from what is stored, so that each break is told once. */
static void check_hash(struct audit_walk *walk, const struct audit_record *record)
{
    uint8_t hash[AUDIT_HASH];

    audit_record_hash(record, walk->hash, hash);
    if (!record->hash || memcmp(record->hash, hash, AUDIT_HASH) != 0)
        audit_find_record(&walk->findings, record->sequence, "hash",
                          "the record is not the one that was hashed on top of the one before");
    memcpy(walk->hash, record->hash ? record->hash : hash, AUDIT_HASH);
}

static void check_sequence(struct audit_walk *walk, int64_t sequence)
{
    if (sequence != walk->head + 1) {
        audit_find_record(&walk->findings, sequence, "sequence",
                          "the record before it is %" PRId64 ": there is a gap", walk->head);
        walk->broken = true;
    }
    walk->head = sequence;
}

static void grow_tree(struct audit_walk *walk)
{
    audit_tree_append(&walk->tile, walk->hash);
    if (walk->tile.size < AUDIT_TILE)
        return;
    if (walk->tile_count == walk->tile_room) {
        walk->tile_room = walk->tile_room * 2 + 16;
        walk->tiles = reallocate(walk->tiles, walk->tile_room, AUDIT_HASH);
    }
    memcpy(walk->tiles + walk->tile_count++ * AUDIT_HASH, walk->tile.roots[0], AUDIT_HASH);
    walk->tile.size = walk->tile.count = 0;
}

void audit_walk_take(struct audit_walk *walk, const struct audit_record *record)
{
    static const char kind[] = "ledger.checkpoint";

    walk->records++;
    check_sequence(walk, record->sequence);
    if (!walk->broken && record->texts[AUDIT_KIND].size == sizeof kind - 1 &&
        memcmp(record->texts[AUDIT_KIND].text, kind, sizeof kind - 1) == 0)
        take_checkpoint(walk, record);
    check_hash(walk, record);
    grow_tree(walk);
    if (walk->witness && walk->witness->size == record->sequence)
        memcpy(add_claim(walk, 0, record->sequence)->root, walk->witness->root, AUDIT_HASH);
}

/* The whole -----------------------------------------------------------------------------------------------
 */

/* The parts as one: which tile is the n-th, and all of the tree up to a place. */
struct joined {
    const struct audit_walk *parts;
    size_t count;
    size_t part, tile; /* the next tile */
    struct audit_tree tree;
    int64_t told; /* tiles that checkpoints have told */
    int64_t last; /* what the last good claim covers */
    bool witnessed;
};

static void advance(struct joined *joined, int64_t tiles)
{
    while (joined->tree.size / AUDIT_TILE < tiles && joined->part < joined->count) {
        const struct audit_walk *part = &joined->parts[joined->part];

        if (joined->tile < part->tile_count)
            audit_tree_append_root(&joined->tree, AUDIT_TILE, part->tiles + joined->tile++ * AUDIT_HASH);
        else
            joined->tile = 0, joined->part++;
    }
}

static void claimed_root(struct joined *joined, const struct audit_claim *claim, uint8_t root[AUDIT_HASH])
{
    struct audit_tree tree;
    int64_t leaves = AUDIT_TILE;

    advance(joined, claim->size / AUDIT_TILE);
    tree = joined->tree;
    for (int i = 0; i < claim->rest; i++) {
        while (!(claim->size % AUDIT_TILE & leaves))
            leaves /= 2;
        audit_tree_append_root(&tree, leaves, claim->roots[i]);
        leaves /= 2;
    }
    audit_tree_root(&tree, root);
}

static const uint8_t *tile_at(const struct joined *joined, int64_t index)
{
    for (size_t i = 0; i < joined->count; i++) {
        if ((size_t)index < joined->parts[i].tile_count)
            return joined->parts[i].tiles + index * AUDIT_HASH;
        index -= (int64_t)joined->parts[i].tile_count;
    }
    return NULL;
}

static bool same_tiles(struct joined *joined, const struct audit_claim *claim)
{
    bool same = joined->told + (int64_t)claim->tile_count == claim->size / AUDIT_TILE;

    for (size_t i = 0; same && i < claim->tile_count; i++) {
        const uint8_t *tile = tile_at(joined, joined->told + (int64_t)i);

        same = tile && memcmp(tile, claim->tiles + i * AUDIT_HASH, AUDIT_HASH) == 0;
    }
    joined->told = claim->size / AUDIT_TILE;
    return same;
}

static void join_claim(struct joined *joined, const struct audit_claim *claim, struct audit_report *report)
{
    uint8_t root[AUDIT_HASH];
    bool same;

    claimed_root(joined, claim, root);
    same = memcmp(root, claim->root, AUDIT_HASH) == 0;
    if (claim->sequence == 0) {
        joined->witnessed = true;
        if (!same)
            audit_find_record(&report->findings, claim->size, "witness",
                              "records 1 to %" PRId64 " are not those that the witness's note is about",
                              claim->size);
        return;
    }
    report->checkpoints++;
    report->covered = claim->size;
    if (!same)
        audit_find_record(&report->findings, claim->sequence, "checkpoint",
                          "what is signed is another tree: a record between %" PRId64 " and %" PRId64
                          " is not the one that was there",
                          joined->last + 1, claim->size);
    else
        joined->last = claim->size;
    if (!same_tiles(joined, claim))
        audit_find_record(&report->findings, claim->sequence, "tiles",
                          "the tiles are not those of the records before it");
}

/* Whoever cannot sign could leave all checkpoints out. */
static void check_tail(struct audit_report *report)
{
    int64_t tail = report->head - report->covered - (report->covered > 0);

    if (report->key.text[0] && tail > LONGEST_TAIL)
        audit_find_record(
            &report->findings, report->head, "checkpoint",
            "the last %" PRId64 " records are not signed, which is more than a daemon leaves so", tail);
}

void audit_walk_join(struct audit_walk *parts, size_t count, struct audit_report *report)
{
    struct joined joined = {.parts = parts, .count = count};
    const struct audit_note *witness = count ? parts[0].witness : NULL;
    bool broken = false;

    for (size_t i = 0; i < count; i++) {
        broken = broken || parts[i].broken;
        report->records += parts[i].records;
        audit_findings_move(&parts[i].findings, &report->findings);
    }
    if (count) {
        report->head = parts[count - 1].head;
        memcpy(report->hash, parts[count - 1].hash, AUDIT_HASH);
    }
    for (size_t i = 0; !broken && i < count; i++)
        for (size_t j = 0; j < parts[i].claim_count; j++)
            join_claim(&joined, &parts[i].claims[j], report);
    if (!broken)
        check_tail(report);
    if (witness && !broken && !joined.witnessed)
        audit_find_record(&report->findings, report->head, "witness",
                          "the witness's note is about %" PRId64 " records: the end was cut off",
                          witness->size);
}
