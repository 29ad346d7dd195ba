/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures on images: detached ones as minisign writes them (Ed25519, plain "Ed" and prehashed "ED" with
 * BLAKE2b-512, trusted comment signed too), and the hash and signature TLVs of MCUboot images. Pure
 * computation over bytes; who is trusted is the caller's. */
#ifndef FLASHFARM_JOBS_SIGNATURE_H
#define FLASHFARM_JOBS_SIGNATURE_H

#include "image.h"
#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_ID_TEXT_MAX 17 /* 16 hexadecimal digits, as minisign prints them, and a zero */

struct trusted_key {
    char id[KEY_ID_TEXT_MAX]; /* of minisign; empty for a plain Ed25519 key (MCUboot) */
    char name[64];            /* the file's name without ".pub", for people and records */
    uint8_t public_key[32];
};

struct trusted_keys {
    struct trusted_key *keys;
    size_t count;
};

/* Reads every *.pub of a directory: minisign public keys, or PEM SubjectPublicKeyInfo of Ed25519. -EINVAL
 * names the file and what is wrong; an empty directory is no error. */
int trusted_keys_read(struct trusted_keys *keys, const char *directory, struct error *error);
void trusted_keys_clear(struct trusted_keys *keys);

/* What a good signature says. */
struct signature_facts {
    char key_id[KEY_ID_TEXT_MAX];
    char key_name[64];
    char comment[1024]; /* the trusted comment: signed */
};

/* Whether `text` (a .minisig file) is a good signature of these bytes by one of the keys. -EINVAL: it is none
 * that can be read; -EKEYREJECTED: by an unknown key, or not of these bytes. */
int signature_check(const char *text, size_t text_size, const uint8_t *file, size_t size,
                    const struct trusted_keys *keys, struct signature_facts *facts, struct error *error);

/* The MCUboot image that begins at `address` in an image: magic, sizes, SHA-256 TLV against the bytes,
 * signature TLV (Ed25519; others are named and refused) against the trusted keys, security counter.
 * -EINVAL: not an MCUboot image or broken; -EKEYREJECTED: hash or signature wrong, or none. */
struct mcuboot_facts {
    char version[32]; /* "1.2.3+4" */
    char key_name[64];
    uint32_t size; /* from its header to the end of its TLVs */
    uint8_t hash[32];
    bool has_counter;
    uint32_t counter;
};
int mcuboot_check(const struct image *image, uint32_t address, const struct trusted_keys *keys,
                  struct mcuboot_facts *facts, struct error *error);

#endif
