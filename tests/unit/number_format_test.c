/* SPDX-License-Identifier: Apache-2.0 */
/* Serial numbers as text. Check characters are compared with numbers that their schemes' documents and
 * issuers have published, never with what this code says. */
#include "number_format.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>

#define DAY_US INT64_C(86400000000)

/* Noon of a day given by its number since 1970-01-01. */
static int64_t noon(int64_t day)
{
    return day * DAY_US + DAY_US / 2;
}

static bool parse(struct number_format *format, enum pool_kind kind, const char *text, struct error *error)
{
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL) : NULL;
    int status = number_format_parse(format, kind, object, error);

    json_decref(object);
    return status == 0;
}

static struct number_format made(enum pool_kind kind, const char *text)
{
    struct number_format format;
    struct error error = ERROR_NONE;

    if (!CHECK(parse(&format, kind, text, &error)))
        (void)fprintf(stderr, "  %s: %s\n", text, error.text);
    return format;
}

static void check_writes(const struct number_format *format, int64_t number, int64_t utc_us, const char *want)
{
    char text[NUMBER_TEXT_MAX];
    struct error error = ERROR_NONE;
    int64_t back = -1;

    CHECK(number_format_write(format, number, utc_us, text, &error) == 0);
    CHECK_TEXT(text, want);
    CHECK(number_format_read(format, text, &back) && back == number);
}

static void check_refused(enum pool_kind kind, const char *text, const char *about)
{
    struct number_format format;
    struct error error = ERROR_NONE;

    CHECK(!parse(&format, kind, text, &error) && error.code == -EINVAL);
    if (!CHECK(strstr(error.text, about) != NULL))
        (void)fprintf(stderr, "  %s: got \"%s\", want \"%s\" in it\n", text, error.text, about);
}

/* --- check characters --------------------------------------------------------------------- */

struct vector {
    enum check_digit kind;
    const char *text, *check;
};

static const struct vector vectors[] = {
    /* US patent 2,950,048 (H. P. Luhn), and the numbers that card brands publish for tests */
    {CHECK_MOD10, "7992739871", "3"},
    {CHECK_MOD10, "411111111111111", "1"},
    {CHECK_MOD10, "37828224631000", "5"},
    /* IMEI, 3GPP TS 23.003 annex B.3, worked example */
    {CHECK_MOD10, "26053179311383", "7"},
    /* ISIN, ISO 6166: securities as their issuers print them */
    {CHECK_MOD10, "US037833100", "5"},
    {CHECK_MOD10, "GB000263494", "6"},
    {CHECK_MOD10, "AU0000XVGZA", "3"},
    {CHECK_MOD10, "US594918104", "5"},
    /* ISSN, ISO 3297, of journals whose first digit is 0, which has another weight there */
    {CHECK_MOD11, "0378-595", "5"},
    {CHECK_MOD11, "0317-847", "1"},
    {CHECK_MOD11, "0028-083", "6"},
    {CHECK_MOD11, "0012-365", "X"},
    /* RUT of Chile, which has weights 2 to 7 and over again: the number of most examples */
    {CHECK_MOD11, "12345678", "5"},
    /* ISO/IEC 7064:2003, 8.2 */
    {CHECK_MOD97, "794", "44"},
    /* LEI, ISO 17442, of the global register */
    {CHECK_MOD97, "529900T8BM49AURSDO", "55"},
    {CHECK_MOD97, "54930084UKLVMY22DS", "16"},
    {CHECK_MOD97, "213800WSGIIZCXF1P5", "72"},
    /* IBAN, ISO 13616-1 annex: the account first, then the country */
    {CHECK_MOD97, "WEST12345698765432GB", "82"},
    {CHECK_MOD97, "370400440532013000DE", "89"},
};

static void published_numbers_have_their_check(void)
{
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char check[3];

        number_check(vectors[i].kind, vectors[i].text, check);
        if (!CHECK(strcmp(check, vectors[i].check) == 0))
            (void)fprintf(stderr, "  %s: got %s, want %s\n", vectors[i].text, check, vectors[i].check);
    }
}

static void case_and_hyphens_do_not_count(void)
{
    for (int kind = CHECK_MOD10; kind <= CHECK_MOD97; kind++) {
        char one[3], other[3];

        number_check((enum check_digit)kind, "AB12CD34", one);
        number_check((enum check_digit)kind, "ab-12/cd 34", other);
        CHECK_TEXT(one, other);
    }
}

