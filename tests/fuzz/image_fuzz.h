/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers of the image readers share. */
#ifndef FLASHFARM_TESTS_FUZZ_IMAGE_FUZZ_H
#define FLASHFARM_TESTS_FUZZ_IMAGE_FUZZ_H

#include "image.h"

/* Parses, and checks all that image.h promises of a result, good or bad. */
void fuzz_image(const uint8_t *data, size_t size, const struct image_options *options);

/* The next number of a generator (xorshift) with a state other than 0. */
uint32_t fuzz_random(uint32_t *state);

/* Gives most lines of records the count and checksum that they should have. A record is `mark` characters,
 * then hexadecimal digits: a count, which is the number of bytes after it less `count_less`, and so on; the
 * last byte is the sum of all before it, exclusive-ored with 255, plus `sum_plus`. */
struct fuzz_records {
    char mark;
    size_t mark_size;
    int count_less;
    uint8_t sum_plus;
};
void fuzz_mend_records(uint8_t *data, size_t size, const struct fuzz_records *records, uint32_t *random);

void fuzz_put_le32(uint8_t *p, uint32_t value);

#endif
