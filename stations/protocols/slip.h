/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on a serial line as RFC 1055 has them: 0xC0 before and after, and two bytes for each 0xC0 or 0xDB
 * within. Knows nothing of what is in a frame. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_SLIP_H
#define FLASHFARM_STATIONS_PROTOCOLS_SLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most that a frame of so many bytes can become. */
#define SLIP_FRAME_MAX(size) (2 * (size) + 2)

/* Writes the whole frame, at most SLIP_FRAME_MAX(size) bytes; returns how many. */
size_t slip_encode(const uint8_t *bytes, size_t size, uint8_t *frame);

/* Takes a line's bytes as they come. What lies between two delimiters is a frame, whatever it is: noise ahead
 * of the first one comes out as a frame of noise, and costs no good one. */
struct slip_decoder {
    uint8_t *bytes; /* the frame so far; the caller's memory */
    size_t room, size;
    bool escaped, broken, complete;
};

/* True when this byte has completed a frame: `bytes` holds `size` of it until the next call. Frames that are
 * empty, too long for `room` or wrongly escaped are dropped. */
bool slip_take(struct slip_decoder *decoder, uint8_t byte);

#endif
