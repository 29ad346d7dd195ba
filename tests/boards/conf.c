/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/flashfarm.conf: every board as a station, ready for flashfarmd. */
#include "common.h"
#include "farm.h"
#include "helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int write_all(const struct farm *farm, FILE *file)
{
    (void)fprintf(file,
                  "# Written by flashfarm-sim for its boards.\n[daemon]\nlisten = %s\nstate = %s/state\n",
                  farm->options->listen, farm->dir);
    for (size_t i = 0; i < farm->count; i++)
        write_station(farm->boards[i], file);
    return farm->helper ? helper_append_conf(farm->helper, file) : 0;
}

int farm_write_conf(const struct farm *farm)
{
    char *path = sim_text("%s/flashfarm.conf", farm->dir), *fresh = sim_text("%s.new", path);
    FILE *file = fopen(fresh, "we");
    int result = file ? write_all(farm, file) : -1;

    if ((file && fclose(file)) || (!result && rename(fresh, path)))
        result = -1;
    if (result)
        (void)sim_complain("%s: %s", path, strerror(errno));
    free(fresh);
    free(path);
    return result;
}
