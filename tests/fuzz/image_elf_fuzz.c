/* SPDX-License-Identifier: Apache-2.0 */
/* ELF32. Mutations keep the beginning and the size of a program header right most of the time. */
#include "fuzz.h"
#include "image_fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_options options = {.has_base = false};

    fuzz_image(data, size, &options);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    static const uint8_t ident[] = {0x7F, 'E', 'L', 'F', 1, 1, 1};
    uint32_t random = seed | 1;

    size = LLVMFuzzerMutate(data, size, room);
    if (size < 52 || fuzz_random(&random) % 16 == 0)
        return size;
    memcpy(data, ident, sizeof ident);
    memcpy(data + 16, "\2", 2); /* e_type */
    memcpy(data + 42, " ", 2);  /* e_phentsize: 32 */
    data[45] = 0;               /* e_phnum below 256 */
    return size;
}
