/* SPDX-License-Identifier: Apache-2.0 */
/* The few helpers that every file of the simulator needs: memory, time, mixing of bits, complaints. They know
 * nothing of boards. */
#ifndef SIM_COMMON_H
#define SIM_COMMON_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

/* Zeroed memory; the program ends when there is none. */
void *sim_allocate(size_t count, size_t size);
void *sim_reallocate(void *old, size_t bytes);

/* printf into fresh memory. */
char *sim_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t sim_now_ns(void);

/* Stable pseudo-random numbers: the same input gives the same output on every host. */
uint64_t sim_mix(uint64_t value);
uint64_t sim_mix_text(const char *text, uint64_t seed);

/* Prints "flashfarm-sim: ..." on stderr and returns -1, so that callers can return it. */
int sim_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole unsigned number, decimal or 0x hexadecimal, within [low, high]; -1 when text is anything else. */
int sim_number(const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif
