/* SPDX-License-Identifier: Apache-2.0 */
#include "rfc3339.h"

#include "clock.h"

#include <string.h>
#include <time.h>

/* Takes `digits` digits from the front of `*text`; their value must lie in [low, high]. */
static bool take_number(const char **text, int digits, int low, int high, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return *value >= low && *value <= high;
}

static bool take_one_of(const char **text, const char *set)
{
    return **text != '\0' && strchr(set, *(*text)++) != NULL;
}

/* ".5" is 500000; nothing is 0. */
static bool take_fraction_us(const char **text, int *fraction_us)
{
    int unit = 100000, digits = 0;

    *fraction_us = 0;
    if (**text != '.')
        return true;
    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, digits++, unit /= 10)
        *fraction_us += (**text - '0') * unit;
    return digits > 0;
}

static bool take_offset_s(const char **text, int *offset_s)
{
    int sign, hours, minutes;

    *offset_s = 0;
    if (**text == 'Z' || **text == 'z') {
        (*text)++;
        return true;
    }
    sign = **text == '-' ? -1 : 1;
    if (!take_one_of(text, "+-") || !take_number(text, 2, 0, 23, &hours) || !take_one_of(text, ":") ||
        !take_number(text, 2, 0, 59, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool rfc3339_to_utc(const char *text, char utc[28])
{
    int year, month, day, hour, minute, second, fraction_us, offset_s;
    struct tm parts, back;
    time_t seconds;

    if (!take_number(&text, 4, 1, 9999, &year) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, 1, 12, &month) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, 1, 31, &day) || !take_one_of(&text, "Tt") ||
        !take_number(&text, 2, 0, 23, &hour) || !take_one_of(&text, ":") ||
        !take_number(&text, 2, 0, 59, &minute) || !take_one_of(&text, ":") ||
        !take_number(&text, 2, 0, 60, &second) || !take_fraction_us(&text, &fraction_us) ||
        !take_offset_s(&text, &offset_s) || *text != '\0')
        return false;
    parts = (struct tm){
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    back = parts;
    seconds = timegm(&back);
    if (back.tm_mday != day) /* the 31st of a month that has 30 */
        return false;
    seconds += second - offset_s;
    if (seconds < 0)
        return false;
    clock_format_utc((int64_t)seconds * 1000000 + fraction_us, utc);
    return true;
}
