/* SPDX-License-Identifier: Apache-2.0 */
/* Walks records in their order: the chain of hashes, the tree over them, and the checkpoints among them. A
 * walk may begin anywhere that a tile begins, since the hash before it is stored; so a long ledger is walked
 * in several parts at once, and audit_walk_join() then puts their trees together. Where records come from is
 * the caller's business. */
#ifndef FLASHFARM_CLIENTS_AUDIT_WALK_H
#define FLASHFARM_CLIENTS_AUDIT_WALK_H

#include "audit_report.h"

#include <stddef.h>

struct audit_text {
    const char *text;
    size_t size;
};

enum { AUDIT_CLOCK, AUDIT_BOOT, AUDIT_KIND, AUDIT_BODY, AUDIT_TEXTS };

struct audit_record {
    int64_t sequence, utc_us, monotonic_us;
    struct audit_text texts[AUDIT_TEXTS];
    const uint8_t *hash; /* as it is stored; NULL when that is no hash at all */
};

/* hash = SHA-256(previous ‖ text), as schema/README.md has it. */
void audit_record_hash(const struct audit_record *record, const uint8_t previous[AUDIT_HASH],
                       uint8_t hash[AUDIT_HASH]);

/* A root that somebody has claimed for the tree of the first `size` records. */
struct audit_claim {
    int64_t sequence, size; /* of the checkpoint's record; 0: of the witness */
    uint8_t root[AUDIT_HASH];
    uint8_t *tiles; /* that it tells, one after the other */
    size_t tile_count;
    int rest;                     /* leaves behind the last complete tile, as the roots of their subtrees */
    uint8_t roots[8][AUDIT_HASH]; /* the largest first */
};

struct audit_walk {
    const struct audit_key *key;      /* NULL: signatures are not looked at */
    const struct audit_note *witness; /* a checkpoint known from elsewhere; NULL: none */
    int64_t records, head;
    uint8_t hash[AUDIT_HASH]; /* of the head, as stored */
    bool broken;              /* records are missing: no tree can be made */
    struct audit_tree tile;   /* of the leaves behind the last complete tile */
    uint8_t *tiles;
    size_t tile_count, tile_room;
    struct audit_claim *claims;
    size_t claim_count, claim_room;
    struct audit_findings findings;
};

/* `head` records come before, a multiple of AUDIT_TILE; `hash` is that of the last of them, NULL for none. */
void audit_walk_begin(struct audit_walk *walk, int64_t head, const uint8_t *hash);
void audit_walk_take(struct audit_walk *walk, const struct audit_record *record);
void audit_walk_clear(struct audit_walk *walk);

/* Compares every claimed root and tile with the tree of all parts together, and fills the report's numbers
 * and findings. */
void audit_walk_join(struct audit_walk *parts, size_t count, struct audit_report *report);

#endif
