/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of serial pools as text, and back. It knows nothing of pools and of which numbers are taken.
 *
 * What is read must be exactly what would be written: a text in another case or with other separators is
 * another text, for a serial is looked up by its text. */
#include "number_format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define DIGITS_MAX     18
#define EUI48_MAX      ((INT64_C(1) << 48) - 1)
#define EUI48_GROUP    (INT64_C(1) << 40) /* IEEE 802-2014, 8.2: the first bit on the wire */
#define EUI48_LOCAL    (INT64_C(1) << 41)
#define EUI48_OUI_BITS 24
#define SECONDS_A_DAY  86400

static const char figures[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* --- dates -------------------------------------------------------------------------------- */

static int64_t seconds_of(int64_t utc_us)
{
    return utc_us / 1000000 - (utc_us % 1000000 < 0);
}

static struct tm utc_of(int64_t second)
{
    time_t time = (time_t)second;
    struct tm tm;

    if (!gmtime_r(&time, &tm)) /* a year past what int holds */
        tm = (struct tm){.tm_year = 70, .tm_mday = 1, .tm_wday = 4};
    return tm;
}

/* ISO 8601: a week belongs to the year that its Thursday is in. */
static void week_date(int64_t second, int *year, int *week)
{
    struct tm tm = utc_of(second);
    int days_to_thursday = 4 - (tm.tm_wday == 0 ? 7 : tm.tm_wday);

    tm = utc_of(second + (int64_t)days_to_thursday * SECONDS_A_DAY);
    *year = tm.tm_year + 1900;
    *week = tm.tm_yday / 7 + 1;
}

void number_date(enum date_form form, int64_t utc_us, char text[NUMBER_DATE_MAX])
{
    struct tm tm = utc_of(seconds_of(utc_us));
    int year = tm.tm_year + 1900, week = 0;

    text[0] = '\0';
    switch (form) {
    case DATE_NONE:
        break;
    case DATE_YYMMDD:
        (void)snprintf(text, NUMBER_DATE_MAX, "%02d%02d%02d", year % 100, tm.tm_mon + 1, tm.tm_mday);
        break;
    case DATE_YYYYMMDD:
        (void)snprintf(text, NUMBER_DATE_MAX, "%04d%02d%02d", year % 10000, tm.tm_mon + 1, tm.tm_mday);
        break;
    case DATE_YYWW:
        week_date(seconds_of(utc_us), &year, &week);
        (void)snprintf(text, NUMBER_DATE_MAX, "%02d%02d", year % 100, week);
        break;
    case DATE_YYMM:
        (void)snprintf(text, NUMBER_DATE_MAX, "%02d%02d", year % 100, tm.tm_mon + 1);
        break;
    case DATE_YYYY:
        (void)snprintf(text, NUMBER_DATE_MAX, "%04d", year % 10000);
        break;
    }
}

/* How a date is told from other digits; `month`, `day` and `week` are where they stand, 0: nowhere. */
struct date_shape {
    const char *word;
    size_t length, month, day, week;
};

static const struct date_shape date_shapes[] = {
    [DATE_NONE] = {.word = "", .length = 0},
    [DATE_YYMMDD] = {.word = "YYMMDD", .length = 6, .month = 2, .day = 4},
    [DATE_YYYYMMDD] = {.word = "YYYYMMDD", .length = 8, .month = 4, .day = 6},
    [DATE_YYWW] = {.word = "YYWW", .length = 4, .week = 2},
    [DATE_YYMM] = {.word = "YYMM", .length = 4, .month = 2},
    [DATE_YYYY] = {.word = "YYYY", .length = 4},
};

static bool pair_within(const char *text, size_t at, int most)
{
    int value = (text[at] - '0') * 10 + (text[at + 1] - '0');

    return at == 0 || (value >= 1 && value <= most);
}

static bool is_date(enum date_form form, const char *text)
{
    const struct date_shape *shape = &date_shapes[form];

    return strspn(text, "0123456789") >= shape->length && pair_within(text, shape->month, 12) &&
           pair_within(text, shape->day, 31) && pair_within(text, shape->week, 53);
}

/* --- check characters --------------------------------------------------------------------- */

/* The value of a digit or letter in base 36, whatever its case; -1: it is neither. */
static int figure_value(char figure)
{
    if (figure >= '0' && figure <= '9')
        return figure - '0';
    if (figure >= 'A' && figure <= 'Z')
        return figure - 'A' + 10;
    return figure >= 'a' && figure <= 'z' ? figure - 'a' + 10 : -1;
}

/* ISO/IEC 7812-1 annex B: every second digit from the right counts twice, of which the digits are added; the
 * check digit makes the sum a multiple of ten. A letter stands for the two digits of its value, as ISO 6166
 * has it for securities. Promised for digits: each single error is caught, and each swap of neighbours but
 * 09 with 90. */
static int check_mod10(const char *text)
{
    int sum = 0, weight = 2;

    for (size_t i = strlen(text); i-- > 0;) {
        int value = figure_value(text[i]);

        for (int left = value, first = 1; value >= 0 && (first || left > 0); first = 0, left /= 10) {
            int product = left % 10 * weight;

            sum += product / 10 + product % 10;
            weight = 3 - weight;
        }
    }
    return (10 - sum % 10) % 10;
}

/* Modulus 11 with weights 2, 3, 4, 5, 6, 7 and over again from the right. It is the scheme of ISO 2108 (ISBN)
 * and ISO 3297 (ISSN), which have weights for as many digits as they need; the first six agree with those.
 * Promised for digits: each single error and each swap of neighbours is caught. */
static int check_mod11(const char *text)
{
    int sum = 0, weight = 2;

    for (size_t i = strlen(text); i-- > 0;) {
        int value = figure_value(text[i]);

        if (value < 0)
            continue;
        sum = (sum + value * weight) % 11;
        weight = weight == 7 ? 2 : weight + 1;
    }
    return (11 - sum) % 11;
}

/* ISO/IEC 7064 MOD 97-10: with two more digits at its end the number leaves 1 when divided by 97. A letter
 * stands for the two digits of its value, as in ISO 17442 and ISO 13616. Promised: each single error of a
 * digit by a digit or a letter by a letter is caught, and each swap of neighbouring digits. */
static int check_mod97(const char *text)
{
    int rest = 0;

    for (; *text; text++) {
        int value = figure_value(*text);

        if (value >= 0)
            rest = (rest * (value < 10 ? 10 : 100) + value) % 97;
    }
    return 98 - rest * 100 % 97;
}

void number_check(enum check_digit kind, const char *text, char check[3])
{
    int value;

    check[0] = check[1] = check[2] = '\0';
    switch (kind) {
    case CHECK_NONE:
        break;
    case CHECK_MOD10:
        check[0] = figures[check_mod10(text)];
        break;
    case CHECK_MOD11:
        value = check_mod11(text);
        check[0] = value == 10 ? 'X' : figures[value];
        break;
    case CHECK_MOD97:
        value = check_mod97(text);
        check[0] = figures[value / 10];
        check[1] = figures[value % 10];
        break;
    }
}

static size_t check_length(enum check_digit kind)
{
    switch (kind) {
    case CHECK_NONE:
        return 0;
    case CHECK_MOD10:
    case CHECK_MOD11:
        return 1;
    case CHECK_MOD97:
        return 2;
    }
    return 0;
}

/* --- reading a format --------------------------------------------------------------------- */

struct member {
    const char *name;
    int (*read)(struct number_format *format, const json_t *value, struct error *error);
};

static int read_base(struct number_format *format, const json_t *value, struct error *error)
{
    json_int_t base = json_integer_value(value); /* 0 of anything else */

    if (base != 10 && base != 16 && base != 36)
        return error_set(error, -EINVAL, "format.base: expected 10, 16 or 36");
    format->base = (unsigned)base;
    return 0;
}

static int read_digits(struct number_format *format, const json_t *value, struct error *error)
{
    json_int_t digits = json_integer_value(value);

    if (digits < 1 || digits > DIGITS_MAX)
        return error_set(error, -EINVAL, "format.digits: expected a whole number from 1 to %d", DIGITS_MAX);
    format->digits = (unsigned)digits;
    return 0;
}

/* No blanks and no control characters: the text goes on labels, in addresses of pages and in tables. */
static int read_affix(const char *name, char *affix, size_t room, const json_t *value, struct error *error)
{
    const char *text = json_string_value(value);
    bool good = text && strlen(text) == json_string_length(value) && strlen(text) < room;

    for (size_t i = 0; good && text[i]; i++)
        good = text[i] > ' ' && text[i] < 0x7F;
    if (!good)
        return error_set(error, -EINVAL, "format.%s: expected at most %zu ASCII characters without blanks",
                         name, room - 1);
    memcpy(affix, text, strlen(text) + 1);
    return 0;
}

static int read_prefix(struct number_format *format, const json_t *value, struct error *error)
{
    return read_affix("prefix", format->prefix, sizeof format->prefix, value, error);
}

static int read_suffix(struct number_format *format, const json_t *value, struct error *error)
{
    return read_affix("suffix", format->suffix, sizeof format->suffix, value, error);
}

static bool says(const json_t *value, const char *word)
{
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static int read_date(struct number_format *format, const json_t *value, struct error *error)
{
    for (int form = DATE_YYMMDD; form <= DATE_YYYY; form++)
        if (says(value, date_shapes[form].word)) {
            format->date = (enum date_form)form;
            return 0;
        }
    return error_set(
        error, -EINVAL,
        "format.date: expected \"YYMMDD\", \"YYYYMMDD\", \"YYWW\" (ISO week), \"YYMM\" or \"YYYY\"");
}

static int read_check(struct number_format *format, const json_t *value, struct error *error)
{
    static const char *const words[] = {
        [CHECK_MOD10] = "mod10", [CHECK_MOD11] = "mod11", [CHECK_MOD97] = "mod97"};

    for (int kind = CHECK_MOD10; kind <= CHECK_MOD97; kind++)
        if (says(value, words[kind])) {
            format->check = (enum check_digit)kind;
            return 0;
        }
    return error_set(error, -EINVAL, "format.check: expected \"mod10\", \"mod11\" or \"mod97\"");
}

static int read_separator(struct number_format *format, const json_t *value, struct error *error)
{
    if (!says(value, ":") && !says(value, "-") && !says(value, ""))
        return error_set(error, -EINVAL, "format.separator: expected \":\", \"-\" or \"\"");
    format->separator = json_string_value(value)[0];
    return 0;
}

static int read_case(struct number_format *format, const json_t *value, struct error *error)
{
    if (!says(value, "upper") && !says(value, "lower"))
        return error_set(error, -EINVAL, "format.case: expected \"upper\" or \"lower\"");
    format->lower = says(value, "lower");
    return 0;
}

static const struct member serial_members[] = {
    {.name = "base", .read = read_base},
    {.name = "digits", .read = read_digits},
    {.name = "prefix", .read = read_prefix},
    {.name = "suffix", .read = read_suffix},
    {.name = "date", .read = read_date},
    {.name = "check", .read = read_check},
    {.name = NULL},
};

static const struct member eui48_members[] = {
    {.name = "separator", .read = read_separator},
    {.name = "case", .read = read_case},
    {.name = NULL},
};

static const struct member no_members[] = {{.name = NULL}};

static const struct member *members_of(enum pool_kind kind)
{
    switch (kind) {
    case POOL_SERIAL:
        return serial_members;
    case POOL_EUI48:
        return eui48_members;
    case POOL_KEY:
        break;
    }
    return no_members;
}

static size_t text_length(const struct number_format *format)
{
    return strlen(format->prefix) + date_shapes[format->date].length + format->digits +
           check_length(format->check) + strlen(format->suffix);
}

static int read_members(struct number_format *format, const json_t *object, struct error *error)
{
    const struct member *member;
    const json_t *value;
    const char *key;

    json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
        for (member = members_of(format->kind); member->name && strcmp(member->name, key) != 0;)
            member++;
        if (!member->name)
            return error_set(error, -EINVAL, "format.%s: a pool of this kind has no such member", key);
        if (member->read(format, value, error) < 0)
            return error->code;
    }
    if (text_length(format) >= NUMBER_TEXT_MAX)
        return error_set(error, -EINVAL, "format: its texts have %zu characters, expected at most %d",
                         text_length(format), NUMBER_TEXT_MAX - 1);
    return 0;
}

int number_format_parse(struct number_format *format, enum pool_kind kind, const json_t *object,
                        struct error *error)
{
    *format = (struct number_format){.kind = kind, .base = 10, .digits = 10};
    if (kind == POOL_EUI48)
        *format = (struct number_format){.kind = kind, .base = 16, .digits = 12, .separator = ':'};
    if (!object || json_is_null(object))
        return 0;
    if (kind == POOL_KEY)
        return error_set(error, -EINVAL, "format: a pool of keys has none, a key is named by its own id");
    if (!json_is_object(object))
        return error_set(error, -EINVAL, "format: expected an object");
    return read_members(format, object, error);
}

/* --- numbers ------------------------------------------------------------------------------ */

int64_t number_format_max(const struct number_format *format)
{
    int64_t most = 0;

    if (format->kind == POOL_KEY)
        return INT64_MAX;
    for (unsigned i = 0; i < format->digits; i++) {
        if (most > (INT64_MAX - (int64_t)format->base + 1) / (int64_t)format->base)
            return INT64_MAX;
        most = most * (int64_t)format->base + (int64_t)format->base - 1;
    }
    return most;
}

static void put_digits(char *text, const struct number_format *format, int64_t number)
{
    for (unsigned i = format->digits; i-- > 0; number /= (int64_t)format->base) {
        char figure = figures[number % (int64_t)format->base];

        text[i] = format->lower ? (char)tolower((unsigned char)figure) : figure;
    }
    text[format->digits] = '\0';
}

static void write_eui48(const struct number_format *format, int64_t number, char text[NUMBER_TEXT_MAX])
{
    char digits[DIGITS_MAX + 1];
    size_t used = 0;

    put_digits(digits, format, number);
    for (unsigned i = 0; i < format->digits; i++) {
        if (i > 0 && i % 2 == 0 && format->separator)
            text[used++] = format->separator;
        text[used++] = digits[i];
    }
    text[used] = '\0';
}

static void write_serial(const struct number_format *format, int64_t number, const char *date,
                         char text[NUMBER_TEXT_MAX])
{
    char digits[DIGITS_MAX + 1], check[3];
    size_t used;

    put_digits(digits, format, number);
    (void)snprintf(text, NUMBER_TEXT_MAX, "%s%s%s", format->prefix, date, digits);
    number_check(format->check, text, check);
    used = strlen(text);
    (void)snprintf(text + used, NUMBER_TEXT_MAX - used, "%s%s", check, format->suffix);
}

int number_format_write(const struct number_format *format, int64_t number, int64_t utc_us,
                        char text[NUMBER_TEXT_MAX], struct error *error)
{
    char date[NUMBER_DATE_MAX];

    text[0] = '\0';
    if (format->kind == POOL_KEY)
        return error_set(error, -EINVAL, "a key has no number as text, it is named by its own id");
    if (number < 0 || number > number_format_max(format))
        return error_set(error, -ERANGE, "number %lld does not fit %u digits of base %u (at most %lld)",
                         (long long)number, format->digits, format->base,
                         (long long)number_format_max(format));
    number_date(format->date, utc_us, date);
    if (format->kind == POOL_EUI48)
        write_eui48(format, number, text);
    else
        write_serial(format, number, date, text);
    return 0;
}

/* Takes the digits off *text; false: there are too few, of another case, or they mean more than a number
 * holds. */
static bool take_digits(const struct number_format *format, const char **text, int64_t *number)
{
    *number = 0;
    for (unsigned i = 0; i < format->digits; i++, (*text)++) {
        int value = figure_value(**text);

        if (format->separator && i > 0 && i % 2 == 0) {
            if (**text != format->separator)
                return false;
            value = figure_value(*++*text);
        }
        if (value < 0 || value >= (int)format->base || (format->lower ? isupper(**text) : islower(**text)))
            return false;
        if (*number > (INT64_MAX - value) / (int64_t)format->base)
            return false;
        *number = *number * (int64_t)format->base + value;
    }
    return true;
}

bool number_format_read(const struct number_format *format, const char *text, int64_t *number)
{
    size_t prefix = strlen(format->prefix), date = date_shapes[format->date].length;
    const char *at = text + prefix;
    char front[NUMBER_TEXT_MAX], check[3];
    int64_t value;

    if (format->kind == POOL_KEY || strlen(text) >= NUMBER_TEXT_MAX ||
        strncmp(text, format->prefix, prefix) != 0 || !is_date(format->date, at))
        return false;
    at += date;
    if (!take_digits(format, &at, &value))
        return false;
    (void)snprintf(front, sizeof front, "%.*s", (int)(at - text), text);
    number_check(format->check, front, check);
    if (strncmp(at, check, strlen(check)) != 0 || strcmp(at + strlen(check), format->suffix) != 0)
        return false;
    *number = value;
    return true;
}

/* --- address blocks ----------------------------------------------------------------------- */

static int check_kind_of_address(int64_t first, bool local, struct error *error)
{
    if (first & EUI48_GROUP)
        return error_set(error, -EINVAL, "first: %012llx is a group address (bit 0 of its first byte)",
                         (unsigned long long)first);
    if ((first & EUI48_LOCAL) && !local)
        return error_set(error, -EINVAL,
                         "first: %012llx is locally administered (bit 1 of its first byte), which nobody has "
                         "been assigned: say \"local\": true if that is meant",
                         (unsigned long long)first);
    return 0;
}

int number_eui48_check(int64_t first, int64_t last, int64_t step, bool local, struct error *error)
{
    if (first < 0 || last > EUI48_MAX || first > last)
        return error_set(error, -EINVAL, "first, last: expected addresses of 48 bits in ascending order");
    if (check_kind_of_address(first, local, error) < 0)
        return error->code;
    if (first >> EUI48_OUI_BITS != last >> EUI48_OUI_BITS)
        return error_set(error, -EINVAL,
                         "first, last: %012llx and %012llx do not begin with the same 24 bits, so they are "
                         "not of one assignment: make a pool of each",
                         (unsigned long long)first, (unsigned long long)last);
    if (step < 1 || (last - first) % step != step - 1)
        return error_set(error, -EINVAL,
                         "step: %lld addresses do not make whole units of %lld: move first or last",
                         (long long)last - first + 1, (long long)step);
    if ((step & (step - 1)) == 0 && first % step != 0)
        return error_set(error, -EINVAL,
                         "first: %012llx is not a multiple of %lld, the addresses that each unit takes",
                         (unsigned long long)first, (long long)step);
    return 0;
}
