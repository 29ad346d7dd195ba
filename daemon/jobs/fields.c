/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the lists of fields and checks, and answers where they are. What does not make sense whatever the
 * unit may be is refused here, and not at the board. */
#include "fields_parts.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX     256
#define NAME_MAX_BYTES 64
#define WIDTH_MAX      65536
#define BINARY_MAX     8 /* bytes of a number */

static const char *const encoding_words[ENCODINGS] = {
    [ENCODING_ASCII] = "ascii",      [ENCODING_UTF16] = "utf-16le", [ENCODING_BCD] = "bcd",
    [ENCODING_LITTLE] = "binary-le", [ENCODING_BIG] = "binary-be",  [ENCODING_BYTES] = "bytes",
};

static const char *const source_words[SOURCES] = {
    [SOURCE_POOL] = "pool", [SOURCE_UNIT] = "unit",         [SOURCE_UID] = "uid",
    [SOURCE_DATE] = "date", [SOURCE_CONSTANT] = "constant",
};

static const char *const date_words[FIELD_DATES] = {
    [FIELD_DATE_ISO] = "YYYY-MM-DD",
    [FIELD_DATE_YYMMDD] = "YYMMDD",
    [FIELD_DATE_YYWW] = "YYWW",
    [FIELD_DATE_UNIX] = "unix",
};

static const char *const algorithm_words[CHECK_ALGORITHMS] = {
    [CHECK_CRC32] = "crc-32",
    [CHECK_CRC32_MPEG2] = "crc-32/mpeg-2",
    [CHECK_CRC16_MODBUS] = "crc-16/modbus",
    [CHECK_CRC16_CCITT_FALSE] = "crc-16/ccitt-false",
    [CHECK_CRC16_XMODEM] = "crc-16/xmodem",
    [CHECK_CRC16_ARC] = "crc-16/arc",
    [CHECK_SHA256] = "sha-256",
};

uint32_t check_size(enum check_algorithm algorithm)
{
    switch (algorithm) {
    case CHECK_CRC32:
    case CHECK_CRC32_MPEG2:
        return 4;
    case CHECK_CRC16_MODBUS:
    case CHECK_CRC16_CCITT_FALSE:
    case CHECK_CRC16_XMODEM:
    case CHECK_CRC16_ARC:
        return 2;
    case CHECK_SHA256:
    case CHECK_ALGORITHMS:
        break;
    }
    return crypto_hash_sha256_BYTES;
}

/* --- members that both have --------------------------------------------------------------- */

static int refuse(struct error *error, const char *member, const char *wanted)
{
    return error_set(error, -EINVAL, "%s: expected %s", member, wanted);
}

/* The index of a text among words; -1: it is none of them. */
static int find_word(const json_t *value, const char *const *words, int count)
{
    for (int i = 0; json_is_string(value) && i < count; i++)
        if (strcmp(json_string_value(value), words[i]) == 0)
            return i;
    return -1;
}

static int refuse_word(struct error *error, const char *member, const char *const *words, int count)
{
    (void)error_set(error, -EINVAL, "%s: expected one of", member);
    for (int i = 0; i < count; i++) {
        size_t used = strlen(error->text);

        (void)snprintf(error->text + used, sizeof error->text - used, "%s \"%s\"", i ? "," : "", words[i]);
    }
    return error->code;
}

/* A number, or a text such as "0x08000000". */
static int read_word32(const char *name, const json_t *value, uint32_t *word, struct error *error)
{
    const char *text = json_string_value(value);
    unsigned long long number = 0;
    char *end = NULL;

    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= UINT32_MAX) {
        *word = (uint32_t)json_integer_value(value);
        return 0;
    }
    if (text && strncmp(text, "0x", 2) == 0 && strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2))
        number = strtoull(text, &end, 16);
    if (!end || text[2] == '\0' || number > UINT32_MAX)
        return refuse(error, name, "a number of 32 bits, or a text such as \"0x08000000\"");
    *word = (uint32_t)number;
    return 0;
}

