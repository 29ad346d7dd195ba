/* SPDX-License-Identifier: Apache-2.0 */
/* How the numbers of a serial pool are written: prefix, date, digits of a base, check digits, suffix; or an
 * EUI-48. Pure computation.
 *
 * The format is the object `format` of a pool: {"base": 10 | 16 | 36, "digits": 1..18, "prefix": text,
 * "suffix": text, "date": "YYMMDD" | "YYYYMMDD" | "YYWW" | "YYMM" | "YYYY", "check": "mod10" | "mod11" |
 * "mod97"}; the text is prefix, date, number (zero-padded to `digits`, upper case), check, suffix. Of the
 * pool kind "eui48": {"separator": ":" | "-" | "", "case": "upper" | "lower"}; 12 hexadecimal digits. */
#ifndef FLASHFARM_JOBS_NUMBER_FORMAT_H
#define FLASHFARM_JOBS_NUMBER_FORMAT_H

#include "result.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum pool_kind { POOL_SERIAL, POOL_EUI48, POOL_KEY };
enum check_digit { CHECK_NONE, CHECK_MOD10, CHECK_MOD11, CHECK_MOD97 };
enum date_form { DATE_NONE, DATE_YYMMDD, DATE_YYYYMMDD, DATE_YYWW, DATE_YYMM, DATE_YYYY };

#define NUMBER_TEXT_MAX 64 /* with the ending zero */

struct number_format {
    enum pool_kind kind;
    unsigned base, digits;
    char prefix[24], suffix[24];
    enum date_form date;
    enum check_digit check;
    char separator; /* of an EUI-48; 0: none */
    bool lower;
};

/* Reads `format` of a pool of that kind (NULL: the kind's default, ten decimal digits); -EINVAL names the
 * member and what would be taken. POOL_KEY has no format: a key is named by its own id. */
int number_format_parse(struct number_format *format, enum pool_kind kind, const json_t *object,
                        struct error *error);
/* The largest number that the digits hold. */
int64_t number_format_max(const struct number_format *format);
/* The text of a number; `utc_us` for the date field. -ERANGE: it needs more digits. */
int number_format_write(const struct number_format *format, int64_t number, int64_t utc_us,
                        char text[NUMBER_TEXT_MAX], struct error *error);
/* Whether a text could be one of this format: shape and check digits; *number when it is. */
bool number_format_read(const struct number_format *format, const char *text, int64_t *number);

/* Whether a pool may give out the addresses first..last, `step` of them in a row to each unit: none is a
 * group address, none is locally administered unless `local` says so, all stem from one assignment (the upper
 * 24 bits agree), they make whole units, and where `step` is a power of two each unit's first is a multiple
 * of it, so that its others differ in the low bits only. -EINVAL. */
int number_eui48_check(int64_t first, int64_t last, int64_t step, bool local, struct error *error);

#define NUMBER_DATE_MAX 12

/* The date of `utc_us` (UTC) in that form; YYWW is year and week after ISO 8601, where the days around New
 * Year belong to the year that has most of their week. */
void number_date(enum date_form form, int64_t utc_us, char text[NUMBER_DATE_MAX]);

/* The check characters of a text of digits and letters (ISO/IEC 7812 mod 10 after Luhn, with letters by
 * their value in base 36; mod 11 with X for ten, weights 2 to 7 from the right as in ISO 2108's family; ISO
 * 7064 MOD 97-10, two digits). Each states its document in the .c file. What is neither digit nor letter does
 * not count. */
void number_check(enum check_digit kind, const char *text, char check[3]);

#endif
