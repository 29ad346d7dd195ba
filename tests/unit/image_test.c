/* SPDX-License-Identifier: Apache-2.0 */
/* What is common to all formats: how the format is found, raw binaries, limits, and reading back. */
#include "image_cases.h"

#include <errno.h>

#define NO_BASE "the file is none of Intel HEX, S-record, ELF and UF2, and a raw binary needs a base address"

static void format_words(void)
{
    CHECK_TEXT(image_format_word(IMAGE_BINARY), "binary");
    CHECK_TEXT(image_format_word(IMAGE_INTEL_HEX), "intel-hex");
    CHECK_TEXT(image_format_word(IMAGE_SREC), "srec");
    CHECK_TEXT(image_format_word(IMAGE_ELF), "elf");
    CHECK_TEXT(image_format_word(IMAGE_UF2), "uf2");
}

/* A faulty file of a structured format keeps its format, also where a base would make it a binary. */
static void format_of_faulty_files(void)
{
    static const struct image_case cases[] = {
        CASE("\xEF\xBB\xBF:0100000041BE\n:00000001FF\n", "line 1, column 1: found byte 0xEF, expected ':'"),
        CASE("\xEF\xBB\xBFS104000041BA\nS9030000FC\n", "line 1, column 1: found byte 0xEF, expected 'S'"),
        CASE("; made by\n\n:0100000041BE\n:00000001FF\n", "line 1, column 1: found ';', expected ':'"),
        CASE("%\tgr\xC3\xBC\xC3\x9F\nS104000041BA\nS9030000FC\n",
             "line 1, column 1: found '%', expected 'S'"),
        CASE(":0I00000041BE\n:00000001FF\n", "line 1, column 3: found 'I', expected a hexadecimal digit"),
        CASE(":0100\0000041BE\n", "line 1, column 6: found byte 0x00, expected a hexadecimal digit"),
        CASE(":10", "line 1: found a record of 1 bytes, expected at least 5"),
        CASE("S1\n:0\n", "line 1, column 1: found 'S', expected ':'"),
        CASE("S113\n", "line 1: found a record of 1 bytes, expected at least 4"),
        CASE("\177ELF", "offset 0x4: found the end of the file, expected 52 bytes of ELF header"),
        CASE("UF2\n", "offset 0x0: found a block of 4 bytes, expected 512"),
        CASE("", "the file is empty"),
    };

    CHECK_CASES(cases);
}

/* Nothing like a record in it. */
static void binaries(void)
{
    static const char *const files[] = {":",
                                        "S",
                                        "::::",
                                        "UF2",
                                        "\177EL",
                                        ":0x\n",
                                        "S100 metres\n",
                                        "Some text\n",
                                        "\x01\n:0100000041BE\n:00000001FF\n"};
    const struct image_options plain = {.has_base = false}, based = {.has_base = true, .base = 0x08004000};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t size = strlen(files[i]);
        struct error error = ERROR_NONE;
        struct image image;

        CHECK_TEXT(described_parse(files[i], size, &plain).text, NO_BASE);
        if (!CHECK(parse_copy(&image, files[i], size, &based, &error) == 0))
            continue;
        CHECK(image.format == IMAGE_BINARY && image.count == 1 && !image.has_entry);
        CHECK(image.ranges[0].address == 0x08004000 && image.ranges[0].size == size);
        CHECK(memcmp(image.ranges[0].data, files[i], size) == 0);
        image_clear(&image);
    }
}

/* A record that shows up only far into the file does not count: it may be part of a firmware. */
static void record_far_away(void)
{
    const struct image_options options = {.has_base = false};
    static const char record[] = {"\n:0100000041BE\n"};
    char file[1100];

    memset(file, 'x', sizeof file);
    memcpy(file + 1000, record, sizeof record - 1);
    CHECK_TEXT(described_parse(file, sizeof file, &options).text,
               "line 1, column 1: found 'x', expected ':'");
    memset(file, 'x', sizeof file);
    memcpy(file + 1024, record, sizeof record - 1);
    CHECK_TEXT(described_parse(file, sizeof file, &options).text, NO_BASE);
}

