/* SPDX-License-Identifier: Apache-2.0 */
/* Per-unit fields and checks: what is taken, what is refused and in which words, and which bytes come out.
 * The sums are compared with the check values that the catalogue of CRC algorithms (Greg Cook) and FIPS 180-4
 * give, never with what this code says. */
#include "fields.h"

#include "test.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

#define NOON_US INT64_C(1735563600000000) /* 2024-12-30 13:00 UTC, in week 1 of 2025 */

/* --- keys are wiped ----------------------------------------------------------------------- */

/* free() is ours here (--wrap): it looks whether a text that must not stay is in what is given back. */
void __real_free(void *memory);
void __wrap_free(void *memory);

static struct {
    const char *secret;
    bool left;
} wiped;

void __wrap_free(void *memory)
{
    if (wiped.secret && memory &&
        memmem(memory, malloc_usable_size(memory), wiped.secret, strlen(wiped.secret)))
        wiped.left = true;
    __real_free(memory);
}

/* --- helpers ------------------------------------------------------------------------------ */

static json_t *json(const char *text)
{
    json_error_t where;
    json_t *made = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where) : NULL;

    if (text && !CHECK(made != NULL))
        (void)fprintf(stderr, "  %s: %s\n", text, where.text);
    return made;
}

static int parse(struct fields **fields, const char *list, const char *checks, struct error *error)
{
    json_t *one = json(list), *other = json(checks);
    int status = fields_parse(fields, one, other, error);

    json_decref(one);
    json_decref(other);
    return status;
}

static struct fields *parsed(const char *list, const char *checks)
{
    struct fields *fields = NULL;
    struct error error = ERROR_NONE;

    if (!CHECK(parse(&fields, list, checks, &error) == 0))
        (void)fprintf(stderr, "  %s\n", error.text);
    return fields;
}

static void refused(const char *list, const char *checks, const char *first, const char *second)
{
    struct fields *fields = (struct fields *)1;
    struct error error = ERROR_NONE;

    CHECK(parse(&fields, list, checks, &error) == -EINVAL && fields == NULL);
    if (!CHECK(strstr(error.text, first) && strstr(error.text, second)))
        (void)fprintf(stderr, "  got \"%s\", want \"%s\" and \"%s\" in it\n", error.text, first, second);
}

static const struct image nothing = {.count = 0};

static int encode(const char *list, const struct field_values *values, char *hex, size_t room,
                  struct error *error)
{
    struct fields *fields = parsed(list, NULL);
    struct patch *patches = NULL;
    size_t count = 0;
    int status;

    hex[0] = '\0';
    if (!fields)
        return -1;
    status = fields_encode(fields, values, &nothing, 0xFF, &patches, &count, error);
    CHECK(status < 0 ? patches == NULL && count == 0 : count == 1);
    if (status == 0 && CHECK(room > 2 * (size_t)patches[0].size))
        bytes_to_hex(patches[0].bytes, patches[0].size, hex);
    patches_free(patches, count);
    fields_free(fields);
    return status;
}

/* A list of one field. */
static char *one_field(unsigned width, const char *encoding, const char *source, const char *more)
{
    return format_text(
        "[{\"name\": \"f\", \"address\": 4096, \"width\": %u, \"encoding\": \"%s\", \"source\": "
        "%s%s}]",
        width, encoding, source, more);
}

struct form {
    unsigned width;
    const char *encoding, *source, *more;
    const char *unit; /* NULL: none */
    const char *hex;  /* of the field; or, behind a '!', what the refusal has in it */
};

