/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    va_list arguments;

    error->code = code;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

int error_set_errno(struct error *error, int errno_value, const char *format, ...)
{
    char reason[96];
    va_list arguments;
    int used;

    error->code = -errno_value;
    va_start(arguments, format);
    used = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof error->text)
        (void)snprintf(error->text + used, sizeof error->text - (size_t)used, ": %s",
                       strerror_r(errno_value, reason, sizeof reason));
    return error->code;
}

int error_prefix(struct error *error, const char *format, ...)
{
    char grown[sizeof error->text];
    va_list arguments;
    int used;

    va_start(arguments, format);
    used = vsnprintf(grown, sizeof grown, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof grown)
        (void)snprintf(grown + used, sizeof grown - (size_t)used, ": %s", error->text);
    memcpy(error->text, grown, sizeof grown);
    return error->code;
}

int error_reclass(struct error *error, int code)
{
    error->code = code;
    return code;
}