static void binary_at_the_end(void)
{
    const struct image_options last = {.has_base = true, .base = 0xFFFFFFFC};

    CHECK_TEXT(described_parse("abcd", 4, &last).text, "binary FFFFFFFC:61626364");
    CHECK_TEXT(described_parse("abcde", 5, &last).text,
               "offset 0x0: 5 bytes at 0xFFFFFFFC reach past the last address 0xFFFFFFFF");
}

static void largest_file(void)
{
    const struct image_options options = {.has_base = true, .base = 0x1000};
    uint8_t *file = calloc(1, IMAGE_MAX_BYTES + 1);
    struct error error = ERROR_NONE;
    struct image image;

    CHECK(image_parse(&image, file, IMAGE_MAX_BYTES + 1, &options, &error) == -E2BIG);
    CHECK_TEXT(error.text, "found a file of 67108865 bytes, expected at most 67108864");
    error = ERROR_NONE;
    CHECK(image_parse(&image, file, IMAGE_MAX_BYTES, &options, &error) == 0);
    CHECK(image.count == 1 && image.ranges[0].size == IMAGE_MAX_BYTES);
    image_clear(&image);
    CHECK(image.count == 0 && image.ranges == NULL);
    free(file);
}

static const char gaps[] = "S1071000313233341E\nS105100861621F\nS306FFFFFFFF7A83\nS9030000FC\n";

struct read_case {
    uint32_t address;
    size_t size;
    size_t copied;
    const char *bytes;
};

static void reading_back(void)
{
    static const struct read_case cases[] = {
        {.address = 0x1000, .size = 4, .copied = 4, .bytes = "1234"},
        {.address = 0x0FFE, .size = 14, .copied = 6, .bytes = "..1234....ab.."},
        {.address = 0x1001, .size = 2, .copied = 2, .bytes = "23"},
        {.address = 0x1003, .size = 6, .copied = 2, .bytes = "4....a"},
        {.address = 0x1004, .size = 4, .copied = 0, .bytes = "...."},
        {.address = 0x1009, .size = 3, .copied = 1, .bytes = "b.."},
        {.address = 0x0000, .size = 3, .copied = 0, .bytes = "..."},
        {.address = 0x2000, .size = 3, .copied = 0, .bytes = "..."},
        {.address = 0x1000, .size = 0, .copied = 0, .bytes = ""},
        /* the last address, and no coming round to the first */
        {.address = 0xFFFFFFFF, .size = 1, .copied = 1, .bytes = "z"},
        {.address = 0xFFFFFFFE, .size = 5, .copied = 1, .bytes = ".z..."},
    };
    const struct image_options options = {.has_base = false};
    struct error error = ERROR_NONE;
    struct image image;

    CHECK(parse_copy(&image, gaps, sizeof gaps - 1, &options, &error) == 0);
    CHECK(image.count == 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[16] = "";

        CHECK(image_read(&image, cases[i].address, bytes, cases[i].size, '.') == cases[i].copied);
        CHECK_TEXT(bytes, cases[i].bytes);
    }
    image_clear(&image);
}

/* The check value that the standard's users give for "123456789". */
static void crc_of_a_range(void)
{
    uint8_t digits[] = "123456789";
    const struct image_range range = {.address = 0, .size = 9, .data = digits};

    CHECK(image_range_crc32(&range) == 0xCBF43926);
}

static const struct test tests[] = {
    {.name = "format words", .run = format_words},
    {.name = "format of faulty files", .run = format_of_faulty_files},
    {.name = "binaries", .run = binaries},
    {.name = "record far away", .run = record_far_away},
    {.name = "binary at the end", .run = binary_at_the_end},
    {.name = "largest file", .run = largest_file},
    {.name = "reading back", .run = reading_back},
    {.name = "CRC of a range", .run = crc_of_a_range},
};
TEST_MAIN(tests)
