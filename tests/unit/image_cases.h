/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the image readers share: a file in, and the whole outcome as one line of text, so that a
 * table can hold both. It knows no format. */
#ifndef FLASHFARM_TESTS_UNIT_IMAGE_CASES_H
#define FLASHFARM_TESTS_UNIT_IMAGE_CASES_H

#include "image.h"
#include "test.h"

#include <inttypes.h>
#include <stdlib.h>

struct image_case {
    const char *file;
    size_t size;
    const char *outcome; /* as described_parse() gives it */
};

/* Of two literals; the file may hold bytes of 0. */
#define CASE(file_text, outcome_text)                                                                        \
    {                                                                                                        \
        .file = (file_text), .size = sizeof(file_text) - 1, .outcome = (outcome_text)                        \
    }

struct outcome {
    char text[512];
};

/* A copy of its own, so that a read past the end is seen by the address sanitizer. */
static inline int parse_copy(struct image *image, const void *file, size_t size,
                             const struct image_options *options, struct error *error)
{
    uint8_t *copy = malloc(size ? size : 1);
    int result;

    if (size)
        memcpy(copy, file, size);
    result = image_parse(image, copy, size, options, error);
    free(copy);
    return result;
}

static inline void describe_ranges(const struct image *image, struct outcome *outcome)
{
    size_t used = strlen(outcome->text);

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];

        used += (size_t)snprintf(outcome->text + used, sizeof outcome->text - used, " %08" PRIX32 ":",
                                 range->address);
        for (uint32_t j = 0; j < range->size && used + 3 < sizeof outcome->text; j++)
            used +=
                (size_t)snprintf(outcome->text + used, sizeof outcome->text - used, "%02X", range->data[j]);
    }
}

/* "srec entry 00001000 00000000:0102" with ranges in hexadecimal, or the sentence of the error. */
static inline struct outcome described_parse(const void *file, size_t size,
                                             const struct image_options *options)
{
    struct error error = ERROR_NONE;
    struct outcome outcome;
    struct image image;

    if (parse_copy(&image, file, size, options, &error)) {
        CHECK(image.count == 0 && image.ranges == NULL && error.code < 0);
        (void)snprintf(outcome.text, sizeof outcome.text, "%s", error.text);
        return outcome;
    }
    CHECK(error.code == 0);
    (void)snprintf(outcome.text, sizeof outcome.text, "%s", image_format_word(image.format));
    if (image.has_entry)
        (void)snprintf(outcome.text + strlen(outcome.text), 32, " entry %08" PRIX32, image.entry);
    if (image.uf2_family)
        (void)snprintf(outcome.text + strlen(outcome.text), 32, " family %08" PRIX32, image.uf2_family);
    describe_ranges(&image, &outcome);
    image_clear(&image);
    return outcome;
}

/* Every case twice, since a base address must change nothing for a structured format. */
static inline void check_cases(const struct image_case *cases, size_t count)
{
    const struct image_options plain = {.has_base = false}, based = {.has_base = true, .base = 0x08000000};

    for (size_t i = 0; i < count; i++) {
        CHECK_TEXT(described_parse(cases[i].file, cases[i].size, &plain).text, cases[i].outcome);
        CHECK_TEXT(described_parse(cases[i].file, cases[i].size, &based).text, cases[i].outcome);
    }
}

#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof((cases)[0]))

/* A generator with a seed (xorshift), so that a failing run can be had again. */
static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

#endif
