/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one unit: what a field's source has for it, in the field's encoding; then the checks over all
 * of it. A value that is missing or too wide is an error that says so without the value, where that could be
 * a secret. */
#include "fields_parts.h"

#include "alloc.h"
#include "bytes.h"
#include "number_format.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* --- values ------------------------------------------------------------------------------- */

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BYTES };

struct value {
    enum value_kind kind;
    const char *text; /* of VALUE_TEXT */
    uint64_t number;
    const uint8_t *bytes;
    size_t size;
    char made[2 * BOARD_UID_MAX + 1]; /* what `text` is when nobody else has it */
    uint8_t *owned;                   /* what `bytes` is then */
};

static void clear_value(struct value *value)
{
    if (value->owned)
        sodium_memzero(value->owned, value->size);
    free(value->owned);
}

/* Canonical base64: no other text gives the same bytes. The decoder alone takes bytes above 127 for digits,
 * so what it made is encoded again. */
static bool decode_base64(struct value *value, const char *text, size_t length)
{
    size_t size = sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL);
    char *again;
    bool good;

    if (sodium_base642bin(value->owned, value->size, text, length, NULL, &value->size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    again = allocate(size, 1);
    (void)sodium_bin2base64(again, size, value->owned, value->size, sodium_base64_VARIANT_ORIGINAL);
    good = strcmp(again, text) == 0;
    sodium_memzero(again, size);
    free(again);
    return good;
}

/* {"hex": …} or {"base64": …}. */
static int decode_bytes(struct value *value, const json_t *object, struct error *error)
{
    const char *hex = json_string_value(json_object_get(object, "hex"));
    const char *base64 = json_string_value(json_object_get(object, "base64"));
    size_t length = strlen(hex ? hex : base64 ? base64 : "");
    bool good = json_object_size(object) == 1 && length > 0;

    value->kind = VALUE_BYTES;
    value->size = hex ? length / 2 : length;
    value->owned = allocate(value->size, 1);
    value->bytes = value->owned;
    if (good && hex)
        good = length % 2 == 0 && bytes_from_hex(hex, value->owned, value->size);
    else if (good)
        good = decode_base64(value, base64, length);
    return good ? 0 : error_set(error, -EINVAL, "expected {\"hex\": digits} or {\"base64\": text}");
}

static int value_of_json(struct value *value, const json_t *json, struct error *error)
{
    if (json_is_string(json) && strlen(json_string_value(json)) == json_string_length(json)) {
        value->kind = VALUE_TEXT;
        value->text = json_string_value(json);
        return 0;
    }
    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        value->kind = VALUE_NUMBER;
        value->number = (uint64_t)json_integer_value(json);
        return 0;
    }
    if (json_is_object(json))
        return decode_bytes(value, json, error);
    return error_set(error, -EINVAL,
                     "expected a text without zeros, a whole number from 0, or {\"hex\": digits} or "
                     "{\"base64\": text}");
}

static int value_of_pool(struct value *value, const struct field *field, const struct field_values *values,
                         struct error *error)
{
    const struct field_number *number = NULL;

    for (size_t i = 0; i < values->number_count && !number; i++)
        if (values->numbers[i].pool && strcmp(values->numbers[i].pool, field->word) == 0)
            number = &values->numbers[i];
    if (!number || !(number->key || number->text))
        return error_set(error, -EINVAL, "no number of the pool \"%s\" was taken for the unit", field->word);
    if (number->key) {
        value->kind = VALUE_BYTES;
        value->bytes = number->key;
        value->size = number->key_size;
    } else if (field_is_text(field->encoding)) {
        value->kind = VALUE_TEXT;
        value->text = number->text;
    } else {
        value->kind = VALUE_NUMBER;
        value->number = (uint64_t)number->number;
    }
    return number->key || number->number >= 0 ? 0 : error_set(error, -EINVAL, "the number is negative");
}

static int value_of_uid(struct value *value, const struct field *field, const struct field_values *values,
                        struct error *error)
{
    if (values->uid_size == 0 || values->uid_size > BOARD_UID_MAX)
        return error_set(error, -EINVAL, "the chip has no unique id that can be read");
    value->kind = VALUE_BYTES;
    value->bytes = values->uid;
    value->size = values->uid_size;
    if (!field_is_text(field->encoding))
        return 0;
    bytes_to_hex(values->uid, values->uid_size, value->made);
    value->kind = VALUE_TEXT;
    value->text = value->made;
    return 0;
}

