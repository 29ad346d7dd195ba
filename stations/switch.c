/* SPDX-License-Identifier: Apache-2.0 */
/* Three kinds of switches behind one call; see the header. */
#include "switch.h"

#include "alloc.h"
#include "switch_run.h"

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define WORDS_MAX 16u

/* More lines than any GPIO chip of the kernel has. */
#define LINE_MAX_OFFSET 4095u

enum switch_kind { SWITCH_GPIO, SWITCH_USB_HUB, SWITCH_COMMAND };

struct fixture_switch {
    const struct switch_host *host;
    enum switch_kind kind;
    enum switch_words words;
    char *text;
    char *path; /* of the GPIO chip, or of the hub port's file */
    unsigned offset;
    bool active_low;
    void *line; /* NULL until it is first switched */
    char *copy; /* the command, cut into `arguments`; `action` is added as the last of them */
    char action[8];
    char *arguments[WORDS_MAX + 2];
    size_t argument_count;
};

/* --- libgpiod -------------------------------------------------------------------------------- */

/* Closing the chip releases its line: the two live and die together. */
static int request_line(void **line, const char *chip_path, unsigned offset, bool active_low, bool on)
{
    struct gpiod_chip *chip = gpiod_chip_open(chip_path);
    struct gpiod_line *found;
    int errno_value;

    if (!chip)
        return -errno;
    found = gpiod_chip_get_line(chip, offset);
    if (found && gpiod_line_request_output_flags(
                     found, "flashfarm", active_low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0, on) == 0) {
        *line = found;
        return 0;
    }
    errno_value = errno;
    gpiod_chip_close(chip);
    return -errno_value;
}

static int set_line(void *line, bool on)
{
    return gpiod_line_set_value(line, on) < 0 ? -errno : 0;
}

static void release_line(void *line)
{
    gpiod_chip_close(gpiod_line_get_chip(line));
}

static const struct switch_gpio libgpiod = {
    .request = request_line, .set = set_line, .release = release_line};

const struct switch_host switch_host_this = {
    .dev = "/dev", .sysfs = "/sys", .clock = &clock_system, .gpio = &libgpiod};

/* --- reading the configuration ---------------------------------------------------------------- */

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* A decimal number that ends the text or a part of it. */
static bool read_number(const char *text, size_t length, unsigned most, unsigned *number)
{
    *number = 0;
    if (length == 0 || length > 6 || strspn(text, "0123456789") < length)
        return false;
    *number = (unsigned)strtoul(text, NULL, 10);
    return *number <= most;
}

/* CHIP/LINE[/low] */
static bool read_gpio(struct fixture_switch *s, const char *rest)
{
    size_t chip_length = strspn(rest, NAME_CHARACTERS), line_length;
    const char *line = rest + chip_length + 1;

    if (chip_length == 0 || rest[0] == '.' || rest[chip_length] != '/')
        return false;
    line_length = strcspn(line, "/");
    if (!read_number(line, line_length, LINE_MAX_OFFSET, &s->offset))
        return false;
    s->active_low = strcmp(line + line_length, "/low") == 0;
    if (line[line_length] != '\0' && !s->active_low)
        return false;
    s->path = format_text("%s/%.*s", s->host->dev, (int)chip_length, rest);
    return true;
}

/* HUB/PORT, HUB as the kernel names it: "usb1" for a root hub, else bus, dash and ports with dots between.
 * The attribute is there since Linux 6.0 (Documentation/ABI/testing/sysfs-bus-usb:
 * <hub_interface>/port<X>/disable); the hub's interface is number 0 of configuration 1, and that of a root
 * hub is called N-0. */
static bool read_hub_port(struct fixture_switch *s, const char *rest)
{
    size_t length = strcspn(rest, "/");
    bool root = strncmp(rest, "usb", 3) == 0;
    const char *hub = root ? rest + 3 : rest;
    size_t hub_length = root ? length - 3 : length;
    unsigned port;

    if (rest[length] != '/' || hub_length == 0 || hub[0] < '0' || hub[0] > '9' ||
        strspn(hub, root ? "0123456789" : "0123456789.-") < hub_length)
        return false;
    if (!root && (!memchr(hub, '-', hub_length) || hub[hub_length - 1] == '-'))
        return false;
    if (!read_number(rest + length + 1, strlen(rest + length + 1), 255, &port) || port == 0)
        return false;
    s->path = format_text("%s/bus/usb/devices/%.*s%s:1.0/%.*s-port%u/disable", s->host->sysfs,
                          (int)hub_length, hub, root ? "-0" : "", (int)length, rest, port);
    return true;
}