/* A generator with its state in the caller's hands, so that a failure repeats. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static bool may_be(const struct number_format *format, const char *text)
{
    int64_t number;

    return number_format_read(format, text, &number);
}

/* Each wrong digit at each place of a text that is all digits, those of the check included. */
static void check_single_errors(const struct number_format *format, const char *text, const char *letters)
{
    char wrong[NUMBER_TEXT_MAX];

    (void)snprintf(wrong, sizeof wrong, "%s", text);
    for (size_t i = 0; text[i]; i++) {
        for (const char *other = letters; *other; other++) {
            wrong[i] = *other;
            if (*other != text[i] && !CHECK(!may_be(format, wrong)))
                (void)fprintf(stderr, "  %s taken for %s\n", wrong, text);
        }
        wrong[i] = text[i];
    }
}

static bool luhn_is_blind(char a, char b)
{
    return (a == '0' && b == '9') || (a == '9' && b == '0');
}

static void check_swaps(const struct number_format *format, const char *text)
{
    char wrong[NUMBER_TEXT_MAX];

    (void)snprintf(wrong, sizeof wrong, "%s", text);
    for (size_t i = 0; text[i + 1]; i++) {
        bool blind = format->check == CHECK_MOD10 && luhn_is_blind(text[i], text[i + 1]);

        wrong[i] = text[i + 1];
        wrong[i + 1] = text[i];
        if (text[i] != text[i + 1] && !CHECK(may_be(format, wrong) == blind))
            (void)fprintf(stderr, "  %s and %s\n", wrong, text);
        wrong[i] = text[i];
        wrong[i + 1] = text[i + 1];
    }
}

static void every_single_error_and_swap_is_caught(void)
{
    static const char *const formats[] = {"{\"digits\": 11, \"check\": \"mod10\"}",
                                          "{\"digits\": 17, \"check\": \"mod11\"}",
                                          "{\"digits\": 18, \"check\": \"mod97\"}"};
    uint32_t state = 20260601;

    for (size_t i = 0; i < 3; i++) {
        struct number_format format = made(POOL_SERIAL, formats[i]);

        for (int round = 0; round < 500; round++) {
            uint64_t bits = (uint64_t)next_random(&state) << 32 | next_random(&state);
            int64_t number = (int64_t)(bits % ((uint64_t)number_format_max(&format) + 1));
            char text[NUMBER_TEXT_MAX];
            struct error error;

            CHECK(number_format_write(&format, number, 0, text, &error) == 0);
            check_single_errors(&format, text, "0123456789");
            check_swaps(&format, text);
        }
    }
}

/* With letters in the number, mod97 keeps its promise for a letter in place of a letter. */
static void mod97_catches_wrong_letters(void)
{
    struct number_format format = made(POOL_SERIAL, "{\"base\": 36, \"digits\": 8, \"check\": \"mod97\"}");
    char text[NUMBER_TEXT_MAX];
    struct error error;

    CHECK(number_format_write(&format, INT64_C(2821109907455) / 3, 0, text, &error) == 0);
    for (size_t i = 0; text[i]; i++) {
        char kept = text[i];
        const char *others = kept >= 'A' ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ" : "0123456789";

        for (; *others; others++) {
            text[i] = *others;
            CHECK(may_be(&format, text) == (*others == kept));
        }
        text[i] = kept;
    }
}

/* --- serial numbers ----------------------------------------------------------------------- */

static void a_serial_has_its_parts_in_order(void)
{
    struct number_format plain = made(POOL_SERIAL, NULL);
    struct number_format full = made(POOL_SERIAL, "{\"prefix\": \"FF-\", \"date\": \"YYWW\", \"digits\": 5, "
                                                  "\"check\": \"mod11\", \"suffix\": \"/A\"}");
    struct number_format hex =
        made(POOL_SERIAL, "{\"base\": 16, \"digits\": 6, \"check\": \"mod97\", \"prefix\": \"H\"}");

    check_writes(&plain, 0, 0, "0000000000");
    check_writes(&plain, 42, 0, "0000000042");
    check_writes(&plain, 9999999999, 0, "9999999999");
    /* 2024-12-30 (day 20087) is in week 1 of 2025. F=15: from the right 7·2 + 0·3 + 0·4 + 0·5 + 0·6 + 1·7 +
     * 0·2 + 5·3 + 2·4 + 15·5 + 15·6 = 209 = 19·11 */
    check_writes(&full, 7, noon(20087), "FF-2501000070/A");
    /* H=17, then 0 0 11 14 14 15: 98 - 17001114141500 mod 97 = 39 */
    check_writes(&hex, 0xBEEF, 0, "H00BEEF39");
    CHECK(number_format_max(&plain) == 9999999999);
    CHECK(number_format_max(&hex) == 0xFFFFFF);
}