static void value_of_date(struct value *value, const struct field *field, int64_t utc_us)
{
    char date[NUMBER_DATE_MAX];

    value->kind = VALUE_TEXT;
    value->text = value->made;
    switch (field->date) {
    case FIELD_DATE_ISO:
        number_date(DATE_YYYYMMDD, utc_us, date);
        (void)snprintf(value->made, sizeof value->made,
                       field->encoding == ENCODING_BCD ? "%.4s%.2s%.2s" : "%.4s-%.2s-%.2s", date, date + 4,
                       date + 6);
        break;
    case FIELD_DATE_YYMMDD:
        number_date(DATE_YYMMDD, utc_us, value->made);
        break;
    case FIELD_DATE_YYWW:
        number_date(DATE_YYWW, utc_us, value->made);
        break;
    case FIELD_DATE_UNIX:
    case FIELD_DATES:
        value->kind = VALUE_NUMBER;
        value->number = utc_us > 0 ? (uint64_t)(utc_us / 1000000) : 0;
        break;
    }
}

static int find_value(struct value *value, const struct field *field, const struct field_values *values,
                      struct error *error)
{
    const json_t *member;

    switch (field->source) {
    case SOURCE_POOL:
        return value_of_pool(value, field, values, error);
    case SOURCE_UNIT:
        member = json_object_get(values->unit, field->word);
        if (!member)
            return error_set(error, -EINVAL, "the unit has no member \"%s\"", field->word);
        return value_of_json(value, member, error);
    case SOURCE_UID:
        return value_of_uid(value, field, values, error);
    case SOURCE_DATE:
        value_of_date(value, field, values->utc_us);
        return 0;
    case SOURCE_CONSTANT:
    case SOURCES:
        break;
    }
    return value_of_json(value, field->constant, error);
}

/* --- encodings ---------------------------------------------------------------------------- */

static int too_wide(struct error *error, const struct field *field, size_t size)
{
    return error_set(error, -EINVAL, "the value takes %zu bytes, the field has %" PRIu32, size,
                     field->place.size);
}

/* A value as text: a number has its decimal digits. */
static int text_of(const struct value *value, char digits[24], const char **text, struct error *error)
{
    switch (value->kind) {
    case VALUE_TEXT:
        *text = value->text;
        return 0;
    case VALUE_NUMBER:
        (void)snprintf(digits, 24, "%" PRIu64, value->number);
        *text = digits;
        return 0;
    case VALUE_BYTES:
        break;
    }
    return error_set(error, -EINVAL, "bytes have no text: encode them as \"bytes\"");
}

static int put_ascii(const struct field *field, const char *text, uint8_t *bytes, struct error *error)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if (text[i] & 0x80)
            return error_set(error, -EINVAL, "the text has characters that ASCII has not: use utf-16le");
    if (length > field->place.size)
        return too_wide(error, field, length);
    memcpy(bytes, text, length); /* NOLINT(bugprone-not-null-terminated-result): not a C text */
    return 0;
}

/* Takes one character off UTF-8; -1: it is not whole. */
static int32_t take_character(const uint8_t **text)
{
    const uint8_t *at = *text;
    unsigned more = at[0] < 0x80 ? 0 : at[0] >> 5 == 6 ? 1 : at[0] >> 4 == 14 ? 2 : at[0] >> 3 == 30 ? 3 : 4;
    int32_t character = more ? at[0] & (0x3F >> more) : at[0];

    for (unsigned i = 1; i <= more; i++) {
        if (more == 4 || at[i] >> 6 != 2)
            return -1;
        character = character << 6 | (at[i] & 0x3F);
    }
    *text = at + 1 + more;
    return character;
}

static size_t put_unit16(uint8_t *bytes, size_t used, size_t room, uint32_t unit)
{
    if (used + 2 <= room) {
        bytes[used] = (uint8_t)unit;
        bytes[used + 1] = (uint8_t)(unit >> 8);
    }
    return used + 2;
}

/* The Unicode Standard, 3.9: characters past 0xFFFF take two units of 16 bits. */
static int put_utf16(const struct field *field, const char *text, uint8_t *bytes, struct error *error)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t used = 0, room = field->place.size;

    while (*at) {
        int32_t character = take_character(&at);
        uint32_t rest = (uint32_t)character - 0x10000;

        if (character < 0 || character > 0x10FFFF)
            return error_set(error, -EINVAL, "the text is no UTF-8");
        if (character < 0x10000) {
            used = put_unit16(bytes, used, room, (uint32_t)character);
        } else {
            used = put_unit16(bytes, used, room, 0xD800 | rest >> 10);
            used = put_unit16(bytes, used, room, 0xDC00 | (rest & 0x3FF));
        }
    }
    return used <= room ? 0 : too_wide(error, field, used);
}

