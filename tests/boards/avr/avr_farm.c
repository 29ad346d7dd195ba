/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_farm.h. */
#include "avr_farm.h"

#include "avr_board.h"
#include "common.h"

#include <stdlib.h>

static int add_board(struct farm *farm, const struct loader *loader)
{
    struct avr_board *board = sim_allocate(1, sizeof *board);

    board->loop = farm->loop;
    board->options = farm->options;
    board->loader = loader;
    farm_name_board(farm, board->name, sizeof board->name, farm->count);
    board->port.link = sim_text("%s/%s", farm->dir, board->name);
    board->port.remote = farm_is_remote(farm, board->name);
    farm_add_port(farm, &board->port);
    farm_add_board(farm, board);
    return avr_board_open(board);
}

/* CHIP[:LOADER] */
int avr_farm_add(struct farm *farm, const char *chip, size_t count, const char *kind)
{
    const struct loader *loader = loader_find(chip);

    (void)kind;
    if (!loader)
        return 1;
    if (!farm_has_room(farm, count))
        return -1;
    for (; count; count--)
        if (add_board(farm, loader))
            return -1;
    return 0;
}

void avr_farm_free_board(void *board)
{
    avr_board_close(board);
    free(board);
}

/* stk500v1 and stk500v2 loaders live for about a second after a reset: by opening the port, or by DTR. */
int avr_farm_write_conf(const struct farm *farm, FILE *file)
{
    for (size_t i = 0; i < farm->count; i++) {
        const struct avr_board *board = farm->boards[i];
        char *port = port_name(&board->port);

        (void)fprintf(file, "\n[station %s]\nport = %s\nprotocol = %s\nbaud = %u\nentry = %s\n", board->name,
                      port, board->loader->protocol, board->loader->baud,
                      board->port.remote ? "arduino" : "reopen");
        free(port);
    }
    return 0;
}
