/* SPDX-License-Identifier: Apache-2.0 */
/* stations/port_rs485.c: names, one port below for many handles, turns, and what happens when it vanishes. */
#include "port_rs485.h"
#include "port_scene.h"

/* A handle on the scene's line. */
static int open_unit(struct scene *scene, struct port **port, int address)
{
    char name[96];

    *port = NULL;
    (void)snprintf(name, sizeof name, "rs485:%s#%d", scene->name, address);
    return port_open(port, name, scene->fibers, &clock_system, &scene->error);
}

static void run_line(scene_function *body)
{
    struct scene scene = {.body = body};

    scene_open_pty(&scene);
    CHECK(uv_loop_init(&scene.loop) == 0);
    scene.fibers = fibers_new(&scene.loop, &clock_system);
    body(&scene);
    CHECK(uv_run(&scene.loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene.fibers);
    CHECK(uv_loop_close(&scene.loop) == 0);
    scene_hang_up(&scene);
}

/* --- names -------------------------------------------------------------------------------------------- */

static void test_names(void)
{
    static const char *const good[] = {"rs485:/dev/ttyS1#17", "rs485:/dev/serial/by-path/a#b#255",
                                       "rs485:serial:/dev/ttyS1#1"};
    static const char *const bad[] = {
        "rs485:/dev/ttyS1",    "rs485:/dev/ttyS1#",   "rs485:/dev/ttyS1#0",    "rs485:/dev/ttyS1#256",
        "rs485:/dev/ttyS1#-1", "rs485:/dev/ttyS1# 1", "rs485:/dev/ttyS1#1x",   "rs485:#1",
        "rs485:nonsense:x#1",  "rs485:ttyS1#4",       "rs485:rs485:/dev/x#1#2"};
    struct error error = ERROR_NONE;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!CHECK(port_name_check(good[i], &error) == 0))
            (void)fprintf(stderr, "  %s: %s\n", good[i], error.text);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK(port_name_check(bad[i], &error) == -EINVAL))
            (void)fprintf(stderr, "  %s\n", bad[i]);
}

/* --- sharing ------------------------------------------------------------------------------------------ */

static void share(void *argument)
{
    struct scene *scene = argument;
    struct port *one, *other, *third;
    uint8_t *memory;

    CHECK(open_unit(scene, &one, 17) == 0);
    CHECK(open_unit(scene, &other, 255) == 0);
    CHECK(port_rs485_address(one) == 17 && port_rs485_address(other) == 255);
    CHECK(strcmp(one->traits.path + strlen(one->traits.path) - 3, "#17") == 0);
    CHECK(open_unit(scene, &third, 17) == -EBUSY); /* one station for each unit */
    CHECK(port_open(&third, scene->name, scene->fibers, &clock_system, &scene->error) == -EBUSY);
    memory = port_rs485_shared(one, 10);
    CHECK(memory[9] == 0);
    memory[9] = 9;
    CHECK(port_rs485_shared(other, 10) == (void *)memory);
    port_close(one);
    CHECK(open_unit(scene, &one, 17) == 0);
    CHECK(*((uint8_t *)port_rs485_shared(one, 10) + 9) == 9); /* the line was open all the time */
    port_close(one);
    port_close(other);
    CHECK(port_open(&third, scene->name, scene->fibers, &clock_system, &scene->error) == 0);
    CHECK(port_rs485_address(third) == 0);
    port_close(third);
    CHECK(open_unit(scene, &one, 17) == 0); /* a new line */
    CHECK(*((uint8_t *)port_rs485_shared(one, 10) + 9) == 0);
    port_close(one);
}

/* Who sets the line sets it for all. */
static void share_settings(void *argument)
{
    const struct port_line slow = {.baud = 9600, .parity = PARITY_NONE, .stop_bits = 2};
    const struct port_line fast = {.baud = 115200, .parity = PARITY_NONE, .stop_bits = 1};
    struct scene *scene = argument;
    struct port *one, *other;

    if (!CHECK(open_unit(scene, &one, 1) == 0))
        return;
    if (!CHECK(open_unit(scene, &other, 2) == 0)) {
        port_close(one);
        return;
    }
    CHECK(port_take(other, CLOCK_NEVER, &scene->error) == 0);
    CHECK(port_set_line(other, &fast, &scene->error) == 0);
    port_give(other);
    CHECK(port_take(one, CLOCK_NEVER, &scene->error) == 0);
    CHECK(port_set_line(one, &slow, &scene->error) == 0);
    port_give(one);
    CHECK(port_take(other, CLOCK_NEVER, &scene->error) == 0);
    CHECK(other->line.baud == 9600 && other->line.stop_bits == 2);
    port_close(other);
    port_close(one);
}

