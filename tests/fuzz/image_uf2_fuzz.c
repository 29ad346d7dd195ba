/* SPDX-License-Identifier: Apache-2.0 */
/* UF2. Mutations keep whole blocks, and magics and counts right, most of the time. */
#include "fuzz.h"
#include "image_fuzz.h"

#define BLOCK 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_options options = {.has_base = false};

    fuzz_image(data, size, &options);
    return 0;
}

static void mend_block(uint8_t *block, uint32_t number, uint32_t count, uint32_t *random)
{
    fuzz_put_le32(block, 0x0A324655);
    fuzz_put_le32(block + 4, 0x9E5D5157);
    fuzz_put_le32(block + BLOCK - 4, 0x0AB16F30);
    fuzz_put_le32(block + 24, count);
    if (fuzz_random(random) % 4)
        fuzz_put_le32(block + 20, number);
    if (fuzz_random(random) % 2)
        fuzz_put_le32(block + 8, 0x2000);
    if (fuzz_random(random) % 2)
        fuzz_put_le32(block + 16, 1 + fuzz_random(random) % 476);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    uint32_t random = seed | 1;

    size = LLVMFuzzerMutate(data, size, room);
    if (size < BLOCK || fuzz_random(&random) % 16 == 0)
        return size;
    size -= size % BLOCK;
    for (size_t at = 0; at < size; at += BLOCK) {
        if (fuzz_random(&random) % 16)
            mend_block(data + at, (uint32_t)(at / BLOCK), (uint32_t)(size / BLOCK), &random);
    }
    return size;
}
