/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of fields and checks as a recipe brings them, and what an order says of a unit: whatever they hold,
 * the bytes that come out are where the lists say, or there is a sentence. The input is one JSON object:
 * fields, checks, unit, numbers [{pool, text, number, key}], uid (a text), utc_us. */
#include "fuzz.h"

#include "fields.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 4

/* Sums over more take their time and find no more. */
#define RANGES_MOST (1u << 20)

static void check_spans(const struct fields *fields)
{
    size_t count;
    const struct chip_span *spans = fields_spans(fields, &count);
    uint64_t placed = 0, spanned = 0;

    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(spans[i].size > 0);
        FUZZ_CHECK(i == 0 || spans[i].address > (uint64_t)spans[i - 1].address + spans[i - 1].size);
        spanned += spans[i].size;
    }
    for (size_t i = 0; i < fields_count(fields); i++) {
        struct field_place place = fields_place(fields, i);
        size_t k = 0;

        while (k < count && (place.address < spans[k].address ||
                             place.address - spans[k].address + (uint64_t)place.size > spans[k].size))
            k++;
        FUZZ_CHECK(k < count);
        placed += place.size;
    }
    FUZZ_CHECK(placed == spanned); /* so no two are on the same byte */
}

static bool takes_long(const struct fields *fields)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < fields_count(fields); i++)
        sum += fields_place(fields, i).range.size;
    return sum > RANGES_MOST;
}

static void check_patches(const struct fields *fields, const struct patch *patches, size_t count)
{
    FUZZ_CHECK(count == fields_count(fields));
    for (size_t i = 0; i < count; i++) {
        struct field_place place = fields_place(fields, i);

        FUZZ_CHECK(patches[i].address == place.address && patches[i].size == place.size);
    }
}

static void encode(const struct fields *fields, const struct field_values *values)
{
    uint8_t data[64] = {1, 2, 3};
    struct image_range range = {.address = 0x08000000, .size = sizeof data, .data = data};
    const struct image image = {.count = 1, .ranges = &range};
    struct patch *patches, *again;
    uint8_t digest[32], same[32];
    struct error error = ERROR_NONE;
    size_t count, count_again;

    if (fields_encode(fields, values, &image, 0xFF, &patches, &count, &error) < 0) {
        FUZZ_CHECK(patches == NULL && count == 0 && error.code < 0 && error.text[0]);
        return;
    }
    check_patches(fields, patches, count);
    FUZZ_CHECK(fields_check(fields, values, &error) == 0);
    FUZZ_CHECK(fields_encode(fields, values, &image, 0xFF, &again, &count_again, &error) == 0);
    patches_digest(patches, count, digest);
    patches_digest(again, count_again, same);
    FUZZ_CHECK(memcmp(digest, same, sizeof digest) == 0);
    patches_free(patches, count);
    patches_free(again, count_again);
}

static size_t read_numbers(struct field_number numbers[NUMBERS], const json_t *list)
{
    size_t count = 0, index;
    const json_t *item;

    json_array_foreach (list, index, item) {
        const char *key = json_string_value(json_object_get(item, "key"));

        if (count == NUMBERS)
            break;
        numbers[count++] =
            (struct field_number){.pool = json_string_value(json_object_get(item, "pool")),
                                  .text = json_string_value(json_object_get(item, "text")),
                                  .number = json_integer_value(json_object_get(item, "number")),
                                  .key = (const uint8_t *)key,
                                  .key_size = key ? strlen(key) : 0};
    }
    return count;
}

static void try_all(const json_t *input)
{
    const char *uid = json_string_value(json_object_get(input, "uid"));
    struct field_number numbers[NUMBERS];
    const struct field_values values = {.unit = json_object_get(input, "unit"),
                                        .numbers = numbers,
                                        .number_count =
                                            read_numbers(numbers, json_object_get(input, "numbers")),
                                        .uid = (const uint8_t *)uid,
                                        .uid_size = uid ? strlen(uid) : 0,
                                        .utc_us = json_integer_value(json_object_get(input, "utc_us"))};
    struct error error = ERROR_NONE;
    struct fields *fields;

    if (fields_parse(&fields, json_object_get(input, "fields"), json_object_get(input, "checks"), &error) <
        0) {
        FUZZ_CHECK(!fields && error.code < 0 && error.text[0]);
        return;
    }
    check_spans(fields);
    if (!takes_long(fields))
        encode(fields, &values);
    fields_free(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *input = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

    if (input)
        try_all(input);
    json_decref(input);
    return 0;
}
