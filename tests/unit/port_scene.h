/* SPDX-License-Identifier: Apache-2.0 */
/* What the port tests share: a pty whose far end is the test's, and a way to run the same test body blocking
 * and on a fiber. The far end may be played by a thread, so that it goes on while a blocking port waits. */
#ifndef FLASHFARM_TESTS_UNIT_PORT_SCENE_H
#define FLASHFARM_TESTS_UNIT_PORT_SCENE_H

#include "fiber.h"
#include "port.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct scene;
typedef void scene_function(struct scene *scene);

struct scene {
    int master;
    char name[64]; /* "serial:/dev/pts/N" */
    struct port *port;
    struct error error;
    scene_function *body, *board;
    pthread_t thread;
    uv_loop_t loop; /* used when `fibers` is not NULL */
    struct fibers *fibers;
    struct fiber *fiber;
    int lost;          /* how often the port told that it was lost */
    bool lost_on_loop; /* … and always on the loop's stack */
};

static inline int64_t scene_now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static inline int64_t scene_in_ms(int64_t milliseconds)
{
    return scene_now_us() + milliseconds * 1000;
}

/* For the far end: the pause is what the board does. */
static inline void scene_pause_ms(long milliseconds)
{
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

static inline void scene_on_lost(void *context)
{
    struct scene *scene = context;

    scene->lost++;
    scene->lost_on_loop = fiber_current(scene->fibers) == NULL;
}

/* Lets time pass on the port until it has told that it was lost; false when it does not. */
static inline bool scene_await_loss(struct scene *scene)
{
    int64_t until_us = scene_in_ms(5000);

    while (!scene->lost && scene_now_us() < until_us)
        CHECK(port_sleep(scene->port, 2000) == 0);
    return scene->lost == 1 && scene->lost_on_loop;
}

static inline void scene_open_pty(struct scene *scene)
{
    char device[48] = "";

    scene->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(scene->master >= 0 && grantpt(scene->master) == 0 && unlockpt(scene->master) == 0);
    CHECK(ptsname_r(scene->master, device, sizeof device) == 0);
    (void)snprintf(scene->name, sizeof scene->name, "serial:%s", device);
}

static inline void scene_hang_up(struct scene *scene)
{
    if (scene->master >= 0)
        (void)close(scene->master);
    scene->master = -1;
}

static inline void *scene_run_board(void *argument)
{
    struct scene *scene = argument;

    scene->board(scene);
    return NULL;
}

/* Starts `board` in a thread; scene_join() ends the act. */
static inline void scene_start(struct scene *scene, scene_function *board)
{
    scene->board = board;
    CHECK(pthread_create(&scene->thread, NULL, scene_run_board, scene) == 0);
}

static inline void scene_join(struct scene *scene)
{
    (void)pthread_join(scene->thread, NULL);
}

static inline void scene_open_port(struct scene *scene)
{
    scene->port = NULL;
    if (CHECK(port_open(&scene->port, scene->name, scene->fibers, &clock_system, &scene->error) == 0)) {
        scene->port->lost = scene_on_lost;
        scene->port->lost_context = scene;
    } else {
        (void)fprintf(stderr, "  %s\n", scene->error.text);
    }
}

/* The body with an open port. */
static inline void scene_act(void *argument)
{
    struct scene *scene = argument;

    scene_open_port(scene);
    if (scene->port)
        scene->body(scene);
    port_close(scene->port);
}

static inline void scene_play_blocking(scene_function *body)
{
    struct scene scene = {.body = body};

    scene_open_pty(&scene);
    scene_act(&scene);
    scene_hang_up(&scene);
}

static inline void scene_play_on_fiber(scene_function *body)
{
    struct scene scene = {.body = body};

    scene_open_pty(&scene);
    CHECK(uv_loop_init(&scene.loop) == 0);
    scene.fibers = fibers_new(&scene.loop, &clock_system);
    scene.fiber = fiber_start(scene.fibers, "body", scene_act, NULL, &scene);
    CHECK(uv_run(&scene.loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene.fibers);
    CHECK(uv_loop_close(&scene.loop) == 0);
    scene_hang_up(&scene);
}

static inline void scene_play_both(scene_function *body)
{
    scene_play_blocking(body);
    scene_play_on_fiber(body);
}

#endif
