/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port_serial.c: closing and opening again, devices that vanish and return under another name, and
 * draining; on ptys, blocking and on a fiber. */
#include "port_scene.h"

#include <poll.h>

/* The name that the port is opened by: a link that can be turned to another pty. */
struct place {
    char folder[40], link[64];
};

static void make_place(struct place *place)
{
    *place = (struct place){.folder = "/tmp/flashfarm-reopen-XXXXXX"};
    CHECK(mkdtemp(place->folder) != NULL);
    (void)snprintf(place->link, sizeof place->link, "%s/board", place->folder);
}

static void remove_place(const struct place *place)
{
    (void)unlink(place->link);
    CHECK(rmdir(place->folder) == 0);
}

/* Opens the scene's port by the link. */
static void open_by_link(struct scene *scene, const struct place *place)
{
    port_close(scene->port);
    CHECK(symlink(scene->name + 7, place->link) == 0);
    (void)snprintf(scene->name, sizeof scene->name, "serial:%s", place->link);
    scene_open_port(scene);
}

static bool hung_up(int master)
{
    struct pollfd polled = {.fd = master};

    return poll(&polled, 1, 0) == 1 && (polled.revents & POLLHUP);
}

/* The far end looks until the port is closed, or open; false: it gave up. */
static bool await_state(int master, bool closed)
{
    int64_t until_us = scene_in_ms(10000);

    while (hung_up(master) != closed && scene_now_us() < until_us)
        scene_pause_ms(1);
    return hung_up(master) == closed;
}

static speed_t speed_at(int master)
{
    struct termios settings;

    return tcgetattr(master, &settings) == 0 ? cfgetospeed(&settings) : B0;
}

/* --- reopening ------------------------------------------------------------------------------------ */

static void see_reopening(struct scene *scene)
{
    CHECK(await_state(scene->master, true));
    CHECK(await_state(scene->master, false));
}

/* A board that a fresh opening resets. What it says while it is being opened counts as stale: it waits until
 * it is spoken to. */
static void boot_when_opened(struct scene *scene)
{
    char byte = 0;

    see_reopening(scene);
    CHECK(read(scene->master, &byte, 1) == 1 && byte == '?');
    CHECK(write(scene->master, "boot", 4) == 4);
}

