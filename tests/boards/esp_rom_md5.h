/* SPDX-License-Identifier: Apache-2.0 */
/* MD5, byte by byte: what the ROM loader of the ESP32 family answers when asked for a sum over flash. */
#ifndef SIM_ESP_ROM_MD5_H
#define SIM_ESP_ROM_MD5_H

#include <stdint.h>

struct md5 {
    uint32_t state[4];
    uint64_t count;
    uint8_t block[64];
};

void md5_start(struct md5 *md5);
void md5_take(struct md5 *md5, uint8_t byte);
void md5_end(struct md5 *md5, uint8_t sum[16]);

#endif