static void start_share_settings(struct scene *scene)
{
    (void)fiber_start(scene->fibers, "share", share_settings, NULL, scene);
}

static void test_settings(void)
{
    run_line(start_share_settings);
}

static void start_share(struct scene *scene)
{
    (void)fiber_start(scene->fibers, "share", share, NULL, scene);
}

static void test_sharing(void)
{
    run_line(start_share);
}

/* Without a loop a handle is alone, and everything works at once. */
static void test_without_loop(void)
{
    struct scene scene = {.master = -1};
    struct port *port;
    char byte;

    scene_open_pty(&scene);
    CHECK(open_unit(&scene, &port, 3) == 0);
    CHECK(port_take(port, scene_in_ms(10), &scene.error) == 0);
    CHECK(port_write(port, "x", 1, scene_in_ms(1000), &scene.error) == 0);
    CHECK(read(scene.master, &byte, 1) == 1 && byte == 'x');
    CHECK(write(scene.master, "y", 1) == 1);
    CHECK(port_read(port, &byte, 1, scene_in_ms(1000), &scene.error) == 0 && byte == 'y');
    port_give(port);
    CHECK(port_rs485_wait(port, scene_in_ms(10), &scene.error) == -EBUSY); /* for whom? */
    port_close(port);
    scene_hang_up(&scene);
}

/* --- turns -------------------------------------------------------------------------------------------- */

struct player {
    struct scene *scene;
    struct fiber *fiber;
    struct port *port;
    int address, rounds, status;
    char *order;         /* one letter for each turn */
    int64_t patience_ms; /* from when it starts to wait; 0: it waits for ever */
};

static int64_t deadline_of(const struct player *player)
{
    return player->patience_ms ? scene_in_ms(player->patience_ms) : CLOCK_NEVER;
}

static void take_turns(void *argument)
{
    struct player *player = argument;
    struct error error = ERROR_NONE;
    char letter = (char)('A' + player->address);

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    for (int i = 0; i < player->rounds; i++) {
        player->status = port_take(player->port, scene_in_ms(5000), &error);
        CHECK(player->status == 0);
        (void)strncat(player->order, &letter, 1);
        CHECK(port_sleep(player->port, 2000) == 0);
        (void)strncat(player->order, &letter, 1); /* nobody came between */
        port_give(player->port);
    }
    port_close(player->port);
}

static void start_turns(struct scene *scene)
{
    static const char *const fair = "BBCCDDBBCCDDBBCCDD";
    char order[64] = "";
    struct player players[3];

    for (int i = 0; i < 3; i++) {
        players[i] = (struct player){.scene = scene, .address = i + 1, .rounds = 3, .order = order};
        players[i].fiber = fiber_start(scene->fibers, "player", take_turns, NULL, &players[i]);
    }
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    CHECK_TEXT(order, fair);
}

static void test_turns(void)
{
    run_line(start_turns);
}

static void hold(void *argument)
{
    struct player *player = argument;
    struct error error = ERROR_NONE;

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    CHECK(port_take(player->port, scene_in_ms(5000), &error) == 0);
    CHECK(port_sleep(player->port, 30000) == 0);
    port_close(player->port); /* which gives the turn away */
}

static void want(void *argument)
{
    struct player *player = argument;
    struct error error = ERROR_NONE;
    char byte;

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    CHECK(port_write(player->port, "x", 1, scene_in_ms(100), &error) == -EPERM);
    CHECK(port_set_break(player->port, true, &error) == -EPERM);
    CHECK(port_read(player->port, &byte, 1, scene_in_ms(100), &error) == -ETIMEDOUT);
    player->status = port_take(player->port, deadline_of(player), &error);
    port_give(player->port); /* without the turn it does nothing */
    port_close(player->port);
}

/* One leaves the queue by its deadline, one by cancellation, and the last one gets its turn. */
static void start_leaving(struct scene *scene)
{
    struct player holder = {.scene = scene, .address = 1};
    struct player late = {.scene = scene, .address = 2, .patience_ms = 5};
    struct player cancelled = {.scene = scene, .address = 3};
    struct player last = {.scene = scene, .address = 4, .status = 1};

    (void)fiber_start(scene->fibers, "holder", hold, NULL, &holder);
    (void)fiber_start(scene->fibers, "late", want, NULL, &late);
    cancelled.fiber = fiber_start(scene->fibers, "cancelled", want, NULL, &cancelled);
    (void)fiber_start(scene->fibers, "last", want, NULL, &last);
    CHECK(port_rs485_waiting(holder.port) == 3);
    fiber_cancel(cancelled.fiber);
    CHECK(port_rs485_waiting(holder.port) == 2);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    CHECK(late.status == -ETIMEDOUT);
    CHECK(cancelled.status == -ECANCELED);
    CHECK(last.status == 0);
}

