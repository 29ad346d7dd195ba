/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_farm.h. */
#include "avr_farm.h"

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOARDS_PER_ROW = 16, BOARDS_MAX = 256 };

/* As flashfarm-sim names its own: A1 ... A16, B1 ... Z16, AA1 ... */
static void name_board(char *name, size_t size, const char *prefix, size_t index)
{
    size_t row = index / BOARDS_PER_ROW;
    unsigned column = (unsigned)(index % BOARDS_PER_ROW + 1);

    if (row < 26)
        (void)snprintf(name, size, "%s%c%u", prefix, (char)('A' + row), column);
    else
        (void)snprintf(name, size, "%s%c%c%u", prefix, (char)('A' + row / 26 - 1), (char)('A' + row % 26),
                       column);
}

/* --remote names the boards that have modem lines, or says how many of the first. */
static bool is_remote(const struct avr_options *options, const char *name, size_t index)
{
    const char *list = options->remote;
    size_t length = strlen(name);
    uint64_t first;

    if (!list || !*list)
        return list != NULL;
    if (!sim_number(list, 0, BOARDS_MAX, &first))
        return index < first;
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (!strncmp(list, name, length) && (list[length] == ',' || !list[length]))
            return true;
    return false;
}

static int add_board(struct avr_farm *farm, const struct loader *loader)
{
    struct avr_board *board = sim_allocate(1, sizeof *board);
    size_t index = farm->options->first + farm->count;

    farm->boards = sim_reallocate(farm->boards, (farm->count + 1) * sizeof(struct avr_board *));
    farm->boards[farm->count++] = board;
    board->loop = farm->loop;
    board->options = farm->options;
    board->loader = loader;
    name_board(board->name, sizeof board->name, farm->options->prefix, index);
    board->port.changes = &farm->changes;
    board->port.link = sim_text("%s/%s", farm->dir, board->name);
    board->port.remote = is_remote(farm->options, board->name, index);
    return avr_board_open(board);
}

static int refuse_kind(const char *kind)
{
    const struct loader *loader;

    (void)sim_complain("unknown chip '%s'; known are:", kind);
    for (size_t i = 0; (loader = loader_at(i)); i++)
        (void)fprintf(stderr, "  %s:%s\n", loader->chip, loader->name);
    return -1;
}

/* CHIP[:LOADER]=COUNT, or without a count for one. */
static int add_kind(struct avr_farm *farm, char *kind)
{
    char *mark = strchr(kind, '=');
    const struct loader *loader;
    uint64_t count = 1;

    if (mark) {
        *mark = '\0';
        if (sim_number(mark + 1, 1, BOARDS_MAX, &count))
            return sim_complain("--boards %s=%s: not a number from 1 to %d", kind, mark + 1, BOARDS_MAX);
    }
    loader = loader_find(kind);
    if (!loader)
        return refuse_kind(kind);
    if (farm->count + count > BOARDS_MAX)
        return sim_complain("--boards: more than %d boards", BOARDS_MAX);
    for (; count; count--)
        if (add_board(farm, loader))
            return -1;
    return 0;
}

static int add_boards(struct avr_farm *farm, const char *text)
{
    char *list = sim_text("%s", text), *rest = list, *kind;
    int result = 0;

    while (!result && (kind = strsep(&rest, ",")))
        result = add_kind(farm, kind);
    free(list);
    return result;
}

static int open_dir(struct avr_farm *farm, const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return sim_complain("--dir %s: %s", path, strerror(errno));
    farm->dir = realpath(path, NULL);
    return farm->dir ? 0 : sim_complain("--dir %s: %s", path, strerror(errno));
}

/* stk500v1 and stk500v2 loaders live for about a second after a reset: by opening the port, or by DTR. */
static void write_stations(const struct avr_farm *farm, FILE *file)
{
    for (size_t i = 0; i < farm->count; i++) {
        const struct avr_board *board = farm->boards[i];
        char *port = port_name(&board->port);

        (void)fprintf(file, "\n[station %s]\nport = %s\nprotocol = %s\nbaud = %u\nentry = %s\n", board->name,
                      port, board->loader->protocol, board->loader->baud,
                      board->port.remote ? "arduino" : "reopen");
        free(port);
    }
}

static int write_conf(const struct avr_farm *farm)
{
    char *path = sim_text("%s/avr.conf", farm->dir), *fresh = sim_text("%s.new", path);
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

static void report_change(const struct avr_farm *farm, const struct inotify_event *event)
{
    for (size_t i = 0; i < farm->count; i++) {
        struct port *port = &farm->boards[i]->port;

        if (port->plugged && !port->remote && port->pty.watch == event->wd) {
            port_changed(port, event->mask);
            return;
        }
    }
}

static void on_changes(struct source *source)
{
    const struct avr_farm *farm = (struct avr_farm *)((char *)source - offsetof(struct avr_farm, changes));
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t count = read(source->fd, buffer, sizeof buffer);

    for (ssize_t at = 0; at < count;) {
        const struct inotify_event *event = (const void *)(buffer + at);

        report_change(farm, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
}

static int open_changes(struct avr_farm *farm)
{
    farm->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (farm->inotify_fd < 0)
        return sim_complain("inotify: %s", strerror(errno));
    farm->changes = (struct source){.fd = farm->inotify_fd, .ready = on_changes};
    return loop_add(farm->loop, &farm->changes);
}

static int set_first_fault(const struct avr_farm *farm, const char *request)
{
    char *text = sim_text("%s", request), *mark = strchr(text, '='), why[400] = "";
    struct avr_board *board = NULL;
    int result = 0;

    if (mark) {
        *mark = '\0';
        board = avr_farm_find(farm, text);
    }
    if (!mark)
        result = sim_complain("--fault %s: NAME=KIND[@N] is needed", text);
    else if (!board)
        result = sim_complain("--fault: there is no board '%s'", text);
    else if (avr_board_set_fault(board, mark + 1, why, sizeof why))
        result = sim_complain("--fault: %s", why);
    free(text);
    return result;
}

int avr_farm_open(struct avr_farm *farm, struct loop *loop, const struct avr_options *options)
{
    *farm = (struct avr_farm){.loop = loop, .options = options, .inotify_fd = -1};
    if (open_dir(farm, options->dir) || open_changes(farm) || add_boards(farm, options->boards))
        return -1;
    for (size_t i = 0; i < options->fault_count; i++)
        if (set_first_fault(farm, options->faults[i]))
            return -1;
    return write_conf(farm);
}

void avr_farm_close(struct avr_farm *farm)
{
    for (size_t i = 0; i < farm->count; i++) {
        avr_board_close(farm->boards[i]);
        free(farm->boards[i]);
    }
    free(farm->boards);
    free(farm->dir);
    if (farm->inotify_fd >= 0)
        (void)close(farm->inotify_fd);
}

struct avr_board *avr_farm_find(const struct avr_farm *farm, const char *name)
{
    for (size_t i = 0; i < farm->count; i++)
        if (!strcmp(farm->boards[i]->name, name))
            return farm->boards[i];
    return NULL;
}
