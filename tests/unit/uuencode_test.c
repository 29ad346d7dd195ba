/* SPDX-License-Identifier: Apache-2.0 */
/* uuencode: known lines, there and back for every length, and what is refused. The known lines were made by
 * Python's binascii.b2a_uu(…, backtick=True). */
#include "uuencode.h"

#include "test.h"

static void check_line(const void *bytes, size_t size, const char *wanted)
{
    char line[UUENCODE_LINE_CHARS + 1];
    size_t length = uuencode_line(bytes, size, line);

    CHECK(length == uuencode_length(size));
    line[length] = '\0';
    CHECK_TEXT(line, wanted);
}

static void test_known_lines(void)
{
    static const uint8_t zeros[3] = {0};

    check_line("", 0, "`");
    check_line("Cat", 3, "#0V%T");
    check_line("C", 1, "!0P``");
    check_line("Ca", 2, "\"0V$`");
    check_line(zeros, 3, "#````");
    check_line("\xff\xff\xff\xff", 4, "$_____P``");
    check_line("\x00\x10\x00\x10\xcd\x01\x00\x08", 8, "(`!``$,T!``@`");
}

static void test_there_and_back(void)
{
    for (size_t size = 0; size <= UUENCODE_LINE_BYTES; size++)
        for (unsigned seed = 0; seed < 8; seed++) {
            uint8_t bytes[UUENCODE_LINE_BYTES], back[UUENCODE_LINE_BYTES] = {0};
            char line[UUENCODE_LINE_CHARS];

            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)((i + 1) * (seed * 41 + 7) >> 1);
            CHECK(uudecode_line(line, uuencode_line(bytes, size, line), back) == (int)size);
            CHECK(memcmp(bytes, back, size) == 0);
        }
}

static void test_blank_is_zero_too(void)
{
    uint8_t bytes[3] = {1, 1, 1};

    CHECK(uudecode_line("#    ", 5, bytes) == 3);
    CHECK(bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",                          /* nothing */
        "#0V%",                      /* too short */
        "#0V%TT",                    /* too long */
        "#0V%t",                     /* not in the alphabet */
        "#0V%\x1f", "#0V%\xe4", "0", /* a return code */
        "\x1f",
    };
    char long_line[2 + (46 + 2) / 3 * 4] = {' ' + 46};
    uint8_t bytes[UUENCODE_LINE_BYTES];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(uudecode_line(bad[i], strlen(bad[i]), bytes) == -1);
    memset(long_line + 1, '`', sizeof long_line - 2);
    CHECK(uudecode_line(long_line, uuencode_length(46), bytes) == -1); /* more than a line may hold */
}

static const struct test tests[] = {
    {"known lines", test_known_lines},
    {"there and back", test_there_and_back},
    {"a blank is zero too", test_blank_is_zero_too},
    {"refused", test_refused},
};

TEST_MAIN(tests)
