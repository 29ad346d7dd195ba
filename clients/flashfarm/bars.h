/* SPDX-License-Identifier: Apache-2.0 */
/* One bar per station: redrawn in place on a terminal, a line per change of state elsewhere. It knows no
 * job and no connection; follow.c tells it what happens. */
#ifndef FLASHFARM_CLIENT_BARS_H
#define FLASHFARM_CLIENT_BARS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum bar_state { BAR_WAITING, BAR_RUNNING, BAR_PASSED, BAR_FAILED };

struct bar {
    char station[32];
    enum bar_state state;
    int64_t run; /* the newest on this station; 0: none yet */
    char phase[24];
    double percent;
    char note[200];               /* outcome, class, sentence */
    int64_t started_us, ended_us; /* monotonic, as this client saw it */
    int passed, failed;
};

struct bars {
    FILE *out; /* NULL: silent */
    bool in_place, color, unicode;
    char title[80];
    struct bar *bars;
    size_t count;
    int64_t drawn_us;
    int lines_drawn; /* on the terminal, to go up by */
};

/* Looks at `out`, TERM, NO_COLOR and the locale to see how it may draw. */
void bars_open(struct bars *bars, FILE *out);
void bars_close(struct bars *bars);

/* The bar of a station, made when it is new. Valid until the next call. */
struct bar *bars_of(struct bars *bars, const char *station);
/* Says that a bar changed: `change` when it is worth a line of its own, not only a longer bar. */
void bars_changed(struct bars *bars, const struct bar *bar, bool change);
/* Draws when something changed and the last drawing is old enough; `now` in any case. */
void bars_draw(struct bars *bars, bool now);
/* A message between the bars. */
void bars_say(struct bars *bars, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
