/* SPDX-License-Identifier: Apache-2.0 */
/* ELF32: a small file is made, then spoilt one field at a time. */
#include "image_cases.h"

#include <errno.h>

#define HEADER  52u
#define PROGRAM 32u

struct field {
    size_t offset;
    unsigned size;
    uint32_t value;
};

static void put(uint8_t *file, struct field field)
{
    for (unsigned i = 0; i < field.size; i++)
        file[field.offset + i] = (uint8_t)(field.value >> 8 * i);
}

static void put_all(uint8_t *file, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(file, fields[i]);
}

#define PUT_ALL(file, fields) put_all((file), (fields), sizeof(fields) / sizeof((fields)[0]))

/* Header, two program headers, then the bytes 41 42 43 44 45. */
#define FILE_BYTES 121u

static void make_file(uint8_t *file)
{
    static const struct field fields[] = {
        {.offset = 0, .size = 4, .value = 0x464C457F},
        {.offset = 4, .size = 3, .value = 0x010101}, /* class, data encoding, version */
        {.offset = 16, .size = 2, .value = 2},       /* e_type */
        {.offset = 18, .size = 2, .value = 40},      /* e_machine: ARM */
        {.offset = 20, .size = 4, .value = 1},
        {.offset = 24, .size = 4, .value = 0x08000101}, /* e_entry, of Thumb code */
        {.offset = 28, .size = 4, .value = HEADER},     /* e_phoff */
        {.offset = 40, .size = 2, .value = HEADER},
        {.offset = 42, .size = 2, .value = PROGRAM},
        {.offset = 44, .size = 2, .value = 2},
        /* code, as long in memory */
        {.offset = 52, .size = 4, .value = 1},
        {.offset = 56, .size = 4, .value = 116},
        {.offset = 60, .size = 4, .value = 0x08000000},
        {.offset = 64, .size = 4, .value = 0x08000000},
        {.offset = 68, .size = 4, .value = 2},
        {.offset = 72, .size = 4, .value = 2},
        /* initial values, which lie elsewhere and are longer in memory */
        {.offset = 84, .size = 4, .value = 1},
        {.offset = 88, .size = 4, .value = 118},
        {.offset = 92, .size = 4, .value = 0x20000000},
        {.offset = 96, .size = 4, .value = 0x08000010},
        {.offset = 100, .size = 4, .value = 3},
        {.offset = 104, .size = 4, .value = 100},
    };

    static const uint8_t contents[] = {0x41, 0x42, 0x43, 0x44, 0x45};

    memset(file, 0, FILE_BYTES);
    PUT_ALL(file, fields);
    memcpy(file + 116, contents, sizeof contents);
}

struct elf_case {
    struct field field; /* changed in the good file; size 0 changes nothing */
    const char *outcome;
};

static void check_elf_cases(const struct elf_case *cases, size_t count)
{
    const struct image_options options = {.has_base = true, .base = 0x08000000};
    uint8_t file[FILE_BYTES];

    for (size_t i = 0; i < count; i++) {
        make_file(file);
        put(file, cases[i].field);
        CHECK_TEXT(described_parse(file, sizeof file, &options).text, cases[i].outcome);
    }
}

static void good_files(void)
{
    static const struct elf_case cases[] = {
        {.outcome = "elf entry 08000101 08000000:4142 08000010:434445"},
        /* no entry; other segment types and segments without bytes are left alone, whatever else they say */
        {.field = {.offset = 24, .size = 4, .value = 0}, .outcome = "elf 08000000:4142 08000010:434445"},
        {.field = {.offset = 84, .size = 4, .value = 4}, .outcome = "elf entry 08000101 08000000:4142"},
        {.field = {.offset = 100, .size = 4, .value = 0}, .outcome = "elf entry 08000101 08000000:4142"},
        {.field = {.offset = 44, .size = 2, .value = 1}, .outcome = "elf entry 08000101 08000000:4142"},
        /* segments that touch are one range, in either order; the last address may be used */
        {.field = {.offset = 96, .size = 4, .value = 0x08000002},
         .outcome = "elf entry 08000101 08000000:4142434445"},
        {.field = {.offset = 96, .size = 4, .value = 0x07FFFFFD},
         .outcome = "elf entry 08000101 07FFFFFD:4344454142"},
        {.field = {.offset = 96, .size = 4, .value = 0xFFFFFFFD},
         .outcome = "elf entry 08000101 08000000:4142 FFFFFFFD:434445"},
        /* two segments may share bytes of the file */
        {.field = {.offset = 88, .size = 4, .value = 116},
         .outcome = "elf entry 08000101 08000000:4142 08000010:414243"},
    };

    check_elf_cases(cases, sizeof cases / sizeof cases[0]);
}

