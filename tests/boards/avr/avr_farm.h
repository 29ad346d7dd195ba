/* SPDX-License-Identifier: Apache-2.0 */
/* All AVR boards of one simulator: names, folder, the stations that go into the configuration. */
#ifndef SIM_AVR_FARM_H
#define SIM_AVR_FARM_H

#include "avr_board.h"

struct avr_farm {
    struct loop *loop;
    const struct avr_options *options;
    char *dir; /* real path */
    int inotify_fd;
    struct source changes;
    struct avr_board **boards;
    size_t count;
};

/* Makes boards, links and DIR/avr.conf. 0 or -1 with a complaint; avr_farm_close is right after either. */
int avr_farm_open(struct avr_farm *farm, struct loop *loop, const struct avr_options *options);
void avr_farm_close(struct avr_farm *farm);
struct avr_board *avr_farm_find(const struct avr_farm *farm, const char *name);

#endif
