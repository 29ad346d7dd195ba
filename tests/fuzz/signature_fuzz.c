/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a detached signature of a short file. The seeds are two good ones, by a key whose other half
 * nobody has kept: what is taken for good must say what they say. */
#include "fuzz.h"

#include "signature.h"

#include <errno.h>
#include <string.h>

static struct trusted_key key = {
    .id = "ADA7B0283B842DA5",
    .name = "seed",
    .public_key = {0x5D, 0xF5, 0x1B, 0xC9, 0x80, 0xAD, 0x0D, 0xFB, 0x93, 0x02, 0xD4,
                   0xF2, 0x59, 0xA1, 0x17, 0x3D, 0x06, 0x17, 0xA9, 0x26, 0x2C, 0x5A,
                   0x44, 0xFD, 0xBB, 0xD2, 0x70, 0x1B, 0x33, 0x7C, 0x65, 0x35},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char file[] = "what is signed";
    const struct trusted_keys keys = {.keys = &key, .count = 1};
    struct signature_facts facts;
    struct error error = ERROR_NONE;
    int status =
        signature_check((const char *)data, size, (const uint8_t *)file, strlen(file), &keys, &facts, &error);

    FUZZ_CHECK(status == 0 || status == -EINVAL || status == -EKEYREJECTED);
    FUZZ_CHECK((status == 0) == (error.text[0] == '\0'));
    FUZZ_CHECK(strcmp(facts.comment, status == 0 ? "flashfarm fuzz" : "") == 0);
    FUZZ_CHECK(strcmp(facts.key_id, status == 0 ? key.id : "") == 0);
    return 0;
}