/* It goes into sentences, of which each is one line. */
static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            return true;
    return false;
}

static int read_name(const char *name, const json_t *value, char **copy, struct error *error)
{
    const char *text = json_string_value(value);

    if (!text || json_string_length(value) == 0 || json_string_length(value) > NAME_MAX_BYTES ||
        strlen(text) != json_string_length(value) || has_control(text))
        return refuse(error, name, "a text of 1 to 64 bytes without control characters");
    *copy = copy_text(text);
    return 0;
}

static int read_flag(const char *name, const json_t *value, bool *flag, struct error *error)
{
    if (!json_is_boolean(value))
        return refuse(error, name, "true or false");
    *flag = json_is_true(value);
    return 0;
}

struct member {
    const char *name;
    bool needed;
    int (*read)(void *object, const json_t *value, struct error *error);
};

/* Reads every member of an object by its own reader; the table ends with a NULL name. */
static int read_members(const struct member *members, void *into, const json_t *object, struct error *error)
{
    const json_t *value;
    const char *key;

    if (!json_is_object(object))
        return error_set(error, -EINVAL, "expected an object");
    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        const struct member *member = members;

        while (member->name && strcmp(member->name, key) != 0)
            member++;
        if (!member->name)
            return error_set(error, -EINVAL, "%s: there is no such member", key);
        if (member->read(into, value, error) < 0)
            return error->code;
    }
    for (const struct member *member = members; member->name; member++)
        if (member->needed && !json_object_get(object, member->name))
            return error_set(error, -EINVAL, "%s: is missing", member->name);
    return 0;
}

static int read_place_name(void *object, const json_t *value, struct error *error)
{
    return read_name("name", value, &((struct place *)object)->name, error);
}

static int read_place_address(void *object, const json_t *value, struct error *error)
{
    return read_word32("address", value, &((struct place *)object)->address, error);
}

static int read_over_code(void *object, const json_t *value, struct error *error)
{
    return read_flag("over_code", value, &((struct place *)object)->over_code, error);
}

/* --- fields ------------------------------------------------------------------------------- */

static int read_width(void *object, const json_t *value, struct error *error)
{
    json_int_t width = json_integer_value(value); /* 0 of anything else */

    if (width < 1 || width > WIDTH_MAX)
        return refuse(error, "width", "a whole number of bytes from 1 to 65536");
    ((struct field *)object)->place.size = (uint32_t)width;
    return 0;
}

static int read_encoding(void *object, const json_t *value, struct error *error)
{
    int index = find_word(value, encoding_words, ENCODINGS);

    if (index < 0)
        return refuse_word(error, "encoding", encoding_words, ENCODINGS);
    ((struct field *)object)->encoding = (enum field_encoding)index;
    return 0;
}

static int read_pad(void *object, const json_t *value, struct error *error)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 255)
        return refuse(error, "pad", "a byte from 0 to 255");
    ((struct field *)object)->pad = (int)json_integer_value(value);
    return 0;
}

static int read_date(struct field *field, const json_t *value, struct error *error)
{
    int index = find_word(value, date_words, FIELD_DATES);

    if (index < 0)
        return refuse_word(error, "source.date", date_words, FIELD_DATES);
    field->date = (enum field_date)index;
    return 0;
}

static int read_source_value(struct field *field, const json_t *value, struct error *error)
{
    switch (field->source) {
    case SOURCE_POOL:
        return read_name("source.pool", value, &field->word, error);
    case SOURCE_UNIT:
        return read_name("source.unit", value, &field->word, error);
    case SOURCE_UID:
        return json_is_true(value) ? 0 : refuse(error, "source.uid", "true");
    case SOURCE_DATE:
        return read_date(field, value, error);
    case SOURCE_CONSTANT:
    case SOURCES:
        break;
    }
    field->constant = json_incref((json_t *)(uintptr_t)value);
    return 0;
}