static void broken_headers(void)
{
    static const struct elf_case cases[] = {
        {.field = {.offset = 4, .size = 1, .value = 2},
         .outcome = "offset 0x4: found a 64-bit ELF file, expected a 32-bit one"},
        {.field = {.offset = 4, .size = 1, .value = 3},
         .outcome = "offset 0x4: found 3, expected ELF class 1 (32-bit)"},
        {.field = {.offset = 5, .size = 1, .value = 2},
         .outcome = "offset 0x5: found a big-endian ELF file, expected a little-endian one"},
        {.field = {.offset = 5, .size = 1, .value = 0},
         .outcome = "offset 0x5: found 0, expected ELF data encoding 1 (little-endian)"},
        {.field = {.offset = 6, .size = 1, .value = 2},
         .outcome = "offset 0x6: found 2, expected ELF version 1"},
        {.field = {.offset = 16, .size = 2, .value = 1},
         .outcome = "offset 0x10: found 1, expected ELF type 2 (executable)"},
        {.field = {.offset = 16, .size = 2, .value = 3},
         .outcome = "offset 0x10: found 3, expected ELF type 2 (executable)"},
        {.field = {.offset = 44, .size = 2, .value = 0},
         .outcome = "offset 0x2c: found 0, expected at least 1 program header"},
        {.field = {.offset = 44, .size = 2, .value = 0xFFFF},
         .outcome = "offset 0x2c: found 65535, expected at most 65534 program headers"},
        {.field = {.offset = 42, .size = 2, .value = 56},
         .outcome = "offset 0x2a: found 56, expected 32 bytes per program header"},
        {.field = {.offset = 44, .size = 2, .value = 3},
         .outcome =
             "offset 0x1c: found 3 program headers from 0x34, expected them within the file of 0x79 bytes"},
        {.field = {.offset = 28, .size = 4, .value = 0xFFFFFFFF},
         .outcome = "offset 0x1c: found 2 program headers from 0xffffffff, expected them within the file of "
                    "0x79 bytes"},
    };

    check_elf_cases(cases, sizeof cases / sizeof cases[0]);
}

static void broken_segments(void)
{
    static const struct elf_case cases[] = {
        {.field = {.offset = 104, .size = 4, .value = 2},
         .outcome = "offset 0x54: found 0x3 bytes of segment in the file, expected at most the 0x2 it has in "
                    "memory"},
        {.field = {.offset = 100, .size = 4, .value = 4},
         .outcome = "offset 0x54: found a segment of 0x4 bytes from 0x76, expected it within the file of "
                    "0x79 bytes"},
        {.field = {.offset = 88, .size = 4, .value = 0xFFFFFFFF},
         .outcome =
             "offset 0x54: found a segment of 0x3 bytes from 0xffffffff, expected it within the file of "
             "0x79 bytes"},
        {.field = {.offset = 96, .size = 4, .value = 0xFFFFFFFE},
         .outcome = "offset 0x54: 3 bytes at 0xFFFFFFFE reach past the last address 0xFFFFFFFF"},
        {.field = {.offset = 96, .size = 4, .value = 0x08000001},
         .outcome = "offset 0x54: address 0x08000001 is given a second time, first by offset 0x34"},
        {.field = {.offset = 96, .size = 4, .value = 0x07FFFFFE},
         .outcome = "offset 0x54: address 0x08000000 is given a second time, first by offset 0x34"},
    };

    check_elf_cases(cases, sizeof cases / sizeof cases[0]);
}

/* Cut anywhere, it is refused. */
static void truncation(void)
{
    const struct image_options options = {.has_base = true, .base = 0};
    uint8_t file[FILE_BYTES];

    make_file(file);
    for (size_t size = 4; size < sizeof file; size++)
        CHECK(strncmp(described_parse(file, size, &options).text, "offset 0x", 9) == 0);
    CHECK_TEXT(described_parse(file, 4, &options).text,
               "offset 0x4: found the end of the file, expected 52 bytes of ELF header");
}

static void no_segment(void)
{
    const struct image_options options = {.has_base = true, .base = 0};
    uint8_t file[FILE_BYTES];

    make_file(file);
    put(file, (struct field){.offset = 52, .size = 4, .value = 0});
    put(file, (struct field){.offset = 84, .size = 4, .value = 0});
    CHECK_TEXT(described_parse(file, sizeof file, &options).text,
               "the file holds no data, expected at least one byte");
}

/* Few bytes of file can be many of image: the sum counts. */
static void too_much(void)
{
    static const struct field fields[] = {
        {.offset = 56, .size = 4, .value = 0},
        {.offset = 68, .size = 4, .value = IMAGE_MAX_BYTES / 2},
        {.offset = 72, .size = 4, .value = IMAGE_MAX_BYTES / 2},
        {.offset = 88, .size = 4, .value = 0},
        {.offset = 96, .size = 4, .value = 0x10000000},
        {.offset = 100, .size = 4, .value = IMAGE_MAX_BYTES / 2 + 1},
        {.offset = 104, .size = 4, .value = IMAGE_MAX_BYTES / 2 + 1},
    };
    const struct image_options options = {.has_base = false};
    size_t size = IMAGE_MAX_BYTES / 2 + 1;
    uint8_t *file = calloc(1, size);
    struct error error = ERROR_NONE;
    struct image image;

    make_file(file);
    PUT_ALL(file, fields);
    CHECK(parse_copy(&image, file, size, &options, &error) == -E2BIG);
    CHECK_TEXT(error.text,
               "offset 0x54: 33554433 bytes after 33554432 others, expected at most 67108864 in all");
    put(file, (struct field){.offset = 100, .size = 4, .value = IMAGE_MAX_BYTES / 2});
    error = ERROR_NONE;
    CHECK(parse_copy(&image, file, size, &options, &error) == 0);
    CHECK(image.count == 2 && image.ranges[1].size == IMAGE_MAX_BYTES / 2);
    image_clear(&image);
    free(file);
}

static const struct test tests[] = {
    {.name = "good files", .run = good_files},           {.name = "broken headers", .run = broken_headers},
    {.name = "broken segments", .run = broken_segments}, {.name = "truncation", .run = truncation},
    {.name = "no segment", .run = no_segment},           {.name = "too much", .run = too_much},
};
TEST_MAIN(tests)
