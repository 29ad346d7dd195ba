/* SPDX-License-Identifier: Apache-2.0 */
/* See avr_control.h. */
#include "avr_control.h"

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, REPLY_MAX_BYTES = 512 };

struct visitor {
    struct source source;
    struct avr_control *control;
    struct visitor *next;
    size_t used;
    char line[LINE_MAX_BYTES];
};

struct request {
    struct avr_board *board;
    const char *argument;
    char reply[REPLY_MAX_BYTES];
};

static int refuse(struct request *request, const char *why)
{
    (void)snprintf(request->reply, sizeof request->reply, "%s", why);
    return -1;
}

static int do_state(struct request *request)
{
    avr_board_describe(request->board, request->reply, sizeof request->reply);
    return 0;
}

static int do_reset(struct request *request)
{
    avr_board_reset(request->board);
    return 0;
}

static int do_remove(struct request *request)
{
    avr_board_remove(request->board);
    return 0;
}

static int do_insert(struct request *request)
{
    return avr_board_insert(request->board) ? refuse(request, "no bootloader") : 0;
}

static int do_unplug(struct request *request)
{
    avr_board_unplug(request->board);
    return 0;
}

static int do_replug(struct request *request)
{
    return avr_board_replug(request->board) ? refuse(request, "no port") : 0;
}

static int do_fault(struct request *request)
{
    return avr_board_set_fault(request->board, request->argument, request->reply, sizeof request->reply);
}

static int do_dump(struct request *request)
{
    return avr_board_dump(request->board, request->argument, false) ? refuse(request, strerror(errno)) : 0;
}

static int do_eeprom(struct request *request)
{
    return avr_board_dump(request->board, request->argument, true) ? refuse(request, strerror(errno)) : 0;
}

static int do_fill(struct request *request)
{
    uint64_t byte;
    FILE *file;
    int result;

    if (!sim_number(request->argument, 0, 255, &byte))
        return avr_board_fill(request->board, (int)byte, NULL);
    file = fopen(request->argument, "re");
    if (!file)
        return refuse(request, strerror(errno));
    result = avr_board_fill(request->board, 0, file);
    (void)fclose(file);
    return result ? refuse(request, "cannot read the file") : 0;
}

static const struct {
    const char *name;
    bool argument;
    int (*run)(struct request *request);
} commands[] = {
    {.name = "state", .run = do_state},
    {.name = "reset", .run = do_reset},
    {.name = "remove", .run = do_remove},
    {.name = "insert", .run = do_insert},
    {.name = "unplug", .run = do_unplug},
    {.name = "replug", .run = do_replug},
    {.name = "fault", .argument = true, .run = do_fault},
    {.name = "dump", .argument = true, .run = do_dump},
    {.name = "eeprom", .argument = true, .run = do_eeprom},
    {.name = "fill", .argument = true, .run = do_fill},
};

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* In one piece: many small ones would not fit the socket. */
static void list(const struct avr_farm *farm, int fd)
{
    enum { ENTRY_MAX_BYTES = 64 };
    size_t room = (farm->count + 1) * ENTRY_MAX_BYTES, used = 2;
    char *text = sim_allocate(room, 1);

    memcpy(text, "ok", used);
    for (size_t i = 0; i < farm->count; i++)
        used += (size_t)snprintf(text + used, room - used, " %s:%s", farm->boards[i]->name,
                                 avr_board_phase(farm->boards[i]));
    (void)snprintf(text + used, room - used, "\n");
    say(fd, text);
    free(text);
}

/* Finds board and argument, runs the command; what is wrong goes into the reply. */
static int run(const struct avr_farm *farm, struct request *request, const char *command, const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, command) != 0)
            continue;
        if (!name || !(request->board = avr_farm_find(farm, name)))
            return refuse(request, name ? "no such board" : "which board?");
        if (commands[i].argument != (request->argument && *request->argument))
            return refuse(request, commands[i].argument ? "one word more is needed" : "one word too many");
        return commands[i].run(request);
    }
    return refuse(request,
                  "known commands: list state reset remove insert unplug replug fault dump eeprom fill");
}

static void serve(struct visitor *visitor, char *line)
{
    struct request request = {.board = NULL};
    char *rest = line, *command = strsep(&rest, " "), *name = strsep(&rest, " "), *reply;
    int result;

    if (!strcmp(command, "list")) {
        list(visitor->control->farm, visitor->source.fd);
        return;
    }
    request.argument = rest;
    result = run(visitor->control->farm, &request, command, name);
    reply = sim_text("%s%s%s\n", result ? "error" : "ok", request.reply[0] ? " " : "", request.reply);
    say(visitor->source.fd, reply);
    free(reply);
}

static void dismiss(struct visitor *visitor)
{
    struct visitor **link = &visitor->control->visitors;
    int fd = visitor->source.fd;

    while (*link != visitor)
        link = &(*link)->next;
    *link = visitor->next;
    loop_remove(visitor->control->farm->loop, &visitor->source);
    (void)close(fd);
    free(visitor);
}

static void on_request(struct source *source)
{
    struct visitor *visitor = (struct visitor *)((char *)source - offsetof(struct visitor, source));
    ssize_t count = read(source->fd, visitor->line + visitor->used, sizeof visitor->line - visitor->used);
    char *start = visitor->line, *end;

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        dismiss(visitor);
        return;
    }
    visitor->used += (size_t)count;
    while ((end = memchr(start, '\n', visitor->used - (size_t)(start - visitor->line)))) {
        *end = '\0';
        serve(visitor, start);
        start = end + 1;
    }
    visitor->used -= (size_t)(start - visitor->line);
    memmove(visitor->line, start, visitor->used);
    if (visitor->used == sizeof visitor->line)
        dismiss(visitor);
}

static void on_visitor(struct source *source)
{
    struct avr_control *control =
        (struct avr_control *)((char *)source - offsetof(struct avr_control, source));
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct visitor *visitor;

    if (fd < 0)
        return;
    visitor = sim_allocate(1, sizeof *visitor);
    visitor->control = control;
    visitor->source = (struct source){.fd = fd, .ready = on_request};
    visitor->next = control->visitors;
    control->visitors = visitor;
    if (loop_add(control->farm->loop, &visitor->source))
        dismiss(visitor);
}

int avr_control_open(struct avr_control *control, struct avr_farm *farm)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *control = (struct avr_control){.farm = farm, .path = sim_text("%s/avr-control", farm->dir)};
    control->source = (struct source){.fd = -1, .ready = on_visitor};
    if (strlen(control->path) >= sizeof address.sun_path)
        return sim_complain("%s: path too long for a socket", control->path);
    memcpy(address.sun_path, control->path, strlen(control->path));
    (void)unlink(control->path);
    control->source.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->source.fd < 0 ||
        bind(control->source.fd, (const struct sockaddr *)&address, sizeof address) ||
        listen(control->source.fd, 16))
        return sim_complain("%s: %s", control->path, strerror(errno));
    return loop_add(farm->loop, &control->source);
}

void avr_control_close(struct avr_control *control)
{
    while (control->visitors)
        dismiss(control->visitors);
    if (control->source.fd >= 0) {
        (void)unlink(control->path);
        (void)close(control->source.fd);
    }
    free(control->path);
}
