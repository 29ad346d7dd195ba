/* SPDX-License-Identifier: Apache-2.0 */
/* S-record. Mutations keep counts and checksums right most of the time. */
#include "fuzz.h"
#include "image_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_options options = {.has_base = false};

    fuzz_image(data, size, &options);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    static const struct fuzz_records records = {.mark = 'S', .mark_size = 2, .count_less = 0, .sum_plus = 0};
    uint32_t random = seed | 1;

    size = LLVMFuzzerMutate(data, size, room);
    fuzz_mend_records(data, size, &records, &random);
    return size;
}
