/* SPDX-License-Identifier: Apache-2.0 */
/* Handles on a shared line; see the header. The lines of a loop are listed in a slot of its fibers. Without
 * a loop there is nobody to share with, and each handle has a line of its own. */
#include "port_rs485.h"

#include "alloc.h"
#include "fiber.h"
#include "list.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_MAX 255

struct line {
    struct list node; /* among the loop's lines, until it is gone */
    char *name;       /* of the port below */
    struct port *inner;
    struct fibers *fibers;
    const struct clock *clock;
    size_t references; /* handles, and calls that must find the line alive when they go on */
    bool opening, gone;
    struct error why_gone;
    struct handle *holder; /* whose turn it is */
    struct list turns;     /* struct waiter, first come first served */
    struct list sleepers;  /* struct waiter */
    struct list handles;
    void *shared;
};

struct handle {
    struct port port; /* first */
    struct line *line;
    struct list node;
    uint8_t address;
    bool told; /* that the line is gone */
};

/* Lives on the waiting fiber's stack. */
struct waiter {
    struct list node;
    struct fiber *fiber;
    struct handle *handle;
};

static struct handle *of(struct port *port)
{
    return (struct handle *)port;
}

/* --- waiting and waking ------------------------------------------------------------------- */

/* Waits in `queue`. A waiter that is woken with 0 has been taken out of it. */
static int wait_in(struct line *line, struct list *queue, struct handle *handle, int64_t deadline_us)
{
    struct waiter waiter = {.fiber = fiber_current(line->fibers), .handle = handle};
    int status;

    list_append(queue, &waiter.node);
    status = fiber_suspend(line->fibers, deadline_us);
    list_remove(&waiter.node);
    return status;
}

/* Wakes the first one in the queue that is not being woken by something else already. */
static struct waiter *wake_first(struct list *queue, int value)
{
    LIST_EACH (node, queue) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

        if (!fiber_waiting(waiter->fiber))
            continue;
        list_remove(node);
        fiber_resume(waiter->fiber, value);
        return waiter;
    }
    return NULL;
}

static void wake_all(struct list *queue, int value)
{
    struct list woken;

    /* A woken fiber may come back to the queue at once: it is for those who stand there now. */
    list_init(&woken);
    while (!list_empty(queue)) {
        struct list *node = queue->next;

        list_remove(node);
        list_append(&woken, node);
    }
    while (wake_first(&woken, value) != NULL)
        ;
    while (!list_empty(&woken)) /* on their way out for another reason */
        list_remove(woken.next);
}

static int say_waited(int status, const char *for_what, struct error *error)
{
    if (status == -ECANCELED)
        return error_set(error, status, "cancelled");
    if (status == -ETIMEDOUT)
        return error_set(error, status, "%s did not come in time", for_what);
    return status;
}

/* --- lines -------------------------------------------------------------------------------- */

static const char slot_name;

static struct list *lines_of(struct fibers *fibers)
{
    void **slot = fibers_slot(fibers, &slot_name);
    struct list *lines = *slot;

    if (!lines) {
        lines = allocate(1, sizeof *lines);
        list_init(lines);
        *slot = lines;
    }
    return lines;
}

/* The list itself goes with its last line. */
static void unlist(struct line *line)
{
    void **slot = line->fibers ? fibers_slot(line->fibers, &slot_name) : NULL;

    list_remove(&line->node);
    if (slot && *slot && list_empty(*slot)) {
        free(*slot);
        *slot = NULL;
    }
}

static struct line *find_line(struct fibers *fibers, const char *name)
{
    struct list *lines = fibers ? *fibers_slot(fibers, &slot_name) : NULL;

    if (!lines)
        return NULL;
    LIST_EACH (node, lines) {
        struct line *line = LIST_ENTRY(node, struct line, node);

        if (strcmp(line->name, name) == 0)
            return line;
    }
    return NULL;
}

static struct line *new_line(const char *name, struct fibers *fibers, const struct clock *clock)
{
    struct line *line = allocate(1, sizeof *line);