/* The program by its full path: a daemon's search path is nobody's idea of the fixture. */
static bool read_command(struct fixture_switch *s, const char *rest)
{
    char *save = NULL;

    s->copy = copy_text(rest);
    for (char *word = strtok_r(s->copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        if (s->argument_count == WORDS_MAX)
            return false;
        s->arguments[s->argument_count++] = word;
    }
    return s->argument_count > 0 && s->arguments[0][0] == '/' && s->arguments[0][1] != '\0';
}

static const struct {
    const char *scheme;
    enum switch_kind kind;
    bool (*read)(struct fixture_switch *s, const char *rest);
} schemes[] = {
    {.scheme = "gpio:", .kind = SWITCH_GPIO, .read = read_gpio},
    {.scheme = "usb-hub:", .kind = SWITCH_USB_HUB, .read = read_hub_port},
    {.scheme = "command:", .kind = SWITCH_COMMAND, .read = read_command},
};

int switch_parse(struct fixture_switch **fixture_switch, const char *text, enum switch_words words,
                 const struct switch_host *host, struct error *error)
{
    struct fixture_switch *s = allocate(1, sizeof *s);

    s->host = host;
    s->words = words;
    s->text = copy_text(text);
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i].scheme);

        s->kind = schemes[i].kind;
        if (strncmp(text, schemes[i].scheme, length) == 0 && schemes[i].read(s, text + length)) {
            *fixture_switch = s;
            return 0;
        }
    }
    switch_free(s);
    return error_set(error, -EINVAL,
                     "\"%s\": expected gpio:CHIP/LINE[/low], usb-hub:HUB/PORT or command:/PROGRAM ARGUMENTS",
                     text);
}

void switch_free(struct fixture_switch *fixture_switch)
{
    if (!fixture_switch)
        return;
    if (fixture_switch->line)
        fixture_switch->host->gpio->release(fixture_switch->line);
    free(fixture_switch->text);
    free(fixture_switch->path);
    free(fixture_switch->copy);
    free(fixture_switch);
}

const char *switch_text(const struct fixture_switch *fixture_switch)
{
    return fixture_switch->text;
}

/* --- switching -------------------------------------------------------------------------------- */

static int failed(const struct fixture_switch *s, int errno_value, struct error *error)
{
    if (s->kind == SWITCH_USB_HUB && errno_value == ENOENT)
        return error_set(error, -EREMOTEIO, "%s: no such hub port can be switched here (no %s)", s->text,
                         s->path);
    (void)error_set_errno(error, errno_value, "%s: %s cannot be switched", s->text, s->path);
    return error_reclass(error, -EREMOTEIO);
}

static int set_gpio(struct fixture_switch *s, bool on, struct error *error)
{
    const struct switch_gpio *gpio = s->host->gpio;
    int status =
        s->line ? gpio->set(s->line, on) : gpio->request(&s->line, s->path, s->offset, s->active_low, on);

    return status < 0 ? failed(s, -status, error) : 0;
}

/* Switching a port off tells the drivers of what is plugged in there to let go, which can take long: in the
 * pool. It is as good as certain to end, so a cancellation waits for it. */
struct pool_write {
    uv_work_t request;
    const char *path, *text;
    int errno_value;
    struct fiber *fiber;
};

static void write_attribute(uv_work_t *request)
{
    struct pool_write *job = request->data;
    int fd = open(job->path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, job->text, strlen(job->text)) < 0)
        job->errno_value = errno;
    if (fd >= 0)
        (void)close(fd);
}

static void attribute_written(uv_work_t *request, int status)
{
    struct pool_write *job = request->data;

    (void)status; /* the request is never cancelled */
    fiber_resume(job->fiber, 0);
}

static int set_hub_port(struct fixture_switch *s, bool on, struct fibers *fibers, struct error *error)
{
    struct pool_write job = {.path = s->path, .text = on ? "0\n" : "1\n", .fiber = fiber_current(fibers)};

    job.request.data = &job;
    if (job.fiber &&
        uv_queue_work(fibers_loop(fibers), &job.request, write_attribute, attribute_written) == 0)
        (void)fiber_await(fibers);
    else
        write_attribute(&job.request);
    return job.errno_value ? failed(s, job.errno_value, error) : 0;
}

static int run_command(struct fixture_switch *s, bool on, const struct switch_call *call, struct error *error)
{
    static const char *const said[2][2] = {
        [SWITCH_ON_OFF] = {"off", "on"}, [SWITCH_ENTER_LEAVE] = {"leave", "enter"}};

    (void)snprintf(s->action, sizeof s->action, "%s", said[s->words][on]);
    s->arguments[s->argument_count] = s->action;
    if (switch_run(s->arguments, s->host->clock, call, error) < 0)
        return error->code == -ECANCELED ? error->code : error_prefix(error, "%s %s", s->text, s->action);
    return 0;
}

int switch_set(struct fixture_switch *fixture_switch, bool on, const struct switch_call *call,
               struct error *error)
{
    switch (fixture_switch->kind) {
    case SWITCH_GPIO:
        return set_gpio(fixture_switch, on, error);
    case SWITCH_USB_HUB:
        return set_hub_port(fixture_switch, on, call->fibers, error);
    case SWITCH_COMMAND:
        return run_command(fixture_switch, on, call, error);
    }
    return 0;
}