static void reopen(struct scene *scene)
{
    const struct port_line line = {.baud = 57600, .parity = PARITY_NONE, .stop_bits = 2};
    struct port *port = scene->port, *second = NULL;
    char bytes[4];

    CHECK(port_set_line(port, &line, &scene->error) == 0);
    CHECK(write(scene->master, "stale", 5) == 5);
    scene_start(scene, boot_when_opened);
    CHECK(port_reopen(port, 0, scene_in_ms(5000), &scene->error) == 0);
    CHECK(port_write(port, "?", 1, scene_in_ms(1000), &scene->error) == 0);
    CHECK(port_read(port, bytes, 4, scene_in_ms(5000), &scene->error) == 0 && memcmp(bytes, "boot", 4) == 0);
    scene_join(scene);
    CHECK(port->line.baud == 57600 && port->line.stop_bits == 2 && speed_at(scene->master) == B57600);
    CHECK(port_open(&second, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    CHECK(port_write(port, "to", 2, scene_in_ms(1000), &scene->error) == 0);
    CHECK(read(scene->master, bytes, 2) == 2 && memcmp(bytes, "to", 2) == 0);
    CHECK(scene->lost == 0);
    scene_hang_up(scene);
    CHECK(port_read(port, bytes, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
}

static void test_reopen(void)
{
    scene_play_both(reopen);
}

/* --- the touch -------------------------------------------------------------------------------------- */

struct touched {
    struct scene *scene;
    const struct place *place;
    int loader; /* the master of the pty that the loader comes up on */
    speed_t speed;
    bool dead; /* there is no loader */
};

/* What a 32U4 does: at 1200 baud and hung up, it leaves the bus and comes back as another device. */
static void *jump(void *argument)
{
    struct touched *touched = argument;
    struct scene other = {.master = -1};

    CHECK(await_state(touched->scene->master, true));
    touched->speed = speed_at(touched->scene->master);
    scene_pause_ms(150); /* the watchdog that makes it jump */
    CHECK(unlink(touched->place->link) == 0);
    if (touched->dead)
        return NULL;
    scene_open_pty(&other);
    touched->loader = other.master;
    scene_pause_ms(120); /* enumeration */
    CHECK(symlink(other.name + 7, touched->place->link) == 0);
    return NULL;
}

static void touch(struct scene *scene)
{
    struct place place;
    struct touched touched = {.scene = scene, .place = &place, .loader = -1};
    char before[256], byte = 0;
    pthread_t thread;

    make_place(&place);
    open_by_link(scene, &place);
    (void)snprintf(before, sizeof before, "%s", scene->port->traits.path);
    CHECK(pthread_create(&thread, NULL, jump, &touched) == 0);
    CHECK(port_reopen(scene->port, 1200, scene_in_ms(8000), &scene->error) == 0);
    (void)pthread_join(thread, NULL);
    CHECK(touched.speed == B1200);
    CHECK(strcmp(scene->port->traits.path, before) != 0);
    CHECK(speed_at(touched.loader) == B115200);
    CHECK(write(touched.loader, "C", 1) == 1);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == 0 && byte == 'C');
    (void)close(touched.loader);
    remove_place(&place);
}

static void test_touch(void)
{
    scene_play_both(touch);
}

/* It may come up under the same name, or not jump at all: the deadline ends the wait for its going. */
static void touch_in_vain(struct scene *scene)
{
    int64_t start_us = scene_now_us();
    bool patient = fiber_current(scene->fibers) != NULL; /* once is enough: it takes two seconds */
    char byte = 0;

    CHECK(port_reopen(scene->port, 1200, scene_in_ms(patient ? 20000 : 150), &scene->error) == 0);
    CHECK(scene_now_us() - start_us < 10000000);
    CHECK(speed_at(scene->master) == B115200);
    CHECK(write(scene->master, "x", 1) == 1);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == 0 && byte == 'x');
}

static void test_touch_in_vain(void)
{
    scene_play_both(touch_in_vain);
}

/* --- gone ------------------------------------------------------------------------------------------- */

/* All calls say so, none crashes, and a later attempt may succeed. */
static void vanish(struct scene *scene)
{
    const struct port_line line = {.baud = 9600, .parity = PARITY_NONE, .stop_bits = 1};
    struct place place;
    struct touched touched = {.scene = scene, .place = &place, .loader = -1, .dead = true};
    char sentence[160], device[64], byte;
    pthread_t thread;

    make_place(&place);
    open_by_link(scene, &place);
    (void)snprintf(device, sizeof device, "%.63s", scene->port->traits.path);
    CHECK(pthread_create(&thread, NULL, jump, &touched) == 0);
    CHECK(port_reopen(scene->port, 1200, scene_in_ms(300), &scene->error) == -ENODEV);
    (void)pthread_join(thread, NULL);
    (void)snprintf(sentence, sizeof sentence, "it did not come back: %s is not there (unplugged?)",
                   place.link);
    CHECK_TEXT(scene->error.text, sentence);
    CHECK(port_write(scene->port, "x", 1, scene_in_ms(1000), &scene->error) == -ENODEV);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(1000), &scene->error) == -ENODEV);
    CHECK(port_set_line(scene->port, &line, &scene->error) == -ENODEV);
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == -ENODEV);
    CHECK(port_set_break(scene->port, true, &scene->error) == -ENODEV);
    CHECK(port_drain(scene->port, scene_in_ms(1000), &scene->error) == 0);
    port_discard(scene->port);
    CHECK(port_reopen(scene->port, 0, scene_in_ms(100), &scene->error) == -ENODEV);
    CHECK(scene->port->line.baud == 115200);
    CHECK(symlink(device, place.link) == 0);
    CHECK(port_reopen(scene->port, 0, scene_in_ms(5000), &scene->error) == 0);
    CHECK(write(scene->master, "x", 1) == 1);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == 0 && byte == 'x');
    remove_place(&place);
}

static void test_vanish(void)
{
    scene_play_both(vanish);
}

