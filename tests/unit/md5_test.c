/* SPDX-License-Identifier: Apache-2.0 */
/* MD5 against the suite of RFC 1321 (A.5), and every length around a block's end against sums that Python's
 * hashlib made of the same bytes. */
#include "md5.h"

#include "bytes.h"
#include "test.h"

static void check_sum(const void *bytes, size_t size, const char *wanted)
{
    uint8_t digest[16];
    char text[33];

    md5(bytes, size, digest);
    bytes_to_hex(digest, sizeof digest, text);
    CHECK_TEXT(text, wanted);
}

static void test_suite(void)
{
    static const char *const suite[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };

    for (size_t i = 0; i < sizeof suite / sizeof suite[0]; i++)
        check_sum(suite[i][0], strlen(suite[i][0]), suite[i][1]);
}

/* The sum over the sums of all prefixes of 0, 1, 2, … up to 199 bytes. */
static void test_lengths(void)
{
    uint8_t bytes[200], sums[200 * 16];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (size_t size = 0; size < sizeof bytes; size++)
        md5(bytes, size, sums + 16 * size);
    check_sum(sums, sizeof sums, "eefa41f088d589fcf4e0f2c1cfdb7a3f");
}

static const struct test tests[] = {
    {"the RFC's suite", test_suite},
    {"every length", test_lengths},
};

TEST_MAIN(tests)
