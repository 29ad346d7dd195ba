/* SPDX-License-Identifier: Apache-2.0 */
/* See farm.h. */
#include "farm.h"

#include "common.h"
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOARDS_PER_ROW = 16, BOARDS_MAX = 26 * BOARDS_PER_ROW * 4, UNITS_MAX = 254 };

/* A1 ... A16, B1 ... Z16, AA1 ... */
static void name_board(char *name, size_t size, size_t index)
{
    size_t row = index / BOARDS_PER_ROW;
    unsigned column = (unsigned)(index % BOARDS_PER_ROW + 1);

    if (row < 26)
        (void)snprintf(name, size, "%c%u", (char)('A' + row), column);
    else
        (void)snprintf(name, size, "%c%c%u", (char)('A' + row / 26 - 1), (char)('A' + row % 26), column);
}

/* Is the board of this name and index to have a port with modem lines? --remote names them, or says how many
 * of the first. */
static bool is_remote(const struct options *options, const char *name, size_t index)
{
    const char *list = options->remote;
    size_t length = strlen(name);
    uint64_t first;

    if (!list || !*list)
        return list;
    if (!sim_number(list, 0, BOARDS_MAX, &first))
        return index < first;
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (!strncmp(list, name, length) && (list[length] == ',' || !list[length]))
            return true;
    return false;
}

/* The link of a line with several units is named after the first and the last. */
static char *link_name(const struct farm *farm, size_t units)
{
    char first[16], last[16];

    name_board(first, sizeof first, farm->count);
    name_board(last, sizeof last, farm->count + units - 1);
    return units > 1 ? sim_text("%s/%s-%s", farm->dir, first, last) : sim_text("%s/%s", farm->dir, first);
}

static struct cable *add_cable(struct farm *farm, const struct model *model, size_t units)
{
    struct cable *cable = sim_allocate(1, sizeof *cable);
    char first[16];

    name_board(first, sizeof first, farm->count);
    cable_init(cable, farm->loop, farm->options, &farm->changes, link_name(farm, units),
               is_remote(farm->options, first, farm->count));
    cable->frame_bits = cable->wire.frame_bits = model->frame_bits;
    cable->shared = model->shared;
    farm->cables = sim_reallocate(farm->cables, (farm->cable_count + 1) * sizeof(struct cable *));
    farm->cables[farm->cable_count++] = cable;
    return cable;
}

static void add_board(struct farm *farm, struct cable *cable, const struct model *model, size_t chip_index)
{
    struct board *board = sim_allocate(1, sizeof *board);

    farm->boards = sim_reallocate(farm->boards, (farm->count + 1) * sizeof(struct board *));
    board->options = farm->options;
    board->cable = cable;
    board->place = (unsigned)cable->count;
    name_board(board->name, sizeof board->name, farm->count);
    farm->boards[farm->count++] = board;
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

    if (farm->count + count > BOARDS_MAX)
        return sim_complain("--boards: more than %d boards", BOARDS_MAX);
    if (model->shared && count > UNITS_MAX)
        return sim_complain("--boards: more than %d units on one line", UNITS_MAX);
    for (; count; count -= units)
        if (add_line(farm, model, chip_index, units))
            return -1;
    return 0;
}

static int refuse_chip(const char *name)
{
    (void)sim_complain("unknown chip '%s'; known are:", name);
    models_list_chips(stderr, "  ");
    return -1;
}

/* CHIP=COUNT, or CHIP for one. What is not our own may be the helper's, by the name as it stands. */
static int add_kind(struct farm *farm, const char *kind)
{
    char *name = sim_text("%s", kind), *mark = strchr(name, '=');
    const struct model *model;
    uint64_t count = 1;
    size_t chip_index;
    int result = 0;

    if (mark)
        *mark = '\0';
    model = model_of_chip(name, &chip_index);
    if (mark && sim_number(mark + 1, 1, BOARDS_MAX, &count))
        result = sim_complain("--boards %s: not a number from 1 to %d", kind, BOARDS_MAX);
    else if (model)
        result = add_known(farm, model, chip_index, count);
    else if (helper_knows(name))
        helper_want(&farm->helper, kind);
    else
        result = refuse_chip(name);
    free(name);
    return result;
}