/* Two digits a byte, the first ones first, with zeros before them. */
static int put_bcd(const struct field *field, const char *text, uint8_t *bytes, struct error *error)
{
    size_t length = strlen(text), room = 2 * (size_t)field->place.size;

    if (length == 0 || strspn(text, "0123456789") != length)
        return error_set(error, -EINVAL, "the value has other characters than the decimal digits of BCD");
    if (length > room)
        return too_wide(error, field, (length + 1) / 2);
    for (size_t i = 0; i < length; i++) {
        size_t at = room - length + i;

        bytes[at / 2] = (uint8_t)(bytes[at / 2] | (text[i] - '0') << (at % 2 ? 0 : 4));
    }
    return 0;
}

/* A value as number: a text has decimal digits and nothing else. */
static int number_of(const struct value *value, uint64_t *number, struct error *error)
{
    const char *text = value->text;

    *number = value->number;
    if (value->kind == VALUE_NUMBER)
        return 0;
    *number = 0;
    if (value->kind == VALUE_BYTES || *text == '\0' || strspn(text, "0123456789") != strlen(text))
        return error_set(error, -EINVAL, "the value is no whole decimal number");
    for (; *text; text++) {
        if (__builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(*text - '0'), number))
            return error_set(error, -EINVAL, "the value has more than 64 bits");
    }
    return 0;
}

static int put_number(const struct field *field, uint64_t number, uint8_t *bytes, struct error *error)
{
    uint32_t width = field->place.size;

    if (width < sizeof number && number >> 8 * width)
        return error_set(error, -EINVAL, "%" PRIu64 " does not fit %" PRIu32 " bytes", number, width);
    for (uint32_t i = 0; i < width; i++, number >>= 8)
        bytes[field->encoding == ENCODING_BIG ? width - 1 - i : i] = (uint8_t)number;
    return 0;
}

/* "00:25:9c:…" or "00-25-9c-…", as addresses are written. Digits without separators could be meant as
 * anything, and are refused. Returns the number of bytes, 0: it is no such text. */
static size_t separated_bytes(const char *text, uint8_t *bytes, size_t room)
{
    size_t count = (strlen(text) + 1) / 3;

    if (count < 2 || strlen(text) != 3 * count - 1 || (text[2] != ':' && text[2] != '-'))
        return 0;
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit_value(text[3 * i]), low = hex_digit_value(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i + 1 < count && text[3 * i + 2] != text[2]))
            return 0;
        if (i < room)
            bytes[i] = (uint8_t)(high << 4 | low);
    }
    return count;
}

static int put_bytes(const struct field *field, const struct value *value, uint8_t *bytes,
                     struct error *error)
{
    size_t width = field->place.size, size = value->size;

    if (value->kind == VALUE_TEXT)
        size = separated_bytes(value->text, bytes, width);
    else if (value->kind == VALUE_BYTES && size <= width)
        memcpy(bytes, value->bytes, size);
    if (value->kind == VALUE_NUMBER || size == 0)
        return error_set(error, -EINVAL, "the value is none of bytes: give {\"hex\": digits}");
    if (size > width || (size < width && field->pad < 0))
        return error_set(error, -EINVAL, "the value takes %zu bytes, the field has %zu%s", size, width,
                         size < width ? " and no pad" : "");
    return 0;
}

static int put_value(const struct field *field, const struct value *value, uint8_t *bytes,
                     struct error *error)
{
    const char *text = "";
    char digits[24];
    uint64_t number;

    switch (field->encoding) {
    case ENCODING_ASCII:
        return text_of(value, digits, &text, error) < 0 ? error->code : put_ascii(field, text, bytes, error);
    case ENCODING_UTF16:
        return text_of(value, digits, &text, error) < 0 ? error->code : put_utf16(field, text, bytes, error);
    case ENCODING_BCD:
        return text_of(value, digits, &text, error) < 0 ? error->code : put_bcd(field, text, bytes, error);
    case ENCODING_LITTLE:
    case ENCODING_BIG:
        return number_of(value, &number, error) < 0 ? error->code : put_number(field, number, bytes, error);
    case ENCODING_BYTES:
    case ENCODINGS:
        break;
    }
    return put_bytes(field, value, bytes, error);
}