/* Somebody else was quicker. */
static void be_late(struct scene *scene)
{
    int master = scene->master;
    struct port *other = NULL;
    struct error error;

    scene_start(scene, see_reopening);
    CHECK(port_reopen(scene->port, 0, scene_in_ms(5000), &scene->error) == 0);
    scene_join(scene);
    port_close(scene->port);
    CHECK(port_open(&other, scene->name, NULL, &clock_system, &error) == 0);
    scene->port = NULL;
    CHECK(port_open(&scene->port, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    scene->port = NULL;
    port_close(other);
    CHECK(await_state(master, true));
}

static void test_locks_after(void)
{
    scene_play_both(be_late);
}

/* --- cancellation ------------------------------------------------------------------------------------ */

struct cancelling {
    uv_timer_t timer;
    struct scene *scene;
    int cancelled;
};

static void cancel_when_closed(uv_timer_t *timer)
{
    struct cancelling *cancelling = timer->data;

    if (!hung_up(cancelling->scene->master))
        return;
    cancelling->cancelled++;
    fiber_cancel(cancelling->scene->fiber);
    (void)uv_timer_stop(timer);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle->data);
}

/* The port is open again when the caller gets to clean up. */
static void cancel_one(struct scene *scene, uint32_t touch_baud)
{
    struct cancelling *cancelling = calloc(1, sizeof *cancelling);
    char byte = 0;

    cancelling->scene = scene;
    cancelling->timer.data = cancelling;
    (void)uv_timer_init(&scene->loop, &cancelling->timer);
    (void)uv_timer_start(&cancelling->timer, cancel_when_closed, 1, 1);
    CHECK(port_reopen(scene->port, touch_baud, scene_in_ms(8000), &scene->error) == -ECANCELED);
    CHECK_TEXT(scene->error.text, "cancelled");
    CHECK(cancelling->cancelled == 1);
    CHECK(write(scene->master, "x", 1) == 1);
    CHECK(port_read(scene->port, &byte, 1, scene_in_ms(5000), &scene->error) == 0 && byte == 'x');
    CHECK(speed_at(scene->master) == B115200);
    uv_close((uv_handle_t *)&cancelling->timer, free_timer);
}

static void cancel_both(struct scene *scene)
{
    /* The scene's first wait makes `scene->fiber` known here: fiber_start() returns at it. */
    CHECK(port_sleep(scene->port, 1000) == 0);
    cancel_one(scene, 0);
    cancel_one(scene, 1200);
}

static void test_cancel(void)
{
    scene_play_on_fiber(cancel_both);
}

/* --- draining ---------------------------------------------------------------------------------------- */

static void drain(struct scene *scene)
{
    const struct port_line line = {.baud = 9600, .parity = PARITY_NONE, .stop_bits = 1};
    char bytes[96] = "";
    int64_t start_us;

    CHECK(port_drain(scene->port, scene_in_ms(1000), &scene->error) == 0);
    CHECK(port_set_line(scene->port, &line, &scene->error) == 0);
    start_us = scene_now_us();
    CHECK(port_write(scene->port, bytes, 48, scene_in_ms(1000), &scene->error) == 0);
    CHECK(port_write(scene->port, bytes, 48, scene_in_ms(1000), &scene->error) == 0);
    CHECK(port_drain(scene->port, scene_in_ms(20), &scene->error) == -ETIMEDOUT);
    CHECK(strstr(scene->error.text, "bytes are still not sent"));
    CHECK(scene_now_us() - start_us < 100000);
    CHECK(port_drain(scene->port, scene_in_ms(5000), &scene->error) == 0);
    CHECK(scene_now_us() - start_us >= 100000); /* 96 bytes of 10 bits at 9600 baud */
    CHECK(port_drain(scene->port, scene_now_us() - 1, &scene->error) == 0);
}

static void test_drain(void)
{
    scene_play_both(drain);
}

static const struct test tests[] = {
    {"reopen", test_reopen},
    {"touch at 1200 baud", test_touch},
    {"touch in vain", test_touch_in_vain},
    {"vanish", test_vanish},
    {"locks after reopening", test_locks_after},
    {"cancelled while closed", test_cancel},
    {"drain", test_drain},
};
TEST_MAIN(tests)
