/* SPDX-License-Identifier: Apache-2.0 */
/* The hash chain of the ledger, as schema/README.md defines it. Knows no database. */
#ifndef FLASHFARM_STORE_CHAIN_H
#define FLASHFARM_STORE_CHAIN_H

#include <stdint.h>

enum { CHAIN_HASH_SIZE = 32 };

/* Where the ledger stands; all zero before the first record. */
struct chain {
    int64_t sequence;
    uint8_t hash[CHAIN_HASH_SIZE];
};

/* What is hashed of a record, besides the hash before it. */
struct chain_record {
    int64_t sequence, utc_us, monotonic_us;
    const char *clock, *boot, *kind, *body;
};

/* Moves `chain` on by one record. */
void chain_extend(struct chain *chain, const struct chain_record *record);

#endif
