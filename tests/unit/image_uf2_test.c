/* SPDX-License-Identifier: Apache-2.0 */
/* UF2: a file of three blocks is made, then spoilt one field at a time. */
#include "image_cases.h"

#define BLOCK  ((size_t)512)
#define BLOCKS 3u

enum at { FLAGS = 8, ADDRESS = 12, PAYLOAD = 16, NUMBER = 20, COUNT = 24, FAMILY = 28, DATA = 32 };

struct field {
    size_t offset;
    uint32_t value;
};

static void put(uint8_t *file, size_t offset, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        file[offset + i] = (uint8_t)(value >> 8 * i);
}

static void make_block(uint8_t *block, uint32_t number, uint32_t address, const char *data)
{
    memset(block, 0, BLOCK);
    put(block, 0, 0x0A324655);
    put(block, 4, 0x9E5D5157);
    put(block, FLAGS, 0x2000);
    put(block, ADDRESS, address);
    put(block, PAYLOAD, (uint32_t)strlen(data));
    put(block, NUMBER, number);
    put(block, COUNT, BLOCKS);
    put(block, FAMILY, 0xE48BFF56);
    for (size_t i = 0; data[i]; i++)
        block[DATA + i] = (uint8_t)data[i];
    put(block, BLOCK - 4, 0x0AB16F30);
}

static void make_file(uint8_t *file)
{
    make_block(file, 0, 0x10000000, "AB");
    make_block(file + BLOCK, 1, 0x10000002, "CD");
    make_block(file + 2 * BLOCK, 2, 0x10000010, "EFG");
}

struct uf2_case {
    struct field fields[3]; /* changed in the good file, in as many as have an offset */
    const char *outcome;
};

static void check_uf2_cases(const struct uf2_case *cases, size_t count)
{
    const struct image_options options = {.has_base = true, .base = 0x08000000};
    uint8_t file[BLOCKS * BLOCK];

    for (size_t i = 0; i < count; i++) {
        make_file(file);
        for (size_t j = 0; j < 3 && cases[i].fields[j].offset; j++)
            put(file, cases[i].fields[j].offset, cases[i].fields[j].value);
        CHECK_TEXT(described_parse(file, sizeof file, &options).text, cases[i].outcome);
    }
}

#define CHECK_UF2_CASES(cases) check_uf2_cases((cases), sizeof(cases) / sizeof((cases)[0]))

static void good_files(void)
{
    static const struct uf2_case cases[] = {
        {.outcome = "uf2 family E48BFF56 10000000:41424344 10000010:454647"},
        /* no family: the field is something else then */
        {.fields = {{.offset = FLAGS, .value = 0},
                    {.offset = BLOCK + FLAGS, .value = 0},
                    {.offset = 2 * BLOCK + FLAGS, .value = 0}},
         .outcome = "uf2 10000000:41424344 10000010:454647"},
        /* with an MD5 sum, with extension tags, with both */
        {.fields = {{.offset = FLAGS, .value = 0x6000},
                    {.offset = BLOCK + FLAGS, .value = 0xA000},
                    {.offset = 2 * BLOCK + FLAGS, .value = 0xE000}},
         .outcome = "uf2 family E48BFF56 10000000:41424344 10000010:454647"},
        /* a block for elsewhere is counted, and that is all: neither family nor address nor size matter */
        {.fields = {{.offset = BLOCK + FLAGS, .value = 0x2001},
                    {.offset = BLOCK + FAMILY, .value = 7},
                    {.offset = BLOCK + PAYLOAD, .value = 9999}},
         .outcome = "uf2 family E48BFF56 10000000:4142 10000010:454647"},
        {.fields = {{.offset = FLAGS, .value = 0x1001}},
         .outcome = "uf2 family E48BFF56 10000002:4344 10000010:454647"},
        /* numbers in any order, addresses in any order */
        {.fields = {{.offset = NUMBER, .value = 2}, {.offset = 2 * BLOCK + NUMBER, .value = 0}},
         .outcome = "uf2 family E48BFF56 10000000:41424344 10000010:454647"},
        {.fields = {{.offset = ADDRESS, .value = 0x10000020}},
         .outcome = "uf2 family E48BFF56 10000002:4344 10000010:454647 10000020:4142"},
        /* a block without data */
        {.fields = {{.offset = PAYLOAD, .value = 0}},
         .outcome = "uf2 family E48BFF56 10000002:4344 10000010:454647"},
        {.fields = {{.offset = ADDRESS, .value = 0xFFFFFFFE}},
         .outcome = "uf2 family E48BFF56 10000002:4344 10000010:454647 FFFFFFFE:4142"},
    };

    CHECK_UF2_CASES(cases);
}

