/* SPDX-License-Identifier: Apache-2.0 */
/* UF2, after Microsoft's "USB Flashing Format (UF2)" specification.
 *
 * Every block carries its number and the count of all; blocks may come in any order, but all must be there,
 * once. Blocks that are not for the main flash are counted and left out. One file is for one family: parts
 * for several chips in one file are refused rather than picked from. */
#include "alloc.h"
#include "bytes.h"
#include "image_build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define BLOCK_BYTES 512u
#define DATA_BYTES  476u
#define MD5_BYTES   24u /* start, length and sum, at the end of the data */

/* Offsets in a block. */
#define AT_FLAGS   8u
#define AT_ADDRESS 12u
#define AT_PAYLOAD 16u
#define AT_NUMBER  20u
#define AT_COUNT   24u
#define AT_FAMILY  28u
#define AT_DATA    32u

#define FLAG_NOT_MAIN_FLASH 0x00000001u
#define FLAG_FILE_CONTAINER 0x00001000u
#define FLAG_FAMILY         0x00002000u
#define FLAG_MD5            0x00004000u

struct uf2 {
    struct image_build *build;
    uint32_t count;  /* of blocks in the file */
    uint32_t *seen;  /* by block number: 1 + index of the block in the file, 0 for none yet */
    bool has_block;  /* for the main flash */
    bool has_family; /* of the first such block */
};

static int wrong(const struct uf2 *uf2, size_t offset, uint32_t found, uint32_t expected, struct error *error)
{
    (void)error_set(error, -EINVAL, "found 0x%08" PRIX32 ", expected 0x%08" PRIX32, found, expected);
    return image_build_blame(uf2->build, offset, error);
}

static int check_magic(const struct uf2 *uf2, const uint8_t *block, size_t at, struct error *error)
{
    static const struct {
        uint16_t offset;
        uint32_t value;
    } magics[] = {{.offset = 0, .value = 0x0A324655},
                  {.offset = 4, .value = 0x9E5D5157},
                  {.offset = BLOCK_BYTES - 4, .value = 0x0AB16F30}};

    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        uint32_t found = get_le32(block + magics[i].offset);

        if (found != magics[i].value)
            return wrong(uf2, at + magics[i].offset, found, magics[i].value, error);
    }
    return 0;
}

static int check_number(const struct uf2 *uf2, const uint8_t *block, size_t at, struct error *error)
{
    uint32_t number = get_le32(block + AT_NUMBER), count = get_le32(block + AT_COUNT);

    if (count != uf2->count) {
        (void)error_set(error, -EINVAL, "found a count of %" PRIu32 " blocks, expected the file's %" PRIu32,
                        count, uf2->count);
        return image_build_blame(uf2->build, at + AT_COUNT, error);
    }
    if (number >= count) {
        (void)error_set(error, -EINVAL, "found block number %" PRIu32 ", expected at most %" PRIu32, number,
                        count - 1);
        return image_build_blame(uf2->build, at + AT_NUMBER, error);
    }
    if (uf2->seen[number]) {
        (void)error_set(error, -EINVAL,
                        "found block number %" PRIu32 " a second time, first at offset 0x%" PRIx32, number,
                        (uf2->seen[number] - 1) * BLOCK_BYTES);
        return image_build_blame(uf2->build, at + AT_NUMBER, error);
    }
    uf2->seen[number] = (uint32_t)(at / BLOCK_BYTES) + 1;
    return 0;
}

/* All blocks name the same family, or none does. */
static int check_family(struct uf2 *uf2, const uint8_t *block, size_t at, struct error *error)
{
    bool has_family = get_le32(block + AT_FLAGS) & FLAG_FAMILY;
    uint32_t family = has_family ? get_le32(block + AT_FAMILY) : 0;

    if (!uf2->has_block) {
        uf2->has_block = true;
        uf2->has_family = has_family;
        uf2->build->uf2_family = family;
        return 0;
    }
    if (has_family != uf2->has_family) {
        (void)error_set(error, -EINVAL, "found a block %s family, expected all blocks to be %s",
                        has_family ? "with a" : "without", has_family ? "without" : "with one");
        return image_build_blame(uf2->build, at + AT_FLAGS, error);
    }
    if (family == uf2->build->uf2_family)
        return 0;
    (void)error_set(error, -EINVAL,
                    "found family 0x%08" PRIX32 ", expected 0x%08" PRIX32 " as in the blocks before", family,
                    uf2->build->uf2_family);
    return image_build_blame(uf2->build, at + AT_FAMILY, error);
}

static int take_data(const struct uf2 *uf2, const uint8_t *block, size_t at, struct error *error)
{
    uint32_t size = get_le32(block + AT_PAYLOAD);
    uint32_t most = get_le32(block + AT_FLAGS) & FLAG_MD5 ? DATA_BYTES - MD5_BYTES : DATA_BYTES;

    if (size > most) {
        (void)error_set(error, -EINVAL, "found a payload of %" PRIu32 " bytes, expected at most %" PRIu32,
                        size, most);
        return image_build_blame(uf2->build, at + AT_PAYLOAD, error);
    }
    return image_build_add(uf2->build, get_le32(block + AT_ADDRESS), block + AT_DATA, size, at, error);
}

static int take_block(struct uf2 *uf2, const uint8_t *block, size_t at, struct error *error)
{
    uint32_t flags = get_le32(block + AT_FLAGS);

    if (check_magic(uf2, block, at, error) || check_number(uf2, block, at, error))
        return error->code;
    if (flags & FLAG_NOT_MAIN_FLASH)
        return 0;
    if (flags & FLAG_FILE_CONTAINER) {
        (void)error_set(error, -EINVAL,
                        "found a block of a file container (flags 0x%08" PRIX32 "), expected one for flash",
                        flags);
        return image_build_blame(uf2->build, at + AT_FLAGS, error);
    }
    if (check_family(uf2, block, at, error))
        return error->code;
    return take_data(uf2, block, at, error);
}

/* As many blocks as the count says, each number below it and none twice: then none is missing. */
int image_read_uf2(struct image_build *build, const uint8_t *file, size_t size, struct error *error)
{
    struct uf2 uf2 = {.build = build, .count = (uint32_t)(size / BLOCK_BYTES)};
    int result = 0;

    if (size % BLOCK_BYTES != 0)
        return error_set(error, -EINVAL, "offset 0x%zx: found a block of %zu bytes, expected %u",
                         size - size % BLOCK_BYTES, size % BLOCK_BYTES, BLOCK_BYTES);
    uf2.seen = allocate(uf2.count, sizeof *uf2.seen);
    for (size_t at = 0; at < size && result == 0; at += BLOCK_BYTES)
        result = take_block(&uf2, file + at, at, error);
    free(uf2.seen);
    return result;
}
