/* SPDX-License-Identifier: Apache-2.0 */
/* Per-unit fields: what of a unit goes where in its memory, and in what form; and checks that are computed
 * over the image after that. Pure computation: no store, no station.
 *
 * `fields` of a job or recipe is a list of objects:
 *   {"name": "serial", "address": 0x0801fc00, "width": 16, "encoding": E, "source": S,
 *    "pad": 255, "over_code": false}
 *   E: "ascii" | "utf-16le" | "bcd" | "binary-le" | "binary-be" | "bytes"
 *   S: {"pool": NAME}            the number taken from that pool for this unit (its text for text encodings,
 *                                its value for binary ones; of a key pool the key's own bytes)
 *      {"unit": MEMBER}          that member of the unit in the order's `units[]` (text, number, or
 *                                {"hex": …} / {"base64": …} for bytes)
 *      {"uid": true}             the chip's unique id (hexadecimal as text, as read in bytes)
 *      {"date": "YYYY-MM-DD" | "YYMMDD" | "YYWW" | "unix"}
 *      {"constant": text or number or {"hex": …}}
 * `checks` is a list of objects, computed in order after all fields are in place:
 *   {"name": "crc", "address": …, "algorithm": A, "range": {"address": …, "size": …}, "endian": "little" |
 *    "big", "over_code": false};  A: "crc-32" | "crc-32/mpeg-2" | "crc-16/modbus" | "crc-16/ccitt-false" |
 *    "crc-16/xmodem" | "crc-16/arc" | "sha-256". Its range may have fields in it, and checks that stand
 * before it in the list; what the image has not counts as erased. Addresses and sizes of ranges are numbers
 * or texts such as "0x0801fc00".
 *
 * A value that does not fit its width is an error, never cut. A shorter text is filled up with `pad` (0
 * unless given); bytes fill their field exactly unless there is a `pad`; numbers (binary, at most 8 bytes,
 * and BCD) have leading zeros and no pad. A text is a number when it is all decimal digits, and bytes when it
 * is hexadecimal in pairs with ":" or "-" between them, as addresses are written; a number as text has its
 * decimal digits, and so has a date as BCD. */
#ifndef FLASHFARM_JOBS_FIELDS_H
#define FLASHFARM_JOBS_FIELDS_H

#include "chip.h"
#include "image.h"
#include "overlay.h"
#include "result.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct fields;

/* Reads both lists (either may be NULL); -EINVAL names the field, the member and what would be taken; two
 * fields on the same byte are an error that names both. */
int fields_parse(struct fields **fields, const json_t *list, const json_t *checks, struct error *error);
void fields_free(struct fields *fields);
size_t fields_count(const struct fields *fields); /* of both lists */

/* Where they will be: sorted by address, touching ones merged, for order->variable. Borrowed. */
const struct chip_span *fields_spans(const struct fields *fields, size_t *count);

/* One field as the lint sees it. */
struct field_place {
    const char *name;
    uint32_t address, size;
    bool is_check, over_code; /* over_code: it is declared to replace bytes of the image that are not blank */
    struct chip_span range;   /* what a check is computed over */
};
struct field_place fields_place(const struct fields *fields, size_t index);

/* Whose numbers the fields want: names of pools, without repeats. Borrowed. */
size_t fields_pools(const struct fields *fields, const char *const **names);

/* What is known of one unit when its bytes are made. */
struct field_number {
    const char *pool, *text;
    int64_t number;
    const uint8_t *key; /* of a key pool: its bytes; NULL otherwise */
    size_t key_size;
};
struct field_values {
    const json_t *unit; /* of units[]; NULL: none */
    const struct field_number *numbers;
    size_t number_count;
    const uint8_t *uid;
    size_t uid_size;
    int64_t utc_us;
};

/* Whether what is known already fits: the fields of `values->unit`, if there is one, and of the pools that
 * `values->numbers` speak of (their longest text will do). For the one who orders, long before a board is
 * there. -EINVAL names the field. */
int fields_check(const struct fields *fields, const struct field_values *values, struct error *error);

/* The bytes of one unit. `image` is the template the checks are computed over, with the fields in place.
 * -EINVAL names the field and what is missing or does not fit. Owned by the caller: patches_free(). */
int fields_encode(const struct fields *fields, const struct field_values *values, const struct image *image,
                  uint8_t erased_value, struct patch **patches, size_t *count, struct error *error);
void patches_free(struct patch *patches, size_t count); /* zeroises */
/* SHA-256 over the patches in order of address, each as address (32 bits, big-endian), size (likewise) and
 * bytes: `unit_data_sha256` of the record. */
void patches_digest(const struct patch *patches, size_t count, uint8_t digest[32]);

#endif