    line->name = copy_text(name);
    line->fibers = fibers;
    line->clock = clock;
    line->opening = true;
    list_init(&line->node);
    list_init(&line->turns);
    list_init(&line->sleepers);
    list_init(&line->handles);
    if (fibers)
        list_append(lines_of(fibers), &line->node);
    return line;
}

static void release(struct line *line)
{
    if (--line->references > 0)
        return;
    unlist(line);
    if (line->inner)
        port_close(line->inner);
    free(line->shared);
    free(line->name);
    free(line);
}

/* Tells the next handle, if there is one. Whoever is told may close any handle: the search begins anew. */
static bool tell_one(struct line *line)
{
    LIST_EACH (node, &line->handles) {
        struct handle *handle = LIST_ENTRY(node, struct handle, node);

        if (handle->told)
            continue;
        handle->told = true;
        if (handle->port.lost)
            handle->port.lost(handle->port.lost_context);
        return true;
    }
    return false;
}

/* The port below has vanished or could not be opened: nobody joins this line any more, and everybody on it
 * learns of it. */
static void line_gone(struct line *line, const struct error *why)
{
    if (line->gone)
        return;
    line->gone = true;
    line->why_gone = *why;
    unlist(line);
    line->references++;
    wake_all(&line->turns, -ENODEV);
    wake_all(&line->sleepers, -ENODEV);
    while (tell_one(line))
        ;
    release(line);
}

static void on_inner_lost(void *context)
{
    struct line *line = context;
    struct error why;

    (void)error_set(&why, -ENODEV, "%s is gone (unplugged or hung up)", line->name);
    line_gone(line, &why);
}

static int say_gone(const struct line *line, struct error *error)
{
    *error = line->why_gone;
    return error->code;
}

/* Opens the port below, or waits for another handle that is just doing so. */
static int open_line(struct line *line, struct error *error)
{
    /* It was not the others who were cancelled. */
    const struct error cancelled = {.code = -EBUSY, .text = "the line was being opened by somebody who left"};
    int status = 0;

    if (line->references == 1) {
        status = port_open(&line->inner, line->name, line->fibers, line->clock, error);
        line->opening = false;
        if (status < 0) {
            line_gone(line, status == -ECANCELED ? &cancelled : error);
            return status;
        }
        line->inner->lost = on_inner_lost;
        line->inner->lost_context = line;
        wake_all(&line->sleepers, 0);
    }
    while (status == 0 && line->opening)
        status = fiber_current(line->fibers)
                     ? say_waited(wait_in(line, &line->sleepers, NULL, CLOCK_NEVER), line->name, error)
                     : error_set(error, -EBUSY, "%s is being opened", line->name);
    return line->gone ? say_gone(line, error) : status;
}

/* --- turns -------------------------------------------------------------------------------- */

/* The others may have set the line meanwhile. */
static void begin_turn(struct handle *handle)
{
    handle->line->holder = handle;
    handle->port.line = handle->line->inner->line;
}

static int rs485_take(struct port *port, int64_t deadline_us, struct error *error)
{
    struct handle *handle = of(port);
    struct line *line = handle->line;
    int status;

    if (line->gone)
        return say_gone(line, error);
    assert(line->holder != handle);
    if (!line->holder) {
        begin_turn(handle);
        return 0;
    }
    if (!fiber_current(line->fibers))
        return error_set(error, -EBUSY, "%s: it is another unit's turn", port->traits.path);
    status = wait_in(line, &line->turns, handle, deadline_us);
    if (status == -ENODEV)
        return say_gone(line, error);
    return say_waited(status, "the turn on the line", error);
}

static void rs485_give(struct port *port)
{
    struct line *line = of(port)->line;

    if (line->holder != of(port))
        return;
    line->holder = NULL;
    /* The next one's turn begins now, though it runs later: nobody may come between. */
    LIST_EACH (node, &line->turns) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

        if (fiber_waiting(waiter->fiber)) {
            begin_turn(waiter->handle);
            break;
        }
    }
    if (line->holder)
        (void)wake_first(&line->turns, 0);
}

/* Errors that end the line end it for all handles. */
static int told(struct line *line, int status, const struct error *error)
{
    if (status == -ENODEV)
        line_gone(line, error);
    return status;
}

