/* SPDX-License-Identifier: Apache-2.0 */
/* See own.h: what an operator can do to a board and ask of it, in the words of struct operations. */
#include "board.h"
#include "own.h"

#include <stdlib.h>

static const char *name(const void *state)
{
    const struct board *board = state;

    return board->name;
}

static const char *phase(const void *state)
{
    const struct board *board = state;

    if (!board_plugged(board))
        return "unplugged";
    return board->present ? board->model->phase(board->state) : "removed";
}

static void describe(const void *state, char *text, size_t size)
{
    const struct board *board = state;
    const struct counters *counters = &board->counters;
    char model[200], *port = board_port_name(board);

    board->model->describe(board->state, model, sizeof model);
    (void)snprintf(text, size,
                   "%s chip=%s writes=%llu erases=%llu written=%llu received=%llu sent=%llu overruns=%llu "
                   "baud=%u open=%d generation=%u port=%s %s",
                   phase(board), board->chip, (unsigned long long)counters->writes,
                   (unsigned long long)counters->erases, (unsigned long long)counters->written_bytes,
                   (unsigned long long)counters->received_bytes, (unsigned long long)counters->sent_bytes,
                   (unsigned long long)counters->overrun_bytes, board_baud(board), board_port_open(board),
                   board->generation, port, model);
    free(port);
}

static void reset(void *board)
{
    board_reset(board);
}

static void take_out(void *board)
{
    board_remove(board);
}

static int insert(void *board)
{
    board_insert(board);
    return 0;
}

static void unplug(void *board)
{
    board_unplug(board);
}

static int replug(void *board)
{
    return board_replug(board);
}

static int set_fault(const struct farm *farm, void *board, const char *text, char *why, size_t size)
{
    struct fault_request request;
    const struct board *other = NULL;

    if (fault_parse(text, &request, why, size))
        return -1;
    if (request.kind == FAULT_DUPLICATE_UID) {
        other = farm_find(farm, request.other);
        if (!other || other == board) {
            (void)snprintf(why, size, "duplicate-uid: there is no other board '%s'", request.other);
            return -1;
        }
    }
    board_set_fault(board, &request, other);
    return 0;
}

static int fill(void *state, int byte, FILE *content)
{
    const struct board *board = state;

    return board->model->fill(board->state, byte, content);
}

static int dump(const void *state, FILE *file)
{
    const struct board *board = state;

    return board->model->dump(board->state, file);
}

const struct operations own_operations = {
    .name = name,
    .phase = phase,
    .describe = describe,
    .reset = reset,
    .remove = take_out,
    .insert = insert,
    .unplug = unplug,
    .replug = replug,
    .set_fault = set_fault,
    .fill = fill,
    .dump = dump,
};