static void test_leaving_the_queue(void)
{
    run_line(start_leaving);
}

/* --- waiting for the others --------------------------------------------------------------------------- */

static void wait_for_change(void *argument)
{
    struct player *player = argument;
    struct error error = ERROR_NONE;

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    player->status = port_rs485_wait(player->port, deadline_of(player), &error);
    port_close(player->port);
}

static void change(void *argument)
{
    struct player *player = argument;

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    CHECK(port_sleep(player->port, 20000) == 0);
    port_rs485_wake(player->port);
    port_close(player->port);
}

static void start_waiting(struct scene *scene)
{
    struct player one = {.scene = scene, .address = 1, .status = 1};
    struct player two = {.scene = scene, .address = 2, .status = 1};
    struct player late = {.scene = scene, .address = 3, .patience_ms = 2, .status = 1};
    struct player waker = {.scene = scene, .address = 4};

    (void)fiber_start(scene->fibers, "one", wait_for_change, NULL, &one);
    (void)fiber_start(scene->fibers, "two", wait_for_change, NULL, &two);
    (void)fiber_start(scene->fibers, "late", wait_for_change, NULL, &late);
    (void)fiber_start(scene->fibers, "waker", change, NULL, &waker);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    CHECK(one.status == 0 && two.status == 0 && late.status == -ETIMEDOUT);
}

static void test_waiting(void)
{
    run_line(start_waiting);
}

/* --- the port below vanishes -------------------------------------------------------------------------- */

static void on_lost(void *context)
{
    (*(int *)context)++;
}

struct loss {
    struct player player;
    int told;
};

static void lose(void *argument)
{
    struct loss *loss = argument;
    struct player *player = &loss->player;
    struct error error = ERROR_NONE;
    char byte;

    CHECK(open_unit(player->scene, &player->port, player->address) == 0);
    player->port->lost = on_lost;
    player->port->lost_context = &loss->told;
    player->status = port_take(player->port, CLOCK_NEVER, &error);
    if (player->status == 0)
        player->status = port_read(player->port, &byte, 1, CLOCK_NEVER, &error);
    CHECK(strstr(error.text, "is gone"));
    CHECK(port_take(player->port, CLOCK_NEVER, &error) == -ENODEV);
    CHECK(port_read(player->port, &byte, 1, 0, &error) == -ENODEV);
    port_close(player->port);
}

/* One reads, one waits for its turn, one is idle: all learn of it, and a new line can be opened. */
static void start_losing(struct scene *scene)
{
    struct loss reader = {.player = {.scene = scene, .address = 1}};
    struct loss waiter = {.player = {.scene = scene, .address = 2}};
    struct player idle = {.scene = scene, .address = 3};
    int told = 0;

    (void)fiber_start(scene->fibers, "reader", lose, NULL, &reader);
    (void)fiber_start(scene->fibers, "waiter", lose, NULL, &waiter);
    CHECK(open_unit(scene, &idle.port, 3) == 0);
    idle.port->lost = on_lost;
    idle.port->lost_context = &told;
    scene_hang_up(scene);
    CHECK(uv_run(&scene->loop, UV_RUN_NOWAIT) >= 0);
    while (!told && uv_run(&scene->loop, UV_RUN_ONCE))
        ;
    CHECK(told == 1);
    CHECK(reader.player.status == -ENODEV && waiter.player.status == -ENODEV);
    scene_open_pty(scene);
    CHECK(open_unit(scene, &reader.player.port, 1) == 0);
    port_close(reader.player.port);
    port_close(idle.port);
}

static void test_loss(void)
{
    run_line(start_losing);
}

static void test_nothing_below(void)
{
    struct scene scene = {.master = -1, .name = "serial:/dev/there-is-no-such-port"};
    struct port *port;

    CHECK(open_unit(&scene, &port, 1) == -ENOENT);
    CHECK(port == NULL);
}

static const struct test tests[] = {
    {"names", test_names},
    {"sharing", test_sharing},
    {"the line's settings", test_settings},
    {"without a loop", test_without_loop},
    {"turns are fair", test_turns},
    {"leaving the queue", test_leaving_the_queue},
    {"waiting for the others", test_waiting},
    {"the port below vanishes", test_loss},
    {"no port below", test_nothing_below},
};

TEST_MAIN(tests)