static void base_36_counts_over_letters(void)
{
    struct number_format format = made(POOL_SERIAL, "{\"base\": 36, \"digits\": 3}");

    check_writes(&format, 9, 0, "009");
    check_writes(&format, 10, 0, "00A");
    check_writes(&format, 35, 0, "00Z");
    check_writes(&format, 36, 0, "010");
    check_writes(&format, 46655, 0, "ZZZ");
    CHECK(number_format_max(&format) == 46655);
}

static void digits_that_mean_more_than_a_number_holds(void)
{
    struct number_format wide = made(POOL_SERIAL, "{\"base\": 36, \"digits\": 18}");
    struct number_format hex = made(POOL_SERIAL, "{\"base\": 16, \"digits\": 16}");

    CHECK(number_format_max(&wide) == INT64_MAX && number_format_max(&hex) == INT64_MAX);
    check_writes(&wide, INT64_MAX, 0, "000001Y2P0IJ32E8E7");
    CHECK(!may_be(&wide, "000001Y2P0IJ32E8E8"));
    CHECK(!may_be(&wide, "ZZZZZZZZZZZZZZZZZZ"));
    check_writes(&hex, INT64_MAX, 0, "7FFFFFFFFFFFFFFF");
    CHECK(!may_be(&hex, "8000000000000000"));
}

static void a_number_too_large_is_an_error(void)
{
    struct number_format format = made(POOL_SERIAL, "{\"digits\": 4}");
    char text[NUMBER_TEXT_MAX];
    struct error error = ERROR_NONE;

    CHECK(number_format_write(&format, 10000, 0, text, &error) == -ERANGE);
    CHECK(strstr(error.text, "10000") && strstr(error.text, "9999"));
    CHECK(number_format_write(&format, -1, 0, text, &error) == -ERANGE && text[0] == '\0');
    CHECK(number_format_write(&format, 9999, 0, text, &error) == 0);
}

static void only_what_would_be_written_is_read(void)
{
    static const char *const others[] = {"",           "FF-",         "FF-26113000A",  "ff-2611300008A",
                                         "FF-2611300", "FG-2611300A", "FF-261130000A", "FF-261130000A ",
                                         " FF-26110A", "FF-26131001"};
    struct number_format format =
        made(POOL_SERIAL, "{\"prefix\": \"FF-\", \"date\": \"YYMMDD\", \"base\": 16, \"digits\": 3}");
    int64_t number = 77;

    CHECK(number_format_read(&format, "FF-26113000A", &number) && number == 10);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK(i == 2 || !number_format_read(&format, others[i], &number));
    CHECK(!may_be(&format, "FF-26133000A")); /* month 13 */
    CHECK(!may_be(&format, "FF-26003000A"));
    CHECK(!may_be(&format, "FF-26113200A")); /* day 32 */
    CHECK(!may_be(&format, "FF-26113000a"));
    CHECK(number == 10);
}

/* --- dates -------------------------------------------------------------------------------- */

struct day {
    int64_t number; /* days since 1970-01-01 */
    const char *calendar, *week;
};

/* Weeks as ISO 8601 and calendars of those years have them. */
static const struct day days[] = {
    {0, "19700101", "7001"},     {12784, "20050101", "0453"}, {12785, "20050102", "0453"},
    {12786, "20050103", "0501"}, {13148, "20051231", "0552"}, {13514, "20070101", "0701"},
    {14241, "20081228", "0852"}, {14242, "20081229", "0901"}, {14612, "20100103", "0953"},
    {14613, "20100104", "1001"}, {19782, "20240229", "2409"}, {20453, "20251231", "2601"},
    {20818, "20261231", "2653"}, {20821, "20270103", "2653"}, {20822, "20270104", "2701"},
    {-1, "19691231", "7001"},    {-3, "19691229", "7001"},    {-4, "19691228", "6952"},
};

