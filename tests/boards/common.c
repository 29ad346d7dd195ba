/* SPDX-License-Identifier: Apache-2.0 */
/* See common.h. */
#include "common.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *or_die(void *memory)
{
    if (!memory) {
        (void)fputs("flashfarm-sim: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *sim_allocate(size_t count, size_t size)
{
    return or_die(calloc(count ? count : 1, size ? size : 1));
}

void *sim_reallocate(void *old, size_t bytes)
{
    return or_die(realloc(old, bytes ? bytes : 1));
}

char *sim_text(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return or_die(text);
}

uint64_t sim_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The finaliser of splitmix64. */
uint64_t sim_mix(uint64_t value)
{
    value += 0x9E3779B97F4A7C15ULL;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
}

uint64_t sim_mix_text(const char *text, uint64_t seed)
{
    uint64_t mixed = sim_mix(seed);

    for (; *text; text++)
        mixed = sim_mix(mixed ^ (unsigned char)*text);
    return mixed;
}

int sim_complain(const char *format, ...)
{
    va_list arguments;

    (void)fputs("flashfarm-sim: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return -1;
}

int sim_number(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    char *end = NULL;
    unsigned long long number;
    int hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    number = strtoull(text, &end, hexadecimal ? 16 : 10);
    if (errno || *end || number < low || number > high)
        return -1;
    *value = number;
    return 0;
}
