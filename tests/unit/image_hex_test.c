/* SPDX-License-Identifier: Apache-2.0 */
/* Intel HEX: what is read, and the sentence for everything that is refused. */
#include "image_cases.h"

#define END "\n:00000001FF\n"

static void good_files(void)
{
    static const struct image_case cases[] = {
        /* the plainest file; lower case; CR LF; no line feed at the end; blanks around */
        CASE(":0100000041BE" END, "intel-hex 00000000:41"),
        CASE(":02100000aBcD76" END, "intel-hex 00001000:ABCD"),
        CASE(":0100000041BE\r\n:00000001FF\r\n", "intel-hex 00000000:41"),
        CASE(":0100000041BE\n:00000001FF", "intel-hex 00000000:41"),
        CASE("\r\n\n  \t\n :0100000041BE \t\r\n\n:00000001FF\n\n \r\n", "intel-hex 00000000:41"),
        /* records in any order, joined where they touch; a record without data is none */
        CASE(":0100010042BC\n:0100000041BE\n:0100030044B8\n:00FFFF0002" END,
             "intel-hex 00000000:4142 00000003:44"),
    };

    CHECK_CASES(cases);
}

/* ':' and `bytes` bytes of 0 but the first, which is `length`. */
static size_t long_record(char *file, size_t bytes, const char *length)
{
    memset(file, '0', 1 + 2 * bytes);
    file[0] = ':';
    memcpy(file + 1, length, 2);
    return 1 + 2 * bytes;
}

static void longest_record(void)
{
    const struct image_options options = {.has_base = false};
    char file[1 + 2 * 261 + sizeof END];
    struct error error = ERROR_NONE;
    size_t size = long_record(file, 260, "FF");
    struct image image;

    file[size - 1] = '1'; /* the checksum */
    memcpy(file + size, END, sizeof END);
    CHECK(parse_copy(&image, file, size + sizeof END - 1, &options, &error) == 0);
    CHECK(image.count == 1 && image.ranges[0].size == 255);
    image_clear(&image);
    size = long_record(file, 261, "FF");
    CHECK_TEXT(described_parse(file, size, &options).text,
               "line 1: found a record of 261 bytes, expected at most 260");
}

static void addresses(void)
{
    static const struct image_case cases[] = {
        /* linear: added to the base, over the 64 KiB line, up to the last address and no further */
        CASE(":020000040800F2\n:0100000041BE" END, "intel-hex 08000000:41"),
        CASE(":020000040001F9\n:02FFFF00414280" END, "line 2: found checksum 0x80, expected 0x7D"),
        CASE(":020000040001F9\n:02FFFF0041427D" END, "intel-hex 0001FFFF:4142"),
        CASE(":02000004FFFFFC\n:01FFFF0041C0" END, "intel-hex FFFFFFFF:41"),
        CASE(":02000004FFFFFC\n:02FFFF0041427D" END,
             "line 2: 2 bytes at 0xFFFFFFFF reach past the last address 0xFFFFFFFF"),
        /* segment: 16 times the base; the offset wraps at 64 KiB */
        CASE(":020000021000EC\n:0100000041BE" END, "intel-hex 00010000:41"),
        CASE(":020000021000EC\n:02FFFF0041427D" END, "intel-hex 00010000:42 0001FFFF:41"),
        CASE(":02000002FFFFFE\n:01FFFF0041C0" END, "intel-hex 0010FFEF:41"),
        /* the last address record counts, whatever its kind */
        CASE(":020000021000EC\n:020000040800F2\n:0100000041BE\n:020000021000EC\n:0100000042BD" END,
             "intel-hex 00010000:42 08000000:41"),
        /* up to the 64 KiB line without any address record, but not over it */
        CASE(":01FFFF0041C0" END, "intel-hex 0000FFFF:41"),
        CASE(":02FFFF0041427D" END,
             "line 1: data cross address 0x00010000, expected an address record (type 02 or 04) before"),
    };

    CHECK_CASES(cases);
}

static void entries(void)
{
    static const struct image_case cases[] = {
        CASE(":0100000041BE\n:040000050800010DE1" END, "intel-hex entry 0800010D 00000000:41"),
        CASE(":0400000500000000F7\n:0100000041BE" END, "intel-hex entry 00000000 00000000:41"),
        CASE(":0100000041BE\n:0400000312345678E5" END, "intel-hex entry 000179B8 00000000:41"),
        CASE(":0100000041BE\n:040000050800010DE1\n:040000050800010DE1" END,
             "intel-hex entry 0800010D 00000000:41"),
        CASE(":0100000041BE\n:040000050800010DE1\n:0400000500000000F7" END,
             "line 3: start address 0x00000000 differs from the earlier 0x0800010D"),
    };

    CHECK_CASES(cases);
}

