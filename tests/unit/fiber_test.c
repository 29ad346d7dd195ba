/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/base/fiber.c: order of events, deadlines, cancellation delivered once. */
#include "alloc.h"
#include "fiber.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>

struct scene {
    uv_loop_t loop;
    struct fibers *fibers;
    struct fiber *fiber, *other;
    char trace[128];
    int values[8];
    int count;
    int64_t late_us;
};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.count = 0};
    (void)uv_loop_init(&scene->loop);
    scene->fibers = fibers_new(&scene->loop, &clock_system);
}

static void close_scene(struct scene *scene)
{
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
    fibers_free(scene->fibers);
    CHECK(uv_loop_close(&scene->loop) == 0);
}

static void note(struct scene *scene, const char *what)
{
    (void)strncat(scene->trace, what, sizeof scene->trace - strlen(scene->trace) - 1);
}

static int64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static void run_resumed(void *argument)
{
    struct scene *scene = argument;

    note(scene, "a");
    scene->values[0] = fiber_suspend(scene->fibers, CLOCK_NEVER);
    note(scene, "b");
    scene->values[1] = fiber_await(scene->fibers);
    note(scene, "c");
}

static void note_done(void *argument)
{
    note(argument, "d");
}

static void test_resume(void)
{
    struct scene scene;

    open_scene(&scene);
    scene.fiber = fiber_start(scene.fibers, "one", run_resumed, note_done, &scene);
    CHECK_TEXT(scene.trace, "a");
    CHECK(fiber_waiting(scene.fiber));
    CHECK(fiber_current(scene.fibers) == NULL);
    fiber_resume(scene.fiber, 7);
    CHECK_TEXT(scene.trace, "ab");
    fiber_resume(scene.fiber, -EPROTO);
    CHECK_TEXT(scene.trace, "abcd");
    CHECK(scene.values[0] == 7 && scene.values[1] == -EPROTO);
    close_scene(&scene);
}

static void run_sleeper(void *argument)
{
    struct scene *scene = argument;
    int64_t deadline_us = now_us() + 5000;

    scene->values[0] = fiber_suspend(scene->fibers, deadline_us);
    scene->late_us = now_us() - deadline_us;
    /* A later deadline first, then an earlier one: the armed timer must follow. */
    scene->values[1] = fiber_suspend(scene->fibers, now_us() + 2000);
    scene->values[2] = fiber_sleep_until(scene->fibers, &clock_system, now_us() + 1000);
    scene->values[3] = fiber_suspend(scene->fibers, now_us() - 1);
}

static void test_deadlines(void)
{
    struct scene scene;

    open_scene(&scene);
    fiber_start(scene.fibers, "sleeper", run_sleeper, NULL, &scene);
    close_scene(&scene);
    CHECK(scene.values[0] == -ETIMEDOUT && scene.values[1] == -ETIMEDOUT);
    CHECK(scene.values[2] == 0 && scene.values[3] == -ETIMEDOUT);
    CHECK(scene.late_us >= 0);
}

static void run_cancelled(void *argument)
{
    struct scene *scene = argument;

    scene->values[0] = fiber_suspend(scene->fibers, CLOCK_NEVER);
    scene->values[1] = fiber_suspend(scene->fibers, now_us() + 1000); /* clean-up may wait again */
    scene->values[2] = fiber_await(scene->fibers);                    /* holds a cancellation back */
    scene->values[3] = fiber_suspend(scene->fibers, CLOCK_NEVER);     /* and here it comes */
}

static void test_cancellation(void)
{
    struct scene scene;

    open_scene(&scene);
    scene.fiber = fiber_start(scene.fibers, "cancelled", run_cancelled, note_done, &scene);
    fiber_cancel(scene.fiber);
    while (!fiber_waiting(scene.fiber) || scene.values[1] == 0)
        (void)uv_run(&scene.loop, UV_RUN_ONCE);
    fiber_cancel(scene.fiber);
    CHECK(fiber_waiting(scene.fiber));
    fiber_resume(scene.fiber, 3);
    CHECK_TEXT(scene.trace, "d");
    CHECK(scene.values[0] == -ECANCELED && scene.values[1] == -ETIMEDOUT);
    CHECK(scene.values[2] == 3 && scene.values[3] == -ECANCELED);
    close_scene(&scene);
}

static void run_uncancelled(void *argument)
{
    struct scene *scene = argument;

    scene->values[0] = fiber_await(scene->fibers);
    fiber_uncancel(fiber_current(scene->fibers));
    scene->values[1] = fiber_suspend(scene->fibers, CLOCK_NEVER);
}

static void test_uncancel(void)
{
    struct scene scene;

    open_scene(&scene);
    scene.fiber = fiber_start(scene.fibers, "uncancelled", run_uncancelled, NULL, &scene);
    fiber_cancel(scene.fiber);
    fiber_resume(scene.fiber, 4);
    CHECK(fiber_waiting(scene.fiber));
    fiber_resume(scene.fiber, 5);
    CHECK(scene.values[0] == 4 && scene.values[1] == 5);
    close_scene(&scene);
}

static void run_waker(void *argument)
{
    struct scene *scene = argument;

    fiber_resume(scene->fiber, 1); /* queued: this fiber goes on first */
    note(scene, "w");
    (void)fiber_sleep_until(scene->fibers, &clock_system, now_us() + 1000);
    note(scene, "x");
    fiber_resume(scene->fiber, 2);
}

static void test_resume_from_fiber(void)
{
    struct scene scene;

    open_scene(&scene);
    scene.fiber = fiber_start(scene.fibers, "one", run_resumed, note_done, &scene);
    scene.other = fiber_start(scene.fibers, "two", run_waker, NULL, &scene);
    CHECK_TEXT(scene.trace, "awb");
    close_scene(&scene);
    CHECK_TEXT(scene.trace, "awbxcd");
}

#define MANY 1000

static void run_one_of_many(void *argument)
{
    struct scene *scene = argument;
    char deep[6000];

    memset(deep, scene->count & 0xff, sizeof deep);
    (void)fiber_sleep_until(scene->fibers, &clock_system, now_us() + 1000 + deep[sizeof deep - 1]);
    scene->count++;
}

static void test_many(void)
{
    struct scene scene;

    open_scene(&scene);
    for (int i = 0; i < MANY; i++)
        fiber_start(scene.fibers, "many", run_one_of_many, NULL, &scene);
    close_scene(&scene);
    CHECK(scene.count == MANY);
}

static void test_blocking_sleep(void)
{
    int64_t start_us = now_us();

    CHECK(fiber_sleep_until(NULL, &clock_system, start_us + 3000) == 0);
    CHECK(now_us() - start_us >= 3000);
}

static const struct test tests[] = {
    {"a resumed fiber gets the waker's value", test_resume},
    {"deadlines come, never early", test_deadlines},
    {"cancellation is delivered once, and held back by fiber_await", test_cancellation},
    {"a cancellation can be taken back before it is delivered", test_uncancel},
    {"a fiber woken by a fiber runs when that one waits", test_resume_from_fiber},
    {"a thousand fibers", test_many},
    {"outside a fiber sleeping blocks", test_blocking_sleep},
};

TEST_MAIN(tests)
