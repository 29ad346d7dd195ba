/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of serial pools: what a format writes it reads again as the same number, and of what else it reads
 * it would write the same. The input is one JSON object: kind (0 to 2), format, number, utc_us, text. */
#include "fuzz.h"

#include "number_format.h"

#include <string.h>

static void write_and_read(const struct number_format *format, int64_t number, int64_t utc_us)
{
    char text[NUMBER_TEXT_MAX];
    struct error error = ERROR_NONE;
    int64_t back = -1;

    if (number_format_write(format, number, utc_us, text, &error) < 0) {
        FUZZ_CHECK(text[0] == '\0' && error.code < 0 && error.text[0]);
        FUZZ_CHECK(format->kind == POOL_KEY || number < 0 || number > number_format_max(format));
        return;
    }
    FUZZ_CHECK(strlen(text) < NUMBER_TEXT_MAX && strpbrk(text, " \t\n") == NULL);
    FUZZ_CHECK(number_format_read(format, text, &back) && back == number);
}

static void read_and_write(const struct number_format *format, const char *text)
{
    char again[NUMBER_TEXT_MAX];
    struct error error;
    int64_t number = -1;

    if (!number_format_read(format, text, &number))
        return;
    FUZZ_CHECK(number >= 0 && number <= number_format_max(format));
    if (format->date == DATE_NONE) { /* which day it was is not known */
        FUZZ_CHECK(number_format_write(format, number, 0, again, &error) == 0);
        FUZZ_CHECK(strcmp(text, again) == 0);
    }
}

static void try_all(const json_t *input)
{
    enum pool_kind kind =
        (enum pool_kind)((json_int_t)json_integer_value(json_object_get(input, "kind")) & 3);
    const char *text = json_string_value(json_object_get(input, "text"));
    int64_t number = json_integer_value(json_object_get(input, "number"));
    struct number_format format;
    struct error error = ERROR_NONE;

    kind = kind > POOL_KEY ? POOL_SERIAL : kind;
    if (number_format_parse(&format, kind, json_object_get(input, "format"), &error) < 0) {
        FUZZ_CHECK(error.code < 0 && error.text[0]);
        return;
    }
    write_and_read(&format, number, json_integer_value(json_object_get(input, "utc_us")));
    write_and_read(&format, number_format_max(&format), 0);
    if (text)
        read_and_write(&format, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *input = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

    if (input)
        try_all(input);
    json_decref(input);
    return 0;
}