/* Whether this handle may touch the port below. */
static int may_use(struct port *port, struct error *error)
{
    const struct line *line = of(port)->line;

    if (line->gone)
        return say_gone(line, error);
    if (line->holder != of(port))
        return error_set(error, -EPERM, "%s: not this unit's turn on the line", port->traits.path);
    return 0;
}

/* --- the port below ----------------------------------------------------------------------- */

static bool same_line(const struct port_line *one, const struct port_line *other)
{
    return one->baud == other->baud && one->parity == other->parity && one->stop_bits == other->stop_bits;
}

static int rs485_set_line(struct port *port, const struct port_line *wanted, struct error *error)
{
    struct line *line = of(port)->line;
    int status = may_use(port, error);

    if (status < 0 || same_line(&line->inner->line, wanted))
        return status;
    return told(line, port_set_line(line->inner, wanted, error), error);
}

static int rs485_set_modem(struct port *port, bool dtr, bool rts, struct error *error)
{
    int status = may_use(port, error);

    return status < 0 ? status
                      : told(of(port)->line, port_set_modem(of(port)->line->inner, dtr, rts, error), error);
}

static int rs485_set_break(struct port *port, bool on, struct error *error)
{
    int status = may_use(port, error);

    return status < 0 ? status
                      : told(of(port)->line, port_set_break(of(port)->line->inner, on, error), error);
}

static int rs485_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                      struct error *error)
{
    struct line *line = of(port)->line;

    if (line->gone)
        return say_gone(line, error);
    if (line->holder != of(port))
        return error_set(error, -ETIMEDOUT, "%s: not this unit's turn on the line", port->traits.path);
    return told(line, line->inner->kind->read(line->inner, bytes, least, size, deadline_us, error), error);
}

static int rs485_write(struct port *port, const uint8_t *bytes, size_t size, int64_t deadline_us,
                       struct error *error)
{
    struct line *line = of(port)->line;
    int status = may_use(port, error);

    if (status < 0)
        return status;
    return told(line, line->inner->kind->write(line->inner, bytes, size, deadline_us, error), error);
}

static int rs485_drain(struct port *port, int64_t deadline_us, struct error *error)
{
    int status = may_use(port, error);

    return status < 0 ? status
                      : told(of(port)->line, port_drain(of(port)->line->inner, deadline_us, error), error);
}

static void rs485_discard(struct port *port)
{
    struct line *line = of(port)->line;

    if (!line->gone && line->holder == of(port))
        port_discard(line->inner);
}

static int rs485_sleep(struct port *port, int64_t duration_us)
{
    return port_sleep(of(port)->line->inner, duration_us);
}

static void rs485_close(struct port *port)
{
    struct handle *handle = of(port);

    rs485_give(port);
    list_remove(&handle->node);
    release(handle->line);
    free(handle);
}

static const struct port_kind rs485_kind = {.scheme = "rs485",
                                            .set_line = rs485_set_line,
                                            .set_modem = rs485_set_modem,
                                            .set_break = rs485_set_break,
                                            .read = rs485_read,
                                            .write = rs485_write,
                                            .drain = rs485_drain,
                                            .take = rs485_take,
                                            .give = rs485_give,
                                            .discard = rs485_discard,
                                            .sleep = rs485_sleep,
                                            .close = rs485_close};

/* --- names and opening -------------------------------------------------------------------- */

/* The name of the port below and the address; false when `rest` has no such form. The caller frees `*inner`.
 */
static bool parse(const char *rest, char **inner, uint8_t *address)
{
    const char *mark = strrchr(rest, '#');
    char *end;
    unsigned long number = mark ? strtoul(mark + 1, &end, 10) : 0;

    if (!mark || mark == rest || mark[1] < '1' || mark[1] > '9' || *end || number > ADDRESS_MAX)
        return false;
    *address = (uint8_t)number;
    *inner = format_text("%s%.*s", rest[0] == '/' ? "serial:" : "", (int)(mark - rest), rest);
    return true;
}