static int read_source(void *object, const json_t *value, struct error *error)
{
    struct field *field = object;

    for (int i = 0; json_object_size(value) == 1 && i < SOURCES; i++) {
        const json_t *what = json_object_get(value, source_words[i]);

        field->source = (enum field_source)i;
        if (what)
            return read_source_value(field, what, error);
    }
    return refuse(error, "source",
                  "an object with one of \"pool\", \"unit\", \"uid\", \"date\", \"constant\"");
}

static const struct member field_members[] = {
    {.name = "name", .needed = true, .read = read_place_name},
    {.name = "address", .needed = true, .read = read_place_address},
    {.name = "width", .needed = true, .read = read_width},
    {.name = "encoding", .needed = true, .read = read_encoding},
    {.name = "source", .needed = true, .read = read_source},
    {.name = "pad", .read = read_pad},
    {.name = "over_code", .read = read_over_code},
    {.name = NULL},
};

static int check_end(const struct place *place, struct error *error)
{
    return (uint64_t)place->address + place->size <= UINT64_C(1) << 32
               ? 0
               : error_set(error, -EINVAL,
                           "address: %" PRIu32 " bytes from 0x%08" PRIx32 " go past the last one",
                           place->size, place->address);
}

/* Whether such a source has something that such an encoding can write. */
static int check_source(const struct field *field, struct error *error)
{
    if (field->source == SOURCE_UID && !field_is_text(field->encoding) && field->encoding != ENCODING_BYTES)
        return refuse(error, "encoding", "\"ascii\", \"utf-16le\" or \"bytes\" for a unique id");
    if (field->source == SOURCE_DATE && field->encoding == ENCODING_BYTES)
        return refuse(error, "encoding", "a text, \"bcd\" or, for \"unix\", a binary one for a date");
    if (field->source == SOURCE_DATE && field->date != FIELD_DATE_UNIX && field_is_binary(field->encoding))
        return refuse(error, "source.date", "\"unix\" for a binary encoding");
    return 0;
}

static int check_field(const struct field *field, struct error *error)
{
    uint8_t *bytes;
    int status;

    if (check_end(&field->place, error) < 0 || check_source(field, error) < 0)
        return error->code;
    if (field_is_binary(field->encoding) && field->place.size > BINARY_MAX)
        return refuse(error, "width", "at most 8 for a binary number");
    if (field->encoding == ENCODING_UTF16 && field->place.size % 2)
        return refuse(error, "width", "an even number for utf-16le");
    if (field->pad >= 0 && (field_is_binary(field->encoding) || field->encoding == ENCODING_BCD))
        return refuse(error, "pad", "nothing for a number, which has leading zeros");
    if (field->source != SOURCE_CONSTANT)
        return 0;
    bytes = allocate(field->place.size, 1); /* the same for all units: tried now */
    status = field_encode(field, &(struct field_values){.uid = NULL}, bytes, error);
    sodium_memzero(bytes, field->place.size);
    free(bytes);
    return status < 0 ? error_prefix(error, "source.constant") : 0;
}

/* --- checks ------------------------------------------------------------------------------- */

static int read_algorithm(void *object, const json_t *value, struct error *error)
{
    struct check *check = object;
    int index = find_word(value, algorithm_words, CHECK_ALGORITHMS);

    if (index < 0)
        return refuse_word(error, "algorithm", algorithm_words, CHECK_ALGORITHMS);
    check->algorithm = (enum check_algorithm)index;
    check->place.size = check_size(check->algorithm);
    return 0;
}

static int read_endian(void *object, const json_t *value, struct error *error)
{
    static const char *const words[] = {"little", "big"};
    int index = find_word(value, words, 2);

    if (index < 0)
        return refuse_word(error, "endian", words, 2);
    ((struct check *)object)->big = index == 1;
    return 0;
}

static int read_range_address(void *object, const json_t *value, struct error *error)
{
    return read_word32("range.address", value, &((struct chip_span *)object)->address, error);
}

static int read_range_size(void *object, const json_t *value, struct error *error)
{
    return read_word32("range.size", value, &((struct chip_span *)object)->size, error);
}