int field_encode(const struct field *field, const struct field_values *values, uint8_t *bytes,
                 struct error *error)
{
    struct value value = {.kind = VALUE_TEXT};
    int status;

    memset(bytes, field->pad < 0 ? 0 : field->pad, field->place.size);
    status = find_value(&value, field, values, error);
    if (status == 0)
        status = put_value(field, &value, bytes, error);
    clear_value(&value);
    return status;
}

/* --- checks ------------------------------------------------------------------------------- */

/* Parameters as Greg Cook's catalogue of CRC algorithms lists them; a reflected polynomial is written in the
 * order of its use, and no algorithm here changes its result at the end. */
struct crc {
    unsigned width;
    uint32_t polynomial, first;
    bool reflected;
};

static const struct crc crcs[CHECK_ALGORITHMS] = {
    [CHECK_CRC32_MPEG2] = {.width = 32, .polynomial = 0x04C11DB7, .first = 0xFFFFFFFF},
    [CHECK_CRC16_MODBUS] = {.width = 16, .polynomial = 0xA001, .first = 0xFFFF, .reflected = true},
    [CHECK_CRC16_CCITT_FALSE] = {.width = 16, .polynomial = 0x1021, .first = 0xFFFF},
    [CHECK_CRC16_XMODEM] = {.width = 16, .polynomial = 0x1021, .first = 0},
    [CHECK_CRC16_ARC] = {.width = 16, .polynomial = 0xA001, .first = 0, .reflected = true},
};

struct sum {
    enum check_algorithm algorithm;
    uint32_t value; /* of a CRC that is not reflected: at the upper end */
    uint32_t table[256];
    crypto_hash_sha256_state sha256;
};

static void make_table(const struct crc *crc, uint32_t table[256])
{
    uint32_t polynomial = crc->reflected ? crc->polynomial : crc->polynomial << (32 - crc->width);

    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = crc->reflected ? byte : byte << 24;

        for (int bit = 0; bit < 8; bit++) {
            if (crc->reflected)
                value = value >> 1 ^ (value & 1 ? polynomial : 0);
            else
                value = value << 1 ^ (value & 0x80000000 ? polynomial : 0);
        }
        table[byte] = value;
    }
}

static void begin_sum(struct sum *sum, enum check_algorithm algorithm)
{
    const struct crc *crc = &crcs[algorithm];

    *sum = (struct sum){.algorithm = algorithm};
    if (algorithm == CHECK_SHA256) {
        (void)crypto_hash_sha256_init(&sum->sha256);
    } else if (algorithm != CHECK_CRC32) {
        make_table(crc, sum->table);
        sum->value = crc->reflected ? crc->first : crc->first << (32 - crc->width);
    }
}