int port_rs485_check(const char *rest, struct error *error)
{
    uint8_t address;
    char *inner;
    int status;

    if (!parse(rest, &inner, &address))
        return error_set(
            error, -EINVAL,
            "\"rs485:%s\" is no port name: expected rs485:/dev/…#17 or rs485:rfc2217:host:port#17, "
            "with a unit's address from 1 to 255 behind the #",
            rest);
    status = strncmp(inner, "rs485:", 6) == 0 ? error_set(error, -EINVAL, "\"%s\": a line on a line", rest)
                                              : port_name_check(inner, error);
    free(inner);
    return status;
}

static void make_handle(struct handle *handle, struct line *line, uint8_t address)
{
    struct port *port = &handle->port;

    port->kind = &rs485_kind;
    port->clock = line->inner->clock;
    port->fibers = line->fibers;
    port->line = line->inner->line;
    port->traits = line->inner->traits;
    (void)snprintf(port->traits.path, sizeof port->traits.path, "%.250s#%u", line->inner->traits.path,
                   address);
    handle->line = line;
    handle->address = address;
    list_append(&line->handles, &handle->node);
}

/* Two stations for one unit would be two boards in one socket. */
static bool address_taken(const struct line *line, uint8_t address)
{
    LIST_EACH (node, &line->handles) {
        if (LIST_ENTRY(node, struct handle, node)->address == address)
            return true;
    }
    return false;
}

int port_rs485_open(struct port **port, const char *rest, struct fibers *fibers, const struct clock *clock,
                    struct error *error)
{
    struct handle *handle;
    struct line *line;
    uint8_t address;
    char *inner;
    int status = port_rs485_check(rest, error);

    if (status < 0 || !parse(rest, &inner, &address))
        return status;
    line = find_line(fibers, inner);
    if (!line)
        line = new_line(inner, fibers, clock);
    free(inner);
    line->references++;
    status = open_line(line, error);
    if (status == 0 && address_taken(line, address))
        status = error_set(error, -EBUSY, "unit %u of %s is in use by another station", address, line->name);
    if (status < 0) {
        release(line);
        return status;
    }
    handle = allocate(1, sizeof *handle);
    make_handle(handle, line, address);
    *port = &handle->port;
    return 0;
}

/* --- for the protocol --------------------------------------------------------------------- */

/* The line below the wrappings, or NULL. */
static struct line *line_below(struct port *port)
{
    while (port && port->beneath)
        port = port->beneath;
    return port && port->kind == &rs485_kind ? of(port)->line : NULL;
}

static const struct handle *handle_below(const struct port *port)
{
    while (port && port->beneath)
        port = port->beneath;
    return port && port->kind == &rs485_kind ? (const struct handle *)port : NULL;
}

uint8_t port_rs485_address(const struct port *port)
{
    const struct handle *handle = handle_below(port);

    return handle ? handle->address : 0;
}

void *port_rs485_shared(struct port *port, size_t size)
{
    struct line *line = line_below(port);

    if (!line)
        return NULL;
    if (!line->shared)
        line->shared = allocate(1, size);
    return line->shared;
}

bool port_rs485_knows(const struct port *port, uint8_t address)
{
    const struct handle *handle = handle_below(port);

    return handle && address_taken(handle->line, address);
}

size_t port_rs485_waiting(const struct port *port)
{
    const struct handle *handle = handle_below(port);
    size_t count = 0;

    if (!handle)
        return 0;
    LIST_EACH (node, &handle->line->turns) {
        count++;
    }
    return count;
}

int port_rs485_wait(struct port *port, int64_t deadline_us, struct error *error)
{
    struct line *line = line_below(port);
    int status;

    if (!line || !fiber_current(line->fibers))
        return error_set(error, -EBUSY, "%s: nobody else can come", port->traits.path);
    if (line->gone)
        return say_gone(line, error);
    status = wait_in(line, &line->sleepers, NULL, deadline_us);
    return status == -ENODEV ? say_gone(line, error) : say_waited(status, "the others on the line", error);
}

void port_rs485_wake(struct port *port)
{
    struct line *line = line_below(port);

    if (line)
        wake_all(&line->sleepers, 0);
}