static void dates_are_utc_and_weeks_iso(void)
{
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        char text[NUMBER_DATE_MAX];

        for (int at = 0; at < 2; at++) { /* the day's first and last microsecond */
            int64_t utc_us = days[i].number * DAY_US + (at ? DAY_US - 1 : 0);

            number_date(DATE_YYYYMMDD, utc_us, text);
            CHECK_TEXT(text, days[i].calendar);
            number_date(DATE_YYMMDD, utc_us, text);
            CHECK_TEXT(text, days[i].calendar + 2);
            number_date(DATE_YYWW, utc_us, text);
            CHECK_TEXT(text, days[i].week);
        }
    }
}

static void short_dates(void)
{
    char text[NUMBER_DATE_MAX];

    number_date(DATE_YYMM, noon(19782), text);
    CHECK_TEXT(text, "2402");
    number_date(DATE_YYYY, noon(19782), text);
    CHECK_TEXT(text, "2024");
    number_date(DATE_NONE, noon(19782), text);
    CHECK_TEXT(text, "");
}

/* --- formats that are refused ------------------------------------------------------------- */

static void a_format_is_taken_whole_or_refused(void)
{
    check_refused(POOL_SERIAL, "[]", "an object");
    check_refused(POOL_SERIAL, "{\"base\": 8}", "format.base");
    check_refused(POOL_SERIAL, "{\"base\": \"10\"}", "format.base");
    check_refused(POOL_SERIAL, "{\"digits\": 0}", "format.digits");
    check_refused(POOL_SERIAL, "{\"digits\": 19}", "format.digits");
    check_refused(POOL_SERIAL, "{\"digits\": 4.0}", "format.digits");
    check_refused(POOL_SERIAL, "{\"prefix\": 7}", "format.prefix");
    check_refused(POOL_SERIAL, "{\"prefix\": \"A B\"}", "format.prefix");
    check_refused(POOL_SERIAL, "{\"prefix\": \"\\u0007\"}", "format.prefix");
    check_refused(POOL_SERIAL, "{\"prefix\": \"\\u00e4\"}", "format.prefix");
    check_refused(POOL_SERIAL, "{\"suffix\": \"123456789012345678901234\"}", "format.suffix");
    check_refused(POOL_SERIAL, "{\"date\": \"DDMMYY\"}", "format.date");
    check_refused(POOL_SERIAL, "{\"date\": \"\"}", "format.date");
    check_refused(POOL_SERIAL, "{\"check\": \"mod9\"}", "mod97");
    check_refused(POOL_SERIAL, "{\"check\": null}", "format.check");
    check_refused(POOL_SERIAL, "{\"separator\": \":\"}", "format.separator");
    check_refused(POOL_EUI48, "{\"digits\": 12}", "format.digits");
    check_refused(POOL_EUI48, "{\"separator\": \".\"}", "format.separator");
    check_refused(POOL_EUI48, "{\"case\": \"Upper\"}", "format.case");
    check_refused(POOL_EUI48, "{\"local\": true}", "format.local: a pool of this kind has no such member");
    check_refused(POOL_KEY, "{}", "own id");
    check_refused(POOL_SERIAL,
                  "{\"prefix\": \"12345678901234567890123\", \"suffix\": \"12345678901234567890123\", "
                  "\"digits\": 18}",
                  "64 characters, expected at most 63");
}

static void the_longest_text_fits(void)
{
    struct number_format format =
        made(POOL_SERIAL, "{\"prefix\": \"12345678901234567890123\", \"suffix\": \"1234567890123456789012\", "
                          "\"digits\": 18}");

    check_writes(&format, 5, 0,
                 "12345678901234567890123000000000000000005"
                 "1234567890123456789012");
}

/* --- addresses ---------------------------------------------------------------------------- */

