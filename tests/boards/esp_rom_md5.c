/* SPDX-License-Identifier: Apache-2.0 */
/* See esp_rom_md5.h. RFC 1321; the constants are its own: 2^32 times the sines of 1 to 64. */
#include "esp_rom_md5.h"

#include <stddef.h>

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

static uint32_t rotated(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t mixed(unsigned step, uint32_t b, uint32_t c, uint32_t d)
{
    switch (step / 16) {
    case 0:
        return (b & c) | (~b & d);
    case 1:
        return (b & d) | (c & ~d);
    case 2:
        return b ^ c ^ d;
    default:
        return c ^ (b | ~d);
    }
}

/* Which of the block's sixteen words a step takes. */
static unsigned word_of(unsigned step)
{
    static const unsigned factor[] = {1, 5, 3, 7}, offset[] = {0, 1, 5, 0};

    return (step * factor[step / 16] + offset[step / 16]) % 16;
}

static void take_block(struct md5 *md5)
{
    static const unsigned turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = md5->state[0], b = md5->state[1], c = md5->state[2], d = md5->state[3];

    for (unsigned step = 0; step < 64; step++) {
        const uint8_t *bytes = &md5->block[4 * (size_t)word_of(step)];
        uint32_t word =
            bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
        uint32_t sum = a + mixed(step, b, c, d) + sines[step] + word;

        a = d;
        d = c;
        c = b;
        b += rotated(sum, turns[step / 16][step % 4]);
    }
    md5->state[0] += a;
    md5->state[1] += b;
    md5->state[2] += c;
    md5->state[3] += d;
}

void md5_start(struct md5 *md5)
{
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_take(struct md5 *md5, uint8_t byte)
{
    md5->block[md5->count++ % 64] = byte;
    if (md5->count % 64 == 0)
        take_block(md5);
}

void md5_end(struct md5 *md5, uint8_t sum[16])
{
    uint64_t bits = md5->count * 8;

    md5_take(md5, 0x80);
    while (md5->count % 64 != 56)
        md5_take(md5, 0);
    for (unsigned i = 0; i < 8; i++)
        md5_take(md5, (uint8_t)(bits >> (8 * i)));
    for (unsigned i = 0; i < 16; i++)
        sum[i] = (uint8_t)(md5->state[i / 4] >> (i % 4 * 8));
}
