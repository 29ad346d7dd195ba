/* SPDX-License-Identifier: Apache-2.0 */
/* Which stations work unlike their peers: a way of looking at figures that the store has, without a memory of
 * its own. Robust statistics, so that the one that is out of order does not move what it is measured by. */
#ifndef FLASHFARM_API_ODD_H
#define FLASHFARM_API_ODD_H

#include <jansson.h>
#include <stddef.h>

#define ODD_SCORE     3.5
#define ODD_RUNS      10 /* fewer of a station say nothing about it */
#define ODD_PEERS     4
#define ODD_MAD_SIGMA 1.4826 /* from a median distance to the standard deviation of normal noise */

/* How far sorted[self] is from the median of the others, in units of their usual distance from it. That is
 * taken for at least `resolution` and a twentieth of the median: peers that are all the same make no
 * difference infinite. `count` is at least 2, the numbers ascend. */
struct odd {
    double peers, score;
};
struct odd odd_score(const double *sorted, size_t count, size_t self, double resolution);

/* Gives each of [{protocol, chip, runs, measures: {NAME: number or null}}] a member `odd`:
 * [{measure, value, peers, score}], in the order of the measures. Stations of the same protocol and chip are
 * peers. */
void odd_mark(json_t *stations);

#endif