static void broken_blocks(void)
{
    static const struct uf2_case cases[] = {
        {.fields = {{.offset = 4, .value = 0x9E5D5158}},
         .outcome = "offset 0x4: found 0x9E5D5158, expected 0x9E5D5157"},
        {.fields = {{.offset = BLOCK, .value = 0}},
         .outcome = "offset 0x200: found 0x00000000, expected 0x0A324655"},
        {.fields = {{.offset = 2 * BLOCK - 4, .value = 0xFFFFFFFF}},
         .outcome = "offset 0x3fc: found 0xFFFFFFFF, expected 0x0AB16F30"},
        {.fields = {{.offset = COUNT, .value = 4}},
         .outcome = "offset 0x18: found a count of 4 blocks, expected the file's 3"},
        {.fields = {{.offset = 2 * BLOCK + COUNT, .value = 2}},
         .outcome = "offset 0x418: found a count of 2 blocks, expected the file's 3"},
        {.fields = {{.offset = 2 * BLOCK + NUMBER, .value = 3}},
         .outcome = "offset 0x414: found block number 3, expected at most 2"},
        {.fields = {{.offset = 2 * BLOCK + NUMBER, .value = 1}},
         .outcome = "offset 0x414: found block number 1 a second time, first at offset 0x200"},
        {.fields = {{.offset = BLOCK + FLAGS, .value = 0x1000}},
         .outcome =
             "offset 0x208: found a block of a file container (flags 0x00001000), expected one for flash"},
        {.fields = {{.offset = BLOCK + FLAGS, .value = 0}},
         .outcome = "offset 0x208: found a block without family, expected all blocks to be with one"},
        {.fields = {{.offset = FLAGS, .value = 0}},
         .outcome = "offset 0x208: found a block with a family, expected all blocks to be without"},
        {.fields = {{.offset = 2 * BLOCK + FAMILY, .value = 0x57755A57}},
         .outcome = "offset 0x41c: found family 0x57755A57, expected 0xE48BFF56 as in the blocks before"},
        {.fields = {{.offset = PAYLOAD, .value = 477}},
         .outcome = "offset 0x10: found a payload of 477 bytes, expected at most 476"},
        {.fields = {{.offset = PAYLOAD, .value = 453}, {.offset = FLAGS, .value = 0x6000}},
         .outcome = "offset 0x10: found a payload of 453 bytes, expected at most 452"},
        {.fields = {{.offset = ADDRESS, .value = 0xFFFFFFFF}},
         .outcome = "offset 0x0: 2 bytes at 0xFFFFFFFF reach past the last address 0xFFFFFFFF"},
        {.fields = {{.offset = 2 * BLOCK + ADDRESS, .value = 0x10000003}},
         .outcome = "offset 0x400: address 0x10000003 is given a second time, first by offset 0x200"},
        {.fields = {{.offset = FLAGS, .value = 1},
                    {.offset = BLOCK + FLAGS, .value = 1},
                    {.offset = 2 * BLOCK + FLAGS, .value = 1}},
         .outcome = "the file holds no data, expected at least one byte"},
    };

    CHECK_UF2_CASES(cases);
}

static void truncation(void)
{
    const struct image_options options = {.has_base = true, .base = 0};
    uint8_t file[BLOCKS * BLOCK];

    make_file(file);
    for (size_t size = 4; size < sizeof file; size++)
        CHECK(strncmp(described_parse(file, size, &options).text, "offset 0x", 9) == 0);
    CHECK_TEXT(described_parse(file, 1535, &options).text,
               "offset 0x400: found a block of 511 bytes, expected 512");
    CHECK_TEXT(described_parse(file, 1024, &options).text,
               "offset 0x18: found a count of 3 blocks, expected the file's 2");
}

/* The largest payloads, without and with an MD5 sum behind. */
static void full_blocks(void)
{
    const struct image_options options = {.has_base = false};
    uint8_t file[BLOCKS * BLOCK];
    struct error error = ERROR_NONE;
    struct image image;

    make_file(file);
    put(file, PAYLOAD, 476);
    put(file, BLOCK + ADDRESS, 0x10000000 + 476);
    put(file, BLOCK + PAYLOAD, 452);
    put(file, BLOCK + FLAGS, 0x6000);
    put(file, 2 * BLOCK + ADDRESS, 0x10000000 + 476 + 452);
    CHECK(parse_copy(&image, file, sizeof file, &options, &error) == 0);
    CHECK(image.count == 1 && image.ranges[0].size == 476 + 452 + 3);
    image_clear(&image);
}

static const struct test tests[] = {
    {.name = "good files", .run = good_files},
    {.name = "broken blocks", .run = broken_blocks},
    {.name = "truncation", .run = truncation},
    {.name = "full blocks", .run = full_blocks},
};
TEST_MAIN(tests)