static int read_range(void *object, const json_t *value, struct error *error)
{
    static const struct member members[] = {
        {.name = "address", .needed = true, .read = read_range_address},
        {.name = "size", .needed = true, .read = read_range_size},
        {.name = NULL},
    };
    struct chip_span *range = &((struct check *)object)->range;

    if (read_members(members, range, value, error) < 0)
        return error_prefix(error, "range");
    if (range->size == 0 || range->size > IMAGE_MAX_BYTES ||
        (uint64_t)range->address + range->size > UINT64_C(1) << 32)
        return refuse(error, "range.size", "1 byte to 64 MiB, and none past the last address");
    return 0;
}

static const struct member check_members[] = {
    {.name = "name", .needed = true, .read = read_place_name},
    {.name = "address", .needed = true, .read = read_place_address},
    {.name = "algorithm", .needed = true, .read = read_algorithm},
    {.name = "range", .needed = true, .read = read_range},
    {.name = "endian", .read = read_endian},
    {.name = "over_code", .read = read_over_code},
    {.name = NULL},
};

/* --- both lists --------------------------------------------------------------------------- */

static const struct place *place_at(const struct fields *fields, size_t index)
{
    return index < fields->field_count ? &fields->fields[index].place
                                       : &fields->checks[index - fields->field_count].place;
}

static int blame(struct error *error, const char *list, size_t index, const struct place *place)
{
    return place->name ? error_prefix(error, "%s[%zu] \"%s\"", list, index, place->name)
                       : error_prefix(error, "%s[%zu]", list, index);
}

/* How many items a list has; -EINVAL when it is none. */
static int list_size(const char *name, const json_t *list, size_t *size, struct error *error)
{
    *size = json_array_size(list);
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list) || *size > FIELDS_MAX)
        return error_set(error, -EINVAL, "%s: expected a list of at most %d", name, FIELDS_MAX);
    return 0;
}

static int read_fields(struct fields *fields, const json_t *list, struct error *error)
{
    size_t count;

    if (list_size("fields", list, &count, error) < 0)
        return error->code;
    fields->fields = allocate(count, sizeof *fields->fields);
    while (fields->field_count < count) {
        size_t index = fields->field_count++;
        struct field *field = &fields->fields[index];

        *field = (struct field){.pad = -1};
        if (read_members(field_members, field, json_array_get(list, index), error) < 0 ||
            check_field(field, error) < 0)
            return blame(error, "fields", index, &field->place);
    }
    return 0;
}

static int read_checks(struct fields *fields, const json_t *list, struct error *error)
{
    size_t count;

    if (list_size("checks", list, &count, error) < 0)
        return error->code;
    fields->checks = allocate(count, sizeof *fields->checks);
    while (fields->check_count < count) {
        size_t index = fields->check_count++;
        struct check *check = &fields->checks[index];

        if (read_members(check_members, check, json_array_get(list, index), error) < 0 ||
            check_end(&check->place, error) < 0)
            return blame(error, "checks", index, &check->place);
    }
    return 0;
}

static bool meet(uint32_t address, uint32_t size, uint32_t other, uint32_t other_size)
{
    return (uint64_t)address < (uint64_t)other + other_size && (uint64_t)other < (uint64_t)address + size;
}

static int check_pair(const struct place *one, const struct place *other, struct error *error)
{
    if (strcmp(one->name, other->name) == 0)
        return error_set(error, -EINVAL, "fields and checks: there are two of the name \"%s\"", one->name);
    if (meet(one->address, one->size, other->address, other->size))
        return error_set(error, -EINVAL,
                         "\"%s\" (0x%08" PRIx32 ", %" PRIu32 " bytes) and \"%s\" (0x%08" PRIx32 ", %" PRIu32
                         " bytes) are on the same bytes: move one of them",
                         one->name, one->address, one->size, other->name, other->address, other->size);
    return 0;
}

static int check_places(const struct fields *fields, struct error *error)
{
    for (size_t i = 0; i < fields_count(fields); i++)
        for (size_t k = 0; k < i; k++)
            if (check_pair(place_at(fields, k), place_at(fields, i), error) < 0)
                return error->code;
    return 0;
}