static int add_boards(struct farm *farm, const char *text)
{
    char *list = sim_text("%s", text), *rest = list, *kind;
    int result = 0;

    while (!result && (kind = strsep(&rest, ",")))
        result = add_kind(farm, kind);
    free(list);
    return result;
}

/* The lock keeps a second simulator from taking over the links of the first. */
static int open_dir(struct farm *farm, const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return sim_complain("--dir %s: %s", path, strerror(errno));
    farm->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    farm->dir = realpath(path, NULL);
    if (farm->dir_fd < 0 || !farm->dir)
        return sim_complain("--dir %s: %s", path, strerror(errno));
    if (flock(farm->dir_fd, LOCK_EX | LOCK_NB))
        return sim_complain("--dir %s: in use by another flashfarm-sim", path);
    return 0;
}

static void report_change(const struct farm *farm, const struct inotify_event *event)
{
    for (size_t i = 0; i < farm->cable_count; i++) {
        struct port *port = &farm->cables[i]->port;

        if (port->plugged && !port->remote && port->pty.watch == event->wd) {
            port_changed(port, event->mask);
            return;
        }
    }
}

static void on_changes(struct source *source)
{
    const struct farm *farm = (struct farm *)((char *)source - offsetof(struct farm, changes));
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t count = read(source->fd, buffer, sizeof buffer);

    for (ssize_t at = 0; at < count;) {
        const struct inotify_event *event = (const void *)(buffer + at);

        report_change(farm, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

static int open_changes(struct farm *farm)
{
    farm->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (farm->inotify_fd < 0)
        return sim_complain("inotify: %s", strerror(errno));
    farm->changes = (struct source){.fd = farm->inotify_fd, .ready = on_changes};
    return loop_add(farm->loop, &farm->changes);
}

/* Two descriptors per board; the usual soft limit of 1024 is too low for a large farm. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int set_first_fault(struct farm *farm, const char *request)
{
    char *text = sim_text("%s", request), *mark = strchr(text, '='), why[400] = "";
    struct board *board = NULL;
    int result = 0;

    if (mark) {
        *mark = '\0';
        board = farm_find(farm, text);
    }
    if (!mark)
        result = sim_complain("--fault %s: NAME=KIND[@N] is needed", text);
    else if (!board && farm->helper)
        helper_want_fault(farm->helper, request);
    else if (!board)
        result = sim_complain("--fault: there is no board '%s'", text);
    else if (farm_set_fault(farm, board, mark + 1, why, sizeof why))
        result = sim_complain("--fault: %s", why);
    free(text);
    return result;
}

static int set_first_faults(struct farm *farm)
{
    int result = 0;

    for (size_t i = 0; !result && i < farm->options->fault_count; i++)
        result = set_first_fault(farm, farm->options->faults[i]);
    return result;
}

int farm_open(struct farm *farm, struct loop *loop, const struct options *options)
{
    *farm = (struct farm){.loop = loop, .options = options, .dir_fd = -1, .inotify_fd = -1};
    raise_limit();
    if (open_dir(farm, options->dir) || open_changes(farm) || add_boards(farm, options->boards) ||
        set_first_faults(farm) || (farm->helper && helper_start(farm->helper, farm)))
        return -1;
    return farm_write_conf(farm);
}

void farm_close(struct farm *farm)
{
    for (size_t i = 0; i < farm->count; i++) {
        board_close(farm->boards[i]);
        free(farm->boards[i]);
    }
    for (size_t i = 0; i < farm->cable_count; i++) {
        cable_close(farm->cables[i]);
        free(farm->cables[i]);
    }
    helper_free(farm->helper);
    free(farm->cables);
    free(farm->boards);
    free(farm->dir);
    if (farm->inotify_fd >= 0)
        (void)close(farm->inotify_fd);
    if (farm->dir_fd >= 0)
        (void)close(farm->dir_fd);
}

struct board *farm_find(const struct farm *farm, const char *name)
{
    for (size_t i = 0; i < farm->count; i++)
        if (!strcmp(farm->boards[i]->name, name))
            return farm->boards[i];
    return NULL;
}

int farm_set_fault(struct farm *farm, struct board *board, const char *text, char *why, size_t size)
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

int farm_dump(const struct board *board, const char *path)
{
    FILE *file = fopen(path, "we");
    int result = file ? board->model->dump(board->state, file) : -1;

    if (file && fclose(file))
        result = -1;
    return result;
}
