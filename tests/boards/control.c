/* SPDX-License-Identifier: Apache-2.0 */
/* See control.h: the simulator's end. */
#include "control.h"

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
    struct control *control;
    struct visitor *next;
    size_t used;
    char line[LINE_MAX_BYTES];
};

struct request {
    const struct farm *farm;
    const struct operations *operations;
    void *board;
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
    request->operations->describe(request->board, request->reply, sizeof request->reply);
    return 0;
}

static int do_reset(struct request *request)
{
    request->operations->reset(request->board);
    return 0;
}

static int do_remove(struct request *request)
{
    request->operations->remove(request->board);
    return 0;
}

static int do_insert(struct request *request)
{
    return request->operations->insert(request->board) ? refuse(request, "no bootloader") : 0;
}

static int do_unplug(struct request *request)
{
    request->operations->unplug(request->board);
    return 0;
}

static int do_replug(struct request *request)
{
    return request->operations->replug(request->board) ? refuse(request, "no port") : 0;
}

static int do_fault(struct request *request)
{
    return request->operations->set_fault(request->farm, request->board, request->argument, request->reply,
                                          sizeof request->reply);
}

static int dump(struct request *request, int (*content)(const void *board, FILE *file))
{
    return farm_dump(request->board, content, request->argument) ? refuse(request, strerror(errno)) : 0;
}

static int do_dump(struct request *request)
{
    return dump(request, request->operations->dump);
}

static int do_eeprom(struct request *request)
{
    return dump(request, request->operations->dump_eeprom);
}

static int do_fill(struct request *request)
{
    uint64_t byte;
    FILE *file;
    int result;

    if (!sim_number(request->argument, 0, 255, &byte))
        return request->operations->fill(request->board, (int)byte, NULL);
    file = fopen(request->argument, "re");
    if (!file)
        return refuse(request, strerror(errno));
    result = request->operations->fill(request->board, 0, file);
    (void)fclose(file);
    return result ? refuse(request, "cannot read the file") : 0;
}

static const struct command {
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

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static bool is_known(const struct operations *operations, const struct command *command)
{
    return command->run != do_eeprom || operations->dump_eeprom;
}

static const struct command *find_command(const struct operations *operations, const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name) && is_known(operations, &commands[i]))
            return &commands[i];
    return NULL;
}

static int tell_commands(struct request *request)
{
    size_t used = (size_t)snprintf(request->reply, sizeof request->reply, "known commands: list");

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (is_known(request->operations, &commands[i]))
            used += (size_t)snprintf(request->reply + used, sizeof request->reply - used, " %s",
                                     commands[i].name);
    return -1;
}

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Theirs behind ours. */
static void append_others(const struct farm *farm, char *text, size_t room)
{
    size_t used = strlen(text);
    char *answer;

    if (!farm_others(farm))
        return;
    answer = sim_allocate(room, 1);
    if (farm->program->ask(farm, "list", answer, room) && !strncmp(answer, "ok ", 3))
        (void)snprintf(text + used, room - used, "%s", answer + 2);
    free(answer);
}

/* In one piece: many small ones would not fit the socket. */
static void list(const struct farm *farm, int fd)
{
    enum { ENTRY_MAX_BYTES = 64 };
    size_t room = (farm->count + farm_others(farm) + 1) * ENTRY_MAX_BYTES, used = 2;
    char *text = sim_allocate(room, 1);

    memcpy(text, "ok", used);
    for (size_t i = 0; i < farm->count; i++)
        used += (size_t)snprintf(text + used, room - used, " %s:%s", farm_name(farm, i),
                                 farm->program->operations->phase(farm->boards[i]));
    append_others(farm, text, room - 1);
    (void)strcat(text, "\n");
    say(fd, text);
    free(text);
}

/* Boards that are not ours: the command as it came, the answer as it comes. */
static bool forward(const struct visitor *visitor, const char *line, const char *name)
{
    const struct farm *farm = visitor->control->farm;
    char answer[LINE_MAX_BYTES];

    if (!name || !farm_others(farm) || farm_find(farm, name))
        return false;
    if (!farm->program->ask(farm, line, answer, sizeof answer - 1))
        (void)snprintf(answer, sizeof answer, "error flashfarm-sim-avr does not answer");
    (void)strcat(answer, "\n");
    say(visitor->source.fd, answer);
    return true;
}

/* Finds board and argument, runs the command; what is wrong goes into the reply. */
static int run(struct request *request, const char *name, const char *board)
{
    const struct command *command = find_command(request->operations, name);

    if (!command)
        return tell_commands(request);
    if (!board || !(request->board = farm_find(request->farm, board)))
        return refuse(request, board ? "no such board" : "which board?");
    if (command->argument != (request->argument && *request->argument))
        return refuse(request, command->argument ? "one word more is needed" : "one word too many");
    return command->run(request);
}

static void serve(struct visitor *visitor, char *line)
{
    const struct farm *farm = visitor->control->farm;
    struct request request = {.farm = farm, .operations = farm->program->operations};
    char *whole = sim_text("%s", line), *rest = line, *command = strsep(&rest, " "),
         *name = strsep(&rest, " "), *reply;
    int result;

    if (!strcmp(command, "list"))
        list(farm, visitor->source.fd);
    else if (!forward(visitor, whole, name)) {
        request.argument = rest;
        result = run(&request, command, name);
        reply = sim_text("%s%s%s\n", result ? "error" : "ok", request.reply[0] ? " " : "", request.reply);
        say(visitor->source.fd, reply);
        free(reply);
    }
    free(whole);
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
    struct control *control = (struct control *)((char *)source - offsetof(struct control, source));
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

int control_open(struct control *control, const struct farm *farm)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *control = (struct control){.farm = farm, .path = sim_text("%s/%s", farm->dir, farm->program->control)};
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

void control_close(struct control *control)
{
    while (control->visitors)
        dismiss(control->visitors);
    if (control->source.fd >= 0) {
        (void)unlink(control->path);
        (void)close(control->source.fd);
    }
    free(control->path);
}
