/* SPDX-License-Identifier: Apache-2.0 */
/* See own.h. */
#include "own.h"

#include "board.h"
#include "common.h"
#include "helper.h"

#include <stdlib.h>

enum { UNITS_MAX = 254 };

/* The link of a line with several units is named after the first and the last. */
static char *link_name(const struct farm *farm, size_t units)
{
    char first[16], last[16];

    farm_name_board(farm, first, sizeof first, farm->count);
    farm_name_board(farm, last, sizeof last, farm->count + units - 1);
    return units > 1 ? sim_text("%s/%s-%s", farm->dir, first, last) : sim_text("%s/%s", farm->dir, first);
}

static struct cable *add_cable(struct farm *farm, const struct model *model, size_t units)
{
    struct own *own = farm->own;
    struct cable *cable = sim_allocate(1, sizeof *cable);
    char first[16];

    farm_name_board(farm, first, sizeof first, farm->count);
    cable_init(cable, farm->loop, farm->options, link_name(farm, units), farm_is_remote(farm, first));
    farm_add_port(farm, &cable->port);
    cable->frame_bits = cable->wire.frame_bits = model->frame_bits;
    cable->shared = model->shared;
    own->cables = sim_reallocate(own->cables, (own->cable_count + 1) * sizeof(struct cable *));
    own->cables[own->cable_count++] = cable;
    return cable;
}

static void add_board(struct farm *farm, struct cable *cable, const struct model *model, size_t chip_index)
{
    struct board *board = sim_allocate(1, sizeof *board);

    board->options = farm->options;
    board->cable = cable;
    board->place = (unsigned)cable->count;
    farm_name_board(farm, board->name, sizeof board->name, farm->count);
    farm_add_board(farm, board);
    cable_attach(cable, board);
    board_open(board, model, chip_index);
}

static int add_line(struct farm *farm, const struct model *model, size_t chip_index, size_t units)
{
    struct cable *cable = add_cable(farm, model, units);

    for (; units; units--)
        add_board(farm, cable, model, chip_index);
    return cable_plug(cable);
}

static int add_known(struct farm *farm, const struct model *model, size_t chip_index, size_t count)
{
    size_t units = model->shared ? count : 1;

    if (model->shared && count > UNITS_MAX)
        return sim_complain("--boards: more than %d units on one line", UNITS_MAX);
    for (; count; count -= units)
        if (add_line(farm, model, chip_index, units))
            return -1;
    return 0;
}

/* What is not our own may be the helper's, by the name as it stands. */
int own_add(struct farm *farm, const char *chip, size_t count, const char *kind)
{
    struct own *own = farm->own;
    size_t chip_index;
    const struct model *model = model_of_chip(chip, &chip_index);

    if (!own)
        own = farm->own = sim_allocate(1, sizeof *own);
    if (model)
        return farm_has_room(farm, count) ? add_known(farm, model, chip_index, count) : -1;
    if (!helper_knows(chip))
        return 1;
    helper_want(&own->helper, kind);
    return 0;
}

void own_free_board(void *board)
{
    board_close(board);
    free(board);
}

bool own_refer_fault(struct farm *farm, const char *request)
{
    const struct own *own = farm->own;

    if (own->helper)
        helper_want_fault(own->helper, request);
    return own->helper;
}

int own_start(struct farm *farm)
{
    const struct own *own = farm->own;

    return own->helper ? helper_start(own->helper, farm) : 0;
}

size_t own_others(const struct farm *farm)
{
    const struct own *own = farm->own;

    return helper_boards(own->helper);
}

bool own_ask(const struct farm *farm, const char *line, char *answer, size_t size)
{
    const struct own *own = farm->own;

    return helper_ask(own->helper, line, answer, size);
}

void own_close(struct farm *farm)
{
    struct own *own = farm->own;

    for (size_t i = 0; own && i < own->cable_count; i++) {
        cable_close(own->cables[i]);
        free(own->cables[i]);
    }
    if (own) {
        helper_free(own->helper);
        free(own->cables);
    }
    free(own);
}
