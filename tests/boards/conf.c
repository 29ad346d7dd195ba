/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/flashfarm.conf: every board as a station, ready for flashfarmd. */
#include "board.h"
#include "helper.h"
#include "own.h"

#include <stdlib.h>

static void write_station(const struct board *board, FILE *file)
{
    const struct model *model = board->model;
    uint64_t baud = board->options->baud;
    bool remote = board_wired(board);
    const char *entry = model->conf_entry ? model->conf_entry(remote) : "none";
    const char *lines = model->conf_lines ? model->conf_lines(board->state) : NULL;
    char *port = board_port_name(board);

    if (!baud)
        baud = model->baud ? model->baud : 115200;
    (void)fprintf(file, "\n[station %s]\nport = %s\nprotocol = %s\nbaud = %llu\nentry = %s\n%s", board->name,
                  port, model->protocol, (unsigned long long)baud, entry, lines ? lines : "");
    free(port);
}

int own_write_conf(const struct farm *farm, FILE *file)
{
    const struct own *own = farm->own;

    (void)fprintf(file,
                  "# Written by flashfarm-sim for its boards.\n[daemon]\nlisten = %s\nstate = %s/state\n",
                  farm->options->listen, farm->dir);
    for (size_t i = 0; i < farm->count; i++)
        write_station(farm->boards[i], file);
    return own->helper ? helper_append_conf(own->helper, file) : 0;
}