static void broken_lines(void)
{
    static const struct image_case cases[] = {
        CASE(":0100000041BE\nhello" END, "line 2, column 1: found 'h', expected ':'"),
        CASE(":0100000041BE\n  ;x" END, "line 2, column 3: found ';', expected ':'"),
        CASE(":0100000041BE\n\0" END, "line 2, column 1: found byte 0x00, expected ':'"),
        CASE(":0100000041BE\n:01000\0" END,
             "line 2, column 7: found byte 0x00, expected a hexadecimal digit"),
        CASE(":0100G00041BE" END, "line 1, column 6: found 'G', expected a hexadecimal digit"),
        CASE(":0100000041 BE" END, "line 1, column 12: found ' ', expected a hexadecimal digit"),
        CASE(":0100000041BE:00000001FF\n", "line 1, column 14: found ':', expected a hexadecimal digit"),
        CASE(":0100000041BE\r:00000001FF\r",
             "line 1, column 14: found byte 0x0D, expected a hexadecimal digit"),
        CASE(":0100000041B" END, "line 1: found 11 hexadecimal digits, expected an even number"),
        CASE(":00000001" END, "line 1: found a record of 4 bytes, expected at least 5"),
        CASE(":0100000041BE\n:" END, "line 2: found a record of 0 bytes, expected at least 5"),
        CASE(":0200000041BD" END, "line 1: found 1 data bytes, expected 2 as the length says"),
        CASE(":000000004140" END, "line 1: found 1 data bytes, expected 0 as the length says"),
        CASE(":0100000041BF" END, "line 1: found checksum 0xBF, expected 0xBE"),
        CASE(":0100000641B8" END, "line 1: found record type 0x06, expected 0x00 to 0x05"),
        CASE(":010000FF41BF" END, "line 1: found record type 0xFF, expected 0x00 to 0x05"),
        CASE(":0100000241BC" END, "line 1: found 1 data bytes, expected 2 in a record of type 0x02"),
        CASE(":0100000341BB" END, "line 1: found 1 data bytes, expected 4 in a record of type 0x03"),
        CASE(":0100000441BA" END, "line 1: found 1 data bytes, expected 2 in a record of type 0x04"),
        CASE(":0100000541B9" END, "line 1: found 1 data bytes, expected 4 in a record of type 0x05"),
        CASE(":0100000141BD" END, "line 1: found 1 data bytes, expected 0 in a record of type 0x01"),
        CASE(":020001040800F1" END, "line 1: found address 0x0001, expected 0x0000 in a record of type 0x04"),
        CASE(":00800001 7F\n", "line 1, column 10: found ' ', expected a hexadecimal digit"),
        CASE(":008000017F\n", "line 1: found address 0x8000, expected 0x0000 in a record of type 0x01"),
    };

    CHECK_CASES(cases);
}

static void broken_files(void)
{
    static const struct image_case cases[] = {
        CASE(":0100000041BE\n", "line 2: found the end of the file, expected an end record (type 01)"),
        CASE(":0100000041BE\n\n\n", "line 2: found the end of the file, expected an end record (type 01)"),
        CASE(":0100000041BE\n:0000000", "line 2: found 7 hexadecimal digits, expected an even number"),
        CASE(":0100000041BE" END ":0100010042BC\n",
             "line 3: found text, expected nothing after the end record of line 2"),
        CASE(":0100000041BE" END "\n:00000001FF\n",
             "line 4: found text, expected nothing after the end record of line 2"),
        CASE(":0100000041BE" END "\x1A",
             "line 3: found text, expected nothing after the end record of line 2"),
        CASE(":00000001FF\n", "the file holds no data, expected at least one byte"),
        /* an address twice, also with the same byte, whichever comes first */
        CASE(":0100000041BE\n:0100000041BE" END,
             "line 2: address 0x00000000 is given a second time, first by line 1"),
        CASE(":0100020041BC\n:04000000010203 04F2" END,
             "line 2, column 16: found ' ', expected a hexadecimal digit"),
        CASE(":0100020041BC\n:0100000041BE\n:0100000042BD" END,
             "line 3: address 0x00000000 is given a second time, first by line 2"),
        CASE(":0100020041BC\n:0400000001020304F2" END,
             "line 2: address 0x00000002 is given a second time, first by line 1"),
        CASE(":0400000001020304F2\n:0100100041AE\n:0100020041BC" END,
             "line 3: address 0x00000002 is given a second time, first by line 1"),
        CASE(":020000040800F2\n:0400000001020304F2\n:020000040800F2\n:0100030041BB" END,
             "line 4: address 0x08000003 is given a second time, first by line 2"),
    };

    CHECK_CASES(cases);
}

static const struct test tests[] = {
    {.name = "good files", .run = good_files},
    {.name = "addresses", .run = addresses},
    {.name = "entries", .run = entries},
    {.name = "broken lines", .run = broken_lines},
    {.name = "longest record", .run = longest_record},
    {.name = "broken files", .run = broken_files},
};
TEST_MAIN(tests)
