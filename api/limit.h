/* SPDX-License-Identifier: Apache-2.0 */
/* How often somebody may try: requests a second, and wrong passwords. Both are kept in tables of fixed size,
 * found by a keyed hash of who it is, so that a crowd of invented names costs no memory; two who fall on the
 * same slot share it. It knows no request and no user. */
#ifndef FLASHFARM_API_LIMIT_H
#define FLASHFARM_API_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* A bucket of tokens is one number: when the last of those taken would have been there at the even rate. */
struct rate {
    int64_t every_us; /* one token */
    int64_t depth_us; /* so far ahead of the even rate: burst x every_us */
};
/* Takes one: 0, or how long to wait for it (and nothing is taken). */
int64_t rate_take(const struct rate *rate, int64_t *arrival_us, int64_t now_us);

struct limits;
struct limits *limits_new(void);
void limits_free(struct limits *limits);

/* The bucket of a name ("address 192.0.2.1"). */
int64_t *limits_bucket(struct limits *limits, const char *name);

/* Wrong passwords. A try counts as wrong until it is known to be right, so that tries at the same time count
 * too: from the fifth on, each closes the door, twice as long as the one before, up to five minutes. A
 * quarter of an hour without a try forgets them. */
#define TRIES_FREE     5
#define LOCK_MAX_US    INT64_C(300000000)
#define LOCK_FORGET_US INT64_C(900000000)

/* 0: may try. Else how long not; `first` tells whether nobody has been told of this closed door before. */
int64_t lock_out_left_us(struct limits *limits, const char *name, int64_t now_us, bool *first);
void lock_out_try(struct limits *limits, const char *name, int64_t now_us, int64_t lock_us);
/* It was right. */
void lock_out_clear(struct limits *limits, const char *name);

#endif
