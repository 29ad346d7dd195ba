/* SPDX-License-Identifier: Apache-2.0 */
/* All boards of one program: their names, their folder, the configuration that names them. What a board is,
 * the program knows. */
#ifndef SIM_FARM_H
#define SIM_FARM_H

#include "loop.h"
#include "options.h"
#include "port.h"
#include "program.h"

struct farm {
    const struct program *program;
    struct loop *loop;
    const struct options *options;
    char *dir; /* real path */
    int dir_fd, inotify_fd;
    struct source changes;
    struct port **ports;
    size_t port_count;
    void **boards;
    size_t count;
    void *own; /* the program's */
};

/* Makes boards, links and configuration. 0 or -1 with a complaint; farm_close is right after either. */
int farm_open(struct farm *farm, const struct program *program, struct loop *loop,
              const struct options *options);
void farm_close(struct farm *farm);

/* For the program. A board is named and closed by it; a port tells of opens and closes from here on. */
void farm_name_board(const struct farm *farm, char *name, size_t size, size_t index);
bool farm_is_remote(const struct farm *farm, const char *name);
bool farm_has_room(const struct farm *farm, size_t count); /* complains where it has not */
void farm_add_board(struct farm *farm, void *board);
void farm_add_port(struct farm *farm, struct port *port);

const char *farm_name(const struct farm *farm, size_t index);
void *farm_find(const struct farm *farm, const char *name);
size_t farm_others(const struct farm *farm); /* boards of another program */

/* What dump tells of the board, into a file. */
int farm_dump(const void *board, int (*dump)(const void *board, FILE *file), const char *path);

#endif
