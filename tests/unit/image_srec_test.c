/* SPDX-License-Identifier: Apache-2.0 */
/* Motorola S-record: what is read, and the sentence for everything that is refused. */
#include "image_cases.h"

#define END "\nS9030000FC\n"

static void good_files(void)
{
    static const struct image_case cases[] = {
        /* 16, 24 and 32 bits of address; with and without a header */
        CASE("S00600004844521B\nS1051000414267" END, "srec 00001000:4142"),
        CASE("S205123456411D\nS804000000FB\n", "srec 00123456:41"),
        CASE("S3060800000041B0\nS70500000000FA\n", "srec 08000000:41"),
        CASE("S306FFFFFFFF41BC\nS70500000000FA\n", "srec FFFFFFFF:41"),
        CASE("S105FFFF414279" END, "srec 0000FFFF:4142"),
        /* lower case digits, CR LF, no line feed at the end, blanks around */
        CASE("S1041000ab40\r\nS9030000fc", "srec 00001000:AB"),
        CASE("\n \r\n\tS104000041BA \r\n\nS9030000FC\n\n", "srec 00000000:41"),
        /* kinds mixed, any order, records without data */
        CASE("S20501000044B5\nS104000142B8\nS104000041BA\nS1032000DC\nS3060000000243B4" END,
             "srec 00000000:414243 00010000:44"),
        /* counts, of all kinds of data and at any place */
        CASE("S104000041BA\nS5030001FB\nS20500000142B7\nS5030002FA" END, "srec 00000000:4142"),
        CASE("S104000041BA\nS604000001FA" END, "srec 00000000:41"),
        CASE("S5030000FC\nS104000041BA" END, "srec 00000000:41"),
        /* the start address, of which 0 is none */
        CASE("S104000041BA\nS9031234B6\n", "srec entry 00001234 00000000:41"),
        CASE("S104000041BA\nS8041234565F\n", "srec entry 00123456 00000000:41"),
        CASE("S104000041BA\nS7050800010DE4\n", "srec entry 0800010D 00000000:41"),
    };

    CHECK_CASES(cases);
}

static void broken_lines(void)
{
    static const struct image_case cases[] = {
        CASE("S104000041BA\nhello" END, "line 2, column 1: found 'h', expected 'S'"),
        CASE("s1040000417A" END, "line 1, column 1: found 's', expected 'S'"),
        CASE("S104000041BA\nS" END, "line 2, column 2: found the end of the line, expected a digit"),
        CASE("S104000041BA\n Sx" END, "line 2, column 3: found 'x', expected a digit"),
        CASE("S104000041BA\n\0" END, "line 2, column 1: found byte 0x00, expected 'S'"),
        CASE("S104000041BA\nS4030000FC" END,
             "line 2, column 2: found '4', expected a record type other than the reserved S4"),
        CASE("S104000O41BA" END, "line 1, column 8: found 'O', expected a hexadecimal digit"),
        CASE("S104000041B" END, "line 1: found 9 hexadecimal digits, expected an even number"),
        CASE("S1020000" END, "line 1: found a record of 3 bytes, expected at least 4"),
        CASE("S305000000000000" END, "line 1: found 6 bytes, expected 5 as the count says"),
        CASE("S30400000000" END, "line 1: found a record of 5 bytes, expected at least 6"),
        CASE("S105000041B9" END, "line 1: found 4 bytes, expected 5 as the count says"),
        CASE("S104000041BB" END, "line 1: found checksum 0xBB, expected 0xBA"),
        CASE("S307FFFFFFFF414279\nS70500000000FA\n",
             "line 1: 2 bytes at 0xFFFFFFFF reach past the last address 0xFFFFFFFF"),
        CASE("S104000041BA\nS504000100FA" END, "line 2: found 1 data bytes, expected none in an S5 record"),
        CASE("S104000041BA\nS5030002FA" END,
             "line 2: found 1 data records so far, expected 2 as the S5 record says"),
        CASE("S104000041BA\nS604000000FB" END,
             "line 2: found 1 data records so far, expected 0 as the S6 record says"),
        CASE("S104000041BA\nS904000000FB\n", "line 2: found 1 data bytes, expected none in an S9 record"),
    };

    CHECK_CASES(cases);
}

static void broken_files(void)
{
    static const struct image_case cases[] = {
        CASE("S104000041BA\n", "line 2: found the end of the file, expected an end record (S7, S8 or S9)"),
        CASE("S0030000FC" END, "the file holds no data, expected at least one byte"),
        CASE("S104000041BA" END "S104000142B8\n",
             "line 3: found text, expected nothing after the end record of line 2"),
        CASE("S104000041BA\nS20500000041B9" END,
             "line 2: address 0x00000000 is given a second time, first by line 1"),
        CASE("S104000241B8\nS106000041424333" END,
             "line 2: address 0x00000002 is given a second time, first by line 1"),
    };

    CHECK_CASES(cases);
}

static const struct test tests[] = {
    {.name = "good files", .run = good_files},
    {.name = "broken lines", .run = broken_lines},
    {.name = "broken files", .run = broken_files},
};
TEST_MAIN(tests)
