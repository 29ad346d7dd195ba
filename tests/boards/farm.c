/* SPDX-License-Identifier: Apache-2.0 */
/* See farm.h. */
#include "farm.h"

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOARDS_PER_ROW = 16, BOARDS_MAX = 26 * BOARDS_PER_ROW * 4 };

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

static int unknown_chip(const char *name)
{
    const char *known;

    (void)sim_complain("unknown chip '%s'; known are:", name);
    for (size_t i = 0; (known = stm32_uart_model.chip_name(i)); i++)
        (void)fprintf(stderr, "  %s\n", known);
    return -1;
}

static int find_chip(const char *name, size_t *index)
{
    const char *known;

    for (*index = 0; (known = stm32_uart_model.chip_name(*index)); (*index)++)
        if (!strcmp(known, name))
            return 0;
    return unknown_chip(name);
}

static int add_board(struct farm *farm, size_t chip_index)
{
    struct board *board = sim_allocate(1, sizeof *board);

    farm->boards = sim_reallocate(farm->boards, (farm->count + 1) * sizeof(struct board *));
    board->loop = farm->loop;
    board->options = farm->options;
    board->changes = &farm->changes;
    name_board(board->name, sizeof board->name, farm->count);
    board->link = sim_text("%s/%s", farm->dir, board->name);
    farm->boards[farm->count++] = board;
    return board_open(board, &stm32_uart_model, chip_index);
}

/* CHIP=COUNT, or CHIP for one. */
static int add_kind(struct farm *farm, char *kind)
{
    char *mark = strchr(kind, '=');
    uint64_t count = 1;
    size_t chip_index;

    if (mark) {
        *mark = '\0';
        if (sim_number(mark + 1, 1, BOARDS_MAX, &count))
            return sim_complain("--boards %s=%s: not a number from 1 to %d", kind, mark + 1, BOARDS_MAX);
    }
    if (find_chip(kind, &chip_index))
        return -1;
    if (farm->count + count > BOARDS_MAX)
        return sim_complain("--boards: more than %d boards", BOARDS_MAX);
    for (; count; count--)
        if (add_board(farm, chip_index))
            return -1;
    return 0;
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

static void write_stations(const struct farm *farm, FILE *file)
{
    const struct options *options = farm->options;

    (void)fprintf(file,
                  "# Written by flashfarm-sim for its boards.\n[daemon]\nlisten = %s\nstate = %s/state\n",
                  options->listen, farm->dir);
    for (size_t i = 0; i < farm->count; i++)
        (void)fprintf(file, "\n[station %s]\nport = serial:%s\nprotocol = %s\nbaud = %llu\nentry = none\n",
                      farm->boards[i]->name, farm->boards[i]->link, farm->boards[i]->model->protocol,
                      (unsigned long long)options->baud);
}

static int write_conf(const struct farm *farm)
{
    char *path = sim_text("%s/flashfarm.conf", farm->dir), *fresh = sim_text("%s.new", path);
    FILE *file = fopen(fresh, "we");
    int result = 0;

    if (file)
        write_stations(farm, file);
    if (!file || fclose(file) || rename(fresh, path))
        result = sim_complain("%s: %s", path, strerror(errno));
    free(fresh);
    free(path);
    return result;
}

static void report_change(const struct farm *farm, const struct inotify_event *event)
{
    for (size_t i = 0; i < farm->count; i++)
        if (farm->boards[i]->plugged && farm->boards[i]->pty.watch == event->wd) {
            board_pty_changed(farm->boards[i], event->mask);
            return;
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

static int set_first_faults(struct farm *farm)
{
    for (size_t i = 0; i < farm->options->fault_count; i++) {
        char *text = sim_text("%s", farm->options->faults[i]), *mark = strchr(text, '='), why[400] = "";
        struct board *board = NULL;
        int result = 0;

        if (mark) {
            *mark = '\0';
            board = farm_find(farm, text);
        }
        if (!mark)
            result = sim_complain("--fault %s: NAME=KIND[@N] is needed", text);
        else if (!board)
            result = sim_complain("--fault: there is no board '%s'", text);
        else if (farm_set_fault(farm, board, mark + 1, why, sizeof why))
            result = sim_complain("--fault: %s", why);
        free(text);
        if (result)
            return result;
    }
    return 0;
}

int farm_open(struct farm *farm, struct loop *loop, const struct options *options)
{
    *farm = (struct farm){.loop = loop, .options = options, .dir_fd = -1, .inotify_fd = -1};
    raise_limit();
    if (open_dir(farm, options->dir) || open_changes(farm) || add_boards(farm, options->boards) ||
        set_first_faults(farm))
        return -1;
    return write_conf(farm);
}

void farm_close(struct farm *farm)
{
    for (size_t i = 0; i < farm->count; i++) {
        board_close(farm->boards[i]);
        free(farm->boards[i]);
    }
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
