/* SPDX-License-Identifier: Apache-2.0 */
/* Ports over TCP: reaching the far end, what is asked of the socket, and noticing that it is gone. */
#include "port_fd.h"
#include "port_scene.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <sys/socket.h>

/* --- the stage ------------------------------------------------------------------------------------------ */

/* A listener on one of this host's own addresses; `host` is how the port is to name it. */
static int listen_on(struct scene *scene, int family, const char *host, int backlog)
{
    struct sockaddr_in six_less = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_storage bound;
    bool old = family == AF_INET;
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof bound;

    if (listener < 0 ||
        bind(listener, old ? (const void *)&six_less : (const void *)&six,
             old ? sizeof six_less : sizeof six) < 0 ||
        listen(listener, backlog) < 0 || getsockname(listener, (void *)&bound, &size) < 0) {
        if (listener >= 0)
            (void)close(listener);
        return -1;
    }
    (void)snprintf(
        scene->name, sizeof scene->name, "tcp:%s:%d", host,
        ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port)); /* same place in both */
    return listener;
}

static void run_loop(struct scene *scene, fiber_function *act)
{
    CHECK(uv_loop_init(&scene->loop) == 0);
    scene->fibers = fibers_new(&scene->loop, &clock_system);
    scene->fiber = fiber_start(scene->fibers, "body", act, NULL, scene);
    CHECK(uv_run(&scene->loop, UV_RUN_DEFAULT) == 0);
    fibers_free(scene->fibers);
    CHECK(uv_loop_close(&scene->loop) == 0);
}

/* As scene_act(), with the far end's socket as the scene's master. */
static void act_connected(void *argument)
{
    struct scene *scene = argument;
    int listener = scene->master;

    scene_open_port(scene);
    scene->master = scene->port ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (CHECK(scene->master >= 0))
        scene->body(scene);
    port_close(scene->port);
    scene_hang_up(scene);
    (void)close(listener);
}

static void play_at(scene_function *body, int family, const char *host, bool on_fiber)
{
    struct scene scene = {.body = body};

    scene.master = listen_on(&scene, family, host, 4);
    if (scene.master < 0 && family == AF_INET6) {
        (void)printf("skipped: this host has no [::1]\n");
        return;
    }
    if (!CHECK(scene.master >= 0))
        return;
    if (on_fiber)
        run_loop(&scene, act_connected);
    else
        act_connected(&scene);
}

static void play_both(scene_function *body)
{
    play_at(body, AF_INET, "127.0.0.1", false);
    play_at(body, AF_INET, "127.0.0.1", true);
}

