/* SPDX-License-Identifier: Apache-2.0 */
/* All boards of one simulator: their names, their folder, the flashfarm.conf that names them. */
#ifndef SIM_FARM_H
#define SIM_FARM_H

#include "board.h"
#include "cable.h"

struct farm {
    struct loop *loop;
    const struct options *options;
    char *dir; /* real path */
    int dir_fd, inotify_fd;
    struct source changes;
    struct board **boards;
    size_t count;
    struct cable **cables;
    size_t cable_count;
    struct helper *helper; /* NULL: all chips are our own */
};

/* Makes boards, links and flashfarm.conf. 0 or -1 with a complaint; farm_close is right after either. */
int farm_open(struct farm *farm, struct loop *loop, const struct options *options);
void farm_close(struct farm *farm);

struct board *farm_find(const struct farm *farm, const char *name);

/* "hang@3" on a board. On -1, why says what is wrong. */
int farm_set_fault(struct farm *farm, struct board *board, const char *text, char *why, size_t size);

/* conf.c */
int farm_write_conf(const struct farm *farm);

int farm_dump(const struct board *board, const char *path);

#endif