static void check_form(const struct form *form, const struct field_values *with)
{
    struct field_values values = *with;
    char *list = one_field(form->width, form->encoding, form->source, form->more ? form->more : "");
    json_t *unit = json(form->unit);
    struct error error = ERROR_NONE;
    char hex[200];
    int status;
    bool good;

    values.unit = unit;
    status = encode(list, &values, hex, sizeof hex, &error);
    good = form->hex[0] == '!'
               ? status == -EINVAL && strstr(error.text, form->hex + 1) && strstr(error.text, "\"f\"")
               : status == 0 && strcmp(hex, form->hex) == 0;
    if (!CHECK(good))
        (void)fprintf(stderr, "  %s with %s: got %s %s, want %s\n", list, form->unit ? form->unit : "no unit",
                      hex, error.text, form->hex);
    json_decref(unit);
    free(list);
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- encodings ---------------------------------------------------------------------------- */

#define UNIT "{\"unit\": \"v\"}"

static const struct form texts[] = {
    {4, "ascii", UNIT, NULL, "{\"v\": \"AB12\"}", "41423132"},
    {6, "ascii", UNIT, NULL, "{\"v\": \"AB12\"}", "414231320000"},
    {6, "ascii", UNIT, ", \"pad\": 255", "{\"v\": \"AB12\"}", "41423132ffff"},
    {6, "ascii", UNIT, ", \"pad\": 32", "{\"v\": 42}", "343220202020"},
    {3, "ascii", UNIT, NULL, "{\"v\": \"\"}", "000000"},
    {3, "ascii", UNIT, NULL, "{\"v\": \"AB12\"}", "!takes 4 bytes, the field has 3"},
    {3, "ascii", UNIT, NULL, "{\"v\": \"\\u00e4\"}", "!ASCII"},
    {3, "ascii", UNIT, NULL, "{\"v\": {\"hex\": \"41\"}}", "!\"bytes\""},
    {3, "ascii", UNIT, NULL, "{\"v\": null}", "!expected a text"},
    {3, "ascii", UNIT, NULL, "{\"v\": \"a\\u0000b\"}", "!without zeros"},
    {3, "ascii", UNIT, NULL, "{\"w\": \"a\"}", "!no member \"v\""},
    {3, "ascii", UNIT, NULL, NULL, "!no member \"v\""},
    {6, "utf-16le", UNIT, NULL, "{\"v\": \"A\\u00e4\"}", "4100e4000000"},
    {6, "utf-16le", UNIT, ", \"pad\": 255", "{\"v\": \"A\\u20ac\"}", "4100ac20ffff"},
    {4, "utf-16le", UNIT, NULL, "{\"v\": \"\\ud83d\\ude00\"}", "3dd800de"}, /* U+1F600 */
    {2, "utf-16le", UNIT, NULL, "{\"v\": \"\\ud83d\\ude00\"}", "!takes 4 bytes, the field has 2"},
};

static const struct form numbers[] = {
    {4, "binary-le", UNIT, NULL, "{\"v\": 305419896}", "78563412"},
    {4, "binary-be", UNIT, NULL, "{\"v\": 305419896}", "12345678"},
    {3, "binary-be", UNIT, NULL, "{\"v\": 66051}", "010203"},
    {1, "binary-be", UNIT, NULL, "{\"v\": 255}", "ff"},
    {1, "binary-be", UNIT, NULL, "{\"v\": 256}", "!256 does not fit 1 bytes"},
    {7, "binary-le", UNIT, NULL, "{\"v\": 72057594037927936}", "!does not fit 7 bytes"},
    {8, "binary-le", UNIT, NULL, "{\"v\": \"18446744073709551615\"}", "ffffffffffffffff"},
    {8, "binary-le", UNIT, NULL, "{\"v\": \"18446744073709551616\"}", "!more than 64 bits"},
    {8, "binary-le", UNIT, NULL, "{\"v\": -1}", "!from 0"},
    {8, "binary-le", UNIT, NULL, "{\"v\": 1.5}", "!whole number"},
    {8, "binary-le", UNIT, NULL, "{\"v\": \"12a\"}", "!no whole decimal number"},
    {8, "binary-le", UNIT, NULL, "{\"v\": \"\"}", "!no whole decimal number"},
    {8, "binary-le", UNIT, NULL, "{\"v\": {\"hex\": \"00\"}}", "!no whole decimal number"},
    {3, "bcd", UNIT, NULL, "{\"v\": 12345}", "012345"},
    {3, "bcd", UNIT, NULL, "{\"v\": \"001234\"}", "001234"},
    {2, "bcd", UNIT, NULL, "{\"v\": 12345}", "!takes 3 bytes, the field has 2"},
    {2, "bcd", UNIT, NULL, "{\"v\": \"12A\"}", "!decimal digits of BCD"},
    {2, "bcd", UNIT, NULL, "{\"v\": \"\"}", "!decimal digits of BCD"},
};

static const struct form blobs[] = {
    {3, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"00fFa1\"}}", "00ffa1"},
    {4, "bytes", UNIT, ", \"pad\": 255", "{\"v\": {\"hex\": \"00ffa1\"}}", "00ffa1ff"},
    {4, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"00ffa1\"}}", "!takes 3 bytes, the field has 4 and no pad"},
    {2, "bytes", UNIT, ", \"pad\": 0", "{\"v\": {\"hex\": \"00ffa1\"}}", "!takes 3 bytes, the field has 2"},
    {3, "bytes", UNIT, NULL, "{\"v\": {\"base64\": \"AP+h\"}}", "00ffa1"},
    {2, "bytes", UNIT, NULL, "{\"v\": {\"base64\": \"AP8=\"}}", "00ff"},
    {2, "bytes", UNIT, NULL, "{\"v\": {\"base64\": \"AP8\"}}", "!base64"},
    {3, "bytes", UNIT, NULL, "{\"v\": {\"base64\": \"\xc3\x84+h\"}}",
     "!base64"}, /* no digits, though decoders take them */
    {2, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"00f\"}}", "!hex"},
    {2, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"00fg\"}}", "!hex"},
    {2, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"\"}}", "!hex"},
    {2, "bytes", UNIT, NULL, "{\"v\": {\"hex\": \"00ff\", \"base64\": \"AP8=\"}}", "!hex"},
    {6, "bytes", UNIT, NULL, "{\"v\": \"00:25:9C:00:0a:01\"}", "00259c000a01"},
    {6, "bytes", UNIT, NULL, "{\"v\": \"00-25-9C-00-0a-01\"}", "00259c000a01"},
    {6, "bytes", UNIT, NULL, "{\"v\": \"00-25:9C-00-0a-01\"}", "!none of bytes"},
    {6, "bytes", UNIT, NULL, "{\"v\": \"00259C000a01\"}", "!none of bytes"},
    {4, "bytes", UNIT, NULL, "{\"v\": \"00:25:9C:00:0a:01\"}", "!takes 6 bytes, the field has 4"},
    {2, "bytes", UNIT, NULL, "{\"v\": 255}", "!none of bytes"},
};

static void units_give_texts_numbers_and_bytes(void)
{
    const struct field_values values = {.utc_us = NOON_US};

    for (size_t i = 0; i < COUNT(texts); i++)
        check_form(&texts[i], &values);
    for (size_t i = 0; i < COUNT(numbers); i++)
        check_form(&numbers[i], &values);
    for (size_t i = 0; i < COUNT(blobs); i++)
        check_form(&blobs[i], &values);
}

/* --- the other sources -------------------------------------------------------------------- */

#define POOL "{\"pool\": \"boards\"}"

static const struct form pool_forms[] = {
    {8, "ascii", POOL, NULL, NULL, "46462d3030340000"},
    {4, "binary-le", POOL, NULL, NULL, "04000000"},
    {2, "bcd", POOL, NULL, NULL, "0004"},
    {6, "binary-be", "{\"pool\": \"macs\"}", NULL, NULL, "70b3d5123004"},
    {17, "ascii", "{\"pool\": \"macs\"}", NULL, NULL, "37303a42333a44353a31323a33303a3034"},
    {4, "bytes", "{\"pool\": \"keys\"}", NULL, NULL, "deadbeef"},
    {5, "bytes", "{\"pool\": \"keys\"}", NULL, NULL, "!takes 4 bytes, the field has 5"},
    {4, "ascii", "{\"pool\": \"keys\"}", NULL, NULL, "!bytes have no text"},
    {8, "binary-be", "{\"pool\": \"keys\"}", NULL, NULL, "!no whole decimal number"},
    {4, "bytes", POOL, NULL, NULL, "!none of bytes"},
    {4, "ascii", "{\"pool\": \"others\"}", NULL, NULL, "!no number of the pool \"others\""},
};

static void pools_give_text_value_or_key(void)
{
    static const uint8_t key[] = {0xDE, 0xAD, 0xBE, 0xEF};
    const struct field_number taken[] = {
        {.text = "from the MES"},
        {.pool = "keys", .text = "key-17", .number = 17, .key = key, .key_size = sizeof key},
        {.pool = "boards", .text = "FF-004", .number = 4},
        {.pool = "macs", .text = "70:B3:D5:12:30:04", .number = 0x70B3D5123004},
    };
    const struct field_values values = {.numbers = taken, .number_count = COUNT(taken), .utc_us = NOON_US};

    for (size_t i = 0; i < COUNT(pool_forms); i++)
        check_form(&pool_forms[i], &values);
}

static const struct form uid_forms[] = {
    {12, "bytes", "{\"uid\": true}", NULL, NULL, "000102030405060708090aff"},
    {24, "ascii", "{\"uid\": true}", NULL, NULL, "303030313032303330343035303630373038303930616666"},
    {16, "bytes", "{\"uid\": true}", ", \"pad\": 0", NULL, "000102030405060708090aff00000000"},
    {16, "bytes", "{\"uid\": true}", NULL, NULL, "!no pad"},
    {23, "ascii", "{\"uid\": true}", NULL, NULL, "!takes 24 bytes"},
};

static void the_chip_gives_its_id(void)
{
    static const uint8_t uid[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
    const struct field_values values = {.uid = uid, .uid_size = sizeof uid, .utc_us = NOON_US};
    const struct form none = {12, "bytes", "{\"uid\": true}", NULL, NULL, "!no unique id"};

    for (size_t i = 0; i < COUNT(uid_forms); i++)
        check_form(&uid_forms[i], &values);
    check_form(&none, &(struct field_values){.utc_us = NOON_US});
}

static const struct form date_forms[] = {
    {10, "ascii", "{\"date\": \"YYYY-MM-DD\"}", NULL, NULL, "323032342d31322d3330"},
    {4, "bcd", "{\"date\": \"YYYY-MM-DD\"}", NULL, NULL, "20241230"},
    {6, "ascii", "{\"date\": \"YYMMDD\"}", NULL, NULL, "323431323330"},
    {3, "bcd", "{\"date\": \"YYMMDD\"}", NULL, NULL, "241230"},
    {2, "bcd", "{\"date\": \"YYWW\"}", NULL, NULL, "2501"},
    {4, "binary-be", "{\"date\": \"unix\"}", NULL, NULL, "67729950"},
    {10, "ascii", "{\"date\": \"unix\"}", NULL, NULL, "31373335353633363030"},
    {3, "binary-be", "{\"date\": \"unix\"}", NULL, NULL, "!does not fit"},
    {3, "ascii", "{\"constant\": \"R2\"}", NULL, NULL, "523200"},
    {2, "binary-be", "{\"constant\": 513}", NULL, NULL, "0201"},
    {2, "bytes", "{\"constant\": {\"hex\": \"cafe\"}}", NULL, NULL, "cafe"},
};

static void dates_and_constants(void)
{
    const struct field_values values = {.utc_us = NOON_US};

    for (size_t i = 0; i < COUNT(date_forms); i++)
        check_form(&date_forms[i], &values);
}

/* Before a board is there: what an order says of its units, and the longest text of a pool. */
static void an_order_can_be_checked(void)
{
    struct fields *fields =
        parsed("[{\"name\": \"a\", \"address\": 0, \"width\": 4, \"encoding\": \"ascii\", "
               "\"source\": " UNIT "},"
               " {\"name\": \"b\", \"address\": 4, \"width\": 4, \"encoding\": \"ascii\", "
               "\"source\": " POOL "},"
               " {\"name\": \"c\", \"address\": 8, \"width\": 4, \"encoding\": \"bytes\", "
               "\"source\": {\"uid\": true}}]",
               NULL);
    const struct field_number fits = {.pool = "boards", .text = "9999", .number = 9999};
    const struct field_number long_one = {.pool = "boards", .text = "10000", .number = 10000};
    const struct field_number other = {.pool = "others", .text = "10000", .number = 10000};
    json_t *good = json("{\"v\": \"abcd\"}"), *wide = json("{\"v\": \"abcde\"}"), *none = json("{}");
    struct error error = ERROR_NONE;

    CHECK(fields_check(fields, &(struct field_values){.unit = NULL}, &error) == 0);
    CHECK(fields_check(fields, &(struct field_values){.unit = good}, &error) == 0);
    CHECK(fields_check(fields, &(struct field_values){.unit = wide}, &error) == -EINVAL);
    CHECK_TEXT(error.text, "field \"a\": the value takes 5 bytes, the field has 4");
    CHECK(fields_check(fields, &(struct field_values){.unit = none}, &error) == -EINVAL);
    CHECK(fields_check(fields, &(struct field_values){.numbers = &fits, .number_count = 1}, &error) == 0);
    CHECK(fields_check(fields, &(struct field_values){.numbers = &other, .number_count = 1}, &error) == 0);
    CHECK(fields_check(fields, &(struct field_values){.numbers = &long_one, .number_count = 1}, &error) ==
          -EINVAL);
    CHECK(strstr(error.text, "field \"b\""));
    json_decref(good);
    json_decref(wide);
    json_decref(none);
    fields_free(fields);
}

/* --- refusals ----------------------------------------------------------------------------- */

#define FIELD(more)                                                                                          \
    "[{\"name\": \"serial\", \"address\": 4096, \"width\": 8, \"encoding\": \"ascii\", \"source\": "         \
    "{\"uid\": true}" more "}]"

static void a_list_is_taken_whole_or_refused(void)
{
    refused("{}", NULL, "fields", "a list");
    refused("[7]", NULL, "fields[0]", "an object");
    refused("[{}]", NULL, "fields[0]", "name: is missing");
    refused("[{\"name\": \"a\"}]", NULL, "fields[0] \"a\"", "address: is missing");
    refused(FIELD(", \"colour\": 3"), NULL, "fields[0] \"serial\"", "colour: there is no such member");
    refused(FIELD(", \"pad\": 256"), NULL, "pad", "0 to 255");
    refused(FIELD(", \"over_code\": 1"), NULL, "over_code", "true or false");
    refused("[{\"name\": \"\", \"address\": 0}]", NULL, "fields[0]", "1 to 64 bytes");
    refused("[{\"name\": \"a\\nb\", \"address\": 0}]", NULL, "fields[0]", "control characters");
    refused("[{\"name\": \"a\", \"address\": \"12\"}]", NULL, "address", "0x08000000");
    refused("[{\"name\": \"a\", \"address\": \"0x\"}]", NULL, "address", "0x08000000");
    refused("[{\"name\": \"a\", \"address\": \"0x1g\"}]", NULL, "address", "0x08000000");
    refused("[{\"name\": \"a\", \"address\": \"0x100000000\"}]", NULL, "address", "32 bits");
    refused("[{\"name\": \"a\", \"address\": -1}]", NULL, "address", "32 bits");
    refused("[{\"name\": \"a\", \"address\": 0, \"width\": 0}]", NULL, "width", "from 1");
    refused("[{\"name\": \"a\", \"address\": 0, \"width\": 65537}]", NULL, "width", "65536");
    refused("[{\"name\": \"a\", \"encoding\": \"ebcdic\"}]", NULL, "encoding", "\"utf-16le\", \"bcd\"");
    refused("[{\"name\": \"a\", \"source\": {}}]", NULL, "source", "\"pool\"");
    refused("[{\"name\": \"a\", \"source\": \"uid\"}]", NULL, "source", "\"pool\"");
    refused("[{\"name\": \"a\", \"source\": {\"uid\": true, \"pool\": \"x\"}}]", NULL, "source", "one of");
    refused("[{\"name\": \"a\", \"source\": {\"uid\": false}}]", NULL, "source.uid", "true");
    refused("[{\"name\": \"a\", \"source\": {\"pool\": 3}}]", NULL, "source.pool", "a text");
    refused("[{\"name\": \"a\", \"source\": {\"date\": \"today\"}}]", NULL, "source.date", "\"YYWW\"");
}

static void refused_form(unsigned width, const char *encoding, const char *source, const char *more,
                         const char *because)
{
    char *list = one_field(width, encoding, source, more);

    refused(list, NULL, "fields[0] \"f\"", because);
    free(list);
}

static void what_no_unit_could_fill_is_refused_at_once(void)
{
    refused_form(9, "binary-le", UNIT, "", "width: expected at most 8");
    refused_form(7, "utf-16le", UNIT, "", "even number");
    refused_form(4, "binary-le", UNIT, ", \"pad\": 0", "pad");
    refused_form(4, "bcd", UNIT, ", \"pad\": 0", "pad");
    refused_form(8, "binary-le", "{\"uid\": true}", "", "unique id");
    refused_form(8, "bcd", "{\"uid\": true}", "", "unique id");
    refused_form(6, "bytes", "{\"date\": \"YYMMDD\"}", "", "for a date");
    refused_form(4, "binary-le", "{\"date\": \"YYMMDD\"}", "", "\"unix\"");
    refused_form(2, "ascii", "{\"constant\": \"R20\"}", "", "source.constant: the value takes 3 bytes");
    refused_form(2, "ascii", "{\"constant\": [1]}", "", "source.constant: expected a text");
    refused_form(2, "bytes", "{\"constant\": {\"hex\": \"abc\"}}", "", "source.constant");
    refused(
        "[{\"name\": \"f\", \"address\": 4294967295, \"width\": 2, \"encoding\": \"ascii\", \"source\": " UNIT
        "}]",
        NULL, "fields[0] \"f\"", "go past the last one");
}

#define CRC "{\"name\": \"crc\", \"address\": \"0x2000\", \"algorithm\": \"crc-32\", \"range\": "
#define SHA "{\"name\": \"sha\", \"address\": \"0x1800\", \"algorithm\": \"sha-256\", \"range\": "

static void checks_are_refused_alike(void)
{
    refused(NULL, "7", "checks", "a list");
    refused(NULL, "[" CRC "{\"address\": 0, \"size\": 0}}]", "checks[0] \"crc\"", "1 byte to 64 MiB");
    refused(NULL, "[" CRC "{\"address\": 4294967295, \"size\": 2}}]", "range.size", "last address");
    refused(NULL, "[" CRC "{\"address\": 0}}]", "range", "size: is missing");
    refused(NULL, "[" CRC "[]}]", "range", "an object");
    refused(NULL, "[" CRC "{\"address\": 0, \"size\": 9}, \"endian\": \"middle\"}]", "endian",
            "\"little\", \"big\"");
    refused(NULL, "[{\"name\": \"c\", \"algorithm\": \"crc-8\"}]", "checks[0] \"c\"", "\"crc-16/modbus\"");
    refused(
        NULL,
        "[{\"name\": \"c\", \"address\": 4294967280, \"algorithm\": \"sha-256\", \"range\": {\"address\": 0, "
        "\"size\": 1}}]",
        "checks[0] \"c\"", "32 bytes from 0xfffffff0 go past the last one");
}

static void two_on_the_same_byte_are_both_named(void)
{
    refused(
        "[{\"name\": \"a\", \"address\": 16, \"width\": 8, \"encoding\": \"ascii\", \"source\": " UNIT "},"
        " {\"name\": \"b\", \"address\": 23, \"width\": 8, \"encoding\": \"ascii\", \"source\": " UNIT "}]",
        NULL, "\"a\" (0x00000010, 8 bytes)", "\"b\" (0x00000017, 8 bytes)");
    refused("[{\"name\": \"a\", \"address\": 8195, \"width\": 1, \"encoding\": \"ascii\", \"source\": " UNIT
            "}]",
            "[" CRC "{\"address\": 0, \"size\": 9}}]", "\"a\"", "\"crc\"");
    refused("[{\"name\": \"crc\", \"address\": 1, \"width\": 1, \"encoding\": \"ascii\", \"source\": " UNIT
            "}]",
            "[" CRC "{\"address\": 0, \"size\": 9}}]", "two of the name", "\"crc\"");
}

static void a_check_is_made_over_what_is_there_before(void)
{
    refused(NULL, "[" CRC "{\"address\": 8195, \"size\": 1}}]", "\"crc\" has \"crc\"",
            "end the range before it");
    refused(NULL, "[" CRC "{\"address\": 6144, \"size\": 64}}, " SHA "{\"address\": 0, \"size\": 64}}]",
            "\"crc\" has \"sha\"", "put it first");
    fields_free(
        parsed(NULL, "[" SHA "{\"address\": 0, \"size\": 64}}, " CRC "{\"address\": 6144, \"size\": 64}}]"));
}

/* --- places ------------------------------------------------------------------------------- */

#define FOUR                                                                                                 \
    "[{\"name\": \"late\", \"address\": 8176, \"width\": 16, \"encoding\": \"ascii\", \"source\": " POOL     \
    ", \"over_code\": true},"                                                                                \
    " {\"name\": \"mac\", \"address\": 64, \"width\": 6, \"encoding\": \"binary-be\", \"source\": "          \
    "{\"pool\": \"macs\"}},"                                                                                 \
    " {\"name\": \"again\", \"address\": 70, \"width\": 2, \"encoding\": \"binary-be\", \"source\": " POOL   \
    "}]"

static void places_are_told(void)
{
    struct fields *fields = parsed(FOUR, "[" CRC "{\"address\": 0, \"size\": 9}}]");
    const struct chip_span *spans;
    const char *const *pools;
    struct field_place late, crc;
    size_t count;

    if (!fields)
        return;
    late = fields_place(fields, 0);
    crc = fields_place(fields, 3);
    CHECK(fields_count(fields) == 4);
    CHECK(strcmp(late.name, "late") == 0 && late.address == 8176 && late.size == 16 && late.over_code);
    CHECK(!late.is_check && late.range.size == 0);
    CHECK(strcmp(crc.name, "crc") == 0 && crc.address == 8192 && crc.size == 4 && crc.is_check);
    CHECK(!crc.over_code && crc.range.address == 0 && crc.range.size == 9);
    spans = fields_spans(fields, &count);
    CHECK(count == 2 && spans[0].address == 64 && spans[0].size == 8); /* in order, and joined */
    CHECK(spans[1].address == 8176 && spans[1].size == 20);
    CHECK(fields_pools(fields, &pools) == 2 && strcmp(pools[0], "boards") == 0 &&
          strcmp(pools[1], "macs") == 0);
    fields_free(fields);
}

static void no_lists_are_no_fields(void)
{
    struct fields *fields = parsed(NULL, NULL);
    const char *const *pools;
    struct patch *patches;
    struct error error;
    size_t count = 7;

    CHECK(fields_count(fields) == 0 && fields_pools(fields, &pools) == 0);
    CHECK(fields_encode(fields, &(struct field_values){.uid = NULL}, &nothing, 0xFF, &patches, &count,
                        &error) == 0 &&
          count == 0);
    (void)fields_spans(fields, &count);
    CHECK(count == 0);
    patches_free(patches, 0);
    fields_free(fields);
    fields_free(NULL);
}

/* --- sums --------------------------------------------------------------------------------- */

struct sum_vector {
    const char *algorithm, *endian, *hex;
};

/* Of "123456789". */
static const struct sum_vector sums[] = {
    {"crc-32", "big", "cbf43926"},
    {"crc-32", "little", "2639f4cb"},
    {"crc-32/mpeg-2", "big", "0376e6e7"},
    {"crc-16/modbus", "big", "4b37"},
    {"crc-16/modbus", "little", "374b"},
    {"crc-16/ccitt-false", "big", "29b1"},
    {"crc-16/xmodem", "big", "31c3"},
    {"crc-16/arc", "big", "bb3d"},
    {"sha-256", "big", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
};

static void check_sum(const struct sum_vector *vector)
{
    /* the image has "1234" and "789", and a field the "56" between them */
    uint8_t low[] = "1234", high[] = "789";
    struct image_range ranges[] = {{.address = 0x100, .size = 4, .data = low},
                                   {.address = 0x106, .size = 3, .data = high}};
    const struct image image = {.count = 2, .ranges = ranges};
    char *checks =
        format_text("[{\"name\": \"sum\", \"address\": 16, \"algorithm\": \"%s\", \"endian\": \"%s\", "
                    "\"range\": {\"address\": \"0x100\", \"size\": 9}}]",
                    vector->algorithm, vector->endian);
    struct fields *fields =
        parsed("[{\"name\": \"f\", \"address\": 260, \"width\": 2, \"encoding\": \"ascii\", "
               "\"source\": {\"constant\": 56}}]",
               checks);
    struct patch *patches = NULL;
    struct error error = ERROR_NONE;
    size_t count = 0;
    char hex[65] = "";

    if (fields && CHECK(fields_encode(fields, &(struct field_values){.uid = NULL}, &image, 0xFF, &patches,
                                      &count, &error) == 0 &&
                        count == 2)) {
        bytes_to_hex(patches[1].bytes, patches[1].size, hex);
        CHECK_TEXT(hex, vector->hex);
    }
    patches_free(patches, count);
    fields_free(fields);
    free(checks);
}

static void sums_are_those_of_their_catalogue(void)
{
    for (size_t i = 0; i < COUNT(sums); i++)
        check_sum(&sums[i]);
}

/* A sum over 3000 bytes, more than are looked at in one go, of which the image has 2000, in two ranges; and a
 * sum over that sum. The plain way: everything in one array. */
static void sums_see_fields_gaps_and_earlier_sums(void)
{
    uint8_t low[1200], high[800], all[3004], want[32];
    struct image_range ranges[] = {{.address = 0x1000, .size = sizeof low, .data = low},
                                   {.address = 0x1000 + 2000, .size = sizeof high, .data = high}};
    const struct image image = {.count = 2, .ranges = ranges};
    struct fields *fields = parsed(
        "[{\"name\": \"f\", \"address\": 5118, \"width\": 4, \"encoding\": \"ascii\", \"source\": " UNIT "},"
        " {\"name\": \"g\", \"address\": 7000, \"width\": 1, \"encoding\": \"ascii\", \"source\": " UNIT "}]",
        "[{\"name\": \"one\", \"address\": 7096, \"algorithm\": \"crc-32\", \"range\": {\"address\": 4096, "
        "\"size\": 3000}},"
        " {\"name\": \"two\", \"address\": 8000, \"algorithm\": \"sha-256\", \"range\": {\"address\": 4096, "
        "\"size\": 3004}}]");
    json_t *unit = json("{\"v\": \"Z\"}");
    const struct field_values values = {.unit = unit};
    struct patch *patches = NULL;
    struct error error = ERROR_NONE;
    size_t count = 0;

    for (size_t i = 0; i < sizeof low; i++)
        low[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof high; i++)
        high[i] = (uint8_t)(i * 11 + 3);
    memset(all, 0xFF, sizeof all);
    memcpy(all, low, sizeof low);
    memcpy(all + 2000, high, sizeof high);
    memcpy(all + 5118 - 4096, "Z\0\0", 4);
    all[7000 - 4096] = 'Z';
    if (CHECK(fields_encode(fields, &values, &image, 0xFF, &patches, &count, &error) == 0 && count == 4)) {
        const struct image_range whole = {.size = 3000, .data = all};
        uint32_t crc = image_range_crc32(&whole);

        CHECK(get_le32(patches[2].bytes) == crc);
        memcpy(all + 3000, patches[2].bytes, 4);
        CHECK(crypto_hash_sha256(want, all, sizeof all) == 0);
        CHECK(memcmp(patches[3].bytes, want, 32) == 0);
    }
    CHECK(low[1022] == (uint8_t)(1022 * 7)); /* the image is as it was */
    patches_free(patches, count);
    fields_free(fields);
    json_decref(unit);
}

/* --- the record's digest ------------------------------------------------------------------ */

static void the_digest_does_not_depend_on_the_order(void)
{
    static const uint8_t one[] = {1, 2, 3}, two[] = {4};
    static const uint8_t plain[] = {0, 0, 0, 16, 0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 0, 3, 1, 2, 3};
    const struct patch patches[] = {{.address = 256, .size = 3, .bytes = one},
                                    {.address = 16, .size = 1, .bytes = two}};
    const struct patch turned[] = {patches[1], patches[0]};
    uint8_t want[32], digest[32];

    CHECK(crypto_hash_sha256(want, plain, sizeof plain) == 0);
    patches_digest(patches, 2, digest);
    CHECK(memcmp(digest, want, 32) == 0);
    patches_digest(turned, 2, digest);
    CHECK(memcmp(digest, want, 32) == 0);
}

/* --- secrets ------------------------------------------------------------------------------ */

#define SECRET "a key that must not stay in memory"

static void keys_are_wiped_whatever_happens(void)
{
    static const char list[] =
        "[{\"name\": \"key\", \"address\": 0, \"width\": 34, \"encoding\": \"bytes\", \"source\": {\"pool\": "
        "\"keys\"}}, {\"name\": \"f\", \"address\": 64, \"width\": 1, \"encoding\": \"ascii\", "
        "\"source\": " UNIT "}]";
    const struct field_number taken = {
        .pool = "keys", .text = "k", .key = (const uint8_t *)SECRET, .key_size = strlen(SECRET)};
    struct fields *fields = parsed(list, NULL);
    json_t *good = json("{\"v\": 1}");
    struct field_values values = {.numbers = &taken, .number_count = 1, .unit = good};
    struct patch *patches = NULL;
    struct error error = ERROR_NONE;
    size_t count = 0;
    char *probe = copy_text(SECRET);

    wiped.secret = SECRET;
    free(probe);
    CHECK(wiped.left); /* the trap works */
    wiped.left = false;
    CHECK(fields_encode(fields, &values, &nothing, 0xFF, &patches, &count, &error) == 0 && count == 2);
    CHECK(memcmp(patches[0].bytes, SECRET, strlen(SECRET)) == 0);
    patches_free(patches, count);
    values.unit = NULL; /* the second field fails */
    CHECK(fields_encode(fields, &values, &nothing, 0xFF, &patches, &count, &error) == -EINVAL);
    CHECK(!strstr(error.text, SECRET));
    CHECK(!wiped.left);
    wiped.secret = NULL;
    fields_free(fields);
    json_decref(good);
}

static const struct test tests[] = {
    {"units give texts, numbers and bytes", units_give_texts_numbers_and_bytes},
    {"pools give text, value or key", pools_give_text_value_or_key},
    {"the chip gives its id", the_chip_gives_its_id},
    {"dates and constants", dates_and_constants},
    {"an order can be checked", an_order_can_be_checked},
    {"a list is taken whole or refused", a_list_is_taken_whole_or_refused},
    {"what no unit could fill is refused at once", what_no_unit_could_fill_is_refused_at_once},
    {"checks are refused alike", checks_are_refused_alike},
    {"two on the same byte are both named", two_on_the_same_byte_are_both_named},
    {"a check is made over what is there before", a_check_is_made_over_what_is_there_before},
    {"places are told", places_are_told},
    {"no lists are no fields", no_lists_are_no_fields},
    {"sums are those of their catalogue", sums_are_those_of_their_catalogue},
    {"sums see fields, gaps and earlier sums", sums_see_fields_gaps_and_earlier_sums},
    {"the digest does not depend on the order", the_digest_does_not_depend_on_the_order},
    {"keys are wiped whatever happens", keys_are_wiped_whatever_happens},
};

TEST_MAIN(tests)