static void say(const struct scene *scene, const char *text)
{
    CHECK(send(scene->master, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* --- a connection --------------------------------------------------------------------------------------- */

static void talk(struct scene *scene)
{
    char got[8] = "";

    CHECK(port_write(scene->port, "ask\xff", 4, scene_in_ms(5000), &scene->error) == 0);
    CHECK(recv(scene->master, got, 4, MSG_WAITALL) == 4 && memcmp(got, "ask\xff", 4) == 0);
    say(scene, "answer");
    CHECK(port_read(scene->port, got, 6, scene_in_ms(5000), &scene->error) == 0);
    CHECK(memcmp(got, "answer", 6) == 0);
    CHECK(port_read(scene->port, got, 1, scene_in_ms(10), &scene->error) == -ETIMEDOUT);
    CHECK(scene->port->meter.sent == 4 && scene->port->meter.received == 6);
}

static void test_talk(void)
{
    play_both(talk);
    play_at(talk, AF_INET, "localhost", false);
    play_at(talk, AF_INET, "localhost", true);
    play_at(talk, AF_INET6, "[::1]", false);
    play_at(talk, AF_INET6, "[::1]", true);
}

static int option(const struct scene *scene, int level, int name)
{
    socklen_t size = sizeof(int);
    int value = -1;

    CHECK(getsockopt(((const struct port_fd *)scene->port)->fd, level, name, &value, &size) == 0);
    return value;
}

static void check_traits(struct scene *scene)
{
    const struct port_line even = {.baud = 9600, .parity = PARITY_EVEN, .stop_bits = 1};
    const struct port_line mark = {.baud = 9600, .parity = PARITY_MARK, .stop_bits = 1};

    CHECK_TEXT(scene->port->traits.path, scene->name + 4);
    CHECK(!scene->port->traits.modem_lines && scene->port->traits.latency_timer_ms == -1);
    CHECK(option(scene, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(scene, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(scene, IPPROTO_TCP, TCP_KEEPIDLE) == 10 && option(scene, IPPROTO_TCP, TCP_KEEPINTVL) == 5);
    CHECK(option(scene, IPPROTO_TCP, TCP_KEEPCNT) == 3 &&
          option(scene, IPPROTO_TCP, TCP_USER_TIMEOUT) == 25000);
    CHECK(port_set_line(scene->port, &even, &scene->error) == 0 && scene->port->line.baud == 9600);
    CHECK(port_set_line(scene->port, &mark, &scene->error) == -ENOTSUP);
    CHECK(strstr(scene->error.text, "cannot switch mark and space parity: use rfc2217:127.0.0.1:") != NULL);
    CHECK(port_set_modem(scene->port, true, true, &scene->error) == -ENOTSUP);
    CHECK(port_set_break(scene->port, true, &scene->error) == -ENOTSUP);
}

static void test_traits(void)
{
    play_both(check_traits);
}

static void say_much(const struct scene *scene, size_t size)
{
    char bytes[1000];

    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < size; i += sizeof bytes)
        CHECK(send(scene->master, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes);
}

/* More than our own buffer has waits in the socket's. */
static void discard(struct scene *scene)
{
    char got = 0;

    say_much(scene, 30000);
    port_discard(scene->port);
    say(scene, "n");
    CHECK(port_read(scene->port, &got, 1, scene_in_ms(5000), &scene->error) == 0 && got == 'n');
}

static void test_discard(void)
{
    play_at(discard, AF_INET, "127.0.0.1", false);
}

/* A port on which something always comes; its time is virtual. */
struct babble {
    struct port port; /* first */
    struct clock clock;
    int64_t now_us;
    unsigned reads;
};

static int64_t babble_time(void *context)
{
    return ((const struct babble *)context)->now_us;
}

static int babble_read(struct port *port, uint8_t *bytes, size_t least, size_t size, int64_t deadline_us,
                       struct error *error)
{
    struct babble *babble = (struct babble *)port;

    (void)least, (void)deadline_us;
    memset(bytes, 'x', size);
    babble->now_us += 1000;
    return ++babble->reads < 5000 ? (int)size : error_set(error, -EIO, "read far beyond the deadline");
}

/* Who waits for silence gives up at the deadline, also when no read ever waits. */
static void test_babble(void)
{
    static const struct port_kind kind = {.scheme = "babble", .read = babble_read};
    struct babble babble = {.port = {.kind = &kind, .line = {.baud = 115200, .stop_bits = 1}}};
    struct error error = ERROR_NONE;

    babble.clock = (struct clock){.monotonic_us = babble_time, .utc_us = babble_time, .context = &babble};
    babble.port.clock = &babble.clock;
    CHECK(port_settle(&babble.port, 50000, 300000, &error) == -ETIMEDOUT);
    CHECK_TEXT(error.text, "the line did not fall silent for 50 ms");
    CHECK(babble.now_us <= 301000);
}

/* --- the end -------------------------------------------------------------------------------------------- */

/* With a full buffer and the connection closed, a loop that polls for that would spin. */
static void leave_unread(struct scene *scene)
{
    char got[5000];
    clock_t start;

    say_much(scene, 2 * sizeof got);
    scene_hang_up(scene);
    start = clock();
    CHECK(port_sleep(scene->port, 300000) == 0);
    CHECK(clock() - start < CLOCKS_PER_SEC / 10);
    CHECK(port_read(scene->port, got, sizeof got, scene_in_ms(5000), &scene->error) == 0);
    CHECK(port_read(scene->port, got, sizeof got, scene_in_ms(5000), &scene->error) == 0);
    CHECK(got[0] == 'x' && got[sizeof got - 1] == 'x');
    CHECK(port_read(scene->port, got, 1, scene_in_ms(5000), &scene->error) == -ENODEV);
    CHECK(strstr(scene->error.text, " is gone (the connection has ended)") != NULL);
}

/* A reset, and writing into it: an error, not a signal. */
static void reset(struct scene *scene)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int status = 0;

    CHECK(setsockopt(scene->master, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    scene_hang_up(scene);
    for (int i = 0; i < 3 && status == 0; i++)
        status = port_write(scene->port, "x", 1, scene_in_ms(5000), &scene->error);
    CHECK(status == -ENODEV);
    CHECK(port_write(scene->port, "x", 1, scene_in_ms(5000), &scene->error) == -ENODEV);
}

static void hang_up(struct scene *scene)
{
    scene_pause_ms(15);
    (void)shutdown(scene->master, SHUT_RDWR);
}

static void lose_unread(struct scene *scene)
{
    scene_start(scene, hang_up);
    CHECK(scene_await_loss(scene));
    scene_join(scene);
}

static void test_end(void)
{
    play_both(leave_unread);
    play_both(reset);
    play_at(lose_unread, AF_INET, "127.0.0.1", true);
}

/* --- nobody there --------------------------------------------------------------------------------------- */

static void open_nowhere(void *argument)
{
    struct scene *scene = argument;

    CHECK(port_open(&scene->port, scene->name, scene->fibers, &clock_system, &scene->error) < 0);
}

static void check_nowhere(const char *name, const char *text)
{
    struct scene blocking = {.master = -1}, on_fiber = {.master = -1};

    (void)snprintf(blocking.name, sizeof blocking.name, "%s", name);
    (void)snprintf(on_fiber.name, sizeof on_fiber.name, "%s", name);
    open_nowhere(&blocking);
    run_loop(&on_fiber, open_nowhere);
    CHECK(blocking.error.code == -ENOENT && on_fiber.error.code == -ENOENT);
    CHECK(strstr(blocking.error.text, text) && strstr(on_fiber.error.text, text));
}

static void test_nobody(void)
{
    struct scene scene = {.master = -1};
    struct error error = ERROR_NONE;
    int listener = listen_on(&scene, AF_INET, "127.0.0.1", 1);

    (void)close(listener);
    check_nowhere(scene.name, "cannot be reached: Connection refused");
    check_nowhere("tcp:no-such-host.invalid:2217", "no-such-host.invalid cannot be found: ");
    CHECK(port_name_check("tcp:host", &error) == -EINVAL);
    CHECK_TEXT(error.text,
               "\"tcp:host\" is no port name: expected tcp:HOST:PORT, or tcp:[ADDRESS]:PORT for IPv6");
}

/* A listener that accepts nobody and whose queue is full answers nothing at all. */
static int listen_deaf(struct scene *scene, int fillers[4])
{
    int listener = listen_on(scene, AF_INET, "127.0.0.1", 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, size);
    }
    return listener;
}

struct ticking {
    struct scene scene; /* first */
    bool ended;
    int64_t worst_us; /* the longest time between two ticks */
};

static void tick(void *argument)
{
    struct ticking *ticking = argument;

    while (!ticking->ended) {
        int64_t before_us = scene_now_us();

        (void)fiber_sleep_until(ticking->scene.fibers, &clock_system, before_us + 10000);
        if (scene_now_us() - before_us > ticking->worst_us)
            ticking->worst_us = scene_now_us() - before_us;
    }
}

static void open_deaf(void *argument)
{
    struct ticking *ticking = argument;
    struct scene *scene = &ticking->scene;
    int64_t start_us = scene_now_us();

    (void)fiber_start(scene->fibers, "tick", tick, NULL, ticking);
    open_nowhere(scene);
    ticking->ended = true;
    CHECK(scene_now_us() - start_us >= 4990000 && scene_now_us() - start_us < 8000000);
    CHECK(scene->error.code == -ENOENT && strstr(scene->error.text, "Connection timed out"));
}

static void cancel(void *argument)
{
    fiber_cancel(((struct scene *)argument)->fiber);
}

static void open_cancelled(void *argument)
{
    struct scene *scene = argument;

    scene->fiber = fiber_current(scene->fibers);
    (void)fiber_start(scene->fibers, "canceller", cancel, NULL, scene);
    open_nowhere(scene);
    CHECK(scene->error.code == -ECANCELED);
}

static void test_deaf(void)
{
    struct ticking ticking = {.ended = false};
    struct scene cancelled = {.master = -1}, looking = {.master = -1, .name = "tcp:no-such-host.invalid:1"};
    int fillers[4];
    int listener = listen_deaf(&ticking.scene, fillers);

    run_loop(&ticking.scene, open_deaf);
    CHECK(ticking.worst_us < 1000000); /* the others went on meanwhile */
    (void)snprintf(cancelled.name, sizeof cancelled.name, "%s", ticking.scene.name);
    run_loop(&cancelled, open_cancelled);
    run_loop(&looking, open_cancelled);
    for (int i = 0; i < 4; i++)
        (void)close(fillers[i]);
    (void)close(listener);
}

#define BUSY_S 10

/* libuv's pool, with nothing but waiting in it. */
struct busy_pool {
    uv_loop_t loop;
    uv_work_t work[4]; /* as many threads as it has */
    sem_t begun, end;
};

static void be_busy(uv_work_t *work)
{
    struct busy_pool *pool = work->data;
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += BUSY_S;
    (void)sem_post(&pool->begun);
    (void)sem_timedwait(&pool->end, &until);
}

static void start_busy_pool(struct busy_pool *pool)
{
    CHECK(uv_loop_init(&pool->loop) == 0);
    CHECK(sem_init(&pool->begun, 0, 0) == 0 && sem_init(&pool->end, 0, 0) == 0);
    for (int i = 0; i < 4; i++) {
        pool->work[i].data = pool;
        CHECK(uv_queue_work(&pool->loop, &pool->work[i], be_busy, NULL) == 0);
    }
    for (int i = 0; i < 4; i++)
        (void)sem_wait(&pool->begun);
}

static void end_busy_pool(struct busy_pool *pool)
{
    for (int i = 0; i < 4; i++)
        (void)sem_post(&pool->end);
    CHECK(uv_run(&pool->loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&pool->loop) == 0);
    (void)sem_destroy(&pool->begun);
    (void)sem_destroy(&pool->end);
}

/* A look-up that nobody waits for any more, and that has not begun, does not stay in the queue: the loop,
 * which would wait for it, ends before the pool has a thread for it. */
static void test_look_ups_do_not_pile_up(void)
{
    struct scene scene = {.master = -1, .name = "tcp:no-such-host.invalid:1"};
    int64_t start_us = scene_now_us();
    struct busy_pool pool;

    start_busy_pool(&pool);
    run_loop(&scene, open_cancelled);
    CHECK(scene_now_us() - start_us < (BUSY_S - 2) * (int64_t)1000000);
    end_busy_pool(&pool);
}

static const struct test tests[] = {
    {"talk", test_talk},       {"traits", test_traits},
    {"discard", test_discard}, {"babble", test_babble},
    {"end", test_end},         {"nobody", test_nobody},
    {"deaf", test_deaf},       {"look-ups do not pile up", test_look_ups_do_not_pile_up}};

TEST_MAIN(tests)