/* A check cannot be made over what is made after it, nor over itself. */
static int check_order(const struct fields *fields, struct error *error)
{
    for (size_t i = 0; i < fields->check_count; i++)
        for (size_t k = i; k < fields->check_count; k++) {
            const struct check *check = &fields->checks[i];
            const struct place *later = &fields->checks[k].place;

            if (meet(check->range.address, check->range.size, later->address, later->size))
                return error_set(error, -EINVAL,
                                 "checks: the range of \"%s\" has \"%s\" in it, which is not made before it: "
                                 "%s",
                                 check->place.name, later->name,
                                 k == i ? "end the range before it" : "put it first in the list");
        }
    return 0;
}

static int by_address(const void *left, const void *right)
{
    const struct chip_span *a = left, *b = right;

    return a->address < b->address ? -1 : a->address > b->address;
}

static void make_spans(struct fields *fields)
{
    size_t count = fields_count(fields), kept = 0;
    struct chip_span *spans = allocate(count, sizeof *spans);

    for (size_t i = 0; i < count; i++)
        spans[i] =
            (struct chip_span){.address = place_at(fields, i)->address, .size = place_at(fields, i)->size};
    qsort(spans, count, sizeof *spans, by_address);
    for (size_t i = 0; i < count; i++) {
        if (kept && (uint64_t)spans[kept - 1].address + spans[kept - 1].size == spans[i].address)
            spans[kept - 1].size += spans[i].size;
        else
            spans[kept++] = spans[i];
    }
    fields->spans = spans;
    fields->span_count = kept;
}

static void find_pools(struct fields *fields)
{
    fields->pools = allocate(fields->field_count, sizeof *fields->pools);
    for (size_t i = 0; i < fields->field_count; i++) {
        const struct field *field = &fields->fields[i];
        size_t k = 0;

        if (field->source != SOURCE_POOL)
            continue;
        while (k < fields->pool_count && strcmp(fields->pools[k], field->word) != 0)
            k++;
        if (k == fields->pool_count)
            fields->pools[fields->pool_count++] = field->word;
    }
}

int fields_parse(struct fields **fields, const json_t *list, const json_t *checks, struct error *error)
{
    struct fields *made = allocate(1, sizeof *made);

    *fields = NULL;
    if (read_fields(made, list, error) < 0 || read_checks(made, checks, error) < 0 ||
        check_places(made, error) < 0 || check_order(made, error) < 0) {
        fields_free(made);
        return error->code;
    }
    make_spans(made);
    find_pools(made);
    *fields = made;
    return 0;
}

void fields_free(struct fields *fields)
{
    if (!fields)
        return;
    for (size_t i = 0; i < fields->field_count; i++) {
        free(fields->fields[i].place.name);
        free(fields->fields[i].word);
        json_decref(fields->fields[i].constant);
    }
    for (size_t i = 0; i < fields->check_count; i++)
        free(fields->checks[i].place.name);
    free(fields->fields);
    free(fields->checks);
    free(fields->spans);
    free(fields->pools);
    free(fields);
}

/* --- answers ------------------------------------------------------------------------------ */

size_t fields_count(const struct fields *fields)
{
    return fields->field_count + fields->check_count;
}

const struct chip_span *fields_spans(const struct fields *fields, size_t *count)
{
    *count = fields->span_count;
    return fields->spans;
}

struct field_place fields_place(const struct fields *fields, size_t index)
{
    const struct place *place = place_at(fields, index);
    bool is_check = index >= fields->field_count;

    return (struct field_place){.name = place->name,
                                .address = place->address,
                                .size = place->size,
                                .is_check = is_check,
                                .over_code = place->over_code,
                                .range = is_check ? fields->checks[index - fields->field_count].range
                                                  : (struct chip_span){.size = 0}};
}

size_t fields_pools(const struct fields *fields, const char *const **names)
{
    *names = fields->pools;
    return fields->pool_count;
}