static void add_to_sum(struct sum *sum, const uint8_t *bytes, size_t size)
{
    if (sum->algorithm == CHECK_SHA256) {
        (void)crypto_hash_sha256_update(&sum->sha256, bytes, size);
        return;
    }
    if (sum->algorithm == CHECK_CRC32) {
        sum->value = (uint32_t)crc32_z(sum->value, bytes, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        sum->value = crcs[sum->algorithm].reflected
                         ? sum->table[(sum->value ^ bytes[i]) & 0xFF] ^ sum->value >> 8
                         : sum->table[sum->value >> 24 ^ bytes[i]] ^ sum->value << 8;
}

static void end_sum(struct sum *sum, bool big, uint8_t *bytes)
{
    const struct crc *crc = &crcs[sum->algorithm];
    uint32_t size = check_size(sum->algorithm), value = sum->value;

    if (sum->algorithm == CHECK_SHA256) {
        (void)crypto_hash_sha256_final(&sum->sha256, bytes);
        return;
    }
    if (sum->algorithm != CHECK_CRC32 && !crc->reflected)
        value >>= 32 - crc->width;
    for (uint32_t i = 0; i < size; i++, value >>= 8)
        bytes[big ? size - 1 - i : i] = (uint8_t)value;
}

/* The image with the patches in place. */
static void read_patched(const struct image *image, const struct patch *patches, size_t count,
                         uint32_t address, uint8_t *bytes, uint32_t size, uint8_t blank)
{
    uint64_t end = (uint64_t)address + size;

    (void)image_read(image, address, bytes, size, blank);
    for (size_t i = 0; i < count; i++) {
        const struct patch *patch = &patches[i];
        uint64_t from = patch->address > address ? patch->address : address;
        uint64_t to = (uint64_t)patch->address + patch->size;

        to = to < end ? to : end;
        if (from < to)
            memcpy(bytes + (from - address), patch->bytes + (from - patch->address), to - from);
    }
}

#define PIECE 1024u

static void make_check(const struct check *check, const struct image *image, uint8_t blank,
                       const struct patch *patches, size_t count, uint8_t *result)
{
    uint8_t bytes[PIECE];
    struct sum sum;

    begin_sum(&sum, check->algorithm);
    for (uint32_t at = 0; at < check->range.size;) {
        uint32_t left = check->range.size - at, size = left < PIECE ? left : PIECE;

        read_patched(image, patches, count, check->range.address + at, bytes, size, blank);
        add_to_sum(&sum, bytes, size);
        at += size;
    }
    end_sum(&sum, check->big, result);
    sodium_memzero(bytes, sizeof bytes); /* a key may lie in the range */
    sodium_memzero(&sum, sizeof sum);
}

/* --- all of it ---------------------------------------------------------------------------- */

static bool is_known(const struct field *field, const struct field_values *values)
{
    for (size_t i = 0; field->source == SOURCE_POOL && i < values->number_count; i++)
        if (values->numbers[i].pool && strcmp(values->numbers[i].pool, field->word) == 0)
            return true;
    return field->source == SOURCE_UNIT && values->unit;
}

int fields_check(const struct fields *fields, const struct field_values *values, struct error *error)
{
    for (size_t i = 0; i < fields->field_count; i++) {
        const struct field *field = &fields->fields[i];
        uint8_t *bytes;
        int status;

        if (!is_known(field, values))
            continue;
        bytes = allocate(field->place.size, 1);
        status = field_encode(field, values, bytes, error);
        sodium_memzero(bytes, field->place.size);
        free(bytes);
        if (status < 0)
            return error_prefix(error, "field \"%s\"", field->place.name);
    }
    return 0;
}

static uint8_t *add_patch(struct patch *patches, size_t *count, const struct place *place)
{
    uint8_t *bytes = allocate(place->size, 1);

    patches[(*count)++] = (struct patch){.address = place->address, .size = place->size, .bytes = bytes};
    return bytes;
}

int fields_encode(const struct fields *fields, const struct field_values *values, const struct image *image,
                  uint8_t erased_value, struct patch **patches, size_t *count, struct error *error)
{
    struct patch *made = allocate(fields_count(fields), sizeof *made);
    size_t used = 0;

    *patches = NULL;
    *count = 0;
    for (size_t i = 0; i < fields->field_count; i++) {
        const struct field *field = &fields->fields[i];
        uint8_t *bytes = add_patch(made, &used, &field->place);

        if (field_encode(field, values, bytes, error) < 0) {
            patches_free(made, used);
            return error_prefix(error, "field \"%s\"", field->place.name);
        }
    }
    for (size_t i = 0; i < fields->check_count; i++) {
        const struct check *check = &fields->checks[i];
        size_t before = used;
        uint8_t *bytes = add_patch(made, &used, &check->place);

        make_check(check, image, erased_value, made, before, bytes);
    }
    *patches = made;
    *count = used;
    return 0;
}

void patches_free(struct patch *patches, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)patches[i].bytes; /* made in fields_encode() */

        sodium_memzero(bytes, patches[i].size);
        free(bytes);
    }
    free(patches);
}

static int by_address(const void *left, const void *right)
{
    const struct patch *a = *(const struct patch *const *)left, *b = *(const struct patch *const *)right;

    return a->address < b->address ? -1 : a->address > b->address;
}

void patches_digest(const struct patch *patches, size_t count, uint8_t digest[32])
{
    const struct patch **sorted = allocate(count, sizeof *sorted);
    crypto_hash_sha256_state state;
    uint8_t head[8];

    for (size_t i = 0; i < count; i++)
        sorted[i] = &patches[i];
    qsort(sorted, count, sizeof *sorted, by_address);
    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++) {
        put_be32(head, sorted[i]->address);
        put_be32(head + 4, sorted[i]->size);
        (void)crypto_hash_sha256_update(&state, head, sizeof head);
        (void)crypto_hash_sha256_update(&state, sorted[i]->bytes, sorted[i]->size);
    }
    (void)crypto_hash_sha256_final(&state, digest);
    sodium_memzero(&state, sizeof state);
    free(sorted);
}
