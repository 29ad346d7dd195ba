/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an MCUboot image. What is taken for good has its hash over what its own header says, and is
 * all there. Seeds are images of tests/unit/mcuboot_make.py. */
#include "fuzz.h"

#include "bytes.h"
#include "signature.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x10000u

static struct trusted_key key = {
    .name = "board",
    .public_key = {0x48, 0xAE, 0x18, 0xA1, 0xE8, 0x53, 0xD5, 0xB8, 0x80, 0xF9, 0xF6,
                   0x24, 0xAA, 0xCD, 0xB4, 0xDF, 0x87, 0x2C, 0x27, 0xC3, 0xFB, 0x5C,
                   0xDE, 0xC5, 0x93, 0x36, 0xA3, 0xE8, 0x48, 0x53, 0xFE, 0x68},
};

static void check_good(const uint8_t *data, size_t size, const struct mcuboot_facts *facts)
{
    size_t hashed = (size_t)get_le16(data + 8) + get_le16(data + 10) + get_le32(data + 12);
    uint8_t hash[crypto_hash_sha256_BYTES];

    FUZZ_CHECK(facts->size <= size && hashed < facts->size);
    (void)crypto_hash_sha256(hash, data, hashed);
    FUZZ_CHECK(memcmp(hash, facts->hash, sizeof hash) == 0);
    FUZZ_CHECK(strcmp(facts->version, "1.2.3+4") == 0 && strcmp(facts->key_name, "board") == 0);
    FUZZ_CHECK(!facts->has_counter || facts->counter == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct trusted_keys keys = {.keys = &key, .count = 1};
    uint8_t *bytes = malloc(size + 1);
    struct image_range range = {.address = BASE, .size = (uint32_t)size, .data = bytes};
    const struct image image = {.count = size > 0, .ranges = &range};
    struct mcuboot_facts facts;
    struct error error = ERROR_NONE;
    int status;

    if (size)
        memcpy(bytes, data, size);
    status = mcuboot_check(&image, BASE, &keys, &facts, &error);
    FUZZ_CHECK(status == 0 || status == -EINVAL || status == -EKEYREJECTED);
    FUZZ_CHECK((status == 0) == (error.text[0] == '\0'));
    if (status == 0)
        check_good(data, size, &facts);
    free(bytes);
    return 0;
}
