/* SPDX-License-Identifier: Apache-2.0 */
/* MD5 (RFC 1321): what an ESP's ROM makes over its flash. It tells a faulty write from a good one, which is
 * all that is asked of it here; it protects nothing. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_MD5_H
#define FLASHFARM_STATIONS_PROTOCOLS_MD5_H

#include <stddef.h>
#include <stdint.h>

void md5(const uint8_t *bytes, size_t size, uint8_t digest[16]);

#endif
