/* SPDX-License-Identifier: Apache-2.0 */
#include "md5.h"

#include <string.h>

#define BLOCK 64u

/* RFC 1321 §3.4: the integer part of 2^32 times the sine of the step's number. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t word_at(const uint8_t *block, unsigned index)
{
    const uint8_t *p = block + (size_t)4 * index;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The function of a step's round, and the word of the block that the step takes. */
static uint32_t mix(unsigned step, const uint32_t v[4], unsigned *index)
{
    switch (step / 16) {
    case 0:
        *index = step;
        return (v[1] & v[2]) | (~v[1] & v[3]);
    case 1:
        *index = (5 * step + 1) % 16;
        return (v[1] & v[3]) | (v[2] & ~v[3]);
    case 2:
        *index = (3 * step + 5) % 16;
        return v[1] ^ v[2] ^ v[3];
    default:
        *index = 7 * step % 16;
        return v[2] ^ (v[1] | ~v[3]);
    }
}

static void take_block(uint32_t state[4], const uint8_t *block)
{
    uint32_t v[4];

    memcpy(v, state, sizeof v);
    for (unsigned step = 0; step < 64; step++) {
        unsigned index;
        uint32_t sum = mix(step, v, &index) + v[0] + sines[step] + word_at(block, index);

        v[0] = v[3];
        v[3] = v[2];
        v[2] = v[1];
        v[1] += rotate(sum, turns[step / 16][step % 4]);
    }
    for (int i = 0; i < 4; i++)
        state[i] += v[i];
}

static void put_words(uint8_t *bytes, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < 4 * count; i++)
        bytes[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
}

void md5(const uint8_t *bytes, size_t size, uint8_t digest[16])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint32_t bits[2] = {(uint32_t)((uint64_t)size << 3), (uint32_t)((uint64_t)size >> 29)};
    uint8_t last[2 * BLOCK] = {0};
    size_t rest = size % BLOCK, padded = rest + 9 > BLOCK ? 2 * BLOCK : BLOCK;

    for (size_t at = 0; at + BLOCK <= size; at += BLOCK)
        take_block(state, bytes + at);
    if (rest)
        memcpy(last, bytes + size - rest, rest);
    last[rest] = 0x80;
    put_words(last + padded - 8, bits, 2);
    for (size_t at = 0; at < padded; at += BLOCK)
        take_block(state, last + at);
    put_words(digest, state, 4);
}