static void addresses_have_their_form(void)
{
    struct number_format plain = made(POOL_EUI48, NULL);
    struct number_format hyphen = made(POOL_EUI48, "{\"separator\": \"-\", \"case\": \"upper\"}");
    struct number_format bare = made(POOL_EUI48, "{\"separator\": \"\", \"case\": \"lower\"}");

    /* IEEE Std 802-2014, 8.2.1 writes the first of these */
    check_writes(&hyphen, 0xACDE48234567, 0, "AC-DE-48-23-45-67");
    check_writes(&plain, 0x00000000000A, 0, "00:00:00:00:00:0A");
    check_writes(&bare, 0xFCFFFFFFFFFF, 0, "fcffffffffff");
    CHECK(number_format_max(&plain) == 0xFFFFFFFFFFFF);
    CHECK(!may_be(&plain, "AC-DE-48-23-45-67"));
    CHECK(!may_be(&plain, "AC:DE:48:23:45"));
    CHECK(!may_be(&plain, "AC:DE:48:23:45:67:00"));
    CHECK(!may_be(&plain, "AC:DE:48:23:45:6"));
    CHECK(!may_be(&plain, "AC:DE:48:23:45:6g"));
    CHECK(!may_be(&bare, "FCFFFFFFFFFF"));
}

static void check_block(int64_t first, int64_t last, int64_t step, bool local, const char *refusal)
{
    struct error error = ERROR_NONE;
    int status = number_eui48_check(first, last, step, local, &error);

    if (!CHECK(refusal ? status == -EINVAL && strstr(error.text, refusal) : status == 0))
        (void)fprintf(stderr, "  %012llx-%012llx: %s\n", (unsigned long long)first, (unsigned long long)last,
                      error.text);
}

static void address_blocks_are_of_one_assignment(void)
{
    check_block(0x70B3D5123000, 0x70B3D5123FFF, 1, false, NULL); /* MA-S */
    check_block(0x70B3D5123000, 0x70B3D5123FFF, 4, false, NULL);
    check_block(0x00259C000000, 0x00259CFFFFFF, 1, false, NULL); /* MA-L */
    check_block(0x00259CFFFFFF, 0x00259D000000, 1, false, "same 24 bits");
    check_block(0x01005E000000, 0x01005E0000FF, 1, false, "group address");
    check_block(0x01005E000000, 0x01005E0000FF, 1, true, "group address");
    check_block(0xFFFFFFFFFFFF, 0xFFFFFFFFFFFF, 1, true, "group address");
    check_block(0x020000000000, 0x0200000000FF, 1, false, "locally administered");
    check_block(0x020000000000, 0x0200000000FF, 1, true, NULL);
    check_block(0x70B3D5123001, 0x70B3D5123004, 4, false, "not a multiple of 4");
    check_block(0x70B3D5123000, 0x70B3D5123004, 4, false, "whole units");
    check_block(0x70B3D5123001, 0x70B3D5123006, 3, false, NULL); /* three have no low bits of their own */
    check_block(0x70B3D5123000, 0x70B3D5123FFF, 0, false, "whole units");
    check_block(0x70B3D5123000, 0x70B3D5123FFF, -1, false, "whole units");
    check_block(0x70B3D5123000, 0x70B3D5122FFF, 1, false, "ascending");
    check_block(-1, 5, 1, false, "48 bits");
    check_block(0, INT64_C(1) << 48, 1, false, "48 bits");
}

static void keys_have_no_numbers_as_text(void)
{
    struct number_format format = made(POOL_KEY, NULL);
    char text[NUMBER_TEXT_MAX];
    struct error error = ERROR_NONE;

    CHECK(number_format_write(&format, 3, 0, text, &error) == -EINVAL && text[0] == '\0');
    CHECK(!may_be(&format, "0000000003"));
}

static const struct test tests[] = {
    {"published numbers have their check", published_numbers_have_their_check},
    {"case and hyphens do not count", case_and_hyphens_do_not_count},
    {"every single error and swap is caught", every_single_error_and_swap_is_caught},
    {"mod97 catches wrong letters", mod97_catches_wrong_letters},
    {"a serial has its parts in order", a_serial_has_its_parts_in_order},
    {"base 36 counts over letters", base_36_counts_over_letters},
    {"digits that mean more than a number holds", digits_that_mean_more_than_a_number_holds},
    {"a number too large is an error", a_number_too_large_is_an_error},
    {"only what would be written is read", only_what_would_be_written_is_read},
    {"dates are UTC and weeks ISO", dates_are_utc_and_weeks_iso},
    {"short dates", short_dates},
    {"a format is taken whole or refused", a_format_is_taken_whole_or_refused},
    {"the longest text fits", the_longest_text_fits},
    {"addresses have their form", addresses_have_their_form},
    {"address blocks are of one assignment", address_blocks_are_of_one_assignment},
    {"keys have no numbers as text", keys_have_no_numbers_as_text},
};

TEST_MAIN(tests)
