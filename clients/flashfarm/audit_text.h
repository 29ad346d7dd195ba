/* SPDX-License-Identifier: Apache-2.0 */
/* The one spelling of things: what could be written in two ways could be changed without a trace. */
#ifndef FLASHFARM_CLIENTS_AUDIT_TEXT_H
#define FLASHFARM_CLIENTS_AUDIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `digits` lower-case hexadecimal digits. */
static inline bool audit_hex(const char *text, size_t digits, uint8_t *bytes)
{
    for (size_t i = 0; i < digits; i++) {
        int digit = text[i] >= '0' && text[i] <= '9'   ? text[i] - '0'
                    : text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10
                                                       : -1;

        if (digit < 0)
            return false;
        bytes[i / 2] = (uint8_t)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    return true;
}

/* A decimal number without sign and without zeros before it, all of `length` characters. */
static inline bool audit_number(const char *text, size_t length, int64_t *number)
{
    int64_t value = 0;

    if (length == 0 || length > 18 || (length > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *number = value;
    return true;
}

#endif
