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

enum { BOARDS_PER_ROW = 16 };

/* A1 ... A16, B1 ... Z16, AA1 ... */
void farm_name_board(const struct farm *farm, char *name, size_t size, size_t index)
{
    const char *prefix = farm->options->prefix;
    size_t place = farm->options->first + index, row = place / BOARDS_PER_ROW;
    unsigned column = (unsigned)(place % BOARDS_PER_ROW + 1);

    if (row < 26)
        (void)snprintf(name, size, "%s%c%u", prefix, (char)('A' + row), column);
    else
        (void)snprintf(name, size, "%s%c%c%u", prefix, (char)('A' + row / 26 - 1), (char)('A' + row % 26),
                       column);
}

/* Is the board that comes next to have a port with modem lines? --remote names them, or says how many of the
 * first. */
bool farm_is_remote(const struct farm *farm, const char *name)
{
    const char *list = farm->options->remote;
    size_t length = strlen(name);
    uint64_t first;

    if (!list || !*list)
        return list != NULL;
    if (!sim_number(list, 0, farm->program->boards_max, &first))
        return farm->options->first + farm->count < first;
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (!strncmp(list, name, length) && (list[length] == ',' || !list[length]))
            return true;
    return false;
}

bool farm_has_room(const struct farm *farm, size_t count)
{
    size_t most = farm->program->boards_max;

    if (farm->count + count <= most)
        return true;
    (void)sim_complain("--boards: more than %zu boards", most);
    return false;
}

void farm_add_board(struct farm *farm, void *board)
{
    farm->boards = sim_reallocate(farm->boards, (farm->count + 1) * sizeof *farm->boards);
    farm->boards[farm->count++] = board;
}

void farm_add_port(struct farm *farm, struct port *port)
{
    port->changes = &farm->changes;
    farm->ports = sim_reallocate(farm->ports, (farm->port_count + 1) * sizeof *farm->ports);
    farm->ports[farm->port_count++] = port;
}

static int refuse_chip(const struct farm *farm, const char *name)
{
    (void)sim_complain("unknown chip '%s'; known are:", name);
    farm->program->list_chips(stderr, "  ");
    return -1;
}

/* CHIP=COUNT, or CHIP for one. */
static int add_kind(struct farm *farm, const char *kind)
{
    char *name = sim_text("%s", kind), *mark = strchr(name, '=');
    size_t most = farm->program->boards_max;
    uint64_t count = 1;
    int result;

    if (mark)
        *mark = '\0';
    if (mark && sim_number(mark + 1, 1, most, &count))
        result = sim_complain("--boards %s: not a number from 1 to %zu", kind, most);
    else
        result = farm->program->add(farm, name, count, kind);
    if (result > 0)
        result = refuse_chip(farm, name);
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
    if (farm->program->owns_folder && flock(farm->dir_fd, LOCK_EX | LOCK_NB))
        return sim_complain("--dir %s: in use by another flashfarm-sim", path);
    return 0;
}

static void report_change(const struct farm *farm, const struct inotify_event *event)
{
    for (size_t i = 0; i < farm->port_count; i++) {
        struct port *port = farm->ports[i];

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
    const struct program *program = farm->program;
    char *text = sim_text("%s", request), *mark = strchr(text, '='), why[400] = "";
    void *board = NULL;
    int result = 0;

    if (mark) {
        *mark = '\0';
        board = farm_find(farm, text);
    }
    if (!mark)
        result = sim_complain("--fault %s: NAME=KIND[@N] is needed", text);
    else if (!board && !(program->refer_fault && program->refer_fault(farm, request)))
        result = sim_complain("--fault: there is no board '%s'", text);
    else if (board && program->operations->set_fault(farm, board, mark + 1, why, sizeof why))
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

static int write_conf(const struct farm *farm)
{
    char *path = sim_text("%s/%s", farm->dir, farm->program->conf), *fresh = sim_text("%s.new", path);
    FILE *file = fopen(fresh, "we");
    int result = file ? farm->program->write_conf(farm, file) : -1;

    if ((file && fclose(file)) || (!result && rename(fresh, path)))
        result = -1;
    if (result)
        (void)sim_complain("%s: %s", path, strerror(errno));
    free(fresh);
    free(path);
    return result;
}

int farm_open(struct farm *farm, const struct program *program, struct loop *loop,
              const struct options *options)
{
    *farm =
        (struct farm){.program = program, .loop = loop, .options = options, .dir_fd = -1, .inotify_fd = -1};
    raise_limit();
    if (open_dir(farm, options->dir) || open_changes(farm) || add_boards(farm, options->boards) ||
        set_first_faults(farm) || (program->start && program->start(farm)))
        return -1;
    return write_conf(farm);
}

void farm_close(struct farm *farm)
{
    for (size_t i = 0; i < farm->count; i++)
        farm->program->free_board(farm->boards[i]);
    if (farm->program->close)
        farm->program->close(farm);
    free(farm->ports);
    free(farm->boards);
    free(farm->dir);
    if (farm->inotify_fd >= 0)
        (void)close(farm->inotify_fd);
    if (farm->dir_fd >= 0)
        (void)close(farm->dir_fd);
}

const char *farm_name(const struct farm *farm, size_t index)
{
    return farm->program->operations->name(farm->boards[index]);
}

void *farm_find(const struct farm *farm, const char *name)
{
    for (size_t i = 0; i < farm->count; i++)
        if (!strcmp(farm_name(farm, i), name))
            return farm->boards[i];
    return NULL;
}

size_t farm_others(const struct farm *farm)
{
    return farm->program->others ? farm->program->others(farm) : 0;
}

int farm_dump(const void *board, int (*dump)(const void *board, FILE *file), const char *path)
{
    FILE *file = fopen(path, "we");
    int result = file ? dump(board, file) : -1;

    if (file && fclose(file))
        result = -1;
    return result;
}
